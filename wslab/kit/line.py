"""The hub's line to one member. It notices a slow member, and limits the waiting messages.

Writing never waits. asyncio calls `pause_writing` when a peer does not read. From then on messages
wait here, as references to frames that all members share. When more than the backlog waits, a
policy leaves something out. Bytes that other layers write to such a peer, such as the library's
Pongs, count too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from wslab.protocol.frames import Frame, Opcode

__all__ = ["Line", "Outgoing", "Stream", "WhenFull", "drop_member", "keep_latest", "thin_out"]


class Outgoing(NamedTuple):
    """A message as it goes out. key: None for a message that must arrive; see `Hub.publish`."""

    key: Hashable
    frame: bytes

    @classmethod
    def of(cls, message: str | bytes, key: Hashable = None) -> Outgoing:
        """Frame a message, unmasked, with str as text and bytes as binary (RFC 6455 §5.6).

        Raises TypeError for anything else, and ValueError for a text that UTF-8 cannot write.

        >>> Outgoing.of("你好").frame
        b'\\x81\\x06\\xe4\\xbd\\xa0\\xe5\\xa5\\xbd'
        """
        if isinstance(message, str):
            return cls(key, Frame(Opcode.TEXT, message.encode()).serialize())
        if isinstance(message, (bytes, bytearray, memoryview)):
            return cls(key, Frame(Opcode.BINARY, bytes(message)).serialize())
        raise TypeError(f"a message is str or bytes, this is {message!r:.60}: encode it first")


# When too many messages wait for a member, a policy takes them and returns those to keep. It is
# called again while they are still too many, until it leaves nothing out.
WhenFull = Callable[[list[Outgoing]], list[Outgoing]]


def drop_member(waiting: list[Outgoing]) -> list[Outgoing]:
    """Leave nothing out, so that the member is dropped. It may come back and resume."""
    return waiting


def keep_latest(waiting: list[Outgoing]) -> list[Outgoing]:
    """Keep the latest message of each key, and all messages without a key."""
    latest = {each.key: number for number, each in enumerate(waiting)}
    return [
        each
        for number, each in enumerate(waiting)
        if each.key is None or latest[each.key] == number
    ]


def thin_out(waiting: list[Outgoing]) -> list[Outgoing]:
    """Leave out every second message that has a key."""
    keyed = [number for number, each in enumerate(waiting) if each.key is not None]
    gone = set(keyed[::2])
    return [each for number, each in enumerate(waiting) if number not in gone]


class _Hub(Protocol):
    backlog: int
    untouched: int
    when_full: WhenFull
    left_out: int

    def drop(self, line: Line, size: int) -> None: ...

    def forget(self, line: Line) -> None: ...


class Stream:
    """Members who listen to the same topics, and so get the same bytes.

    lines: to all of them. A dict is a set that keeps its order, so that runs are repeatable.
    ready: the `write` of each line that needs no check. So a message costs only a call.
    turn: the messages that they get at the end of this turn.
    """

    def __init__(self, topics: frozenset[Hashable]) -> None:
        self.topics = topics
        self.lines: dict[Line, None] = {}
        self.ready: dict[Line, Callable[[bytes], None]] = {}
        self.turn: list[Outgoing] = []

    def write(self, turn: list[Outgoing]) -> None:
        """Write this turn's messages, except to members that have messages of their own."""
        data = b"".join([each.frame for each in turn])
        others: list[Line] = []
        if len(self.ready) < len(self.lines):
            others = [line for line in self.lines if line not in self.ready]
        for write in list(self.ready.values()):
            try:
                write(data)
            except RuntimeError:  # the connection has ended, as when a Ping was not answered
                continue
        for line in others:
            if line.own is None:
                line.push(turn)


class Line(asyncio.Protocol):
    """Stands between a member's transport and its protocol, and sees how fast the bytes leave.

    It also replaces the connection's `close`, because nothing may follow a Close frame.
    own: this member's messages in this turn. None means the same messages as for all its stream.
    start: the first message of the stream's turn that is not yet in `own`.
    is_held: whether a paced member has not said yet that it has all of the `sent` messages.
    waiting: messages that wait while is_slow or is_held. They have `size` bytes. credit: bytes that
    may wait on top of the backlog. replies: bytes from other layers since the member became slow.
    """

    __slots__ = (
        *("close", "connection", "credit", "hub", "is_closing", "is_held", "is_paced", "is_slow"),
        *("member", "own", "protocol", "replies", "sent", "size", "start", "stream", "transport"),
        "waiting",
    )

    def __init__(
        self, hub: _Hub, member: Hashable, connection: Any, stream: Stream, *, paced: bool
    ) -> None:
        self.is_paced, self.is_held = paced, False
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
        self.start = self.size = self.credit = self.replies = self.sent = 0
        self.waiting: list[Outgoing] = []

    def sort(self) -> None:
        """Enter or leave the stream's `ready` lines."""
        is_own = self.own is not None or self.is_paced or self not in self.stream.lines
        if self.is_slow or self.is_closing or is_own:
            self.stream.ready.pop(self, None)
        else:
            self.stream.ready[self] = self.transport.write

    def push(self, messages: list[Outgoing]) -> None:
        """Write messages, or let them wait if the member is slow, or was not ready yet.

        To a paced member, even the messages of one turn go out as the policy leaves them.
        """
        must_wait = (self.is_slow or self.is_held) and not self.is_closing
        if must_wait or self.is_paced:
            self.waiting += messages
            self.size += sum(len(each.frame) for each in messages)
            self._fit()
            messages = []
        if not must_wait:
            messages, self.waiting, self.size = self.waiting + messages, [], 0
            self.credit = 0
            self.write(messages)
            self.sent += len(messages)
            self.is_held = self.is_paced and bool(messages)

    def ready(self, count: int) -> None:
        """Go on if that is all that this member was sent; otherwise a part is still under way."""
        if count == self.sent:
            self.is_held = False
            self._go_on()

    def _go_on(self) -> None:
        messages, self.waiting, self.size = self.waiting, [], 0
        self.push(messages)

    def write(self, messages: list[Outgoing]) -> None:
        """Write, unless a Close frame has come or was sent (RFC 6455 §5.5.1)."""
        if not self.is_closing:
            with suppress(RuntimeError):  # see Stream.write
                self.transport.write(b"".join([each.frame for each in messages]))

    def _fit(self) -> None:
        while self.size > self.hub.untouched + self.credit:
            try:
                kept = list(self.hub.when_full(self.waiting))
            except Exception as error:  # a mistake in the policy costs nobody else a message
                context = {"message": "when_full failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
                break
            if len(kept) >= len(self.waiting):
                break
            self.hub.left_out += len(self.waiting) - len(kept)
            self.waiting, self.size = kept, sum(len(each.frame) for each in kept)
        if self.size > self.hub.backlog + self.credit:
            self.hub.drop(self, self.size)

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
        """Write the waiting messages, because the bytes before them have gone out."""
        self.is_slow = False
        self.sort()
        self.protocol.resume_writing()
        self.replies = 0
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and count the bytes that are written in reply."""
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
        """Pass on that the peer is gone."""
        self.protocol.connection_lost(exc)
        self.hub.forget(self)
