"""The learner's progress, in a file of the learner's own with one line for each event.

The file is `progress.jsonl` in the user's data folder (on Linux `~/.local/share/wslab`). The
variable WSLAB_PROGRESS names a different file, or is "off". Nothing is sent anywhere. Lines are
only appended, so two notebooks can write at once, and an unreadable line spoils no other line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wslab.exercises.engine.verdict import Outcome

__all__ = ["Standing", "forget", "location", "note", "note_prediction", "predictions", "standings"]


@dataclass(frozen=True)
class Standing:
    """The best outcome of one task so far, and the day on which it was reached."""

    outcome: Outcome
    day: str


def location() -> Path | None:
    """Return the file that keeps the progress; None if that is switched off."""
    named = os.environ.get("WSLAB_PROGRESS", "")
    if named.lower() == "off":
        return None
    if named:
        return Path(named)
    from platformdirs import user_data_path  # needed only if something is solved

    return user_data_path("wslab", appauthor=False) / "progress.jsonl"


def note(task: str, outcome: Outcome) -> None:
    """Keep an outcome if it is the first one, or better; a file that cannot be written is left."""
    if outcome is Outcome.NOT_ATTEMPTED or (path := location()) is None:
        return
    known = standings().get(task)
    if known is None or (outcome is Outcome.SOLVED and known.outcome is not Outcome.SOLVED):
        _append(path, {"task": task, "outcome": outcome.name})


def forget(task: str) -> None:
    """Forget one task."""
    if (path := location()) is not None and task in standings():
        _append(path, {"task": task, "outcome": None})


def note_prediction(question: str, is_right: bool) -> None:
    """Keep that a prediction was made, and whether it was right."""
    if (path := location()) is not None:
        _append(path, {"prediction": question, "right": is_right})


def _append(path: Path, entry: dict[str, str | bool | None]) -> None:
    entry["day"] = datetime.now(UTC).astimezone().date().isoformat()
    line = json.dumps(entry) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            # If the last line was cut off, begin a new one, so that this entry can be read.
            file.write(b"\n" * _is_cut_off(path) + line.encode())
    except OSError:
        pass  # a check must not fail because a disk is full; the table shows the entries kept


def _is_cut_off(path: Path) -> bool:
    data = path.read_bytes()[-1:]
    return data not in (b"", b"\n")


def _entries() -> Iterator[dict[str, Any]]:
    """Yield the entry of each line that can be read."""
    path = location()
    try:
        lines = path.read_bytes().splitlines() if path else []
    except OSError:
        return
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def standings() -> dict[str, Standing]:
    """Return the standing of each task that was tried."""
    found: dict[str, Standing] = {}
    for entry in _entries():
        try:
            task, outcome, day = entry["task"], entry["outcome"], str(entry["day"])
            if outcome is None:
                found.pop(task, None)
            else:
                found[task] = Standing(Outcome[outcome], day)
        except (TypeError, KeyError):
            continue
    return found


def predictions() -> dict[str, bool]:
    """Return for each question that was answered whether the first prediction was right."""
    found: dict[str, bool] = {}
    for entry in _entries():
        if isinstance(question := entry.get("prediction"), str):
            found.setdefault(question, entry.get("right") is True)
    return found
