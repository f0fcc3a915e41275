"""What drives a `protocol.Connection`: the bytes of one TCP or TLS connection, and a clock.

Nothing here is unbounded: who sends too fast has to wait, who does not answer is given up.

    TCP → data_received → Connection.next_event → messages → recv()    full: nothing more is read
    TCP ← transport ← Connection.data_to_send              ← send()    full: send() waits
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from wslab.protocol.connection import Connection, State
from wslab.protocol.deflate import Deflate
from wslab.protocol.events import Binary, Closed, ProtocolEvent, Text, Violation
from wslab.protocol.http import Request, Response
from wslab.protocol.messages import Limits

__all__ = ["Driver", "Settings"]

# Bytes of replies, such as Pong, that may wait for a peer that asks for them but does not read.
REPLY_LIMIT = 1 << 16


@dataclass(frozen=True)
class Settings:
    """What an endpoint may be told.

    open_timeout: seconds for the opening handshake; close_timeout: for the closing one.
    deflate: how to compress, as a server's wish or a client's offer; None for not at all.
    limits: how much to accept from the peer.
    queue: messages that may wait for the application before reading from TCP stops; at least 1.
    """

    open_timeout: float = 10.0
    close_timeout: float = 10.0
    deflate: Deflate | None = None
    limits: Limits = field(default_factory=Limits)
    queue: int = 16

    def __post_init__(self) -> None:
        if self.queue < 1:
            raise ValueError(f"queue is {self.queue} messages, it must be at least 1")


class Driver(asyncio.Protocol):
    """Reads, writes and waits for one connection; `endpoint.Endpoint` is its other half.

    request, response: those of the opening handshake. connection: the protocol's, after it.
    close_code, close_reason: the peer's, None while the connection is open.
    clean: whether both sides have sent a Close frame.
    violation: the rule that the peer broke, if it did. timed_out: whether it took too long.
    messages: what the application has not received yet. reader: it waits for more.
    reads: how often something was read.
    has_rest: whether more was read, which the application may first answer the last message to.
    stopped: whether nothing is read, until application and peer keep up.
    draining: whether messages for which there is no room are dropped.
    congestion: done when the peer keeps up again, None while it does.
    lost: done when TCP has ended.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.request: Request | None = None
        self.response: Response | None = None
        self.connection: Connection | None = None
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.clean = self.timed_out = False
        self.violation: Violation | None = None
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.lost = self.loop.create_future()
        self.messages: deque[str | bytes] = deque()
        self.reader: asyncio.Future[None] | None = None
        self.reads = 0
        self.has_rest = self.stopped = False
        self.congestion: asyncio.Future[None] | None = None
        self._head = b""  # of the handshake, as far as it is there
        self.draining = False
        self._replies = 0  # bytes of them since the peer does not keep up
        self._timer: asyncio.TimerHandle | None = None

    # The opening handshake

    def handshake(self, data: bytes) -> None:
        """Take bytes before the connection is open; each role has its own."""
        raise NotImplementedError

    def open(self, connection: Connection, response: Response, rest: bytes) -> None:
        """Go on as a WebSocket connection; rest: what came glued to the handshake."""
        self.connection, self.response, self._head = connection, response, b""
        self.stop_timer()
        if rest:
            self.data_received(rest)

    # What comes in

    def apply(self, event: ProtocolEvent) -> None:
        """Take note of an event that is no message."""
        if isinstance(event, Violation):
            self.violation = event
        elif isinstance(event, Closed):
            self.close_code, self.close_reason, self.clean = event.code, event.reason, event.clean

    def take(self, room: int) -> None:
        """Take the events of what was read, up to where so many messages wait."""
        connection, messages, noted = self.connection, self.messages, False
        assert connection is not None  # this is after the opening handshake
        while (event := connection.next_event()) is not None:
            if not isinstance(event, Text | Binary):
                self.apply(event)
                noted = True
            elif len(messages) < self.settings.queue:
                messages.append(event.data)
                if (reader := self.reader) is not None and not reader.done():
                    reader.set_result(None)
                if len(messages) >= room and not self.draining:
                    if connection.frames or len(messages) >= self.settings.queue:
                        self._leave_rest()
                    break
        if noted:
            self.flush()  # to messages nobody replies but the application

    def _leave_rest(self) -> None:
        """Go on when there is room again; if there is, when the application has had a turn.

        With that it can still answer a message that a Close or a violation comes right after.
        """
        if len(self.messages) >= self.settings.queue:
            self._stop()
        elif not self.has_rest:
            self.has_rest = True
            self.loop.call_soon(self._take_rest)

    def _take_rest(self) -> None:
        self.has_rest = False
        if not self.stopped:
            self.take(self.settings.queue)

    def _stop(self) -> None:
        self.stopped = True
        self.transport.pause_reading()

    def read_on(self) -> None:
        """Read on after a stop, if both the application and the peer keep up by now."""
        is_low = len(self.messages) <= self.settings.queue // 4 or self.draining
        if self.stopped and is_low and self._replies <= REPLY_LIMIT:
            self.stopped = False
            self.take(self.settings.queue)
            if not self.stopped:
                self.transport.resume_reading()

    # What goes out

    def flush(self) -> None:
        """Write what the protocol has to say, and end TCP when it says so."""
        connection = self.connection
        assert connection is not None  # only called after the opening handshake
        if data := connection.data_to_send():
            self.transport.write(data)
            if self.congestion is not None:
                self._replies += len(data)
                if self._replies > REPLY_LIMIT:
                    self._stop()
        if connection.state is not State.OPEN:
            self.end_within(self.settings.close_timeout)
            if connection.should_close_tcp:
                self.hang_up()

    def hang_up(self) -> None:
        """Send nothing more, and read until the peer has ended TCP too (RFC 6455 §7.1.1).

        To close with bytes still unread would be a reset: what was sent last might get lost.
        """
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS has a goodbye of its own

    def end_within(self, seconds: float) -> None:
        """Give the peer some time, then cut the connection off."""
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self._give_up)

    def stop_timer(self) -> None:
        """Give the peer all the time in the world."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self.timed_out = True
        self.transport.abort()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and limit the time for the opening handshake."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.end_within(self.settings.open_timeout)

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the protocol, and its events on."""
        self.reads += 1
        if self.connection is None:
            self.handshake(data)
        else:
            self.connection.feed(data)
            self.take(1)

    def eof_received(self) -> None:
        """Take note that the peer sends no more; asyncio then closes, but may have to write yet."""
        self.end_within(self.settings.close_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        if self.connection is not None:
            self.draining = True
            self.take(self.settings.queue)
            for event in self.connection.receive_eof():
                self.apply(event)
        self.stop_timer()
        self._send_on()
        if self.reader is not None and not self.reader.done():
            self.reader.set_result(None)
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        """Let send() wait: the peer does not keep up."""
        self.congestion = self.loop.create_future()

    def resume_writing(self) -> None:
        """Let send() go on."""
        self._send_on()
        self._replies = 0
        self.read_on()

    def _send_on(self) -> None:
        if self.congestion is not None:
            self.congestion.set_result(None)
            self.congestion = None
