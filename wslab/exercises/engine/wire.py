"""WebSocket peers for checks: the `websockets` library on the trial's own network."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wslab.exercises.engine.trial import Trial
from wslab.net.address import LOOPBACK

__all__ = ["Guests", "client", "heard", "serving", "until"]

# The verdict says what goes wrong.
_SILENT = logging.Logger("wslab-check", logging.CRITICAL + 1)

SMALL = 8 * 1024  # bytes that the network keeps
CLOSING = 0.5  # seconds for the closing handshake, so that no check waits for a dead peer


@asynccontextmanager
async def serving(
    trial: Trial,
    handler: Callable[[ServerConnection], Awaitable[object]],
    port: int = 0,
    **options: Any,
) -> AsyncIterator[str]:
    """Serve WebSocket with a handler, the learner's or a scripted one; gives the URL.

    port: the one to listen on; 0 for any.
    """

    async def guarded(connection: ServerConnection) -> None:
        try:
            await handler(connection)
        except (ConnectionClosed, asyncio.CancelledError):
            raise
        except Exception as error:
            trial.raised.append(error)
            raise

    options = {"compression": None, "ping_interval": None, "close_timeout": CLOSING, **options}
    server = await serve(guarded, LOOPBACK, port, logger=_SILENT, **options)
    try:
        yield f"ws://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * CLOSING):
                await server.wait_closed()


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect as a scripted client."""
    options = {"compression": None, "ping_interval": None, "close_timeout": CLOSING, **options}
    async with connect(url, proxy=None, logger=_SILENT, **options) as connection:
        yield connection


async def until(trial: Trial, condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds, or a handler has raised; what: the message if it is late."""
    async with trial.within(1, what):
        while not condition():
            trial.raise_first()
            await asyncio.sleep(0.002)


async def heard(trial: Trial, connection: ClientConnection, who: str) -> str | bytes:
    """Return the next message that a member gets; the answer is wrong if none comes."""
    try:
        async with trial.within(1, f"{who}, who reads, hears nothing"):
            return await connection.recv()
    except ConnectionClosed:
        trial.raise_first()
        trial.wrong(f"{who}, who reads, was put out", got=f"close code {connection.close_code}")


class Guests:
    """A server's connections, in the order in which they came."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.arrived: list[ServerConnection] = []

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection for which the network keeps little, so that its sender has to wait."""
        kernel = connection.transport.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.arrived.append(connection)
        await self.serve(connection)

    async def serve(self, connection: ServerConnection) -> None:
        """Keep the connection open."""
        await connection.wait_closed()

    async def come(self, url: str, stack: AsyncExitStack) -> Any:
        """Return the client's end of a new connection; the server's is the last that arrived."""
        count, loop = len(self.arrived), asyncio.get_running_loop()
        kernel = await loop.network.dial(LOOPBACK, urlsplit(url).port)  # type: ignore[attr-defined]
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        ws = await stack.enter_async_context(client(url, sock=kernel))
        stack.callback(ws.transport.abort)  # a dead one takes part in no closing handshake
        await until(self.trial, lambda: len(self.arrived) > count, "no connection")
        return ws
