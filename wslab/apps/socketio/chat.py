"""The chat with which Socket.IO's own guide begins. It answers one event to everybody.

    client → server   42["chat message","你好"]
    server → all      42["chat message","说：你好"]

Here are its server and its page. `python -m wslab serve socketio` runs it.
A packet's size and content are limited. The library does not limit the bytes that wait for a client
that does not read, until that misses a ping. `wslab.apps.chat` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import socketio
from aiohttp import web

from wslab.apps.socketio.server import serve_socketio
from wslab.lab.registry import LOOPBACK
from wslab.lab.servers.http import WebServer
from wslab.lab.servers.origin import PAGE_HEADERS

__all__ = ["EVENT", "PAGE", "make_chat", "serve_chat"]

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
