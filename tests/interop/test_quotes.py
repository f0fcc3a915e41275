"""Other people's programs keep books from our venues.

The one for North is npm's node-binance-api, and the one for South PyPI's bittrade-kraken-orderbook.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from bittrade_kraken_orderbook.check import calculate_checksum
from bittrade_kraken_orderbook.compute import compute_order_book
from bittrade_kraken_orderbook.models import OrderBook
from bittrade_kraken_orderbook.models.message import get_payload
from websockets.asyncio.client import connect

from wslab import lab
from wslab.apps.quotes import BinanceBook, Desk, KrakenBook
from wslab.apps.quotes import serve as serve_quotes

from .conftest import HERE, PATIENCE, running

SYMBOL = "ACMEUSD"


async def books(url: str) -> AsyncGenerator[dict[int, Any]]:
    """Follow the market by ourselves; yield all books so far, by their last update."""
    async with connect(f"{url}ws/acmeusd@depth", proxy=None) as stream:
        await stream.recv()  # so the snapshot is newer than the stream
        address = f"{url.replace('ws:', 'http:', 1)}api/v3/depth?symbol={SYMBOL}&limit=1000"
        snapshot = await asyncio.to_thread(
            lambda: build_opener(ProxyHandler({})).open(address).read()
        )
        book = BinanceBook(json.loads(snapshot))
        known: dict[int, Any] = {}
        async for data in stream:
            book.apply(json.loads(data))
            known[book.last] = [numbers(book.bids), numbers(book.asks)]
            yield known


def numbers(levels: Any) -> dict[str, float]:
    return {price: float(quantity) for price, quantity in levels}


@pytest.mark.parametrize("is_cut", [False, True], ids=["a good day", "cut in the middle"])
async def test_npms_client_has_the_true_book(node: Any, is_cut: bool) -> None:
    desk = Desk(Random(15), rate=300)
    async with serve_quotes(desk) as server, lab.cable(server) as cable, asyncio.timeout(PATIENCE):
        url = cable.url.replace("ws:", "http:", 1)
        command = (
            str(node),
            str(HERE / "quotes_client.mjs"),
            json.dumps({"url": url, "symbol": SYMBOL}),
        )
        with running(*command) as process:
            told: dict[int, Any] = {}  # by either of them first
            seen, was_cut = 0, not is_cut
            async with aclosing(books(server.url)) as ours:
                async for known in ours:
                    said = json.loads(await asyncio.to_thread(process.stdout.readline))
                    told[said["last"]] = [said["bids"], said["asks"]]
                    for number in known.keys() & told.keys():
                        assert told.pop(number) == known[number]
                        seen += 1
                    if seen >= 20 and not was_cut:
                        was_cut, seen = True, 0
                        told.clear()
                        cable.cut()
                    if seen >= 40:
                        break
        assert server.errors == []


@pytest.mark.parametrize("pair", ["ACME/USD", "BOLT/USD"])
async def test_pypis_book_has_the_checksums_of_our_stream(pair: str) -> None:
    """`bittrade-kraken-orderbook` applies the messages of our venue South, as Kraken's v1."""
    book, ours, checked = OrderBook(), KrakenBook(10), 0
    desk = Desk(Random(15), rate=300)
    for _ in range(500):  # it expects a book that is full
        desk.step()
    subscribe = {"event": "subscribe", "pair": [pair], "subscription": {"name": "book"}}
    async with (
        serve_quotes(desk) as server,
        connect(f"{server.url}kraken", proxy=None) as stream,
        asyncio.timeout(PATIENCE),
    ):
        await stream.send(json.dumps(subscribe))
        async for data in stream:
            message = json.loads(data)
            if isinstance(message, dict):
                continue
            compute_order_book(book, message)
            ours.apply(*message[1:-2])
            if (stated := get_payload(message).get("c")) is not None:
                assert calculate_checksum(book) == stated
                assert [level[:2] for level in book.asks] == ours.asks
                assert [level[:2] for level in book.bids] == ours.bids
                checked += 1
            if checked == 100:
                break
        assert server.errors == []
