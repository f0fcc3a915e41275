"""One direction of a connection, and the faults that it can have.

The cable of the lab and the network in memory both send their bytes through a `Flow`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

__all__ = ["Faults", "Flow"]

# A flow that holds back more than this stops reading, as a full network does.
BACKLOG = 1 << 20
Item = bytes | Callable[[], None]
CallAt = Callable[[float, Callable[[], None]], Any]  # returns what cancels the call
TICK = 0.02  # seconds between the pieces of a throttled flow


@dataclass
class Faults:
    """How one direction of a connection misbehaves; the defaults are a perfect network.

    frozen: nothing passes. delay: seconds of delay. split: bytes per TCP segment, gap seconds
    apart. drop_after: bytes that still pass on each connection before the rest is lost.
    rate: bytes per second.
    """

    frozen: bool = False
    delay: float = 0.0
    split: int | None = None
    gap: float = 0.005
    drop_after: int | None = None
    rate: float | None = None

    @property
    def holds_back(self) -> bool:
        """Whether bytes may have to wait."""
        return bool(self.frozen or self.delay or self.split or self.rate)


class Flow:
    """Carries bytes to a transport, with the delay, rate and pieces that its faults demand.

    write: called with bytes once they may pass; it returns whether it could deliver them.
    pause: called with True to stop the sender, and with False to let it go on.
    lose: called with place and size of bytes that will never arrive.
    call_at: calls a function at a time and returns what cancels it; by default the loop's.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        write: Callable[[bytes], bool],
        lose: Callable[[int, int], None],
        pause: Callable[[bool], None] = lambda on: None,
        call_at: CallAt | None = None,
    ) -> None:
        self.faults = faults
        self.write = write
        self.pause = pause
        self.lose = lose
        self.loop = asyncio.get_running_loop()
        # Not in the sender's context: what it has sent outlives it.
        self.call_at = call_at or partial(self.loop.call_at, context=contextvars.Context())
        self.pushed = 0  # bytes taken so far
        self.passed = 0  # of them let through since drop_after was set
        self.queue: deque[tuple[float, int, int, Item]] = deque()  # (when due, place, size, what)
        self.backlog = 0  # bytes in the queue
        self.timer: Any = None

    def push(self, data: Item) -> None:
        """Take bytes, or what is to be called when all bytes before it have passed."""
        at, size = self.pushed, 0 if callable(data) else len(data)
        self.pushed += size
        limit = self.faults.drop_after
        if limit is not None:
            room = max(0, limit - self.passed)
            if size > room:
                self.lose(at + room, size - room)
            if not room:
                return  # without the data, the peer does not get the end either
            if not callable(data):
                data = data[:room]
            size = min(size, room)
            self.passed += size
        if not self.queue and not self.faults.holds_back:
            self._out(at, data)
            return
        self.queue.append((self.loop.time() + self.faults.delay, at, size, data))
        self.backlog += size
        if self.backlog > BACKLOG:
            self.pause(True)
        if self.timer is None:
            self.pump()

    def _out(self, at: int, data: Item) -> None:
        if callable(data):
            data()
        elif not self.write(data):
            self.lose(at, len(data))

    def changed(self) -> None:
        """Look again, after the faults have changed: nothing waits longer than the new delay."""
        if self.timer is not None:
            self.timer.cancel()
        latest = self.loop.time() + self.faults.delay
        self.queue = deque((min(due, latest), at, size, data) for due, at, size, data in self.queue)
        self.pump()

    def pump(self) -> None:
        """Let the bytes pass that are due, and come back when more are."""
        self.timer = None
        while self.queue and not self.faults.frozen:
            due, at, whole, data = self.queue[0]
            now = self.loop.time()
            if due > now:
                self.timer = self.call_at(due, self.pump)
                return
            self.queue.popleft()
            size, pause = self._step(whole)
            if not callable(data) and size < whole:
                self.queue.appendleft((due, at + size, whole - size, data[size:]))
                data = data[:size]
            self.backlog -= size
            self._out(at, data)
            if pause:  # also before bytes that are still to come
                self.timer = self.call_at(now + pause, self.pump)
                return
        if self.backlog <= BACKLOG and not self.faults.frozen:
            self.pause(False)

    def _step(self, size: int) -> tuple[int, float]:
        """Return how many bytes may pass at once, and the seconds to wait afterwards."""
        pause = 0.0
        if self.faults.split:
            size, pause = min(size, self.faults.split), self.faults.gap
        if self.faults.rate:
            size = min(size, max(1, round(self.faults.rate * TICK)))
            pause = max(pause, size / self.faults.rate)
        return size, pause

    def close(self) -> None:
        """Lose the bytes that are still held back."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None
        for _, at, size, _ in self.queue:
            if size:
                self.lose(at, size)
        self.queue.clear()
        self.backlog = 0
