"""Somebody else's client of Centrifugo's protocol, PyPI's centrifuge-python, watches our match."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from centrifuge import Client, SubscriptionEventHandler
from websockets.asyncio.server import serve

from wslab import lab
from wslab.apps.scores import Match, Scoreboard, Screen
from wslab.apps.scores import serve as serve_scores
from wslab.kit.log import Log
from wslab.net import Dice, Fault, explore, launch, simulate

from .conftest import PATIENCE

PATH = "connection/websocket"
STEPS = 30


def as_text(state: Any) -> str:
    return json.dumps(state, sort_keys=True)


class Viewer(SubscriptionEventHandler):
    """Shows what comes. subscribed: how each subscription began. offsets: all that came."""

    def __init__(self) -> None:
        self.screen, self.shown = Screen(), [""]
        self.subscribed: list[Any] = []
        self.offsets: list[int] = []
        self.changed = asyncio.Event()

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)
        if ctx.data:
            self.show(ctx.data)

    async def on_publication(self, ctx: Any) -> None:
        self.offsets.append(ctx.pub.offset)
        self.show({**ctx.pub.data, "seq": ctx.pub.offset})

    def show(self, message: Any) -> None:
        self.screen.take(message)
        self.shown.append(as_text(self.screen.state))
        self.changed.set()

    async def until(self, condition: Any) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


async def test_it_receives_what_it_missed_exactly_once() -> None:
    """Over sockets, with a cable that is cut while a part of the match passes."""
    board, viewer = Scoreboard(Match(Random(14))), Viewer()
    async with serve_scores(board) as server, lab.cable(server) as cable, asyncio.timeout(PATIENCE):
        board.step(5)
        client = Client(cable.url + PATH, proxy=None, min_reconnect_delay=0.01)
        await client.connect()
        await client.new_subscription("match", viewer, recoverable=True).subscribe()
        await viewer.until(lambda: viewer.screen.version == 5)
        board.step(5)
        await viewer.until(lambda: viewer.offsets == [6, 7, 8, 9, 10])
        for end in (cable.cut, cable.reset):
            end()
            board.step(10)
            await viewer.until(lambda: len(viewer.offsets) >= board.log.last - 5)
        assert viewer.offsets == list(range(6, 31))
        assert viewer.screen.state == board.match.state
        first, *others = viewer.subscribed
        assert (first.was_recovering, bool(first.data)) == (False, True)
        assert others
        assert all(each.was_recovering and each.recovered and not each.data for each in others)
        await client.disconnect()
        assert server.errors == []


def evening(viewers: list[Viewer], kept: int) -> Any:
    """Return a program for the network in memory; the log keeps so many changes."""

    async def main() -> None:
        match, viewer = Match(Random(14)), Viewer()
        viewers.append(viewer)
        truth = [as_text(match.state)]

        async def server(_disk: Any) -> None:
            board = Scoreboard(match, log=Log(kept))
            async with serve(board, "board", 9000, ping_interval=None, compression=None):
                while True:
                    await asyncio.sleep(0.2)
                    if len(truth) <= STEPS:
                        board.step()
                        truth.append(as_text(match.state))

        launch(server)
        client = Client(f"ws://board:9000/{PATH}", proxy=None, max_reconnect_delay=1.0)
        await client.connect()
        await client.new_subscription("match", viewer, recoverable=True).subscribe()
        async with asyncio.timeout(300):
            await viewer.until(lambda: len(truth) > STEPS and viewer.shown[-1] == truth[-1])
        await client.disconnect()
        assert set(viewer.shown) <= {"", *truth}, "a state that did not exist"

    return main


TUNNELS = Dice(kinds=("cut", "reset", "freeze", "delay", "split", "throttle"), within=6)


@pytest.mark.timeout(120)
def test_on_every_train_it_receives_everything_once() -> None:
    viewers: list[Viewer] = []

    def check(_run: Any) -> None:
        offsets = viewers[-1].offsets
        first = STEPS + 1 - len(offsets)
        assert offsets == list(range(first, STEPS + 1))

    found = explore(evening(viewers, 1000), runs=20, faults=TUNNELS, check=check)
    assert repr(found) == "20 schedules passed"
    assert any(len(viewer.subscribed) > 1 for viewer in viewers)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("cut", at=2, lasts=3)],  # longer than what the log keeps
        [Fault("crash", at=0.8, lasts=0.4), Fault("cut", at=1.2, lasts=1.2)],  # another epoch
    ],
)
def test_after_a_gap_it_gets_a_state(faults: list[Fault]) -> None:
    viewers: list[Viewer] = []
    simulate(evening(viewers, 8), faults=faults).result()
    last = viewers[0].subscribed[-1]
    assert (last.was_recovering, last.recovered, bool(last.data)) == (True, False, True)
