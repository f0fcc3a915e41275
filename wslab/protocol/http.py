"""HTTP/1.1 messages, as far as the opening handshake needs them (RFC 9112).

The parser is strict. It refuses a malformed message, with the status for the fault. If two programs
read a malformed request differently, an attacker can smuggle requests past a proxy.
"""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from wslab.protocol.errors import HandshakeError, quantity

__all__ = ["Headers", "Request", "Response", "check_target", "content_length", "parse_head"]
__all__ += ["split_target"]

HEAD_LIMIT = 16 * 1024  # bytes; start line and header fields together

TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # of a token, such as a field's name (RFC 9110 §5.6.2)
_VERSION = r"HTTP/[0-9]\.[0-9]"
# Patterns are compiled when first used, so that the import stays quick.
_REQUEST_LINE = rf"({TCHAR}+) ([!-~]+) ({_VERSION})"
_STATUS_LINE = rf"({_VERSION}) ([1-5][0-9]{{2}}) ([\t -~\x80-\xff]*)"
_FIELD = rf"({TCHAR}+):([\t -~\x80-\xff]*)"
# A name or an address, then a port. RFC 3986 §3.2.2 allows more characters in a name than DNS, such
# as the comma that joins two Host fields.
_HOST = r"(?a:(?:[\w.~-]+|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?)"
# Path and query, no fragment. RFC 3986 does not allow []{}|^`\ there, nor a % that stands alone,
# but browsers send them unescaped.
_URI = r"[0-9A-Za-z._~!$&'()*+,;=:@/?\[\]{}|^`\\%-]*"
_TARGET = rf"/{_URI}|(?i:https?|wss?)://([^/?]+)(?:[/?]{_URI})?"
_BLANK = "\t "  # str.strip() alone would also take NEL and no-break space, which are text here


class Headers(tuple[tuple[str, str], ...]):
    """Header fields as (name, value) pairs, in order; names are compared without regard to case."""

    __slots__ = ()

    def all(self, name: str) -> list[str]:
        """Return every value of a field, in order."""
        name = name.lower()
        return [value for key, value in self if key.lower() == name]

    def get(self, name: str) -> str | None:
        """Return a field's value, several joined by ", " (RFC 9110 §5.3); None if absent."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def one(self, name: str, section: str) -> str:
        """Return a field's value; HandshakeError unless the field is there exactly once."""
        values = self.all(name)
        if len(values) != 1:
            seen = f"there {len(values)} times" if values else "missing"
            raise HandshakeError(f"{name} is {seen}, exactly one is needed", section)
        return values[0]

    def tokens(self, name: str) -> list[str]:
        """Return the comma-separated elements of a field, without white space and empty ones."""
        items = (item.strip(_BLANK) for value in self.all(name) for item in value.split(","))
        return [item for item in items if item]

    def serialize(self) -> bytes:
        """Write the fields as lines; ValueError for one that would not read back the same."""
        for name, value in self:
            match = re.fullmatch(_FIELD, f"{name}:{value}")
            if match is None or match.groups() != (name, value.strip(_BLANK)):
                raise ValueError(f"not a header field: {name!r}: {value!r} (RFC 9110 §5.5)")
        return b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in self)


