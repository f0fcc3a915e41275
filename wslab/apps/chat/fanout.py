"""Everybody hears everything, and nobody waits for anybody: a room's audience on connections.

A message is encoded once, framed once, and handed to each member's transport in one write. What is
said within one turn of the event loop goes out in a single write per member, at the end of the
turn; what goes to one member alone keeps its place in between.

Writing never waits. A transport that cannot send keeps the bytes; `pause_writing`, asyncio's sign
that they are piling up, marks the member as slow, and only then are they counted. A member with
more than the allowed backlog is dropped: closing is begun with 1013, and after a grace the
transport is aborted, whatever the peer does.

Only public interfaces of the library are used: `serve(create_connection=…)`, `protocol.state` and
`transport`. Frames that are made beforehand go past its `send`, so nothing else may send data
frames on these connections, least of all fragmented ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from wslab.apps.chat.messages import Fields, Said, frame_of
from wslab.apps.chat.room import Member

__all__ = ["ChatConnection", "Fanout"]

TRY_AGAIN_LATER = 1013  # in IANA's registry of close codes
TURN = 32 * 1024  # bytes of text that are held back until the end of a turn, at most


class ChatConnection(ServerConnection):
    """The library's connection, which also knows whether its peer is slow to read.

    is_slow: more waits to be sent than `write_limit`, 32 KiB. credit: bytes that may wait beyond
    the usual bound, since the peer has asked for them: the history.
    """

    is_slow = False
    credit = 0

    def pause_writing(self) -> None:
        """Note that bytes pile up (asyncio's callback)."""
        super().pause_writing()
        self.is_slow = True

    def resume_writing(self) -> None:
        """Note that they have gone out (asyncio's callback)."""
        super().resume_writing()
        self.is_slow = False
        self.credit = 0


class _Own:
    """What goes to one member in this turn, where that is not what goes to all."""

    __slots__ = ("pieces", "start")

    def __init__(self, start: int) -> None:
        self.start = start  # from which message of the turn on it still has to get them
        self.pieces: list[bytes] = []


class Fanout:
    """The audience of one room; see `room.Audience`. It belongs to the loop it is used on.

    backlog: bytes that may wait for one member, beyond the history that it asked for; one more and
    it is dropped. (Below some 80 KiB the bound is not exact: what is not slow yet is not counted.)
    grace: seconds until a connection that is closed is aborted. on_drop: called with a member that
    was dropped, and its backlog.
    """

    def __init__(
        self, *, backlog: int, grace: float, on_drop: Callable[[Member, int], None]
    ) -> None:
        self.backlog = backlog
        self.grace = grace
        self.on_drop = on_drop
        self._plain: dict[Member, ChatConnection] = {}
        self._full: dict[Member, ChatConnection] = {}
        self._turn: list[Said] = []
        self._size = 0  # bytes of text in this turn
        self._own: dict[Member, _Own] = {}
        self._scheduled: asyncio.Handle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def add(self, member: Member, connection: ChatConnection) -> None:
        """Send this member what is published from now on."""
        self._plain[member] = connection
        if self._turn:
            self._own[member] = _Own(len(self._turn))

    # What a room asks for

    def publish(self, said: Said) -> None:
        """Send to everybody, at the end of this turn."""
        self._turn.append(said)
        self._size += len(said.plain["text"].encode())
        self._schedule()
        if self._size > TURN:
            self.flush()

    def tell(self, member: Member, fields: Fields) -> None:
        """Send to one member, after everything that was published before."""
        if self._connection(member) is not None:
            self._catch_up(member).pieces.append(frame_of(fields))
            self._schedule()

    def upgrade(self, member: Member) -> None:
        """Send this member all fields from now on; what it was told just now is the history."""
        if (connection := self._plain.get(member)) is not None:
            connection.credit = sum(map(len, self._catch_up(member).pieces))
            self._full[member] = connection
            del self._plain[member]

    def remove(self, member: Member) -> None:
        """Send this member nothing more."""
        self._own.pop(member, None)
        self._plain.pop(member, None)
        self._full.pop(member, None)

    def close(self, member: Member, code: int, reason: str) -> None:
        """Send this member what it still has to get, and close its connection; wait for nothing."""
        connection = self._connection(member)
        if connection is None:
            return
        if connection.protocol.state is State.OPEN:
            connection.transport.write(b"".join(self._catch_up(member).pieces))
        self.remove(member)
        loop = asyncio.get_running_loop()
        task = loop.create_task(connection.close(code, reason))
        self._closing.add(task)  # the loop itself would forget it
        task.add_done_callback(self._closing.discard)
        loop.call_later(self.grace, connection.transport.abort)

    # Writing

    def flush(self) -> None:
        """Write now what this turn has brought."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        for member in self._own:
            self._catch_up(member)
        turn, own = self._turn, self._own
        self._turn, self._own, self._size = [], {}, 0
        dropped: list[tuple[Member, int]] = []
        if turn and self._plain:
            data = b"".join([said.plain_frame for said in turn])
            dropped += self._write_all(self._plain, data, own)
        if turn and self._full:
            data = b"".join([said.full_frame for said in turn])
            dropped += self._write_all(self._full, data, own)
        for member, its in own.items():
            connection = self._connection(member)
            if connection is not None and its.pieces:
                data = b"".join(its.pieces)
                dropped += self._write_all({member: connection}, data, ())
        for member, backlog in dropped:
            reason = f"too slow: {backlog} bytes were waiting"
            self.close(member, TRY_AGAIN_LATER, reason)
            self.on_drop(member, backlog)

    def _write_all(
        self, audience: dict[Member, ChatConnection], data: bytes, but: Iterable[Member]
    ) -> list[tuple[Member, int]]:
        """Write the same bytes to many; return those that are too slow, with their backlog."""
        dropped = []
        open_ = State.OPEN  # this loop is what a message costs: local names, no calls but the write
        for member, connection in audience.items():
            if connection.protocol.state is not open_ or member in but:
                continue
            if connection.is_slow:
                backlog = connection.transport.get_write_buffer_size()
                if backlog + len(data) > self.backlog + connection.credit:
                    dropped.append((member, backlog))
                    continue
            connection.transport.write(data)
        return dropped

    def _schedule(self) -> None:
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.flush)

    def _catch_up(self, member: Member) -> _Own:
        """Give a member of its own all that was published in this turn so far."""
        own = self._own.setdefault(member, _Own(0))
        if own.start < len(self._turn):
            frames = islice(self._turn, own.start, None)
            if member in self._full:
                own.pieces += [said.full_frame for said in frames]
            else:
                own.pieces += [said.plain_frame for said in frames]
            own.start = len(self._turn)
        return own

    def _connection(self, member: Member) -> ChatConnection | None:
        return self._plain.get(member) or self._full.get(member)
