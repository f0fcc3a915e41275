"""WebSocket peers for checks: the `websockets` library on the trial's own loop and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wslab.exercises.engine.trial import Trial
from wslab.lab.registry import LOOPBACK
from wslab.net.memory_loop import in_memory
from wslab.net.realtime.host import network_here

__all__ = [
    "client",
    "heard",
    "keep_little",
    "serving",
    "small_socket",
    "until",
]

# The verdict says what goes wrong.
_SILENT = logging.Logger("wslab-check", logging.CRITICAL + 1)

SMALL = 8 * 1024  # bytes that the kernel is asked to keep
CLOSING = 0.5  # seconds for the closing handshake, so that no check waits for a dead peer


@asynccontextmanager
async def serving(
    trial: Trial,
    handler: Callable[[ServerConnection], Awaitable[object]],
    port: int = 0,
    **options: Any,
) -> AsyncIterator[str]:
    """Serve WebSocket with a handler, the learner's or a scripted one; gives the URL.

    port: in a simulation, the one to listen on. On real sockets any free one is taken.
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
    where = {"host": LOOPBACK, "port": port} if in_memory() else {"sock": trial.listen()}
    server = await serve(guarded, logger=_SILENT, **where, **options)
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


async def small_socket(url: str) -> Any:
    """Connect a socket for which the kernel keeps little, so that its sender has to wait."""
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    if (network := network_here()) is not None:
        ours = await network.dial("127.0.0.1", port)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        return ours
    kernel = socket.socket()
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    kernel.setblocking(False)
    await asyncio.get_running_loop().sock_connect(kernel, ("127.0.0.1", port))
    return kernel


def keep_little(connection: ServerConnection) -> None:
    """Let the kernel keep little at the server's end, too."""
    kernel = connection.transport.get_extra_info("socket")
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
