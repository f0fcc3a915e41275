"""Socket.IO servers beside the notebook: python-socketio's, on aiohttp, on the lab's thread.

    sio = socketio.AsyncServer()
    server = serve_socketio(sio)

What the library would print to stderr goes on the server's record instead, and handlers' errors to
its `errors`; when the server stops, clients get a goodbye and nothing goes on in the background.
"""

from __future__ import annotations

import functools
import json
import logging
import traceback
from contextvars import ContextVar
from pathlib import Path

import engineio
import socketio
from aiohttp import web

from wslab.lab.record import recorder
from wslab.lab.registry import LOOPBACK
from wslab.lab.web import Handler, WebServer, serve_app

__all__ = ["CLIENT_SCRIPT", "serve_socketio"]

# The browser's client, as npm distributes it: shipped, since lessons run offline and a page must
# not load code from elsewhere. Its first lines have its version and its licence.
CLIENT_SCRIPT = Path(__file__).parent / "socketio_page" / "socket.io.min.js"

_LIBRARY = tuple(str(Path(module.__file__ or "?").parent) for module in (engineio, socketio, json))
_number: ContextVar[int] = ContextVar("wslab_socketio_connection", default=0)


class _Bridge(logging.Handler):
    """Stands between python-socketio and the lab's server.

    The library catches whatever handlers raise, and logs it: here it goes on the server's record.
    An exception that comes from inside the library is no handler's: a peer sent nonsense.
    """

    def __init__(self, sio: socketio.AsyncServer) -> None:
        super().__init__(logging.ERROR)
        self.sio = sio
        self.server: WebServer | None = None
        self.monitor: bool = sio.eio.start_service_task
        logger = logging.Logger("wslab.socketio", logging.ERROR)  # of no family: nothing above it
        logger.addHandler(self)
        sio.logger = sio.eio.logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Take an exception; what is logged without one has been answered with a status."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or self.server is None:
            return
        frames = traceback.extract_tb(error.__traceback__)
        if all(frame.filename.startswith(_LIBRARY) for frame in frames):
            said = f"{type(error).__name__}: {error}"
            self.server.record(_number.get(), "violation", said[:120])
        else:
            self.server.record_error(_number.get(), error)

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Remember the request's connection, for the handlers too; let no poll wait in vain."""
        if self.server is not None:
            _number.set(self.server.number_of(request))
        response = await handler(request)
        client = self.sio.eio.sockets.get(request.query.get("sid"))
        if request.method == "POST" and client is not None and client.closed:
            # It said goodbye; python-engineio would leave its other request, the poll, unanswered.
            await client.queue.put(engineio.packet.Packet(engineio.packet.NOOP))
        return response

    async def say_goodbye(self, _app: web.Application) -> None:
        """Close every client's session, and end what goes on in the background."""
        if self.server is not None:
            recorder.set(functools.partial(self.server.record, 0, "print"))
        for client in list(self.sio.eio.sockets.values()):
            await client.close(wait=False)
        await self.sio.shutdown()
        self.sio.eio.start_service_task = self.monitor  # for when it is served again


def serve_socketio(
    sio: socketio.AsyncServer,
    *,
    name: str | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    app: web.Application | None = None,
) -> WebServer:
    """Start a Socket.IO server beside the notebook, at once; clients find it at `url`.

    sio: a `socketio.AsyncServer`. Its handlers run on the lab's thread, and so must every `emit`:
    call it in handlers only. Their prints go to `events`, their exceptions to `errors`, and a
    packet that the library cannot read is a "violation" among the events.
    name, host, port: as for `serve`; the name is "Socket.IO" if left out.
    app: an application that has not run, for pages beside it; by default an empty one.
    It also serves the browser's client, at the address that Socket.IO's servers have for it.
    """
    app = web.Application() if app is None else app
    bridge = _Bridge(sio)
    app.middlewares.append(bridge.answer)
    app.on_shutdown.append(bridge.say_goodbye)
    app.router.add_get("/socket.io/socket.io.js", _client_script)
    sio.attach(app)
    bridge.server = serve_app(app, name=name or "Socket.IO", host=host, port=port)
    return bridge.server


async def _client_script(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(CLIENT_SCRIPT)
