"""The lab's loops, from the code of a cell, and values that a process has once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sized
from typing import Any, TypeVar, cast

from wslab.lab.threads import LabThread, LoopStalled, NoThread, SharedThread, process_global
from wslab.net.clock import now
from wslab.net.memory_loop import in_memory
from wslab.net.realtime.choice import is_chosen
from wslab.net.realtime.host import crew, lead_into_memory

__all__ = ["LabThread", "LoopStalled", "NoThread", "lab_global", "lab_thread", "process_global"]
__all__ += ["check_until", "run", "settle"]

T = TypeVar("T")


def lab_global(name: str, make: Callable[[], T]) -> T:
    """Return the lab's one value of this name; each simulation has a lab of its own."""
    if (loop := in_memory()) is None:
        return process_global(name, make)
    if name not in loop.kept:
        loop.kept[name] = make()
    return cast(T, loop.kept[name])


def lab_thread(name: str) -> LabThread:
    """Return the lab's thread of this name ("servers" or "cables"), started on first use."""
    if (loop := in_memory()) is not None:
        return lab_global(name, lambda: NoThread(name, loop))
    if is_chosen():
        return process_global(f"shared {name}", lambda: SharedThread(name, crew()))
    with process_global("threads lock", threading.Lock):
        threads: dict[str, LabThread] = process_global("threads", dict)
        if name not in threads:
            threads[name] = LabThread(name)
        return threads[name]


def run(coroutine: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
    """Run a coroutine on the lab's server loop and return its result, in a script.

    In a notebook cell `await` needs no help. A script has no running loop. There
    `lab.run(main())` does what `asyncio.run` does, on the loop of the lab's servers.

    timeout: seconds to wait before TimeoutError; None waits as long as it takes.
    Stop (KeyboardInterrupt) cancels the coroutine.
    """
    return lab_thread("servers").run(coroutine, timeout)


def check_until(until: object) -> None:
    """Raise TypeError unless this is something to wait for; a condition's result is not."""
    if isinstance(until, bool) or not (until is None or isinstance(until, int) or callable(until)):
        raise TypeError(f"until is {until!r:.60}; give a number, or a function: lambda: ...")


async def settle(
    activity: Callable[[], object],
    until: int | Callable[[], object] | None,
    seen: Callable[[], Sized],
    *,
    within: float,
    quiet: float,
) -> None:
    """Wait, on the caller's loop, until something has happened and all is quiet again.

    activity: returns a value that changes with everything that happens, such as a counter.
    until: a condition to wait for, or the number of things that seen() must have; None for neither.
    within: seconds to wait for that, then TimeoutError with everything that was seen.
    quiet: seconds without activity that end the wait.
    """
    check_until(until)
    end = now() + within
    condition = until if callable(until) else lambda: len(seen()) >= (until or 0)
    while not condition():
        if now() > end:
            raise TimeoutError(f"not reached within {within:g} s. So far:\n{seen()!r}")
        await asyncio.sleep(0.002)
    before = None
    while before != activity() and now() < end:
        before = activity()
        await asyncio.sleep(quiet)


if is_chosen():
    lead_into_memory()
