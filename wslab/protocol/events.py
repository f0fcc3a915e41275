"""The events that a connection hands to its application, as small immutable values.

Tell them apart with a pattern, as in ``match event: case Text(text): …``.
"""

from dataclasses import dataclass

__all__ = ["Binary", "Closed", "Closing", "Ping", "Pong", "ProtocolEvent", "Text", "Violation"]


@dataclass(frozen=True, slots=True)
class Text:
    """A whole text message, put together from its fragments (RFC 6455 §5.6)."""

    data: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A whole binary message, put together from its fragments (RFC 6455 §5.6)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer asks for a sign of life; the Pong is already queued (RFC 6455 §5.5.2)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer gives a sign of life, asked or unasked (RFC 6455 §5.5.3)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """The peer's Close frame arrived; unless it answers ours, our reply is queued (§5.5.1).

    code: the frame's code, or 1005 if it has none. reason: the peer's words, "" if there are none.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The TCP connection has ended, and the WebSocket connection with it (RFC 6455 §7.1.4).

    code, reason: taken from the peer's Close frame; code is 1006 if none arrived (§7.1.5, §7.1.6).
    clean: True if both sides had sent a Close frame.
    """

    code: int
    reason: str
    clean: bool


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer broke a rule. The connection has failed, and nothing more is read (§7.1.7).

    code: the close code that was sent to the peer.
    section: where the rule is written, such as ``"RFC 6455 §5.2"``.
    message: the fault and the rule, in a sentence.
    """

    code: int
    section: str
    message: str


ProtocolEvent = Text | Binary | Ping | Pong | Closing | Closed | Violation
