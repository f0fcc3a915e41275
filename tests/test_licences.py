"""The README names a licence for every kind of file in the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = set(
    re.findall(r"`([^`]+)`", (ROOT / "README.md").read_text("utf-8").partition("## Licences")[2])
)
THE_LICENCES = {"LICENSE", "LICENSE-CONTENT"}
FROM_ELSEWHERE = {"socket.io.min.js", "codemirror_yjs.min.js", "confusables.json"}


def kinds() -> set[str]:
    """Return what the names of the files in version control end in; a whole name without a dot."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no clone, so nobody knows which files belong to the course")
    paths = [Path(line) for line in done.stdout.splitlines()]
    return {path.suffix or path.name for path in paths} - THE_LICENCES


def test_every_kind_of_file_has_a_licence() -> None:
    assert kinds() <= NAMED


def test_no_kind_is_named_that_is_not_there() -> None:
    assert kinds() >= NAMED - THE_LICENCES - FROM_ELSEWHERE


def test_the_files_from_elsewhere_are_there_and_have_a_licence() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")
    for name in FROM_ELSEWHERE:
        assert name in NAMED
        assert name in licence
        assert list((ROOT / "wslab").rglob(name))
