"""A WebSocket endpoint of our own: `protocol.Connection` over a TCP or TLS connection.

This is all that a sans-I/O protocol leaves to do: read and write, wait, and know when to give up.
The surface is the library's: ``async for message in ws``, ``send``, ``recv``, ``ping``, ``close``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from wslab.protocol.connection import Connection, Role, State
from wslab.protocol.deflate import Deflate
from wslab.protocol.events import Binary, Closed, Event, Pong, Text, Violation
from wslab.protocol.http import Request, Response
from wslab.protocol.messages import Limits

__all__ = ["ConnectionEnded", "Endpoint", "Settings"]

Message = str | bytes


class ConnectionEnded(ConnectionError):
    """The WebSocket connection is over.

    code: the peer's close code, 1005 if it gave none, 1006 if no Close frame came.
    reason: the peer's. clean: whether both sides had sent a Close frame.
    """

    def __init__(self, code: int, reason: str, clean: bool) -> None:
        how = "ended" if clean else "broke off"
        super().__init__(
            f"the connection {how} with code {code}" + (f": {reason}" if reason else "")
        )
        self.code, self.reason, self.clean = code, reason, clean


@dataclass(frozen=True)
class Settings:
    """What an endpoint may be told.

    open_timeout: seconds for the opening handshake; close_timeout: for the closing one.
    deflate: how to compress, as a server's wish or a client's offer; None for not at all.
    limits: how much to accept from the peer.
    queue: messages that may wait for the application before reading from TCP stops.
    """

    open_timeout: float = 10.0
    close_timeout: float = 10.0
    deflate: Deflate | None = None
    limits: Limits = field(default_factory=Limits)
    queue: int = 16


class Endpoint(asyncio.Protocol):
    """One end of a WebSocket connection; made by `serve_from_scratch` or `connect_from_scratch`.

    request, response: those of the opening handshake.
    close_code, close_reason: the peer's, None while the connection is open.
    violation: the rule that the peer broke, if it did.
    """

    role: Role

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.request: Request | None = None
        self.response: Response | None = None
        self.connection: Connection | None = None  # after the opening handshake
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.violation: Violation | None = None
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.lost = self.loop.create_future()  # done when TCP has ended
        self._received = b""  # bytes of the handshake that is not complete yet
        self._messages: deque[Message] = deque()
        self._reader: asyncio.Future[None] | None = None  # a recv() that waits
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
        self._writable = asyncio.Event()
        self._writable.set()
        self._timer: asyncio.TimerHandle | None = None
        self._clean = False

    # For the application

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed on, if any."""
        return self.response.headers.get("Sec-WebSocket-Protocol") if self.response else None

    async def recv(self) -> Message:
        """Return the next message; ConnectionEnded when there will be none."""
        while not self._messages:
            if self.close_code is not None:
                raise self._ended()
            if self._reader is not None:
                raise RuntimeError("recv() is already waiting: a message goes to one reader only")
            self._reader = self.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        message = self._messages.popleft()
        if len(self._messages) <= self.settings.queue // 4 and not self.transport.is_closing():
            self.transport.resume_reading()
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield messages up to a goodbye, 1000 or 1001; another end raises ConnectionEnded."""
        try:
            while True:
                yield await self.recv()
        except ConnectionEnded as end:
            if not (end.clean and end.code in (1000, 1001)):
                raise

    async def send(self, message: Message | Iterable[Message]) -> None:
        """Send a message, or one in fragments; wait while the peer does not keep up.

        Raises ConnectionEnded if the connection is over, TypeError for what is no message.
        """
        if isinstance(message, str | bytes):
            self._write_fragment(message, True)
            await self._drain()
            return
        if not isinstance(message, Iterable):
            raise TypeError(f"a message is str or bytes, or fragments of one, not {message!r:.60}")
        fragments = list(message)
        for i, fragment in enumerate(fragments):
            self._write_fragment(fragment, i == len(fragments) - 1)
            await self._drain()

    async def ping(self, payload: bytes | None = None) -> None:
        """Send a ping and wait for its pong; a random payload tells it from others."""
        payload = secrets.token_bytes(4) if payload is None else payload
        self._check_open().ping(payload)
        pong = self._pongs.setdefault(payload, self.loop.create_future())
        self._flush()
        await asyncio.shield(pong)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake, and wait until it is done and TCP has ended."""
        if self.connection is not None and self.connection.state is State.OPEN:
            self.connection.close(code, reason)
            self._flush()
            self._end_within(self.settings.close_timeout)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until the TCP connection has ended."""
        await asyncio.shield(self.lost)

    async def __aenter__(self) -> Endpoint:
        """Use `async with`; the connection is closed at the end of the block."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close."""
        await self.close(1000 if exception[0] is None else 1011)

    # Between the application and the protocol

    def _check_open(self) -> Connection:
        if self.connection is None or self.connection.state is not State.OPEN:
            raise self._ended()
        return self.connection

    def _ended(self) -> ConnectionEnded:
        code = 1006 if self.close_code is None else self.close_code
        return ConnectionEnded(code, self.close_reason or "", self._clean)

    def _write_fragment(self, fragment: Message, last: bool) -> None:
        connection = self._check_open()
        if isinstance(fragment, str):
            connection.send_text(fragment, fin=last)
        else:
            connection.send_binary(fragment, fin=last)
        self.transport.write(connection.data_to_send())

    async def _drain(self) -> None:
        if not self._writable.is_set():
            await self._writable.wait()

    def _flush(self) -> None:
        """Write what the protocol has to say, and end TCP when it says so."""
        connection = self.connection
        assert connection is not None  # only called after the opening handshake
        if data := connection.data_to_send():
            self.transport.write(data)
        if connection.state is not State.OPEN and connection.state is not State.CLOSE_SENT:
            if connection.should_close_tcp:
                self.transport.close()
            self._end_within(self.settings.close_timeout)

    def _end_within(self, seconds: float) -> None:
        """Give the peer some time, then cut the connection off."""
        if self._timer is None:
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    def open(self, request: Request, response: Response, rest: bytes) -> None:
        """Go on as a WebSocket connection; called when the opening handshake is done.

        rest: what came glued to it.
        """
        self.request, self.response = request, response
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if rest:
            self.data_received(rest)

    def handshake(self, data: bytes) -> None:
        """Take bytes before the connection is open; each role has its own."""
        raise NotImplementedError

    def _apply(self, event: Event) -> None:
        if isinstance(event, Text | Binary):
            self._messages.append(event.data)
            if len(self._messages) > self.settings.queue:
                self.transport.pause_reading()
        elif isinstance(event, Pong):
            if (pong := self._pongs.pop(event.data, None)) is not None and not pong.done():
                pong.set_result(None)
        elif isinstance(event, Violation):
            self.violation = event
        elif isinstance(event, Closed):
            self.close_code, self.close_reason, self._clean = event.code, event.reason, event.clean

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and limit the time for the opening handshake."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._end_within(self.settings.open_timeout)

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the protocol, and its events on."""
        if self.connection is None:
            self.handshake(data)
            return
        events = self.connection.receive(data)
        for event in events:
            self._apply(event)
        self._flush()
        if events:
            self._wake_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self.connection is not None:
            for event in self.connection.receive_eof():
                self._apply(event)
        self._wake_reader()
        self._writable.set()
        for pong in self._pongs.values():
            if not pong.done():
                pong.set_exception(self._ended())
                pong.exception()  # whoever sent the ping may be gone
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        """Let send() wait: the peer does not keep up."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let send() go on."""
        self._writable.set()
