"""A cable's traffic, decoded into HTTP messages, frames and actions of both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from wslab.lab.tables import text_table
from wslab.lab.wire.diagram import SequenceDiagram, of_rows
from wslab.lab.wire.dissectors import Dissector, dissector_of
from wslab.lab.wire.row import HEAD, Context, Row
from wslab.lab.wire.tape import Piece, Side, Tape, Who
from wslab.protocol.deflate import NAME
from wslab.protocol.errors import HandshakeError
from wslab.protocol.frames import RSV1, Header, Opcode, apply_mask
from wslab.protocol.handshake import parse_extensions
from wslab.protocol.http import parse_head
from wslab.protocol.quoting import decoded_so_far

__all__ = ["Row", "Transcript"]


class Transcript(Sequence[Row]):
    """The rows of a tape at one moment. You can index and filter it; it prints as a table.

    tape: the tape to decode. rows: the rows to keep, all of them by default.
    """

    def __init__(self, tape: Tape, rows: list[Row] | None = None) -> None:
        self.tape = tape
        self.dropped = tape.dropped
        if rows is None:
            # Pieces that waited for a decision are on the tape later than they came.
            pieces = sorted(tape.pieces.copy(), key=lambda piece: piece.time)
            first = self.dropped = tape.count - len(pieces)
            found = zip(pieces, contexts(pieces), strict=True)
            rows = [
                Row(first + i, piece, tape.started, context._replace(lost=tape.lost_of(piece)))
                for i, (piece, context) in enumerate(found)
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

    def only(
        self,
        who: str | None = None,
        kind: str | None = None,
        *,
        connection: int | None = None,
        where: Callable[[Row], object] = lambda row: True,
    ) -> Transcript:
        """Return the rows of one sender, of one kind, of one connection, or that satisfy where.

        who: "client", "server" or "cable". kind: as in the table, such as "TEXT", in upper or lower
        case. A kind may also stand first, without a sender.
        """
        if who is not None and who.lower() not in ("client", "server", "cable") and kind is None:
            who, kind = None, who
        who, kind = who and who.lower(), kind and kind.lower()
        return Transcript(
            self.tape,
            [
                row
                for row in self.rows
                if who in (None, row.who)
                and kind in (None, row.kind.lower())
                and connection in (None, row.connection)
                and where(row)
            ],
        )

    @property
    def client(self) -> Transcript:
        """The messages that clients sent."""
        return self.only("client", where=lambda row: row.kind != "note")

    @property
    def server(self) -> Transcript:
        """The messages that the server sent."""
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
        """Bytes that each side has sent through the cable, even if their rows are not kept."""
        return dict(self.tape.sent)

    @property
    def diagram(self) -> SequenceDiagram:
        """These rows as a sequence diagram, from top to bottom."""
        return of_rows(self.rows)

    def __repr__(self) -> str:
        """Render as a table, the same every time except for random bytes on the wire."""
        if not self.rows:
            return "nothing has passed"
        table = text_table(HEAD, [row.text_cells() for row in self.rows])
        lost = f"{self.dropped} earlier rows were dropped: the tape keeps {self.tape.pieces.maxlen}"
        return f"{lost}\n{table}" if self.dropped else table


def contexts(pieces: Iterable[Piece]) -> Iterator[Context]:
    """Yield for each piece the context that earlier pieces give it."""
    pieces = list(pieces)
    several = any(piece.connection > 1 for piece in pieces)
    rsv: dict[int, int] = {}  # connection: the reserved bits agreed on, unknown without the 101
    messages: dict[tuple[int, Who], tuple[Header | None, bytes | None]] = {}  # under way
    speaking: dict[int, Dissector | None] = {}  # connection: what its last request began
    for piece in pieces:
        where = (piece.connection, piece.side)
        if piece.kind == "http" and piece.side == "server":
            rsv[piece.connection] = RSV1 if _agrees_to_deflate(piece.head) else 0
            if piece.head[9:10] != b"1" and piece.head[9:12] != b"200":
                speaking[piece.connection] = None  # the body of a refusal is not the application's
        elif piece.kind == "http":
            speaking[piece.connection] = dissector_of(piece.head)
        first, lead = messages.get(where, (None, None))
        yield Context(
            rsv.get(piece.connection, RSV1), first, lead, several, speaking.get(piece.connection)
        )
        header = Header.parse(piece.head) if piece.kind == "frame" else None
        if header is not None and header.opcode < 8:
            if header.opcode != Opcode.CONTINUATION:
                first, lead = header, b""
            messages[where] = first, _cut_off(header, piece.head, lead)


def _agrees_to_deflate(head: bytes) -> bool:
    """Tell whether a response accepts permessage-deflate (RFC 7692 §5)."""
    try:
        parsed = parse_head(head)
        return parsed is not None and any(each.name == NAME for each in parse_extensions(parsed[1]))
    except HandshakeError:
        return False


def _cut_off(header: Header, wire: bytes, lead: bytes | None) -> bytes | None:
    """Return the beginning of a character at the end of a fragment; None if unknown."""
    payload = wire[header.size :]
    if header.fin or lead is None or len(payload) < header.length:
        return None
    if header.mask is not None:
        payload = apply_mask(payload, header.mask)
    return decoded_so_far(lead + payload, is_complete=False)[1]
