"""A whole program, servers and clients, on one virtual clock and a network in memory.

async def main():
    async with serve(echo, "server", 9000):
        async with connect("ws://server:9000/", proxy=None) as ws:
            await ws.send("Hello")
            return await ws.recv()

simulate(main).result()
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import random
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wslab.net.errors import SimulationError, check_number
from wslab.net.faults import Dice, Fault, Schedule
from wslab.net.loop import SimulatedLoop
from wslab.net.network import MemoryNetwork, Recording, readers
from wslab.net.stop import own_stop

__all__ = ["Main", "Run", "simulate"]

Main = Callable[[], Coroutine[Any, Any, Any]]
HOUR = 3600.0
AROUND = ("HTTP", "PING", "PONG")  # kinds of rows that are left out of a run's diagram


@dataclass(frozen=True, repr=False)
class Run:
    """The result of a simulation.

    seed, faults: the arguments that repeat it.
    value: the program's return value. error: its exception, None if it returned.
    seconds: its duration in virtual time.
    errors: exceptions of callbacks, of tasks that nobody awaits, and of handlers of `websockets`.
    recording: the bytes that passed, None if they were not recorded.
    """

    seed: int
    faults: tuple[Fault, ...]
    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    errors: tuple[BaseException, ...] = ()
    recording: Recording | None = None

    def result(self) -> Any:
        """Return what the program returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.value

    @property
    def transcript(self) -> Any:
        """The transcript, as a cable's. RuntimeError if nothing was recorded."""
        if self.recording is None:
            raise RuntimeError("nothing was recorded: call simulate(…, record=True)")
        return readers[-1](self.recording)

    @property
    def diagram(self) -> Any:
        """The messages and the faults as a sequence diagram.

        Handshakes, Pings and Pongs are left out; `transcript.diagram` has them.
        """
        return self.transcript.only(where=lambda row: row.kind not in AROUND).diagram

    def __repr__(self) -> str:
        """Say how it ended, and which faults there were."""
        end = f"returned {self.value!r:.60}"
        if self.error is not None:
            end = f"{type(self.error).__name__}: {self.error}".partition("\n")[0]
        lines = [f"seed {self.seed}, {self.seconds:g} s: {end}", *map(str, self.faults)]
        return "\n  ".join(lines)


def simulate(
    main: Main | Coroutine[Any, Any, Any],
    *,
    seed: int = 0,
    faults: Iterable[Fault] | Dice = (),
    record: bool = False,
    latency: float = 0.001,
    bandwidth: float | None = None,
    within: float = HOUR,
) -> Run:
    """Run a program to its end in virtual time, on a network in memory, without waiting.

    main: a coroutine function without arguments, or a coroutine. `asyncio`, `websockets` and this
    package work in it as they do elsewhere, but for what needs the system: executors, subprocesses,
    sockets of the system and other threads. These raise NotSimulated. Pass `proxy=None` to the
    library's `connect`.
    seed: the same seed gives the same run. It seeds `random`, and `Dice` draw from it.
    faults: a schedule, or `Dice` to draw it with. record: whether to keep the bytes.
    latency: seconds from one end to the other. bandwidth: bytes per second in each direction.
    within: virtual seconds after which to give up.
    Returns the result, also if the program raises: then the exception is in `Run.error`. Deadlock,
    Livelock and OutOfTime are such exceptions. Each names the tasks and says where they wait.
    Raises KeyboardInterrupt after Ctrl+C or Stop, and ValueError or TypeError for bad arguments.
    """
    check_number("within", within, besides=math.inf)
    _check_main(main)
    network = MemoryNetwork(latency, bandwidth, record=record)
    planned = _planned(faults, seed)
    errors: list[BaseException] = []
    value = error = None
    with own_stop(), _chance(seed), _steady_garbage(), _logged(errors):
        loop = SimulatedLoop(network, limit=within)
        loop.set_exception_handler(lambda _, context: errors.append(_error_of(context)))
        Schedule(planned, loop).plan()
        try:
            value = loop.run(main)
        except (Exception, SystemExit, asyncio.CancelledError) as raised:
            error = raised
        gc.collect()  # what nobody has awaited is reported now
    return Run(seed, planned, value, error, loop.ended_at, tuple(errors), network.recording)


def _check_main(main: object) -> None:
    if not (callable(main) or asyncio.iscoroutine(main)):
        raise TypeError(f"main is {main!r:.60}, it must be a coroutine function, or a coroutine")


def _planned(faults: Iterable[Fault] | Dice, seed: int) -> tuple[Fault, ...]:
    """Return a schedule as it is, or as dice draw it."""
    check_number("seed", seed, -math.inf, whole=True)
    if isinstance(faults, Dice):
        return faults.roll(random.Random(f"{seed} faults"))
    planned: tuple[Any, ...] = tuple(faults) if isinstance(faults, Iterable) else (None,)
    if not all(isinstance(each, Fault) for each in planned):
        raise TypeError(f"faults is {faults!r:.60}, it must be Dice, or a list of Fault")
    return planned


def _error_of(context: dict[str, Any]) -> BaseException:
    """Return what went wrong in a callback."""
    error: BaseException = context.get("exception") or SimulationError(context["message"])
    return error


@contextmanager
def _chance(seed: int) -> Iterator[None]:
    """Seed the module `random` for a block."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def _steady_garbage() -> Iterator[None]:
    """Collect garbage only when the loop says so, and only that of this block.

    Otherwise finalizers would run at a different step in each process.
    """
    is_enabled, is_frozen = gc.isenabled(), gc.get_freeze_count() > 0
    gc.disable()
    if not is_frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()
        if is_enabled:
            gc.enable()


@contextmanager
def _logged(errors: list[BaseException]) -> Iterator[None]:
    """Keep the errors that `websockets` would only log, such as those of handlers."""

    def keep(record: logging.LogRecord) -> bool:
        if record.thread == threading.get_ident() and record.levelno >= logging.ERROR:
            raised = record.exc_info[1] if record.exc_info else None
            errors.append(raised or SimulationError(record.getMessage()))
        return False  # there is nothing to write

    logger, handler = logging.getLogger("websockets"), logging.NullHandler()
    handler.handle = keep  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
