"""One row of a transcript, that is, a piece of the tape, decoded when somebody looks."""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

from wslab.lab.masking import masked_field, masked_target
from wslab.lab.tables import hex_bytes, text_table
from wslab.lab.wire.anatomy import PARTS, Anatomy, describe_payload, dissect, opcode_name
from wslab.lab.wire.bitgrid import BitGrid
from wslab.lab.wire.chunks import chunk_head
from wslab.lab.wire.dissectors import Dissector
from wslab.lab.wire.tape import Piece
from wslab.protocol.close import Close
from wslab.protocol.errors import PeerError
from wslab.protocol.frames import RSV1, Header, Opcode, apply_mask, check_header
from wslab.protocol.quoting import decoded_so_far, escaped, printable

__all__ = ["HEAD", "Context", "Row"]

HEAD = ("#", "who", "kind", "size", "what")

SHOWN = 16  # bytes of a payload that a row shows
LINE = 200  # characters of a header line
LINES = 50  # of a header
_FIRST = "RFC 7692 §6"
_RECORDS = {20: "TLS change of keys", 21: "TLS alert", 22: "TLS handshake", 23: "ciphertext"}


class Context(NamedTuple):
    """The facts about a frame that come from the rows before it.

    rsv: the reserved bits that the handshake agreed on.
    message: the first frame of the message that a continuation frame goes on with.
    lead: the beginning of a character at the end of the fragment before; None if not known.
    several: True if more than one connection is on the tape.
    dissector: explains the messages of this connection's application; None if not known.
    lost: bytes of it that the cable did not deliver.
    """

    rsv: int = RSV1
    message: Header | None = None
    lead: bytes | None = b""
    several: bool = False
    dissector: Dissector | None = None
    lost: int = 0


