"""The commands of a teacher; run them in the course folder."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from grading import collect, page, sandbox, submission, tables, tasks
from grading.tables import Row


def notebook_of(folder: Path, name: str) -> tuple[Path | None, list[str]]:
    """Return the notebook that a student means by a set, and what was odd about its place."""
    exact = folder / name / f"{name}.ipynb"
    links = [path for path in folder.rglob("*.ipynb") if path.is_symlink()]
    notes = [f"{path.name} is a link to another file and was ignored." for path in links]
    inside = [path for path in (folder / name).rglob("*") if path.suffix.lower() == ".ipynb"]
    found = [
        path for path in inside or folder.rglob(f"*{name}*.ipynb")
        if path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts
    ]  # fmt: skip
    if exact in found:
        when = exact.stat().st_mtime
        newer = [path.name for path in found if path.stat().st_mtime > when]
        notes += [f"{other} is newer than {name}.ipynb and was not graded." for other in newer]
        return exact, notes
    if not found:
        others = sorted(path.name for path in (folder / name).glob("*"))
        return None, [
            *notes,
            f"There is no notebook in {name}; found: {', '.join(others) or 'nothing'}.",
        ]
    best = max(found, key=lambda path: (path.stat().st_mtime, path.name))
    shutil.copyfile(best, exact.parent / exact.name) if exact.parent.is_dir() else None
    several = f", the newest of {len(found)} notebooks" if len(found) > 1 else ""
    where = best.relative_to(folder)
    return best, [*notes, f"The notebook was not called {name}.ipynb: {where} was taken{several}."]


class Course:
    """A course folder and nbgrader's view of it."""

    def __init__(self, folder: Path) -> None:
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import PyFileConfigLoader

        self.folder = folder
        config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
        config.CourseDirectory.root = str(folder)
        self.api = NbGraderAPI(config=config)
        self.api.log.setLevel("CRITICAL")  # what there is to say is in the report

    def grade(self, name: str, student: str, known: dict[str, Any], again: bool) -> Row:
        """Grade one student's submission; whatever happens ends up in the row."""
        folder = self.folder / "submitted" / student
        path, notes = notebook_of(folder, name)
        row = Row(student, reasons=notes)
        if not re.fullmatch(r"[\w .-]+", student):
            row.state = tables.FAILED
            row.reasons = ["nbgrader cannot read this folder's name: use letters, digits, hyphens."]
            return row
        if path is None:
            row.state = tables.UNREADABLE if (folder / name).is_dir() else tables.MISSING
            row.reasons = notes if (folder / name).is_dir() else []
            self.forget(name, student, row)
            return row
        try:
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if known.get("digest") != digest or again or not self.graded(name, student).is_file():
                self.run(name, student, path, row)
                known.update(digest=digest, notes=[*notes])
            row.reasons[:0] = [note for note in known["notes"] if note not in notes]
            if row.state != tables.FAILED:
                self.read(name, student, row)
        except submission.Unreadable as error:
            row.state, row.reasons = tables.UNREADABLE, [*notes, str(error)]
        except Exception as error:
            row.state, row.reasons = tables.FAILED, [*notes, f"{type(error).__name__}: {error}"]
        if row.state in (tables.FAILED, tables.UNREADABLE):
            self.forget(name, student, row)
        return row

    def graded(self, name: str, student: str) -> Path:
        """Return where nbgrader puts a graded notebook."""
        return self.folder / "autograded" / student / name / f"{name}.ipynb"

    def run(self, name: str, student: str, path: Path, row: Row) -> None:
        """Let nbgrader run a submission, with our steps in it. Raises Unreadable."""
        submission.prepare(path.read_bytes(), tasks.load(self.folder, name))
        target = self.folder / "submitted" / student / name / f"{name}.ipynb"
        if path != target and not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        result = self.api.autograde(name, student, force=True, create=True)
        if not result["success"]:
            said = [line for line in result.get("error", "").splitlines() if line.strip()]
            row.state = tables.FAILED
            row.reasons.append(said[-1] if said else "nbgrader did not grade it.")

    def read(self, name: str, student: str, row: Row) -> None:
        """Fill in a row from what nbgrader keeps, and make the feedback page."""
        odd = json.loads(self.graded(name, student).read_bytes())["metadata"].get("wslab", {})
        row.reasons += odd.get("notes", [])
        row.state = tables.REPAIRED if row.reasons else tables.GRADED
        with self.api.gradebook as book:
            grades = book.find_submission(name, student).notebooks[0].grades
            row.points = {grade.name.removeprefix("check-"): grade.score for grade in grades}
            by_hand = any(grade.manual_score is not None for grade in grades)
        if odd.get("ended"):
            row.state = tables.REPAIRED if by_hand else tables.ENDED
            until = "" if by_hand else f" Points until then: {sum(row.points.values()):g}."
            row.reasons.insert(0, f"It did not run to its end: {odd['ended']}.{until}")
        if by_hand:
            row.reasons.append("Points were corrected by hand.")
        made = self.api.generate_feedback(name, student, force=True)
        if not made["success"]:
            row.reasons.append("There is no feedback page: nbgrader could not make it.")

    def forget(self, name: str, student: str, row: Row) -> None:
        """Take an earlier grade of what cannot be graded now out of the gradebook; say why."""
        from nbgrader.api import MissingEntry

        shutil.rmtree(self.graded(name, student).parent, ignore_errors=True)
        try:
            with self.api.gradebook as book:
                book.remove_submission(name, student)
        except MissingEntry:
            pass
        target = self.folder / "feedback" / student / name / f"{name}.html"
        if row.state != tables.MISSING:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(page.excuse(name, student, row.reason), encoding="utf-8")


