"""The minutes are the same everywhere, and the plans for a class add up."""

from __future__ import annotations

import re

import nbformat
import pytest

from wslab import course_map

from .tools import KIT, NOTEBOOKS, SETS, solved_source

GUIDE = (KIT.parent / "TEACHING.md").read_text(encoding="utf-8")
README = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")

# The one source: what stands at the head of a lesson, and of a set of exercises.
LESSONS = {one.title[:2]: one.minutes for one in course_map().lessons}
EXERCISES = {
    name[:2]: int(re.findall(r"\*(\d+) minutes\.\*", solved_source(name).cells[0].source)[0])
    for name in SETS
}


def test_the_readme_has_each_lesson_with_its_minutes() -> None:
    rows = re.findall(r"(?m)^\| \[(\d\d) · [^|]*\| (\d+) \|", README)
    assert {number: int(minutes) for number, minutes in rows} == LESSONS


def test_the_guide_has_each_set_with_the_minutes() -> None:
    found = re.findall(
        r"(?m)^## (\d\d) · .*\n\n- \*\*Minutes:\*\* lesson (\d+), exercises (\d+)", GUIDE
    )
    wanted = [(number, LESSONS[number], EXERCISES[number]) for number in EXERCISES]
    assert [(number, int(one), int(two)) for number, one, two in found] == wanted


def test_a_student_copy_has_the_minutes_of_its_source() -> None:
    for name in SETS:
        copy = nbformat.read(KIT.parent / f"{name}.ipynb", as_version=4)
        assert f"*{EXERCISES[name[:2]]} minutes.*" in copy.cells[0].source


def spent(items: str) -> dict[str, int]:
    """Return the minutes of each part of a cell of a plan, as "lesson 03" or "exercises 03"."""
    found: dict[str, int] = {}
    for item in filter(None, items.split(", ")):
        if match := re.fullmatch(r"(?:(\d+) minutes of )?(lesson|exercises) (\d\d)", item):
            all_ = (LESSONS if match[2] == "lesson" else EXERCISES)[match[3]]
            found[f"{match[2]} {match[3]}"] = int(match[1] or all_)
    return found


@pytest.mark.parametrize(("heading", "sessions"), [("Six", 6), ("Twelve", 12)])
def test_a_plan_adds_up(heading: str, sessions: int) -> None:
    section = GUIDE.partition(f"### {heading} sessions")[2].partition("\n#")[0]
    rows = [line[1:-1].split("|") for line in re.findall(r"(?m)^\| *\d.*\|$", section)]
    assert [int(row[0]) for row in rows] == list(range(1, sessions + 1))
    total: dict[str, int] = {}
    for _, lessons, minutes, homework, more in ([cell.strip() for cell in row] for row in rows):
        assert int(minutes) == (sum(spent(lessons).values()) or 90) <= 90
        assert int(more or 0) == sum(spent(homework).values())
        for part in (spent(lessons), spent(homework)):
            for name, taken in part.items():
                total[name] = total.get(name, 0) + taken
    wanted = {f"lesson {number}": minutes for number, minutes in LESSONS.items()}
    wanted |= {f"exercises {number}": minutes for number, minutes in EXERCISES.items()}
    applications = {name for name in wanted if "10" <= name[-2:] < "90"}  # the class chooses
    assert {name: total.get(name) for name in wanted if name not in applications} == {
        name: minutes for name, minutes in wanted.items() if name not in applications
    }
    assert set(total) <= set(wanted)
