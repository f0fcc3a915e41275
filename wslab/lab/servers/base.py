"""The common part of all servers of the lab, which is a name, a record, and an orderly stop."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import Any, ClassVar

from wslab.lab.loop import LabThread, LoopStalled, lab_thread, settle
from wslab.lab.masking import masked_target
from wslab.lab.output import HandlerRecord, finish_line, record_loop, record_output, recorder
from wslab.lab.record import Events, HandlerError, Record
from wslab.lab.registry import Listener, accept_no_more, registry
from wslab.net.address import authority, reachable
from wslab.net.memory_loop import in_memory
from wslab.protocol.errors import quantity

__all__ = ["BaseServer", "check_handler"]

ERRORS = 100  # how many of a server's newest errors are kept


def check_handler(handler: object, *parameters: str) -> None:
    """Raise TypeError unless handler is ``async def`` and takes these parameters."""
    wanted = f"async def handler({', '.join(parameters)})"
    # A function, a method, a partial, or an object that is called like one.
    calls = (handler, getattr(handler, "__call__", None))  # noqa: B004
    if not callable(handler) or not any(map(inspect.iscoroutinefunction, calls)):
        raise TypeError(f"a handler is a function {wanted!r}, but this is {handler!r:.60}")
    try:
        inspect.signature(handler).bind(*parameters)
    except TypeError as error:
        raise TypeError(f"a handler is a function {wanted!r}, but here: {error}") from None


def servers_on(thread: LabThread) -> list[BaseServer]:
    """Return the servers that run on the loop of this thread."""
    known = [one for one in registry().values() if isinstance(one, BaseServer)]
    return [one for one in known if one.is_running and one.thread is thread]


def check_options(options: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise TypeError for the first option that is not allowed, with a guess at the right one."""
    known = [*allowed, "name", "host", "port"]
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, 1)
            meant = f": did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"a server has no option {option!r}{meant}")


