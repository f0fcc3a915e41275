"""One row of a transcript: what a piece of the tape says, decoded when somebody looks."""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

from wslab.lab.masking import masked_field, masked_target
from wslab.lab.tables import escaped, hex_bytes, printable, text_table
from wslab.lab.wire.anatomy import (
    MASK_MARKS,
    MASKED_MARKS,
    Anatomy,
    describe_payload,
    dissect,
    opcode_name,
)
from wslab.lab.wire.bitgrid import BitGrid
from wslab.lab.wire.chunks import chunk_head
from wslab.lab.wire.dissectors import Dissector
from wslab.lab.wire.tape import Piece
from wslab.protocol.close import Close
from wslab.protocol.errors import PeerError
from wslab.protocol.frames import RSV1, Header, Opcode, apply_mask, check_header

__all__ = ["HEAD", "Context", "Row"]

HEAD = ("#", "who", "kind", "size", "what")

SHOWN = 16  # bytes of a payload that a row shows
LINE = 200  # characters of a header line


class Context(NamedTuple):
    """What the rows before a frame say about it.

    rsv: the reserved bits that the handshake agreed on.
    message: the first frame of the message that a continuation frame goes on with.
    several: whether more than one connection is on the tape.
    dissector: what reads the messages of this connection's application, if its protocol is known.
    """

    rsv: int = RSV1
    message: Header | None = None
    several: bool = False
    dissector: Dissector | None = None


