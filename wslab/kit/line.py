"""The hub's way to one member: it notices who cannot keep up, and bounds what waits.

Writing never waits. A transport whose peer does not read says so (`pause_writing`, asyncio's sign).
From then on messages wait here, as references to frames that all members share. When more than the
backlog waits, a policy leaves something out. What other layers write to such a peer, such as the
Pongs of the library, is counted too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from wslab.protocol.frames import Frame, Opcode

__all__ = ["Line", "Outgoing", "Stream", "WhenFull", "drop_member", "keep_latest", "thin_out"]


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


class Stream:
    """Members who listen to the same topics, and so get the same bytes.

    lines: to all of them; a dict is a set that keeps its order, so that runs are repeatable.
    ready: the `write` of each that can be written to without a look; all a message costs is a call.
    turn: what they get at the end of this turn.
    """

    def __init__(self, topics: frozenset[Hashable]) -> None:
        self.topics = topics
        self.lines: dict[Line, None] = {}
        self.ready: dict[Line, Callable[[bytes], None]] = {}
        self.turn: list[Outgoing] = []

    def write(self, turn: list[Outgoing]) -> None:
        """Write what this turn has brought, but not to those with something of their own."""
        data = b"".join([each.frame for each in turn])
        others: list[Line] = []
        if len(self.ready) < len(self.lines):
            others = [line for line in self.lines if line not in self.ready]
        for write in list(self.ready.values()):
            try:
                write(data)
            except RuntimeError:  # after its end, as when a Ping was not answered
                continue
        for line in others:
            if line.own is None:
                line.push(turn)


class Line(asyncio.Protocol):
    """Stands between a member's transport and its protocol, and sees how they get on.

    It also takes the place of the connection's `close`, because nothing may follow a Close frame.
    own: what goes to this member in this turn, None if that is the same as for all its stream.
    start: the first message of the stream's turn that is not yet in `own`.
    waiting: what waits while is_slow, `size` bytes. credit: bytes that may wait beyond the bound.
    replies: bytes that other layers have written since the member is slow.
    """

    __slots__ = (
        *("close", "connection", "credit", "hub", "is_closing", "is_slow", "member", "own"),
        *("protocol", "replies", "size", "start", "stream", "transport", "waiting"),
    )

    def __init__(self, hub: _Hub, member: Hashable, connection: Any, stream: Stream) -> None:
        self.hub, self.member, self.connection, self.stream = hub, member, connection, stream
        self.transport: asyncio.Transport = connection.transport
        self.protocol: Any = self.transport.get_protocol()
        self.transport.set_protocol(self)
        self.close, connection.close = connection.close, self._close
        self.is_closing = self._has_closed()
        self.is_slow = (
            self.transport.get_write_buffer_size() > self.transport.get_write_buffer_limits()[1]
        )
        self.own: list[Outgoing] | None = []
        self.start = self.size = self.credit = self.replies = 0
        self.waiting: list[Outgoing] = []

    def sort(self) -> None:
        """Be ready, or not."""
        if self.is_slow or self.is_closing or self.own is not None or self not in self.stream.lines:
            self.stream.ready.pop(self, None)
        else:
            self.stream.ready[self] = self.transport.write

    def push(self, messages: list[Outgoing]) -> None:
        """Write messages, or let them wait for a member that is slow."""
        if self.is_slow and not self.is_closing:
            self.waiting += messages
            self.size += sum(len(each.frame) for each in messages)
            self._fit()
        else:
            self.credit = 0
            self.write(messages)

    def write(self, messages: list[Outgoing]) -> None:
        """Write, unless a Close frame has come or was sent (RFC 6455 §5.5.1)."""
        if not self.is_closing:
            with suppress(RuntimeError):  # see Stream.write
                self.transport.write(b"".join([each.frame for each in messages]))

    def _fit(self) -> None:
        while self.size > self.hub.backlog + self.credit:
            kept = self.hub.when_full(self.waiting)
            if len(kept) >= len(self.waiting):
                self.hub.drop(self, self.size)
                return
            self.hub.left_out += len(self.waiting) - len(kept)
            self.waiting, self.size = kept, sum(len(each.frame) for each in kept)

    def _has_closed(self) -> bool:
        return self.connection.state is not type(self.connection.state).OPEN

    async def _close(self, code: int = 1000, reason: str = "") -> None:
        self.is_closing = True
        self.sort()
        await self.close(code, reason)

    # asyncio's callbacks

    def pause_writing(self) -> None:
        """Note that bytes pile up."""
        self.is_slow = True
        self.sort()
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """Write what has waited, now that they have gone out."""
        self.is_slow = False
        self.sort()
        self.protocol.resume_writing()
        messages, self.waiting = self.waiting, []
        self.size = self.replies = 0
        self.push(messages)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and count what is written in reply to them."""
        before = self.transport.get_write_buffer_size()
        self.protocol.data_received(data)
        if not self.is_closing and self._has_closed():
            self.is_closing = True
            self.sort()
        if self.is_slow:
            self.replies += max(0, self.transport.get_write_buffer_size() - before)
            if self.replies > self.hub.backlog:
                self.hub.drop(self, self.replies)

    def eof_received(self) -> bool | None:
        """Pass on that the peer sends no more."""
        keep_open: bool | None = self.protocol.eof_received()
        self.is_closing = True
        self.sort()
        return keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that there is nobody any more."""
        self.protocol.connection_lost(exc)
        self.hub.forget(self)
