"""nbgrader's steps, with ours in the place of those that one odd submission would stop.

nbgrader_config.py names these classes, so `nbgrader autograde`, formgrader's buttons and our own
command all do the same.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import new_output
from nbgrader.plugins import CsvExportPlugin, FileNameCollectorPlugin
from nbgrader.preprocessors import NbGraderPreprocessor

from grading import collect, sandbox, submission, tables, tasks
from grading.guard import guarded

SEED = sandbox.fresh_seed()  # the same for all who are graded in one run


def course() -> Path:
    """Return the course folder: nbgrader works there."""
    return Path.cwd()


class Submission(NotebookExporter):
    """Reads and repairs a submission; what nbgrader has graded before is read as it is."""

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        """Return the notebook that nbgrader goes on with. Raises Unreadable."""
        path = Path(filename)
        if not self.parent._sanitizing:
            return super().from_filename(filename, resources, **options)
        wanted = tasks.load(course(), resources["nbgrader"]["assignment"])
        notebook, _ = submission.prepare(path.read_bytes(), wanted)
        return self.from_notebook_node(notebook, resources=resources, **options)


class Run(NbGraderPreprocessor):
    """Runs a submission in the sandbox, in the place of nbgrader's Execute."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Give every code cell its outputs; a check that did not run has failed."""
        where = course() / "submitted" / resources["nbgrader"]["student"]
        files = list((where / resources["nbgrader"]["assignment"]).glob("*"))
        cells = [cell for cell in nb.cells if cell.cell_type == "code"]
        sources = [
            re.sub(r"(?<=\bseed=)\d+", str(SEED), c.source) if is_check(c) else c.source
            for c in cells
        ]
        result = sandbox.run(course(), guarded(sources, [is_check(c) for c in cells]), files)
        nb.metadata.setdefault("wslab", {})["ended"] = result["ended"]
        for number, (cell, outputs) in enumerate(zip(cells, result["cells"][1:], strict=True), 1):
            cell.execution_count = None if outputs is None else number
            cell.outputs = checked(outputs, result["ended"], is_check(cell))
        return nb, resources


def is_check(cell: NotebookNode) -> bool:
    """Tell whether a cell is the course's own check."""
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def checked(outputs: Any, ended: str, check: bool) -> list[NotebookNode]:
    """Return outputs that may be kept: what a student's process reported is not trusted.

    A check must not lose its points to a warning that somebody prints, as nbgrader has it.
    """
    if outputs is None:
        return [failure("NotRun", f"not run: {ended}")] if check else []
    try:
        made = [nbformat.from_dict(output) for output in outputs]
        for output in made:
            nbformat.validate(output, ref="output", version=4)
    except (ValidationError, TypeError, AttributeError, ValueError):
        return [failure("BadOutput", "what this cell reported cannot be used")]
    if check:
        made = [out for out in made if out.output_type in ("stream", "error", "display_data")]
        for output in made:
            if output.output_type == "stream":
                output.name = "stdout"
    return made


def failure(name: str, text: str) -> NotebookNode:
    """Return the output of a cell that failed."""
    return new_output("error", ename=name, evalue=text, traceback=[text])


class Collector(FileNameCollectorPlugin):
    """Understands the file names of learning platforms, for `nbgrader zip_collect`."""

    def _match(self, filename: str) -> dict[str, str] | None:
        wanted = self.parent.coursedir.assignment_id
        found = collect.owner(filename, wanted)
        return found and {"student_id": found.student, "file_id": wanted}


class Export(CsvExportPlugin):
    """nbgrader's CSV with two columns more: how a submission ended, and why."""

    def export(self, gradebook: Any) -> None:
        """Write the table; where nobody knows the points, there are none."""
        super().export(gradebook)
        path = Path(self.to or "grades.csv")
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            result = tables.remembered(course(), row["assignment"]).get(row["student_id"], {})
            state = result.get("state", tables.MISSING if not row["timestamp"] else "")
            row["state"], row["reason"] = state, result.get("reason", "")
            if state in tables.UNSURE:
                row["raw_score"] = row["score"] = ""
        with path.open("w", newline="", encoding="utf-8") as file:
            columns = dict.fromkeys(column for row in rows for column in row)
            table = csv.DictWriter(file, list(columns))
            table.writeheader()
            table.writerows(rows)
