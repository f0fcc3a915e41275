"""One direction of a cable, and the faults that it can have."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Faults", "Flow"]

# A flow that holds back more than this stops reading, as a full network does.
BACKLOG = 1 << 20
TICK = 0.02  # seconds between the pieces of a throttled flow


@dataclass
class Faults:
    """How one direction of a cable misbehaves; the defaults are a perfect cable.

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

    write, end: called with bytes, or at the end of the stream, once they may pass. Write returns
    whether it could. pause: called with True to stop the sender, and with False to let it go on.
    lose: called with place and size of bytes that will never arrive.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        write: Callable[[bytes], bool],
        end: Callable[[], None],
        pause: Callable[[bool], None],
        lose: Callable[[int, int], None],
    ) -> None:
        self.faults = faults
        self.write = write
        self.end = end
        self.pause = pause
        self.lose = lose
        self.loop = asyncio.get_running_loop()
        self.pushed = 0  # bytes taken so far
        self.passed = 0  # of them let through since drop_after was set
        self.queue: deque[tuple[float, int, bytes | None]] = deque()  # (when due, place, what)
        self.backlog = 0  # bytes in the queue
        self.timer: asyncio.TimerHandle | None = None

    def push(self, data: bytes | None) -> None:
        """Take bytes, or None for the end of the stream."""
        at, size = self.pushed, len(data or b"")
        self.pushed += size
        limit = self.faults.drop_after
        if limit is not None:
            room = max(0, limit - self.passed)
            if size > room:
                self.lose(at + room, size - room)
            if not room:
                return  # without the data, the peer does not get the end either
            data = data and data[:room]
            self.passed += len(data or b"")
        if not self.queue and not self.faults.holds_back:
            self._out(at, data)
            return
        self.queue.append((self.loop.time() + self.faults.delay, at, data))
        self.backlog += len(data or b"")
        if self.backlog > BACKLOG:
            self.pause(True)
        if self.timer is None:
            self.pump()

    def _out(self, at: int, data: bytes | None) -> None:
        if data is None:
            self.end()
        elif not self.write(data):
            self.lose(at, len(data))

    def changed(self) -> None:
        """Look again, after the faults have changed."""
        if self.timer is not None:
            self.timer.cancel()
        self.pump()

    def pump(self) -> None:
        """Let the bytes pass that are due, and come back when more are."""
        self.timer = None
        while self.queue and not self.faults.frozen:
            due, at, data = self.queue[0]
            wait = due - self.loop.time()
            if wait > 0 and self.faults.delay:
                self.timer = self.loop.call_later(wait, self.pump)
                return
            self.queue.popleft()
            size, pause = self._step(len(data or b""))
            if data is not None and size < len(data):
                self.queue.appendleft((due, at + size, data[size:]))
                data = data[:size]
            self.backlog -= len(data or b"")
            self._out(at, data)
            if pause:  # also before bytes that are still to come
                self.timer = self.loop.call_later(pause, self.pump)
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
        for _, at, data in self.queue:
            if data:
                self.lose(at, len(data))
        self.queue.clear()
        self.backlog = 0
