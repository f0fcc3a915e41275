"""The whole way of an exercise: from its source to students, back, graded, and into a table."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from .tools import KIT, SETS, answers, solved_source, student_copy, submission

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SET = "02_handshake"


def nbgrader(course: Path, *arguments: str) -> str:
    """Run one of nbgrader's commands in a course folder, as a teacher does."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(course / "jupyter")}
    done = subprocess.run(
        command, cwd=course, env=environment, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classroom")
    subprocess.run([sys.executable, str(KIT), "classroom", str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def graded(classroom: Path) -> Path:
    """The course after two students have handed in: Ana solved all, Bo the first two."""
    course = classroom / "course"
    for student, count in (("ana", 99), ("bo", 2)):
        folder = course / "submitted" / student / SET
        folder.mkdir(parents=True)
        nbformat.write(submission(SET, count), folder / f"{SET}.ipynb")
    nbgrader(course, "autograde", SET, "--create")
    nbgrader(course, "export", "--to=grades.csv")
    return course


def grades(course: Path) -> dict[str, dict[str, str]]:
    with (course / "grades.csv").open(newline="") as file:
        rows = csv.DictReader(file)  # one for each student and set
        return {row["student_id"]: row for row in rows if row["assignment"] == SET}


def test_points_are_as_expected(graded: Path) -> None:
    found = grades(graded)
    assert {name: float(row["score"]) for name, row in found.items()} == {"ana": 7.0, "bo": 2.0}
    assert {float(row["max_score"]) for row in found.values()} == {7.0}


def test_graded_notebooks_say_why(graded: Path) -> None:
    path = graded / "autograded" / "bo" / SET / f"{SET}.ipynb"
    errors = [
        output["evalue"].split("\n")[0]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert [line.split(":")[0] for line in errors] == ["○ not attempted"] * 2


def test_nobody_gets_points_by_editing_a_check(classroom: Path, graded: Path) -> None:
    """A student who deletes the checks hands in the stubs and gets nothing."""
    folder = graded / "submitted" / "eve" / SET
    folder.mkdir(parents=True)
    notebook = submission(SET, 0)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "pass"
    nbformat.write(notebook, folder / f"{SET}.ipynb")
    nbgrader(graded, "autograde", SET, "--create", "--student=eve")
    nbgrader(graded, "export", "--to=grades.csv")
    assert float(grades(graded)["eve"]["score"]) == 0.0


def test_an_answer_by_heart_fails_the_hidden_test(graded: Path) -> None:
    """What is right for the visible cases passes in the notebook, and not in grading."""
    by_heart = (
        "def accept_key(key):\n"
        "    import base64, random\n"
        "    from wslab.protocol import accept_key as right\n"
        "    rng = random.Random(0)  # what the visible check draws from\n"
        "    seen = [base64.b64encode(rng.randbytes(16)).decode() for _ in range(4)]\n"
        "    return right(key) if key in ['dGhlIHNhbXBsZSBub25jZQ==', *seen] else '?'"
    )
    folder = graded / "submitted" / "rote" / SET
    folder.mkdir(parents=True)
    notebook = submission(SET, 0, accept_key=by_heart)
    nbformat.write(notebook, folder / f"{SET}.ipynb")
    space: dict[str, Any] = {}
    exec(by_heart, space)
    from wslab.exercises import check

    assert check.handshake.accept_key(space["accept_key"]).solved
    nbgrader(graded, "autograde", SET, "--create", "--student=rote")
    nbgrader(graded, "export", "--to=grades.csv")
    assert float(grades(graded)["rote"]["score"]) == 0.0


def test_files_of_a_learning_platform_are_collected(classroom: Path, graded: Path) -> None:
    archive = graded / "downloaded" / SET / "archive"
    archive.mkdir(parents=True)
    nbformat.write(submission(SET, 1), archive / f"carla_{SET}.ipynb")
    nbgrader(graded, "zip_collect", SET)
    assert (graded / "submitted" / "carla" / SET / f"{SET}.ipynb").is_file()


def test_feedback_is_made(graded: Path) -> None:
    nbgrader(graded, "generate_feedback", SET, "--student=bo")
    page = (graded / "feedback" / "bo" / SET / f"{SET}.html").read_text(encoding="utf-8")
    assert "not attempted: handshake.status" in page


def test_validate_agrees(tmp_path: Path) -> None:
    """`nbgrader validate` finds in a solved copy nothing, in a half solved one what fails.

    One set stands for all: that answers are right, and copies unsolved, is tested elsewhere.
    """
    half = 1
    nbformat.write(submission(SET, 99), tmp_path / "whole.ipynb")
    nbformat.write(submission(SET, half), tmp_path / "half.ipynb")
    said = nbgrader(tmp_path, "validate", "whole.ipynb", "half.ipynb")
    assert said.count("Success!") == 1
    assert f"FAILED ON {len(answers(SET)) - half} CELL(S)" in said


def test_renewing_keeps_grades(classroom: Path, graded: Path) -> None:
    subprocess.run([sys.executable, str(KIT), "classroom", str(classroom)], check=True)
    assert (graded / "gradebook.db").is_file()
    assert (graded / "submitted" / "ana" / SET / f"{SET}.ipynb").is_file()
    nbgrader(graded, "export", "--to=grades.csv")
    assert float(grades(graded)["ana"]["score"]) == 7.0


def test_the_hand_out_has_lessons_and_copies_and_no_solution(classroom: Path) -> None:
    archive = zipfile.ZipFile(classroom / "handout.zip")
    files = set(archive.namelist())
    assert f"wslab/notebooks/exercises/{SET}.ipynb" in files
    assert "wslab/notebooks/02_handshake.ipynb" in files
    assert "wslab/requirements.txt" in files
    assert "wslab/wslab/exercises/sets/handshake.py" in files
    assert not [name for name in files if "/source/" in name or "/tests/" in name]
    for name in files:
        text = archive.read(name).decode(errors="replace")
        if name.endswith(".ipynb"):
            assert "BEGIN SOLUTION" not in text
            assert "HIDDEN TESTS" not in text


def test_the_hand_out_is_a_course(classroom: Path) -> None:
    """Its `wslab` is whole: the checks run from there."""
    folder = classroom / "handout" / "wslab"
    code = "from wslab.exercises import check; print(check.handshake.serve.title)"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import wslab; print(wslab.__file__); " + code],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    where, title = done.stdout.splitlines()
    assert Path(where).is_relative_to(folder)
    assert title == "Serve the handshake"


# The student copies


def test_student_copies_are_what_the_sources_make(tmp_path: Path) -> None:
    from .tools import kit

    made = kit.student_copies()
    assert sorted(made) == [f"{name}.ipynb" for name in SETS]
    for name, text in made.items():
        assert student_copy(name[:-6]).read_text(encoding="utf-8") == text, "make exercises"


def marked(source: str) -> list[str]:
    """The lines between BEGIN and END marks, of solutions and hidden tests."""
    lines, inside = [], False
    for line in source.splitlines():
        if "### BEGIN" in line or "### END" in line:
            inside = "BEGIN" in line
        elif inside and len(line.strip()) > 12:
            lines.append(line.strip())
    return lines


@pytest.mark.parametrize("name", SETS)
def test_student_copies_hold_no_solution(name: str) -> None:
    copy = nbformat.read(student_copy(name), as_version=4)
    code = [line.strip() for c in copy.cells for line in c.source.splitlines()]
    secrets = [line for cell in solved_source(name).cells for line in marked(cell.source)]
    assert len(secrets) >= 15
    assert set(secrets).isdisjoint(code)
    text = json.dumps(copy)
    assert not [word for word in ("SOLUTION", "HIDDEN", "seed=") if word in text]
    assert all(not cell.get("outputs") for cell in copy.cells)


@pytest.mark.parametrize("name", SETS)
def test_the_search_for_solutions_finds_them(name: str) -> None:
    """The test above can fail: the source itself holds what it looks for."""
    code = {line.strip() for c in solved_source(name).cells for line in c.source.splitlines()}
    assert [line for cell in solved_source(name).cells for line in marked(cell.source)]
    assert set(marked(solved_source(name).cells[3].source)) <= code


def test_quiet_switches_nbgrader_off_in_jupyterlab(tmp_path: Path) -> None:
    from .tools import kit

    (tmp_path / "jupyter_server_config.json").write_text('{"ServerApp": {"port": 9000}}')
    for _ in range(2):
        kit.quiet(tmp_path)
    settings = json.loads((tmp_path / "jupyter_server_config.json").read_text())["ServerApp"]
    assert settings["port"] == 9000
    assert set(settings["jpserver_extensions"].values()) == {False}
    page = json.loads((tmp_path / "labconfig" / "page_config.json").read_text())
    assert page == {"disabledExtensions": {"@jupyter/nbgrader": True}}


@pytest.mark.parametrize("name", SETS)
def test_the_guide_has_every_lesson(name: str) -> None:
    guide = (KIT.parent / "TEACHING.md").read_text(encoding="utf-8")
    (section,) = [part for part in guide.split("\n## ") if part.startswith(f"{name[:2]} · ")]
    for what in ("Minutes", "Misconceptions", "Discuss", "Show", "Exercises"):
        assert f"- **{what}:**" in section
