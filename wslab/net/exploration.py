"""Many networks instead of one, and the smallest schedule of faults that breaks a program."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from wslab.net.errors import SimulationError, check_number
from wslab.net.faults import Dice, Fault
from wslab.net.simulation import Main, Run, simulate
from wslab.net.stop import own_stop

__all__ = ["Exploration", "explore"]

Schedule = tuple[Fault, ...]
Attempt = tuple[Run, BaseException | None]  # a run, and what it failed with

SHORTEST = 0.05  # seconds: faults are not made shorter than this before they are over at once


@dataclass(frozen=True, repr=False)
class Exploration:
    """The result of many runs.

    passed: how many runs passed. smallest: the smallest run that failed, with its recording; None
    if none failed. why: the exception that it failed with.
    """

    passed: int
    smallest: Run | None = None
    why: BaseException | None = None

    def __repr__(self) -> str:
        """Say how many passed, or which schedule fails and how to repeat it."""
        if self.smallest is None:
            return f"{self.passed:,} schedules passed"
        why = f"{type(self.why).__name__}: {self.why}".partition("\n")[0].removesuffix(": ")
        lines = [f"a schedule fails after {self.passed:,} that passed: {why}"]
        lines += map(str, self.smallest.faults or ["no fault is needed"])
        again = f"simulate(main, seed={self.smallest.seed}, faults=smallest.faults)"
        lines.append(f"repeat it: {again}")
        return "\n  ".join(lines)


def explore(
    main: Main,
    *,
    runs: int = 1000,
    check: Callable[[Run], object] = lambda run: None,
    faults: Dice | None = None,
    seed: int = 0,
    **options: Any,
) -> Exploration:
    """Simulate a program on many networks; where one breaks it, find the smallest that does.

    main: a coroutine function; it is called for each run.
    runs: how many, with the seeds seed, seed + 1, and so on. Schedules grow. The first ones have
    no fault, and the last ones have the most.
    check: called with each run; a run fails if this raises or returns False, or if the program
    itself has raised.
    faults: draws the schedules. options: those of `simulate`.
    The smallest run is found from the first one that fails. Faults are removed, shortened, and
    their times rounded, as long as it fails in the same way. If it then passes, `why` says so.
    Raises SystemExit if the program does, and ValueError or TypeError for bad arguments.
    """
    dice = _checked(main, runs, check, faults, seed)
    with own_stop() as button:

        def attempt(seed: int, schedule: Schedule, *, record: bool = False) -> Attempt:
            run = simulate(main, seed=seed, faults=schedule, record=record, **options)
            if isinstance(run.error, SystemExit):  # it wants to end, and not to be tried again
                raise run.error
            with button.arm():
                return run, _failure(run, check)

        for number in range(runs):
            rng = random.Random(f"{seed + number} faults")
            schedule = dice.roll(rng, number * (dice.most + 1) // runs)
            run, why = attempt(seed + number, schedule)
            if why is not None:
                run = _shrink(run, lambda run, one: attempt(run.seed, one), type(why))
                run, again = attempt(run.seed, run.faults, record=True)
                return Exploration(number, run, again or _not_again(why))
    return Exploration(runs)


def _checked(main: object, runs: int, check: object, faults: object, seed: int) -> Dice:
    """Return the dice, if all arguments are possible."""
    check_number("runs", runs, whole=True)
    check_number("seed", seed, -math.inf, whole=True)
    for name, value in (("main", main), ("check", check)):
        if not callable(value):
            raise TypeError(f"{name} is {value!r:.60}, it must be a function: each run calls it")
    dice = Dice() if faults is None else faults
    if not isinstance(dice, Dice):
        raise TypeError(f"faults is {dice!r:.60}, it must be Dice: explore draws each schedule")
    return dice


def _shrink(run: Run, attempt: Callable[[Run, Schedule], Attempt], kind: type) -> Run:
    """Take the first smaller schedule that still fails, and go on from there until none does."""
    for schedule in _smaller(run.faults):
        smaller, why = attempt(run, schedule)
        if type(why) is kind:
            return _shrink(smaller, attempt, kind)
    return run


def _failure(run: Run, check: Callable[[Run], object]) -> BaseException | None:
    if run.error is not None:
        return run.error
    try:
        verdict = check(run)
    except Exception as error:
        return error
    if asyncio.iscoroutine(verdict):
        verdict.close()
        raise TypeError("check is a coroutine function, it must be a plain one")
    return AssertionError("the check returned False") if verdict is False else None


def _not_again(why: BaseException) -> SimulationError:
    return SimulationError(
        f"failed with {why!r:.60}, but passed when it was repeated: the program or the check uses "
        "something that the seed does not determine, such as the date or a global variable"
    )


def _smaller(faults: Schedule) -> Iterator[Schedule]:
    """Yield schedules that are a little smaller or rounder than this one, the smallest first."""
    for place in range(len(faults)):
        yield faults[:place] + faults[place + 1 :]
    for place, fault in enumerate(faults):
        for simpler in _simpler(fault):
            yield (*faults[:place], simpler, *faults[place + 1 :])


def _simpler(fault: Fault) -> Iterator[Fault]:
    if fault.lasts:
        yield replace(fault, lasts=0.0)
        if fault.lasts > SHORTEST:
            yield replace(fault, lasts=fault.lasts / 2)
    for name in ("at", "lasts", "amount"):
        value = getattr(fault, name)
        for digits in range(3):
            rounded = round(value, digits)
            if rounded != value and (rounded or name != "amount"):
                yield replace(fault, **{name: rounded})
