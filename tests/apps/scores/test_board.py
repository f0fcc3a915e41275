"""The scoreboard over sockets and in virtual time: who gets what, and who is sent away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as serve_directly
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps import scores
from wslab.apps.scores import Match, Scoreboard, Screen
from wslab.kit.attempt import library_connect
from wslab.kit.client import ReconnectingClient
from wslab.kit.keepalive import Heartbeat
from wslab.net import Fault, simulate

NEWCOMER = '{"type":"resume","epoch":null,"after":null}'


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Scoreboard, lab.Server]]:
    board = Scoreboard(Match(Random(14)))
    async with scores.serve(board, name="scores test") as server, asyncio.timeout(30):
        yield board, server
        assert server.errors == []


def join(server: lab.Server, path: str = "") -> Any:
    return connect(server.url + path, proxy=None, compression=None, close_timeout=1)


async def test_a_late_viewer_gets_the_state_and_then_changes() -> None:
    async with served() as (board, server):
        board.step(20)
        async with join(server) as ws:
            await ws.send(NEWCOMER)
            resumed = json.loads(await ws.recv())
            assert (resumed["state"], resumed["version"]) == (board.match.state, 20)
            board.step(3)
            changes = [json.loads(await ws.recv()) for _ in range(3)]
            assert [change["seq"] for change in changes] == [21, 22, 23]
            assert sum(len(json.dumps(change)) for change in changes) < len(json.dumps(resumed))
            screen = Screen()
            for message in (resumed, *changes):
                screen.take(message)
            assert screen.state == board.match.state


@pytest.mark.usefixtures("memory")
async def test_a_step_from_a_cell_where_there_is_one_thread() -> None:
    """The cell must not wait for the server, which waits for the cell's thread."""
    async with served() as (board, server), join(server) as ws:
        await ws.send(NEWCOMER)
        assert json.loads(await ws.recv())["version"] == 0
        board.step(2)
        assert [json.loads(await ws.recv())["seq"] for _ in range(2)] == [1, 2]


async def test_one_that_comes_back_gets_what_it_missed() -> None:
    async with served() as (board, server):
        board.step(20)
        for after, seqs in ((17, [18, 19, 20]), (20, [])):
            async with join(server) as ws:
                text = {"type": "resume", "epoch": board.log.epoch, "after": after}
                await ws.send(json.dumps(text))
                await ws.send('{"type":"beat"}')
                resumed, *missed, beat = [json.loads(await ws.recv()) for _ in range(len(seqs) + 2)]
                assert (resumed["gap"], "state" in resumed, beat) == (None, False, {"type": "beat"})
                assert [message["seq"] for message in missed] == seqs


async def test_the_naive_way_sends_everything_each_time() -> None:
    async with served() as (board, server), join(server, "whole") as ws:
        first = json.loads(await ws.recv())
        assert first["version"] == 0
        board.step(2)
        whole = [json.loads(await ws.recv()) for _ in range(2)]
        assert [each["version"] for each in whole] == [1, 2]
        assert whole[-1]["state"] == board.match.state


async def test_a_viewer_that_has_not_resumed_gets_nothing() -> None:
    async with served() as (board, server), join(server) as ws:
        board.step()
        await ws.send('{"type":"beat"}')
        assert json.loads(await ws.recv()) == {"type": "beat"}


@pytest.mark.parametrize(
    ("path", "said", "code"),
    [
        ("", "no JSON", 4002),
        ("", '{"type":"sing"}', 4002),
        ("", '{"type":"resume","after":-1}', 4002),
        ("connection/websocket", '{"id":1,"subscribe":{"channel":"match"}}', 3501),
        ("connection/websocket", '{"id":1,"connect":{}}\n{"connect":{}}', 3501),
        ("connection/websocket", "[]", 4002),
    ],
)
async def test_what_ends_the_connection(path: str, said: str, code: int) -> None:
    async with served() as (board, server), join(server, path) as ws:
        await ws.send(said)
        await ws.wait_closed()
        assert ws.close_code == code
        assert len(board.hub) == 0


