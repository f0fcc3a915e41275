"""Trackers find where the messages on a cable's connection begin and end.

Each side has a tracker. Both begin in HTTP, unless the first bytes show a different protocol.
`exchange` tells them what follows a header. Bytes that are not HTTP, frames or TLS stay raw.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from wslab.lab.wire.chunks import chunk_head, is_last_chunk
from wslab.lab.wire.exchange import Exchange, Next
from wslab.lab.wire.tape import Kind, Piece, Side, Tape
from wslab.protocol.frames import Header
from wslab.protocol.http import HEAD_LIMIT

__all__ = ["KEEP", "Tracker", "trackers"]

KEEP = 512  # bytes kept of each payload or body

# How an HTTP message begins; anything else at the start of a connection is not HTTP.
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
OPENINGS = (b"HTTP/", *(f"{method} ".encode() for method in METHODS))
TLS = (0x15, 0x16)  # how TLS begins: with a handshake record, or an alert (RFC 8446 §5.1)

Reader = Callable[[bytes, int], int]
Measure = Callable[[bytes], int | None]


def trackers(tape: Tape, connection: int) -> tuple[Tracker, Tracker]:
    """Make a connection's two trackers, the client's and the server's; they know each other."""
    exchange = Exchange()
    client = Tracker(tape, connection, "client", exchange)
    server = Tracker(tape, connection, "server", exchange)
    client.other, server.other = server, client
    return client, server


