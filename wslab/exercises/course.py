"""The map of the course has the lessons, their minutes, and your progress in each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from wslab.exercises.copies import ROOT
from wslab.exercises.engine import journal
from wslab.exercises.engine.overview import all_sets
from wslab.exercises.engine.verdict import Outcome
from wslab.exercises.predictions.question import questions
from wslab.lab.tables import text_table

__all__ = ["CourseMap", "Lesson", "course_map"]


@dataclass(frozen=True)
class Lesson:
    """One lesson. predicted, solved: the number done, and the number of all."""

    title: str
    minutes: int
    predicted: tuple[int, int]
    solved: tuple[int, int]


@dataclass(frozen=True, repr=False)
class CourseMap:
    """The lessons in reading order; prints as a table."""

    lessons: tuple[Lesson, ...]

    HEAD = ("lesson", "minutes", "predicted", "exercises solved")

    def rows(self) -> list[list[str]]:
        """Return the table's cells; empty where a lesson has nothing to do."""
        return [
            [one.title, str(one.minutes), _of(*one.predicted), _of(*one.solved)]
            for one in self.lessons
        ]

    @property
    def caption(self) -> str:
        """The time that the whole course takes."""
        minutes = sum(one.minutes for one in self.lessons)
        return f"{len(self.lessons)} lessons, {minutes / 60:.0f} hours without the exercises"

    def __repr__(self) -> str:
        """Render as text."""
        return f"{text_table(self.HEAD, self.rows())}\n{self.caption}"


def _of(done: int, all_: int) -> str:
    return f"{done} of {all_}" if all_ else ""


def course_map(root: Path = ROOT) -> CourseMap:
    """Return the lessons in `notebooks/` with your progress. root: the course's folder."""
    standings, predictions = journal.standings(), journal.predictions()
    tasks = {one.lesson[:2]: [task.id for task in one.tasks.values()] for one in all_sets()}
    lessons = []
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        number = path.name[:2]
        first = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
        minutes = re.search(r"(\d+) minutes", first)
        asked = [id for id, question in questions().items() if question.lesson == number]
        own = tasks.get(number, [])
        solved = [id for id in own if id in standings and standings[id].outcome is Outcome.SOLVED]
        lessons.append(
            Lesson(
                first.partition("\n")[0].removeprefix("# "),
                int(minutes[1]) if minutes else 0,
                (sum(id in predictions for id in asked), len(asked)),
                (len(solved), len(own)),
            )
        )
    return CourseMap(tuple(lessons))
