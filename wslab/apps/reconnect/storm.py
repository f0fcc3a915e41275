"""In a reconnection storm (重连风暴), a server comes back, and all its clients with it.

`storm` plays it in virtual time with NumPy, for up to a million clients. All lose their connection
at the same moment, and each tries again by its policy until it succeeds.
`wslab.apps.reconnect.real_storm` does the same with sockets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from wslab.kit.backoff import Policy

if TYPE_CHECKING:  # a page loads NumPy when something of it is used
    import numpy.typing as npt

    Series = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

__all__ = ["Counter", "Storm", "storm"]

STEP = 0.05  # seconds in which the simulated server's capacity is counted
LISTEN_FOR = 600.0  # a storm counts as endless so many seconds after the server's return


@dataclass(frozen=True)
class Storm:
    """The attempts and connections of a storm, counted in bins.

    clients: their number. outage: seconds without a server. bin: seconds of one bin.
    attempts, connected: the numbers in each bin, beginning with the loss of the connections.
    """

    policy: str
    clients: int
    outage: float
    bin: float
    attempts: Series = field(repr=False)
    connected: Series = field(repr=False)

    @classmethod
    def counted(
        cls, policy: Policy, clients: int, outage: float, attempts: Counter, connected: Counter
    ) -> Storm:
        """Make it from the counters."""
        size = max(attempts.size, connected.size)
        series = attempts.counts(size), connected.counts(size)
        return cls(policy.name, clients, outage, attempts.bin, *series)

    @property
    def times(self) -> Floats:
        """The beginning of each bin, in seconds."""
        return np.arange(len(self.attempts), dtype=np.float64) * self.bin

    @property
    def burst(self) -> int:
        """The most attempts in a bin while nothing listens, the price of a fast first retry."""
        before = self.attempts[self.times < self.outage]
        burst: int = before.max(initial=0).item()
        return burst

    @property
    def peak(self) -> int:
        """The most attempts in a bin after the server's return, which it has to withstand."""
        peak: int = self.attempts[self.times >= self.outage].max(initial=0).item()
        return peak

    @property
    def total(self) -> int:
        """The number of all attempts."""
        total: int = self.attempts.sum().item()
        return total

    def recovered(self, share: float = 0.99) -> float:
        """Return the seconds from the server's return until this share is connected, or inf."""
        enough = np.flatnonzero(np.cumsum(self.connected) >= share * self.clients)
        if not enough.size:
            return math.inf
        seconds: float = (self.times[enough[0]] + self.bin - self.outage).item()
        return seconds


def storm(
    clients: int,
    policy: Policy,
    *,
    outage: float = 60.0,
    capacity: float = math.inf,
    refusal: float = 0.0,
    notice: float = 0.0,
    bin: float = 1.0,
    seed: int = 1,
) -> Storm:
    """Simulate a storm.

    clients: at least 1. outage: seconds from the loss of all connections to the server's return.
    capacity: connections that it can accept in a second, and that may wait for that. Others are
    refused, and try again. refusal: what that costs, as a part of the cost of an acceptance. With
    enough refusals the server does nothing else.
    notice: seconds within which the clients notice their loss, evenly spread; 0 for all at once.
    """
    if clients < 1 or outage < 0 or capacity <= 0 or not 0 <= refusal < 1:
        raise ValueError("it needs at least 1 client, outage ≥ 0 s, capacity > 0, 0 ≤ refusal < 1")
    crowd = _Crowd(clients, policy, notice, np.random.default_rng(seed))
    server = _Server(capacity, refusal, outage)
    attempts, connected = Counter(bin), Counter(bin)
    while len(crowd.next) and (first := crowd.next.min()) < outage + LISTEN_FOR:
        if first < outage:  # nobody listens, so steps are not needed
            due = np.flatnonzero(crowd.next < outage)
            attempts.add(crowd.next[due])
            crowd.try_again(due)
            continue
        end = server.begin_step(first)
        while len(due := np.flatnonzero(crowd.next < end)):  # some come twice in a step
            due = due[np.argsort(crowd.next[due], kind="stable")]
            attempts.add(crowd.next[due])
            count = server.accept(len(due))
            connected.add(crowd.next[due[:count]])
            crowd.try_again(due[count:])
            crowd.leave(due[:count])
    return Storm.counted(policy, clients, outage, attempts, connected)


class _Server:
    """The work that the server can still do, at most that of a second."""

    def __init__(self, capacity: float, refusal: float, now: float) -> None:
        self.capacity, self.refusal = capacity, refusal
        self.budget, self.now = capacity, now

    def begin_step(self, moment: float) -> float:
        """Let time pass to the step of this moment; return when the step ends."""
        start = max(self.now, math.floor(moment / STEP) * STEP)
        gained = self.capacity * (start - self.now) if start > self.now else 0.0
        self.budget = min(self.capacity, max(0.0, self.budget) + gained)
        self.now = start
        return start + STEP

    def accept(self, count: int) -> int:
        """Return how many of these attempts succeed; refusals cost something too."""
        able = (self.budget - self.refusal * count) / (1 - self.refusal)
        accepted = int(max(0, min(count, able)))
        self.budget -= accepted + self.refusal * (count - accepted)
        return accepted


class _Crowd:
    """The clients that are not connected, as arrays. next: the time of each one's next attempt."""

    def __init__(
        self, clients: int, policy: Policy, notice: float, rng: np.random.Generator
    ) -> None:
        self.policy, self.rng = policy, rng
        self.next: Floats = rng.random(clients) * notice
        self.number = np.zeros(clients, dtype=np.int32)
        self.delay: Floats = np.zeros(clients)
        self.try_again(np.arange(clients))

    def try_again(self, which: npt.NDArray[np.intp]) -> None:
        """Let these wait for their next attempt."""
        lots = self.rng.random(len(which))
        delay = self.policy.delay(self.number[which], lots, self.delay[which])
        self.delay[which] = delay
        self.next[which] += delay
        self.number[which] += 1

    def leave(self, which: npt.NDArray[np.intp]) -> None:
        """Forget these, because they are connected."""
        if len(which):
            stay = np.ones(len(self.next), dtype=bool)
            stay[which] = False
            self.next, self.delay = self.next[stay], self.delay[stay]
            self.number = self.number[stay]


class Counter:
    """Counts moments in bins of so many seconds."""

    def __init__(self, bin: float) -> None:
        self.bin = bin
        self._counts = np.zeros(0, dtype=np.int64)

    @property
    def size(self) -> int:
        """The number of bins."""
        return len(self._counts)

    def add(self, moments: Floats) -> None:
        """Count these moments, in seconds."""
        more = np.bincount((moments / self.bin).astype(np.int64), minlength=self.size)
        more[: self.size] += self._counts
        self._counts = more

    def counts(self, size: int) -> Series:
        """Return the counts of so many bins."""
        return np.pad(self._counts, (0, size - self.size))
