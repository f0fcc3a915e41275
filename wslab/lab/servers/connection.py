"""The library's server connection, with a record and a guard."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection

from wslab.lab.servers.base import BaseServer
from wslab.protocol.close import describe_close

__all__ = ["RecordedConnection", "WrongLoop"]


# Bytes of replies, such as Pong, that may wait for a peer that causes them but does not read.
REPLY_LIMIT = 1 << 20


class WrongLoop(RuntimeError):
    """A server's connection was used outside its handler's loop."""


def _on_own_loop(name: str) -> Any:
    def checked(self: RecordedConnection, *args: Any, **options: Any) -> Any:
        if asyncio._get_running_loop() is not self.loop:
            raise WrongLoop(
                f"connection.{name}() was called outside the server's event loop. A server's "
                "connection belongs to the loop of its handler, on the lab's thread; use it in "
                "the handler, or open a client's connection in the cell with connect(server.url)"
            )
        return getattr(super(RecordedConnection, self), name)(*args, **options)

    checked.__doc__ = getattr(ServerConnection, name).__doc__
    return checked


class RecordedConnection(ServerConnection):
    """The library's server connection; it can only be used on its own loop.

    `send` from a cell would often work, and sometimes tear the stream. `recv` would hang.
    """

    lab: BaseServer
    number: int = 0
    _replies = 0  # bytes that the library wrote by itself while others were waiting

    send = _on_own_loop("send")
    recv = _on_own_loop("recv")
    recv_streaming = _on_own_loop("recv_streaming")
    ping = _on_own_loop("ping")
    pong = _on_own_loop("pong")
    close = _on_own_loop("close")
    wait_closed = _on_own_loop("wait_closed")
    __aiter__ = _on_own_loop("__aiter__")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Number the connection (asyncio's callback)."""
        super().connection_made(transport)
        self.number = next(self.lab.numbers)
        self.lab.open[self] = None

    def data_received(self, data: bytes) -> None:
        """Note that the server is not idle, and limit its replies (asyncio's callback)."""
        self.lab.touch()
        before = self.transport.get_write_buffer_size()
        super().data_received(data)
        if not (waiting := self.transport.get_write_buffer_size()):
            return
        self._replies = waiting - before + (self._replies if before else 0)
        if min(self._replies, waiting) > REPLY_LIMIT:
            self.lab.record(
                self.number, "dropped", f"{waiting} bytes wait for a peer that does not read"
            )
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record how the connection ended (asyncio's callback)."""
        super().connection_lost(exc)
        self.lab.open.pop(self, None)
        if self.response is None:
            self.lab.record(self.number, "gone", "left before the opening handshake was done")
        elif self.response.status_code != 101:
            status = f"{self.response.status_code} {self.response.reason_phrase}"
            # `process_request` may also answer with a page.
            kind = "answered" if self.response.status_code < 400 else "refused"
            self.lab.record(self.number, kind, status)
        else:
            self.lab.record(
                self.number, "close", describe_close(self.close_code, self.close_reason)
            )
