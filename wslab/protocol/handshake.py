"""The opening handshake (RFC 6455 §4), which turns an HTTP connection into a WebSocket connection.

A client sends what `upgrade_request` makes, and a server replies with what `answer` makes of it.
The client checks that reply with `check_response`. All are functions of values, without sockets or
a clock. The only random number is the client's nonce, and it is an argument.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from wslab.protocol.errors import HandshakeError, quantity
from wslab.protocol.http import TCHAR, Headers, Request, Response, check_target, content_length

__all__ = ["GUID", "VERSION", "Extension", "accept_key", "answer", "check_request"]
__all__ += ["check_response", "parse_extensions", "reject", "upgrade_request"]

# A server that does not know WebSocket will not append this string by accident (§1.3).
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION = "13"

# A request asks for the change of protocol with these fields, and the response grants it with them.
# Upgrade is always listed in Connection (RFC 9110 §7.8).
_UPGRADE = (("Upgrade", "websocket"), ("Connection", "Upgrade"))

# A caller may not add these fields: subprotocols and extensions are arguments, and a body would be
# read as frames.
_RESERVED = {"sec-websocket-protocol", "sec-websocket-extensions", "sec-websocket-accept"}
_RESERVED |= {"content-length", "transfer-encoding"}

_QUOTED = rf'"(?:\\?{TCHAR})+"'  # holds a token too, perhaps with escapes (§9.1)
_OWS = "[\t ]*"  # optional white space
_PARAMETER = rf"{_OWS}({TCHAR}+){_OWS}(?:={_OWS}({TCHAR}+|{_QUOTED}){_OWS})?"


class Extension(NamedTuple):
    """One element of Sec-WebSocket-Extensions (RFC 6455 §9.1).

    parameters: (name, value) pairs; the value is None for a name that stands alone.

    >>> str(Extension("permessage-deflate", (("client_max_window_bits", None),)))
    'permessage-deflate; client_max_window_bits'
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        """Write it as the header does."""
        parts = (name if value is None else f"{name}={value}" for name, value in self.parameters)
        return "; ".join((self.name, *parts))


# Decides on an offer of an extension; returns the extension as agreed, or None to decline.
Negotiator = Callable[[Extension], Extension | None]

Fields = Iterable[tuple[str, str]]


def accept_key(key: str) -> str:
    """Answer a client's challenge with Base64(SHA-1(key + GUID)).

    key: the `Sec-WebSocket-Key` header; 24 Base64 characters, 16 bytes decoded.
    Returns the `Sec-WebSocket-Accept` header; 28 characters, 20 bytes decoded.
    Raises HandshakeError if key is not the Base64 of 16 bytes, and TypeError if it is not a str.
    Source: RFC 6455 §4.2.2, item 5.4.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    if not isinstance(key, str):
        raise TypeError(f"key is {type(key).__name__}, not str")
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        seen = f"Sec-WebSocket-Key is not Base64: {key[:40]!r}"
        raise HandshakeError(seen, "RFC 6455 §4.2.1") from None
    if size != 16:
        raise HandshakeError(
            f"Sec-WebSocket-Key is {quantity(size, 'byte')}, not 16", "RFC 6455 §4.2.1"
        )
    digest = hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def parse_extensions(headers: Headers) -> tuple[Extension, ...]:
    """Read Sec-WebSocket-Extensions; HandshakeError if it is malformed (RFC 6455 §9.1)."""
    extensions = []
    for element in headers.tokens("Sec-WebSocket-Extensions"):
        matches = [re.fullmatch(_PARAMETER, part) for part in element.split(";")]
        pairs = [(match[1], match[2]) for match in matches if match is not None]
        if len(pairs) < len(matches) or pairs[0][1] is not None:
            raise HandshakeError(f"not an extension: {element[:60]!r}", "RFC 6455 §9.1")
        (name, _), *parameters = pairs
        values = tuple((key, value and re.sub(r'["\\]', "", value)) for key, value in parameters)
        extensions.append(Extension(name, values))
    return tuple(extensions)


def upgrade_request(
    host: str,
    target: str = "/",
    *,
    nonce: bytes,
    subprotocols: Iterable[str] = (),
    origin: str | None = None,
    extensions: Iterable[Extension] = (),
    headers: Fields = (),
) -> Request:
    """Make the request that opens a connection.

    host: name or address, with ``:port`` unless it is the default one.
    target: path and query, such as ``/chat?room=1``.
    nonce: 16 bytes, fresh and random for every connection.
    subprotocols: the ones the client speaks, best first.
    origin: the Origin header, as a browser would send it.
    headers: further fields, such as cookies or authorization. Fields made here cannot be repeated.
    Raises ValueError for a nonce that is not 16 bytes long, and for a malformed host or target.
    Subprotocols have to be distinct tokens. No header may be made here too, or announce a body.
    Source: RFC 6455 §4.1.
    """
    refuse_text("subprotocols", subprotocols)
    names = list(subprotocols)
    try:
        check_target(target, host)
        _check_subprotocols(names)
    except HandshakeError as error:  # here the mistake is the caller's
        raise ValueError(str(error)) from None
    if len(nonce) != 16:
        raise ValueError(f"nonce is {quantity(len(nonce), 'byte')}, not 16 (RFC 6455 §4.1)")
    fields = [("Host", host), *_UPGRADE, ("Sec-WebSocket-Key", base64.b64encode(nonce).decode())]
    if origin is not None:
        fields.append(("Origin", origin))
    if names:
        fields.append(("Sec-WebSocket-Protocol", ", ".join(names)))
    if offered := ", ".join(map(str, extensions)):
        fields.append(("Sec-WebSocket-Extensions", offered))
    fields.append(("Sec-WebSocket-Version", VERSION))
    return Request(target, Headers([*fields, *_further(headers, fields)]))


def _further(headers: Fields, own: Fields) -> list[tuple[str, str]]:
    """Return the caller's fields; ValueError for one that is made here or cannot be there."""
    taken, further = _RESERVED | {name.lower() for name, _ in own}, list(headers)
    if again := [name for name, _ in further if name.lower() in taken]:
        raise ValueError(f"headers may not have {again[0]!r}: it is made here, or not allowed")
    return further


