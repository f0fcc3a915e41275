"""What follows an HTTP header on its connection: a body, the next message, or another protocol.

Where a response ends depends on its request: HEAD and CONNECT are answered without a body, whatever
the header says. And it is the server's 101 that says what both sides speak from then on. So one
exchange, shared by both directions of a connection, holds the requests that wait for an answer.
Source: RFC 9110 §7.8, §9.3.2, §9.3.6; RFC 9112 §6.3, §9.3.2.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Literal, NamedTuple

from wslab.protocol.errors import HandshakeError
from wslab.protocol.http import Headers, content_length, parse_head

__all__ = ["Body", "Exchange", "Next"]

# Its length in bytes, or how its end is found: by its chunks, or not before the connection ends.
Body = int | Literal["chunked", "endless"]
# "undecided": the answer to this request says how its side goes on. "opaque": nobody here knows.
Next = Literal["http", "undecided", "websocket", "opaque"]


class Asked(NamedTuple):
    """What an answer's meaning depends on."""

    method: str = "GET"
    upgrades: tuple[str, ...] = ()


class Exchange:
    """The HTTP of one connection, in order: pipelined requests are answered one after the other.

    switched: what both sides speak since the server's 101; "http" without one.
    """

    def __init__(self) -> None:
        self.unanswered: deque[Asked] = deque()
        self.switched: Next = "http"

    def request(self, head: bytes) -> Body:
        """Take the header of a request; return what body it has.

        Raises HandshakeError, a ValueError, if it is malformed: nobody can tell what follows.
        """
        line, headers = _read(head)
        self.unanswered.append(Asked(line.split(" ")[0], _upgrades(headers)))
        return _body(headers, 0)

    def after_request(self) -> Next:
        """Tell what the client sends after the body of its last request."""
        last = self.unanswered[-1] if self.unanswered else Asked()
        decides = bool(last.upgrades) or last.method == "CONNECT"
        return "undecided" if decides and self.switched == "http" else self.switched

    def response(self, head: bytes) -> tuple[Body, Next | None]:
        """Take the header of a response; return its body, and what it decides, None for nothing.

        "http" is for a client that waits; both sides turn to another protocol.
        Raises ValueError if it is malformed.
        """
        line, headers = _read(head)
        found = re.fullmatch(r"HTTP/[0-9]\.[0-9] ([1-9][0-9]{2})(?: .*)?", line)
        if found is None:
            raise HandshakeError("not a status line", "RFC 9112 §4")
        status = int(found[1])
        if 100 <= status < 200 and status != 101:
            return 0, None  # the answer proper is still to come
        request = self.unanswered.popleft() if self.unanswered else Asked()
        if status == 101:
            protocols = _upgrades(headers) or request.upgrades
            self.switched = "websocket" if "websocket" in protocols else "opaque"
            return 0, self.switched
        if request.method == "CONNECT" and 200 <= status < 300:
            return 0, "opaque"
        decided: Next | None = None if self.after_request() == "undecided" else "http"
        if request.method == "HEAD" or status in (204, 304):
            return 0, decided
        return _body(headers, "endless"), decided


def _read(head: bytes) -> tuple[str, Headers]:
    parsed = parse_head(head.removeprefix(b"\r\n"))
    if parsed is None:
        raise HandshakeError("the header has no end", "RFC 9112 §2.1")
    return parsed[:2]


def _upgrades(headers: Headers) -> tuple[str, ...]:
    return tuple(name.lower() for name in headers.tokens("Upgrade"))


def _body(headers: Headers, otherwise: Body) -> Body:
    """Tell which body these fields announce (RFC 9112 §6.3, items 4 to 8)."""
    if headers.all("Transfer-Encoding"):
        codings = headers.tokens("Transfer-Encoding")
        return "chunked" if codings and codings[-1].lower() == "chunked" else "endless"
    return content_length(headers) if headers.all("Content-Length") else otherwise
