"""The events and errors of a server, kept until a cell shows them.

No thread prints, because the output of a thread lands in whichever cell happens to run, torn in the
middle of a line. So everything that a handler does is recorded here, and a later cell renders it.
"""

from __future__ import annotations

import asyncio
import functools
import os
import traceback
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex, overload

import websockets

from wslab.lab.tables import LAYOUT, escaped, shortened, text_table

__all__ = ["Events", "HandlerError", "Record"]

TRACEBACK = 20_000  # characters


class Record(NamedTuple):
    """One thing that happened on a server.

    connection: 1, 2, … in the order in which they came. The server itself is 0.
    kind: "open", "print", "error", "close", or a word of the server's own.
    text: the details, cut if they are very long.
    """

    connection: int
    kind: str
    text: str


class Events(list[Record]):
    """The newest events in the order in which they happened; they print as a table."""

    LIMIT = 10_000
    TEXT = 1_000  # characters of an event

    def add(self, event: Record) -> None:
        """Add an event, and cut a long text; if there are too many, drop the oldest tenth."""
        note = f"not kept: an event has {self.TEXT:,}, a cable's transcript has all bytes"
        self.append(event._replace(text=shortened(event.text, self.TEXT, note)))
        if len(self) > self.LIMIT:
            del self[: self.LIMIT // 10]

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Record: ...
    @overload
    def __getitem__(self, index: slice, /) -> Events: ...
    def __getitem__(self, index: Any, /) -> Any:
        """Return an event, or a slice as Events."""
        found = super().__getitem__(index)
        return Events(found) if isinstance(index, slice) else found

    def only(self, kind: str | None = None, connection: int | None = None) -> Events:
        """Return the events of one kind, of one connection, or both."""
        return Events(
            event
            for event in self
            if kind in (None, event.kind) and connection in (None, event.connection)
        )

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the table's cells: connection, event, text."""
        return [(str(event.connection or ""), event.kind, event.text) for event in self]

    def __repr__(self) -> str:
        """Render as a table, the same every time."""
        return text_table(("connection", "event", "text"), self.rows()) if self else "no events"


class HandlerError(NamedTuple):
    """An exception that a handler did not catch; prints its own lines of the traceback.

    what: "The handler", or "A task" or "A thread" that it had started, whichever raised it.
    """

    server: str
    connection: int
    exception: BaseException
    traceback: str
    what: str = "The handler"

    @classmethod
    def of(
        cls, server: str, connection: int, exception: BaseException, what: str = "The handler"
    ) -> HandlerError:
        """Keep an exception, with its traceback without the lab's and the library's frames."""
        lines = traceback.TracebackException.from_exception(exception)
        _keep_own_frames(lines)
        text = shortened("".join(lines.format()), TRACEBACK, "see .exception")
        return cls(server, connection, exception, text, what)

    def __repr__(self) -> str:
        """Say which handler failed, and show its traceback."""
        where = f"{self.what} of server {self.server!r} raised"
        where += f" on connection {self.connection}:" if self.connection else ":"
        return f"{where}\n{escaped(self.traceback.rstrip(), keep=LAYOUT)}"


def _keep_own_frames(lines: traceback.TracebackException) -> None:
    own = [frame for frame in lines.stack if not frame.filename.startswith(_foreign_folders())]
    for frame in own:
        if "ipykernel_" in frame.filename or frame.filename.startswith("<ipython-input-"):
            frame.filename = "a cell of this notebook"
    lines.stack = traceback.StackSummary.from_list(own)
    for other in (lines.__cause__, lines.__context__, *(lines.exceptions or ())):
        if other is not None:
            _keep_own_frames(other)


@functools.cache
def _foreign_folders() -> tuple[str, ...]:
    """Return the folders of the lab's, the library's and asyncio's own code."""
    libraries = (asyncio.__file__, websockets.__file__)
    folders = (Path(__file__).parents[1], *(Path(file or "?").parent for file in libraries))
    return tuple(f"{folder}{os.sep}" for folder in folders)
