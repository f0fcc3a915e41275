"""A server from scratch, which puts the protocol of the course on a real socket.

`serve_from_scratch` works like `lab.serve`, but with `wslab.protocol` in place of the
`websockets` library. It borrows only the library's C helper that applies masks, where its
wheel has one (`protocol.frames`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import fields
from typing import Any

from wslab.lab.masking import masked_target
from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.servers.base import BaseServer, check_handler, check_options
from wslab.lab.servers.websocket import name_of
from wslab.protocol.close import describe_close
from wslab.protocol.connection import Connection, Role
from wslab.protocol.deflate import NAME, agreed
from wslab.protocol.errors import HandshakeError
from wslab.protocol.events import Violation
from wslab.protocol.handshake import answer, refuse_text, reject
from wslab.protocol.http import Request, Response
from wslab.scratch.endpoint import ConnectionEnded, Endpoint, Settings

__all__ = ["ScratchHandler", "ScratchServer", "ServerEndpoint", "serve_from_scratch"]

ScratchHandler = Callable[[Endpoint], Awaitable[None]]


class ServerEndpoint(Endpoint):
    """The server's end of one connection."""

    def __init__(self, server: ScratchServer) -> None:
        super().__init__(server.settings)
        self.server = server
        self.number = next(server.numbers)
        self._handler: asyncio.Task[None] | None = None

    def handshake(self, data: bytes) -> None:
        """Read the client's request, and answer it once it is complete."""
        if self.response is not None:
            return  # refused, so the rest of its bytes does not matter
        self._head += data
        try:
            parsed = Request.parse(self._head)
            if parsed is None:
                return
            self.request, end = parsed
            response = self.server.answer(self.request)
        except HandshakeError as error:
            response, end = reject(error), 0
        self.transport.write(response.serialize())
        if self.request is None or response.status != 101:
            self.response, self._head = response, b""
            self.hang_up()
            return
        connection = Connection(
            Role.SERVER, deflate=agreed(response.headers), limits=self.settings.limits
        )
        self._handler = self.loop.create_task(self.server.handle(self, self.request.target))
        self.open(connection, response, self._head[end:])

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the server."""
        super().connection_made(transport)
        self.server.open[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Record how the connection ended."""
        super().connection_lost(exc)
        self.server.open.pop(self, None)
        if self.connection is None:
            self.server.record(self.number, *self._never_opened())
            return
        if self.violation is not None:
            self.server.record(self.number, "violation", _describe(self.violation))
        ended = describe_close(self.close_code, self.close_reason)
        self.server.record(self.number, "close", ended)

    def _never_opened(self) -> tuple[str, str]:
        """Return the kind and the text of the event to record."""
        if self.response is not None:
            return "refused", f"{self.response.status} {self.response.reason}"
        if self.timed_out:
            limit = self.settings.open_timeout
            return "gone", f"the opening handshake was not done within {limit:g} s"
        return "gone", "left before the opening handshake was done"


def _describe(violation: Violation) -> str:
    return f"{describe_close(violation.code, None)}: {violation.message} ({violation.section})"


class ScratchServer(BaseServer):
    """A WebSocket server of the lab, from scratch; made by `serve_from_scratch`."""

    peer_left = (ConnectionEnded,)

    def __init__(
        self,
        name: str,
        handler: ScratchHandler,
        host: str,
        settings: Settings,
        *,
        tls: ssl.SSLContext | None,
        subprotocols: Iterable[str],
        origins: Iterable[str | None] | None,
    ) -> None:
        refuse_text("subprotocols", subprotocols)
        refuse_text("origins", origins)
        super().__init__(name, host)
        self.handler = handler
        self.settings = settings
        self.tls = tls
        self.scheme = "wss" if tls else "ws"
        self.subprotocols = tuple(subprotocols)
        self.origins = None if origins is None else tuple(origins)
        self._server: asyncio.Server | None = None

    def answer(self, request: Request) -> Response:
        """Answer a client's request."""
        deflate = self.settings.deflate
        return answer(
            request,
            subprotocols=self.subprotocols,
            origins=self.origins,
            extensions={NAME: deflate.negotiate} if deflate else None,
        )

    async def handle(self, endpoint: ServerEndpoint, target: str) -> None:
        """Run the handler of one connection, then close it."""
        self.record(endpoint.number, "open", masked_target(target))
        went_well = await self.run_handler(endpoint.number, self.handler, endpoint)
        await endpoint.close(1000 if went_well else 1011)

    async def _open(self, listener: socket.socket) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: ServerEndpoint(self),
            sock=listener,
            ssl=self.tls,
            ssl_handshake_timeout=self.settings.open_timeout if self.tls else None,
            ssl_shutdown_timeout=self.settings.close_timeout if self.tls else None,
        )

    def activity(self) -> object:
        """Return a value that changes with everything that happens."""
        return super().activity(), sum(endpoint.reads for endpoint in self.connections)

    async def _close(self) -> None:
        assert self._server is not None  # set by _open()
        self._server.close()
        for endpoint in self.connections:
            if endpoint.connection is None:
                endpoint.transport.abort()
        await asyncio.gather(*(endpoint.close(1001) for endpoint in self.connections))
        if self._handlers:
            await asyncio.wait(self._handlers)


def serve_from_scratch(
    handler: ScratchHandler,
    *,
    name: str | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    ssl: ssl.SSLContext | None = None,
    subprotocols: Iterable[str] = (),
    origins: Iterable[str | None] | None = None,
    **settings: Any,
) -> ScratchServer:
    """Start a WebSocket server built on `wslab.protocol`, at once.

    handler: `async def handler(ws)`; ws is an `Endpoint`, with the library's methods.
    ssl: a context with a certificate, for ``wss://``.
    subprotocols, origins: as for `protocol.answer`. settings: see `Settings`.
    name, host, port: as for `lab.serve`.
    """
    check_handler(handler, "ws")
    check_options(settings, [field.name for field in fields(Settings)])
    server = ScratchServer(
        name or name_of(handler),
        handler,
        host,
        Settings(**settings),
        tls=ssl,
        subprotocols=subprotocols,
        origins=origins,
    )
    server.replaced = replace(server, port)
    return server
