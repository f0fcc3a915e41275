"""asyncio's own selector loop, on sockets in memory.

Transports, servers, streams and TLS are asyncio's. Nothing ever comes from outside, because the
loop has neither file descriptors nor threads, processes or signals. `loop` adds the clock.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import socket
from asyncio import selector_events
from collections.abc import Callable
from socket import EAI_SERVICE, gaierror
from typing import Any, NoReturn

from wslab.net.address import LOOPBACK, SCHEME_PORTS
from wslab.net.errors import NotSimulated
from wslab.net.network import MemoryNetwork
from wslab.net.sockets import MemorySocket

__all__ = ["MemoryLoop", "MemorySelector", "in_memory"]

_FEW = 100  # cancelled timers that are left where they are


class MemorySelector(selectors._BaseSelectorImpl):
    """Knows which sockets in memory are ready; those that may be are told to it by themselves."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()
        self.network, self.touched = network, network.touched
        self._fd_to_key: dict[int, selectors.SelectorKey]

    def _fileobj_lookup(self, fileobj: Any) -> int:
        """Take -1, too: that is the number of a socket which a crash has closed."""
        return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a socket."""
        if self.network.watch(fileobj, self) is None:
            raise NotSimulated("a file or a socket of the system")
        return super().register(fileobj, events, data)

    def wake(self) -> None:
        """A socket was touched; called if the network has several loops."""

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a socket for something else."""
        self.network.touch(fileobj)
        return super().modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, at once."""
        ready, keys = [], self._fd_to_key  # without the detour of `get_map`: this runs often
        for number, sock in list(self.touched.items()):
            key = keys.get(number)
            if key is not None and (events := sock.events() & key.events):
                ready.append((key, events))
            else:
                del self.touched[number]  # until something happens to it
        return ready


class MemoryTransport(selector_events._SelectorSocketTransport):  # type: ignore[name-defined,misc]
    """asyncio's transport, which may be aborted when all is over."""

    def abort(self) -> None:
        """Close at once; asyncio stumbles if a close() has waited for the last bytes before."""
        if self._loop is not None:
            super().abort()


class MemoryLoop(selector_events.BaseSelectorEventLoop):
    """A loop whose connections are those of a network in memory."""

    is_simulated = False  # whether its time is virtual, and all that it has is its own
    lacks: Callable[[str], Exception] = NotSimulated  # raised for what it does not have

    # asyncio's attributes, the same from Python 3.11 to 3.14
    _ready: Any
    _scheduled: list[Any]
    _timer_cancelled_count: int
    _stopping: bool
    _closed: bool
    _check_closed: Callable[[], None]
    _selector: Any
    _transports: Any
    _process_events: Callable[[object], None]
    _ensure_fd_no_transport: Callable[[object], None]

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.kept: dict[str, Any] = {}  # what others keep for as long as this loop lives
        super().__init__(MemorySelector(network))

    def close(self) -> None:
        """Close the loop, and all of its sockets with it."""
        self.network.close()
        super().close()

    def _drop_cancelled(self) -> None:
        """Forget the timers that were cancelled: at once if many, else those that come first."""
        timers = self._scheduled
        if self._timer_cancelled_count > max(_FEW, len(timers) // 2):
            dropped = [timer for timer in timers if timer._cancelled]
            timers[:] = [timer for timer in timers if not timer._cancelled]
            heapq.heapify(timers)
        else:
            dropped = []
            while timers and timers[0]._cancelled:
                dropped.append(heapq.heappop(timers))
        for timer in dropped:
            timer._scheduled = False
        self._timer_cancelled_count -= len(dropped)

    async def create_server(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        **options: Any,
    ) -> asyncio.Server:
        """Listen in memory: on any host that a client then asks for, not only on this machine."""
        for useless in ("family", "flags", "reuse_address", "reuse_port", "keep_alive"):
            options.pop(useless, None)
        self._check(sock)
        if sock is None and (host is not None or port is not None):
            hosts = [host or ""] if isinstance(host, str | None) else list(host)
            sock, host, port = self.network.listen(hosts, _number(port)), None, None
        factory = self.network.numbered(protocol_factory)
        return await super().create_server(factory, host, port, sock=sock, **options)

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect in memory; OSError as with TCP if nobody listens there."""
        self._check(sock)
        factory = self.network.numbered(protocol_factory)
        return await super().create_connection(factory, host, port, sock=sock, **options)

    async def _connect_sock(
        self, exceptions: list[list[OSError]], info: Any, local: Any = None
    ) -> MemorySocket:
        """Connect in memory, where asyncio opens a socket of the system; note why that failed."""
        host, port = info[4][:2]
        try:
            return await self.network.dial(
                host, _number(port), *(each[4][:2] for each in local or ())
            )
        except OSError as error:
            exceptions.append([error])
            raise

    def _check(self, sock: object) -> None:
        if not isinstance(sock, MemorySocket | None):
            raise type(self).lacks("a socket of the system")

    def _make_socket_transport(
        self, sock: Any, protocol: Any, waiter: Any = None, **options: Any
    ) -> MemoryTransport:
        self._ensure_fd_no_transport(sock)
        return MemoryTransport(self, sock, protocol, waiter, **options)

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> list[tuple[Any, ...]]:
        """Let each name stand for itself: there is no one to ask."""
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        return [(*kind, "", (host or LOOPBACK, _number(port)))]

    # What there is none of

    def call_soon_threadsafe(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> asyncio.Handle:
        """Call soon: nobody has to wake this loop up."""
        return self.call_soon(*arguments, **options)

    def _make_self_pipe(self) -> None:
        """Do without: nobody has to wake this loop up."""

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _number(port: int | str | None) -> int:
    """Return a port, which may be the name of a service; gaierror if nobody knows the name."""
    port = SCHEME_PORTS.get(port, port) if isinstance(port, str) else port or 0
    try:
        number = int(port)
    except ValueError:
        raise gaierror(EAI_SERVICE, f"nobody knows the service {port!r}") from None
    if not 0 <= number <= 0xFFFF:
        raise OverflowError(f"port is {number}, it must be from 0 to 65535")  # the system's error
    return number


def in_memory() -> MemoryLoop | None:
    """Return the loop of the simulation that runs here, None if none does."""
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, MemoryLoop) and loop.is_simulated else None


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refuse(self: MemoryLoop, *_: object, **__: object) -> NoReturn:
        raise type(self).lacks(what)

    return refuse


for _what, _methods in {
    "an executor, as for asyncio.to_thread": "run_in_executor set_default_executor",
    "a subprocess": "subprocess_exec subprocess_shell",
    "a pipe": "connect_read_pipe connect_write_pipe",
    "a UDP socket": "create_datagram_endpoint",
    "a Unix socket": "create_unix_server create_unix_connection",
    "a signal handler": "add_signal_handler remove_signal_handler",
    "a socket of the system": "connect_accepted_socket sock_accept sock_connect sock_recv "
    "sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto",
    "a system that sends files": "sendfile sock_sendfile",
    "a name service": "getnameinfo",
}.items():
    for _method in _methods.split():
        setattr(MemoryLoop, _method, _refuse(_what))
