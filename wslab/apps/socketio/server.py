"""Socket.IO servers of python-socketio beside the notebook, on aiohttp and the lab's thread.

    sio = socketio.AsyncServer()
    server = serve_socketio(sio)

The library's log goes on the server's record, not to stderr, and handlers' errors go to its
`errors`. When the server stops, clients get a goodbye, and nothing goes on in the background.
"""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiohttp
import engineio
import socketio
from aiohttp import web

from wslab.lab.output import HandlerRecord, recorder
from wslab.lab.registry import LOOPBACK
from wslab.lab.servers.http import HttpHandler, WebServer, serve_app
from wslab.lab.servers.origin import Origins

__all__ = ["CLIENT_SCRIPT", "serve_socketio"]

# The browser's client, as npm distributes it. It is shipped, because lessons run offline and a page
# must not load code from elsewhere. Its first lines have its version and its licence.
CLIENT_SCRIPT = Path(__file__).parent / "page" / "socket.io.min.js"

# The code of these packages reads a peer's data. An exception from there is not a handler's.
_READERS = (asyncio, aiohttp, engineio, json, socketio)
_FOLDERS = tuple(str(Path(module.__file__ or "?").parent) for module in _READERS)
JOIN = 10.0  # seconds that a session has to join a namespace
POSTED = 30.0  # seconds in which a request with a body has to arrive and to be handled
WAITING = 100  # sessions that may wait to join; the newest ones stay

_number: ContextVar[int] = ContextVar("wslab_socketio_connection", default=0)


def _is_peers_fault(error: BaseException) -> bool:
    files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)} - {__file__}
    return all(file.startswith(_FOLDERS) for file in files)


