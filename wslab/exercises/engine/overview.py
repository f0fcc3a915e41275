"""All exercises: where the sets are, and the table of what is solved."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wslab.exercises import sets
from wslab.exercises.engine import journal
from wslab.exercises.engine.task import Task, TaskSet
from wslab.exercises.engine.verdict import Outcome, Verdict, stars
from wslab.exercises.predictions.question import questions
from wslab.lab.tables import text_table

if TYPE_CHECKING:
    from wslab.exercises.conformance.grid import Grid

__all__ = ["Checks", "Progress", "check", "grid", "progress"]


class Checks:
    """Every set of exercises, as attributes: each is a module of `wslab.exercises.sets`."""

    def __getattr__(self, name: str) -> TaskSet:
        """Return a set by its name, loaded when it is first used."""
        if name not in dir(self):
            known = ", ".join(dir(self))
            raise AttributeError(f"no set of exercises {name!r}; there are {known}")
        found: TaskSet = importlib.import_module(f"{sets.__name__}.{name}").SET
        return found

    def __dir__(self) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(sets.__path__))

    def __repr__(self) -> str:
        """Name the sets."""
        return f"exercises: {', '.join(f'check.{name}' for name in dir(self))}"


check = Checks()


def all_sets() -> list[TaskSet]:
    """Return all sets, in the order of the lessons."""
    return sorted((getattr(check, name) for name in dir(check)), key=lambda one: one.lesson)


@dataclass(frozen=True, repr=False)
class Progress:
    """What is solved; prints as a table."""

    tasks: tuple[Task, ...]
    standings: dict[str, journal.Standing]
    predictions: dict[str, bool]

    HEAD = ("lesson", "task", "level", "state", "since")

    @property
    def solved(self) -> int:
        """How many tasks are solved."""
        return sum(one.outcome is Outcome.SOLVED for one in self.standings.values())

    @property
    def caption(self) -> str:
        """What was predicted and solved, and whether it is kept."""
        kept = "" if journal.location() else "; WSLAB_PROGRESS is off, nothing is kept"
        made, right = len(self.predictions), sum(self.predictions.values())
        predicted = f"Predicted: {made} of {len(questions())}, {right} came out so"
        return f"{predicted}. Solved: {self.solved} of {len(self.tasks)}{kept}"

    def rows(self) -> list[list[str]]:
        """Return the table's cells; the state has a sign, so it needs no colour."""
        found = []
        for task in self.tasks:
            standing = self.standings.get(task.id)
            state, day = "", ""
            if standing is not None:
                tried = standing.outcome is not Outcome.SOLVED
                state = "… tried" if tried else f"{standing.outcome.mark} solved"
                day = standing.day
            found.append([getattr(check, task.set).lesson, task.id, stars(task.level), state, day])
        return found

    def __repr__(self) -> str:
        """Render as text."""
        return f"{self.caption}\n{text_table(self.HEAD, self.rows())}"


def progress(only: str | None = None) -> Progress:
    """Return what you have solved so far, task by task.

    only: the name of a set, such as "framing"; None for all of them.
    """
    found = all_sets() if only is None else [getattr(check, only)]
    tasks = tuple(task for one in found for task in one.tasks.values())
    known = journal.standings()
    solved = {task.id: known[task.id] for task in tasks if task.id in known}
    return Progress(tasks, solved, journal.predictions())


def grid(endpoint: object) -> Grid | Verdict:
    """Run the conformance table against an endpoint of your own, as in exercise 04.

    If nobody has written one yet, the verdict says so.
    Raises NotSolved if it cannot be run to its end.
    """
    from wslab.exercises.sets.connection import SET, table

    return SET.endpoint.show(endpoint, table)
