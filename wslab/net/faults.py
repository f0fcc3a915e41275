"""Schedules of faults: each fault has a time and a duration.

    [Fault("freeze", at=1.0, lasts=2.0, side="client"), Fault("crash", at=5.0, lasts=0.5)]

The names are those of a cable. For what happens to bytes, `side` is the side whose bytes are
affected. For what ends a connection, it is the side that notices, while the other hears nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from errno import ECONNREFUSED, EHOSTUNREACH
from typing import Literal

from wslab.net.errors import check_number
from wslab.net.flow import Faults
from wslab.net.loop import SimulatedLoop
from wslab.net.network import SIDES, Side

__all__ = ["KINDS", "Dice", "Fault", "Kind", "Schedule"]

Kind = Literal["cut", "reset", "freeze", "delay", "split", "throttle", "drop_after", "crash"]
Sided = Literal["client", "server", "both"]
SIDED: tuple[Sided, ...] = ("client", "server", "both")
ENDS: dict[str, int] = {"cut": EHOSTUNREACH, "reset": ECONNREFUSED}

# What is said of each, and from where to where dice draw its amount.
KINDS: dict[Kind, tuple[str, float, float]] = {
    "cut": ("cut", 0, 0),
    "reset": ("reset", 0, 0),
    "freeze": ("frozen", 0, 0),
    "delay": ("delayed by {:g} s", 0.01, 1),
    "split": ("split into segments of {:g} bytes", 1, 20),
    "throttle": ("throttled to {:g} bytes per second", 200, 5000),
    "drop_after": ("everything after {:g} more bytes is lost", 0, 500),
    "crash": ("the programs have crashed", 0, 0),
}


@dataclass(frozen=True)
class Fault:
    """One fault. at, lasts: its time and its duration, in virtual seconds from the beginning.

    kind: "cut" and "reset" end the connections, and nobody can connect while they last. "freeze",
    "delay", "split", "throttle" and "drop_after" are those of `Cable`, and need some time to
    matter. After "drop_after", TCP waits for the lost bytes forever, while a cable can go on.
    "crash" ends the programs that were started with `launch`. They start again after it.
    side: "client", "server" or "both". keeps: whether the programs' disks outlive a crash.
    amount: seconds for "delay", bytes for "split" and "drop_after", bytes per second for
    "throttle".
    Raises ValueError or TypeError if something of this is not possible.
    """

    kind: Kind
    at: float
    lasts: float = 0.0
    side: Sided = "both"
    amount: float = 0.0
    keeps: bool = True

    def __post_init__(self) -> None:
        if self.kind not in list(KINDS):
            raise ValueError(f"kind is {self.kind!r}, it must be one of {', '.join(KINDS)}")
        if self.side not in SIDED:
            raise ValueError(f'side is {self.side!r}, it must be "client", "server" or "both"')
        check_number("at", self.at)
        check_number("lasts", self.lasts)
        least = 1 if self.kind in ("split", "throttle") else 0
        check_number(f"amount of {self.kind!r}", self.amount, least)

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that it concerns."""
        return SIDES if self.side == "both" else (self.side,)

    @property
    def text(self) -> str:
        """Its effect, in words."""
        said = KINDS[self.kind][0].format(self.amount)
        if self.kind == "crash":
            return said + ("" if self.keeps else ", their disks are empty")
        return f"{said} ({self.side})"

    def __str__(self) -> str:
        """Say what happens when, as one line."""
        time = f"at {self.at:g} s" + f" for {self.lasts:g} s" * (self.lasts > 0)
        return f"{time}: {self.text}"

    def change(self, faults: Faults) -> Faults:
        """Return how a direction behaves with this fault on top of others."""
        match self.kind:
            case "freeze":
                return replace(faults, frozen=True)
            case "delay":
                return replace(faults, delay=faults.delay + self.amount)
            case "split":
                return replace(faults, split=int(self.amount))
            case "throttle":
                return replace(faults, rate=self.amount)
            case "drop_after":
                return replace(faults, drop_after=int(self.amount))
        return faults


