"""JSON messages: in and out of text, the same for every application."""

from __future__ import annotations

import json

from wslab.kit.resume import Message, ResumeError

__all__ = ["decoded", "encoded"]


def encoded(message: Message) -> str:
    """Return a message as what goes over the wire."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def decoded(data: str | bytes) -> Message:
    """Read what came over the wire; ResumeError if it is no JSON object, or cannot be sent on.

    JSON can write half of a surrogate pair, such as "\\ud800", and UTF-8 cannot: whoever it is
    passed on to would be cut off.
    """
    try:
        message = json.loads(data)
        encoded(message).encode()
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ResumeError("bad message", f"{data[:40]!r} is no JSON object")
    return message
