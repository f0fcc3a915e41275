"""Connections in memory for the loop that runs here, which is a notebook's, a script's or a page's.

That loop goes on as before. Only `create_server` and `create_connection` lead to the network in
memory, and with them everything that asyncio and `websockets` build on these two.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from wslab.net.address import authority, reachable
from wslab.net.memory_loop import MemoryLoop, in_memory
from wslab.net.network import MemoryNetwork
from wslab.net.realtime.choice import NeedsSystem, is_chosen
from wslab.net.realtime.crew import Crew
from wslab.net.sockets import MemorySocket

__all__ = ["HostedLoop", "crew", "lead_into_memory", "network_here"]

_kept: list[Crew] = []  # the process's, once there is one
_HOSTED = "_wslab_hosted"  # the attribute of a loop that keeps its HostedLoop
MARK = "leads_into_memory"  # the attribute of a method that was replaced
_DELEGATED = "call_later call_at time create_future create_task get_debug is_running is_closed"
_DELEGATED += " call_exception_handler default_exception_handler"


def crew() -> Crew:
    """Return the process's crew; NeedsSystem on a different thread than the first time."""
    if not _kept:
        _kept.append(Crew())
        lead_into_memory()
    _kept[0].check_thread()
    return _kept[0]


def network_here() -> MemoryNetwork | None:
    """Return the network in memory to listen on here; None if it is the system's."""
    if (loop := in_memory()) is not None:
        return loop.network
    return crew().network if is_chosen() else None


class HostedLoop(MemoryLoop):
    """Makes transports and servers for a loop that is not ours, on which all their code runs."""

    lacks = NeedsSystem

    def __init__(self, host: asyncio.AbstractEventLoop, crew: Crew) -> None:
        self.host = host
        super().__init__(crew.network)
        for name in _DELEGATED.split():
            setattr(self, name, getattr(host, name))
        self._selector.touched, self._selector.wake = {}, self._wake
        self._is_awake = False

    def call_soon(  # type: ignore[override]
        self, *arguments: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Call soon, on the host."""
        return self.host.call_soon(*arguments, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> asyncio.Handle:
        """Call soon, on the host: the crew has one thread."""
        return self.call_soon(*arguments, **options)

    def _wake(self) -> None:
        if not self._is_awake and not self.host.is_closed():
            self._is_awake = True
            self.host.call_soon(self._look, context=contextvars.Context())

    def _look(self) -> None:
        self._is_awake = False
        self._process_events(self._selector.select())
        try:
            while self._ready:
                handle = self._ready.popleft()
                if not handle._cancelled:
                    handle._run()
        finally:
            if self._selector.touched:
                self._wake()

    def __del__(self) -> None:
        """Say nothing: the host says it if it was not closed."""


def _hosted(loop: Any) -> HostedLoop:
    """Return what makes the connections of a loop, always the same for the same loop."""
    if _HOSTED not in vars(loop):
        setattr(loop, _HOSTED, HostedLoop(loop, crew()))
    return vars(loop)[_HOSTED]  # type: ignore[no-any-return]


def lead_into_memory() -> None:
    """Lead the connections of this process's loops into memory, as long as that is chosen.

    Second processes, and blocking sockets to a server of the lab, raise NeedsSystem.
    """
    kinds: list[Any] = [asyncio.BaseEventLoop]
    if sys.platform == "emscripten":
        from pyodide.webloop import WebLoop  # type: ignore[import-not-found]

        kinds.append(WebLoop)
        WebLoop.start_tls = asyncio.BaseEventLoop.start_tls
        _replace(time, ("sleep",), _blocking)
    for kind in kinds:
        _replace(kind, ("create_server", "create_connection"), _in_memory)
        _replace(kind, ("subprocess_exec", "subprocess_shell"), _without_processes)
    _replace(socket.socket, ("connect", "connect_ex"), _without_sockets)


def _replace(kind: Any, names: Iterable[str], wrapper: Callable[[Any], Any]) -> None:
    for name in names:
        method = getattr(kind, name)
        if not hasattr(method, MARK):
            replacement = functools.wraps(method)(wrapper(method))
            setattr(replacement, MARK, True)
            setattr(kind, name, replacement)


def _in_memory(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loop's method that connects in memory instead of on the system."""

    async def connect(self: Any, *arguments: Any, **options: Any) -> Any:
        sock = options.get("sock")
        is_ours = isinstance(self, MemoryLoop) or not is_chosen()
        if is_ours or not isinstance(sock, MemorySocket | None):
            return await method(self, *arguments, **options)
        return await getattr(_hosted(self), method.__name__)(*arguments, **options)

    return connect


def _blocking(sleep: Any) -> Callable[[float], None]:
    """Return a `time.sleep` that blocks in a simulation; Pyodide's waits for the loop that runs."""

    def block(seconds: float) -> None:
        (sleep if in_memory() is None else sleep.__wrapped__)(seconds)

    return block


def _without_processes(method: Callable[..., Any]) -> Callable[..., Any]:
    async def start(self: Any, *arguments: Any, **options: Any) -> Any:
        if is_chosen():
            raise NeedsSystem("a second process")
        return await method(self, *arguments, **options)

    return start


def _without_sockets(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a socket's method that says why it does not reach a server of the lab."""

    def connect(self: Any, address: Any) -> Any:
        if is_chosen() and isinstance(address, tuple) and _is_in_memory(*address[:2]):
            self.close()  # socket.create_connection does so after an OSError only
            what = "a socket of the system, but only asyncio reaches a server in memory"
            raise NeedsSystem(f"{what} such as {authority(*address[:2])}")
        return method(self, address)

    return connect


def _is_in_memory(host: str, port: int) -> bool:
    """Tell whether the system cannot lead there: a page has no sockets at all."""
    has_listener = _kept and _kept[0].network.find(reachable(host), port)
    return sys.platform == "emscripten" or bool(has_listener)
