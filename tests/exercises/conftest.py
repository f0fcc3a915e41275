"""No test of exercises touches the user's progress."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where progress is kept during a test."""
    path = tmp_path / "data" / "progress.jsonl"
    monkeypatch.setenv("WSLAB_PROGRESS", str(path))
    return path


# On a busy machine, an interrupt may come as a loop is being tidied up: then the check's own
# connections are closed by the garbage collector. That has to happen here, not in a later test.
@pytest.fixture
def tidy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Collect what an interrupted check has left half done, at once, and say nothing of it."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pytest's would keep it
    gc.freeze()  # what was there before is not looked through: that takes a second
    yield
    gc.collect()
    gc.unfreeze()