def answer(
    request: Request,
    *,
    subprotocols: Iterable[str] = (),
    origins: Iterable[str | None] | None = None,
    extensions: Mapping[str, Negotiator] | None = None,
) -> Response:
    """Answer a client's request with 101 if it may connect, else with the status that says why.

    subprotocols: the ones the server speaks; the client's first choice among them is agreed
    on. If there is none the client gets a 101 without one. RFC 6455 lets it go on, but a browser
    whose page offered some fails the connection (WHATWG WebSockets §2).
    origins: the origins to accept. None in this list stands for a client that sends no origin.
    Without a list, every origin is accepted.
    extensions: maps an extension's name to the function that decides on an offer of it.
    Source: RFC 6455 §4.2.2.
    """
    refuse_text("subprotocols", subprotocols)
    try:
        key = check_request(request, origins=origins)
        offered = offered_subprotocols(request.headers)
        offers = parse_extensions(request.headers)
    except HandshakeError as error:
        return reject(error, method=request.method)
    fields = [*_UPGRADE, ("Sec-WebSocket-Accept", accept_key(key))]
    spoken = set(subprotocols)
    if choice := next((name for name in offered if name in spoken), None):
        fields.append(("Sec-WebSocket-Protocol", choice))
    if agreed := _agree_on(offers, extensions or {}):
        fields.append(("Sec-WebSocket-Extensions", ", ".join(map(str, agreed))))
    return Response(101, Headers(fields))


def reject(error: HandshakeError, *, method: str = "GET") -> Response:
    """Make the response that refuses a handshake, with the error's status and its text as the body.

    method: the request's method, because the answer to HEAD has no body (RFC 9110 §9.3.2).
    """
    body, fields = b"", [("Connection", "close"), *error.headers]
    if method != "HEAD":
        body = f"{error}\n".encode()
        kind = ("Content-Type", "text/plain; charset=utf-8")
        fields = [kind, ("Content-Length", str(len(body))), *fields]
    return Response(error.status, Headers(fields), body=body)


def check_request(request: Request, *, origins: Iterable[str | None] | None = None) -> str:
    """Check a client's request and return its Sec-WebSocket-Key.

    Raises HandshakeError with status 405 unless the method is GET, 426 unless the request asks
    for WebSocket in version 13, 403 for an origin that is not accepted, else 400.
    Source: RFC 6455 §4.2.1.
    """
    refuse_text("origins", origins)
    section, headers = "RFC 6455 §4.2.1", request.headers
    if request.method != "GET":
        seen = f"method is {request.method[:20]}, not GET"
        raise HandshakeError(seen, section, 405, (("Allow", "GET"),))
    if not "HTTP/1.1" <= request.version < "HTTP/2":
        raise HandshakeError(f"version is {request.version}, not HTTP/1.1", section)
    check_target(request.target, headers.one("Host", "RFC 9112 §3.2"))
    if headers.all("Transfer-Encoding") or content_length(headers):
        raise HandshakeError("a body is announced, but it would be read as frames", section)
    _check_upgrade(headers)
    key = headers.one("Sec-WebSocket-Key", section)
    accept_key(key)
    origin = headers.one("Origin", "RFC 6454 §7.3") if headers.all("Origin") else None
    if origins is not None and origin not in set(origins):
        raise HandshakeError(f"origin {origin!r} is not accepted", "RFC 6455 §10.2", 403)
    return key


