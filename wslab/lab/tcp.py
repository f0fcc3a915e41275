"""TCP servers beside the notebook: for what goes on below WebSocket.

`serve_tcp(handler)` is to `asyncio.start_server` what `serve` is to the library's: the same
handler, on the lab's thread, with a name, a record and an end that comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from wslab.lab.record import HandlerError, record_prints, recorder
from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.server import Server

__all__ = ["StreamHandler", "TcpServer", "serve_tcp"]

StreamHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TcpServer(Server):
    """A TCP server of the lab; made by `serve_tcp`."""

    def __init__(self, name: str, handler: StreamHandler, host: str) -> None:
        super().__init__(name, _no_websocket, host, {})
        self.stream_handler = handler
        self._tcp: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where a client connects to."""
        return f"tcp://{self.host}:{self.port}"

    async def _serve_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = next(self.numbers)
        self.record(number, "open", "")
        recorder.set(lambda text: self.record(number, "print", text))
        task = asyncio.current_task()
        assert task is not None  # asyncio.start_server runs this as a task
        self._handlers.add(task)
        try:
            await self.stream_handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the peer left in the middle: recorded as the close
        except Exception as error:
            self.record(number, "error", f"{type(error).__name__}: {error}")
            self._errors.append(HandlerError.of(self.name, number, error))
        finally:
            self._handlers.discard(task)
            writer.close()
            self.record(number, "close", "")

    async def _start(self) -> None:
        self._tcp = await asyncio.start_server(self._serve_stream, sock=self._listener)

    async def _stop(self, grace: float) -> None:
        assert self._tcp is not None  # set by start()
        self._tcp.close()
        for task in list(self._handlers):
            task.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=grace)


async def _no_websocket(_connection: Any) -> None:
    raise NotImplementedError("a TCP server has no WebSocket connections")


def serve_tcp(handler: StreamHandler, *, name: str | None = None, port: int = 0) -> TcpServer:
    """Start a TCP server beside the notebook, at once.

    handler: `async def handler(reader, writer)`, as for `asyncio.start_server`; the connection
    is closed when it returns.
    name, port: as for `serve`.
    """
    record_prints()
    server = TcpServer(str(name or getattr(handler, "__name__", "tcp")), handler, LOOPBACK)
    server.replaced = replace(server, port, server.start)
    return server
