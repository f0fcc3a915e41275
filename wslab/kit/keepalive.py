"""Heartbeat (心跳): how to notice that a peer is gone, when nobody says so.

A connection over which nothing comes may be idle, or dead: the cable is cut somewhere, the other
machine has no power, its program hangs. TCP alone tells only a side that sends, and only after
minutes. So one side asks for a sign of life from time to time, and gives up when none comes.

    interval        timeout
    ├──────────────┼───────────┤       misses=1: given up here unless anything arrives
    last sign      beat

    interval   interval   timeout
    ├─────────┼─────────┼──────────┤   misses=2
    last sign  beat      beat

Any byte that arrives is a sign of life, not only the answer to a beat: a large message may take
longer than the limit to arrive. (What this side sends is not seen to arrive: while it sends a large
message, the answer to a beat comes after it, so the limit must leave time for both.) The beat is a
Ping, which the other side's library answers by itself (RFC 6455 §5.5.2), or, where a program cannot
send one, as in a browser, a message that the other side's program answers.
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

Beat = Callable[[], Awaitable[object]]  # sends one

DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class Heartbeat:
    """When to ask for a sign of life, and when to give up.

    interval: seconds of silence after which a beat is sent, and another one, and another one.
    misses: how many beats without any sign of life mean death.
    timeout: seconds that the last of them has, as long as interval if left out.
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
            raise ValueError(f"misses is {self.misses}, at least 1 beat must be missed")

    @property
    def patience(self) -> float:
        """Seconds that the last beat has to be answered."""
        return self.interval if self.timeout is None else self.timeout

    @property
    def limit(self) -> float:
        """Seconds of silence that mean death: a watchdog that looks in time notices it no later.

        One that looks late asks again first, see `Watchdog.look`.
        """
        return self.misses * self.interval + self.patience

    @property
    def tolerance(self) -> float:
        """Seconds that an answer may take before a living peer is given up.

        A peer that dies is noticed no sooner than that, less the time that an answer takes.
        """
        return self.limit - self.interval

    def beats_per_day(self, clients: int = 1) -> float:
        """Return the largest number of beats in a day: those of clients that say nothing else."""
        return clients * DAY / self.interval


class Watchdog:
    """Judges a peer by its signs of life; a policy, which sends nothing and waits for nothing.

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
        """Take note of a sign of life: anything that has come from the peer."""
        self.last_sign, self.beats = self.clock(), 0

    @property
    def wakeup(self) -> float:
        """When to look next, on the clock."""
        if self.beats == self.heartbeat.misses:
            return self.last_sign + self.heartbeat.limit
        return self.last_sign + (self.beats + 1) * self.heartbeat.interval

    def look(self) -> Literal["beat", "dead"] | None:
        """Return what it is time for: to send a beat, to give up (once), or nothing (None).

        A look that comes late, because the loop was blocked or the process was stopped, asks again
        before it gives up: what has come in the meantime may not have been read yet. A machine that
        sleeps does not count on Linux, where asyncio's clock stands still meanwhile.
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
        self.last_sign = now - self.beats * self.heartbeat.interval  # answered from now on
        return "beat"


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Make an `asyncio.TaskGroup` that raises the first error itself, instead of a group of them.

    So no task dies unseen, and `except ConnectionClosed` works as without a group.
    """
    first: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        first = errors.exceptions[0]
    if first is not None:
        raise first


class _Tap:
    """Stands between a transport and its protocol, and tells a watchdog of each byte that comes."""

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
    """Watch over a connection, the library's or one from scratch, a client's or a server's.

        async with watched(ws, Heartbeat(20, timeout=10)):
            async for message in ws: ...

    A peer that does not answer is cut off, without a closing handshake: a dead one would not answer
    that either, and the handshake's own time-out comes on top. Receiving ends with 1006 then.
    beat: sends an application's own beat; without it, a Ping. The next beat is not sent before the
    last one was, and no Ping before the last one was answered, so a peer that ignores them costs
    one task and one Ping. What a beat raises comes out of the block, except that the connection
    has ended.
    busy: tells that this side itself does not read at the moment, and so cannot see any sign.
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
            # A sign that comes meanwhile may bring the next look forward, to an interval from then.
            wait = watchdog.wakeup - watchdog.clock()
            await asyncio.sleep(min(wait, watchdog.heartbeat.interval))
            if busy():
                watchdog.sign()
            verdict = watchdog.look()
            if verdict == "beat" and (beating is None or beating.done()):
                # Nobody waits for it: when the network is full, sending alone may take for ever.
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
    """Return after how many seconds the library's own keepalive ends a dead connection: from, to.

    It sends a Ping every ping_interval; the last one that is answered may have been sent just
    before the fault, or a whole interval earlier. Then it begins a closing handshake, which a dead
    peer does not answer either. The arguments are those of `websockets.connect` and `serve`.

    >>> library_bounds()
    (30, 50)
    """
    return ping_timeout + close_timeout, ping_interval + ping_timeout + close_timeout
