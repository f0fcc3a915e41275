"""What a cable saw as a sequence diagram: two lifelines, and an arrow for each message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from wslab.lab.wire.row import Row

__all__ = ["Arrow", "SequenceDiagram"]

LABEL = 42  # characters that an arrow carries
LANE = LABEL + 6  # characters between two lifelines, in text


class Arrow(NamedTuple):
    """One message, or one thing that happened to a connection or the cable.

    connection: its number; 0 for what happened to all. way: "→" to the server, "←" to the client,
    "✂" a fault of the cable. kind: as in the transcript. label: what it says, and its size.
    seconds: since the tape's start.
    """

    connection: int
    way: str
    kind: str
    label: str
    seconds: float

    @classmethod
    def of(cls, row: Row) -> Arrow:
        """Read a row of a transcript."""
        way = {"client": "→", "server": "←"}.get(row.who, "✂")
        said = row.meaning.partition("\n")[0]
        size = ""
        if row.kind != "note":
            said = said.replace(" HTTP/1.1", "").removeprefix("HTTP/1.1 ")
            said = said if row.kind == "HTTP" else f"{row.kind} {said}"
            size = f" · {row.size} B" + ("" if row.is_complete else ", not complete")
        room = LABEL - len(size)
        said = said if len(said) <= room else f"{said[: room - 1]}…"
        return cls(row.connection, way, row.kind, said + size, row.seconds)


class SequenceDiagram:
    """The rows of a transcript as arrows between lifelines; several connections side by side.

    arrows: in the order in which they passed. connections: their numbers, from left to right.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.arrows = tuple(Arrow.of(row) for row in rows)
        self.connections = tuple(sorted({arrow.connection for arrow in self.arrows} - {0})) or (1,)

    @property
    def heads(self) -> list[tuple[str, str]]:
        """The names of the lifelines, in pairs."""
        if len(self.connections) == 1:
            return [("client", "server")]
        return [(f"client {number}", f"server {number}") for number in self.connections]

    def __repr__(self) -> str:
        """Draw with characters: the same every time, so times are left out."""
        heads = [f"{client}{server:>{LANE + 2 - len(client)}}" for client, server in self.heads]
        lines = ["   ".join(heads)]
        for arrow in self.arrows:
            lanes = [arrow.connection in (0, number) for number in self.connections]
            drawn = [_drawn(arrow) if is_here else " " * LANE for is_here in lanes]
            lines.append("   ".join(f"│{lane}│" for lane in drawn))
        return "\n".join(lines)


def _drawn(arrow: Arrow) -> str:
    """Draw one arrow as wide as the lane: dashed if no message passed."""
    line = "╌" if arrow.kind == "note" else "─"
    label = f" {arrow.label} "
    match arrow.way:
        case "→":
            return f" {label:{line}^{LANE - 3}}▶ "
        case "←":
            return f" ◀{label:{line}^{LANE - 3}} "
    return f"{f' ✂{label}':{line}^{LANE}}"
