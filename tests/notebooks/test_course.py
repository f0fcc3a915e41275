"""What is said in several places is the same everywhere: how long it takes, and what comes next."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from record import NOTEBOOKS, ROOT, exercises, notebooks, read

LESSONS = [path for path in notebooks() if re.match(r"\d\d_", path.name)]


def minutes(path: Path) -> int:
    """What the notebook's first cell says."""
    found = re.findall(r"\*(\d+) minutes\b", read(path).cells[0].source)
    assert len(found) == 1, f"{path.name} says its minutes {len(found)} times"
    return int(found[0])


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