@dataclass(frozen=True)
class Request:
    """An HTTP request without a body.

    target: the part after the method, such as ``/chat?room=1``.
    headers: `Headers`, or the pairs to make them of.

    >>> Request("/chat", Headers([("Host", "example.com")])).serialize()
    b'GET /chat HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n'
    """

    target: str
    headers: Headers
    method: str = "GET"
    version: str = "HTTP/1.1"

    def __post_init__(self) -> None:
        """Make `Headers` of any pairs."""
        object.__setattr__(self, "headers", Headers(self.headers))

    @property
    def path(self) -> str:
        """The target's path, still percent-encoded; see `split_target`."""
        return split_target(self.target)[0]

    @property
    def query(self) -> str:
        """The target's query, still percent-encoded; "" if there is none."""
        return split_target(self.target)[1]

    @classmethod
    def parse(cls, data: bytes | bytearray, start: int = 0) -> tuple[Self, int] | None:
        """Read the request that begins at data[start], or after an empty line there (§2.2).

        Returns it with the index of the byte after its header, or None if more is needed.
        Raises HandshakeError with status 400 if it is malformed, 414 or 431 if it is too large.
        Source: RFC 9112 §2 to §5.
        """
        if data.startswith(b"\r\n", start):
            start += 2
        head = parse_head(data, start)
        if head is None:
            return None
        line, headers, end = head
        match = re.fullmatch(_REQUEST_LINE, line)
        if match is None:
            raise HandshakeError(f"not a request line: {line[:60]!r}", "RFC 9112 §3")
        return cls(match[2], headers, match[1], match[3]), end

    def serialize(self) -> bytes:
        """Write the request as bytes; ValueError if it would not read back the same."""
        line = f"{self.method} {self.target} {self.version}"
        if not re.fullmatch(_REQUEST_LINE, line):
            raise ValueError(f"not a request line: {line!r} (RFC 9112 §3)")
        return f"{line}\r\n".encode() + self.headers.serialize() + b"\r\n"


@dataclass(frozen=True)
class Response:
    """An HTTP response.

    status: the status code. reason: its phrase; by default the standard one.
    headers: `Headers`, or the pairs to make them of.
    body: the bytes that Content-Length announces.

    >>> Response(404, Headers([("Content-Length", "0")])).serialize()
    b'HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n'
    """

    status: int
    headers: Headers
    reason: str = ""
    body: bytes = field(default=b"", repr=False)
    version: str = "HTTP/1.1"

    def __post_init__(self) -> None:
        """Make `Headers` of any pairs, and fill in the standard phrase."""
        object.__setattr__(self, "headers", Headers(self.headers))
        if not self.reason and self.status in HTTPStatus._value2member_map_:
            object.__setattr__(self, "reason", HTTPStatus(self.status).phrase)

    @property
    def is_interim(self) -> bool:
        """Tell if another response to the same request follows, as after 100 (RFC 9110 §15.2)."""
        return 100 <= self.status < 200 and self.status != 101

    @classmethod
    def parse(cls, data: bytes | bytearray, start: int = 0) -> tuple[Self, int] | None:
        """Read the response that begins at data[start], with the body of the announced length.

        Returns it with the index of the byte after it, or None if more is needed. A different
        body (chunked, or up to the end of the connection) is left unread.
        Raises HandshakeError with status 400 if it is malformed, 414 or 431 if it is too large.
        Source: RFC 9112 §2 to §6.
        """
        head = parse_head(data, start)
        if head is None:
            return None
        line, headers, end = head
        match = re.fullmatch(_STATUS_LINE, line)
        if match is None:
            raise HandshakeError(f"not a status line: {line[:60]!r}", "RFC 9112 §4")
        version, status, reason = match[1], int(match[2]), match[3]
        length = _body_length(status, headers)
        if end + length > len(data):
            return None
        body = bytes(data[end : end + length])
        return cls(status, headers, reason, body, version), end + length

    def serialize(self) -> bytes:
        """Write the response as bytes; ValueError if it would not read back the same."""
        line = f"{self.version} {self.status} {self.reason}"
        if not re.fullmatch(_STATUS_LINE, line):
            raise ValueError(f"not a status line: {line!r} (RFC 9112 §4)")
        length = _body_length(self.status, self.headers)
        if len(self.body) != length:
            seen = f"body is {quantity(len(self.body), 'byte')}, but {length} are announced"
            raise ValueError(f"{seen} (RFC 9112 §6.3)")
        return f"{line}\r\n".encode("latin-1") + self.headers.serialize() + b"\r\n" + self.body


