"""`make lab` from nothing: what it says, what it installs, and what it does without uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make"),
]

NEEDED = (*("Makefile", "LICENSE", "LICENSE-CONTENT", "README.md", "pyproject.toml"), "wslab")
OFFLINE = "it needs the package index, to install the course"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder with the course, in which nothing was installed yet."""
    ignored = shutil.ignore_patterns("__pycache__")
    for path in (*(ROOT / name for name in NEEDED), *ROOT.glob("*.txt"), ROOT / "notebooks"):
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name, ignore=ignored)
        else:
            shutil.copy(path, tmp_path)
    return tmp_path


def make(course: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run make there, as in a fresh terminal."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PYTHON"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=course, env={**environment, **more}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def fake_python(folder: Path, version: str) -> Path:
    """An interpreter that is too old."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo Python {version} || exit 1\n')
    program.chmod(0o755)
    return program


def test_an_old_python_is_refused_in_two_lines(course: Path) -> None:
    done = make(course, "lab", f"PYTHON={fake_python(course, '3.10.13')}")
    said, remedy = done.stdout.splitlines()
    assert said.startswith("wslab needs Python 3.11 or newer, and ")
    assert said.endswith("is: Python 3.10.13.")
    assert remedy == "Name another one: make lab PYTHON=python3.12"
    assert done.returncode != 0
    assert not (course / ".venv").exists()


def test_a_venv_without_pip_is_made_anew(course: Path) -> None:
    """As uv makes one; also where the Makefile of an earlier version has left its stamp."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", course / ".venv"], check=True)
    (course / ".venv" / ".created").touch()
    (course / "requirements.txt").write_text("")
    (course / "constraints.txt").write_text("")
    done = make(course, ".venv/.lab", f"PYTHON={sys.executable}", PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stdout + done.stderr
    seen, making, *_ = done.stdout.splitlines()
    assert seen == "The .venv that is here has no pip, as when uv has made it."
    assert making.startswith("Making .venv with Python ")


def test_from_nothing_to_jupyterlab(course: Path) -> None:
    lab = ("lab", "LAB_ARGS=--version", f"PYTHON={sys.executable}")
    first = make(course, *lab)
    if first.returncode and "uv did not manage" in first.stdout:
        missing("A package index", OFFLINE)
    assert first.returncode == 0, first.stdout + first.stderr
    steps = ("Making .venv with Python", "Installing uv", "Installing what req", "Opening ")
    *lines, version = first.stdout.splitlines()
    assert len(lines) == len(steps)
    assert all(line.startswith(step) for line, step in zip(lines, steps, strict=True)), lines
    assert version[0].isdigit()  # JupyterLab's own answer to --version

    opening, _ = make(course, *lab).stdout.splitlines()  # nothing is installed twice
    assert opening.startswith("Opening ")

    (course / "requirements.txt").touch()
    without = make(course, *lab, UV_CONFIG_FILE="missing.toml")
    assert "uv did not manage; now pip does the same" in without.stdout
    assert without.returncode == 0, without.stdout + without.stderr
