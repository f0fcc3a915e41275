"""Servers beside the notebook: `serve(handler)` starts one at once and records what happens.

The server is `websockets.asyncio.server.serve`, unchanged, on the lab's server thread. The lab
adds a name, so that running a cell again replaces the server and does not leave the old one
behind. It also adds a record of the handler, and a stop that always works.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from websockets.asyncio.server import Server as LibraryServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as library_serve
from websockets.exceptions import ConnectionClosed

from wslab.lab.masking import masked_target
from wslab.lab.peers import page_url
from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.servers.base import BaseServer, check_handler, check_options
from wslab.lab.servers.connection import RecordedConnection

__all__ = ["Handler", "Server", "echo", "name_of", "serve", "show_page"]


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and value >= 0)


# The library would find a wrong value only when a client comes.
VALUES: list[tuple[str, Callable[[Any], object], str]] = [
    (
        "open_timeout ping_interval ping_timeout close_timeout",
        lambda value: type(value) in (int, float) and value >= 0,
        "seconds from 0 on",
    ),
    (
        "max_size max_queue write_limit",
        lambda value: (
            _is_count(value)
            or (isinstance(value, tuple) and len(value) == 2 and all(map(_is_count, value)))
        ),
        "a number from 0 on, or a pair of these",
    ),
    (
        "origins extensions subprotocols",
        lambda value: isinstance(value, Collection) and not isinstance(value, (str, bytes)),
        "a list",
    ),
    ("process_request process_response select_subprotocol", callable, "a function"),
    ("ssl", lambda value: hasattr(value, "wrap_bio"), "an ssl.SSLContext"),
    (
        "create_connection",
        lambda value: isinstance(value, type) and issubclass(value, ServerConnection),
        "a subclass of ServerConnection",
    ),
]


def check_values(options: Mapping[str, Any]) -> None:
    """Raise ValueError for the first option whose value cannot work."""
    for names, is_right, expected in VALUES:
        for name in names.split():
            value = options.get(name)
            if value is not None and not is_right(value):
                raise ValueError(f"{name} is {value!r:.60}, it must be {expected}, or None")


Handler = Callable[[ServerConnection], Awaitable[None]]

# Library messages go to the record, not to the stderr of the cell that happens to run.
_logger = logging.getLogger("wslab.server")
_logger.propagate = False
_logger.setLevel(logging.CRITICAL + 1)


async def echo(connection: ServerConnection) -> None:
    """Send every message back to its sender."""
    async for message in connection:
        await connection.send(message)


def library_options() -> set[str]:
    """Return the options that the library's `serve` takes, or passes on to asyncio."""
    names = {
        *inspect.signature(library_serve).parameters,
        *inspect.signature(asyncio.BaseEventLoop.create_server).parameters,
    }
    return names - {
        *("self", "handler", "protocol_factory", "sock", "host", "port", "kwargs", "start_serving")
    }


class Server(BaseServer):
    """A WebSocket server of the lab, from the library; made by `serve`."""

    peer_left = (ConnectionClosed,)

    def __init__(self, name: str, handler: Handler, host: str, options: dict[str, Any]) -> None:
        if options:
            check_options(options, library_options())
        super().__init__(name, host)
        self.handler = handler
        self.options = options
        self.scheme = "wss" if options.get("ssl") else "ws"
        self._server: LibraryServer | None = None

    @property
    def page(self) -> str:
        """The address of its page, for a browser, if it has one; see `page_url`."""
        return page_url("http" + self.url.removeprefix("ws"))

    async def _handle(self, connection: ServerConnection) -> None:
        number = connection.number if isinstance(connection, RecordedConnection) else 0
        path = connection.request.path if connection.request else ""
        self.record(number, "open", masked_target(path))
        if not await self.run_handler(number, self.handler, connection):
            raise RuntimeError("handler failed")  # the library then closes with 1011

    async def _open(self, listener: socket.socket) -> None:
        check_values(self.options)
        options = {"close_timeout": 1, "compression": None, "logger": _logger, **self.options}
        library_class = options.pop("create_connection", ServerConnection)
        own = type("LabConnection", (RecordedConnection, library_class), {"lab": self})
        self._server = await library_serve(
            self._handle, sock=listener, create_connection=own, **options
        )

    async def _close(self) -> None:
        assert self._server is not None  # set by _open()
        self._server.close()
        await self._server.wait_closed()


def serve(
    handler: Handler,
    *,
    name: str | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    **websockets_options: Any,
) -> Server:
    """Start a WebSocket server beside the notebook, at once.

    handler: `async def handler(connection)`, as for `websockets.serve`.
    name: the server's name, by default the handler's. Running the cell again replaces the server
    of the same name and keeps its port.
    host: the address to listen on. By default only this machine can reach it.
    port: 0 for any free one.
    websockets_options: passed on to `websockets.serve`. The lab's own defaults are
    `compression=None`, so that the bytes on the wire can be read, and `close_timeout=1`.
    Raises OSError if the port is taken, TypeError for a different kind of handler or an option that
    does not exist, and ValueError for an option that cannot work. Then nothing is stopped.
    """
    check_handler(handler, "connection")
    server = Server(name or name_of(handler), handler, host, websockets_options)
    server.replaced = replace(server, port)
    return server


def name_of(handler: object) -> str:
    """Return a handler's name, or that of its class if it has none."""
    return str(getattr(handler, "__name__", type(handler).__name__))


async def show_page(server: Server, said: str, query: str = "") -> None:
    """Print the address of a server's page after a text, and serve it until Ctrl-C."""
    async with server:
        print(f"{said}:\n  {server.page}{query}", flush=True)
        await asyncio.Event().wait()
