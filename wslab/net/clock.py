"""Virtual time, in which hours of waiting pass in a moment, and every run takes the same time.

`run_virtual` runs a coroutine in virtual time, on a perfect network in memory. `Timers` stands for
the setTimeout and clearTimeout of a browser. The others are for code that runs in real time as well
as in a simulation.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from wslab.net.loop import SimulatedLoop
from wslab.net.memory_loop import in_memory

__all__ = ["News", "Timers", "cpu_time", "now", "run_virtual", "time_limit", "unguessable"]

T = TypeVar("T")

# Seconds of CPU of this thread. A page has no such clock, and its one thread has its own CPU.
cpu_time: Callable[[], float] = getattr(time, "thread_time", time.perf_counter)


def now() -> float:
    """Return the time of the loop that runs here, which is `time.monotonic()` but in a simulation.

    Where no loop runs, it is `time.monotonic()`, too. In seconds; only differences mean something.
    """
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()


@asynccontextmanager
async def time_limit(seconds: float, why: Callable[[], str]) -> AsyncIterator[None]:
    """Limit a block to so many seconds; the TimeoutError says what `why` returns then."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TimeoutError(f"not within {seconds:g} s; {why()}") from None


class News(asyncio.Event):
    """Something that tasks wait for; call `set` when it may have become true."""

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something is true, and look at it each time when there is news."""
        while not is_true():
            self.clear()
            await self.wait()


def unguessable(size: int) -> str:
    """Return a random text that nobody can guess, of size bytes before Base64.

    In a simulation `random` draws it, so that it can be repeated: it may end up in a message that
    is compressed, and then the message's size depends on it.
    """
    if in_memory() is not None:
        return urlsafe_b64encode(random.randbytes(size)).rstrip(b"=").decode()
    return secrets.token_urlsafe(size)


def run_virtual(coroutine: Coroutine[Any, Any, T], *, start: float = 0.0) -> T:
    """Run a coroutine in virtual time and return its result; `loop.time()` begins at start.

    It works in a cell too, and on a perfect network in memory; `simulate` has faults.
    Raises ValueError for NaN, and RuntimeError if everything waits for something that is not time.

    >>> async def a_day():
    ...     await asyncio.sleep(86_400)
    ...     return asyncio.get_running_loop().time()
    >>> run_virtual(a_day())
    86400.0
    """
    if start != start:
        coroutine.close()
        raise ValueError("start is not a number (NaN): give seconds, such as 0.0")
    return SimulatedLoop(start=start).run(coroutine)


class Timers:
    """The timers of a page, in virtual time. now: seconds since they were made."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._cleared: set[int] = set()

    def set_timeout(self, function: Callable[[], object], seconds: float) -> int:
        """Call a function once, after some seconds; return a number to clear it with.

        A browser takes a negative number, and NaN, as 0.
        """
        number = next(self._numbers)
        heapq.heappush(self._waiting, (self.now + max(0.0, seconds), number, function))
        return number

    def clear_timeout(self, number: int | None) -> None:
        """Cancel a call; None, or the number of a call that is over, does nothing."""
        if any(waiting == number for _, waiting, _ in self._waiting):
            assert number is not None  # it was found
            self._cleared.add(number)

    def run(self, until: float) -> None:
        """Let time pass until this many seconds since the start; it never goes back."""
        while self._waiting and self._waiting[0][0] <= until:
            self.now, number, function = heapq.heappop(self._waiting)
            if number in self._cleared:
                self._cleared.discard(number)
            else:
                function()
        self.now = max(self.now, until)
