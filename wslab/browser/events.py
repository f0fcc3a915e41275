"""The browser's own events in the page, as values.

They have the same names and attributes as in JavaScript, so that the page's view and Python's view
can be compared. We add `connection`, because a page may open one after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, SupportsIndex, overload

from wslab.lab.tables import hex_bytes, printable, text_table
from wslab.protocol.errors import quantity

__all__ = ["CloseEvent", "DOMException", "Event", "MessageEvent", "PageEvents", "event_of"]


@dataclass(frozen=True)
class Event:
    """An `open` or `error` event; browsers tell nothing more about an `error`, on purpose.

    connection: 1, 2, … in the order in which the page opened them; 0 for none.
    type: the event's name.
    """

    connection: int
    type: str

    @property
    def text(self) -> str:
        """Its details as text."""
        return ""


@dataclass(frozen=True)
class MessageEvent(Event):
    """A `message` event.

    data: the text or the bytes; only the beginning of a long message.
    size: its full size, in characters or bytes as JavaScript counts them.
    """

    data: str | bytes
    size: int

    @property
    def text(self) -> str:
        """Show the message, or the beginning of it."""
        if isinstance(self.data, bytes):
            return f"{quantity(self.size, 'byte')}: {hex_bytes(self.data)}"
        return printable(self.data)


@dataclass(frozen=True)
class CloseEvent(Event):
    """A `close` event.

    code, reason: from the peer's Close frame; code is 1005 if it had none, 1006 without a frame.
    wasClean: True if both sides said goodbye.
    """

    code: int
    reason: str
    wasClean: bool

    @property
    def text(self) -> str:
        """Write its three attributes as JavaScript would."""
        clean = str(self.wasClean).lower()
        return f"code {self.code}, reason {printable(self.reason)}, wasClean {clean}"


@dataclass(frozen=True)
class DOMException(Event):
    """An exception, not an event, from a call such as `socket.send()`. Its type is "exception".

    name: such as "InvalidStateError". message: the text, which differs from browser to browser.
    """

    name: str
    message: str

    @property
    def text(self) -> str:
        """Write it as the browser's console does."""
        return f"{self.name}: {printable(self.message, 200)}"


class PageEvents(list[Event]):
    """The events in the order in which they happened; they print as a table.

    dropped: how many are missing, either old ones, or messages that came too fast for the page.
    """

    dropped: int = 0

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Event: ...
    @overload
    def __getitem__(self, index: slice, /) -> PageEvents: ...
    def __getitem__(self, index: Any, /) -> Any:
        """Return an event, or a slice as PageEvents."""
        found = super().__getitem__(index)
        return PageEvents(found) if isinstance(index, slice) else found

    def only(self, type: str) -> PageEvents:
        """Return the events of one type."""
        return PageEvents(event for event in self if event.type == type)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the table's cells: connection, event, details."""
        return [(str(event.connection or ""), event.type, event.text) for event in self]

    def __repr__(self) -> str:
        """Render as a table, the same every time."""
        return text_table(("connection", "event", "says"), self.rows()) if self else "no events"


def event_of(report: Mapping[str, Any]) -> Event:
    """Turn a report of the page into a value.

    >>> event_of({"connection": 1, "type": "close", "code": 1006, "reason": "", "wasClean": False})
    CloseEvent(connection=1, type='close', code=1006, reason='', wasClean=False)
    """
    connection, kind = int(report["connection"]), str(report["type"])
    if kind == "message":
        data = bytes.fromhex(report["hex"]) if "hex" in report else str(report["data"])
        return MessageEvent(connection, kind, data, int(report["size"]))
    if kind == "close":
        code, reason = int(report["code"]), str(report["reason"])
        return CloseEvent(connection, kind, code, reason, bool(report["wasClean"]))
    if kind == "exception":
        return DOMException(connection, kind, str(report["name"]), str(report["message"]))
    return Event(connection, kind)
