"""Virtual time, in which hours of waiting pass in a moment, and every run takes the same time.

`run_virtual` is for coroutines that wait only for time and for each other. `Timers` stands for the
setTimeout and clearTimeout of a browser.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

__all__ = ["Timers", "run_virtual"]

T = TypeVar("T")


class _Selector(selectors.BaseSelector):
    """Watches the loop's own socket, and moves the clock on where a real selector would wait."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._own = selectors.DefaultSelector()

    def register(self, *arguments: Any) -> selectors.SelectorKey:
        return self._own.register(*arguments)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._own.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._own.get_map()

    def close(self) -> None:
        self._own.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._own.select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen in virtual time")
        if not ready:
            self.now += max(0.0, timeout or 0.0)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self, start: float) -> None:
        self._virtual = _Selector(start)
        super().__init__(self._virtual)

    def time(self) -> float:
        # asyncio runs the timers that are due within this many seconds. From 2²⁴ s on, 1 ns is less
        # than the distance to the next float, so no timer would ever be due.
        self._clock_resolution = max(1e-9, math.ulp(self._virtual.now))
        return self._virtual.now


def _run(coroutine: Coroutine[Any, Any, T], start: float) -> T:
    # `python -X dev` turns on asyncio's debug mode, which would take a hundred times as long
    with asyncio.Runner(loop_factory=partial(_Loop, start), debug=False) as runner:
        return runner.run(coroutine)


def run_virtual(coroutine: Coroutine[Any, Any, T], *, start: float = 0.0) -> T:
    """Run a coroutine in virtual time and return its result; `loop.time()` begins at start.

    It works in a cell too, because a thread of its own runs the loop.
    Raises RuntimeError if everything waits for something that is not time.

    >>> async def a_day():
    ...     await asyncio.sleep(86_400)
    ...     return asyncio.get_running_loop().time()
    >>> run_virtual(a_day())
    86400.0
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_run, coroutine, start).result()


class Timers:
    """The timers of a page, in virtual time. now: seconds since they were made."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._cleared: set[int] = set()

    def set_timeout(self, function: Callable[[], object], seconds: float) -> int:
        """Call a function once, after some seconds; return a number to clear it with."""
        number = next(self._numbers)
        heapq.heappush(self._waiting, (self.now + seconds, number, function))
        return number

    def clear_timeout(self, number: int | None) -> None:
        """Cancel a call; None, or the number of a call that is over, does nothing."""
        if any(waiting == number for _, waiting, _ in self._waiting):
            assert number is not None  # it was found
            self._cleared.add(number)

    def run(self, until: float) -> None:
        """Let time pass until this many seconds since the start."""
        while self._waiting and self._waiting[0][0] <= until:
            self.now, number, function = heapq.heappop(self._waiting)
            if number in self._cleared:
                self._cleared.discard(number)
            else:
                function()
        self.now = until
