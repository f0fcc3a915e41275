"""The reason for which a connection ends, as a Close frame carries it (RFC 6455 §5.5.1, §7.4)."""

from enum import IntEnum
from typing import NamedTuple, Self

from wslab.protocol.errors import ProtocolError
from wslab.protocol.quoting import printable

__all__ = ["Close", "CloseCode", "cut_reason", "describe_close"]

REASON_LIMIT = 123  # bytes: a control frame has 125 (RFC 6455 §5.5), and the code takes two


class CloseCode(IntEnum):
    """Why a connection ends (RFC 6455 §7.4.1, and the IANA registry for 1012 to 1014)."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RECEIVED = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015

    @staticmethod
    def is_sendable(code: int) -> bool:
        """Tell whether a Close frame may carry this code (RFC 6455 §7.4).

        1005, 1006 and 1015 describe what happened locally and never travel. 1004 is reserved. The
        IANA registry adds 1012 to 1014. Libraries, frameworks and applications register 3000 to
        3999 with IANA. The codes from 4000 to 4999 are for private use (§7.4.2).
        """
        return (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999


class Close(NamedTuple):
    """The payload of a Close frame (RFC 6455 §5.5.1).

    code: a number that may travel, see `CloseCode.is_sendable`; 1005 means that there is none.
    reason: at most 123 bytes in UTF-8.

    >>> Close(1000, "bye").serialize()
    b'\\x03\\xe8bye'
    """

    code: int = CloseCode.NO_STATUS_RECEIVED
    reason: str = ""

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read a Close frame's payload; an empty one means 1005, that is, without a code.

        Raises ProtocolError with code 1002 for a single byte or a code that may not travel, and
        with 1007 for a reason that is not UTF-8.
        Source: RFC 6455 §5.5.1, §7.4.
        """
        if not payload:
            return cls()
        if len(payload) == 1:
            raise ProtocolError("CLOSE payload is 1 byte, not 0 or at least 2", "RFC 6455 §5.5.1")
        code = int.from_bytes(payload[:2])
        if not CloseCode.is_sendable(code):
            raise ProtocolError(f"close code {code} may not be sent", "RFC 6455 §7.4")
        try:
            return cls(code, payload[2:].decode())
        except UnicodeDecodeError as error:
            seen = f"the close reason is not UTF-8: {error.reason} at byte {error.start}"
            raise ProtocolError(seen, "RFC 6455 §8.1", CloseCode.INVALID_PAYLOAD) from None

    def serialize(self) -> bytes:
        """Write the payload of a Close frame.

        Raises ProtocolError for a code that may not travel, a reason without a code, or a
        reason longer than 123 bytes. Raises TypeError unless they are a number and a text.
        Source: RFC 6455 §5.5.1, §7.4.
        """
        if not (isinstance(self.code, int) and isinstance(self.reason, str)):
            raise TypeError(f"code {self.code!r}, reason {self.reason!r}: not a number and a text")
        if self == Close():
            return b""
        if not CloseCode.is_sendable(self.code):
            raise ProtocolError(f"close code {self.code} may not be sent", "RFC 6455 §7.4")
        reason = self.reason.encode()
        if len(reason) > REASON_LIMIT:
            seen = f"reason is {len(reason)} bytes, limit {REASON_LIMIT}"
            raise ProtocolError(seen, "RFC 6455 §5.5")
        return self.code.to_bytes(2) + reason


def cut_reason(text: str) -> str:
    """Return as much of a text as a Close frame has room for; half a surrogate pair becomes "?".

    >>> len(cut_reason("好" * 100))
    41
    """
    return text.encode(errors="replace")[:REASON_LIMIT].decode(errors="ignore")


def describe_close(code: int | None, reason: str | None) -> str:
    """Write a close code with its name and reason.

    >>> print(describe_close(1000, "bye"), describe_close(4000, ""))
    1000 NORMAL_CLOSURE "bye" 4000
    """
    try:
        name = f" {CloseCode(code or 0).name}"
    except ValueError:  # a code of the application's own, 3000 to 4999
        name = ""
    return f"{code}{name}" + (f" {printable(reason)}" if reason else "")
