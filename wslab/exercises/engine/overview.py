"""All sets of exercises, and the table of the solved tasks."""

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
    """Every set of exercises, as an attribute. Each is a module of `wslab.exercises.sets`."""

    def __getattr__(self, name: str) -> TaskSet:
        """Return a set by its name. It is loaded on first use."""
        if name not in dir(self):
            known = ", ".join(dir(self))
            raise AttributeError(f"there is no set of exercises {name!r}; there are {known}")
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
    """The learner's progress; prints as a table."""

    tasks: tuple[Task, ...]
    standings: dict[str, journal.Standing]
    predictions: dict[str, bool]

    HEAD = ("lesson", "task", "level", "state", "since")

    @property
    def solved(self) -> int:
        """The number of solved tasks."""
        return sum(one.outcome is Outcome.SOLVED for one in self.standings.values())

    @property
    def caption(self) -> str:
        """The numbers of predictions and solved tasks, and a note if nothing is kept."""
        kept = "" if journal.location() else "; WSLAB_PROGRESS is off, so nothing is kept"
        made, right = len(self.predictions), sum(self.predictions.values())
        predicted = f"Predicted: {made} of {len(questions())}, {right} right"
        return f"{predicted}. Solved: {self.solved} of {len(self.tasks)}{kept}"

    def rows(self) -> list[list[str]]:
        """Return the table's cells; the state has a sign, and does not need colour."""
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
    """Return your progress, task by task.

    only: the name of a set, such as "framing"; None for all sets.
    """
    found = all_sets() if only is None else [getattr(check, only)]
    tasks = tuple(task for one in found for task in one.tasks.values())
    known = journal.standings()
    solved = {task.id: known[task.id] for task in tasks if task.id in known}
    return Progress(tasks, solved, journal.predictions())


def grid(endpoint: object) -> Grid | Verdict:
    """Run the conformance table against your own endpoint, as in exercise 04.

    If you have not written one yet, the verdict says so.
    Raises NotSolved if the table cannot be run to its end.
    """
    from wslab.exercises.sets.connection import SET, table

    return SET.endpoint.show(endpoint, table)
