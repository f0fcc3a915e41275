"""The whole way of an exercise: from its source to students, back, graded, and into a table."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

from . import odd
from .tools import KIT, NOTEBOOKS, SETS, kit, solved_source, student_copy, submission

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


# An answer that looks around, and shows a great deal
CURIOUS = """
import inspect, os, sys

def choose(offered, spoken):
    seeds = [frame.frame.f_locals.get("seed") for frame in inspect.stack()]
    print("seeds", seeds, get_ipython().user_ns["In"][-1])
    return next((name for name in offered if name in spoken), None)

print(sorted(os.listdir(".")))
for folder in ("../../../source", "../../..", COURSE, "/work", "/home", "/root"):
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".ipynb", "gradebook.db")) and "site-packages" not in path:
                print(os.path.join(path, name))
print("x" * 50_000_000)
"""

# The visible cases by heart, and a check of one's own making
BY_HEART = """
def accept_key(key):
    import base64, hashlib, random
    rng = random.Random(0)  # what the visible check draws from
    seen = [base64.b64encode(rng.randbytes(16)).decode() for _ in range(4)]
    if key not in ['dGhlIHNhbXBsZSBub25jZQ==', *seen]: return '?'
    both = (key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()
    return base64.b64encode(hashlib.sha1(both).digest()).decode()
"""
OWN_CHECK = """
class Yes:
    def __getattr__(self, name): return self
    def __call__(self, *args, **options): return self
check = Yes()
def choose(offered, spoken): pass
"""


def hand_in(course: Path, student: str, data: bytes, name: str = f"{SET}.ipynb") -> None:
    path = course / "submitted" / student / SET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def grading(course: Path, *arguments: str) -> str:
    """Run one of our commands in a course folder, as a teacher does."""
    command = [sys.executable, "-W", "ignore", "-m", "grading", *arguments]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def report(classroom: Path) -> str:
    """What `grade` says of six odd submissions among three good ones."""
    course = classroom / "course"
    split = odd.edited(lambda cells: (odd.split(cells, "status", "    connection ="), cells.pop(1)))
    curious = f"COURSE = {str(course)!r}\n{CURIOUS}"
    hand_in(course, "ana", odd.written(submission(SET, 99)))
    hand_in(course, "bo", odd.written(submission(SET, 2)))
    hand_in(course, "cy", b"\xef\xbb\xbf" + split, "my homework (1).ipynb")
    hand_in(course, "di", odd.edited(lambda cells: None, 1, choose=odd.EXIT))
    hand_in(course, "eve", odd.edited(lambda cells: None, 1, choose=curious))
    hand_in(course, "fay", odd.UNREADABLE["half"])
    hand_in(course, "gus", b"%PDF", "homework.pdf")
    link = course / "submitted" / "hal" / SET / f"{SET}.ipynb"
    link.parent.mkdir(parents=True)
    link.symlink_to(course / "source" / SET / f"{SET}.ipynb")
    hand_in(course, "ivo", odd.edited(lambda cells: None, 0, accept_key=BY_HEART, choose=OWN_CHECK))
    (course / "submitted" / "jo").mkdir()
    return grading(course, "grade", SET)


@pytest.fixture(scope="module")
def graded(classroom: Path, report: str) -> Path:
    return classroom / "course"


def results(course: Path, table: str = f"{SET}.csv") -> dict[str, dict[str, str]]:
    with (course / "grades" / table).open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_everybody_has_a_state_and_the_points_that_are_known(graded: Path) -> None:
    assert {name: (row["state"], row["points"]) for name, row in results(graded).items()} == {
        "ana": ("graded", "7"),
        "bo": ("graded", "2"),
        "cy": ("repaired", "7"),
        "di": ("ended early", ""),
        "eve": ("graded", "2"),
        "fay": ("unreadable", ""),
        "gus": ("unreadable", ""),
        "hal": ("unreadable", ""),
        "ivo": ("graded", "0"),
        "jo": ("not handed in", ""),
    }


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("cy", "byte order mark"),
        ("cy", "was split"),
        ("cy", "Code that the set gives"),
        ("cy", "my homework (1).ipynb was taken"),
        ("di", "the kernel ended"),
        ("di", "Points until then: 1."),
        ("fay", "damaged"),
        ("gus", "homework.pdf"),
        ("hal", "is a link"),
    ],
)
def test_the_reason_is_in_the_report_and_in_every_table(
    graded: Path, report: str, student: str, reason: str
) -> None:
    assert reason in results(graded)[student]["reason"]
    assert reason in report
    moodle = (graded / "grades" / f"{SET}.moodle.csv").read_text(encoding="utf-8")
    assert reason in moodle


def test_the_tables_have_every_task(graded: Path) -> None:
    row = results(graded)["bo"]
    assert [row[key] for key in row if "." in key] == ["1", "1", "0", "0"]


def test_nbgraders_own_export_shows_no_zero_either(graded: Path) -> None:
    nbgrader(graded, "export", "--to=all.csv")
    with (graded / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file) if row["assignment"] == SET}
    assert rows["ana"]["score"] == "7.0"
    assert (rows["di"]["score"], rows["di"]["state"]) == ("", "ended early")
    assert "the kernel ended" in rows["di"]["reason"]


def test_graded_notebooks_say_why(graded: Path) -> None:
    path = graded / "autograded" / "bo" / SET / f"{SET}.ipynb"
    errors = [
        output["evalue"].split("\n")[0]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert [line.split(":")[0] for line in errors] == ["○ not attempted yet"] * 2


def test_an_answer_by_heart_passes_in_the_notebook_only(classroom: Path) -> None:
    """Why `ivo` has nothing: his answer is right for what he could see."""
    from wslab.exercises import check

    space: dict[str, Any] = {}
    exec(BY_HEART, space)
    assert check.handshake.accept_key(space["accept_key"]).solved


def test_an_answer_sees_its_own_folder_only(graded: Path, report: str) -> None:
    if "Isolation: none" in report:
        bwrap = shutil.which("bwrap")
        works = bwrap and subprocess.run([bwrap, "--ro-bind", "/", "/", "true"], check=False)
        assert not works or works.returncode != 0, "bubblewrap works, and was not used"
        pytest.skip("no isolation here: apt install bubblewrap, and allow user namespaces")
    path = graded / "autograded" / "eve" / SET / f"{SET}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    (said,) = ["".join(o.text for o in c.outputs) for c in cells if "os.walk" in c.source]
    seen = [path for path in said.split() if path.endswith((".ipynb", "gradebook.db"))]
    assert {Path(path).parent.name.partition("-")[0] for path in seen} <= {"grading"}  # its own
    assert "['.home', '02_handshake.ipynb']" in said


def test_feedback_is_short_and_tells_nothing_of_hidden_tests(graded: Path) -> None:
    page = (graded / "feedback" / "eve" / SET / f"{SET}.html").read_text(encoding="utf-8")
    assert len(page) < 200_000
    assert "left out" in page
    for secret in ("HIDDEN", "seed=", "0 of 4", "1902", "check-choose"):
        assert secret not in page
    for task in ("Compute the accept value", "Choose a subprotocol", "Judge a request"):
        assert task in page
    assert "not attempted yet: handshake.status" in page


def test_feedback_says_what_could_not_be_graded(graded: Path) -> None:
    page = (graded / "feedback" / "fay" / SET / f"{SET}.html").read_text(encoding="utf-8")
    assert "Not graded. The file is not a notebook" in page


def test_a_second_hand_in_is_graded_and_nobody_else(graded: Path) -> None:
    """From the platform's archive; what an unreadable file replaces is no longer counted."""
    before = (graded / "autograded" / "ana" / SET / f"{SET}.ipynb").stat().st_mtime_ns
    hand_in(graded, "bo", b"")
    (graded / f"jo_{SET}-1.ipynb").write_bytes(odd.written(submission(SET, 1)))
    grading(graded, "collect", SET, f"jo_{SET}-1.ipynb")
    grading(graded, "grade", SET)
    found = results(graded)
    assert (found["bo"]["state"], found["bo"]["points"]) == ("unreadable", "")
    assert (found["jo"]["state"], found["jo"]["points"]) == ("graded", "1")
    assert "my homework" in found["cy"]["reason"]
    assert (graded / "autograded" / "ana" / SET / f"{SET}.ipynb").stat().st_mtime_ns == before


def test_nbgraders_own_command_takes_the_same_steps(graded: Path) -> None:
    """So do formgrader's buttons. A right answer causes no warning."""
    said = nbgrader(graded, "autograde", SET, "--force", "--student=ana")
    assert "has changed" not in said
    assert "WARNING" not in said.replace("WARNING] Removing existing assignment", "")


def test_validate_agrees(tmp_path: Path) -> None:
    """`nbgrader validate` finds in a solved copy nothing, and in another one what is wrong.

    One set stands for all: that answers are right, and copies unsolved, is tested elsewhere.
    """
    wrong = {"choose": "choose = min", "status": "def status(request):\n    return 0"}
    nbformat.write(submission(SET, 99), tmp_path / "whole.ipynb")
    nbformat.write(submission(SET, 1, **wrong), tmp_path / "wrong.ipynb")
    said = nbgrader(tmp_path, "validate", "whole.ipynb", "wrong.ipynb")
    assert said.count("Success!") == 1
    assert f"FAILED ON {len(wrong)} CELL(S)" in said


def test_renewing_keeps_grades(
    classroom: Path, graded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "names", lambda: [SET])  # nobody has handed in another one
    monkeypatch.setenv("PATH", os.environ["PATH"])  # Jupyter adds to it
    kit.classroom(classroom)
    assert (graded / "gradebook.db").is_file()
    assert (graded / "submitted" / "ana" / SET / f"{SET}.ipynb").is_file()
    nbgrader(graded, "export", "--to=all.csv")
    assert "7.0" in (graded / "all.csv").read_text(encoding="utf-8")


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


def test_the_hand_out_shows_no_answer_to_a_prediction(classroom: Path) -> None:
    """Its lessons are a learner's copies: complete, and without outputs."""
    folder = classroom / "handout" / "wslab" / "notebooks"
    lessons = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert {path.name for path in folder.glob("*.ipynb")} == {path.name for path in lessons}
    for path in lessons:
        copy = nbformat.read(folder / path.name, as_version=4)
        nbformat.validate(copy)
        code = [cell for cell in copy.cells if cell.cell_type == "code"]
        assert not [cell for cell in code if cell.outputs or cell.execution_count is not None]
        recorded = nbformat.read(path, as_version=4).cells
        assert [c.source for c in code] == [c.source for c in recorded if c.cell_type == "code"]


def test_the_hand_out_does_not_explain_hidden_tests(classroom: Path) -> None:
    archive = zipfile.ZipFile(classroom / "handout.zip")
    for name in archive.namelist():
        if name.endswith((".md", ".txt", ".toml", "Makefile", ".ipynb")):
            text = archive.read(name).decode()
            for word in ("idden test", "HIDDEN", "nbgrader_config", "exercises/source", "kit.py"):
                assert word not in text, (name, word)


def test_the_hand_out_has_no_dead_link(classroom: Path) -> None:
    folder = classroom / "handout" / "wslab"
    found = 0
    for path in (*folder.rglob("*.ipynb"), *folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in link:
                found += 1
                assert (path.parent / link).exists(), (path.name, link)
    assert found > 50


def test_the_hand_out_has_a_readme_and_targets_of_its_own(classroom: Path) -> None:
    folder = classroom / "handout" / "wslab"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) < 80
    commands = re.findall(r"`make ([a-z]+)`", readme)
    assert commands == ["lab"]
    for target in re.findall(r"(?m)^([a-z]+):", (folder / "Makefile").read_text()):
        assert target in commands
        if make := shutil.which("make"):
            subprocess.run([make, "-n", target], cwd=folder, check=True, capture_output=True)


def test_a_licence_is_named_for_every_kind_of_file(classroom: Path) -> None:
    folder = classroom / "handout" / "wslab"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Licences")[2]
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("LICENSE", "LICENSE-CONTENT", "py.typed"):
            kind = path.suffix if path.name != "README.md" else "this file"
            assert f"`{kind or path.name}`" in table or kind in table, path.name


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


def test_student_copies_are_what_the_sources_make(classroom: Path) -> None:
    made = kit.student_copies(classroom / "course")
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
