"""TCP servers beside the notebook, for experiments below WebSocket.

`serve_tcp(handler)` takes the same handler as `asyncio.start_server`, but runs it on the lab's
thread, with a name, a record and an orderly stop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.servers.base import BaseServer, check_handler
from wslab.lab.servers.websocket import name_of

__all__ = ["StreamHandler", "TcpServer", "serve_tcp"]

StreamHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TcpServer(BaseServer):
    """A TCP server of the lab; made by `serve_tcp`."""

    peer_left = (ConnectionError, asyncio.IncompleteReadError)

    def __init__(self, name: str, handler: StreamHandler, host: str) -> None:
        super().__init__(name, host)
        self.handler = handler
        self._server: asyncio.Server | None = None

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self.numbers)
        self.open[writer] = None
        self.record(number, "open", "")
        try:
            await self.run_handler(number, self.handler, reader, writer)
        except asyncio.CancelledError:
            pass  # stop() did it; asyncio of Python 3.11 would print it as an error
        finally:
            self.open.pop(writer, None)
            writer.close()
            self.record(number, "close", "")

    async def _open(self, listener: socket.socket) -> None:
        self._server = await asyncio.start_server(self._handle, sock=listener)

    async def _close(self) -> None:
        assert self._server is not None  # set by _open()
        self._server.close()
        # TCP has no goodbye that a handler could wait for, so handlers are cancelled at once.
        while self._handlers:
            for task in self._handlers:
                task.cancel()
            await asyncio.wait(self._handlers)


def serve_tcp(handler: StreamHandler, *, name: str | None = None, port: int = 0) -> TcpServer:
    """Start a TCP server beside the notebook, at once.

    handler: `async def handler(reader, writer)`, as for `asyncio.start_server`; the connection
    is closed when it returns.
    name, port: as for `serve`. Raises TypeError for a different kind of handler.
    """
    check_handler(handler, "reader", "writer")
    server = TcpServer(name or name_of(handler), handler, LOOPBACK)
    server.replaced = replace(server, port)
    return server
