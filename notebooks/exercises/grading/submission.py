"""Read what a student handed in, and make a notebook of it that can be graded.

Nothing of the file is trusted but the text of its cells. Answers are found by what they define,
then by their metadata; the checks are the course's own, put where the student's stood. What was
odd is noted, as sentences for the student and the teacher.
"""

from __future__ import annotations

import itertools
import json
import re
import warnings
from dataclasses import dataclass
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from grading.tasks import Set, Task

STUB = "raise NotImplementedError"
MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Unreadable(Exception):
    """No notebook can be made of a file; the text says why."""


@dataclass
class Cell:
    """A cell of a submission. grade_id: what its metadata claims to be, "" for nothing."""

    kind: str
    source: str
    grade_id: str = ""
    claims: dict[str, Any] | None = None
    answers: str = ""  # the task that it answers


# Reading


def read(data: bytes) -> tuple[list[Cell], list[str]]:
    """Return the cells of a notebook of any age, and notes. Raises Unreadable."""
    notes: list[str] = []
    try:
        document = json.loads(_text(data, notes))
    except (ValueError, RecursionError) as error:
        why = f"it begins with {data[:12]!r}" if data[:1] not in b"{[" else f"{error}"
        raise Unreadable(f"The file is not a notebook, or it is damaged: {why}.") from None
    found = (
        document.get("cells", document.get("worksheets")) if isinstance(document, dict) else None
    )
    if not isinstance(found, list):
        raise Unreadable("The file is JSON, but it is not a notebook: it has no list of cells.")
    if "cells" not in document:
        notes.append("The notebook had an old format (before version 4) and was converted.")
        sheets = [sheet.get("cells", []) for sheet in found if isinstance(sheet, dict)]
        found = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    cells = [_cell(cell) for cell in found if isinstance(cell, dict)]
    if not any(cell.source.strip() for cell in cells):
        raise Unreadable("The notebook has no text in it.")
    return cells, notes


