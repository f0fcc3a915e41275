"""The chat with which Socket.IO's own guide begins. It answers one event to everybody.

    client → server   42["chat message","你好"]
    server → all      42["chat message","说：你好"]

Here are its server, its page, and a client in Python. `python -m wslab serve socketio` runs it.
A packet's size and content are limited. The library does not limit the bytes that wait for a client
that does not read, until that misses a ping. `wslab.apps.chat` does.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import socketio
from aiohttp import web
from socketio.exceptions import ConnectionError as NotConnected

from wslab.apps.socketio.server import serve_socketio
from wslab.lab.registry import LOOPBACK
from wslab.lab.servers.http import WebServer
from wslab.lab.servers.origin import PAGE_HEADERS
from wslab.net.clock import time_limit

__all__ = ["EVENT", "PAGE", "SocketIOChatClient", "make_chat", "serve_chat", "start_socketio"]

EVENT = "chat message"
PAGE = Path(__file__).parent / "page" / "index.html"
MAX_PAYLOAD = 100_000  # bytes of a packet, or of a whole HTTP body; Socket.IO's default is 1 MB
MAX_TEXT = 2_000  # characters of one message


def make_chat(**options: Any) -> socketio.AsyncServer:
    """Make the chat's server for `serve_socketio`, not yet running.

    It passes on only texts, because the protocol does not say how to show anything else.
    options: for `socketio.AsyncServer`, such as ping_interval (seconds) or transports.
    """
    sio = socketio.AsyncServer(**{"max_http_buffer_size": MAX_PAYLOAD, **options})

    @sio.event  # type: ignore[untyped-decorator]
    def connect(sid: str, environ: object) -> None:
        print("connected")

    @sio.on(EVENT)  # type: ignore[untyped-decorator]
    async def chat_message(sid: str, *arguments: object) -> None:
        match arguments:
            case [str(text)] if len(text) <= MAX_TEXT:
                await sio.emit(EVENT, f"说：{text}")
            case _:
                print(f"not passed on: {EVENT} needs one text of up to {MAX_TEXT} characters")

    @sio.event  # type: ignore[untyped-decorator]
    def disconnect(sid: str, reason: str) -> None:
        print(f"disconnected: {reason}")

    return sio


def serve_chat(
    *,
    name: str = "Socket.IO chat",
    host: str = LOOPBACK,
    port: int = 0,
    origins: Iterable[str] = (),
    **options: Any,
) -> WebServer:
    """Start the chat beside the notebook, at once, with its page at `/`.

    options: as for `make_chat`. The others are as for `serve_socketio`.
    """

    async def page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE, headers=PAGE_HEADERS)

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_static("/page", PAGE.parent)
    sio = make_chat(**options)
    return serve_socketio(sio, name=name, host=host, port=port, app=app, origins=origins)


def start_socketio(options: argparse.Namespace) -> WebServer:
    """Start the chat that the command line asks for."""
    return serve_chat(host=options.host, port=options.port, origins=options.origin)


class SocketIOChatClient:
    """A member of the chat, by python-socketio's client.

        async with SocketIOChatClient(url) as client:
            await client.say("你好")
            await client.hear()  # "说：你好"

    url: the server's, or that of a cable to it.
    transports: those to use, in order; by default polling first and then WebSocket.
    within: seconds to connect. options: for `socketio.AsyncClient`.
    Raises `socketio.exceptions.ConnectionError` if it cannot connect.
    """

    def __init__(
        self,
        url: str,
        *,
        transports: Sequence[str] | None = None,
        within: float = 10.0,
        **options: Any,
    ) -> None:
        self.url, self.transports, self.within = url, transports, within
        # handle_sigint would take Ctrl-C from the program, and a notebook's Stop with it.
        self.sio = socketio.AsyncClient(**{"handle_sigint": False, "logger": False, **options})
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.sio.on(EVENT, self.heard.put)

    async def say(self, text: str) -> None:
        """Say something to everybody."""
        await self.sio.emit(EVENT, text)

    async def hear(self, *, within: float = 5.0) -> str:
        """Return the next text; TimeoutError after so many seconds."""
        async with asyncio.timeout(within):
            return await self.heard.get()

    async def __aenter__(self) -> Self:
        """Connect. The library itself might wait for ever, or leave its HTTP session open."""
        try:
            async with time_limit(self.within, lambda: "no answer"):
                await self.sio.connect(self.url, transports=self.transports)
        except (aiohttp.ClientError, NotConnected, TimeoutError) as error:
            if self.sio.eio.http is not None:
                await self.sio.eio.http.close()
            raise NotConnected(str(error)) from error
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Leave."""
        await self.sio.disconnect()
