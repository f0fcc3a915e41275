"""WebSocket peers for checks: the `websockets` library on the trial's own loop and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wslab.exercises.trial import Trial

__all__ = ["client", "serving", "unreachable"]

# What goes wrong is in the verdict.
_SILENT = logging.Logger("wslab-check", logging.CRITICAL + 1)

CLOSING = 0.5  # seconds for the closing handshake: a check must not wait for a dead peer


@asynccontextmanager
async def serving(
    trial: Trial, handler: Callable[[ServerConnection], Awaitable[object]], **options: Any
) -> AsyncIterator[str]:
    """Serve WebSocket with a handler, the learner's or a scripted one; gives the URL."""

    async def guarded(connection: ServerConnection) -> None:
        try:
            await handler(connection)
        except (ConnectionClosed, asyncio.CancelledError):
            raise
        except Exception as error:
            trial.raised.append(error)
            raise

    listener = trial.listen()
    options = {"compression": None, "ping_interval": None, "close_timeout": CLOSING, **options}
    server = await serve(guarded, sock=listener, logger=_SILENT, **options)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
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


def unreachable(trial: Trial) -> str:
    """Return a URL at which nobody listens."""
    listener = trial.listen()
    port = listener.getsockname()[1]
    listener.close()
    return f"ws://127.0.0.1:{port}/"
