"""Policies for the wait before the next attempt. They return delays, and do not sleep.

All have one interface, `Policy`. The n-th delay after a connection was lost is a function of n, of
a lot drawn in [0, 1), and of the delay before. The same formula serves one client, and a million
clients in `wslab.apps.reconnect.storm`, as NumPy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

__all__ = ["Attempts", "Backoff", "Decorrelated", "Fixed", "LibraryDefault", "Policy", "delays"]

Numbers = Any  # a number, or a NumPy array of them


class Policy(Protocol):
    """Says how long to wait before each attempt."""

    @property
    def name(self) -> str:
        """Its name in a table or a plot."""

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait.

        attempt: how many were made since the connection was lost. lot: uniform in [0, 1).
        previous: the seconds waited before the last attempt; 0 for the first one.
        """


@dataclass(frozen=True)
class Fixed:
    """Always the same, such as the 3 s of the Chinese tutorial that the course started from."""

    seconds: float = 3.0

    @property
    def name(self) -> str:
        """Such as "fixed 3 s"."""
        return f"fixed {self.seconds:g} s"

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait."""
        return self.seconds + 0 * lot


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff (指数退避): each wait can be `factor` times as long as the one before.

    first: the maximum of the first waits, in seconds. quick: how many waits keep this maximum. A
    short outage is then soon over for everybody. limit: the maximum of any wait, in seconds.
    jitter (抖动): True to wait a random part of that time ("full jitter"). Clients that lost their
    connections at the same moment then do not come back at the same moment.
    """

    first: float = 1.0
    factor: float = 2.0
    limit: float = 30.0
    quick: int = 6
    jitter: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.limit < math.inf:
            seen = f"first is {self.first} s, limit is {self.limit} s"
            raise ValueError(f"{seen}, but 0 < first ≤ limit < inf must hold")
        if self.factor < 1:
            raise ValueError(f"factor is {self.factor}, it must be at least 1")
        if self.quick < 1:
            raise ValueError(f"quick is {self.quick}, it must be at least 1")

    @property
    def name(self) -> str:
        """Such as "exponential, full jitter"."""
        return "exponential, full jitter" if self.jitter else "exponential"

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait."""
        most = 1000 / math.log2(max(self.factor, 1.001))  # no overflow
        steps = _within(0, attempt - self.quick + 1, most)
        longest = _within(0, self.first * self.factor**steps, self.limit)
        return longest * (lot if self.jitter else 1.0)


@dataclass(frozen=True)
class Decorrelated:
    """Decorrelated jitter waits from `first` to three times the wait before, at most `limit`.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    first: float = 1.0
    limit: float = 30.0

    @property
    def name(self) -> str:
        """The name that its author gave it."""
        return "decorrelated jitter"

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait."""
        top = 3 * _within(self.first, previous, math.inf)
        return _within(0, self.first + lot * (top - self.first), self.limit)


@dataclass(frozen=True)
class LibraryDefault:
    """The waits of `async for ws in websockets.connect(…)`, up to 5 s, then 3.1 s × 1.618ⁿ to 90 s.

    Only its first wait is random. It makes an attempt at once, before the first wait.
    """

    first: float = 5.0
    least: float = 3.1
    factor: float = 1.618
    limit: float = 90.0

    @property
    def name(self) -> str:
        """The library's name for it."""
        return "websockets' default"

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait; 0 for attempt 0, which is made at once."""
        later = self.least * self.factor ** _within(0, attempt - 2, 100)
        second = (attempt == 1) * lot * self.first
        return second + (attempt > 1) * _within(0, later, self.limit)


def _within(least: float, numbers: Numbers, most: float) -> Numbers:
    """Limit a number, or every number of an array, without importing NumPy for one client."""
    if isinstance(numbers, (int, float)):
        return min(max(numbers, least), most)
    return numbers.clip(least, most)


def delays(policy: Policy, *, rng: Random) -> Iterator[float]:
    """Yield a policy's delays in seconds, without end, as the library's `reconnect_delays=` needs.

    >>> from itertools import islice
    >>> list(islice(delays(Fixed(3), rng=Random(1)), 3))
    [3.0, 3.0, 3.0]
    """
    attempt, previous = 0, 0.0
    while True:
        previous = float(policy.delay(attempt, rng.random(), previous))
        yield previous
        attempt += 1


class Attempts:
    """One client's attempts under a policy; the rng determines them.

    stable_after: seconds that a connection must last to count as a success. A connection that is
    accepted and closed at once does not count.
    """

    def __init__(self, policy: Policy, *, rng: Random, stable_after: float) -> None:
        self.policy, self.rng, self.stable_after = policy, rng, stable_after
        self.number = 0  # of attempts since the last success
        self._delays = delays(policy, rng=rng)

    def ended(self, lasted: float | None = None) -> float:
        """Return the seconds to wait before the next attempt.

        lasted: seconds that the connection lasted; None without a connection.
        """
        if lasted is not None and lasted >= self.stable_after:
            self.number = 0
            self._delays = delays(self.policy, rng=self.rng)
        self.number += 1
        return next(self._delays)
