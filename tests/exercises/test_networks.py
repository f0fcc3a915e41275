"""Answers on many networks: the verdict shows the smallest schedule, and a line that repeats it."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from typing import Any

import pytest

from wslab.exercises import check
from wslab.exercises.engine.task import Task

from .tools import solutions, spoiled


def wrong(task: Task, name: str) -> Any:
    """Return a wrong answer by its name."""
    module = importlib.import_module(f".wrong_{task.set}", __package__)
    (one,) = [one for one in module.WRONG[task.name] if one.name == name]
    return spoiled("08_reconnect", task, one)


def on_networks_alone(task: Task) -> Task:
    """Return a task without its scripted part."""
    return replace(task, check=lambda trial, answer: None)


def test_a_verdict_shows_the_schedule_and_the_line_that_repeats_it() -> None:
    task = check.reconnect.deliver
    deliver = wrong(task, "somebody else each time")
    said = repr(on_networks_alone(task).judge(deliver))
    assert re.search(r"faults: at \S+ s", said)
    assert "client" in said
    assert "✂" in said
    (line,) = re.findall(r"repeat it: (.*)", said)
    diagram = eval(line, {"check": check, "deliver": deliver})
    assert re.search(r"faults: at \S+ s(?: for \S+ s)?: (.*)", said)[1] in repr(diagram)  # type: ignore[index]


def test_a_repaired_answer_passes_on_the_same_network() -> None:
    task = check.reconnect.deliver
    run = task.replay(wrong(task, "somebody else each time"), 5)
    again = task.replay(solutions("08_reconnect")["deliver"], 5)
    assert (run.seed, again.seed) == (5, 5)
    assert again.error is None
    assert again.diagram.steps


def test_a_task_without_networks_has_nothing_to_replay() -> None:
    with pytest.raises(TypeError, match="not tried on networks"):
        check.reconnect.again.replay(lambda code: True, 1)


@pytest.mark.parametrize("layer", ["no deduplication", "no take-over", "the old one stays"])
def test_layers_hide_each_other_and_are_tried_by_themselves(layer: str) -> None:
    task = check.reconnect.remember
    answer = wrong(task, layer)
    assert on_networks_alone(task).judge(answer).solved
    assert not task.judge(answer).solved


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("follow", "doubles stay"),
        ("follow", "takes what it does not know"),
        ("deliver", "new numbers on each connection"),
        ("deliver", "sent is delivered"),
        ("deliver", "an answer that breaks off"),
        ("remember", "nobody is remembered"),
    ],
)
def test_networks_find_a_missing_layer(name: str, layer: str) -> None:
    task = getattr(check.reconnect, name)
    for seed in range(2):
        assert not on_networks_alone(task).judge(wrong(task, layer), seed=seed).solved
