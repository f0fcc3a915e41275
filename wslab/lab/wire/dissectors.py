"""Dissectors explain messages of protocols on top of WebSocket and HTTP to a transcript.

The bench itself has none. An application registers its own when it is imported:

    register("engine.io", EngineIO())

A connection belongs to the first dissector that recognises its request.
"""

from __future__ import annotations

from typing import Protocol

from wslab.lab.loop import process_global

__all__ = ["Dissector", "dissector_of", "register"]


class Dissector(Protocol):
    """Explains the messages of one protocol."""

    def recognises(self, request: bytes) -> bool:
        """Tell whether an HTTP request with this head opens a conversation of this protocol."""

    def body(self, payload: bytes, *, is_complete: bool) -> str:
        """Describe an HTTP body; empty, as by default, if there is nothing to add to its bytes."""
        return ""

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe the payload of an unfragmented message; empty in the same case."""


def _register() -> dict[str, Dissector]:
    return process_global("dissectors", dict[str, Dissector])


def register(name: str, dissector: Dissector) -> None:
    """Add a dissector; it replaces one of the same name, so that a module can be reloaded."""
    _register()[name] = dissector


def dissector_of(request: bytes) -> Dissector | None:
    """Return the dissector for a connection whose HTTP request has this head, if there is one."""
    return next((each for each in _register().values() if each.recognises(request)), None)