class Row:
    """One message of a transcript.

    number: its place on the tape. who: "client", "server" or "cable". size: bytes.
    kind: "HTTP", "body", "chunk", "TEXT", "BINARY", "CONTINUATION", "CLOSE", "PING", "PONG",
    "raw", "TLS" or "note".
    wire: its bytes, or the first of them.
    payload: of a frame, unmasked; of a chunk, its data; of the rest, wire.
    """

    def __init__(
        self, number: int, piece: Piece, started: float, context: Context | None = None
    ) -> None:
        self.context = context or Context()
        self.number = number
        self.piece = piece
        self.who = piece.side
        self.connection = piece.connection
        self.size = piece.size
        self.wire = bytes(piece.head)
        self.seconds = piece.time - started
        self.header = Header.parse(self.wire) if piece.kind == "frame" else None

    @property
    def kind(self) -> str:
        """What it is, in one word."""
        if self.piece.kind != "frame":
            return {"http": "HTTP", "tls": "TLS"}.get(self.piece.kind, self.piece.kind)
        return "frame" if self.header is None else opcode_name(self.header.opcode)

    @cached_property
    def payload(self) -> bytes:
        """What a frame carries, unmasked, or a chunk, as far as it was kept."""
        if self.piece.kind == "chunk":
            end, size = (self.piece.total and chunk_head(self.wire)) or (0, 0)
            return self.wire[end : end + size]
        if self.header is None:
            return self.wire
        data = self.wire[self.header.size :]
        return apply_mask(data, self.header.mask) if self.header.mask is not None else data

    @property
    def text(self) -> str:
        """The payload as text; bytes that are not UTF-8 as escapes."""
        return self.payload.decode("utf-8", "backslashreplace")

    @property
    def is_complete(self) -> bool:
        """Whether all of it has passed."""
        has_end = self.piece.kind in ("http", "chunk", "frame") or self.piece.total is not None
        return not has_end or self.piece.total == self.size

    @property
    def problem(self) -> str:
        """The rule that this frame breaks by itself, with its section; empty if none."""
        if self.header is None:
            return ""
        try:
            check_header(self.header, self.who == "client", self.context.rsv)
            if self.header.opcode == Opcode.CLOSE and self.is_complete:
                Close.parse(self.payload)
        except PeerError as error:
            return str(error)
        return ""

    @property
    def bytes_shown(self) -> str:
        """The bytes of a frame: header, [masking key], {masked payload}."""
        header = self.header
        if header is None:
            return hex_bytes(self.wire, SHOWN)
        if header.mask is None:
            return hex_bytes(self.wire, header.size + SHOWN)
        parts = [self.wire[: header.size - 4].hex(" "), header.mask.hex(" ").join(MASK_MARKS)]
        if data := self.wire[header.size :]:
            parts.append(hex_bytes(data, SHOWN).join(MASKED_MARKS))
        return " ".join(parts)

    @property
    def meaning(self) -> str:
        """What it says, in words."""
        kind = self.piece.kind
        if kind == "http":
            lines = self.wire.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
            said = "\n".join(map(_header_line, lines))
        elif kind == "tls":
            what = "TLS handshake" if self.wire[:1] == b"\x16" else "ciphertext"  # RFC 8446 §5.1
            said = f"{self.size} bytes of {what}"
        elif kind == "chunk":  # with its size, which is text
            said = printable(self.wire.decode("utf-8", "backslashreplace"))
            said += ", the last chunk" * (self.is_complete and not self.payload)
        elif kind == "body" and self.context.dissector is not None:
            said = self.context.dissector.body(self.payload, is_complete=self._has_all)
            said = said or printable(self.text)
        elif kind in ("body", "raw"):
            said = printable(self.text)
        elif kind == "note":
            said = self.text
        elif self.header is None:
            said = "part of a header"
        else:
            header = self.header
            if header.opcode == Opcode.CONTINUATION and self.context.message is not None:
                first = self.context.message
                header = header._replace(opcode=first.opcode, rsv=first.rsv)
            parts = [self._dissected or describe_payload(header, self.payload)]
            parts += ["more follows"] * (not self.header.fin)
            said = ", ".join(filter(None, parts))
        if not self.is_complete:
            total = f" of {self.piece.total}" if self.piece.total else ""
            said += f"\nnot complete: {self.size}{total} B so far"
        return said + (f"\nnot allowed: {self.problem}" if self.problem else "")

    @property
    def _has_all(self) -> bool:
        """Whether all of it has passed, and was kept."""
        return self.is_complete and len(self.wire) == self.size

    @property
    def _dissected(self) -> str:
        """What a frame's message says in its application's protocol; empty if nobody can tell."""
        header, dissector = self.header, self.context.dissector
        if header is None or dissector is None or not header.fin or header.rsv:
            return ""
        if header.opcode not in (Opcode.TEXT, Opcode.BINARY):
            return ""
        is_text = header.opcode == Opcode.TEXT
        return dissector.message(self.payload, is_text=is_text, is_complete=self._has_all)

    @property
    def anatomy(self) -> Anatomy:
        """The frame taken apart, field by field."""
        if self.header is None:
            raise ValueError(f"row {self.number} is {self.kind}, only frames have an anatomy")
        return dissect(self.wire)

    @property
    def grid(self) -> BitGrid:
        """The frame's bits as the RFC draws them."""
        if self.header is None:
            raise ValueError(f"row {self.number} is {self.kind}, only frames have bits to draw")
        return BitGrid(self.wire)

    def cells(self) -> tuple[str, str, str, str, str, str]:
        """Return what a table shows: number, who, kind, size, bytes, meaning."""
        size = f"{self.size} B" if self.piece.kind != "note" else ""
        shown = "" if self.piece.kind in ("http", "note", "body", "chunk") else self.bytes_shown
        who = f"{self.who} {self.connection or ''}".strip() if self.context.several else self.who
        return (str(self.number), who, self.kind, size, shown, self.meaning)

    def text_cells(self) -> list[str]:
        """Return the same for text, with bytes and meaning in one column."""
        *first, shown, meaning = self.cells()
        return [*first, "   ".join(filter(None, (shown, meaning)))]

    def __repr__(self) -> str:
        """Render the row; below a frame, its anatomy."""
        table = text_table(HEAD, [self.text_cells()])
        return f"{table}\n\n{self.anatomy!r}" if self.header is not None else table


def _header_line(line: str) -> str:
    """Write a field, or the start line, without its secrets."""
    found = re.match(r"([^\s:]+):\s*", line)
    line = found[0] + masked_field(found[1], line[found.end() :]) if found else masked_target(line)
    return escaped(line[:LINE]) + (" …" if len(line) > LINE else "")
