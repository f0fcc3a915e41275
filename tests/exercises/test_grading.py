"""Grading without nbgrader and without kernels: what is read, repaired, collected and written."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from . import odd
from .tools import KIT, SETS, solved_source, submission

from grading import collect, inside, page, sandbox, tables, tasks  # isort: skip
from grading.submission import Unreadable, prepare  # isort: skip

COURSE = KIT.parent  # it has `source`, as a teacher's course folder has
WANTED = tasks.load(COURSE, odd.SET)


def graded_ids(notebook: Any) -> list[str]:
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return [cell.metadata["nbgrader"]["grade_id"] for cell in cells]


# Reading and repairing


@pytest.mark.parametrize("name", SETS)
def test_a_proper_submission_is_left_as_it_is(name: str) -> None:
    notebook, notes = prepare(odd.written(submission(name, 99)), tasks.load(COURSE, name))
    assert notes == []
    assert [cell.source for cell in notebook.cells] == [c.source for c in solved_source(name).cells]


@pytest.mark.parametrize("name", odd.REPAIRED)
def test_a_repaired_submission_can_be_graded(name: str) -> None:
    """Each answer and each check once, the check below its answer, all the code still there."""
    notebook, _ = prepare(odd.REPAIRED[name], WANTED)
    nbformat.validate(notebook)
    ids = graded_ids(notebook)
    assert sorted(ids) == sorted(graded_ids(solved_source(odd.SET)))
    space: dict[str, Any] = {}
    for cell in notebook.cells:
        checks = cell.metadata.get("nbgrader", {}).get("grade")
        if checks:
            task = cell.metadata["nbgrader"]["grade_id"].removeprefix("check-")
            assert task in space, "the check stands above its answer"
            assert cell.source == next(t.check for t in WANTED.tasks if t.name == task)
        elif cell.cell_type == "code" and not cell.source.startswith("progress"):
            exec(compile(cell.source, "<cell>", "exec"), space)
    assert space["choose"](["a", "b"], ["b"]) == "b"
    assert space["accept_key"]("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("split-answer", "was split; it was put together"),
        ("split-check", "its check was there 2 times"),
        ("copied-cell", "2 cells answer it"),
        ("no-metadata", "had lost its metadata"),
        ("other-points", "the metadata of the check was edited"),
        ("no-check", "the check was deleted"),
        ("no-setup", "Code that the set gives"),
        ("answer-below", "stood below its check"),
        ("as-text", "had become text"),
        ("bom", "byte order mark"),
        ("version-3", "old format"),
    ],
)
def test_what_was_repaired_is_said(name: str, says: str) -> None:
    assert says in " ".join(prepare(odd.REPAIRED[name], WANTED)[1])


@pytest.mark.parametrize("name", odd.UNREADABLE)
def test_what_cannot_be_read_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(Unreadable, match=r"The (file|notebook) "):
        prepare(odd.UNREADABLE[name], WANTED)


def test_what_was_written_into_a_check_is_kept() -> None:
    """An answer in the wrong cell is an answer; the check itself is the course's."""
    answer = "def choose(offered, spoken):\n    return 'mine'\ncheck.handshake.choose(choose)"
    data = odd.edited(lambda cells: odd.edit_check(cells, "check-choose", answer), 1)
    notebook, notes = prepare(data, WANTED)
    place = graded_ids(notebook).index("check-choose")
    assert graded_ids(notebook)[place - 1] == "choose"
    assert "return 'mine'" in next(c.source for c in notebook.cells if "mine" in c.source)
    assert any("check was edited" in note for note in notes)


# What a cell shows


def test_output_is_cut_however_many_messages_bring_it() -> None:
    short = inside.Shortened()
    kept = [short.content({"text": "x" * 999})["text"] for _ in range(1000)]
    assert len("".join(kept)) < inside.KEPT + 100
    assert "".join(kept).count("left out") == 1


@pytest.mark.parametrize(
    "content",
    [
        {"text": "x" * 10**6},
        {"ename": "E", "evalue": "x" * 10**6, "traceback": ["y" * 10**6] * 1000},
        {"data": {"text/plain": "x" * 10**6, "text/html": "y" * 10**6, "image/png": "z" * 10**6}},
        {"data": {"application/javascript": "x" * 10**6, "image/svg+xml": "y" * 10**6}},
    ],
)
def test_every_kind_of_output_is_cut(content: dict[str, Any]) -> None:
    assert len(json.dumps(inside.Shortened().content(content))) < 3 * inside.KEPT


# Collecting


@pytest.mark.parametrize(
    ("path", "student", "platform", "late"),
    [
        ("ana_02_handshake.ipynb", "ana", "", False),
        ("ana_maria_02_handshake (1).ipynb", "ana_maria", "", False),
        ("ana/02_handshake/02_handshake.ipynb", "ana", "", False),
        ("Ana López_123456_assignsubmission_file_x (1).ipynb", "Ana-López-123456", "moodle", False),
        ("Ana López_123456_assignsubmission_file_/x.ipynb", "Ana-López-123456", "moodle", False),
        ("O'Neil, Ed_7_assignsubmission_file/x.ipynb", "O-Neil-Ed-7", "moodle", False),
        ("lopezana_12345_67890_02_handshake-2.ipynb", "lopezana-12345", "canvas", False),
        ("lopezana_LATE_12345_67890_x.ipynb", "lopezana-12345", "canvas", True),
        ("lopezana_12345_67890_02_handshake_LATE.ipynb", "lopezana-12345", "canvas", True),
        ("lopezana_12345_67890_x.zip/02_handshake.ipynb", "lopezana-12345", "canvas", False),
        ("../../etc_02_handshake.ipynb", "etc", "", False),
    ],
)
def test_a_file_name_tells_its_owner(path: str, student: str, platform: str, late: bool) -> None:
    found = collect.owner(path, odd.SET)
    assert found is not None
    assert (found.student, found.platform, found.late) == (student, platform, late)