class Tracker:
    """Follows one direction of one connection and puts its messages on the tape.

    A chunked body is one piece per chunk, including the last chunk; any other body is one piece.
    """

    def __init__(self, tape: Tape, connection: int, side: Side, exchange: Exchange) -> None:
        self.tape = tape
        self.connection = connection
        self.side: Side = side
        self.exchange = exchange
        self.other = self  # the tracker of the opposite direction, once they are paired
        self.read: Reader = self._first
        self.piece: Piece | None = None  # the one that is not complete yet
        self.left = 0  # bytes of it still to come, once its length is known
        self.early: Piece | None = None  # from the client, before its protocol is known
        self.waiting: list[tuple[float, int, bytes]] = []  # the bytes of it, as (time, place, data)
        self.fed = 0  # bytes so far
        self.now = 0.0  # when the bytes came that are read at the moment,
        self.base = 0  # and how many came before them

    def feed(self, data: bytes) -> None:
        """Put these bytes on the tape."""
        self.tape.sent[self.side] += len(data)
        at, self.fed = self.fed, self.fed + len(data)
        self._read(self.tape.clock(), at, data)

    def _read(self, now: float, base: int, data: bytes) -> None:
        self.now, self.base = now, base
        start = 0
        while start < len(data):
            start = self.read(data, start)

    def _turn(self, read: Reader) -> None:
        """Change the reader, and give it first the bytes that waited for this decision."""
        self.read, self.piece, self.left = read, None, 0
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            self._read(*each)

    def _begin(self, kind: Kind, start: int) -> Piece:
        piece, self.early = self.early, None
        if piece is None:
            side, at = self.side, self.base + start
            return self.tape.add(Piece(self.connection, side, kind, self.now, start=at))
        piece.kind, piece.head, piece.size = kind, b"", 0
        return piece

    # One reader for each protocol. It takes the bytes from data[start] on and returns its end.

    def _first(self, data: bytes, start: int) -> int:
        begin = data[start : start + 8]
        if begin[0] in TLS:
            self.read = self._records
        elif any(begin.startswith(word) or word.startswith(begin) for word in OPENINGS):
            self.read = self._http
        else:
            self.read = self._raw
        return start

    def _go_on(self, how: Next) -> None:
        readers = {"http": self._http, "websocket": self._frames, "opaque": self._first}
        self._turn(readers.get(how, self._wait))

    def _wait(self, data: bytes, start: int) -> int:
        if self.early is None:
            self.early = self._begin("early", start)
        piece, rest = self.early, data[start:]
        piece.head = (piece.head + rest)[:KEEP]
        piece.size += len(rest)
        self.waiting.append((self.now, self.base + start, rest))
        if piece.size > HEAD_LIMIT:
            piece.kind, self.early = "raw", None
            self.waiting.clear()
            self._turn(self._raw)
        return len(data)

    def _raw(self, data: bytes, start: int) -> int:
        piece = self._begin("raw", start)
        piece.head, piece.size = data[start : start + KEEP], len(data) - start
        return len(data)

    def _records(self, data: bytes, start: int) -> int:
        return self._unit("tls", _record_size, data, start)

    def _frames(self, data: bytes, start: int) -> int:
        return self._unit("frame", _frame_size, data, start)

    def _http(self, data: bytes, start: int) -> int:
        return self._unit("http", _head_size, data, start, HEAD_LIMIT)

    def _chunks(self, data: bytes, start: int) -> int:
        return self._unit("chunk", _chunk_size, data, start, HEAD_LIMIT)

    def _body(self, data: bytes, start: int) -> int:
        if self.piece is None:
            self.piece = self._begin("body", start)
            self.piece.total = self.left if self.left < sys.maxsize else None
        return self._rest(self.piece, data, start)

    def _unit(self, kind: Kind, measure: Measure, data: bytes, start: int, room: int = KEEP) -> int:
        """Read a message whose first bytes, at most `room`, tell its length."""
        piece = self.piece = self.piece or self._begin(kind, start)
        if self.left:
            return self._rest(piece, data, start)
        known = piece.size
        head = piece.head + data[start : start + room - known]
        try:
            total = measure(head)
            is_lost = total is None and len(head) == room
        except ValueError:
            total, is_lost = None, True
        if total is None:
            piece.head, piece.size = head, len(head)
            if is_lost:  # we cannot tell where the next message begins
                piece.kind = "http" if kind == "http" else "raw"
                self._turn(self._raw)
        else:
            piece.total, piece.size = total, min(total, known + len(data) - start)
            piece.head = head[: piece.size if kind == "http" else min(piece.size, KEEP)]
            self.left = total - piece.size
            if not self.left:
                self._finish(piece)
        return start + piece.size - known

    def _rest(self, piece: Piece, data: bytes, start: int) -> int:
        """Take the bytes that belong to the piece that is not complete yet."""
        size = min(self.left, len(data) - start)
        if len(piece.head) < KEEP:
            piece.head += data[start : start + min(size, KEEP - len(piece.head))]
        piece.size += size
        self.left -= size
        if not self.left:
            self._finish(piece)
        return start + size

    # After a message

    def _finish(self, piece: Piece) -> None:
        self.piece = None
        if piece.kind == "http":
            try:
                self._after_head(piece.head)
            except ValueError:  # malformed, so we cannot tell what follows
                self._turn(self._raw)
        elif piece.kind == "body" or (piece.kind == "chunk" and is_last_chunk(piece.head)):
            self._after_body()

    def _after_head(self, head: bytes) -> None:
        decided: Next | None = None
        if self.side == "client":
            body = self.exchange.request(head)
        else:
            body, decided = self.exchange.response(head)
        other = self.other
        if decided and other.piece is None and other.read in (other._wait, other._http):
            other._go_on(decided)
        if decided in ("websocket", "opaque"):
            self._go_on(decided)
        elif body == "chunked":
            self.read = self._chunks
        elif body:
            self.read, self.left = self._body, sys.maxsize if body == "endless" else body
        else:
            self._after_body()

    def _after_body(self) -> None:
        self._go_on(self.exchange.after_request() if self.side == "client" else "http")


# The length of a message, from its first bytes; None if more are needed, ValueError if malformed.


def _head_size(data: bytes) -> int | None:
    # An empty line before a request is to be ignored (RFC 9112 §2.2).
    end = data.find(b"\r\n\r\n", 2 if data.startswith(b"\r\n") else 0)
    return end + 4 if end >= 0 else None


def _chunk_size(data: bytes) -> int | None:
    head = chunk_head(data)
    return head and (head[0] + head[1] + 2 if head[1] else head[0])


def _frame_size(data: bytes) -> int | None:
    header = Header.parse(data)
    return None if header is None else header.size + header.length


def _record_size(data: bytes) -> int | None:
    """Source: RFC 8446 §5.1."""
    if not 20 <= data[0] <= 24 or data[1:2] not in (b"", b"\x03"):
        raise ValueError("not a TLS record")
    return 5 + int.from_bytes(data[3:5]) if len(data) >= 5 else None