class _Bridge(logging.Handler):
    """A bridge between python-socketio and the lab's server.

    The library logs a handler's exception, or leaves it in a task that nobody awaits. Here it goes
    on the server's record. If the library itself raises, a peer sent nonsense.
    """

    def __init__(self, sio: socketio.AsyncServer, origins: Origins) -> None:
        super().__init__(logging.ERROR)
        self.sio = sio
        self.origins = origins if sio.eio.cors_allowed_origins is None else None
        if self.origins is not None:  # the library would believe the Host header
            sio.eio.cors_allowed_origins = self.is_welcome
        self.server: WebServer | None = None
        self.monitor: bool = sio.eio.start_service_task
        self.tasks: set[asyncio.Future[Any]] = set()
        logger = logging.Logger("wslab.socketio", logging.ERROR)  # it has no parent logger
        logger.addHandler(self)
        sio.logger = sio.eio.logger = logger
        sio.eio.start_background_task = self.start_task

    def emit(self, record: logging.LogRecord) -> None:
        """Take an exception. Entries without one have been answered with a status."""
        if record.exc_info and record.exc_info[1] is not None:
            self.report(record.exc_info[1])

    def report(self, error: BaseException) -> None:
        """Put an exception on the server's record."""
        if self.server is None:
            return
        if _is_peers_fault(error):
            said = f"{type(error).__name__}: {error}"
            self.server.record(_number.get(), "violation", said[:120])
        else:
            self.server.record_error(_number.get(), error)

    def start_task(
        self, target: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Start a background task as the library does, and watch how it ends."""
        task = asyncio.ensure_future(target(*args, **kwargs))
        self.tasks.add(task)
        task.add_done_callback(self.end_task)
        return task

    def end_task(self, task: asyncio.Future[Any]) -> None:
        """Report why a task ended."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.report(error)

    @web.middleware
    async def answer(self, request: web.Request, handler: HttpHandler) -> web.StreamResponse:
        """Remember the request's connection, for the handlers too; leave no half-open session."""
        if self.server is not None:
            _number.set(self.server.number_of(request))
        if "EIO" in request.query and "sid" not in request.query:
            self.admit(request)
        late = None
        if request.method == "POST" and request.transport is not None:
            late = asyncio.get_running_loop().call_later(POSTED, request.transport.abort)
        try:
            response = await handler(request)
        except Exception as error:
            if isinstance(error, web.HTTPException | ConnectionError) or not _is_peers_fault(error):
                raise
            self.report(error)
            if (client := self.session(request)) is not None:
                await client.close(wait=False, abort=True, reason=self.sio.reason.TRANSPORT_ERROR)
                await client.queue.put(None)  # ends the task that writes
            if request.transport is not None:
                request.transport.close()  # a WebSocket connection, which cannot get a status
            raise ConnectionResetError("closed for what the client sent") from None
        finally:
            if late is not None:
                late.cancel()
        client = self.session(request)
        if request.method == "POST" and client is not None and client.closed:
            # The client said goodbye. python-engineio would leave its poll, the other request,
            # unanswered.
            await client.queue.put(engineio.packet.Packet(engineio.packet.NOOP))
        return response

    def is_welcome(self, origin: str | None, environ: dict[str, Any]) -> bool:
        """Tell whether a page may connect; origin: None for a program, which sends none."""
        if origin is None or self.origins is None:
            return True
        return self.origins.welcomes(origin, environ.get("HTTP_HOST", ""))

    def admit(self, request: web.Request) -> None:
        """Look at a request that begins a session; HTTPForbidden if the page may not.

        A session that does not join a namespace ends soon. Otherwise a client that asks once, and
        never comes back, would leave its session behind until that misses a ping.
        """
        if self.origins is not None and self.origins.refuses(request.headers):
            origin = request.headers.get("Origin", "elsewhere")
            raise web.HTTPForbidden(text=self.origins.explain(origin))
        waiting = [each for each in self.sio.eio.sockets.values() if not self.has_joined(each)]
        for client in waiting[: max(0, len(waiting) - WAITING + 1)]:
            self.start_task(self.end, client)
        self.start_task(self.expect, request)

    async def expect(self, request: web.Request) -> None:
        """Give the session that a request begins some time to join."""
        await asyncio.sleep(JOIN)
        client = self.session(request)
        if client is not None and not self.has_joined(client):
            await self.end(client)

    def has_joined(self, client: Any) -> bool:
        """Tell whether a session is in a namespace."""
        manager = self.sio.manager
        return any(manager.sid_from_eio_sid(client.sid, name) for name in manager.get_namespaces())

    async def end(self, client: Any) -> None:
        """Close a session, and forget it."""
        await client.close(wait=False, reason=self.sio.reason.SERVER_DISCONNECT)
        await client.queue.put(None)  # ends the task that writes
        self.sio.eio.sockets.pop(client.sid, None)

    def session(self, request: web.Request) -> Any:
        """Return the `engineio.AsyncSocket` that a request belongs to, None if there is none."""
        begun = (
            sid
            for sid, environ in self.sio.environ.items()
            if environ.get("aiohttp.request") is request
        )
        return self.sio.eio.sockets.get(request.query.get("sid") or next(begun, None))

    async def say_goodbye(self, _app: web.Application) -> None:
        """Close every client's session, and end the background tasks."""
        if self.server is not None:
            recorder.set(HandlerRecord(self.server, 0))
        for client in list(self.sio.eio.sockets.values()):
            await client.close(wait=False)
        await self.sio.shutdown()
        self.sio.eio.start_service_task = self.monitor  # for when it is served again

    async def clean_up(self, _app: web.Application) -> None:
        """End the tasks that are left, such as the pauses between pings."""
        for task in list(self.tasks):
            task.cancel()


def serve_socketio(
    sio: socketio.AsyncServer,
    *,
    name: str | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    app: web.Application | None = None,
    origins: Iterable[str] = (),
) -> WebServer:
    """Start a Socket.IO server beside the notebook, at once; clients find it at `url`.

    It also serves the browser's client, at the usual address of Socket.IO's servers.

    sio: a `socketio.AsyncServer`. Its handlers run on the lab's thread. Call `emit` only in them,
    because it must run there too. Prints go to `events`, and exceptions to `errors`. A packet that
    the library cannot read is a "violation" among the events.

    name, host, port: as for `serve`; the name is "Socket.IO" if left out.
    app: an application that has not run, for pages beside it; by default an empty one.

    origins: pages that may connect besides this machine's, as "https://hub.example"; not used if
    `sio` was made with `cors_allowed_origins`.
    Raises TypeError for a different kind of server, and OSError if the port is taken.
    """
    if not isinstance(sio, socketio.AsyncServer) or sio.async_mode != "aiohttp":
        raise TypeError(f"sio is {sio!r:.60}, it must be a socketio.AsyncServer on aiohttp")
    app = web.Application() if app is None else app
    bridge = _Bridge(sio, Origins(origins))
    app.middlewares.append(bridge.answer)
    app.on_shutdown.append(bridge.say_goodbye)
    app.on_cleanup.append(bridge.clean_up)
    app.router.add_get("/socket.io/socket.io.js", _client_script)
    sio.attach(app)
    bridge.server = serve_app(app, name=name or "Socket.IO", host=host, port=port)
    return bridge.server


async def _client_script(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(CLIENT_SCRIPT)
