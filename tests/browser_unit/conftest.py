"""The page of a widget, played by a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from wslab.browser import widget
from wslab.lab.loop import process_global


class Page:
    """A widget's part in a page: `says` sends what a page would, `heard` is what came to it."""

    model_id = "0"

    def __init__(self, state: dict[str, Any], says: Callable[[dict[str, Any]], None]) -> None:
        self.state = state
        self.says = says
        self.heard: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        json.dumps(message)  # goes over the wire
        self.heard.append(message)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """The pages of the widgets that a test makes, in order."""
    made: list[Page] = []

    def make(*_files: str, state: dict[str, Any], on_message: Any) -> Page:
        made.append(Page(state, on_message))
        return made[-1]

    monkeypatch.setattr(widget, "make_widget", make)
    for name in ("Browsers", "ChatWidgets"):
        process_global(name, dict[str, Any]).clear()
    return made
