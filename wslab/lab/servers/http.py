"""HTTP servers beside the notebook, to compare WebSocket with older techniques.

`serve_app(app)` runs an application like `aiohttp.web.run_app`, but on the lab's thread, with a
name, a record and an orderly stop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from wslab.lab.peers import page_url
from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.servers.base import BaseServer

if TYPE_CHECKING:  # aiohttp is imported when first used, because most lessons never need it
    from aiohttp import web

__all__ = ["WebServer", "serve_app"]

HttpHandler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]

SHUTDOWN = 0.1  # seconds for requests to end when the server stops, before they are cancelled
# Seconds that a request's head may take to arrive, and a connection may wait for the next request.
# This is longer than the 15 s of aiohttp's client, so it is the client that closes.
IDLE = 20.0
SHOWN = 60  # characters of a request's path in the record

# As for WebSocket servers, messages go to the record, not to a cell's stderr.
_logger = logging.getLogger("wslab.web")
_logger.propagate = False
_logger.setLevel(logging.CRITICAL + 1)


class WebServer(BaseServer):
    """An HTTP server of the lab; made by `serve_app`.

    Its connections are those with a request that is being answered.
    """

    scheme = "http"
    overlaps = False  # an application can run only once at a time
    peer_left = ()  # a ConnectionError may come from a handler's other connections, see `_respond`

    def __init__(self, name: str, app: web.Application, host: str) -> None:
        super().__init__(name, host)
        self.app = app
        self._runner: web.AppRunner | None = None
        self._numbered: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()

    @property
    def page(self) -> str:
        """The URL for a browser; see `page_url`."""
        return page_url(self.url)

    def number_of(self, request: web.Request) -> int:
        """Return the number of a request's connection; ConnectionResetError if it is gone."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left before its request was looked at")
        if transport not in self._numbered:
            self._numbered[transport] = next(self.numbers)
        return self._numbered[transport]

    async def answer(self, request: web.Request, handler: HttpHandler) -> web.StreamResponse:
        """Run a request's handler; record the request with its status, or the handler's error."""
        from aiohttp import web

        protocol, number = request.protocol, self.number_of(request)
        response: web.StreamResponse | None = None
        status: object = "cut short"

        async def work() -> None:
            nonlocal response
            response = await _respond(request, handler)

        self.open[protocol] = None
        self.touch()
        try:
            if not await self.run_handler(number, work):
                status = 500
                raise RuntimeError("handler failed")  # the library then answers with 500
            if response is None:
                raise ConnectionResetError("the client left before its answer was complete")
            status = response.status
        finally:
            self.open.pop(protocol, None)
            self.record(number, "request", f"{request.method} {request.path[:SHOWN]} {status}")
        if isinstance(response, web.HTTPException):
            raise response
        return response

    def _cut_off(self) -> None:
        # Also those that wait for their next request; and a handler may outlive its connection.
        server = self._runner.server if self._runner is not None else None
        known = [*self.open, *(server.connections if server is not None else ())]
        self.open = {one: None for one in known if one.transport is not None}
        super()._cut_off()

    async def _open(self, listener: socket.socket) -> None:
        from aiohttp import web

        _watch(self.app).server = self
        self._runner = web.AppRunner(
            self.app,
            access_log=None,
            logger=_logger,
            handler_cancellation=True,  # a handler ends when its client leaves
            shutdown_timeout=SHUTDOWN,
            keepalive_timeout=IDLE,
        )
        try:
            await self._runner.setup()
            await web.SockSite(self._runner, listener).start()
        except BaseException:
            await self._runner.cleanup()
            raise

    async def _close(self) -> None:
        assert self._runner is not None  # set by _open()
        await self._runner.cleanup()


async def _respond(request: web.Request, handler: HttpHandler) -> web.StreamResponse | None:
    """Return a handler's answer; None if the client left while it was written to."""
    from aiohttp import web

    try:
        response = await handler(request)
    except web.HTTPException as answer:  # an answer such as 404, not an error
        return answer
    except ConnectionError:
        if request.transport is None or request.transport.is_closing():
            return None
        raise
    if not isinstance(response, web.StreamResponse):
        raise TypeError(f"a handler returns a web.Response, but this one returned {response!r}")
    return response


class _Watch:
    """The middleware that tells a server of requests; an application keeps it for life."""

    __middleware_version__ = 1  # what aiohttp's decorator `middleware` sets

    server: WebServer | None = None

    async def __call__(self, request: web.Request, handler: HttpHandler) -> web.StreamResponse:
        assert self.server is not None  # set by WebServer._open()
        return await self.server.answer(request, handler)


def _watch(app: web.Application) -> _Watch:
    """Return the application's middleware that reports to a server; add it if it is missing."""
    for middleware in app.middlewares:
        if isinstance(middleware, _Watch):
            return middleware
    watch = _Watch()
    app.middlewares.insert(0, watch)
    return watch


def serve_app(
    app: web.Application, *, name: str | None = None, host: str = LOOPBACK, port: int = 0
) -> WebServer:
    """Start an HTTP server beside the notebook, at once.

    app: an `aiohttp.web.Application`. Its handlers' exceptions go to `errors`. Their prints, and
    every request that has been answered, go to `events`.
    name, host, port: as for `serve`; the default name is "web".
    Raises TypeError unless app is an application, and OSError if the port is taken.
    """
    from aiohttp import web

    if not isinstance(app, web.Application):
        raise TypeError(f"an application is an aiohttp.web.Application, but this is {app!r:.60}")
    server, served_by = WebServer(name or "web", app, host), _watch(app).server
    if served_by is not None and served_by.is_running and served_by.name != server.name:
        raise ValueError(
            f"this application is served by {served_by.name!r} already: stop that server, or make "
            "a new application"
        )
    server.replaced = replace(server, port)
    return server
