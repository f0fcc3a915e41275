"""What passed through a cable: the bytes, cut where HTTP messages and frames begin and end.

A tape keeps the beginning of everything and counts the rest: keeping every byte of a bulk
transfer would cost most of its speed (benchmarks/cable.py). Nothing is decoded here but the few
header bytes that tell where the next message starts; `transcript` decodes when asked.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from wslab.lab.wire.chunks import chunk_head
from wslab.protocol.errors import HandshakeError
from wslab.protocol.frames import Header
from wslab.protocol.http import HEAD_LIMIT, Headers, content_length, parse_head

__all__ = ["KEEP", "Piece", "Side", "Tape", "Tracker", "Who"]

Side = Literal["client", "server"]
Who = Literal["client", "server", "cable"]
Kind = Literal["http", "body", "chunk", "frame", "raw", "tls", "note"]

Reader = Callable[[bytes, int], int]

# How an HTTP message begins; anything else at the start of a connection is not HTTP.
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
OPENINGS = (b"HTTP/", *(f"{method} ".encode() for method in METHODS))
KEEP = 512  # bytes kept of each payload or body
PIECES = 10_000  # pieces kept on a tape


@dataclass(slots=True)
class Piece:
    """One message on the tape: a header, a body, a chunk, a frame, raw bytes, or a note.

    connection: 1, 2, … as the cable met them. side: who sent it, "cable" for a remark.
    head: its first bytes, all of a header and about `KEEP` of what follows.
    size: bytes that passed so far; total: bytes that it announces, None if that is not known.
    time: `time.monotonic()` when its first byte came; chunks: TCP reads that it came in.
    """

    connection: int
    side: Who
    kind: Kind
    head: bytes
    size: int
    total: int | None
    time: float = field(default_factory=time.monotonic)
    chunks: int = 1


class Tape:
    """The pieces of all connections of a cable, the newest `limit` of them.

    sent: bytes that each side sent, the dropped ones included. dropped: pieces no longer kept.
    """

    def __init__(self, limit: int = PIECES) -> None:
        self.pieces: deque[Piece] = deque(maxlen=limit)
        self.sent: dict[Side, int] = {"client": 0, "server": 0}
        self.count = 0
        self.started = time.monotonic()

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
        self.add(Piece(connection, side, "note", text.encode(), 0, 0))

    def activity(self) -> int:
        """Return a number that grows with all that happens."""
        return self.count + self.sent["client"] + self.sent["server"]


def _body_length(status: int, headers: Headers) -> int:
    """Return the bytes of a message's body; sys.maxsize if only its end will tell."""
    if 0 < status < 200 or status in (204, 304):
        return 0
    if headers.all("Transfer-Encoding") or (status and not headers.all("Content-Length")):
        return sys.maxsize
    return content_length(headers)


