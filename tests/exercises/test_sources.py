"""The exercises' notebooks keep those rules of the lessons that make sense for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import test_rules as rules
from record import EXERCISES, NOTEBOOKS, exercises, read
from run_all import each_cell_twice, problems

SOURCES = exercises()
COPIES = sorted((NOTEBOOKS / "exercises").glob("*.ipynb"))

OF_SOURCES = [
    rules.every_code_cell_was_run,
    rules.outputs_are_fresh,
    rules.metadata_is_minimal,
    rules.no_path_of_this_machine_is_shown,
    rules.setup_only_imports,
    rules.prose_stands_before_code,
    rules.prose_is_short,
    rules.nothing_blocks,
    rules.no_port_is_fixed,
]
OF_COPIES = [
    rules.links_lead_somewhere,
    rules.links_look_like_links,
    rules.prose_is_short,
    rules.nothing_blocks,
]


def name(value: object) -> str:
    return value.stem if isinstance(value, Path) else getattr(value, "__name__", "")


@pytest.mark.parametrize("rule", OF_SOURCES, ids=name)
@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_source(path: Path, rule: Callable[..., rules.Problems]) -> None:
    assert not list(rule(read(path), path))


@pytest.mark.parametrize("rule", OF_COPIES, ids=name)
@pytest.mark.parametrize("path", COPIES, ids=name)
def test_copy(path: Path, rule: Callable[..., rules.Problems]) -> None:
    assert not list(rule(read(path), path))


@pytest.mark.parametrize("path", COPIES, ids=name)
def test_a_copy_opens_with_its_lesson_and_ends_with_it(path: Path) -> None:
    first, *_, last = read(path).cells
    assert first.source.startswith(f"# Exercises {path.name[:2]} · ")
    for cell in (first, last):
        assert f"../{path.name}" in rules.links(cell.source)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_cell_may_be_run_twice(path: Path) -> None:
    assert problems(path, each_cell_twice(read(path))) == []


def test_there_are_some() -> None:
    assert SOURCES
    assert all(path.is_relative_to(EXERCISES) for path in SOURCES)
