"""The network in memory: its listeners, its connections, and how well they work."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from errno import EADDRINUSE, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT
from functools import lru_cache, partial
from socket import EAI_NONAME, gaierror
from typing import Any, Literal

from wslab.net.address import (
    LOOPBACK,
    is_address,
    is_for_many,
    is_loopback,
    meant_by,
    plain,
    reachable,
)
from wslab.net.errors import check_number, failure
from wslab.net.flow import CallAt, Faults
from wslab.net.launch import Program
from wslab.net.sockets import ListeningSocket, MemorySocket, TcpSocket

__all__ = ["MemoryNetwork", "Recording", "Wire", "readers"]

Side = Literal["client", "server"]
Who = Literal["client", "server", "cable"]
SIDES: tuple[Side, Side] = ("client", "server")
PATIENCE = 127.0  # seconds that Linux tries to connect to what does not answer
NUMBER = "_number_in_network"  # what a protocol's is called
WILDCARDS = ("0.0.0.0", "::")
FIRST_PORT = 49152  # of those that a client gets

WORDS = {"FIN": "closed its side (FIN)", "RST": "reset the connection (RST)"}

# (seconds, connection or 0, who, what): bytes as they were sent; what happened, in words; or the
# range of a side's bytes that were lost.
Recording = list[tuple[float, int, Who, bytes | str | range]]
readers: list[Callable[[Recording], Any]] = []  # the last one makes `Run.transcript`: the lab's


class Wire:
    """The two ends of one connection."""

    def __init__(self, number: int, client: TcpSocket, server: TcpSocket) -> None:
        self.number = number
        self.ends: dict[Side, TcpSocket] = {"client": client, "server": server}
        client.peer, server.peer = server, client

    def end(self, sides: tuple[Side, ...], *, reset: bool, perfect: Faults) -> None:
        """Let the network end it: these sides notice, and the other one hears nothing any more."""
        for side in SIDES:
            end = self.ends[side]
            end.flow.close()
            end.has_hole = False
            if end.is_closed:
                continue
            if side not in sides:
                end.flow.faults = Faults(frozen=True)
                continue
            gone = TcpSocket(end.host, end.peer.address, perfect)
            gone.peer, end.peer, end.flow.faults = end, gone, perfect
            gone.resets = reset
            gone.close()


class MemoryNetwork:
    """Connects the sockets of one loop.

    latency: seconds that everything is under way. bandwidth: bytes per second in each direction.
    recording: what happens, if it is to be kept.
    """

    def __init__(
        self, latency: float = 0.0, bandwidth: float | None = None, *, record: bool = False
    ) -> None:
        check_number("latency", latency)
        check_number("bandwidth", bandwidth, 1, besides=None)
        self.call_at: CallAt | None = None
        self.perfect = Faults(delay=latency, rate=bandwidth)
        self.faults: dict[Side, Faults] = {side: replace(self.perfect) for side in SIDES}
        self.is_down: int | None = None  # the error of those who connect, while nobody can
        self.recording: Recording | None = [] if record else None
        self.sockets: dict[int, MemorySocket] = {}
        self.touched: dict[int, MemorySocket] = {}  # those that may be ready
        self.connections: dict[int, Wire] = {}
        self.listeners: dict[int, list[ListeningSocket]] = {}  # by port
        self.hosts: set[str] = set()  # on which something has listened
        self._numbers, self._connections = itertools.count(1), itertools.count(1)
        self._ports: Iterator[int] = itertools.count(FIRST_PORT)

    # What sockets tell

    def add(self, sock: MemorySocket) -> int:
        """Return a number for a new socket, larger than those of the system."""
        number = (1 << 20) + next(self._numbers)
        self.sockets[number] = sock
        return number

    def touch(self, number: int) -> MemorySocket | None:
        """Let the loop look at this socket, None if there is none of this number."""
        if (sock := self.sockets.get(number)) is not None:
            self.touched[number] = sock
        return sock

    def watch(self, number: int, selector: Any) -> MemorySocket | None:
        """Let a loop's selector look at this socket, also each time when it is touched."""
        return self.touch(number)

    def forget(self, sock: MemorySocket) -> None:
        """Drop a closed socket, and a connection when both of its ends are closed."""
        self.sockets.pop(sock.number, None)
        self.touched.pop(sock.number, None)
        if isinstance(sock, ListeningSocket):
            self.listeners[sock.address[1]].remove(sock)
        elif isinstance(sock, TcpSocket) and sock.peer.is_closed:
            self.connections.pop(sock.connection, None)

    # Listening and connecting

    def listen(self, hosts: list[str], port: int) -> ListeningSocket:
        """Open a listening socket on a port, 0 for any free one; OSError if it is taken."""
        hosts = [plain(host) for host in hosts]
        port = port or next(self._ports)
        if any(self.find(reachable(host), port) for host in hosts):
            raise failure(EADDRINUSE)
        self.hosts.update(hosts)
        return self._listen(hosts, port)

    def share(self, sock: ListeningSocket) -> ListeningSocket:
        """Open a second listening socket on the same port."""
        return self._listen(sock.hosts, sock.address[1])

    def _listen(self, hosts: list[str], port: int) -> ListeningSocket:
        sock = ListeningSocket(self, hosts, port)
        self.listeners.setdefault(port, []).append(sock)
        return sock

    def find(self, host: str, port: int) -> ListeningSocket | None:
        """Find who listens there. A wildcard listens on this machine, and on all names for it."""
        for sock in self.listeners.get(port, []):
            for each in sock.hosts:
                if each in WILDCARDS or not meant_by(each).isdisjoint(meant_by(host)):
                    return sock
        return None

    def _exists(self, host: str) -> bool:
        """Tell whether something listens on this host, or has listened before it crashed."""
        return is_loopback(host) or not self.hosts.isdisjoint({host, *WILDCARDS})

    async def dial(self, host: str, port: int, local: tuple[str, int] = (LOOPBACK, 0)) -> TcpSocket:
        """Connect: SYN, then SYN and ACK, then ACK. local: the client's end; port 0 is a free one.

        Raises ConnectionRefusedError if nobody listens, OSError if there is no such address, its
        kind gaierror if nobody has the name, and TimeoutError after two minutes without an answer.
        """
        host = reachable(host)
        if is_for_many(host):
            raise failure(ENETUNREACH)  # at once, because the system itself refuses
        connection = self._connection((host, port), (local[0], local[1] or next(self._ports)))
        answer = asyncio.get_running_loop().create_future()
        if (error := self._refusal(host)) is not None:
            await asyncio.sleep(self.perfect.delay)  # a router says so: else retrying takes no time
            answer.set_exception(error)
        self._knock(connection, host, port, answer)
        try:
            async with asyncio.timeout(PATIENCE):
                await answer
        except BaseException as error:
            why = (isinstance(error, OSError) and error.strerror) or "nobody answers"
            self.note(connection.number, "server", f"cannot be reached: {why}")
            for end in connection.ends.values():
                end.is_reset = True  # nobody is told
                end.close()
            raise failure(ETIMEDOUT) if isinstance(error, TimeoutError) else error from None
        return connection.ends["client"]

    def _refusal(self, host: str) -> Exception | None:
        """Return why nothing can even be sent to a host."""
        if self._exists(host):
            return None if self.is_down is None else failure(self.is_down)
        if is_address(host):
            return failure(EHOSTUNREACH)
        return gaierror(EAI_NONAME, f"nobody has the name {host!r}")

    def _knock(self, connection: Wire, host: str, port: int, answer: asyncio.Future[None]) -> None:
        """Send SYN; the answer comes in the future."""
        client, server = connection.ends["client"], connection.ends["server"]

        def arrive() -> None:
            sock = self.find(host, port)
            server.push(partial(succeed, sock) if sock and sock.is_listening else refuse)

        def succeed(sock: ListeningSocket) -> None:
            if not answer.done():
                answer.set_result(None)
                client.push(lambda: sock.take_client(server))

        def refuse() -> None:
            if not answer.done():
                answer.set_exception(failure(ECONNREFUSED))

        if not answer.done():
            client.push(arrive)

    def _connection(self, there: tuple[str, int], here: tuple[str, int]) -> Wire:
        number = next(self._connections)
        client = TcpSocket(self, here, self.faults["client"])
        server = TcpSocket(self, there, self.faults["server"])
        connection = self.connections[number] = Wire(number, client, server)
        for side, end in connection.ends.items():
            end.connection = number
            if self.recording is not None:
                end.told = partial(self._told, number, side)
                end.lost = partial(self._lost, number, side)
        return connection

    # What happens

    def note(self, connection: int, who: Who, what: bytes | str | range) -> None:
        """Put something on the record, if there is one."""
        if self.recording is not None:
            now = asyncio.get_running_loop().time()
            self.recording.append((now, connection, who, what))

    def _told(self, number: int, side: Side, what: bytes | str) -> None:
        self.note(number, side, WORDS.get(what, what) if isinstance(what, str) else what)

    def _lost(self, number: int, side: Side, at: int, size: int) -> None:
        self.note(number, side, range(at, at + size))

    def change(self, faults: dict[Side, Faults]) -> None:
        """Let the network behave like this from now on, on the connections that are open too."""
        for side, values in faults.items():
            starts_dropping = self.faults[side].drop_after is None
            vars(self.faults[side]).update(vars(values))
            for connection in self.connections.values():
                flow = connection.ends[side].flow
                if starts_dropping:
                    flow.passed = 0
                flow.changed()

    def end_all(self, sides: tuple[Side, ...], *, reset: bool) -> None:
        """End all connections at these sides; a side that is left hears nothing any more."""
        for connection in list(self.connections.values()):
            connection.end(sides, reset=reset, perfect=self.perfect)

    def crash(self, program: Program) -> None:
        """Close the sockets of a program, as the system does when one dies: with RST."""
        for sock in [each for each in self.sockets.values() if each.owner is program]:
            sock.resets = True
            sock.close()

    def close(self) -> None:
        """Close all sockets, and send nothing, because there is no time left."""
        for sock in self.sockets.values():
            sock.is_closed = True

    def numbered(self, factory: Callable[[], Any]) -> Callable[[], Any]:
        """Give the protocols that a factory makes a number as hash, so that sets keep an order.

        By default the hash is the address in memory, which is different in each process.
        """

        def make() -> Any:
            protocol = factory()
            kind = type(protocol)
            if kind.__hash__ == object.__hash__:  # type: ignore[comparison-overlap]
                with suppress(TypeError, AttributeError):  # one with slots stays as it is
                    vars(protocol)[NUMBER] = next(self._numbers)
                    protocol.__class__ = _numbered(kind)  # type: ignore[arg-type]
            return protocol

        return make


@lru_cache(64)  # the interpreter is slow with classes that are new to it
def _numbered(kind: type) -> type:
    """Return a class that is like this one, but whose instances have their number as hash."""
    members: dict[str, Any] = {"__hash__": lambda this: vars(this)[NUMBER]}
    members |= {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), members)