async def test_centrifugos_words_over_the_wire() -> None:
    async with served() as (board, server), lab.cable(server) as cable:
        board.step(3)
        async with connect(
            f"{cable.url}connection/websocket", proxy=None, compression=None, close_timeout=1
        ) as ws:
            subscribe = {"id": 2, "subscribe": {"channel": "match"}}
            await ws.send('{"id":1,"connect":{}}\n' + json.dumps(subscribe))
            connected, subscribed = [json.loads(await ws.recv()) for _ in range(2)]
            assert (connected["id"], connected["connect"]["ping"]) == (1, 25)
            assert subscribed["subscribe"]["offset"] == 3
            assert subscribed["subscribe"]["data"]["state"] == board.match.state
            board.step()
            push = json.loads(await ws.recv())["push"]
            assert (push["channel"], push["pub"]["offset"]) == ("match", 4)
            await ws.send('{"id":3,"unsubscribe":{"channel":"match"}}')
            assert json.loads(await ws.recv()) == {"id": 3, "unsubscribe": {}}
            board.step()
            await ws.send('{"id":4,"rpc":{}}')
            assert json.loads(await ws.recv())["error"]["code"] == 108
        rows = [str(row.meaning) for row in cable.transcript if row.kind == "TEXT"]
        assert rows[0] == "1: connect\n2: subscribe"
        assert "2: subscribe offset 3, …" in rows
        assert 'push to "match": pub offset 4' in rows


def simulated(beat: Heartbeat, speak: Any, **options: Any) -> Any:
    """Run a program against a live board in virtual time; return its result."""

    async def main() -> Any:
        board = Scoreboard(Match(Random(14)), is_live=True, beat=beat)
        async with serve_directly(board, "board", 9000, ping_interval=None, compression=None):
            return await speak(board)

    run = simulate(main, **options)
    return run.result()


def test_a_ping_is_an_empty_object_and_its_answer_keeps_a_client() -> None:
    async def speak(board: Scoreboard) -> list[Any]:
        ends = []
        for answers in (True, False):
            url = "ws://board:9000/connection/websocket"
            async with connect(url, proxy=None, ping_interval=None, compression=None) as ws:
                await ws.send('{"id":1,"connect":{}}')
                await ws.recv()
                start, pings = asyncio.get_running_loop().time(), 0
                try:
                    while pings < 5:
                        assert await ws.recv() == "{}"
                        pings += 1
                        if answers:
                            await ws.send("{}")
                except ConnectionClosed:
                    pass
                ends.append((pings, round(asyncio.get_running_loop().time() - start)))
        return ends

    # Every 25 s, and 8 s of patience, which are Centrifugo's defaults.
    assert simulated(Heartbeat(20, timeout=10), speak) == [(5, 125), (1, 33)]


def test_the_clock_is_right_without_a_message_a_second() -> None:
    async def speak(board: Scoreboard) -> tuple[int, int, str, str]:
        screen, seen = Screen(), []
        client = ReconnectingClient(
            "ws://board:9000/", connect=lambda url: library_connect(url, proxy=None), history=False
        )
        async with client:
            following = asyncio.create_task(scores.follow(client, screen))
            for _ in range(60):
                await asyncio.sleep(1)
                clock = board.match.state["clock"]
                true = clock["seconds"] + clock["rate"] * (board.now - clock["at"])
                seen.append(screen.clock(asyncio.get_running_loop().time()))
                minutes, seconds = map(int, seen[-1].split(":"))
                assert abs(60 * minutes + seconds - true) < 2
            following.cancel()
        messages = json.dumps(board.log.since(0)).count('"clock"')
        return len(set(seen)), messages, seen[0], seen[-1]

    different, messages, first, last = simulated(Heartbeat(20, timeout=10), speak)
    assert (different, messages) == (60, 0)
    assert (first[:2], last[:2]) == ("00", "29")


def test_the_match_stands_still_while_nobody_watches() -> None:
    async def speak(board: Scoreboard) -> list[int]:
        versions = []
        for _ in range(2):
            async with connect("ws://board:9000/whole", proxy=None, compression=None):
                await asyncio.sleep(30)
            versions.append(board.log.last)
            await asyncio.sleep(30)
            versions.append(board.log.last)
        return versions

    first, idle, second, last = simulated(Heartbeat(20, timeout=10), speak)
    assert 10 < first == idle < second == last
    faults = [Fault("freeze", at=5, lasts=60)]  # the heartbeat puts a dead viewer out
    frozen, *_ = simulated(Heartbeat(1, timeout=1), speak, faults=faults)
    assert frozen < first


async def test_pages_and_files() -> None:
    async with served() as (_, server):
        host, port = server.url.split("/")[2].split(":")
        for path, status in (("static/dom.js", 200), ("static/match.py", 404), ("x", 404)):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await reader.read()).startswith(f"HTTP/1.1 {status} ".encode())
            writer.close()