class BaseServer(Listener):
    """A server on the lab's server thread; the subclass chooses the protocol.

    replaced: True if it replaced a running server of its name.
    """

    kind = "server"
    scheme = "tcp"
    peer_left: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)  # not a handler's fault

    def __init__(self, name: str, host: str) -> None:
        super().__init__(name, host, lab_thread("servers"))
        self._events = Events()
        self._errors: list[HandlerError] = []
        self._errors_shown = 0  # how many of them `unseen_errors` has returned
        self.open: dict[Any, None] = {}  # the live `connections`; a set that keeps its order
        self.numbers = itertools.count(1)
        self.replaced = False
        self._activity = 0
        self._handlers: dict[asyncio.Task[Any], None] = {}

    # For cells

    @property
    def url(self) -> str:
        """The URL for clients; RuntimeError if it is stopped."""
        return f"{self.scheme}://{authority(reachable(self.host), self.port)}/"

    @property
    def events(self) -> Events:
        """The newest events in order, at most `Events.LIMIT`; a copy, as they are now."""
        return Events(self._events)

    @property
    def connections(self) -> dict[Any, None]:
        """The connections that are open now, in order; each has a `transport`."""
        return self.open.copy()

    @property
    def errors(self) -> list[HandlerError]:
        """The newest 100 exceptions that its handler did not catch."""
        return self._errors.copy()

    def unseen_errors(self) -> list[HandlerError]:
        """Return the errors that this has not returned before, so that each is shown once."""
        unseen = self._errors[self._errors_shown :]
        self._errors_shown += len(unseen)
        return unseen

    def __repr__(self) -> str:
        """Say where it listens, and whether it replaced an earlier server."""
        state = masked_target(self.url) if self.is_running else "stopped"
        note = ", replaces the earlier server of this name" if self.replaced else ""
        errors = f", {quantity(len(self._errors), 'error')}: see .errors" if self._errors else ""
        return f"<Server {self.name!r} {state}{note}{errors}>"

    async def settle(
        self,
        until: int | Callable[[], object] | None = None,
        *,
        within: float = 5.0,
        quiet: float = 0.05,
    ) -> Events:
        """Wait until the server has nothing to do, and return its events.

        until: a number of events, or a condition, to wait for first.
        within: seconds before TimeoutError, which shows the events so far.
        quiet: seconds without traffic that end the wait.
        Raises LoopStalled, with the place, if a handler blocks the server's loop.
        """
        await self._check_loop()
        try:
            await settle(self.activity, until, lambda: self._events, within=within, quiet=quiet)
        finally:
            await self._check_loop()
        return self.events

    async def _check_loop(self) -> None:
        if self.is_running and (report := await self.thread.stalled()) is not None:
            raise LoopStalled(report) from None

    async def stop(self, grace: float = 1.0) -> None:
        """Stop listening, close every connection, and end every handler.

        grace: seconds for clients and handlers to finish before they are cut off.
        """
        if self._listener is None:
            return
        is_there = asyncio.get_running_loop() is self.thread.loop and in_memory() is None
        if is_there or asyncio.current_task() in self._handlers:
            raise RuntimeError("a handler cannot stop its own server: call stop() in a cell")
        future = self.thread.submit(self._stop(grace))
        try:
            async with asyncio.timeout(4 * grace + 1):
                await asyncio.wrap_future(future)
        except TimeoutError:
            self._abandon()
        finally:
            self._close_listener()

    def stop_now(self, grace: float = 0.2) -> None:
        """Stop from a thread that cannot await, as when a cell runs again."""
        if self._listener is None:
            return
        try:
            self.thread.call(lambda: self._stop(grace), timeout=4 * grace + 1)
        except LoopStalled:
            self._abandon()
        finally:
            self._close_listener()

    # Called by its connections

    def activity(self) -> object:
        """Return a value that changes with everything that happens."""
        return self._activity

    def touch(self) -> None:
        """Note that something happened."""
        self._activity += 1

    def record(self, connection: int, kind: str, text: str) -> None:
        """Add an event; the oldest ones go when there are too many."""
        self._events.add(Record(connection, kind, text))
        self.touch()

    async def run_handler(
        self, number: int, handler: Callable[..., Awaitable[None]], *arguments: object
    ) -> bool:
        """Run a connection's handler, and record its prints and errors.

        Returns False if it raised, unless that was because the peer left.
        """
        recorder.set(HandlerRecord(self, number))
        task = asyncio.current_task()
        assert task is not None  # a handler runs as a task of its own
        self._handlers[task] = None
        try:
            await handler(*arguments)
        except self.peer_left:
            pass  # the peer left while the handler was at work; that is recorded as the close
        except (Exception, SystemExit) as error:
            self.record_error(number, error)
            return False
        finally:
            finish_line()
            self._handlers.pop(task, None)
        return True

    def record_error(
        self, connection: int, error: BaseException, what: str = "The handler"
    ) -> None:
        """Add an exception of a connection's handler, or of its tasks, to events and errors."""
        self.record(connection, "error", f"{type(error).__name__}: {error}")
        self._errors.append(HandlerError.of(self.name, connection, error, what))
        traceback.clear_frames(error.__traceback__)  # saves memory in a server that runs for long
        if len(self._errors) > ERRORS:
            del self._errors[0]
            self._errors_shown = max(0, self._errors_shown - 1)

    # Starting and stopping, on the lab's thread

    def start(self, listener: socket.socket) -> None:
        """Accept connections; called by `registry.replace`. If that fails, the socket is closed."""
        self._listener = listener
        try:
            self.thread = lab_thread("servers")
            record_output()
            if in_memory() is None:  # a simulation keeps its errors itself
                record_loop(self.thread.loop, partial(servers_on, self.thread))
            self.thread.call(lambda: self._open(listener))
        except BaseException:
            self._close_listener()
            raise

    async def _open(self, listener: socket.socket) -> None:
        """Accept connections."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Accept nobody new, say goodbye to every client, and wait until all is over."""
        raise NotImplementedError

    async def _stop(self, grace: float) -> None:
        await accept_no_more(self._listener)
        closed = asyncio.create_task(self._close())
        for _ in range(3):  # a handler might swallow a cancellation
            done, _ = await asyncio.wait([closed], timeout=grace)
            if done:
                return
            self._cut_off()
        closed.cancel()

    def _cut_off(self) -> None:
        for connection in self.connections:
            connection.transport.abort()
        for task in list(self._handlers):
            task.cancel()

    def _abandon(self) -> None:
        # Servers that share the loop go with it.
        for other in dict.fromkeys((self, *servers_on(self.thread))):
            other.record(0, "stalled", "the loop of the lab's servers did not answer: stopped")
            other._close_listener()
            self.thread.loop.call_soon_threadsafe(other._cut_off)
        self.thread.retire()

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
