"""An exchange tells whether a body, a message, or a different protocol follows an HTTP header.

The end of a response depends on its request. A response to HEAD or CONNECT has no body, whatever
the header says. The server's 101 decides the protocol of both sides from then on. So one exchange,
shared by both directions of a connection, holds the requests that wait for an answer.
Source: RFC 9110 §7.8, §9.3.2, §9.3.6; RFC 9112 §6.3, §9.3.2.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Literal, NamedTuple

from wslab.protocol.errors import HandshakeError
from wslab.protocol.http import Headers, content_length, parse_head

__all__ = ["Body", "Exchange", "Next"]

# Its length in bytes, or a way to find its end: "chunked", or "endless" until the connection ends.
Body = int | Literal["chunked", "endless"]
# "undecided": the answer to this request decides. "opaque": the protocol is not known here.
Next = Literal["http", "undecided", "websocket", "opaque"]


class Asked(NamedTuple):
    """The parts of a request that an answer's meaning depends on."""

    method: str = "GET"
    upgrades: tuple[str, ...] = ()


class Exchange:
    """The HTTP of one connection, where pipelined requests are answered in order.

    switched: the protocol of both sides since the server's 101; "http" without one.
    """

    def __init__(self) -> None:
        self.unanswered: deque[Asked] = deque()
        self.switched: Next = "http"

    def request(self, head: bytes) -> Body:
        """Take the header of a request; return its kind of body.

        Raises HandshakeError, a ValueError, if it is malformed, because the rest is then unknown.
        """
        line, headers = _read(head)
        self.unanswered.append(Asked(line.split(" ")[0], _upgrades(headers)))
        return _body(headers, 0)

    def after_request(self) -> Next:
        """Tell which protocol follows the body of the client's last request."""
        last = self.unanswered[-1] if self.unanswered else Asked()
        decides = bool(last.upgrades) or last.method == "CONNECT"
        return "undecided" if decides and self.switched == "http" else self.switched

    def response(self, head: bytes) -> tuple[Body, Next | None]:
        """Take the header of a response; return its body and its decision; None decides nothing.

        "http" is for a client that waits. A different protocol is for both sides.
        Raises ValueError if it is malformed.
        """
        line, headers = _read(head)
        found = re.fullmatch(r"HTTP/[0-9]\.[0-9] ([1-9][0-9]{2})(?: .*)?", line)
        if found is None:
            raise HandshakeError("not a status line", "RFC 9112 §4")
        status = int(found[1])
        if 100 <= status < 200 and status != 101:
            return 0, None  # the final answer is still to come
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
        raise HandshakeError("the header is not complete", "RFC 9112 §2.1")
    return parsed[:2]


def _upgrades(headers: Headers) -> tuple[str, ...]:
    return tuple(name.lower() for name in headers.tokens("Upgrade"))


def _body(headers: Headers, otherwise: Body) -> Body:
    """Tell which body these fields announce (RFC 9112 §6.3, items 4 to 8)."""
    if headers.all("Transfer-Encoding"):
        codings = headers.tokens("Transfer-Encoding")
        return "chunked" if codings and codings[-1].lower() == "chunked" else "endless"
    return content_length(headers) if headers.all("Content-Length") else otherwise
