"""Everybody hears everything, and nobody waits for anybody: a room's audience on connections.

A message is encoded once, framed once, and handed to each member's transport in one write. What is
said within one turn of the event loop goes out in a single write per member, at the end of the
turn; what goes to one member alone keeps its place in between.

Writing never waits. A transport that cannot send keeps the bytes; `pause_writing`, asyncio's sign
that they are piling up, marks the member as slow, and only then are they counted. A member with
more than the allowed backlog is dropped: closing is begun with 1013, and after a grace the
transport is aborted, whatever the peer does.

Only public interfaces of the library are used: `serve(create_connection=…)`, asyncio's callbacks,
`protocol.state` and `transport`. Frames that are made beforehand go past its `send`, so nothing
else may send data frames on these connections, least of all fragmented ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import islice

from wslab.apps.chat.connection import ChatConnection
from wslab.apps.chat.messages import Fields, Said, frame_of
from wslab.apps.chat.room import Member

__all__ = ["TRY_AGAIN_LATER", "TURN", "Fanout"]

TRY_AGAIN_LATER = 1013  # in IANA's registry of close codes
# What a transport's `write` raises when the library has closed by itself, as after a ping that was
# not answered: the rest of that connection's end is on its way.
CLOSED = RuntimeError
TURN = 32 * 1024  # bytes of text that are held back until the end of a turn, at most


class _Own:
    """What goes to one member in this turn, where that is not what goes to all."""

    __slots__ = ("pieces", "start")

    def __init__(self, start: int) -> None:
        self.start = start  # from which message of the turn on it still has to get them
        self.pieces: list[bytes] = []


class _Stream:
    """Those who get the same bytes.

    ready: the transport's `write` of each that keeps up; all a message costs is to call them.
    slow: those whose backlog has to be looked at.
    """

    def __init__(self) -> None:
        self.members: dict[Member, ChatConnection] = {}
        self.ready: dict[Member, Callable[[bytes], None]] = {}
        self.slow: dict[Member, ChatConnection] = {}

    def add(self, member: Member, connection: ChatConnection) -> None:
        self.members[member] = connection
        self.sort(member)

    def remove(self, member: Member) -> None:
        for each in (self.members, self.ready, self.slow):
            each.pop(member, None)

    def sort(self, member: Member) -> None:
        """Put a member where it belongs."""
        self.ready.pop(member, None)
        self.slow.pop(member, None)
        connection = self.members[member]
        if not connection.is_closing:
            if connection.is_slow:
                self.slow[member] = connection
            else:
                self.ready[member] = connection.transport.write

    def write(self, data: bytes, own: dict[Member, _Own]) -> list[Member]:
        """Write to all who are ready, but not to those who have something of their own.

        Returns those that are slow, whom nothing was written to.
        """
        slow = [member for member in self.slow if member not in own]
        kept = {member: self.ready.pop(member) for member in own if member in self.ready}
        writes = iter(list(self.ready.values()))  # a write may make somebody slow, and sort
        while True:
            try:
                for write in writes:
                    write(data)
                break
            except CLOSED:  # the next one, please
                continue
        self.ready.update(kept)
        return slow


class Fanout:
    """The audience of one room; see `room.Audience`. It belongs to the loop it is used on.

    backlog: bytes that may wait for one member, beyond the history that it asked for; with a write
    that would make them more it is dropped. (Below some 80 KiB the bound is not exact: what is not
    slow yet is not counted.)
    grace: seconds until a connection that is closed is aborted. on_drop: called with a member that
    was dropped, and its backlog.
    """

    def __init__(
        self, *, backlog: int, grace: float, on_drop: Callable[[Member, int], None]
    ) -> None:
        self.backlog = backlog
        self.grace = grace
        self.on_drop = on_drop
        self._plain, self._full = _Stream(), _Stream()
        self._turn: list[Said] = []
        self._size = 0  # bytes of text in this turn
        self._own: dict[Member, _Own] = {}
        self._scheduled: asyncio.Handle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def add(self, member: Member, connection: ChatConnection) -> None:
        """Send this member what is published from now on."""
        connection.on_change = partial(self._sort, member)
        self._plain.add(member, connection)
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

    def send_full(self, member: Member) -> None:
        """Send this member all fields from now on; what it was told just now is the history."""
        if (connection := self._plain.members.get(member)) is not None:
            connection.credit = sum(map(len, self._catch_up(member).pieces))
            self._plain.remove(member)
            self._full.add(member, connection)

    def remove(self, member: Member) -> None:
        """Send this member nothing more."""
        if (connection := self._connection(member)) is not None:
            connection.on_change = None
        self._own.pop(member, None)
        self._plain.remove(member)
        self._full.remove(member)

    def close(self, member: Member, code: int, reason: str) -> None:
        """Send this member what it still has to get, and close its connection; wait for nothing."""
        connection = self._connection(member)
        if connection is None:
            return
        if not connection.is_closing:
            with suppress(CLOSED):
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
        one_by_one = [(member, b"".join(its.pieces)) for member, its in own.items()]
        if turn and self._plain.members:
            data = b"".join([said.plain_frame for said in turn])
            one_by_one += [(member, data) for member in self._plain.write(data, own)]
        if turn and self._full.members:
            data = b"".join([said.full_frame for said in turn])
            one_by_one += [(member, data) for member in self._full.write(data, own)]
        for member, data in one_by_one:
            self._write(member, data)

    def _write(self, member: Member, data: bytes) -> None:
        """Write to one member, or drop it if too much is waiting already."""
        connection = self._connection(member)
        if connection is None or connection.is_closing:
            return
        if connection.is_slow:
            backlog = connection.transport.get_write_buffer_size()
            backlog += len(data)
            if backlog > self.backlog + connection.credit:
                self.close(member, TRY_AGAIN_LATER, f"too slow: {backlog} bytes would wait")
                self.on_drop(member, backlog)
                return
        with suppress(CLOSED):
            connection.transport.write(data)

    def _schedule(self) -> None:
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.flush)

    def _catch_up(self, member: Member) -> _Own:
        """Give a member of its own all that was published in this turn so far."""
        own = self._own.setdefault(member, _Own(0))
        if own.start < len(self._turn):
            frames = islice(self._turn, own.start, None)
            if member in self._full.members:
                own.pieces += [said.full_frame for said in frames]
            else:
                own.pieces += [said.plain_frame for said in frames]
            own.start = len(self._turn)
        return own

    def _sort(self, member: Member, _: ChatConnection) -> None:
        (self._full if member in self._full.members else self._plain).sort(member)

    def _connection(self, member: Member) -> ChatConnection | None:
        return self._plain.members.get(member) or self._full.members.get(member)
