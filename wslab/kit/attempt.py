"""One connection of a client that reconnects: from the attempt to its end."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

from wslab.kit.client_events import ClientState, Missed, Received, Refused
from wslab.kit.keepalive import watched
from wslab.kit.messages import decoded, encoded
from wslab.kit.outbox import SequenceGap
from wslab.kit.resume import OUT_OF_ORDER, Message, ResumeError
from wslab.kit.retry import Ending, classify
from wslab.net.address import is_loopback
from wslab.protocol.url import parse_url

if TYPE_CHECKING:
    from wslab.kit.client import ReconnectingClient

__all__ = ["Attempt", "leave", "library_connect"]

LEAVE = 1.0  # seconds for the closing handshake; a peer that needs longer is left without


def library_connect(url: str, **options: Any) -> connect:
    """Return what to await for a connection of the library, with our heartbeat instead of its own.

    A proxy of the system's settings is used, but not to reach this machine itself.
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


class Attempt:
    """One connection of a client."""

    def __init__(self, client: ReconnectingClient) -> None:
        self.client = client
        self.ws: Any = None
        self.is_silent = False  # the peer, by the watchdog's verdict
        self.began: float | None = None  # when it was online

    async def run(self) -> tuple[Ending, float | None]:
        """Connect, resume, exchange messages; return how it ended, and the seconds it lasted.

        None seconds: it was never online. Cancelled, it closes the connection.
        """
        code = 1000
        try:
            async with asyncio.timeout(self.client.open_timeout):
                self.ws = await self.client.connect(self.client.url)
                await self._resume()
            self.began = asyncio.get_running_loop().time()
            await self._exchange()
        except Exception as error:
            ending = classify(error)
            if ending is None:
                raise
            if isinstance(error, (SequenceGap, ResumeError)):
                code = OUT_OF_ORDER
            return self._refined(ending, error), self._lasted()
        finally:
            if self.ws is not None:
                await leave(self.ws, code)
        raise AssertionError("receiving ends with an exception")

    def _refined(self, ending: Ending, error: Exception) -> Ending:
        """Say what only this connection knows."""
        if self.is_silent:
            limit = self.client.heartbeat.limit
            return Ending("silent", f"no sign of life for {limit:g} s")
        if isinstance(error, TimeoutError) and self.ws is not None and self.client.resume:
            return Ending("silent", "connected, but no answer to resume")
        return ending

    def _lasted(self) -> float | None:
        return None if self.began is None else asyncio.get_running_loop().time() - self.began

    async def _resume(self) -> None:
        """Find out with the server what either side has missed."""
        client, events, text = self.client, [], "connected"
        if client.resume:
            await self.ws.send(encoded(client.inbox.resume(client.client)))
            message: Message = {}
            while message.get("type") != "resumed":  # what comes before is no part of the log
                message = decoded(await self.ws.recv())
            gap = client.inbox.resumed(message)
            recovery = client.outbox.resumed(message.get("seen"), new_epoch=gap == "epoch")
            if gap is not None or recovery.doubtful:
                events.append(Missed(gap, tuple(recovery.doubtful)))
            text = f"resumed after message {client.inbox.last}"
            self._settle()
        client.to_send.set()
        await client.enter(ClientState.ONLINE, text, *events)

    def _settle(self) -> None:
        if not self.client.outbox:
            self.client.all_acked.set()

    async def _exchange(self) -> None:
        """Send and receive until receiving raises how it ended."""
        client = self.client
        beat = None if client.beat is None else partial(self.ws.send, client.beat)
        async with watched(
            self.ws, client.heartbeat, beat, busy=lambda: not client.is_reading
        ) as watchdog:
            sending = asyncio.create_task(self._send())
            try:
                while True:
                    data = await self.ws.recv()
                    watchdog.sign()
                    await self._receive(data)
            finally:
                self.is_silent = watchdog.is_dead
                sending.cancel()
                await asyncio.wait([sending])

    async def _send(self) -> None:
        client = self.client
        with contextlib.suppress(ConnectionClosed, ConnectionError):  # receiving says how it ended
            while True:
                await client.to_send.wait()
                client.to_send.clear()
                for message in client.outbox.take():
                    id = message["id"]
                    if not client.resume:
                        del message["id"]
                    await self.ws.send(encoded(message))
                    if not client.resume:  # nobody will acknowledge it
                        client.outbox.acknowledged(id)
                        self._settle()

    async def _receive(self, data: str | bytes) -> None:
        client = self.client
        if not client.resume:
            await client.tell(Received(data))
            return
        message = decoded(data)
        if message.get("type") == "ack":
            client.outbox.acknowledged(message.get("id"))
            self._settle()
        elif "error" in message and "id" in message:
            keys = client.outbox.acknowledged(message["id"])
            self._settle()
            error, text = str(message["error"]), str(message.get("text", ""))
            await client.tell(*(Refused(key, error, text) for key in keys[-1:]))
        elif message.get("type") == "beat":
            pass  # the answer to one of ours: a sign of life, nothing for the application
        elif client.inbox.receive(message):
            await client.tell(Received(message))


async def leave(ws: Any, code: int = 1000) -> None:
    """Close a connection, in a second at most: a peer that is gone does not answer."""
    closing = asyncio.create_task(ws.close(code))
    try:
        await asyncio.wait([closing], timeout=LEAVE)
    finally:
        ws.transport.abort()
        closing.cancel()
        await asyncio.wait([closing])
