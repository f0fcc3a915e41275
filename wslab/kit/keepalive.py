"""A heartbeat (心跳) notices that a peer is gone when nothing else tells you.

A silent connection may be idle, or dead because a cable is cut somewhere, the other machine has no
power, or its program hangs. TCP alone tells only a side that sends, and only after minutes. So one
side asks for a sign of life from time to time, and gives up when none comes.

    interval        timeout
    ├──────────────┼───────────┤       misses=1: given up here unless anything arrives
    last sign      beat

    interval   interval   timeout
    ├─────────┼─────────┼──────────┤   misses=2
    last sign  beat      beat

Any byte that arrives is a sign of life, not only the answer to a beat, because a large message may
take longer than the limit to arrive. This side cannot see its own bytes arrive. While it sends a
large message, the answer to a beat comes after it, so the limit must leave time for both. The beat
is a Ping, which the other side's library answers by itself (RFC 6455 §5.5.2). A program in a
browser cannot send a Ping, so it sends a message that the other side's program answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from websockets.exceptions import ConnectionClosed

__all__ = ["Heartbeat", "Watchdog", "library_bounds", "task_group", "watched"]

Beat = Callable[[], Awaitable[object]]  # sends a beat

DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class Heartbeat:
    """Says when to ask for a sign of life, and when to give up.

    interval: seconds of silence before each beat.
    misses: how many beats without any sign of life mean death.
    timeout: seconds to wait after the last of them, by default the interval.
    """

    interval: float = 20.0
    misses: int = 1
    timeout: float | None = None

    def __post_init__(self) -> None:
        for name in ("interval", "timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} is {value} s, it must be positive")
        if self.misses < 1:
            raise ValueError(f"misses is {self.misses}, it must be at least 1")

    @property
    def patience(self) -> float:
        """Seconds to wait for the answer to the last beat."""
        return self.interval if self.timeout is None else self.timeout

    @property
    def limit(self) -> float:
        """Seconds of silence that mean death. A watchdog that looks in time notices it then.

        A watchdog that looks late asks again first, see `Watchdog.look`.
        """
        return self.misses * self.interval + self.patience

    @property
    def tolerance(self) -> float:
        """Seconds that an answer may take before a living peer is given up.

        A dead peer is noticed after at least that time, less the time that an answer takes.
        """
        return self.limit - self.interval

    def beats_per_day(self, clients: int = 1) -> float:
        """Return the largest number of beats in a day, from clients that say nothing else."""
        return clients * DAY / self.interval


class Watchdog:
    """Judges a peer by its signs of life. It is a policy, so it does not send or wait.

    clock: returns seconds. is_dead: its verdict. Its owner calls `sign` when anything arrives,
    and `look` when `wakeup` is reached.
    """

    def __init__(self, heartbeat: Heartbeat, clock: Callable[[], float]) -> None:
        self.heartbeat = heartbeat
        self.clock = clock
        self.last_sign = clock()
        self.beats = 0  # since the last sign
        self.is_dead = False

    def sign(self) -> None:
        """Take note of a sign of life, which is anything that has come from the peer."""
        self.last_sign, self.beats = self.clock(), 0

    @property
    def wakeup(self) -> float:
        """The time of the next look, on the clock."""
        if self.beats == self.heartbeat.misses:
            return self.last_sign + self.heartbeat.limit
        return self.last_sign + (self.beats + 1) * self.heartbeat.interval

    def look(self) -> Literal["beat", "dead"] | None:
        """Return "beat" when it is time to send one, "dead" (once) to give up, or None.

        A look can come late because the loop was blocked or the process was stopped. It then asks
        again before it gives up, because bytes might have come that were not read yet. On Linux the
        sleep of a machine does not count, because asyncio's clock stands still meanwhile.
        """
        now = self.clock()
        late = now - self.wakeup
        if late < 0 or self.is_dead:
            return None
        if self.beats == self.heartbeat.misses:
            if late < self.heartbeat.patience:
                self.is_dead = True
                return "dead"
            self.beats = 0
        self.beats += 1
        self.last_sign = now - self.beats * self.heartbeat.interval  # as if it were in time
        return "beat"


class task_group(asyncio.TaskGroup):
    """A task group that raises the first error itself, not a group of errors.

    So no task dies unseen, and `except ConnectionClosed` works as without a group.
    """

    async def __aexit__(self, *raised: Any) -> None:
        """Wait for all tasks."""
        first: BaseException | None = None
        try:
            await super().__aexit__(*raised)
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
        if first is not None:
            raise first


class _Tap:
    """Stands between a transport and its protocol, and tells a watchdog about bytes that come."""

    def __init__(self, protocol: Any, watchdog: Watchdog) -> None:
        self.protocol, self.watchdog = protocol, watchdog

    def data_received(self, data: bytes) -> None:
        self.watchdog.sign()
        self.protocol.data_received(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol, name)


@contextlib.asynccontextmanager
async def watched(
    ws: Any,
    heartbeat: Heartbeat,
    beat: Beat | None = None,
    *,
    busy: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Watchdog]:
    """Watch over a connection, of the library or from scratch, of a client or a server.

        async with watched(ws, Heartbeat(20, timeout=10)):
            async for message in ws: ...

    A peer that does not answer is cut off without a closing handshake. A dead peer would not answer
    that either, and the handshake's own time-out would come on top. Receiving then ends with 1006.
    beat: sends an application's own beat; the default is a Ping. A beat waits until the last one
    was sent, and a Ping until the last one was answered. So a peer that ignores them costs one task
    and one Ping. An error in a beat leaves the block, unless it tells that the connection ended.
    busy: returns True while this side does not read, and so cannot see any sign.
    """
    watchdog = Watchdog(heartbeat, asyncio.get_running_loop().time)
    transport, protocol = ws.transport, ws.transport.get_protocol()
    transport.set_protocol(_Tap(protocol, watchdog))
    try:
        async with task_group() as group:
            send = beat or partial(_ping, ws)
            watching = group.create_task(_watch(ws, watchdog, send, busy, group))
            try:
                yield watchdog
            finally:
                watching.cancel()
    finally:
        if not transport.is_closing():
            transport.set_protocol(protocol)


async def _watch(
    ws: Any,
    watchdog: Watchdog,
    beat: Beat,
    busy: Callable[[], bool],
    group: asyncio.TaskGroup,
) -> None:
    beating: asyncio.Task[None] | None = None
    try:
        while not watchdog.is_dead:
            # A sign that comes meanwhile may move the next look to one interval after the sign.
            wait = watchdog.wakeup - watchdog.clock()
            await asyncio.sleep(min(wait, watchdog.heartbeat.interval))
            if busy():
                watchdog.sign()
            verdict = watchdog.look()
            if verdict == "beat" and (beating is None or beating.done()):
                # We do not wait for it, because sending takes for ever if the network is full.
                beating = group.create_task(_ignoring_the_end(beat))
        ws.transport.abort()
    finally:
        if beating is not None:
            beating.cancel()


async def _ignoring_the_end(beat: Beat) -> None:
    with contextlib.suppress(ConnectionClosed, ConnectionError):
        await beat()


async def _ping(ws: Any) -> None:
    await (await ws.ping())  # sent, then answered


def library_bounds(
    ping_interval: float = 20, ping_timeout: float = 20, close_timeout: float = 10
) -> tuple[float, float]:
    """Return the least and most seconds for the library's keepalive to end a dead connection.

    It sends a Ping every ping_interval. The last answered Ping was sent just before the fault, or
    up to an interval earlier. Then it begins a closing handshake, which a dead peer does not answer
    either. The arguments are those of `websockets.connect` and `serve`.

    >>> library_bounds()
    (30, 50)
    """
    return ping_timeout + close_timeout, ping_interval + ping_timeout + close_timeout
