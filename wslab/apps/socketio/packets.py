"""Engine.IO and Socket.IO, the two layers of packets that Socket.IO puts on HTTP or WebSocket.

    42["chat message","Hello"]
    │└ Socket.IO, the meaning: 2 is an event, and its name and arguments follow as JSON
    └─ Engine.IO, the carrier: 4 is a message; others open, close, ping, pong and upgrade

On WebSocket a text frame holds one packet, and a binary frame is a message of bytes. Over HTTP a
body holds several packets with the separator U+001E between them, and bytes in Base64 after a `b`.

Sources: Engine.IO protocol 4 and Socket.IO protocol 5, those of Socket.IO 3 and 4. Neither is an
RFC. Both are descriptions beside the reference implementation.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from wslab.kit.messages import encoded, parsed
from wslab.protocol.errors import PeerError

__all__ = [
    "ENGINE_IO",
    "SEPARATOR",
    "SOCKET_IO",
    "EnginePacket",
    "EngineType",
    "SocketPacket",
    "SocketType",
]

ENGINE_IO = "Engine.IO protocol 4"
SOCKET_IO = "Socket.IO protocol 5"
SEPARATOR = "\x1e"  # between the packets of an HTTP body

_COUNT_DIGITS = 4  # of attachments that a packet may announce
_ID_DIGITS = 15  # of an acknowledgement's number
_DIGITS = "0123456789"  # str.isdigit() knows more of them


class EngineType(IntEnum):
    """The type of an Engine.IO packet, its first character."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


class SocketType(IntEnum):
    """The type of a Socket.IO packet, its first character."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


def _leading_digits(text: str, start: int, limit: int, what: str) -> tuple[str, int]:
    """Return the decimal digits at text[start], and the index after them."""
    end = start
    while end < len(text) and text[end] in _DIGITS:
        end += 1
    if end - start > limit:
        raise PeerError(f"{what} has {end - start} digits, limit {limit}", SOCKET_IO)
    return text[start:end], end


@dataclass(frozen=True)
class EnginePacket:
    """An Engine.IO packet. data: the rest after its type; bytes only in a message.

    >>> EnginePacket.parse("2probe")
    EnginePacket(type=<EngineType.PING: 2>, data='probe')
    """

    type: EngineType
    data: str | bytes = ""

    @classmethod
    def parse(cls, data: str | bytes) -> EnginePacket:
        """Read the payload of a WebSocket frame, or one packet of an HTTP body.

        Raises PeerError if that is not a packet.
        """
        if isinstance(data, bytes):
            return cls(EngineType.MESSAGE, data)
        if data[:1] == "b":  # in an HTTP body, which is text
            try:
                return cls(EngineType.MESSAGE, base64.b64decode(data[1:], validate=True))
            except (binascii.Error, ValueError):
                raise PeerError(f"not Base64: {data[1:41]!r}", ENGINE_IO) from None
        if not data:
            raise PeerError("a packet is empty, it has at least its type", ENGINE_IO)
        if data[0] not in _DIGITS[: len(EngineType)]:
            raise PeerError(f"packet type is {data[0]!r}, known are '0' to '6'", ENGINE_IO)
        return cls(EngineType(int(data[0])), data[1:])

    def serialize(self) -> str | bytes:
        """Write it as the payload of a frame."""
        if isinstance(self.data, str):
            return f"{self.type:d}{self.data}"
        if self.type != EngineType.MESSAGE:
            raise ValueError(f"{self.type.name} carries text, only MESSAGE may carry bytes")
        return self.data


@dataclass(frozen=True)
class SocketPacket:
    """A Socket.IO packet, which an Engine.IO message carries.

    data: a JSON value, or None. An event's is a list of its name and its arguments.

    namespace: begins with "/". id: the number by which an acknowledgement finds its event.
    attachments: the number of messages of bytes that follow, for the placeholders in `data`.

    >>> SocketPacket(SocketType.EVENT, ["join", 7], namespace="/admin", id=3).serialize()
    '2/admin,3["join",7]'
    """

    type: SocketType
    data: Any = None
    namespace: str = "/"
    id: int | None = None
    attachments: int = 0

    @classmethod
    def parse(cls, text: str) -> SocketPacket:
        """Read the text of an Engine.IO message: type, attachments-, /namespace, id, JSON.

        Raises PeerError if that is not a packet.
        """
        if not text or text[0] not in _DIGITS[: len(SocketType)]:
            raise PeerError(f"packet type is {text[:1]!r}, known are '0' to '6'", SOCKET_IO)
        kind, at, attachments = SocketType(int(text[0])), 1, 0
        if kind in (SocketType.BINARY_EVENT, SocketType.BINARY_ACK):
            count, at = _leading_digits(text, at, _COUNT_DIGITS, "the number of attachments")
            if not count or text[at : at + 1] != "-":
                raise PeerError(f"{kind.name} does not say how many attachments", SOCKET_IO)
            attachments, at = int(count), at + 1
        namespace = "/"
        if text[at : at + 1] == "/":
            comma = text.find(",", at)
            end = len(text) if comma < 0 else comma
            namespace, at = text[at:end].partition("?")[0], end + 1
        number, at = _leading_digits(text, at, _ID_DIGITS, "the id")
        packet = cls(
            kind, _load(text[at:]), namespace, int(number) if number else None, attachments
        )
        packet._check()
        return packet

    def _check(self) -> None:
        """Raise PeerError unless the data fits the type."""
        data, kind = self.data, self.type
        match kind:
            case SocketType.EVENT | SocketType.BINARY_EVENT:
                # In the reference implementation, a name may also be a number.
                name = data[0] if isinstance(data, list) and data else None
                if type(name) not in (str, int):
                    raise PeerError(f"{kind.name} needs a list that begins with a name", SOCKET_IO)
            case SocketType.ACK | SocketType.BINARY_ACK:
                if not isinstance(data, list) or self.id is None:
                    raise PeerError(f"{kind.name} needs an id and a list", SOCKET_IO)
            case SocketType.CONNECT:
                if not isinstance(data, dict | None):
                    raise PeerError("CONNECT carries an object or nothing", SOCKET_IO)
            case SocketType.DISCONNECT:
                if data is not None:
                    raise PeerError("DISCONNECT carries nothing", SOCKET_IO)
            case SocketType.CONNECT_ERROR:
                if not isinstance(data, dict | str):
                    raise PeerError("CONNECT_ERROR carries an object or a text", SOCKET_IO)

    def serialize(self) -> str:
        """Write it as the text of an Engine.IO message."""
        has_bytes = self.type in (SocketType.BINARY_EVENT, SocketType.BINARY_ACK)
        attachments = f"{self.attachments}-" if has_bytes else ""
        namespace = f"{self.namespace}," if self.namespace != "/" else ""
        number = "" if self.id is None else self.id
        data = "" if self.data is None else encoded(self.data)
        return f"{self.type:d}{attachments}{namespace}{number}{data}"


def _load(text: str) -> Any:
    if not text:
        return None
    try:
        value = parsed(text)
    except ValueError:
        raise PeerError(f"not JSON: {text[:40]!r}", SOCKET_IO) from None
    try:
        encoded(value)
    except ValueError:  # "\ud800" is JSON, but cannot be sent on as UTF-8
        raise PeerError("half a surrogate pair, which is not valid Unicode", SOCKET_IO) from None
    return value
