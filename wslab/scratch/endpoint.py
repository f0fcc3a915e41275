"""Our own WebSocket endpoint, the object that an application uses for a connection.

It has the library's methods ``send``, ``recv``, ``ping`` and ``close``, and supports
``async for message in ws``. It stands on `driver.Driver`, which stands on `wslab.protocol`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

from wslab.protocol.connection import Connection, State
from wslab.protocol.events import Pong, ProtocolEvent
from wslab.protocol.frames import BYTES
from wslab.protocol.quoting import escaped
from wslab.scratch.driver import Driver, Settings

__all__ = ["ConnectionEnded", "Endpoint", "Settings"]

Sent = str | bytes
Sendable = Sent | bytearray | memoryview

GOODBYES = (1000, 1001, 1005)  # these end an iteration; any other end raises


class ConnectionEnded(ConnectionError):
    """The WebSocket connection is over.

    code: the peer's close code; 1005 if it gave none, 1006 if no Close frame came.
    reason: the peer's reason. clean: True if both sides had sent a Close frame.
    """

    def __init__(self, code: int, reason: str, clean: bool) -> None:
        how = f"{'ended' if clean else 'broke off'} with code {code}"
        super().__init__(f"the connection {how}" + (f": {escaped(reason)}" if reason else ""))
        self.code, self.reason, self.clean = code, reason, clean


class _Ping(NamedTuple):
    """A ping, the time when it was sent, and a future that is done when its pong is there."""

    payload: bytes
    sent: float
    pong: asyncio.Future[float]


class Endpoint(Driver):
    """One end of a WebSocket connection; made by `serve_from_scratch` or `connect_from_scratch`.

    request, response: from the opening handshake.
    close_code, close_reason: the peer's; None while the connection is open.
    violation: the rule that the peer broke, or None.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._pings: deque[_Ping] = deque()  # unanswered, oldest first

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed on, if any."""
        return self.response.headers.get("Sec-WebSocket-Protocol") if self.response else None

    @property
    def state(self) -> State | None:
        """The connection's state; None during the opening handshake."""
        return None if self.connection is None else self.connection.state

    # Receiving

    async def recv(self) -> Sent:
        """Return the next message; ConnectionEnded if no more will come."""
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise self._ended() from None

    def __aiter__(self) -> Self:
        """Iterate over the messages, up to a goodbye (1000, 1001, or no code at all)."""
        return self

    async def __anext__(self) -> Sent:
        """Return the next message; an end without a goodbye raises ConnectionEnded."""
        if self.has_rest and not self.messages:
            self.take(1)
        while not self.messages:
            if self.close_code is not None:
                if self.clean and self.close_code in GOODBYES:
                    raise StopAsyncIteration
                raise self._ended()
            if self.reader is not None:
                raise RuntimeError("recv() is already waiting: only one reader can get a message")
            self.reader = self.loop.create_future()
            try:
                await self.reader
            finally:
                self.reader = None
        message = self.messages.popleft()
        if self.stopped:
            self.read_on()
        return message

    # Sending

    async def send(self, message: Sendable | Iterable[Sendable]) -> None:
        """Send a message, whole or in fragments; wait while the peer does not keep up.

        Raises ConnectionEnded if the connection is over, and TypeError if it is not a message.
        """
        connection = self.connection
        if connection is None or connection.state is not State.OPEN:
            raise await self._end()
        if isinstance(message, str):
            connection.send_text(message)
        elif isinstance(message, BYTES):
            connection.send_binary(bytes(message))
        else:
            _send_fragments(connection, message)
        self.transport.write(connection.data_to_send())
        if self.congestion is not None:
            await asyncio.shield(self.congestion)
        if self.transport.is_closing():  # without this, a loop of sends might never notice
            raise await self._end()

    async def ping(self, payload: bytes | None = None) -> asyncio.Future[float]:
        """Send a ping; a random payload distinguishes it from others.

        Returns a future for the pong. ``await (await ws.ping())`` is the time of the round trip in
        seconds. It raises ConnectionEnded if the connection is over, or ends before the pong.
        """
        if self.connection is None or self.connection.state is not State.OPEN:
            raise await self._end()
        payload = secrets.token_bytes(4) if payload is None else payload
        self.connection.ping(payload)
        ping = _Ping(payload, self.loop.time(), self.loop.create_future())
        self._pings.append(ping)
        self.flush()
        if self.congestion is not None:
            await asyncio.shield(self.congestion)
        return ping.pong

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake, and wait until it is done and TCP has ended.

        Messages that the peer still sends can be received, as many as the queue holds.
        """
        if self.connection is not None and self.connection.state is State.OPEN:
            self.connection.close(code, reason)
            self.flush()
            self.draining = True
            self.read_on()  # up to the peer's Close
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until the TCP connection has ended."""
        await asyncio.shield(self.lost)

    async def __aenter__(self) -> Self:
        """Use `async with`; the connection is closed at the end of the block."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close."""
        await self.close(1000 if exception[0] is None else 1011)

    async def _end(self) -> ConnectionEnded:
        """Wait for the end of the connection, which is near; then its code is known."""
        await self.wait_closed()
        return self._ended()

    def _ended(self) -> ConnectionEnded:
        code = 1006 if self.close_code is None else self.close_code
        return ConnectionEnded(code, self.close_reason or "", self.clean)

    # Called by the driver

    def apply(self, event: ProtocolEvent) -> None:
        """Note that a pong answers its own ping and all before it (RFC 6455 §5.5.3)."""
        if isinstance(event, Pong):
            if event.data in [ping.payload for ping in self._pings]:
                answered = None
                while answered != event.data:
                    answered, sent, pong = self._pings.popleft()
                    if not pong.done():  # or cancelled
                        pong.set_result(self.loop.time() - sent)
        else:
            super().apply(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake up everybody who waits (asyncio's callback)."""
        super().connection_lost(exc)
        for _, _, pong in self._pings:
            if not pong.done():
                pong.set_exception(self._ended())
                pong.exception()  # the sender of the ping might be gone
        self._pings.clear()


def _send_fragments(connection: Connection, message: Iterable[Sendable]) -> None:
    """Send a message's fragments all at once, so that no other message can get in between."""
    refused = f"a message is str or bytes, or fragments of one, not {message!r:.60}"
    if isinstance(message, Mapping) or not isinstance(message, Iterable):
        raise TypeError(refused)
    fragments = list(message)
    is_text = all(isinstance(fragment, str) for fragment in fragments)
    if not is_text and not all(isinstance(fragment, BYTES) for fragment in fragments):
        raise TypeError(refused)
    for number, fragment in enumerate(fragments, 1):
        fin = number == len(fragments)
        if isinstance(fragment, str):
            connection.send_text(fragment, fin=fin)
        else:
            connection.send_binary(bytes(fragment), fin=fin)
