"""What the dice's messages say, in a transcript."""

from __future__ import annotations

__all__ = ["DiceRows"]


class DiceRows:
    """The dissector of the dice."""

    def recognises(self, request: bytes) -> bool:
        """Tell whether a request is for the dice."""
        return request.startswith(b"GET /dice ")

    def body(self, payload: bytes, *, is_complete: bool) -> str:
        """Describe an HTTP body: there is none to describe."""
        return ""

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe a message."""
        return f"the dice show {payload.decode()}" if payload.isdigit() else ""
