"""What is the same in all notebooks: minutes and reading order as told elsewhere, short imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from record import NOTEBOOKS, ROOT, exercises, notebooks, read

LESSONS = [path for path in notebooks() if re.match(r"\d\d_", path.name)]


def minutes(path: Path) -> int:
    """What the notebook's first cell says."""
    found = re.findall(r"\*(\d+) minutes\b", read(path).cells[0].source)
    assert len(found) == 1, f"{path.name} says its minutes {len(found)} times"
    return int(found[0])


def estimate(path: Path) -> float:
    """The minutes by one rule: 120 words a minute, 6 s a line of code, a minute a prediction."""
    words = lines = questions = 0
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        elif "predict(" in cell.source:
            questions += 1
        else:
            lines += len(cell.source.splitlines())
    return words / 120 + lines / 10 + questions


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_minutes_are_within_a_third_of_the_estimate(path: Path) -> None:
    assert minutes(path) == pytest.approx(estimate(path), rel=1 / 3)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_readme_says_the_same(path: Path) -> None:
    rows = re.findall(rf"\(notebooks/{path.name}\) \| *(\d+) *\|", (ROOT / "README.md").read_text())
    assert rows == [str(minutes(path))]


def test_the_teachers_guide_says_the_same() -> None:
    guide = (NOTEBOOKS / "exercises" / "TEACHING.md").read_text()
    said = re.findall(
        r"^## (\d\d) .*\n+- \*\*Minutes:\*\* lesson (\d+), exercises (\d+)", guide, re.M
    )
    assert said == [
        (path.name[:2], str(minutes(NOTEBOOKS / path.name)), str(minutes(path)))
        for path in exercises()
    ]


def neighbour(word: str, path: Path) -> str | None:
    """The notebook that the last cell calls the previous or the next one."""
    found = re.search(rf"\*\*{word}:\*\* \[[^]]+\]\(([^)]+)\)", read(path).cells[-1].source)
    return found[1] if found else None


def test_next_and_previous_follow_the_reading_order() -> None:
    for earlier, later in pairwise([*LESSONS, NOTEBOOKS / "glossary.ipynb"]):
        assert neighbour("Next", earlier) == later.name, earlier.name
        assert neighbour("Previous", later) == earlier.name, later.name


def test_next_follows_the_reading_order_of_the_exercises() -> None:
    for earlier, later in pairwise(exercises()):
        assert neighbour("Next", earlier) == later.name, earlier.name


# A room, or one application of `apps`; and the parts of `protocol` that not everybody needs.
SHORT = re.compile(r"wslab(\.\w+)?|wslab\.(apps|protocol)\.\w+")


def imported(source: str) -> Iterator[str]:
    """Yield the modules that a cell imports, or imports from."""
    for node in ast.walk(ast.parse(TransformerManager().transform_cell(source))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module


@pytest.mark.parametrize("path", [*notebooks(), *exercises()], ids=lambda path: path.stem)
def test_import_paths_are_short(path: Path) -> None:
    sources = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    ours = [name for source in sources for name in imported(source) if name.startswith("wslab")]
    assert [name for name in ours if not SHORT.fullmatch(name)] == []
