"""Odd submissions, as students make them: each returns the bytes of a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
from nbformat import NotebookNode

from .tools import submission

SET = "02_handshake"
Edit = Callable[[list[Any]], object]


def written(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode()


def edited(edit: Edit, solved: int = 99, **own: str) -> bytes:
    """A submission, after something was done to its list of cells."""
    document = json.loads(written(submission(SET, solved, **own)))
    edit(document["cells"])
    return json.dumps(document).encode()


def at(cells: list[Any], grade_id: str) -> int:
    return next(
        index for index, cell in enumerate(cells)
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    )  # fmt: skip


def split(cells: list[Any], grade_id: str, text: str) -> None:
    """Do as JupyterLab's Edit > Split Cell does: both halves keep the metadata."""
    index = at(cells, grade_id)
    whole = "".join(cells[index]["source"])
    where = whole.index(text)
    halves = [dict(cells[index]), {**cells[index], "id": f"half-{index}"}]
    halves[0]["source"], halves[1]["source"] = whole[:where], whole[where:]
    cells[index : index + 1] = halves


def no_metadata(cells: list[Any]) -> None:
    for cell in cells:
        cell["metadata"] = {}


def edit_check(cells: list[Any], grade_id: str, source: str, **claims: object) -> None:
    cell = cells[at(cells, grade_id)]
    cell["source"] = source
    cell["metadata"]["nbgrader"].update(claims)


def old(cells: list[Any]) -> None:
    """Only the cells: see `version_3`."""
    for cell in cells:
        cell.pop("id", None)
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
            cell["language"] = "python"


def version_3() -> bytes:
    document = json.loads(edited(old))
    sheet = {"cells": document["cells"], "metadata": {}}
    return json.dumps(
        {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [sheet]}
    ).encode()


def move(cells: list[Any], grade_id: str, by: int) -> None:
    index = at(cells, grade_id)
    cells.insert(index + by, cells.pop(index))


def metadata_of_another(cells: list[Any]) -> None:
    """Ana copied the cell of task 1 for task 2."""
    first = cells[at(cells, "accept_key")]["metadata"]
    cells[at(cells, "choose")]["metadata"] = json.loads(json.dumps(first))


def claim(grade_id: str, **claims: object) -> Edit:
    """Change the metadata of a cell."""
    return lambda cells: cells[at(cells, grade_id)]["metadata"]["nbgrader"].update(claims)


def put(grade_id: str, **values: object) -> Edit:
    """Change a cell."""
    return lambda cells: cells[at(cells, grade_id)].update(values)


def copy(grade_id: str, where: int) -> Edit:
    return lambda cells: cells.insert(where, dict(cells[at(cells, grade_id)]))


# What can be repaired: all points
REPAIRED: dict[str, bytes] = {
    "split-answer": edited(lambda cells: split(cells, "status", "    connection =")),
    "split-in-a-line": edited(lambda cells: split(cells, "accept_key", "(key)")),
    "split-before": edited(lambda cells: split(cells, "choose", "def")),
    "split-check": edited(lambda cells: split(cells, "check-choose", "check")),
    "copied-cell": edited(copy("serve", 15)),
    "copied-check": edited(copy("check-serve", 2)),
    "no-metadata": edited(no_metadata),
    "empty-metadata": edited(put("status", metadata={"nbgrader": {}})),
    "odd-metadata": edited(put("status", metadata={"nbgrader": [7]})),
    "other-points": edited(lambda cells: edit_check(cells, "check-status", "pass", points=99)),
    "check-is-answer": edited(claim("check-status", solution=True, grade=False)),
    "other-schema": edited(claim("choose", schema_version=9)),
    "old-schema": edited(claim("choose", schema_version=1)),
    "another-id": edited(metadata_of_another),
    "no-check": edited(lambda cells: cells.pop(at(cells, "check-serve"))),
    "no-setup": edited(lambda cells: cells.pop(1)),
    "answer-below": edited(lambda cells: move(cells, "choose", 4)),
    "as-text": edited(put("choose", cell_type="markdown")),
    "check-as-raw": edited(put("check-choose", cell_type="raw")),
    "bom": b"\xef\xbb\xbf" + edited(lambda cells: None),
    "utf-16": edited(lambda cells: None).decode().encode("utf-16"),
    "version-3": version_3(),
    "no-ids": edited(lambda cells: [cell.pop("id") for cell in cells]),
    "same-ids": edited(lambda cells: [cell.update(id="a") for cell in cells]),
}  # fmt: skip

# What nobody can read
UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "half": edited(lambda cells: None)[:5000],
    "pdf": b"%PDF-1.7 \xe2\xe3",
    "list": b"[1, 2]",
    "number": b"17",
    "no-cells": b'{"nbformat": 4}',
    "no-text": b'{"nbformat": 4, "cells": []}',
    "deep": b"[" * 100_000,
}

# What runs, but not to its end
EXIT = "def choose(offered, spoken): return None\nimport os; os._exit(0)"
