"""Connections whose peers are alive or dead, for the exercises of lesson 07."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import WebSocketException

from wslab.exercises.engine import wire
from wslab.exercises.engine.trial import Trial

__all__ = ["WITHIN", "Peers", "half_open_day"]

WITHIN = 1.5  # seconds in which the answer has to find the dead


class Peers:
    """The servers' ends of connections, whose peers are alive or dead."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.came = asyncio.Event()

    async def __call__(self, connection: ServerConnection) -> None:
        """Keep a connection open."""
        self.connections.append(connection)
        self.came.set()
        await connection.wait_closed()

    async def connect(self, url: str, stack: AsyncExitStack) -> tuple[Any, ServerConnection]:
        """Return both ends of a new connection."""
        self.came.clear()
        ws = await stack.enter_async_context(wire.client(url))
        stack.callback(ws.transport.abort)  # a dead one takes part in no closing handshake
        await self.came.wait()
        return ws, self.connections[-1]


async def half_open_day(trial: Trial, half_open: Any) -> None:
    """Let connections end before and while the answer asks them; two of five are dead."""
    peers = Peers()
    async with wire.serving(trial, peers) as url, AsyncExitStack() as stack:
        try:
            ends = [await peers.connect(url, stack) for _ in range(5)]
        except (OSError, WebSocketException):
            return  # on this day nobody could connect
        for _, server in ends[:2]:
            server.transport.pause_reading()
        closed = [client for client, _ in ends if client.close_code is not None]
        async with trial.within(WITHIN, "your code has not returned"):
            got = await half_open([client for client, _ in ends])
        trial.of_type(got, list)
        for number, (client, server) in enumerate(ends):
            is_in, is_dead = client in got, number < 2
            well = "a connection that is well was taken for half-open"
            trial.want(is_dead or not is_in or server.close_code is not None, well)
            over = "a connection that had ended before was taken for half-open"
            trial.want(not is_in or client not in closed, over)
            missed = "a half-open connection was not found"
            trial.want(is_in or not is_dead or client.close_code is not None, missed)