def grade(folder: Path, name: str, *, only: str = "", again: bool = False) -> list[Row]:
    """Grade a set, one student at a time; write tables and feedback, print the report."""
    wanted = tasks.load(folder, name)
    known = tables.remembered(folder, name)
    people = collect.roster(folder)
    course = Course(folder)
    students = sorted(
        {path.name for path in (folder / "submitted").glob("*") if path.is_dir()} | set(people)
    )
    print(f"Isolation: {sandbox.room(folder).name}. {sandbox.room(folder).remains}\n")
    rows = []
    for student in students:
        row = course.grade(
            name, student, known.setdefault(student, {}), again and only in ("", student)
        )
        row.person = people.get(student, {})
        rows.append(row)
        known[student] |= {"state": row.state, "reason": row.reason}
        print(f"  {student}: {row.state}", flush=True)
    made = tables.write(folder, rows, wanted)
    tables.remember(folder, name, known)
    print(f"\n{tables.report(rows, wanted)}\n")
    print("Tables:", *(path.relative_to(folder) for path in made))
    print(f"Feedback: feedback/STUDENT/{name}/{name}.html")
    return rows


def formgrader(folder: Path) -> int:
    """Open nbgrader's pages in a browser: in a learner's JupyterLab they are switched off."""
    on = {"nbgrader.server_extensions.formgrader": True}
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return subprocess.call(
        [sys.executable, "-m", "jupyter", "server", f"--ServerApp.root_dir={folder}", *root,
         f"--ServerApp.jpserver_extensions={on}", "--ServerApp.default_url=/formgrader"],
        cwd=folder,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        prog="python -m grading", description="Grade a class, one student at a time."
    )
    parser.add_argument(
        "--course", type=Path, default=Path.cwd(), help="the course folder (this one)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("collect", help="take over what a learning platform hands out")
    one.add_argument("set")
    one.add_argument("files", type=Path, nargs="+", help="archives, folders, notebooks")
    two = commands.add_parser("grade", help="grade what is new, and write report, tables, feedback")
    two.add_argument("set")
    two.add_argument("--again", action="store_true", help="also what has not changed")
    two.add_argument("--student", default="", help="with --again: only this one")
    commands.add_parser("formgrader", help="nbgrader's pages: look at answers, comment, correct")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", module="nbgrader", message="Object of type")  # SQLAlchemy's
    folder = options.course.resolve()
    if options.command == "formgrader":
        return formgrader(folder)
    known = tasks.names(folder)
    if options.set not in known:
        parser.error(f"{folder} has no set {options.set!r}; it has {', '.join(known) or 'none'}")
    if options.command == "collect":
        print("\n".join(collect.collect(folder, options.set, options.files)))
        return 0
    rows = grade(folder, options.set, only=options.student, again=options.again)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
