"""The browser's `WebSocket` in Python, with the same states, four events and refusals.

    socket = WebSocket("ws://127.0.0.1:8001/")
    socket.onmessage = lambda event: print(event.data)
    await socket.settle("open")
    socket.send("Hello")

It shows a script's view in the kernel, where a test can look. A test also compares it with
Chromium's reports. Below it is the `websockets` library. The names are JavaScript's.
Source: WHATWG WebSockets Standard (websockets.spec.whatwg.org), "The WebSocket interface".

It differs from a browser in three ways. URLs are checked, not rewritten into their normal form.
`bufferedAmount` counts whole messages. An impossible close code (999) fails the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin, Subprotocol

from wslab.browser.events import CloseEvent, Event, MessageEvent, PageEvents
from wslab.browser.script import (
    ScriptError,
    checked_protocols,
    checked_url,
    length_of,
    scalar,
    size_of,
)
from wslab.lab.loop import settle
from wslab.lab.masking import masked_target

__all__ = ["ScriptError", "WebSocket"]

OPENING_TIMEOUT = 240  # seconds that Chromium waits for the server's answer
CLOSING_TIMEOUT = 60  # seconds that Chromium waits for the peer's Close
ENDING_TIMEOUT = 2  # seconds that it then waits for the end of TCP
REASON_LIMIT = 123  # bytes; a Close frame's payload is at most 125 (RFC 6455 §5.5), 2 are the code

EventListener = Callable[[Any], object]


class _Connect(connect):
    """The library's `connect`, but a redirect fails, as the standard demands."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Connection(ClientConnection):
    """The library's connection, which also tells when the peer has said goodbye."""

    on_close: Callable[[], None] | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.close_rcvd is not None and self.on_close is not None:
            told, self.on_close = self.on_close, None
            told()