class Row:
    """One message of a transcript.

    number: its place on the tape. who: "client", "server" or "cable". size: bytes.
    kind: "HTTP", "body", "chunk", "TEXT", "BINARY", "CONTINUATION", "CLOSE", "PING", "PONG", "raw",
    "TLS", "note" or "early". Early bytes came from a client before the answer that explains them.
    wire: its bytes, or the first of them. lost: how many of them the cable did not deliver.
    payload: a frame's payload, unmasked; a chunk's data; else wire.
    """

    def __init__(self, number: int, piece: Piece, started: float, context: Context) -> None:
        self.context = context
        self.number = number
        self.piece = piece
        self.who = piece.side
        self.connection = piece.connection
        self.size = piece.size
        self.lost = self.context.lost
        self.wire = bytes(piece.head)
        self.seconds = piece.time - started
        self.header = Header.parse(self.wire) if piece.kind == "frame" else None

    @property
    def kind(self) -> str:
        """Its kind, in one word."""
        if self.piece.kind != "frame":
            return {"http": "HTTP", "tls": "TLS"}.get(self.piece.kind, self.piece.kind)
        return "frame" if self.header is None else opcode_name(self.header.opcode)

    @cached_property
    def payload(self) -> bytes:
        """The payload of a frame, unmasked, or the data of a chunk, as far as it was kept."""
        if self.piece.kind == "chunk":
            end, size = (self.piece.total and chunk_head(self.wire)) or (0, 0)
            return self.wire[end : end + size]
        if self.header is None:
            return self.wire
        data = self.wire[self.header.size :]
        return apply_mask(data, self.header.mask) if self.header.mask is not None else data

    @property
    def text(self) -> str:
        """The payload as text, with escapes for bytes that are not UTF-8."""
        return self.payload.decode("utf-8", "backslashreplace")

    @property
    def is_complete(self) -> bool:
        """Whether all of it has passed."""
        has_end = (
            self.piece.kind in ("http", "chunk", "frame", "tls") or self.piece.total is not None
        )
        return not has_end or self.piece.total == self.size

    @property
    def problem(self) -> str:
        """The rule that this frame breaks by itself, with its section; empty if none."""
        if self.header is None:
            return ""
        rsv = self.context.rsv
        if self.header.rsv & rsv and self.header.opcode not in (Opcode.TEXT, Opcode.BINARY):
            return f"RSV1 is set on {self.kind}, only a message's first frame has it ({_FIRST})"
        try:
            check_header(self.header, self.who == "client", rsv)
            if self.header.opcode == Opcode.CLOSE and self.is_complete:
                Close.parse(self.payload)
        except PeerError as error:
            return str(error)
        return ""

    @property
    def parts(self) -> list[tuple[str, str]]:
        """The parts of a frame, each as a key of `PARTS` and its bytes with their marks."""
        header = self.header
        if header is None:
            return []
        key, data = header.mask or b"", self.wire[header.size :]
        parts = [
            ("header", self.wire[: header.size - len(key)].hex(" ")),
            ("key", key.hex(" ")),
            ("masked" if key else "payload", hex_bytes(data, SHOWN)),
        ]
        return [(kind, PARTS[kind].marked(text)) for kind, text in parts if text]

    @property
    def bytes_shown(self) -> str:
        """The bytes of a frame, as header, [masking key], {masked payload}."""
        return " ".join(text for _, text in self.parts) or hex_bytes(self.wire, SHOWN)

    @property
    def meaning(self) -> str:
        """Its meaning, in words."""
        said = self._said
        if not self.is_complete:
            total = f" of {self.piece.total}" if self.piece.total else ""
            said += f"\nnot complete: {self.size}{total} B so far"
        if self.lost:
            said += f"\nlost on the way: {self.lost} of {self.size} B"
        return said + (f"\nnot allowed: {self.problem}" if self.problem else "")

    @property
    def _said(self) -> str:
        match self.piece.kind:
            case "http":
                return _describe_head(self.wire)
            case "tls":  # RFC 8446 §5.1
                what = _RECORDS.get(self.wire[0], "TLS")
                return f"{self.size} bytes of {what}"
            case "chunk":  # with its size, which is text
                text = decoded_so_far(self.wire, is_complete=self._has_all)[0]
                is_last = self.is_complete and not self.payload
                return printable(text) + ", the last chunk" * is_last
            case "note":
                return self.text
            case "early":
                return "sent before the server's answer"
            case "frame":
                return self._frame_said
        body = self.piece.kind == "body" and self.context.dissector
        said = body.body(self.payload, is_complete=self._has_all) if body else ""
        return said or printable(
            masked_target(decoded_so_far(self.wire, is_complete=self._has_all)[0])
        )

    @property
    def _frame_said(self) -> str:
        header, first, agreed = self.header, self.context.message, self.context.rsv
        if header is None:
            return "part of a header"
        header = header._replace(rsv=header.rsv & agreed)
        lead: bytes | None = b""
        if header.opcode == Opcode.CONTINUATION:
            lead = self.context.lead
            if first is not None:
                header = header._replace(opcode=first.opcode, rsv=first.rsv & agreed)
        parts = [self._dissected or describe_payload(header, self.payload, lead)]
        parts += ["more follows"] * (not header.fin)
        return ", ".join(filter(None, parts))

    @property
    def _has_all(self) -> bool:
        """Whether all of it has passed, and was kept."""
        return self.is_complete and len(self.wire) == self.size

    @property
    def _dissected(self) -> str:
        """The meaning of a frame's message in its application's protocol; empty if unknown."""
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
        """Return the table's cells: number, who, kind, size, bytes, meaning."""
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


def _describe_head(head: bytes) -> str:
    lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    said = [_header_line(line) for line in lines[:LINES]]
    if more := len(lines) - LINES:
        said += [f"… {more} more lines, see the row's wire"] * (more > 0)
    return "\n".join(said)


def _header_line(line: str) -> str:
    """Write a field, or the start line, without its secrets."""
    found = re.match(r"([^\s:]+):\s*", line)
    line = found[0] + masked_field(found[1], line[found.end() :]) if found else masked_target(line)
    shown = escaped(line[:LINE].replace("\\", r"\\"))
    return shown + (" …" if len(line) > LINE else "")
