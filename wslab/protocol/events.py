"""What a connection tells its application: one small immutable value for each thing that happened.

A pattern tells them apart: ``match event: case Text(text): …``.
"""

from dataclasses import dataclass

__all__ = ["Binary", "Closed", "Closing", "Ping", "Pong", "ProtocolEvent", "Text", "Violation"]


@dataclass(frozen=True, slots=True)
class Text:
    """A whole text message, its fragments put together (RFC 6455 §5.6)."""

    data: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A whole binary message, its fragments put together (RFC 6455 §5.6)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer asks for a sign of life; the Pong is already queued (RFC 6455 §5.5.2)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer gives one, asked or unasked (RFC 6455 §5.5.3)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """The peer's Close frame arrived; if it is not a reply to ours, the reply is queued (§5.5.1).

    code: 1005 if the frame has none. reason: as the peer wrote it, "" if there is none.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The TCP connection has ended, and the WebSocket connection with it (RFC 6455 §7.1.4).

    code, reason: those of the peer's Close frame; 1006 if none arrived (§7.1.5, §7.1.6).
    clean: True if both sides had sent a Close frame.
    """

    code: int
    reason: str
    clean: bool


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer broke a rule; the connection has failed, and nothing more is read (§7.1.7).

    code: the close code that was sent to the peer.
    section: where the rule is written, such as ``"RFC 6455 §5.2"``.
    message: what was seen and what is allowed.
    """

    code: int
    section: str
    message: str


ProtocolEvent = Text | Binary | Ping | Pong | Closing | Closed | Violation
