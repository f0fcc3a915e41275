"""Every task: the right answer passes, the usual wrong ones do not, and hostile ones do no harm."""

from __future__ import annotations

import importlib
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from wslab.exercises.engine.overview import all_sets
from wslab.exercises.engine.task import Task
from wslab.exercises.engine.verdict import Outcome

from .tools import SETS, Wrong, answer_of, answers, solutions, solved_source, spoiled, student_copy

LESSONS = {one.name: one.lesson for one in all_sets()}
TASKS = [task for one in all_sets() for task in one.tasks.values()]
FORMS = {task.form: task for task in TASKS}.values()  # one task of each form of an answer
# The notebooks with the solutions prove the seeds of grading, each for its own tasks.
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.untraced) for seed in (1, 1902, 1908))]
GRADED = 1902  # one of the seeds that grading uses
LIMIT = 0.4  # seconds for an answer that never ends
PATIENCE = 45  # seconds for one that does, because a busy machine is slow

each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)


def wrong_answers(task: Task) -> list[Wrong]:
    module = importlib.import_module(f".wrong_{task.set}", __package__)
    found: list[Wrong] = module.WRONG[task.name]
    return found


WRONG = [pytest.param(t, w, id=f"{t.id}: {w.name}") for t in TASKS for w in wrong_answers(t)]


# Sets are complete


def test_every_set_has_a_source_and_a_copy() -> None:
    assert sorted(LESSONS.values()) == SETS
    for name in SETS:
        assert student_copy(name).is_file()


@pytest.mark.parametrize("one", all_sets(), ids=lambda one: one.name)
def test_a_set_goes_from_easy_to_hard(one: Any) -> None:
    levels = [task.level for task in one.tasks.values()]
    assert len(levels) >= 3
    assert levels == sorted(levels)
    assert {1, 2, 3} <= set(levels)


