"""The desk: whoever is slow gets fewer quotes, the true ones, and costs bounded memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab.apps.quotes import BinanceBook, Desk, Gap, KrakenBook
from wslab.apps.quotes.exchange import NORTH, SOUTH


@asynccontextmanager
async def open_desk(**options: Any) -> AsyncIterator[tuple[Desk, str]]:
    """Run a desk on this loop, so that a test can call `step`; yield it with its URL."""
    desk = Desk(Random(15), **{"rate": None, **options})
    own: dict[str, Any] = {"compression": None, "process_request": desk.answer}
    async with serve(desk, "127.0.0.1", 0, close_timeout=0.2, **own) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(20):
            yield desk, f"ws://127.0.0.1:{port}/"


async def join(url: str, path: str) -> ClientConnection:
    ws = await connect(url + path, proxy=None, close_timeout=0.2, max_queue=None)
    await (await ws.ping())  # then its handler has begun
    return ws


async def get(url: str, path: str) -> tuple[bytes, bytes]:
    """Ask by HTTP; return the head and the body of the answer."""
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def key(quote: dict[str, Any]) -> tuple[str, str]:
    return quote["venue"], quote["symbol"]


def lists(best: Any) -> list[Any]:
    return [None if level is None else list(level) for level in best]


@pytest.mark.parametrize("path", ["every", "latest", "paced"])
async def test_everybody_ends_with_the_true_prices(path: str) -> None:
    async with open_desk() as (desk, url):
        for _ in range(50):
            desk.step()
        viewer, seen = await join(url, path), {}
        for number in range(600):
            desk.step()
            if number % 50 == 0:
                await turns()
        count = 0
        while any(seen.get(name) != lists(best) for name, best in desk.best.items()):
            quote = json.loads(await viewer.recv())
            count += 1
            seen[key(quote)] = [quote["bid"], quote["ask"]]
            if path == "paced":
                await viewer.send(json.dumps({"type": "ready", "count": count}))
        assert (count >= 600) is (path != "paced")
        await viewer.close()


async def test_one_that_is_never_ready_costs_a_message_for_each_key() -> None:
    async with open_desk() as (desk, url):
        stalled, other = await join(url, "paced"), await join(url, "every")
        for number in range(3000):
            desk.step()
            if number % 50 == 0:
                await turns(2)
        first = json.loads(await stalled.recv())["n"]
        got = [json.loads(await other.recv())["n"] for _ in range(3000)]
        assert (first, got) == (1, list(range(1, 3001)))
        had = 1
        while desk.hub.left_out == 0 or had < 6:
            await stalled.send(json.dumps({"type": "ready", "count": had}))
            quote = json.loads(await stalled.recv())
            had += 1
        assert quote["n"] > 2900  # no old price was waiting
        for each in (stalled, other):
            await each.close()


async def test_a_late_viewer_learns_all_prices_at_once() -> None:
    async with open_desk() as (desk, url):
        for _ in range(300):
            desk.step()
        late = await join(url, "latest")
        quotes = [json.loads(await late.recv()) for _ in desk.best]
        assert {key(one): [one["bid"], one["ask"]] for one in quotes} == {
            name: lists(best) for name, best in desk.best.items()
        }
        await late.close()


async def test_trades_are_history_and_all_arrive() -> None:
    async with open_desk() as (desk, url):
        viewer, trades = await join(url, "trades"), []
        for _ in range(300):
            trades += [trade._asdict() for trade in desk.step().trades]
        got = [json.loads(await viewer.recv()) for _ in trades]
        assert [{name: one[name] for name in trades[0]} for one in got] == trades
        await viewer.close()


async def test_a_book_by_binances_rules() -> None:
    """Buffer the stream, fetch the snapshot, drop what it has, go on; a lost event is a gap."""
    async with open_desk() as (desk, url):
        stream = await join(url, "ws/acmeusd@depth")
        for _ in range(100):
            desk.step()
        _, body = await get(url, "api/v3/depth?symbol=ACMEUSD&limit=1000")
        for _ in range(100):
            desk.step()
        book = BinanceBook(json.loads(body))
        while book.best != desk.best[NORTH, "ACME/USD"]:
            book.apply(json.loads(await stream.recv()))
        await stream.close()
        while desk.step().market is not desk.exchange.north["ACME/USD"].market:
            pass
        stream = await join(url, "ws/ACMEUSD@depth@100ms")
        for _ in range(50):
            desk.step()
        with pytest.raises(Gap):
            book.apply(json.loads(await stream.recv()))
        await stream.close()


async def test_a_book_by_krakens_rules() -> None:
    async with open_desk() as (desk, url):
        stream, book = await join(url, "kraken"), KrakenBook(10)
        pairs = ["BOLT/USD"] * 3  # which gives one book, and not three
        ask = {"event": "subscribe", "pair": pairs, "subscription": {"name": "book"}}
        await stream.send(json.dumps(ask))
        status = json.loads(await stream.recv())
        assert (status["event"], status["channelName"]) == ("subscriptionStatus", "book-10")
        for _ in range(300):
            desk.step()
        checked = 0
        while not checked or book.best != desk.best[SOUTH, "BOLT/USD"]:
            _, *parts, channel, pair = json.loads(await stream.recv())
            assert (channel, pair) == ("book-10", "BOLT/USD")
            book.apply(*parts)
            checked += "c" in parts[-1]
        await stream.close()


@pytest.mark.parametrize("path", ["nothing", "ws/none@depth", "ws/acmeusd@trade", ""])
async def test_a_stream_that_there_is_not(path: str) -> None:
    async with open_desk() as (_, url), connect(url + path, proxy=None) as ws:
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert (ws.close_code, ws.close_reason[:14]) == (1008, "no such stream")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("paced", "no json"),
        ("paced", "[1]"),
        ("paced", '{"type": "ready"}'),
        ("kraken", '{"event": "subscribe", "pair": ["NONE/USD"]}'),
        ("kraken", '{"event": "subscribe", "pair": 5}'),
    ],
)
async def test_what_is_not_understood(path: str, said: str) -> None:
    async with open_desk() as (desk, url), connect(url + path, proxy=None) as ws:
        await ws.send(said)
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert (ws.close_code, ws.close_reason[:14]) == (1008, "not understood")
        assert len(desk.hub) == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(
            ("", 200),
            ("static/quotes.js", 200),
            ("static/dom.js", 200),
            ("static/policies.js", 200),
        ),
        *(("static/none.js", 404), ("static/../books.py", 404), ("static/books.py", 404)),
        *(("api/v3/depth?symbol=ACMEUSD", 200), ("api/v3/depth?symbol=X", 400)),
        *(("api/v3/depth", 400), ("api/v3/depth?symbol=ACMEUSD&limit=x", 400)),
    ],
)
async def test_what_it_answers_by_http(path: str, status: int) -> None:
    async with open_desk() as (_, url):
        head, body = await get(url, path)
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert body