@pytest.mark.parametrize("path", ["02_handshake.ipynb", "homework.ipynb", ".._02_handshake.ipynb"])
def test_a_file_name_that_does_not_tell_is_not_guessed(path: str) -> None:
    assert collect.owner(path, odd.SET) is None


def archive(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return data.getvalue()


def test_an_archive_is_collected_and_a_second_one_replaces_it(tmp_path: Path) -> None:
    inner = archive({"02_handshake.ipynb": b"canvas"})
    first = {
        "Ana Lopez_17_assignsubmission_file_02_handshake.ipynb": b"old",
        "Ana Lopez_17_assignsubmission_file_02_handshake (1).ipynb": b"newer",
        "bo_123_456_hand in.zip": inner,
        "homework.ipynb": b"whose?",
        "../../outside_02_handshake.ipynb": b"no way out",
    }
    (tmp_path / "one.zip").write_bytes(archive(first))
    said = collect.collect(tmp_path, odd.SET, [tmp_path / "one.zip"])
    handed = {path.parts[-3]: path.read_bytes() for path in tmp_path.glob("submitted/*/*/*.ipynb")}
    assert handed == {"Ana-Lopez-17": b"newer", "bo-123": b"canvas", "outside": b"no way out"}
    assert any("homework.ipynb: whose is it?" in line for line in said)
    assert any("chosen among 2 files" in line for line in said)
    (tmp_path / "two.zip").write_bytes(archive({"bo_LATE_123_999_x.ipynb": b"again"}))
    said = collect.collect(tmp_path, odd.SET, [tmp_path / "two.zip"])
    assert said == ["  bo-123: bo_LATE_123_999_x.ipynb: replaces the older one, late"]
    assert (tmp_path / "submitted/bo-123/02_handshake/02_handshake.ipynb").read_bytes() == b"again"
    people = collect.roster(tmp_path)
    assert people["Ana-Lopez-17"]["number"] == "17"
    assert people["bo-123"]["late"] == "late"


# Tables


def test_no_table_shows_a_zero_that_nobody_earned(tmp_path: Path) -> None:
    solved = {task.name: task.points for task in WANTED.tasks}
    people = [
        {"name": "Ana", "platform": "moodle", "number": "17"},
        {"name": "=1+1", "platform": "canvas", "number": "18"},
        {"name": "Cy", "platform": "moodle", "number": "19"},
    ]
    rows = [
        tables.Row("ana", tables.GRADED, [], solved, people[0]),
        tables.Row("bo", tables.REPAIRED, ["split"], dict.fromkeys(solved, 0.0), people[1]),
        tables.Row("cy", tables.ENDED, ["_exit"], dict.fromkeys(solved, 0.0), people[2]),
        tables.Row("di", tables.UNREADABLE, ["damaged"]),
    ]
    texts = [path.read_text(encoding="utf-8") for path in tables.write(tmp_path, rows, WANTED)]
    own, moodle, canvas = (list(csv.reader(text.splitlines())) for text in texts)
    assert [line[3] for line in own[1:]] == ["7", "0", "", ""]
    assert own[0][5].endswith("1. Compute the accept value (1)")
    assert own[1][5:9] == ["1", "1", "2", "3"]
    assert own[2][1] == "'=1+1"
    assert [line[-1] for line in own[2:]] == ["split", "_exit", "damaged"]
    assert [(line[0], line[4]) for line in moodle[1:]] == [
        ("Participant 17", "7"), ("Participant 19", ""), ("", ""),
    ]  # fmt: skip
    assert [(line[1], line[5]) for line in canvas[2:]] == [("18", "0"), ("", "")]
    text = tables.report(rows, WANTED)
    assert "0 of 7" in text
    assert text.endswith("look at them yourself: cy, di")


# The feedback page


def test_a_page_tells_no_secret_and_runs_nothing() -> None:
    notebook, _ = prepare(odd.edited(lambda cells: None), WANTED)
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text=f"seed=1902\n{bad}\n")]
            cell.outputs.append(nbformat.v4.new_output("display_data", {"text/html": bad}))
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata["nbgrader"]["score"] = 1
    notebook.cells.append(nbformat.v4.new_markdown_cell(bad))
    notebook.metadata["wslab"]["ended"] = "the kernel ended"
    grades = {"student": "ana<b>", "score": 4.0, "max_score": 7.0}
    html = page.page(notebook, WANTED, grades)
    for secret in ("1902", "HIDDEN", "progress(", "What you have done", "<script", "<img", "<b>"):
        assert secret not in html, secret
    assert "../02_handshake" not in html
    assert "4 of 7" in html
    assert "Judge a request" in html
    assert "did not run to its end: the kernel ended" in html


# The sandbox


def test_a_room_that_shows_the_course_is_not_used(tmp_path: Path) -> None:
    """The system's folders are in every room: a course in there has no isolation."""
    assert sandbox.room(Path("/usr/bin")) in (sandbox.PLAIN, sandbox.OTHER_USER)
    assert sandbox.room(tmp_path).remains