class WebSocket:
    """A WebSocket, as in a page's script. Make it where a loop runs, as in a cell.

    url: ws:, wss:, http: or https:, or relative to the page's origin; without a fragment.
    protocols: the subprotocols to offer. If the server takes none of them, the connection fails.
    origin: the page's origin. A browser sends it in the handshake, and the script cannot change it.
    cookies: those that the browser has for the server. It adds them without being asked.
    closing_timeout: seconds to wait for the peer's Close after our own.

    events: everything that was fired, in order. protocol: the subprotocol agreed on, or "".
    Raises ScriptError (SyntaxError) for an invalid URL or subprotocol.
    """

    CONNECTING: ClassVar = 0
    OPEN: ClassVar = 1
    CLOSING: ClassVar = 2
    CLOSED: ClassVar = 3

    def __init__(
        self,
        url: str,
        protocols: str | Sequence[str] = (),
        *,
        origin: str = "http://localhost:8888",
        cookies: Mapping[str, str] | None = None,
        closing_timeout: float = CLOSING_TIMEOUT,
    ) -> None:
        self.url = checked_url(url, origin)
        offered = checked_protocols([protocols] if isinstance(protocols, str) else protocols)
        self.readyState = self.CONNECTING
        self.bufferedAmount = 0  # bytes that send() took and the network has not taken yet
        self.protocol = ""
        self.onopen: EventListener | None = None
        self.onmessage: EventListener | None = None
        self.onerror: EventListener | None = None
        self.onclose: EventListener | None = None
        self.events = PageEvents()
        self._activity = 0
        self._asked_to_close = False
        self._offered = offered
        self._outgoing: asyncio.Queue[str | bytes | tuple[int | None, str]] = asyncio.Queue()
        cookie = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        self._opening = _Connect(
            self.url,
            create_connection=_Connection,
            origin=Origin(origin),
            subprotocols=[Subprotocol(name) for name in offered] or None,
            additional_headers={"Cookie": cookie} if cookie else None,
            ping_interval=None,  # a script cannot ping, and browsers do not
            open_timeout=OPENING_TIMEOUT,
            max_size=None,
            close_timeout=closing_timeout,
            proxy=None,
        )
        self._task = asyncio.get_running_loop().create_task(self._live())

    def __repr__(self) -> str:
        """Say where it goes and how far it has come."""
        state = ("CONNECTING", "OPEN", "CLOSING", "CLOSED")[self.readyState]
        return f"<WebSocket {masked_target(self.url)} {state}>"

    # Called by a script

    def send(self, data: str | bytes) -> None:
        """Send a message, at once or soon; nothing tells whether it arrived.

        Raises ScriptError (InvalidStateError) before `open`. After the end it only counts, and the
        data are lost, as in a page. Raises TypeError if it is not text or bytes.
        """
        if isinstance(data, str):
            data = scalar(data)
        elif isinstance(data, (bytes, bytearray, memoryview)):
            data = bytes(data)  # a copy, because the caller may change it afterwards
        else:
            raise TypeError(f"data is {data!r:.40}, not text or bytes")
        if self.readyState == self.CONNECTING:
            raise ScriptError("InvalidStateError", "still CONNECTING: send when `open` has come")
        self.bufferedAmount += size_of(data)
        if self.readyState == self.OPEN:
            self._outgoing.put_nowait(data)

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Begin to close; earlier messages go out first. The end is the `close` event.

        Raises ScriptError, as InvalidAccessError for a code other than 1000 and 3000 to 4999, and
        as SyntaxError for a reason of more than 123 bytes.
        """
        reason = scalar(reason)
        if code is None and reason:
            raise ScriptError("InvalidAccessError", "a reason needs a code")
        if code is not None and code != 1000 and not 3000 <= code <= 4999:
            raise ScriptError("InvalidAccessError", f"{code} is not 1000 or in 3000 to 4999")
        if (size := len(reason.encode())) > REASON_LIMIT:
            raise ScriptError("SyntaxError", f"the reason has {size} bytes, limit {REASON_LIMIT}")
        self._asked_to_close = True
        if self.readyState == self.CONNECTING:
            self.readyState = self.CLOSING
            self._task.cancel()
            asyncio.get_running_loop().call_soon(self._end, None, True)
        elif self.readyState == self.OPEN:
            self.readyState = self.CLOSING
            self._outgoing.put_nowait((code, reason))

    async def settle(
        self,
        until: int | str | Callable[[], object] | None = None,
        *,
        within: float = 5.0,
        quiet: float = 0.05,
    ) -> PageEvents:
        """Wait until nothing more happens, and return the events; a script cannot do this.

        until: a number of events, a type of event, or a condition, to wait for first.
        within: seconds to wait for that, then TimeoutError. quiet: seconds without an event.
        """
        condition = (lambda: self.events.only(until)) if isinstance(until, str) else until
        await settle(
            lambda: self._activity, condition, lambda: self.events, within=within, quiet=quiet
        )
        return self.events

    # Its task

    async def _live(self) -> None:
        """Open the connection, carry messages, and fire the events."""
        try:
            connection = await self._opening
        except (OSError, InvalidHandshake, TimeoutError):
            self._end(None, failed=True)  # no details: see lesson 05
            return
        self.protocol = connection.subprotocol or ""
        if self._offered and not self.protocol:
            connection.transport.abort()
            self._end(None, failed=True)
            return
        assert isinstance(connection, _Connection)  # see __init__()
        connection.on_close = lambda: self._peer_closes(connection)
        self.readyState = self.OPEN
        self._fire(Event(1, "open"))
        if connection.protocol.close_rcvd is not None:  # it came with the handshake's answer
            self._peer_closes(connection)
        sending = asyncio.create_task(self._send_all(connection))
        try:
            while True:
                data = await _receive(connection)
                if not self._asked_to_close:  # messages after close() are dropped
                    self._fire(MessageEvent(1, "message", data, length_of(data)))
        except ConnectionClosed as end:
            # We failed it if we sent a Close that nobody asked for, such as 1002 or 1007.
            ours = end.sent is not None and not end.rcvd_then_sent
            self._end(end, failed=ours and not self._asked_to_close)
        finally:
            sending.cancel()

    def _peer_closes(self, connection: ClientConnection) -> None:
        """The peer's Close is there, so nothing more can be sent, and TCP has to end soon."""
        self.readyState = self.CLOSING
        asyncio.get_running_loop().call_later(ENDING_TIMEOUT, connection.transport.abort)

    async def _send_all(self, connection: ClientConnection) -> None:
        while True:
            item = await self._outgoing.get()
            try:
                if isinstance(item, tuple):
                    close: Any = connection.close  # takes None too: a Close frame without a code
                    await close(*item)
                else:
                    await connection.send(item)
                    self.bufferedAmount -= size_of(item)
            except ConnectionClosed:
                return  # `_live` gets the same exception

    def _end(self, end: ConnectionClosed | None, failed: bool) -> None:
        self.readyState = self.CLOSED
        if failed:
            self._fire(Event(1, "error"))
        if end is None or end.rcvd is None:
            self._fire(CloseEvent(1, "close", 1006, "", False))
        else:
            clean = end.sent is not None
            self._fire(CloseEvent(1, "close", end.rcvd.code, end.rcvd.reason, clean))

    def _fire(self, event: Event) -> None:
        self.events.append(event)
        self._activity += 1
        listener: EventListener | None = getattr(self, f"on{event.type}")
        if listener is None:
            return
        try:
            listener(event)
        except Exception as error:  # as in a page, it is reported, and the socket lives on
            context = {"message": f"exception in on{event.type}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


async def _receive(connection: ClientConnection) -> str | bytes:
    """Return the next message, with any number of fragments; `recv` has a limit for them."""
    pieces: list[Any] = [piece async for piece in connection.recv_streaming()]
    empty: Any = pieces[0][:0]
    whole: str | bytes = empty.join(pieces)
    return whole