@pytest.mark.parametrize("one", all_sets(), ids=lambda one: one.name)
def test_a_source_has_every_task_once_with_its_points(one: Any) -> None:
    cells = solved_source(one.lesson).cells
    graded = [c for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert [name for name, _ in answers(one.lesson)] == list(one.tasks)
    assert [c.metadata.nbgrader.grade_id for c in graded] == [f"check-{name}" for name in one.tasks]
    assert [c.metadata.nbgrader.points for c in graded] == [t.level for t in one.tasks.values()]
    for cell, task in zip(graded, one.tasks.values(), strict=True):
        assert cell.source.startswith(f"check.{task.id}(")
        assert "### BEGIN HIDDEN TESTS" in cell.source
        assert cell.metadata.tags == ["raises-exception"]  # Run All goes on


@each_task
def test_hints_say_more_and_more(task: Task) -> None:
    assert len(task.hints) >= 2
    assert "next: hint(2)" in repr(task.hint(1))
    assert "the last hint" in repr(task.hint(len(task.hints)))
    with pytest.raises(IndexError, match="has hints 1 to"):
        task.hint(len(task.hints) + 1)


@each_task
def test_hints_hold_no_solution(task: Task) -> None:
    """No line of a solution that says something stands in what students get."""
    (source,) = [source for name, source in answers(LESSONS[task.set]) if name == task.name]
    lines = [line.strip() for line in source.splitlines() if len(line.strip()) > 30]
    text = " ".join(task.hints)
    assert not [line for line in lines if line in text]


# The right answer


@each_task
@pytest.mark.parametrize("seed", SEEDS)
def test_the_right_answer_is_right(task: Task, seed: int) -> None:
    answer = answer_of(solutions(LESSONS[task.set]), task)
    verdict = task.judge(answer, seed=seed, seconds=PATIENCE)
    assert verdict.solved, verdict


@each_task
def test_the_stub_is_not_attempted(task: Task) -> None:
    copy = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nbformat.read(student_copy(LESSONS[task.set]), 4).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    space: dict[str, Any] = {}
    exec(copy[task.name], space)
    verdict = task.judge(answer_of(space, task), seconds=PATIENCE)
    assert verdict.outcome is Outcome.NOT_ATTEMPTED


# Wrong answers


@each_task
def test_there_are_at_least_three_wrong_answers(task: Task) -> None:
    assert len({wrong.name for wrong in wrong_answers(task)}) >= 3


@pytest.mark.parametrize(("task", "wrong"), WRONG)
def test_a_wrong_answer_is_refused(
    task: Task, wrong: Wrong, request: pytest.FixtureRequest
) -> None:
    seeds, seconds = (0, GRADED), PATIENCE
    if wrong.outcome is Outcome.TIMED_OUT:
        request.getfixturevalue("tidy")
        seeds, seconds = (0,), 9  # nearly all of them meet a limit of the check itself
    for seed in seeds:
        answer = spoiled(LESSONS[task.set], task, wrong)  # some count their calls
        verdict = task.judge(answer, seed=seed, seconds=seconds)
        assert not verdict.solved, wrong.name
        assert wrong.says in repr(verdict), verdict
        assert len(repr(verdict)) < 3000, "a verdict fits on a page"
        if wrong.outcome is not None:
            assert verdict.outcome is wrong.outcome, verdict


# Hostile answers


def shaped(task: Task, body: Callable[..., Any]) -> Any:
    """Return an answer of the task's form that does this whenever it is called."""
    if task.form == "class":
        return type("Hostile", (), {"__init__": lambda self, role: None, "receive": body,
                                    "data_to_send": body})  # fmt: skip
    if task.form == "async def":

        async def answer(*arguments: object) -> Any:
            return body(*arguments)

        return answer
    return lambda *arguments: body(*arguments)


class Boom(Exception):
    """What hostile answers raise."""


@each_task
def test_code_that_raises_is_shown_as_its_own(task: Task) -> None:
    def raises(*_: object) -> None:
        raise Boom("mine")

    verdict = task.judge(shaped(task, raises), seconds=PATIENCE)
    assert "Boom: mine" in repr(verdict)
    assert "wslab/exercises" not in repr(verdict)
    if task.form != "class":  # a table goes on, and says so row by row
        assert verdict.outcome is Outcome.RAISED
        assert 'raise Boom("mine")' in repr(verdict)


@each_task
def test_exit_ends_nothing(task: Task) -> None:
    def leaves(*_: object) -> None:
        raise SystemExit(3)

    verdict = task.judge(shaped(task, leaves), seconds=PATIENCE)
    assert verdict.outcome is Outcome.RAISED


@pytest.mark.slow
@each_task
def test_an_endless_loop_is_interrupted(task: Task, tidy: None) -> None:
    def loops(*_: object) -> None:
        while True:
            pass

    verdict = task.judge(shaped(task, loops), seconds=LIMIT)
    assert verdict.outcome is Outcome.TIMED_OUT
    assert "while True:" in repr(verdict) or "in loops: pass" in repr(verdict)
    assert "still running" not in repr(verdict)
    assert not [one for one in threading.enumerate() if one.name == "wslab-check"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "block"),
    [(task, "lock") for task in TASKS] + [(task, "sleep") for task in FORMS],
    ids=lambda value: getattr(value, "id", value),
)
def test_a_call_that_blocks_is_abandoned(task: Task, block: str, tidy: None) -> None:
    held = threading.Lock()
    held.acquire()
    nap = 4  # seconds, longer than the check waits

    def blocks(*_: object) -> None:
        if block == "lock":
            held.acquire()
        else:
            time.sleep(nap)

    verdict = task.judge(shaped(task, blocks), seconds=LIMIT / 2)
    assert verdict.outcome is Outcome.TIMED_OUT
    assert "still running" in repr(verdict)
    held.release()
    for thread in threading.enumerate():
        if thread.name == "wslab-check":
            thread.join(PATIENCE)
            assert not thread.is_alive()  # interrupted as soon as it came back


@each_task
@pytest.mark.parametrize(
    "result", [object(), 1.5, {}, "?!", None], ids=["object", "float", "dict", "str", "None"]
)
def test_a_result_of_the_wrong_type_is_wrong(task: Task, result: Any) -> None:
    verdict = task.judge(shaped(task, lambda *_: result))
    assert verdict.outcome in (Outcome.WRONG, Outcome.TIMED_OUT), verdict
    assert verdict.message


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        *((task, 42) for task in TASKS),
        *itertools.product(FORMS, [None, "key", ..., lambda: 1, lambda *, x: 1]),
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_an_answer_of_the_wrong_type_is_wrong(task: Task, answer: Any) -> None:
    verdict = task.judge(answer)
    assert verdict.outcome is Outcome.WRONG
    assert "the answer " in verdict.message


@pytest.mark.parametrize("task", FORMS, ids=lambda task: task.form)
def test_checks_go_on_after_all_that(task: Task) -> None:
    answer = answer_of(solutions(LESSONS[task.set]), task)
    assert task.judge(answer, seconds=PATIENCE).solved
