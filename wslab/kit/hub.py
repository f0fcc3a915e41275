"""Send one message to many members, framed once, with one write per member and turn.

    hub = Hub()
    async with hub.hosting(ws, "AAPL"): ...             # in a handler
    hub.publish(encoded(quote), "AAPL", key="AAPL")     # to all who listen to this topic
    hub.send(ws, encoded(answer))                       # to one member, in the right order

Messages that are published within one turn of the event loop go out at the end of the turn, in one
write per member. Members who listen to the same topics get the same bytes, which are joined once.
Nobody waits for a slow member. Its messages wait, and `drop_member`, `keep_latest` or `thin_out`
decides if more than the backlog would wait (`wslab.kit.line`).

Written bytes are out of reach. They may wait in the buffers of two systems, and in others between
them. So a paced member gets nothing new until it has said that it has everything it was sent. New
messages wait here meanwhile, where the policy can still leave some of them out.

A connection is the library's, an endpoint of `wslab.scratch`, or anything with `transport`, `state`
and `close`. The hub's frames bypass its `send`, so nothing else may send a message in fragments.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from wslab.kit.line import Line, Outgoing, Stream, WhenFull, drop_member, keep_latest, thin_out
from wslab.protocol.close import CloseCode, cut_reason

__all__ = ["TRY_AGAIN_LATER", "Hub", "drop_member", "keep_latest", "thin_out"]

TRY_AGAIN_LATER = 1013  # in IANA's registry of close codes
TURN = 32 * 1024  # bytes of frames that are held back until the end of a turn, at most


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Report an error at once; asyncio reports it only when nobody keeps the task any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": "the life of a hub failed", "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)


class Hub:
    """Members, their topics, and the messages that go out to them. A hub belongs to one loop.

    backlog: bytes that may wait for one slow member. If more would wait, it is dropped.
    when_full: leaves messages out before that. It is `drop_member`, `keep_latest`, `thin_out`, or
    your own function. untouched: bytes that may wait before `when_full` is called, by default the
    backlog. With 0 and `keep_latest`, only the latest message of each key ever waits.
    grace: seconds until a closed connection is aborted.
    on_drop: called with a dropped member (1013), and the number of bytes that would wait.
    life: a coroutine function that goes on while there are members. It begins with the first one,
    and is cancelled when the last one has gone.
    left_out: how many messages were left out.
    """

    def __init__(
        self,
        *,
        backlog: int = 256 * 1024,
        when_full: WhenFull = drop_member,
        untouched: int | None = None,
        grace: float = 2.0,
        on_drop: Callable[[Any, int], None] = lambda member, size: None,
        life: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.backlog, self.when_full = backlog, when_full
        self.untouched = backlog if untouched is None else min(untouched, backlog)
        self.grace, self.on_drop, self.life = grace, on_drop, life
        self._living: asyncio.Task[None] | None = None
        self.left_out = 0
        self._lines: dict[Hashable, Line] = {}
        self._streams: dict[frozenset[Hashable], Stream] = {}
        self._by_topic: dict[Hashable, dict[Stream, None]] = {}
        self._busy: dict[Stream, None] = {}  # those that get something in this turn
        self._own: dict[Line, None] = {}  # those that get different messages than their stream
        self._size = 0  # bytes of frames in this turn
        self._scheduled: asyncio.Handle | None = None
        self._closing: dict[asyncio.Task[None], None] = {}  # the loop keeps no strong reference

    def __len__(self) -> int:
        """How many members there are."""
        return len(self._lines)

    # Members and topics

    @asynccontextmanager
    async def hosting(
        self,
        connection: Any,
        *topics: Hashable,
        paced: bool = False,
        refuses: Mapping[type[Any], int | None] | None = None,
    ) -> AsyncIterator[None]:
        """Have a connection as a member for the length of a block.

        topics, paced: as for `add`.
        refuses: close codes by the kind of error that the block raises about the peer; None stands
        for the error's own `close_code`. The reason is the error's text, as far as it fits.
        """
        refuses = refuses or {}
        self.add(connection, *topics, paced=paced)
        try:
            yield
        except tuple(refuses) as error:
            code = next(code for kind, code in refuses.items() if isinstance(error, kind))
            code = error.close_code if code is None else code
            self.close(connection, code, f"not understood: {error}")
            await connection.wait_closed()
        finally:
            self.remove(connection)

    def add(
        self,
        connection: Any,
        *topics: Hashable,
        member: Hashable = None,
        paced: bool = False,
    ) -> None:
        """Take a connection as a member, until it ends or is removed.

        topics: the topics that it listens to. member: its name for the other calls, by default the
        connection itself. paced: it gets one batch at a time, and says `ready` after each.
        Raises ValueError if this member is there already.
        """
        member = connection if member is None else member
        if member in self._lines:
            raise ValueError(f"{member!r:.60} is a member already: subscribe() adds topics")
        line = Line(self, member, connection, self._stream(frozenset(topics)), paced=paced)
        self._lines[member] = line
        self._own[line] = None
        self._listen(line, line.stream)
        self._schedule()
        if self.life is not None and (self._living is None or self._living.done()):
            self._living = asyncio.get_running_loop().create_task(self.life())
            self._living.add_done_callback(_tell_failure)

    def remove(self, member: Hashable) -> None:
        """Send this member nothing more; it may be removed twice."""
        if (line := self._lines.pop(member, None)) is not None:
            self._leave(line)
            self._own.pop(line, None)
            if not self._lines and self._living is not None:
                self._living.cancel()
                self._living = None

    def subscribe(self, member: Hashable, *topics: Hashable) -> None:
        """Send this member these topics too, from now on."""
        if (line := self._lines.get(member)) is not None:
            self._move(line, line.stream.topics.union(topics))

    def is_heard(self, topic: Hashable) -> bool:
        """Tell whether anybody listens to a topic."""
        return topic in self._by_topic

    def unsubscribe(self, member: Hashable, *topics: Hashable) -> None:
        """No longer send these topics to this member."""
        if (line := self._lines.get(member)) is not None:
            self._move(line, line.stream.topics.difference(topics))

    def ready(self, member: Hashable, count: int) -> None:
        """Note that a paced member has received so many messages; write those that wait for it.

        count: since it was added. Nothing happens unless these are all that it was sent.
        """
        if (line := self._lines.get(member)) is not None:
            line.ready(count)

    # Outgoing

    def publish(
        self, message: str | bytes, topic: Hashable = None, *, key: Hashable = None
    ) -> None:
        """Send to all who listen to a topic, or to every member, at the end of this turn.

        key: the message's subject, if a member that cannot keep up may miss it. A later message of
        the same key replaces it. With None it must arrive, or the member is dropped.
        Raises TypeError or ValueError, and sends nothing, if it is not a message.
        """
        outgoing = Outgoing.of(message, key)
        for stream in self._streams.values() if topic is None else self._by_topic.get(topic, ()):
            stream.turn.append(outgoing)
            self._busy[stream] = None
        self._size += len(outgoing.frame)
        self._schedule()
        if self._size > TURN:
            self.flush()

    def send(
        self, member: Hashable, message: str | bytes, *, key: Hashable = None, asked: bool = False
    ) -> None:
        """Send to one member, after everything that was published before. Raises as `publish` does.

        asked: True if it has asked for this, such as a history, which does not count as backlog.
        """
        outgoing = Outgoing.of(message, key)
        if (line := self._lines.get(member)) is not None:
            line.credit += len(outgoing.frame) if asked else 0
            self._catch_up(line).append(outgoing)

    def close(self, member: Hashable, code: int = 1000, reason: str = "") -> None:
        """Send the messages that wait for this member, and close its connection, without delay.

        reason: cut where a Close frame is full.
        Raises ValueError, and does nothing, for a code that may not be sent (RFC 6455 §7.4).
        """
        if not CloseCode.is_sendable(code):
            raise ValueError(f"close code {code} may not be sent (RFC 6455 §7.4): use 1000")
        if (line := self._lines.get(member)) is not None:
            rest = line.waiting + self._catch_up(line)
            self.remove(member)
            line.write(rest)
            self._end(line, code, reason)

    def flush(self) -> None:
        """Write the messages of this turn now."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        for line in self._own:
            self._catch_up(line)
        busy, own = self._busy, self._own
        self._busy, self._own, self._size = {}, {}, 0
        for stream in busy:
            turn, stream.turn = stream.turn, []
            stream.write(turn)
        for line in own:
            messages, line.own = line.own, None
            line.sort()
            line.push(messages or [])

    # Called by lines

    def drop(self, line: Line, size: int) -> None:
        """Close the connection of a member that is too slow; the second time, cut it off."""
        if self._lines.get(line.member) is not line:
            line.transport.abort()
            return
        self.remove(line.member)
        line.waiting = []
        self._end(line, TRY_AGAIN_LATER, f"too slow: {size} bytes would wait")
        asyncio.get_running_loop().call_soon(self.on_drop, line.member, size)

    def forget(self, line: Line) -> None:
        """Take note that a connection has ended."""
        if self._lines.get(line.member) is line:
            self.remove(line.member)

    def _end(self, line: Line, code: int, reason: str) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(line.connection.close(code, cut_reason(reason)))
        self._closing[task] = None
        task.add_done_callback(self._closing.pop)
        loop.call_later(self.grace, line.transport.abort)

    def _schedule(self) -> None:
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.flush)

    # Streams

    def _catch_up(self, line: Line) -> list[Outgoing]:
        """Give a member its own list, with all that its stream got in this turn so far."""
        if line.own is None:
            line.own, line.start = [], 0
            line.sort()
            self._own[line] = None
            self._schedule()
        line.own += line.stream.turn[line.start :]
        line.start = len(line.stream.turn)
        return line.own

    def _move(self, line: Line, topics: frozenset[Hashable]) -> None:
        self._catch_up(line)
        self._leave(line)
        self._listen(line, self._stream(topics))

    def _stream(self, topics: frozenset[Hashable]) -> Stream:
        if (stream := self._streams.get(topics)) is None:
            stream = self._streams[topics] = Stream(topics)
            for topic in topics:
                self._by_topic.setdefault(topic, {})[stream] = None
        return stream

    def _listen(self, line: Line, stream: Stream) -> None:
        stream.lines[line] = None
        line.stream, line.start = stream, len(stream.turn)

    def _leave(self, line: Line) -> None:
        stream = line.stream
        del stream.lines[line]
        line.sort()
        if not stream.lines:
            del self._streams[stream.topics]
            for topic in stream.topics:
                del self._by_topic[topic][stream]
                if not self._by_topic[topic]:
                    del self._by_topic[topic]
