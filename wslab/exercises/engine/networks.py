"""An answer on many networks, and the smallest schedule that breaks it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from wslab.exercises.engine.trial import Late, Trial
from wslab.exercises.engine.verdict import Wrong
from wslab.lab.wire.diagram import Arrow, SequenceDiagram
from wslab.net.errors import SimulationError
from wslab.net.exploration import Exploration, explore
from wslab.net.faults import Dice, Fault
from wslab.net.simulation import Run, simulate

__all__ = ["Networks", "Weather"]

OPTIONS: dict[str, Any] = {
    "latency": 0.05,
    "within": 600.0,
}  # so slow that faults often hit what is under way
STEPS = 12  # that a verdict draws
LABEL = 36  # characters of one
UNTOLD = ("client", "epoch", "last", "gap")  # fields that a verdict does not draw


class Weather(Dice):
    """Dice whose whole schedule follows from the seed, and with it the number of faults."""

    def roll(self, rng: random.Random, count: int | None = None) -> tuple[Fault, ...]:
        """Draw a schedule of any number of faults."""
        return super().roll(rng)


@dataclass(frozen=True)
class Networks:
    """The networks that an answer has to withstand.

    day: makes the program from a trial and an answer. It may call `launch`, draws from `random`,
    and raises Wrong if the answer does something wrong.
    weather: draws the schedules of faults. runs: how many.
    """

    day: Callable[[Trial, Any], Coroutine[Any, Any, object]]
    weather: Weather
    runs: int = 120

    def explore(self, trial: Trial, answer: Any, again: str) -> None:
        """Try an answer on many networks; raise its fault, with the smallest schedule.

        again: the line that repeats a run in a cell, with {seed} for its seed.
        """
        found = self._explore(trial, answer, trial.rng.randrange(10_000), self.runs)
        run, error = found.smallest, found.why
        if run is None or error is None:
            return
        shown = _shown(run, again.format(seed=run.seed))
        if isinstance(error, Wrong):
            kept = [pair for pair in error.details if pair[0] != "tried"]
            raise Wrong(error.message, error.section, *kept, *shown.items()) from None
        if isinstance(error, Late | SimulationError):
            message = str(error).partition("\n")[0]
            raise Wrong(message, "", *shown.items()) from None
        trial.doing = "\n".join(shown.values())
        raise error

    def replay(self, trial: Trial, answer: Any, seed: int) -> Run:
        """Return the recorded run of a seed: the smallest that fails, or the one that passes."""
        smallest = self._explore(trial, answer, seed, 1).smallest
        main = partial(self._main, trial, answer)
        return smallest or simulate(main, seed=seed, faults=self.weather, record=True, **OPTIONS)

    def _explore(self, trial: Trial, answer: Any, seed: int, runs: int) -> Exploration:
        main = partial(self._main, trial, answer)
        return explore(main, runs=runs, faults=self.weather, seed=seed, **OPTIONS)

    async def _main(self, trial: Trial, answer: Any) -> None:
        trial.raised.clear()
        await trial.watched(self.day(trial, answer))


def _shown(run: Run, again: str) -> dict[str, str]:
    """Return what a verdict shows of a run that fails."""
    faults = "\n".join(map(str, run.faults)) or "none: it fails on a perfect network, too"
    return {"faults": faults, "what happened": _drawn(run), "repeat it": again}


def _drawn(run: Run) -> str:
    """Draw the first messages, from shortly before the first fault on."""
    steps = tuple(_steps(run))
    fault = next((number for number, step in enumerate(steps) if step.kind == "fault"), 0)
    start = max(0, min(fault - 3, len(steps) - STEPS))
    return repr(SequenceDiagram(("client", "server"), steps[start : start + STEPS]))


def _steps(run: Run) -> Iterator[Arrow]:
    for row in run.transcript:
        ends = (1, 0) if row.who == "server" else (0, 1)
        if row.who == "cable":
            yield Arrow(*ends, row.text, "fault")
        elif row.kind == "HTTP" and row.who == "client":
            yield Arrow(*ends, f"connection {row.connection}")
        elif row.kind in ("TEXT", "BINARY", "CLOSE"):
            lost = ", lost" * (row.lost > 0)
            yield Arrow(*ends, f"{_told(row):.{LABEL}}{lost}")


def _told(row: Any) -> str:
    """Tell a message in a few words."""
    try:
        message = json.loads(row.text)
        fields = {name: value for name, value in message.items() if name not in UNTOLD}
    except (ValueError, AttributeError):
        return f"{row.kind} {row.meaning}"
    kind = fields.pop("type", "")
    return " ".join(filter(None, [kind, *(f"{name} {value}" for name, value in fields.items())]))