class Tracker:
    """Follows one direction of one connection and knows where its messages begin.

    It starts in HTTP; when the server's 101 goes by, both directions turn to frames. Anything
    that is neither stays raw. A chunked body is one piece per chunk, the last chunk included;
    any other body without Content-Length counts as one, up to the end.
    """

    def __init__(self, tape: Tape, connection: int, side: Side) -> None:
        self.tape = tape
        self.connection = connection
        self.side: Side = side
        self.other = self  # the tracker of the opposite direction, once they are paired
        self.read: Reader = self._first
        self.piece: Piece | None = None  # the one that is not complete yet
        self.left = 0  # bytes of its body or payload still to come
        self.waiting = b""  # what a client sent after asking for WebSocket, before the answer

    def feed(self, data: bytes) -> None:
        """Put what passed on the tape."""
        self.tape.sent[self.side] += len(data)
        if self.piece is not None:
            self.piece.chunks += 1
        start = 0
        while start < len(data):
            start = self.read(data, start)

    def turn(self, read: Reader) -> None:
        """Read what follows, and what has waited for this decision, in another way."""
        self.read, self.piece, self.left = read, None, 0
        waiting, self.waiting = self.waiting, b""
        start = 0
        while start < len(waiting):
            start = self.read(waiting, start)

    def _begin(self, kind: Kind, head: bytes, size: int, total: int | None) -> Piece:
        return self.tape.add(Piece(self.connection, self.side, kind, head, size, total))

    # Each reader takes the bytes from data[start] on and returns the index where it stopped.

    def _first(self, data: bytes, start: int) -> int:
        if data[start] == 0x16:  # a TLS record that holds a handshake (RFC 8446 §5.1)
            self.read = self._tls
        else:
            begin = data[start : start + 8]
            known = any(begin.startswith(word) or word.startswith(begin) for word in OPENINGS)
            self.read = self.http if known else self._raw
        return start

    def _raw(self, data: bytes, start: int) -> int:
        self._begin("raw", data[start : start + KEEP], len(data) - start, None)
        return len(data)

    def _tls(self, data: bytes, start: int) -> int:
        self._begin("tls", data[start : start + KEEP], len(data) - start, None)
        return len(data)

    def _wait(self, data: bytes, start: int) -> int:
        if len(self.waiting) + len(data) - start > HEAD_LIMIT:
            self.turn(self._raw)
            return start
        self.waiting += data[start:]
        return len(data)

    def http(self, data: bytes, start: int) -> int:
        """Read an HTTP header."""
        if self.piece is None:
            self.piece = self._begin("http", b"", 0, None)
        piece, before = self.piece, len(self.piece.head)
        room = HEAD_LIMIT - before
        piece.head += data[start : start + room]
        end = piece.head.find(b"\r\n\r\n") + 4
        if end < 4:
            piece.size = len(piece.head)
            if piece.size == HEAD_LIMIT:
                self.turn(self._raw)
            return min(len(data), start + room)
        piece.head = piece.head[:end]
        piece.size = piece.total = end
        try:
            self._after_http(piece.head)
        except (HandshakeError, ValueError, IndexError):  # malformed: nobody can tell what follows
            self.turn(self._raw)
        return start + end - before

    def _after_http(self, head: bytes) -> None:
        """Decide what follows an HTTP header: a body, another header, or frames."""
        parsed = parse_head(head)
        line, headers = parsed[:2] if parsed else ("", Headers())
        status = int(line.split(" ")[1]) if self.side == "server" else 0
        if self.other.read == self.other._wait and (status == 101 or status >= 200):
            self.other.turn(self.other.frame if status == 101 else self.other.http)
        if status == 101:
            self.turn(self.frame)
        elif self.side == "client" and headers.all("Upgrade"):
            self.turn(self.frame if self.other.read == self.other.frame else self._wait)
        else:
            length = _body_length(status, headers)
            codings = headers.tokens("Transfer-Encoding")
            if length == sys.maxsize and codings and codings[-1].lower() == "chunked":
                self.turn(self._chunk)
                return
            self.turn(self._body if length else self.http)
            self.left = length

    def _body(self, data: bytes, start: int) -> int:
        if self.piece is None:
            total = self.left if self.left < sys.maxsize else None
            self.piece = self._begin("body", b"", 0, total)
        end = self._rest(data, start)
        if self.piece is None:
            self.read = self.http
        return end

    def _chunk(self, data: bytes, start: int) -> int:
        if self.left:
            return self._rest(data, start)
        if self.piece is None:
            self.piece = self._begin("chunk", b"", 0, None)
        piece, before = self.piece, len(self.piece.head)
        room = HEAD_LIMIT - before
        piece.head += data[start : start + room]
        piece.size = len(piece.head)
        malformed = piece.size == HEAD_LIMIT
        try:
            head = chunk_head(piece.head)
        except ValueError:
            head, malformed = None, True
        if head is None:
            if malformed:  # nobody can tell where the next one begins
                piece.kind = "raw"
                self.turn(self._raw)
            return min(len(data), start + room)
        end, size = head
        piece.head, piece.size = piece.head[:end], end
        self.left = size + 2 if size else 0  # the data ends in CR LF
        piece.total = end + self.left
        if not size:
            self.turn(self.http)
        return start + end - before

    def frame(self, data: bytes, start: int) -> int:
        """Read a frame: its header, then its payload."""
        if self.left:
            return self._rest(data, start)
        if self.piece is not None:  # its header was cut by a TCP segment
            return self._cut_header(self.piece, data, start)
        header = Header.parse(data, start)
        if header is None:
            self.piece = self._begin("frame", data[start:], len(data) - start, None)
            return len(data)
        total = header.size + header.length
        size = min(total, len(data) - start)
        piece = self._begin("frame", data[start : start + min(size, KEEP)], size, total)
        self.left = total - size
        if self.left:
            self.piece = piece
        return start + size

    def _cut_header(self, piece: Piece, data: bytes, start: int) -> int:
        before = piece.size
        piece.head += data[start : start + 14]  # the longest header there is
        header = Header.parse(piece.head)
        piece.size = len(piece.head)
        if header is None:
            return len(data)
        piece.head = piece.head[: header.size]
        piece.size, piece.total = header.size, header.size + header.length
        self.left = header.length
        if not self.left:
            self.piece = None
        return start + header.size - before

    def _rest(self, data: bytes, start: int) -> int:
        """Take what belongs to the piece that is not complete yet."""
        piece = self.piece
        assert piece is not None  # there is one whenever bytes are left
        size = min(self.left, len(data) - start)
        if len(piece.head) < KEEP:
            piece.head += data[start : start + min(size, KEEP - len(piece.head))]
        piece.size += size
        self.left -= size
        if not self.left:
            self.piece = None
        return start + size
