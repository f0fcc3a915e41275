"""In the network in memory, every viewer ends at the true score, and has shown only true states.

Three viewers on trains follow one match. Cables are cut, frozen and slowed, and the server crashes
and forgets its log. Mutants of the server and of the viewer show false scores, and are caught.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import serve

from wslab.apps.scores import Match, Scoreboard, Screen, Skipped, follow
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.keepalive import Heartbeat
from wslab.kit.log import Log
from wslab.kit.messages import merge_patch
from wslab.kit.resume import Session
from wslab.net import Dice, Fault, explore, launch, simulate

BEAT = Heartbeat(1, timeout=1)
STEPS, KEPT, VIEWERS = 40, 12, 3


def as_text(state: Any) -> str:
    return json.dumps(state, sort_keys=True)


class Witness(Screen):
    """A screen that remembers all that it has shown, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def take(self, message: Any, now: float = 0.0) -> None:
        super().take(message, now)
        if self.state is not None:
            self.shown.append(as_text(self.state))


async def watch(
    screen: Screen, *, late: float = 0.0, client: Callable[..., Any] = ReconnectingClient
) -> None:
    await asyncio.sleep(late)
    async with client(
        "ws://board:9000/",
        connect=partial(library_connect, proxy=None, compression=None),
        heartbeat=BEAT,
        policy=Backoff(first=0.3, limit=1),
        open_timeout=3,
        history=False,
    ) as connection:
        await follow(connection, screen)


def evening(
    *,
    board: Callable[..., Scoreboard] = Scoreboard,
    screen: Callable[[], Witness] = Witness,
    client: Callable[..., Any] = ReconnectingClient,
) -> Callable[[], Any]:
    """Return a program: a match of 40 steps, and viewers that come one after the other."""

    async def main() -> None:
        match = Match(Random(14))
        truth = [as_text(match.state)]

        async def server(_disk: dict[str, Any]) -> None:
            mine = board(match, log=Log(KEPT), beat=BEAT)
            async with serve(mine, "board", 9000, ping_interval=None, compression=None):
                while True:
                    await asyncio.sleep(0.15)
                    if len(truth) <= STEPS:
                        mine.step()
                        truth.append(as_text(match.state))

        launch(server)
        screens = [screen() for _ in range(VIEWERS)]
        tasks = [
            asyncio.create_task(watch(each, late=2.0 * number, client=client))
            for number, each in enumerate(screens)
        ]
        async with asyncio.timeout(300):
            while len(truth) <= STEPS or any(as_text(each.state) != truth[-1] for each in screens):
                await asyncio.sleep(0.5)
                for task in tasks:
                    assert not task.done(), "a viewer has given up"
                for each in screens:
                    false = set(each.shown) - set(truth)
                    assert not false, f"a screen has shown what was never true: {false}"
        for each in screens:
            place = 0
            for text in each.shown:
                assert text in truth[place:], "a screen went back in time"
                place = truth.index(text, place)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    return main


DICE = Dice(within=6)


@pytest.mark.timeout(120)
def test_every_viewer_ends_at_the_true_score() -> None:
    assert repr(explore(evening(), runs=60, faults=DICE)) == "60 schedules passed"


TUNNEL = [Fault("cut", at=2, lasts=1)]
LONG_TUNNEL = [Fault("cut", at=2, lasts=3)]  # longer than what the log keeps
RESTART = [Fault("crash", at=0.8, lasts=0.4), Fault("cut", at=1.2, lasts=1.2)]
HALF_AN_ANSWER = [*LONG_TUNNEL, Fault("drop_after", at=5, lasts=1, side="server", amount=320)]


@pytest.mark.parametrize("faults", [[], TUNNEL, LONG_TUNNEL, RESTART, HALF_AN_ANSWER])
def test_the_schedules_that_catch_mutants_are_passed(faults: list[Fault]) -> None:
    simulate(evening(), faults=faults).result()


# Mutants


class NoEpoch(Scoreboard):
    """It believes every number, as a server does that knows only Last-Event-ID."""

    def resumed(self, session: Session, message: Any) -> list[Any]:
        epoch = message.get("epoch") and session.log.epoch
        return super().resumed(session, {**message, "epoch": epoch})


class NoState(Scoreboard):
    """After a gap it sends what it still has, as a chat does."""

    def resumed(self, session: Session, message: Any) -> list[Any]:
        if message.get("epoch") is None:
            return super().resumed(session, message)
        return session.resume(message)


class NothingMissed(Scoreboard):
    """It resumes where the log ends, whatever the viewer has."""

    def resumed(self, session: Session, message: Any) -> list[Any]:
        resumed, *_ = super().resumed(session, message)
        return [{**resumed, "after": self.log.last, "last": self.log.last}]


class TwoMessages(Scoreboard):
    """It sends the number first, and then the state."""

    def resumed(self, session: Session, message: Any) -> list[Any]:
        resumed, *missed = super().resumed(session, message)
        state = {name: resumed.pop(name) for name in self.snapshot if name in resumed}
        return [resumed, *missed] + [state] * bool(state)


class OldState(Scoreboard):
    """Its snapshot is one version older than its number says."""

    before: Any = None

    def step(self) -> None:
        self.before = self.match.state
        super().step()

    @property
    def snapshot(self) -> dict[str, Any]:
        return {**super().snapshot, "state": self.before or self.match.state}


class Careless(Witness):
    """It applies every change, whatever its number is."""

    def take(self, message: Any, now: float = 0.0) -> None:
        try:
            super().take(message, now)
        except Skipped:
            self.state = merge_patch(self.state, message["patch"])
            self.shown.append(as_text(self.state))


class Stubborn(Witness):
    """It keeps what it has when a new state comes."""

    def take(self, message: Any, now: float = 0.0) -> None:
        if self.state is None or "state" not in message:
            super().take(message, now)


SERVERS = [
    (NoEpoch, RESTART),
    (NoState, LONG_TUNNEL),
    (NothingMissed, TUNNEL),
    (TwoMessages, HALF_AN_ANSWER),
    (OldState, []),
]


@pytest.mark.parametrize(("board", "faults"), SERVERS, ids=lambda it: getattr(it, "__name__", ""))
@pytest.mark.parametrize("screen", [Witness, Careless])
def test_a_wrong_server_is_caught(board: Any, faults: Any, screen: Any) -> None:
    assert simulate(evening(board=board, screen=screen), faults=faults).error is not None


def test_a_wrong_screen_is_caught() -> None:
    run = simulate(evening(screen=Stubborn), faults=LONG_TUNNEL)
    assert run.error is not None


def test_a_screen_alone_stops_at_a_gap() -> None:
    """The client's inbox sees a gap first. Without it, the screen still shows nothing false."""

    async def main() -> list[str]:
        match, screen = Match(Random(14)), Witness()
        board = Scoreboard(match)
        screen.take(board.snapshot)
        truth = [as_text(match.state)]
        rng = Random(1)
        for _ in range(STEPS):
            board.step()
            truth.append(as_text(match.state))
            if rng.random() < 0.3:
                continue  # lost
            try:
                screen.take(board.log.since(board.log.last - 1)[0])
            except Skipped:
                screen.take(board.snapshot)
        return [text for text in screen.shown if text not in truth]

    assert simulate(main).result() == []


@pytest.mark.untraced
def test_explore_finds_a_small_schedule_for_a_mutant() -> None:
    found = explore(evening(board=NoEpoch), runs=60, faults=DICE)
    assert found.smallest is not None
    assert "what was never true" in str(found.why)
    assert "crash" in [fault.kind for fault in found.smallest.faults]
    assert len(found.smallest.faults) <= 2
