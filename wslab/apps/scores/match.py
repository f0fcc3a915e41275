"""A simulated football match, and a screen that shows one from what a server says of it.

The state of a match is a JSON object. A seed decides what happens in it. `Screen` is the viewer's
side of the protocol, without sockets: a state, then changes of it, each with the next number.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from wslab.kit.messages import Message, merge_patch

__all__ = ["Match", "Moment", "Screen", "Skipped"]

TEAMS = {
    "home": ("Dragons", "Bai Cao Chen Deng Fang Gao Han Jin Kong Liang Ma Ning Pan Qian"),
    "away": ("Herons", "Ahn Berg Costa Diaz Eder Fox Gray Hall Ito Jung Kaya Lund Mori Nash"),
}
HALF, BREAK = 45 * 60, 15 * 60  # seconds of a match
BETWEEN, REVIEW = 40, 60  # seconds between two events on average, and of a review by video
SHOT, GOAL, CORNER, CARD = 0.45, 0.12, 0.85, 0.95  # of an event; a goal: of a shot
REVIEWED, TAKEN_BACK = 0.4, 0.5  # of the goals, and of those that are reviewed


class Moment(NamedTuple):
    """A state of the match, and when it begins, in real seconds since the kick-off."""

    seconds: float
    state: Message


class Match:
    """A match that a seed decides. `step()` lets the next thing happen.

    rng: decides. rate: seconds of the match in a second of real time.
    state: the present state. It never changes; a step brings a new one. seconds: when it began.
    due: when the next one begins. Another match follows the end of this one.

        {"home": {"name", "goals", "shots", "corners", "cards"}, "away": {…},
         "period": "first half", "clock": {"seconds": 0, "at": 0.0, "rate": 30},
         "goals": [{"team", "player", "minute"}, …],
         "players": {"home": {"1": "Bai", …}, "away": {…}}, "review": {"team", "player"}}

    clock: it showed `seconds` at the time `at`, and advances by `rate` a second; 0 if it stands.
    review: only while the referee looks at a goal on video (VAR). The goal may be taken back.
    """

    def __init__(self, rng: Random, *, rate: float = 30) -> None:
        self.rng, self.rate = rng, rate
        self._passed = 0.0  # seconds of the match, breaks included
        self._bench: dict[str, dict[str, str]] = {}
        self._moments = self._story()
        self._now, self._next = next(self._moments), next(self._moments)

    @property
    def state(self) -> Message:
        """The present state."""
        return self._now.state

    @property
    def seconds(self) -> float:
        """When the present state began, in real seconds since the kick-off."""
        return self._now.seconds

    @property
    def due(self) -> float:
        """When the next state begins."""
        return self._next.seconds

    def step(self) -> Message:
        """Let the next thing happen, and return the new state."""
        self._now, self._next = self._next, next(self._moments)
        return self.state

    # The story. `draft` is the state in the making; each yield makes a state of it

    def _story(self) -> Iterator[Moment]:
        while True:
            draft: Message = {"period": "first half", "goals": [], "players": {}}
            for side, (name, names) in TEAMS.items():
                draft[side] = {"name": name, "goals": 0, "shots": 0, "corners": 0, "cards": 0}
                squad = [(str(number), each) for number, each in enumerate(names.split(), 1)]
                draft["players"][side], self._bench[side] = dict(squad[:11]), dict(squad[11:])
            for begin, period, after in ((0, "first half", "break"), (HALF, "second half", "over")):
                draft["period"] = period
                yield from self._half(draft, begin)
                draft["period"] = after
                yield self._moment(draft)
                self._passed += BREAK

    def _half(self, draft: Message, begin: float) -> Iterator[Moment]:
        length, start = HALF + self.rng.randrange(60, 300), self._passed
        self._clock(draft, begin, self.rate)
        yield self._moment(draft)
        while (wait := self.rng.expovariate(1 / BETWEEN)) + self._passed < start + length:
            self._passed += wait
            minute = int(begin + self._passed - start) // 60 + 1
            for _ in self._event(draft, minute):
                yield self._moment(draft)
        self._passed = max(self._passed, start + length)
        self._clock(draft, begin + length, 0)

    def _event(self, draft: Message, minute: int) -> Iterator[None]:
        rng, side = self.rng, self.rng.choice(list(TEAMS))
        team, players, what = draft[side], draft["players"][side], rng.random()
        player = rng.choice(list(players))
        if what < SHOT:
            team["shots"] += 1
            if rng.random() < GOAL:
                yield from self._goal(draft, side, players[player], minute)
                return
        elif what < CORNER:
            team["corners"] += 1
        elif what < CARD or not self._bench[side]:
            team["cards"] += 1
        else:  # one comes off, and one comes on
            del players[player]
            players.update([self._bench[side].popitem()])
        yield

    def _goal(self, draft: Message, side: str, player: str, minute: int) -> Iterator[None]:
        draft[side]["goals"] += 1
        draft["goals"].append({"team": side, "player": player, "minute": minute})
        yield
        if self.rng.random() < REVIEWED:
            draft["review"] = {"team": side, "player": player}
            self._passed += REVIEW / 3
            yield
            self._passed += REVIEW
            del draft["review"]
            if self.rng.random() < TAKEN_BACK:
                draft[side]["goals"] -= 1
                draft["goals"].pop()
            yield

    def _clock(self, draft: Message, seconds: float, rate: float) -> None:
        draft["clock"] = {
            "seconds": seconds,
            "at": round(self._passed / self.rate, 2),
            "rate": rate,
        }

    def _moment(self, draft: Message) -> Moment:
        return Moment(self._passed / self.rate, copy.deepcopy(draft))


class Skipped(ValueError):
    """A change came that does not belong to the state that the screen has. Nothing has changed."""


class Screen:
    """The match as a viewer sees it.

    state: None before the first one has come. version: its number.
    """

    def __init__(self) -> None:
        self.state: Message | None = None
        self.version = 0
        self._ahead = 0.0  # seconds by which our time is ahead of the server's

    def take(self, message: Mapping[str, Any], now: float = 0.0) -> None:
        """Take a message of the server. now: the present, in seconds by any clock of the viewer.

        {"state": …, "version": n, "now": t} replaces what was there. {"patch": …, "seq": n, "now":
        t} makes version n of version n-1, and is ignored if n is already here. `now` is the
        server's time when it said so. Raises Skipped if the change has to wait for others.
        """
        delay = now - message["now"]
        if "state" in message:
            self.state, self.version, self._ahead = message["state"], message["version"], delay
            return
        number = message["seq"]
        if self.state is None or number > self.version + 1:
            seen = "no state" if self.state is None else f"version {self.version}"
            raise Skipped(f"change {number} has come, and this screen has {seen}: resume")
        # The message that was fastest says most about the difference between the clocks.
        self._ahead = min(self._ahead, delay)
        if number == self.version + 1:
            self.state, self.version = merge_patch(self.state, message["patch"]), number

    @property
    def score(self) -> str:
        """The score as text, such as "2 : 1"."""
        if self.state is None:
            return "- : -"
        return f"{self.state['home']['goals']} : {self.state['away']['goals']}"

    def clock(self, now: float) -> str:
        """Return what the clock of the match shows now, such as "44:07"."""
        if self.state is None:
            return "--:--"
        clock = self.state["clock"]
        passed = clock["rate"] * max(0.0, now - self._ahead - clock["at"])
        minutes, seconds = divmod(int(clock["seconds"] + passed), 60)
        return f"{minutes:02}:{seconds:02}"
