"""Drive a `protocol.Connection` with the bytes of one TCP or TLS connection, and with a clock.

Everything here has a limit. A peer that sends too fast has to wait, and one that does not answer is
given up.

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

# Bytes of replies, such as Pong, that may wait for a peer that causes them but does not read.
REPLY_LIMIT = 1 << 16


@dataclass(frozen=True)
class Settings:
    """The settings of an endpoint.

    open_timeout: seconds for the opening handshake. close_timeout: for the closing handshake.
    deflate: a server's settings or a client's offer of compression. None does not compress.
    limits: how much to accept from the peer.
    queue: messages that may wait for the application before reading from TCP stops, at least 1.
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

    request, response: from the opening handshake. connection: the protocol's, once that is done.
    close_code, close_reason: the peer's; None while the connection is open.
    clean: True if both sides have sent a Close frame.
    violation: the rule that the peer broke, or None. timed_out: True if the peer took too long.
    messages: not yet received by the application. reader: a future that waits for the next one.
    reads: how often bytes were read.
    has_rest: True if unread events wait until the application could answer the last message.
    stopped: True if nothing is read, until application and peer keep up.
    draining: True if messages are dropped when there is no room for them.
    congestion: done when the peer keeps up again; None while it keeps up.
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
        self._head = b""  # of the handshake, as far as it has arrived
        self.draining = False
        self._replies = 0  # bytes of replies since the peer stopped keeping up
        self._timer: asyncio.TimerHandle | None = None

    # The opening handshake

    def handshake(self, data: bytes) -> None:
        """Take bytes before the connection is open; each role has its own method."""
        raise NotImplementedError

    def open(self, connection: Connection, response: Response, rest: bytes) -> None:
        """Go on as a WebSocket connection; rest is the bytes that came with the handshake."""
        self.connection, self.response, self._head = connection, response, b""
        self.stop_timer()
        if rest:
            self.data_received(rest)

    # Incoming

    def apply(self, event: ProtocolEvent) -> None:
        """Take note of an event that is not a message."""
        if isinstance(event, Violation):
            self.violation = event
        elif isinstance(event, Closed):
            self.close_code, self.close_reason, self.clean = event.code, event.reason, event.clean

    def take(self, room: int) -> None:
        """Take the events of the bytes that were read, until `room` messages wait."""
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
            self.flush()  # only the application replies to messages

    def _leave_rest(self) -> None:
        """Go on when there is room again, and after the application has had a turn.

        So it can still answer a message that is directly followed by a Close or a violation.
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
        """Read on after a stop, if both the application and the peer keep up again."""
        is_low = len(self.messages) <= self.settings.queue // 4 or self.draining
        if self.stopped and is_low and self._replies <= REPLY_LIMIT:
            self.stopped = False
            self.take(self.settings.queue)
            if not self.stopped:
                self.transport.resume_reading()

    # Outgoing

    def flush(self) -> None:
        """Write the protocol's bytes, and end TCP when the protocol says so."""
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

        If we closed with unread bytes, TCP would send a reset, and our last bytes might get lost.
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
        """Give the peer unlimited time."""
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
        """Pass bytes to the protocol, and take its events."""
        self.reads += 1
        if self.connection is None:
            self.handshake(data)
        else:
            self.connection.feed(data)
            self.take(1)

    def eof_received(self) -> None:
        """Take note that the peer sends no more; asyncio then writes the rest and closes."""
        self.end_within(self.settings.close_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake up everybody who waits."""
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
        """Let send() wait, because the peer does not keep up."""
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
