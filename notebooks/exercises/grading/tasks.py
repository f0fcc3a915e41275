"""What a set asks for, read from its source in the course folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
REPORTS = ("progress(", "grid(")  # cells that only show something


@dataclass(frozen=True)
class Task:
    """One task: its name, such as "accept_key", its title and points, its two cells' metadata.

    check: the source of its check, hidden tests included.
    """

    name: str
    title: str
    points: float
    check: str
    check_metadata: dict[str, Any]
    answer_metadata: dict[str, Any]

    @property
    def shown(self) -> str:
        """The check as students see it."""
        return without_hidden(self.check)


@dataclass(frozen=True)
class Set:
    """The tasks of a set in order, and the code that students were given besides."""

    name: str
    tasks: tuple[Task, ...]
    given: tuple[str, ...]


def without_hidden(source: str) -> str:
    """Return a check without its hidden tests."""
    begin, end = HIDDEN
    head, found, tail = source.partition(begin)
    return (head + tail.partition(end)[2]).rstrip() if found else source


def load(course: Path, name: str) -> Set:
    """Read a set. Raises FileNotFoundError if the course has none of this name."""
    notebook = nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4)
    tasks, given, title, answers = [], [], "", {}
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            title = cell.source.split("\n")[0].lstrip("# ")
        elif meta.get("solution"):
            answers[meta["grade_id"]] = cell.metadata
        elif meta.get("grade"):
            task = meta["grade_id"].removeprefix("check-")
            points = float(meta["points"])
            tasks.append(Task(task, title, points, cell.source, cell.metadata, answers[task]))
        elif cell.cell_type == "code" and not cell.source.startswith(REPORTS):
            given.append(cell.source)
    return Set(name, tuple(tasks), tuple(given))


def names(course: Path) -> list[str]:
    """Return the sets of a course."""
    return sorted(path.stem for path in (course / "source").glob("*/*.ipynb"))
