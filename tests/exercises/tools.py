"""What the tests of exercises share: sources, student copies, submissions."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode
from record import EXERCISES, NOTEBOOKS

from wslab.exercises.engine.task import Task
from wslab.exercises.engine.verdict import Outcome

KIT = NOTEBOOKS / "exercises" / "kit.py"
SETS = sorted(path.stem for path in EXERCISES.glob("*/*.ipynb"))

sys.path.insert(0, str(KIT.parent))  # for `grading`, which is no part of the package
_spec = importlib.util.spec_from_file_location("kit", KIT)
assert _spec is not None
assert _spec.loader is not None
kit: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(kit)


def student_copy(name: str) -> Any:
    """Return where a student copy is."""
    return NOTEBOOKS / "exercises" / f"{name}.ipynb"


def solved_source(name: str) -> NotebookNode:
    """Return the source of a set."""
    return nbformat.read(EXERCISES / name / f"{name}.ipynb", as_version=4)


def solutions(name: str) -> dict[str, Any]:
    """Run the cells of a source that are no checks; return the names that they define."""
    space: dict[str, Any] = {}
    for cell in solved_source(name).cells:
        graded = cell.metadata.get("nbgrader", {}).get("grade")
        if cell.cell_type == "code" and not graded:
            exec(compile(cell.source, f"<{name}>", "exec"), space)
    return space


def answers(name: str) -> list[tuple[str, str]]:
    """Return name and source of every solution cell, in order."""
    return [
        (cell.metadata.nbgrader.grade_id, cell.source)
        for cell in solved_source(name).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    ]


def submission(name: str, solved: int, **own: str) -> NotebookNode:
    """Return a student's copy with the first so many answers filled in.

    own: answers of the student's own, by the task's name.
    """
    right = dict(answers(name)[:solved]) | own
    copy = nbformat.read(student_copy(name), as_version=4)
    for cell in copy.cells:
        task = cell.metadata.get("nbgrader", {}).get("grade_id")
        if task in right:
            cell.source = right[task]
    return copy


# Wrong answers


class Wrong(NamedTuple):
    """A wrong answer: the right one, with a piece of its text replaced.

    name: what is wrong. says: what the verdict must contain. outcome: None for any but solved.
    """

    name: str
    old: str
    new: str
    says: str
    outcome: Outcome | None = Outcome.WRONG


RAISED, LATE = Outcome.RAISED, Outcome.TIMED_OUT


def answer_of(space: dict[str, Any], task: Task) -> Any:
    """Return the answer to a task among the names of a notebook."""
    return space[task.name.title() if task.form == "class" else task.name]


def spoiled(name: str, task: Task, wrong: Wrong) -> Any:
    """Return a wrong answer to a task."""
    (source,) = [source for answer, source in answers(name) if answer == task.name]
    assert wrong.old in source, f"{task.id}, {wrong.name}: {wrong.old!r} is not in the solution"
    space = solutions(name)
    exec(compile(source.replace(wrong.old, wrong.new), f"<{wrong.name}>", "exec"), space)
    return answer_of(space, task)
