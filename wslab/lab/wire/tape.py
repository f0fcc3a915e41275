"""The bytes that passed through a cable, cut where HTTP messages, frames and TLS records begin.

A tape keeps the beginning of everything and only counts the rest. Keeping every byte of a bulk
transfer would cost most of its speed (benchmarks/cable.py). Nothing is decoded here. `tracker`
finds where the next message starts, and `transcript` decodes when asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wslab.net.clock import now

__all__ = ["Kind", "Piece", "Side", "Tape", "Who"]

Side = Literal["client", "server"]
Who = Literal["client", "server", "cable"]
Kind = Literal["http", "body", "chunk", "frame", "raw", "early", "tls", "note"]

PIECES = 10_000  # pieces kept on a tape


@dataclass(slots=True)
class Piece:
    """One message on the tape: a header, a body, a chunk, a frame, a TLS record, or a note.

    It can also be raw bytes, as TCP delivered them. Bytes are "early" if a client sent them before
    the server's answer told their kind.

    connection: 1, 2, … as the cable met them. side: the sender; "cable" for a remark.
    time: when its first byte came, by the clock of the tape.
    head: its first bytes, all of a header and about `KEEP` bytes more.
    size: bytes that passed so far. total: bytes that it announces; None if that is not known.
    start: its place among the bytes of its side.
    """

    connection: int
    side: Who
    kind: Kind
    time: float
    head: bytes = b""
    size: int = 0
    total: int | None = None
    start: int = 0


class Tape:
    """The newest `limit` pieces of all connections of a cable.

    sent: bytes that each side sent, including dropped ones. dropped: pieces no longer kept.
    lost: for each connection and side, the ranges of its bytes that the cable did not deliver.
    clock: returns the time in seconds. started: its time when the tape was made.
    """

    def __init__(self, limit: int | None = PIECES, clock: Callable[[], float] = now) -> None:
        self.pieces: deque[Piece] = deque(maxlen=limit)
        self.sent: dict[Side, int] = {"client": 0, "server": 0}
        self.lost: dict[tuple[int, Who], list[tuple[int, int]]] = {}
        self.count = 0
        self.clock = clock
        self.started = clock()

    @property
    def dropped(self) -> int:
        """How many pieces the limit has pushed out."""
        return self.count - len(self.pieces)

    def add(self, piece: Piece) -> Piece:
        """Add a piece; the oldest one goes when the tape is full."""
        self.pieces.append(piece)
        self.count += 1
        return piece

    def note(self, connection: int, side: Who, text: str) -> None:
        """Add a remark of the cable's own, such as "closed (FIN)"."""
        self.add(Piece(connection, side, "note", self.clock(), text.encode()))

    def lose(self, connection: int, side: Side, start: int, size: int) -> None:
        """Note that these bytes of a side will not arrive."""
        ranges = self.lost.setdefault((connection, side), [])
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], start + size)
        else:
            ranges.append((start, start + size))

    def lost_of(self, piece: Piece) -> int:
        """Count the bytes of a piece that the cable did not deliver."""
        end = piece.start + piece.size
        ranges = self.lost.get((piece.connection, piece.side), ())
        return sum(max(0, min(end, b) - max(piece.start, a)) for a, b in ranges)

    def activity(self) -> int:
        """Return a number that grows with everything that happens."""
        return self.count + self.sent["client"] + self.sent["server"]
