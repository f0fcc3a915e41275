"""The reasons why a simulation cannot go on; each says where its tasks wait."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

__all__ = [
    "Deadlock",
    "Livelock",
    "NotSimulated",
    "OutOfTime",
    "SimulationError",
    "check_number",
    "failure",
    "waiting",
]

SHOWN = 20  # tasks that a message names


class SimulationError(RuntimeError):
    """The simulation cannot go on."""


class NotSimulated(SimulationError):
    """The program uses something that a simulation does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"a simulation runs on one thread and in memory, it does not have {what}: "
            "leave that out, or run this part on real sockets"
        )


class Deadlock(SimulationError):
    """Every task waits for another one, and no timer is left."""

    def __init__(self, now: float, tasks: str) -> None:
        super().__init__(
            f"deadlock at {now:g} s: everything waits, and nothing will ever happen\n{tasks}"
        )


class Livelock(SimulationError):
    """The tasks never stop to do something, and hardly any time passes."""

    def __init__(self, steps: int, now: float, tasks: str) -> None:
        super().__init__(
            f"livelock at {now:g} s: {steps:,} steps, and hardly any time has passed\n{tasks}"
        )


class OutOfTime(SimulationError):
    """The program has not ended within its virtual time."""

    def __init__(self, limit: float, tasks: str) -> None:
        super().__init__(
            f"out of time: the program has not ended within {limit:g} s of virtual time\n{tasks}"
        )


def check_number(
    name: str, value: object, least: float = 0, *, whole: bool = False, besides: object = math.nan
) -> None:
    """Raise TypeError or ValueError unless this is a finite number that is large enough.

    besides: a value that is allowed, too.
    """
    if value == besides:
        return
    if not isinstance(value, Integral if whole else Real):
        raise TypeError(f"{name} is {value!r:.40}, it must be a {'whole ' * whole}number")
    if not least <= float(value) < math.inf:
        raise ValueError(f"{name} is {value}, it must be a finite number, at least {least:g}")


def failure(number: int) -> OSError:
    """Return the system's error of this number; it is a ConnectionError where Python has one."""
    return OSError(number, os.strerror(number))


def waiting(loop: asyncio.AbstractEventLoop) -> str:
    """Say of each task of a loop what it waits for, one line a task."""
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    lines = [f"  {task.get_name()}: {_where(task)}" for task in tasks[:SHOWN]]
    more = len(tasks) - SHOWN
    return "\n".join(lines + [f"  and {more} more tasks"] * (more > 0))


def _where(task: asyncio.Task[Any]) -> str:
    names, place, innermost = [], "", None
    for innermost in _awaited(task.get_coro()):
        frame = next(
            (f for kind in ("cr", "gi", "ag") if (f := getattr(innermost, f"{kind}_frame", None))),
            None,
        )
        if frame is not None:
            names.append(innermost.__name__)
            place = f"{frame.f_code.co_filename.rpartition('/')[2]}, line {frame.f_lineno}"
    path = " → ".join(names)
    if getattr(innermost, "cr_running", False) or not names:
        return f"{path} runs"
    return f"{path} waits in {place}"


def _awaited(awaitable: Any) -> Iterator[Any]:
    """Yield a coroutine and the chain of awaitables behind it."""
    while awaitable is not None:
        yield awaitable
        awaitable = next(
            (
                inner
                for name in ("cr_await", "gi_yieldfrom", "ag_await")
                if (inner := getattr(awaitable, name, None)) is not None
            ),
            None,
        )
