"""A reconnection storm (重连风暴): a server comes back, and everybody else with it.

`storm` plays it in virtual time with NumPy, for up to a million clients: all lose their connection
at the same moment, and each tries again by its policy until it succeeds. `real_storm` does the same
with sockets, for a few hundred: to see that the simulation does not lie.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wslab import lab
from wslab.apps.backoff import Policy, delays
from wslab.apps.endings import judge
from wslab.apps.talk import library_connect

__all__ = ["Storm", "real_storm", "storm"]

Series = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

STEP = 0.05  # seconds in which the simulated server's capacity is counted
LISTEN_FOR = 600.0  # seconds after the server's return, after which a storm counts as endless


@dataclass(frozen=True)
class Storm:
    """What happened, counted in bins.

    clients: how many there were. outage: seconds that nothing listened. bin: seconds of one bin.
    attempts, connected: how many in each bin, from the moment on when the connections were lost.
    """

    policy: str
    clients: int
    outage: float
    bin: float
    attempts: Series = field(repr=False)
    connected: Series = field(repr=False)

    @property
    def times(self) -> Floats:
        """When each bin begins, in seconds."""
        return np.arange(len(self.attempts), dtype=np.float64) * self.bin

    @property
    def burst(self) -> int:
        """The most attempts in a bin while nothing listens: the price of a fast first retry."""
        before = self.attempts[self.times < self.outage]
        return int(before.max()) if len(before) else 0

    @property
    def peak(self) -> int:
        """The most attempts in a bin from the server's return on: what it has to withstand."""
        return int(self.attempts[self.times >= self.outage].max(initial=0))

    @property
    def total(self) -> int:
        """How many attempts it took in all."""
        return int(self.attempts.sum())

    def recovered(self, share: float = 0.99) -> float:
        """Return the seconds from the server's return until this share is connected, or inf."""
        enough = np.flatnonzero(np.cumsum(self.connected) >= share * self.clients)
        return float(self.times[enough[0]] + self.bin - self.outage) if len(enough) else math.inf


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
    capacity: connections that it can accept in a second, and that may wait to be accepted; whoever
    comes on top is refused, and makes another attempt. refusal: what refusing one costs, as a part
    of what accepting one does: with enough of them the server does nothing else.
    notice: seconds within which the clients notice their loss, evenly spread; 0 for all at once.
    """
    if clients < 1 or outage < 0 or capacity <= 0 or not 0 <= refusal < 1:
        raise ValueError("at least 1 client, outage ≥ 0 s, capacity > 0, 0 ≤ refusal < 1")
    crowd = _Crowd(clients, policy, notice, np.random.default_rng(seed))
    attempts, connected = _Counter(bin), _Counter(bin)
    budget, now = capacity, outage
    while len(crowd.next) and crowd.next.min() < outage + LISTEN_FOR:
        if crowd.next.min() < outage:  # nobody listens: no need to go in steps
            due = np.flatnonzero(crowd.next < outage)
            attempts.add(crowd.next[due])
            crowd.try_again(due)
            continue
        start = float(max(outage, np.floor(crowd.next.min() / STEP) * STEP))
        budget, now = min(capacity, max(0.0, budget) + capacity * (start - now)), start
        while len(due := np.flatnonzero(crowd.next < start + STEP)):  # some come twice in a step
            due = due[np.argsort(crowd.next[due], kind="stable")]
            attempts.add(crowd.next[due])
            count = int(max(0, min(len(due), (budget - refusal * len(due)) / (1 - refusal))))
            budget -= count + refusal * (len(due) - count)
            connected.add(crowd.next[due[:count]])
            crowd.try_again(due[count:])
            crowd.leave(due[:count])
    size = max(attempts.size, connected.size)
    series = attempts.counts(size), connected.counts(size)
    return Storm(policy.name, clients, outage, bin, *series)


class _Crowd:
    """The clients that are not connected, as arrays. next: when each makes its next attempt."""

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
        """Forget these: they are connected."""
        if len(which):
            stay = np.ones(len(self.next), dtype=bool)
            stay[which] = False
            self.next, self.delay = self.next[stay], self.delay[stay]
            self.number = self.number[stay]


class _Counter:
    """Counts moments in bins."""

    def __init__(self, bin: float) -> None:
        self.bin = bin
        self._counts = np.zeros(0, dtype=np.int64)

    @property
    def size(self) -> int:
        return len(self._counts)

    def add(self, moments: Floats) -> None:
        more = np.bincount((moments / self.bin).astype(np.int64), minlength=self.size)
        more[: self.size] += self._counts
        self._counts = more

    def counts(self, size: int) -> Series:
        return np.pad(self._counts, (0, size - self.size))


async def real_storm(
    clients: int, policy: Policy, *, outage: float = 2.0, bin: float = 0.25, seed: int = 1
) -> Storm:
    """Do the same with sockets: a server of the lab is stopped, and started again on its port.

    clients: a few hundred at most, they share this machine with the server.
    """

    async def hold(ws: object) -> None:
        await asyncio.Event().wait()

    server = lab.serve(hold, name="storm", ping_interval=None)
    port, moments = server.port, list[tuple[float, bool]]()
    loss = 0.0
    alive = []

    async def client(number: int) -> None:
        waits = delays(policy, rng=random.Random(f"{seed} {number}"))
        due = loss
        while True:
            due += next(waits)
            await asyncio.sleep(due - time.monotonic())
            moment = time.monotonic() - loss
            try:
                alive.append(await library_connect(server_url, compression=None))
            except Exception as error:
                if judge(error) is None:
                    raise
                moments.append((moment, False))
            else:
                moments.append((moment, True))
                return

    server_url = server.url
    connections = [await library_connect(server_url, compression=None) for _ in range(clients)]
    await server.stop(0.05)
    for connection in connections:
        await connection.wait_closed()
    loss = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(client(number))
            await asyncio.sleep(loss + outage - time.monotonic())
            server = lab.serve(hold, name="storm", port=port, ping_interval=None)
    finally:
        await server.stop(0.05)
        for connection in alive:
            await connection.wait_closed()
    attempts, connected = _Counter(bin), _Counter(bin)
    attempts.add(np.array([moment for moment, _ in moments]))
    connected.add(np.array([moment for moment, success in moments if success]))
    size = max(attempts.size, connected.size)
    return Storm(policy.name, clients, outage, bin, attempts.counts(size), connected.counts(size))
