"""The ways in which a connection dies, and whether it is worth another attempt.

`classify` reads the exceptions of the library and of the from-scratch client. The question is
always whether the same request could succeed later. A server's complaint about this client, or
about its messages, stays true. A problem of the server itself, or of the network, might pass.
"""

from __future__ import annotations

import email.utils
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, ProxyError

from wslab.kit.outbox import SequenceGap
from wslab.kit.resume import ResumeError
from wslab.protocol.errors import HandshakeError
from wslab.protocol.quoting import escaped
from wslab.scratch.endpoint import ConnectionEnded

__all__ = ["CLOSE_CODES", "TOO_BIG", "Ending", "classify", "of_code", "of_status", "retry_after"]

TOO_BIG = 1009  # close code


@dataclass(frozen=True)
class Ending:
    """How a connection ended, or was never made.

    way: "refused", "not found", "handshake", "closed", "broken", "silent" or "confused".
    text: the event, for a person. retry: True if another attempt makes sense.
    wait: seconds that the server asks to wait, in addition to the client's own wait.
    code: the close code, or the status of the refused handshake; 0 if there is neither.
    """

    way: str
    text: str
    retry: bool = True
    wait: float = 0.0
    code: int = 0

    def __post_init__(self) -> None:
        """Keep the server's control characters out of the text."""
        object.__setattr__(self, "text", escaped(self.text))

    @classmethod
    def of_bug(cls, error: Exception) -> Self:
        """Return a final ending for an error that `classify` does not know."""
        return cls("confused", f"{type(error).__name__}: {error}", retry=False)


# Whether another attempt makes sense is the course's judgement. RFC 6455 §7.4.1 and IANA's registry
# say what codes mean, not what to do. `wslab.kit.resume` defines 4001 and 4002, which are private.
CLOSE_CODES: dict[int, tuple[bool, str]] = {
    1000: (True, "the server is done; a client that wants to stay connected comes again"),
    1001: (True, "the server goes away, for a restart"),
    1002: (False, "protocol error: the same program will make it again"),
    1003: (False, "the server cannot use what is sent to it"),
    1005: (True, "closed without a reason"),
    1006: (True, "the connection broke off"),
    1007: (False, "a message was not UTF-8: it would fail again"),
    1008: (False, "policy violation: the server does not want this client"),
    TOO_BIG: (False, "a message was too big: it would fail again"),
    1010: (False, "an extension that the client needs is missing"),
    1011: (True, "the server has an error"),
    1012: (True, "the server restarts"),
    1013: (True, "the server is overloaded, try later"),
    1014: (True, "a gateway got a bad answer from the server"),
    3000: (False, "not authorised"),
    3003: (False, "forbidden"),
    4001: (False, "the same client came on another connection"),
    4002: (True, "the numbers of the messages did not fit: resume again"),
}

# Of the statuses of a refused opening handshake these may change later, and 5xx except two.
PASSING_4XX = (408, 425, 429)  # too slow, too early, too many requests
NO_TLS = "TLS failed, perhaps the server speaks ws:// there and not wss://"
FINAL_5XX = (501, 505)  # not implemented, or not in this version of HTTP


def of_code(code: int, reason: str = "") -> Ending:
    """Classify a close code that the server sent; an unknown one is worth an attempt."""
    whose = "the application" if 3000 <= code <= 4999 else "no known meaning"  # RFC 6455 §7.4.2
    retry, meaning = CLOSE_CODES.get(code, (True, f"a code of {whose}"))
    way = "broken" if code == 1006 else "closed"
    said = f" {reason[:60]!r}" if reason else ""
    return Ending(way, f"closed with {code}{said}: {meaning}", retry, code=code)


def of_status(status: int, wait: float = 0.0) -> Ending:
    """Classify a status that the opening handshake was refused with."""
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "of no known meaning"
    retry = status in PASSING_4XX or (500 <= status < 600 and status not in FINAL_5XX)
    why = "it may pass" if retry else "it will be the same next time"
    if status == 101:
        phrase, why = "but not to WebSocket", "this is not a WebSocket server"
    return Ending("handshake", f"refused with {status} {phrase}: {why}", retry, wait, status)


def retry_after(value: str | None, now: Callable[[], datetime] | None = None) -> float:
    """Read a Retry-After header, in seconds or a date. Return seconds, 0 for none or nonsense.

    Source: RFC 9110 §10.2.3.

    >>> retry_after("120"), retry_after(None), retry_after("soon")
    (120.0, 0.0, 0.0)
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    present = now() if now else datetime.now(UTC)
    if when.tzinfo is None:  # "-0000" means that the time is UTC
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - present).total_seconds())


def classify(error: BaseException) -> Ending | None:
    """Say how a connection ended, from the exception; None if it is a different error."""
    match error:
        case ConnectionClosed():
            return _of_library(error)
        case ConnectionEnded(code=code, reason=reason):
            return of_code(code, reason)
        case SequenceGap():
            return Ending("confused", f"a message is missing: {error}")
        case ResumeError():
            return Ending("confused", f"the server said something impossible: {error}")
        case HandshakeError(status=0):
            return Ending("handshake", f"not HTTP: {error}", retry=False)
        case HandshakeError(status=status, headers=headers):
            return of_status(status, retry_after(_header(headers)))
        case InvalidMessage():
            retry = isinstance(error.__cause__, EOFError | OSError)
            text = "the server hung up in the opening handshake" if retry else f"not HTTP: {error}"
            return Ending("handshake", text, retry)
        case InvalidHandshake() | ProxyError():
            response: Any = getattr(error, "response", None)
            if response is None:
                return Ending("handshake", f"the opening handshake failed: {error}", retry=False)
            return of_status(response.status_code, retry_after(response.headers.get("Retry-After")))
        case ssl.SSLError() | ConnectionResetError(args=()):
            return _of_tls(error)
        case TimeoutError():
            return Ending("silent", "no answer in time")
        case socket.gaierror():
            return Ending("not found", "the name cannot be resolved: perhaps there is no network")
        case ConnectionRefusedError():
            return Ending("refused", "refused: nothing listens there")
        case OSError():
            what = os.strerror(error.errno).lower() if error.errno else str(error)
            what = what or type(error).__name__
            return Ending("broken", f"the network failed: {what}")
    return None


def _of_tls(error: OSError) -> Ending:
    seen = error.strerror or str(error) or "the server hung up"  # asyncio's error has no text
    match error:
        case ssl.SSLCertVerificationError():
            return Ending("handshake", f"certificate: {error.verify_message}", retry=False)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLSyscallError():
            return Ending("broken", f"TLS broke off: {seen}")
    return Ending("handshake", f"{NO_TLS}: {seen}", retry=False)


def _of_library(error: ConnectionClosed) -> Ending:
    if error.rcvd is not None:
        return of_code(error.rcvd.code, error.rcvd.reason)
    sent = error.sent.code if error.sent is not None else None
    if sent in (1002, 1003, 1007, 1009):  # this side complained, and there was no answer
        return Ending("confused", f"the server broke the protocol ({sent})", retry=False)
    return of_code(1006)


def _header(headers: tuple[tuple[str, str], ...]) -> str | None:
    return next((value for name, value in headers if name.lower() == "retry-after"), None)