@dataclass(frozen=True)
class Dice:
    """Draw schedules of faults.

    kinds: those that may occur. within: seconds in which they begin. longest: how many seconds one
    lasts at most. most: how many there are at most. keeps: whether disks outlive a crash.
    outage: how many seconds nobody can connect at most, because of a cut, a reset or a crash; by
    default as long as a fault lasts.
    Raises ValueError or TypeError if something of this is not possible.
    """

    kinds: tuple[Kind, ...] = tuple(KINDS)
    within: float = 10.0
    longest: float = 3.0
    most: int = 4
    keeps: bool = True
    outage: float = math.inf

    def __post_init__(self) -> None:
        kinds = self.kinds if isinstance(self.kinds, tuple | list) else ()
        if not kinds or any(kind not in list(KINDS) for kind in kinds):
            known = ", ".join(KINDS)
            raise ValueError(
                f"kinds is {self.kinds!r:.60}, it must be a tuple with some of {known}"
            )
        check_number("within", self.within)
        check_number("longest", self.longest)
        check_number("most", self.most, whole=True)
        check_number("outage", self.outage, besides=math.inf)

    def roll(self, rng: random.Random, count: int | None = None) -> tuple[Fault, ...]:
        """Draw a schedule, in order of time. count: how many faults; by default any number."""
        count = rng.randint(0, self.most) if count is None else count
        return tuple(sorted((self._one(rng) for _ in range(count)), key=lambda fault: fault.at))

    def _one(self, rng: random.Random) -> Fault:
        kind = rng.choice(self.kinds)
        lasts = rng.uniform(0, self.longest)
        if kind in ENDS and rng.random() < 0.5:
            lasts = 0.0  # over at once
        if kind in ENDS or kind == "crash":
            lasts = min(lasts, self.outage)
        side = rng.choice(SIDED)
        _, low, high = KINDS[kind]
        amount = rng.uniform(low, high) if kind == "delay" else rng.randint(int(low), int(high))
        return Fault(kind, rng.uniform(0, self.within), lasts, side, amount, self.keeps)


class Schedule:
    """Does to a network what its faults say. `plan` it before the clock starts."""

    def __init__(self, faults: Iterable[Fault], loop: SimulatedLoop) -> None:
        self.faults, self.loop, self.network = tuple(faults), loop, loop.network
        self.active: list[Fault] = []

    def plan(self) -> None:
        """Let each fault begin at its time."""
        for fault in self.faults:
            self.loop.call_at(fault.at, self._begin, fault)

    def _begin(self, fault: Fault) -> None:
        self.network.note(0, "cable", fault.text)
        self.active.append(fault)
        if fault.kind in ENDS:
            self.network.end_all(fault.sides, reset=fault.kind == "reset")
        elif fault.kind == "crash":
            for each in self.loop.launched:
                each.crash(keeps=fault.keeps)
        if fault.lasts:
            self._apply()
            self.loop.call_later(fault.lasts, self._end, fault)
        else:
            self._end(fault)

    def _end(self, fault: Fault) -> None:
        self.active.remove(fault)
        if fault.lasts:
            is_drop = fault.kind == "drop_after"
            over = "nothing more is lost" if is_drop else f"no longer {fault.text}"
            self.network.note(0, "cable", over)
        if not any(other.kind == "crash" for other in self.active):
            for each in self.loop.launched:
                each.start()
        self._apply()

    def _apply(self) -> None:
        faults = {}
        for side in SIDES:
            faults[side] = self.network.perfect
            for fault in self.active:
                if side in fault.sides:
                    faults[side] = fault.change(faults[side])
        self.network.is_down = next((ENDS[f.kind] for f in self.active if f.kind in ENDS), None)
        self.network.change(faults)