def _check_upgrade(headers: Headers) -> None:
    wanted = (*_UPGRADE, ("Sec-WebSocket-Version", VERSION))
    for name, token in _UPGRADE:
        if token.lower() not in map(str.lower, headers.tokens(name)):
            seen = f"{name} is {headers.get(name)!r}, not {token.lower()!r}"
            raise HandshakeError(seen, "RFC 6455 §4.2.1", 426, wanted)
    if headers.get("Sec-WebSocket-Version") != VERSION:
        seen = f"Sec-WebSocket-Version is {headers.get('Sec-WebSocket-Version')!r}, not '13'"
        raise HandshakeError(seen, "RFC 6455 §4.4", 426, wanted)


def refuse_text(name: str, values: object) -> None:
    """Raise TypeError for a text in place of a list of texts."""
    if isinstance(values, (str, bytes)):  # iterable too, but nobody means its letters
        raise TypeError(f"{name} is {values!r:.40}, not a list: write [{values!r:.40}]")


def offered_subprotocols(headers: Headers) -> list[str]:
    """Return the client's offer, best first; HandshakeError unless distinct tokens (§4.1)."""
    offered = headers.tokens("Sec-WebSocket-Protocol")
    _check_subprotocols(offered)
    return offered


def _check_subprotocols(names: list[str]) -> None:
    bad = [name for name in names if not re.fullmatch(f"{TCHAR}+", name)]
    if bad or len(set(names)) < len(names):
        raise HandshakeError(f"not a list of distinct subprotocols: {names!r:.60}", "RFC 6455 §4.1")


def _agree_on(offers: Iterable[Extension], known: Mapping[str, Negotiator]) -> list[Extension]:
    agreed: dict[str, Extension] = {}
    for offer in offers:
        if offer.name in known and offer.name not in agreed and (done := known[offer.name](offer)):
            agreed[offer.name] = done
    return list(agreed.values())


def check_response(response: Response, request: Request) -> None:
    """Check a server's answer to request, as a client must before it goes on.

    Raises HandshakeError, with the status received, unless it is a 101 of HTTP/1.1 with the right
    Upgrade, Connection and Sec-WebSocket-Accept. Raises it, too, for a subprotocol or an extension
    that was not asked for.
    Source: RFC 6455 §4.1, after "Once the client's opening handshake has been sent".
    """
    section, headers = "RFC 6455 §4.1", response.headers

    def fail(seen: str) -> HandshakeError:
        return HandshakeError(seen, section, response.status)

    if response.status != 101:
        raise fail(f"status is {response.status} {response.reason[:40]}, not 101")
    if not "HTTP/1.1" <= response.version < "HTTP/2":  # older ones have no Upgrade (RFC 9110 §7.8)
        raise fail(f"version is {response.version}, not HTTP/1.1")
    if (headers.get("Upgrade") or "").lower() != "websocket":
        raise fail(f"Upgrade is {headers.get('Upgrade')!r}, not 'websocket'")
    if "upgrade" not in map(str.lower, headers.tokens("Connection")):
        raise fail(f"Connection is {headers.get('Connection')!r}, not 'upgrade'")
    accept = headers.get("Sec-WebSocket-Accept") or ""
    expected = accept_key(request.headers.one("Sec-WebSocket-Key", section))
    if not hmac.compare_digest(accept.encode(), expected.encode()):
        raise fail(f"Sec-WebSocket-Accept is {accept[:40]!r}, not {expected!r}")
    chosen = headers.all("Sec-WebSocket-Protocol")
    if chosen and (len(chosen) > 1 or chosen[0] not in offered_subprotocols(request.headers)):
        raise fail(f"subprotocol {', '.join(chosen)[:40]!r} was not requested")
    asked = {extension.name for extension in parse_extensions(request.headers)}
    try:
        agreed = parse_extensions(headers)
    except HandshakeError as error:
        raise fail(error.message) from None
    if unasked := [extension.name for extension in agreed if extension.name not in asked]:
        raise fail(f"extension {unasked[0]!r} was not requested")