def _text(data: bytes, notes: list[str]) -> str:
    if not data.strip():
        raise Unreadable("The file is empty.")
    for mark, coding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            notes.append("The file began with a byte order mark, which was removed.")
            return data.decode(coding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        notes.append("The file was not UTF-8; it was read as Windows-1252.")
        return data.decode("cp1252", errors="replace")


def _cell(cell: dict[str, Any]) -> Cell:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    # A lone surrogate is valid JSON, and nothing that could be saved again.
    source = str(source).encode("utf-8", errors="replace").decode()
    metadata = cell.get("metadata")
    claims = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    claims = claims if isinstance(claims, dict) else None
    grade_id = (claims or {}).get("grade_id", "")
    kind = cell.get("cell_type")
    kind = kind if kind in ("code", "raw") else "markdown"
    return Cell(kind, source, grade_id if isinstance(grade_id, str) else "", claims)


# Repairing


def repair(cells: list[Cell], wanted: Set, notes: list[str]) -> NotebookNode:
    """Return a notebook with every check of the set exactly once; add to the notes."""
    tasks = {task.name: task for task in wanted.tasks}
    cells = _recognise(cells, tasks, notes)
    cells = _join(cells, tasks, notes)
    places = _places(cells, tasks, notes)
    notebook = new_notebook()
    code = {line.strip() for cell in cells for line in cell.source.splitlines()}
    for given in wanted.given:
        if not {line.strip() for line in given.splitlines()} <= code:
            notes.append(
                "Code that the set gives at its beginning was changed or deleted; it was added."
            )
            notebook.cells.append(new_code_cell(given))
    for index, cell in enumerate([*cells, Cell("end", "")]):
        for task in wanted.tasks:
            if places[task.name] == index:
                notebook.cells.append(new_code_cell(task.check, metadata=task.check_metadata))
        if not cell.grade_id.startswith("check-") and cell.kind in MAKE:
            metadata = tasks[cell.answers].answer_metadata if cell.answers else {}
            notebook.cells.append(MAKE[cell.kind](cell.source, metadata=metadata))
    return notebook


def _recognise(cells: list[Cell], tasks: dict[str, Task], notes: list[str]) -> list[Cell]:
    """Say of each cell which task it answers or checks; keep what was written into a check."""
    found: list[Cell] = []
    for cell in cells:
        claimed = cell.grade_id.removeprefix("check-")
        is_check = cell.grade_id.startswith("check-") and claimed in tasks
        defined = next((name for name in tasks if _defines(cell.source, name)), "")
        if cell.kind != "code" and claimed in tasks and (defined or is_check):
            notes.append(f"{tasks[claimed].title}: a code cell had become text; it is code again.")
            cell.kind = "code"
        if cell.kind != "code":
            cell.grade_id = ""
            found.append(cell)
            continue
        checks = [task for task in tasks.values() if cell.source.strip() == task.shown]
        if not is_check and checks:  # without metadata, or with that of another cell
            notes.append(f"{checks[0].title}: the check had lost its metadata, which was restored.")
            is_check, claimed = True, checks[0].name
        if is_check:
            found += _check(cell, tasks[claimed], defined, notes)
            continue
        if defined and not any(other.grade_id == defined for other in cells):
            title = tasks[defined].title
            notes.append(f"{title}: the answer had lost its metadata, which was restored.")
        if cell.source.strip():
            cell.answers = defined or (claimed if claimed in tasks else "")
        cell.grade_id = cell.answers
        found.append(cell)
    return found


def _check(cell: Cell, task: Task, defined: str, notes: list[str]) -> list[Cell]:
    """Return a check, after whatever else was written into its cell."""
    ours = {line.strip() for line in task.shown.splitlines()}
    kept = [line for line in cell.source.splitlines() if line.strip() not in ours]
    own = [line for line in kept if line.strip() and not line.strip().startswith("#")]
    if own or cell.source.strip() not in ("", task.shown):
        notes.append(f"{task.title}: the check was edited; the course's own was run.")
    if cell.claims and any(
        cell.claims.get(key) != task.check_metadata["nbgrader"][key]
        for key in ("grade", "locked", "points", "solution")
    ):
        notes.append(f"{task.title}: the metadata of the check was edited; it was restored.")
    check = Cell("code", task.shown, f"check-{task.name}")
    return [Cell("code", "\n".join(kept), defined, None, defined), check] if own else [check]


def _defines(source: str, name: str) -> bool:
    """Tell whether code defines a task's answer: a function, a class of that name, or a value."""
    pattern = rf"(?m)^(?:(?:async\s+)?def\s+{name}\b|class\s+{name.title()}\b|{name}\s*=[^=])"
    return re.search(pattern, source) is not None


def _join(cells: list[Cell], tasks: dict[str, Task], notes: list[str]) -> list[Cell]:
    """Put together again what Split Cell has cut in the middle."""
    joined: list[Cell] = []
    for name, group in itertools.groupby(cells, lambda cell: cell.answers):
        pieces = list(group)
        if name and (whole := _whole([piece.source for piece in pieces])):
            notes.append(f"{tasks[name].title}: the answer's cell was split; it was put together.")
            pieces = [Cell("code", whole, name, None, name)]
        joined += pieces
    return joined


def _whole(pieces: list[str]) -> str:
    """Return pieces of code as one, or "" if each stands for itself."""
    if len(pieces) < 2 or all(_compiles(piece) and not piece[:1].isspace() for piece in pieces):
        return ""
    between = itertools.product(("\n", ""), repeat=min(len(pieces) - 1, 4))
    for glue in between:
        text = pieces[0]
        for separator, piece in itertools.zip_longest(glue, pieces[1:], fillvalue="\n"):
            text += separator + piece
        if _compiles(text):
            return text
    return "\n".join(pieces) if any(piece[:1].isspace() for piece in pieces[1:]) else ""


def _compiles(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a "\d" in a student's string is the student's
        try:
            code = TransformerManager().transform_cell(source)
            compile(code, "<answer>", "exec", flags=TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True


def _places(cells: list[Cell], tasks: dict[str, Task], notes: list[str]) -> dict[str, int]:
    """Return before which cell each check goes; leave metadata to one answer for each task."""
    places: dict[str, int] = {}
    for name, task in tasks.items():
        answers = [index for index, cell in enumerate(cells) if cell.answers == name]
        real = [index for index in answers if STUB not in cells[index].source]
        checks = [i for i, cell in enumerate(cells) if cell.grade_id == f"check-{name}"]
        if not checks:
            notes.append(f"{task.title}: the check was deleted; it was added again.")
        elif len(checks) > 1:
            notes.append(f"{task.title}: its check was there {len(checks)} times.")
        if len(answers) > 1:
            notes.append(f"{task.title}: {len(answers)} cells answer it; they were run in order.")
        if not answers:
            notes.append(f"{task.title}: there is no answer.")
        place = checks[-1] if checks else max(answers, default=len(cells) - 1) + 1
        if real and real[0] > place:
            notes.append(f"{task.title}: the answer stood below its check, which was moved.")
            place = real[-1] + 1
        places[name] = place
        best = max([i for i in real if i < place] or real or answers, default=-1)
        for index in answers:
            if index != best:
                cells[index].answers = ""
    return places


def prepare(data: bytes, wanted: Set) -> tuple[NotebookNode, list[str]]:
    """Return what is to be run of a submission, and what was odd about it. Raises Unreadable."""
    cells, notes = read(data)
    notebook = repair(cells, wanted, notes)
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.metadata["wslab"] = {"notes": list(dict.fromkeys(notes))}
    return notebook, notebook.metadata["wslab"]["notes"]
