"""The hub's way to one member: it notices who cannot keep up, and bounds what waits.

Writing never waits. A transport whose peer does not read says so (`pause_writing`, asyncio's sign).
From then on messages wait here, as references to frames that all members share. When more than the
backlog waits, a policy leaves something out. What other layers write to such a peer, such as the
Pongs of the library, is counted too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from wslab.protocol.frames import Frame, Opcode

__all__ = ["Line", "Outgoing", "WhenFull", "drop_member", "keep_latest", "thin_out"]


class Outgoing(NamedTuple):
    """A message as it goes out. key: None for one that must arrive; see `Hub.publish`."""

    key: Hashable
    frame: bytes

    @classmethod
    def of(cls, message: str | bytes, key: Hashable = None) -> Outgoing:
        """Frame a message: str as text, bytes as binary (RFC 6455 §5.6), unmasked.

        Raises TypeError for anything else, ValueError for a text that UTF-8 cannot write.

        >>> Outgoing.of("你好").frame
        b'\\x81\\x06\\xe4\\xbd\\xa0\\xe5\\xa5\\xbd'
        """
        if isinstance(message, str):
            return cls(key, Frame(Opcode.TEXT, message.encode()).serialize())
        if isinstance(message, (bytes, bytearray, memoryview)):
            return cls(key, Frame(Opcode.BINARY, bytes(message)).serialize())
        raise TypeError(f"a message is str or bytes, this is {message!r:.60}: encode it first")


# A policy takes what waits for a member, when that is too much, and returns what is to stay. It is
# asked again while that is still too much. If it leaves nothing out, the member is dropped.
WhenFull = Callable[[list[Outgoing]], list[Outgoing]]


def drop_member(waiting: list[Outgoing]) -> list[Outgoing]:
    """Leave nothing out: the member is dropped, and may come back and resume."""
    return waiting


def keep_latest(waiting: list[Outgoing]) -> list[Outgoing]:
    """Keep the latest message of each key, and all that have no key."""
    latest = {each.key: number for number, each in enumerate(waiting)}
    return [
        each
        for number, each in enumerate(waiting)
        if each.key is None or latest[each.key] == number
    ]


def thin_out(waiting: list[Outgoing]) -> list[Outgoing]:
    """Leave out every second one of the messages that have a key."""
    keyed = [number for number, each in enumerate(waiting) if each.key is not None]
    gone = set(keyed[::2])
    return [each for number, each in enumerate(waiting) if number not in gone]


class _Hub(Protocol):
    backlog: int
    when_full: WhenFull
    left_out: int

    def drop(self, line: Line, size: int) -> None: ...

    def forget(self, line: Line) -> None: ...


class Line(asyncio.Protocol):
    """Stands between a member's transport and its protocol, and sees how they get on.

    own: what goes to this member in this turn, None if that is the same as for all its stream.
    start: the first message of the stream's turn that is not yet in `own`.
    waiting: what waits while is_slow, `size` bytes. credit: bytes that may wait beyond the bound.
    replies: bytes that other layers have written since the member is slow.
    """

    __slots__ = (
        *("connection", "credit", "endpoint", "hub", "is_slow", "member", "open", "own"),
        *("protocol", "put", "replies", "size", "start", "stream", "transport", "waiting"),
    )

    def __init__(self, hub: _Hub, member: Hashable, connection: Any) -> None:
        self.hub, self.member, self.connection = hub, member, connection
        self.transport: asyncio.Transport = connection.transport
        self.put = self.transport.write
        self.protocol: Any = self.transport.get_protocol()
        self.endpoint: Any = getattr(connection, "protocol", connection)  # has the state
        self.open = type(self.endpoint.state).OPEN  # the library's, or ours
        self.is_slow = (
            self.transport.get_write_buffer_size() > self.transport.get_write_buffer_limits()[1]
        )
        self.stream: Any = None  # the hub's
        self.own: list[Outgoing] | None = []
        self.start = self.size = self.credit = self.replies = 0
        self.waiting: list[Outgoing] = []
        self.transport.set_protocol(self)

    def push(self, messages: list[Outgoing]) -> None:
        """Write messages, or let them wait for a member that is slow."""
        if not self.is_slow:
            self.credit = 0
            self.write(b"".join([each.frame for each in messages]))
        elif self.endpoint.state is self.open:
            self.waiting += messages
            self.size += sum(len(each.frame) for each in messages)
            self._fit()

    def write(self, data: bytes) -> None:
        """Write, unless a Close frame has come or was sent (RFC 6455 §5.5.1)."""
        if self.endpoint.state is self.open:
            self.put(data)

    def _fit(self) -> None:
        while self.size > self.hub.backlog + self.credit:
            kept = self.hub.when_full(self.waiting)
            if len(kept) >= len(self.waiting):
                self.hub.drop(self, self.size)
                return
            self.hub.left_out += len(self.waiting) - len(kept)
            self.waiting, self.size = kept, sum(len(each.frame) for each in kept)

    # asyncio's callbacks

    def pause_writing(self) -> None:
        """Note that bytes pile up."""
        self.is_slow = True
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """Write what has waited, now that they have gone out."""
        self.is_slow = False
        self.protocol.resume_writing()
        messages, self.waiting = self.waiting, []
        self.size = self.replies = 0
        self.push(messages)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and count what is written in reply to them."""
        before = self.transport.get_write_buffer_size()
        self.protocol.data_received(data)
        if self.is_slow:
            self.replies += max(0, self.transport.get_write_buffer_size() - before)
            if self.replies > self.hub.backlog:
                self.hub.drop(self, self.replies)

    def eof_received(self) -> bool | None:
        """Pass on that the peer sends no more."""
        keep_open: bool | None = self.protocol.eof_received()
        return keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that there is nobody any more."""
        self.protocol.connection_lost(exc)
        self.hub.forget(self)
