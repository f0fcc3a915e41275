"""No test of exercises touches the user's progress."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where progress is kept during a test."""
    path = tmp_path / "data" / "progress.jsonl"
    monkeypatch.setenv("WSLAB_PROGRESS", str(path))
    return path
