"""What a teacher gets: a report to read, a table per set and task, files to import."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grading.tasks import Set

# How a submission ended. Only the first two have points that may be imported without a look.
GRADED, REPAIRED = "graded", "repaired"
ENDED, UNREADABLE, FAILED, MISSING = UNSURE = "ended early", "unreadable", "failed", "not handed in"


@dataclass
class Row:
    """One student's result. points: by the names of tasks, None where nobody can tell."""

    student: str
    state: str = MISSING
    reasons: list[str] = field(default_factory=list)
    points: dict[str, float] | None = None
    person: dict[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """All reasons as one text."""
        return " ".join(self.reasons)

    @property
    def sure(self) -> bool:
        """Tell whether the points are the student's honest result."""
        return self.state not in UNSURE and self.points is not None

    @property
    def total(self) -> str:
        """The points as text, "" if they are not sure."""
        return f"{sum(self.points.values()):g}" if self.sure and self.points is not None else ""


def report(rows: list[Row], wanted: Set) -> str:
    """Return the result of a set as text, one line a student, what is odd below it."""
    most = sum(task.points for task in wanted.tasks)
    width = max([len(row.student) for row in rows] or [0])
    lines = []
    for row in rows:
        points = f"{row.total} of {most:g}" if row.sure else "–"
        lines.append(f"{row.student:{width}}  {row.state:13}  {points:>8}")
        lines += [f"{'':{width}}    {reason}" for reason in row.reasons]
    unsure = [row.student for row in rows if not row.sure]
    if unsure:
        lines.append(f"Without points, so look at them yourself: {', '.join(unsure)}")
    return "\n".join(lines)


def write(course: Path, rows: list[Row], wanted: Set) -> list[Path]:
    """Write `grades/SET.csv` (every task), `SET.moodle.csv` and `SET.canvas.csv`."""
    most = sum(task.points for task in wanted.tasks)
    folder = course / "grades"
    folder.mkdir(exist_ok=True)
    titles = [f"{task.title} ({task.points:g})" for task in wanted.tasks]
    table = [["student", "name", "state", "points", "of", *titles, "late", "reason"]]
    for row in rows:
        each = [
            f"{row.points.get(task.name, 0):g}" if row.points is not None and row.sure else ""
            for task in wanted.tasks
        ]
        person = row.person
        table.append(
            [
                row.student,
                person.get("name", ""),
                row.state,
                row.total,
                f"{most:g}",
                *each,
                person.get("late", ""),
                row.reason,
            ]
        )
    moodle = [
        [
            "Identifier",
            "Full name",
            "Username",
            "Status",
            "Grade",
            "Maximum Grade",
            "Feedback comments",
        ]
    ]
    canvas = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", wanted.name],
        ["    Points Possible", "", "", "", "", f"{most:g}"],
    ]
    for row in rows:
        platform, number = row.person.get("platform", ""), row.person.get("number", "")
        name = row.person.get("name", "") or row.student
        if platform != "canvas":
            identifier, user = (f"Participant {number}", "") if number else ("", row.student)
            moodle.append([identifier, name, user, row.state, row.total, f"{most:g}", row.reason])
        if platform != "moodle":
            canvas.append([name, number, "", "" if number else row.student, "", row.total])
    made = {"csv": table, "moodle.csv": moodle, "canvas.csv": canvas}
    return [_save(folder / f"{wanted.name}.{ending}", lines) for ending, lines in made.items()]


def remembered(course: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return what the last `grade` of a set found, by student: state, reason, digest, notes."""
    path = course / "grades" / f".{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def remember(course: Path, name: str, known: dict[str, dict[str, Any]]) -> None:
    """Keep it for the next time."""
    (course / "grades" / f".{name}.json").write_text(json.dumps(known), encoding="utf-8")


def _save(path: Path, lines: Iterable[list[str]]) -> Path:
    """Write a CSV file; a text that a spreadsheet would take for a formula is only a text."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for line in lines:
            writer.writerow(
                ["'" + cell if cell[:1] in ("=", "+", "@", "-") else cell for cell in line]
            )
    return path
