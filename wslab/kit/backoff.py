"""How long to wait before the next attempt: policies that return delays, and do not sleep.

All have one interface, `Policy`. The n-th delay after a connection was lost is a function of n, of
a lot drawn in [0, 1), and of the delay before: the same formula serves one client, and a million
of them in `wslab.apps.reconnect.storm`, as NumPy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import numpy as np

__all__ = ["Attempts", "Backoff", "Decorrelated", "Fixed", "LibraryDefault", "Policy", "delays"]

Numbers = Any  # a number, or a NumPy array of them


class Policy(Protocol):
    """How long to wait before each attempt."""

    @property
    def name(self) -> str:
        """What a table or a plot calls it."""

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait.

        attempt: how many were made since the connection was lost. lot: uniform in [0, 1).
        previous: the seconds waited before the last one, 0 for the first.
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
    """Exponential backoff (指数退避): every wait may be `factor` times as long as the one before.

    first: seconds that the first waits last at most. quick: how many waits stay at that, before
    they grow; a short outage is then over for everybody soon. limit: seconds that no wait exceeds.
    jitter (抖动): whether to wait a random part of that time ("full jitter"), so that clients that
    lost their connections at the same moment do not come back at the same moment.
    """

    first: float = 1.0
    factor: float = 2.0
    limit: float = 30.0
    quick: int = 6
    jitter: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.limit < math.inf:
            raise ValueError(f"first is {self.first} s, limit {self.limit} s: 0 < first ≤ limit")
        if self.factor < 1:
            raise ValueError(f"factor is {self.factor}, waits must not become shorter")
        if self.quick < 1:
            raise ValueError(f"quick is {self.quick}, at least the first wait lasts `first`")

    @property
    def name(self) -> str:
        """Such as "exponential, full jitter"."""
        return "exponential, full jitter" if self.jitter else "exponential"

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait."""
        steps = np.maximum(0, attempt - self.quick + 1)
        steps = np.minimum(steps, 1000 / math.log2(max(self.factor, 1.001)))  # no overflow
        longest = np.minimum(self.limit, self.first * self.factor**steps)
        return longest * (lot if self.jitter else 1.0)


@dataclass(frozen=True)
class Decorrelated:
    """Decorrelated jitter: between `first` and three times the wait before, at most `limit`.

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
        top = 3 * np.maximum(previous, self.first)
        return np.minimum(self.limit, self.first + lot * (top - self.first))


@dataclass(frozen=True)
class LibraryDefault:
    """What `async for ws in websockets.connect(…)` does: up to 5 s, then 3.1 s × 1.618ⁿ to 90 s.

    Only its first wait is random. It makes an attempt at once, before the first wait: `initial`.
    """

    first: float = 5.0
    least: float = 3.1
    factor: float = 1.618
    limit: float = 90.0

    @property
    def name(self) -> str:
        """The library's."""
        return "websockets' default"

    def delay(self, attempt: Numbers, lot: Numbers, previous: Numbers) -> Numbers:
        """Return the seconds to wait; for attempt 0 none: it tries at once."""
        later = self.least * self.factor ** np.clip(attempt - 2, 0, 100)
        return np.where(
            np.equal(attempt, 0),
            0.0,
            np.where(np.equal(attempt, 1), lot * self.first, np.minimum(later, self.limit)),
        )


def delays(policy: Policy, *, rng: Random) -> Iterator[float]:
    """Yield a policy's delays in seconds, for ever: what `reconnect_delays=` of the library takes.

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
    """One client's attempts under a policy; deterministic under its rng.

    stable_after: seconds that a connection must have lasted to count as a success; one that is
    accepted and closed at once does not.
    """

    def __init__(self, policy: Policy, *, rng: Random, stable_after: float) -> None:
        self.policy, self.rng, self.stable_after = policy, rng, stable_after
        self.number = 0  # of attempts since the last success
        self._delays = delays(policy, rng=rng)

    def ended(self, lasted: float | None = None) -> float:
        """Return the seconds to wait before the next attempt.

        lasted: seconds that the connection lasted, None if there was none.
        """
        if lasted is not None and lasted >= self.stable_after:
            self.number = 0
            self._delays = delays(self.policy, rng=self.rng)
        self.number += 1
        return next(self._delays)
