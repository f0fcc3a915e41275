"""A member of the chat with which Socket.IO's own guide begins, by python-socketio's client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import socketio

from wslab.apps.socketio.chat import EVENT

from .conftest import PATIENCE


class SocketIOChatClient:
    """A member of the chat, by python-socketio's client.

        async with SocketIOChatClient(url) as client:
            await client.say("你好")
            await client.hear()  # "说：你好"

    url: the server's, or that of a cable to it.
    transports: those to use, in order; by default polling first and then WebSocket.
    options: for `socketio.AsyncClient`.
    Raises `socketio.exceptions.ConnectionError` if it cannot connect.
    """

    def __init__(
        self, url: str, *, transports: Sequence[str] | None = None, **options: Any
    ) -> None:
        self.url = url
        self.transports = transports
        # handle_sigint would take Ctrl-C from the program, and a notebook's Stop with it.
        self.sio = socketio.AsyncClient(**{"handle_sigint": False, "logger": False, **options})
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.sio.on(EVENT, self.heard.put)

    async def say(self, text: str) -> None:
        """Say something to everybody."""
        await self.sio.emit(EVENT, text)

    async def hear(self, *, within: float = PATIENCE) -> str:
        """Return the next text; TimeoutError after so many seconds."""
        async with asyncio.timeout(within):
            return await self.heard.get()

    async def __aenter__(self) -> Self:
        """Connect."""
        options = {"wait_timeout": PATIENCE}  # for the namespace; its own is a second
        await self.sio.connect(self.url, transports=self.transports, **options)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Leave."""
        await self.sio.disconnect()
