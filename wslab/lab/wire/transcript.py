"""What a cable saw, decoded: HTTP messages, frames, and what each side did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from wslab.lab.tables import text_table
from wslab.lab.wire.diagram import SequenceDiagram, of_rows
from wslab.lab.wire.dissectors import Dissector, dissector_of
from wslab.lab.wire.row import HEAD, Context, Row
from wslab.lab.wire.tape import Piece, Side, Tape, Who
from wslab.protocol.frames import RSV1, Header, Opcode

__all__ = ["Row", "Transcript", "is_refusal"]


class Transcript(Sequence[Row]):
    """The rows of a tape at one moment; indexable, filterable, and it prints as a table.

    tape: what to decode. keep: which rows, all of them by default.
    """

    def __init__(self, tape: Tape, rows: list[Row] | None = None) -> None:
        self.tape = tape
        self.dropped = tape.dropped
        if rows is None:
            pieces = tape.pieces.copy()
            first = self.dropped = tape.count - len(pieces)
            rows = [
                Row(first + i, piece, tape.started, context)
                for i, (piece, context) in enumerate(zip(pieces, contexts(pieces), strict=True))
            ]
        self.rows = rows

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Transcript: ...
    def __getitem__(self, index: int | slice) -> Row | Transcript:
        """Return a row, or a slice as a Transcript."""
        if isinstance(index, slice):
            return Transcript(self.tape, self.rows[index])
        return self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        """Go through the rows."""
        return iter(self.rows)

    def only(
        self,
        who: str | None = None,
        kind: str | None = None,
        *,
        connection: int | None = None,
        where: Callable[[Row], object] = lambda row: True,
    ) -> Transcript:
        """Return the rows of one sender, of one kind, of one connection, or that satisfy where."""
        return Transcript(
            self.tape,
            [
                row
                for row in self.rows
                if who in (None, row.who)
                and kind in (None, row.kind)
                and connection in (None, row.connection)
                and where(row)
            ],
        )

    @property
    def client(self) -> Transcript:
        """What clients sent."""
        return self.only("client", where=lambda row: row.kind != "note")

    @property
    def server(self) -> Transcript:
        """What the server sent."""
        return self.only("server", where=lambda row: row.kind != "note")

    @property
    def frames(self) -> Transcript:
        """The frames of both sides."""
        return self.only(where=lambda row: row.piece.kind == "frame")

    @property
    def http(self) -> Transcript:
        """The HTTP headers of both sides."""
        return self.only(kind="HTTP")

    @property
    def size(self) -> int:
        """Bytes of all these rows."""
        return sum(row.size for row in self.rows)

    @property
    def sent(self) -> dict[Side, int]:
        """Bytes that each side has sent through the cable, whatever rows are kept."""
        return dict(self.tape.sent)

    @property
    def diagram(self) -> SequenceDiagram:
        """These rows as a sequence diagram: who sent what to whom, from top to bottom."""
        return of_rows(self.rows)

    def __repr__(self) -> str:
        """Render as a table, the same every time but for what is random on the wire."""
        if not self.rows:
            return "nothing has passed"
        table = text_table(HEAD, [row.text_cells() for row in self.rows])
        lost = f"{self.dropped} earlier rows were dropped: the tape keeps {self.tape.pieces.maxlen}"
        return f"{lost}\n{table}" if self.dropped else table


def is_refusal(head: bytes) -> bool:
    """Tell whether a response with this header says no: its body is then not the application's."""
    return head.split(b" ")[1:2] not in ([b"200"], [b"101"])


def contexts(pieces: Iterable[Piece]) -> Iterator[Context]:
    """Yield for each piece what those before it say about it."""
    pieces = list(pieces)
    several = any(piece.connection > 1 for piece in pieces)
    rsv: dict[int, int] = {}  # connection: the reserved bits agreed on, unknown without the 101
    first: dict[tuple[int, Who], Header] = {}  # of the message that is under way
    speaking: dict[int, Dissector | None] = {}  # connection: what its last request began
    for piece in pieces:
        where = (piece.connection, piece.side)
        header = Header.parse(piece.head) if piece.kind == "frame" else None
        if piece.kind == "http" and piece.side == "server":
            rsv[piece.connection] = RSV1 if b"permessage-deflate" in piece.head.lower() else 0
            if is_refusal(piece.head):
                speaking[piece.connection] = None
        elif piece.kind == "http":
            speaking[piece.connection] = dissector_of(piece.head)
        yield Context(
            rsv.get(piece.connection, RSV1),
            first.get(where),
            several,
            speaking.get(piece.connection),
        )
        if header is not None and header.opcode in (Opcode.TEXT, Opcode.BINARY):
            first[where] = header
