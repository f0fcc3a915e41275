"""One connection of a client that reconnects, and a client for protocols of your own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

from wslab.kit.backoff import Attempts
from wslab.kit.client_events import ClientEvent, Missed, Received, Refused
from wslab.kit.keepalive import Heartbeat, task_group, watched
from wslab.kit.messages import OUT_OF_ORDER, Message, ResumeError, decoded, encoded, encoded_object
from wslab.kit.outbox import Inbox, Outbox, SequenceGap
from wslab.kit.retry import TOO_BIG, Ending, classify
from wslab.net.address import is_loopback
from wslab.net.clock import News, now, time_limit
from wslab.protocol.url import parse_url

__all__ = ["Attempt", "ClientSettings", "LastingClient", "Online", "Setup", "leave"]
__all__ += ["library_connect"]

Setup = Callable[[Message], Iterable[Mapping[str, Any]]]

LEAVE = 1.0  # seconds for the closing handshake; then we leave without it


def library_connect(url: str, **options: Any) -> connect:
    """Return an awaitable connection of the library, with our heartbeat instead of its own.

    It uses the proxy of the system's settings, but not to reach this machine itself.
    """
    address = parse_url(url)
    headers = Headers(options.pop("additional_headers", None) or {})
    if address.authorization and "Authorization" not in headers:
        headers["Authorization"] = address.authorization
    defaults = {
        "proxy": None if is_loopback(address.host) else True,
        "additional_headers": headers,
        "ping_interval": None,
        "open_timeout": None,
        "close_timeout": LEAVE,
    }
    return connect(str(address), **{**defaults, **options})


class Online(NamedTuple):
    """An attempt has succeeded, and messages can be exchanged. text: how, for a person."""

    text: str


@dataclass(frozen=True)
class ClientSettings:
    """The settings of all attempts of a client; see the options of `ReconnectingClient`.

    client: the client's lifelong secret; None for a server that does not know `wslab.kit.resume`.
    """

    connect: Callable[[str], Awaitable[Any]]
    client: str | None
    heartbeat: Heartbeat
    open_timeout: float
    setup: Setup


class Attempt:
    """One connection of a client.

    settings, inbox, outbox: the client's. emit: takes events, and waits while the application has
    not taken the earlier ones. to_send: set when the outbox has got something.
    """

    def __init__(
        self,
        settings: ClientSettings,
        inbox: Inbox,
        outbox: Outbox,
        emit: Callable[..., Awaitable[None]],
    ) -> None:
        self.settings, self.inbox, self.outbox, self._emit = settings, inbox, outbox, emit
        self.to_send = asyncio.Event()
        self.to_send.set()
        self.ws: Any = None
        self.is_silent = False  # True if the watchdog finds that the peer is dead
        self.is_reading = True  # False while the application does not take its events
        self.began: float | None = None  # when it was online
        self._setup_size = 0  # bytes of the largest message that set it up

    async def run(self, url: str) -> tuple[Ending, float | None]:
        """Connect, resume, exchange messages; return how it ended, and the seconds it lasted.

        The seconds are None if it was never online. Cancelling it closes the connection.
        """
        code = 1000
        try:
            async with asyncio.timeout(self.settings.open_timeout):
                self.ws = await self.settings.connect(url)
                await self._begin()
            self.began = asyncio.get_running_loop().time()
            await self._exchange()
        except Exception as error:
            ending = classify(error)
            if ending is None:
                raise
            if isinstance(error, (SequenceGap, ResumeError)):
                code = OUT_OF_ORDER
            return await self._refined(ending, error), self._lasted()
        finally:
            if self.ws is not None:
                await leave(self.ws, code)
        raise AssertionError("receiving ends with an exception")

    async def _refined(self, ending: Ending, error: Exception) -> Ending:
        """Add to an ending what only this connection knows."""
        if self.is_silent:
            return Ending("silent", f"no sign of life for {self.settings.heartbeat.limit:g} s")
        if isinstance(error, TimeoutError) and self.ws is not None and self.settings.client:
            return Ending("silent", "connected, but no answer to resume")
        if ending.code == TOO_BIG and (key := self.outbox.too_big(self._setup_size)):
            await self._emit(Refused(key, "too_big", ending.text))
            return Ending(ending.way, "a message was too big, so it is left out", code=TOO_BIG)
        return ending

    def _lasted(self) -> float | None:
        return None if self.began is None else asyncio.get_running_loop().time() - self.began

    async def _begin(self) -> None:
        """Find out with the server what either side has missed; set up the connection again."""
        events: list[ClientEvent] = []
        text, message = "connected", Message()
        if self.settings.client is None:
            self.outbox.connected()
        else:
            await self.ws.send(encoded(self.inbox.resume(self.settings.client, self.outbox.acked)))
            while message.get("type") != "resumed":  # earlier messages are not part of the log
                message = decoded(await self.ws.recv())
            gap = self.inbox.resumed(message)
            resent = self.outbox.resumed(message, new_epoch=gap == "epoch")
            if gap is not None or resent.doubtful:
                events.append(Missed(gap, tuple(resent.doubtful)))
            events += [Refused(key, *why) for key, why in resent.refused.items()]
            events += [Received(message)] if "state" in message else []
            text = f"resumed after message {self.inbox.last}"
        for step in map(encoded_object, self.settings.setup(message)):
            self._setup_size = max(self._setup_size, len(step.encode()))
            await self.ws.send(step)
        await self._emit(Online(text), *events)

    async def _exchange(self) -> None:
        """Send and receive until receiving raises the ending."""
        async with watched(
            self.ws, self.settings.heartbeat, busy=lambda: not self.is_reading
        ) as watchdog:
            try:
                async with task_group() as group:
                    group.create_task(self._send())
                    while True:
                        events = self._heard(await self.ws.recv())
                        self.is_reading = False
                        await self._emit(*events)
                        self.is_reading = True
            finally:
                self.is_silent = watchdog.is_dead

    async def _send(self) -> None:
        is_numbered = self.settings.client is not None
        with contextlib.suppress(ConnectionClosed, ConnectionError):  # receiving raises it too
            while True:
                await self.to_send.wait()
                self.to_send.clear()
                while (text := self.outbox.take(numbered=is_numbered)) is not None:
                    await self.ws.send(text)
                    if not is_numbered:  # nobody will acknowledge it
                        self.outbox.acknowledged(self.outbox.acked + 1)
                        await self._emit()

    def _heard(self, data: str | bytes) -> list[ClientEvent]:
        """Take a message of the server; return its events for the application."""
        if self.settings.client is None:
            return [Received(data)]
        message = decoded(data)
        if message.get("type") == "ack":
            self.outbox.acknowledged(message.get("id"))
        elif "error" in message and "id" in message:
            keys = self.outbox.acknowledged(message["id"])
            error, text = str(message["error"]), str(message.get("text", ""))
            return [Refused(key, error, text) for key in keys[-1:]]
        elif self.inbox.receive(message):
            return [Received(message)]
        return []


async def leave(ws: Any, code: int = 1000) -> None:
    """Close a connection, in a second at most, because a peer that is gone does not answer."""
    closing = asyncio.create_task(ws.close(code))
    try:
        await asyncio.wait([closing], timeout=LEAVE)
    finally:
        ws.transport.abort()
        closing.cancel()
        await asyncio.wait([closing])


class LastingClient:
    """A client that comes back, in a protocol of its own; for `async with`. A subclass has `talk`.

    url: the server's. connect: the library's, or a function like it that takes the same options.
    attempts: the waits in between.
    status: how the last connection or attempt ended. refused: the ending that was final, so that it
    does not come back; None before.
    """

    def __init__(
        self, url: str, *, attempts: Attempts, connect: Callable[..., Any] = library_connect
    ) -> None:
        self.url, self.attempts, self.connect = url, attempts, connect
        self.status = "no attempt has ended"
        self.refused: Ending | None = None
        self._running: asyncio.Task[None] | None = None
        self._news = News()

    async def talk(self, ws: Any) -> None:
        """Use a connection until it ends; raise what its `recv` raised."""
        raise NotImplementedError

    def is_final(self, ending: Ending) -> bool:
        """Tell whether not to come back."""
        return not ending.retry

    def notify(self) -> None:
        """Let those who wait in `until` look again."""
        self._news.set()

    async def until(self, condition: Callable[[], object], *, within: float = 60.0) -> None:
        """Wait until a condition holds; it is looked at after each message.

        Raises ConnectionRefusedError if the client does not come back, and TimeoutError after so
        many seconds, both with the status.
        """
        async with time_limit(within, lambda: self.status):
            await self._news.until(lambda: condition() or self.refused)
        if self.refused and not condition():
            raise ConnectionRefusedError(self.status)

    async def run(self) -> None:
        """Make one connection after the other, until an ending is final; cancel it to leave."""
        self.refused = None
        while self.refused is None:
            began = None
            try:
                async with self.connect(
                    self.url, open_timeout=10, ping_interval=20, max_size=None
                ) as ws:
                    began = now()
                    try:
                        await self.talk(ws)
                    finally:
                        await leave(ws, 1000)
            except Exception as error:
                ending = classify(error)
                self._note(ending or Ending.of_bug(error))
                if ending is None:
                    raise
            if self.refused is None:
                await asyncio.sleep(self.attempts.ended(None if began is None else now() - began))

    def _note(self, ending: Ending) -> None:
        self.status = ending.text
        self.refused = ending if self.is_final(ending) else None
        self.notify()

    async def __aenter__(self) -> Self:
        """Start to connect, without waiting."""
        self._running = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave, with a Close frame if there is a connection."""
        if self._running is not None and self._running.cancel():
            await asyncio.wait([self._running])
