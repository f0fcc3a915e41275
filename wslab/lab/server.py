"""Servers beside the notebook: `serve(handler)` starts one at once and records what happens.

The server is `websockets.asyncio.server.serve`, unchanged, on the lab's server thread. The lab
adds a name, so that running a cell again replaces the server instead of leaving the old one
behind; a record of what the handler did; and an end that comes, whatever anybody does.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import Server as LibraryServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as library_serve
from websockets.exceptions import ConnectionClosed

from wslab.lab.connection import Connection
from wslab.lab.loop import LabThread, LoopStalled, lab_thread, settle
from wslab.lab.record import Event, Events, HandlerError, record_prints, recorder
from wslab.lab.registry import LOOPBACK, listen, replace

__all__ = ["Handler", "Server", "echo", "serve"]

Handler = Callable[[ServerConnection], Awaitable[None]]

# Library messages go to the record, not to the stderr of whichever cell happens to run.
_logger = logging.getLogger("wslab.server")
_logger.propagate = False
_logger.setLevel(logging.CRITICAL + 1)


async def echo(connection: ServerConnection) -> None:
    """Send every message back to where it came from."""
    async for message in connection:
        await connection.send(message)


class Server:
    """A WebSocket server of the lab; made by `serve`.

    events: what happened, in order. connections: those that are open.
    replaced: whether it took the place of a running server of the same name.
    """

    def __init__(self, name: str, handler: Handler, host: str, options: dict[str, Any]) -> None:
        self.name = name
        self.handler = handler
        self.host = host
        self.options = options
        self.events = Events()
        self._errors: list[HandlerError] = []
        self._errors_seen = 0  # how many of them somebody has looked at
        self.connections: set[Connection] = set()
        self.numbers = itertools.count(1)
        self.replaced = False
        self.thread: LabThread = lab_thread("servers")
        self._activity = 0
        self._handlers: set[asyncio.Task[Any]] = set()
        self._listener: socket.socket | None = None
        self._server: LibraryServer | None = None

    # What a cell asks

    @property
    def port(self) -> int:
        """The TCP port that it listens on, 0 when stopped."""
        return int(self._listener.getsockname()[1]) if self._listener else 0

    @property
    def url(self) -> str:
        """Where a client connects to."""
        scheme = "wss" if self.options.get("ssl") else "ws"
        return f"{scheme}://{self.host}:{self.port}/"

    @property
    def is_running(self) -> bool:
        """Whether it still listens."""
        return self._listener is not None

    @property
    def errors(self) -> list[HandlerError]:
        """The exceptions that its handler did not catch."""
        self._errors_seen = len(self._errors)
        return self._errors

    def unseen_errors(self) -> list[HandlerError]:
        """Return the errors that nobody has looked at yet; after that, they count as seen."""
        unseen = self._errors[self._errors_seen :]
        self._errors_seen += len(unseen)
        return unseen

    def __repr__(self) -> str:
        """Say where it listens, and whether it took the place of another."""
        state = self.url if self.is_running else "stopped"
        note = ", replaces the earlier server of this name" if self.replaced else ""
        errors = f", {len(self._errors)} errors: see .errors" if self._errors else ""
        return f"<Server {self.name!r} {state}{note}{errors}>"

    async def settle(
        self,
        until: int | Callable[[], object] | None = None,
        *,
        within: float = 5.0,
        quiet: float = 0.05,
    ) -> Events:
        """Wait until the server has nothing to do, and return its events.

        until: a number of events, or a condition, to be reached first.
        within: seconds to wait for it, then TimeoutError with what has happened so far.
        quiet: seconds without any traffic that count as nothing to do.
        Raises LoopStalled, with the place, if a handler blocks the server's loop.
        """
        if (report := await self.thread.stalled()) is not None:
            raise LoopStalled(report)
        await settle(lambda: self._activity, until, self.events, within=within, quiet=quiet)
        return self.events

    async def stop(self, grace: float = 1.0) -> None:
        """Stop listening, close every connection (1001), and end every handler.

        grace: seconds for clients and handlers to finish; then they are cut off.
        """
        if self._listener is None:
            return
        if asyncio.get_running_loop() is self.thread.loop:
            raise RuntimeError("a handler cannot stop its own server: call stop() in a cell")
        if self.thread.retired:
            self._close_listener()
            return
        future = self.thread.submit(self._stop(grace))
        try:
            async with asyncio.timeout(4 * grace + 1):
                await asyncio.wrap_future(future)
        except TimeoutError:
            self._abandon()
        finally:
            self._close_listener()

    def stop_now(self, grace: float = 0.2) -> None:
        """Stop from a thread that cannot await, as when a cell is run again."""
        if self._listener is None:
            return
        try:
            if not self.thread.retired:
                self.thread.call(lambda: self._stop(grace), timeout=4 * grace + 1)
        except LoopStalled:
            self._abandon()
        finally:
            self._close_listener()

    async def __aenter__(self) -> Server:
        """Use `async with lab.serve(...) as server:`; it stops at the end of the block."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop."""
        await self.stop()

    # What its connections tell

    def touch(self) -> None:
        """Note that something happened."""
        self._activity += 1

    def record(self, connection: int, kind: str, text: str) -> None:
        """Add an event."""
        self.events.append(Event(connection, kind, text))
        self.touch()

    async def _handle(self, connection: ServerConnection) -> None:
        number = connection.number if isinstance(connection, Connection) else 0
        path = connection.request.path if connection.request else ""
        self.record(number, "open", path)
        recorder.set(lambda text: self.record(number, "print", text))
        task = asyncio.current_task()
        assert task is not None  # a handler runs as a task of its own
        self._handlers.add(task)
        try:
            await self.handler(connection)
        except ConnectionClosed:
            pass  # the peer left while the handler was at work: recorded as the close
        except Exception as error:
            self.record(number, "error", f"{type(error).__name__}: {error}")
            self._errors.append(HandlerError.of(self.name, number, error))
            raise  # the library then closes with 1011
        finally:
            self._handlers.discard(task)

    # Starting and stopping, on the lab's thread

    def start(self, port: int) -> None:
        """Listen; called by `serve`."""
        self._listener = listen(self.host, port)
        try:
            self.thread.call(self._start)
        except BaseException:
            self._close_listener()
            raise

    async def _start(self) -> None:
        options = {"close_timeout": 1, "compression": None, "logger": _logger, **self.options}
        library_class = options.pop("create_connection", ServerConnection)
        own = type("LabConnection", (Connection, library_class), {"lab": self})
        self._server = await library_serve(
            self._handle, sock=self._listener, create_connection=own, **options
        )

    async def _stop(self, grace: float) -> None:
        assert self._server is not None  # set by start()
        self._server.close()
        closed = asyncio.create_task(self._server.wait_closed())
        done, _ = await asyncio.wait([closed], timeout=grace)
        if not done:
            self._cut_off()
            await asyncio.wait([closed], timeout=grace)
        closed.cancel()

    def _cut_off(self) -> None:
        for connection in list(self.connections):
            connection.transport.abort()
        for task in list(self._handlers):
            task.cancel()

    def _abandon(self) -> None:
        self.record(0, "stalled", "the server's loop did not answer; a new one takes its place")
        self.thread.retire()

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


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
    name: what it is known by, the handler's name if left out; running the cell again replaces the
    server of the same name and keeps its port.
    host: the address to listen on; the default is reachable from this machine only.
    port: 0 for any free one.
    websockets_options: passed on to `websockets.serve`. The lab's own defaults are
    `compression=None`, so that the bytes on the wire can be read, and `close_timeout=1`.
    Raises OSError if the port is taken.
    """
    record_prints()
    own_name = str(name or getattr(handler, "__name__", type(handler).__name__))
    server = Server(own_name, handler, host, websockets_options)
    server.replaced = replace(server, port, server.start)
    return server