def content_length(headers: Headers) -> int:
    """Return the number of body bytes that a message announces, 0 without Content-Length.

    Raises HandshakeError unless it is one decimal number, without Transfer-Encoding, because two
    lengths let an attacker smuggle requests (RFC 9112 §6.3).
    """
    if not headers.all("Content-Length"):
        return 0
    if headers.all("Transfer-Encoding"):
        raise HandshakeError("Transfer-Encoding and Content-Length are both there", "RFC 9112 §6.3")
    value = headers.one("Content-Length", "RFC 9112 §6.3")
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise HandshakeError(f"Content-Length is {value[:40]!r}, not a number", "RFC 9112 §6.3")
    return int(value)


def _body_length(status: int, headers: Headers) -> int:
    return 0 if status < 200 or status in (204, 304) else content_length(headers)


def parse_head(data: bytes | bytearray, start: int = 0) -> tuple[str, Headers, int] | None:
    """Read the header that begins at data[start].

    Returns start line, fields, and the index of the byte after them; None if more bytes are needed.
    Raises HandshakeError with status 400, 414 or 431 (RFC 9112 §2 to §5).
    """
    if data.startswith(b"\r\n", start):
        raise HandshakeError("an empty line is where the start line should be", "RFC 9112 §2.2")
    end = data.find(b"\r\n\r\n", start, start + HEAD_LIMIT)
    head = bytes(data[start : end + 2 if end >= 0 else start + HEAD_LIMIT])
    # A CR at the very end may still get its LF.
    if not head.count(b"\n") == head.count(b"\r\n") == head.count(b"\r") - head.endswith(b"\r"):
        raise HandshakeError("a line does not end in CR LF", "RFC 9112 §2.2")
    if end < 0:
        if len(head) < HEAD_LIMIT:
            return None
        if b"\r\n" not in head:
            raise HandshakeError(f"start line is over {HEAD_LIMIT} bytes", "RFC 9112 §3", 414)
        raise HandshakeError(f"header is over {HEAD_LIMIT} bytes", "RFC 6585 §5", 431)
    line, *fields = head.decode("latin-1").split("\r\n")[:-1]
    return line, Headers(map(_parse_field, fields)), end + 4


def _parse_field(line: str) -> tuple[str, str]:
    if line[0] in " \t":
        raise HandshakeError(f"folded header line: {line[:40]!r}", "RFC 9112 §5.2")
    match = re.fullmatch(_FIELD, line)
    if match is None:
        raise HandshakeError(f"not a header field: {line[:60]!r}", "RFC 9112 §5")
    return match[1], match[2].strip(_BLANK)


def split_target(target: str) -> tuple[str, str]:
    """Return path and query of a request target, neither decoded. Any text has them.

    A target is not a URL, so `urlsplit` is the wrong tool. It would take ``//[`` as an invalid
    host, and a path that begins with two slashes would lose its beginning (RFC 9112 §3.2).

    >>> split_target("//[?a=1?"), split_target("http://example.com/chat")
    (('//[', 'a=1?'), ('/chat', ''))
    """
    path, _, query = target.partition("#")[0].partition("?")
    if "://" in path and not path.startswith("/"):  # absolute form, as a proxy gets it
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path, query


def check_target(target: str, host: str) -> None:
    """Check a request's target, ``/path?query`` or a whole URI of HTTP or WebSocket, and its host.

    host: the Host field, ``host`` or ``host:port``. It cannot be empty, because that is for URIs
    without a host, and every WebSocket URI has one (RFC 6455 §3).
    Raises HandshakeError with status 400.
    Source: RFC 9112 §3.2, RFC 3986 §3.
    """
    match = re.fullmatch(_TARGET, target)
    if match is None:
        raise HandshakeError(f"target {target[:40]!r} is not a valid path or URI", "RFC 9112 §3.2")
    for name in (host, match[1] or host):
        parts = re.fullmatch(_HOST, name)
        if parts is None or int(parts[1] or 0) > 65535:
            raise HandshakeError(f"{name[:60]!r} is not a host or host:port", "RFC 9112 §3.2")
