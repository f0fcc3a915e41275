"""From one source per exercise set to what students get, and what teachers keep.

    python notebooks/exercises/kit.py students            the student copies, beside this file
    python notebooks/exercises/kit.py classroom FOLDER    a teacher's course, and what to hand out
    python notebooks/exercises/kit.py quiet               no nbgrader buttons in this JupyterLab

A source is `source/NAME/NAME.ipynb` in nbgrader's format. Solutions and hidden tests are between
BEGIN and END marks; nbgrader takes them out.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import cheatsheet
import nbformat
from jupyter_core.paths import ENV_CONFIG_PATH

from wslab.exercises.copies import blank

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCE = HERE / "source"
CONFIG = HERE / "nbgrader_config.py"
GRADING = HERE / "grading"

# What a student needs of the course: the lessons without outputs, the student copies, the bench.
HANDED_OUT = (
    *("LICENSE", "LICENSE-CONTENT", "constraints.txt", "pyproject.toml", "requirements.txt"),
    *("notebooks", "wslab"),
)
# What a student must not get, and what nobody needs.
KEPT_BACK = ("source", "grading", "*.md", "kit.py", "cheatsheet.py", "slides.py")
KEPT_BACK += ("conftest.py", "nbgrader_config.py")
LITTER = ("__pycache__", ".*", "*.pyc", "untitled*")


def names() -> list[str]:
    """The sets, in the order of the lessons."""
    return sorted(path.stem for path in SOURCE.glob("*/*.ipynb"))


def generate(course: Path) -> None:
    """Let nbgrader make `release` from `source` in a course folder."""
    from nbgrader.apps import NbGraderAPI  # needed by teachers only
    from traitlets.config import PyFileConfigLoader

    shutil.copytree(SOURCE, course / "source", dirs_exist_ok=True, ignore=ignore(*LITTER))
    shutil.copy(CONFIG, course)
    shutil.copytree(GRADING, course / "grading", dirs_exist_ok=True, ignore=ignore(*LITTER))
    config = PyFileConfigLoader(CONFIG.name, path=str(course)).load_config()
    config.CourseDirectory.root = str(course)
    api = NbGraderAPI(config=config)
    for name in names():
        result = api.generate_assignment(name, force=True, create=True)
        if not result["success"]:
            sys.exit(f"{name}: {result.get('error', '')}\n{result.get('log', '')}")


def ignore(*patterns: str) -> object:
    return shutil.ignore_patterns(*patterns)


def student_copies(course: Path) -> dict[str, str]:
    """Return a course's student copies as texts, by the names of their files."""
    release = course / "release"
    return {f"{name}.ipynb": plain(release / name / f"{name}.ipynb") for name in names()}


def plain(path: Path) -> str:
    """Return a notebook as the same text every time."""
    notebook = nbformat.read(path, as_version=4)
    kept = ("kernelspec", "language_info")
    notebook.metadata = {key: notebook.metadata[key] for key in kept}
    return nbformat.writes(notebook) + "\n"


def write_student_copies() -> None:
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        for name, text in student_copies(Path(folder)).items():
            (HERE / name).write_text(text, encoding="utf-8", newline="\n")
            print(f"notebooks/exercises/{name}")


def classroom(folder: Path) -> None:
    """Make, or renew, what a teacher works with; submissions and grades are left alone."""
    course, handout = folder / "course", folder / "handout"
    course.mkdir(parents=True, exist_ok=True)
    generate(course)
    shutil.copy(HERE / "TEACHING.md", course)
    course.chmod(0o700)  # it holds the solutions
    shutil.copy(GRADING / "README.md", folder)
    if handout.exists():
        shutil.rmtree(handout)
    hand_out(handout / "wslab")
    cheatsheet.write(handout / "wslab" / "cheatsheet.html")
    for name, text in student_copies(course).items():
        target = handout / "wslab" / "notebooks" / "exercises" / name
        target.write_text(text, encoding="utf-8", newline="\n")
    for path in (handout / "wslab" / "notebooks").rglob("*.ipynb"):
        cut_dead_links(path)
        path.write_text(blank(path), encoding="utf-8", newline="\n")
    shutil.make_archive(str(handout), "zip", handout)
    print(f"{folder / 'README.md'} says what to do with it")


def hand_out(target: Path) -> None:
    target.mkdir(parents=True)
    for name in HANDED_OUT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore(*LITTER, *KEPT_BACK))
        elif source.exists():
            shutil.copy(source, target)
    shutil.copy(GRADING / "HANDOUT.md", target / "README.md")
    shutil.copy(GRADING / "Makefile.handout", target / "Makefile")


def cut_dead_links(path: Path) -> None:
    """Leave the text of links to what is not handed out, such as tests and benchmarks."""

    def living(match: re.Match[str]) -> str:
        there = "://" in match[2] or not match[2] or (path.parent / match[2]).exists()
        return match[0] if there else match[1]

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[([^\]]*)\]\(([^)#]*)(#[^)]*)?\)", living, cell.source)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def quiet(config: Path = Path(ENV_CONFIG_PATH[0])) -> None:
    """Switch off nbgrader's parts of JupyterLab in this environment: the course uses its commands.

    Otherwise JupyterLab starts with a warning (there is no course in this folder) and takes a
    second longer, and a learner has menus that lead nowhere.
    """
    extensions = ("assignment_list", "course_list", "formgrader", "validate_assignment")
    off = {f"nbgrader.server_extensions.{name}": False for name in extensions}
    merge(config / "jupyter_server_config.json", {"ServerApp": {"jpserver_extensions": off}})
    page = {"disabledExtensions": {"@jupyter/nbgrader": True}}
    merge(config / "labconfig" / "page_config.json", page)


def merge(path: Path, more: dict[str, dict[str, object]]) -> None:
    """Add entries to a JSON file of settings."""
    settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for section, values in more.items():
        mine = settings.setdefault(section, {})
        for key, value in values.items():
            old = mine.get(key)
            mine[key] = {**old, **value} if isinstance(old, dict) else value  # type: ignore[dict-item]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Exercises: from sources to students.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("students", help="make the student copies")
    commands.add_parser("quiet", help="switch off nbgrader's parts of JupyterLab")
    make = commands.add_parser("classroom", help="make a teacher's folder")
    make.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "students":
        write_student_copies()
    elif options.command == "quiet":
        quiet()
    else:
        classroom(options.folder)


if __name__ == "__main__":
    main()
