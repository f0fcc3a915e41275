"""TCP in memory: sockets that asyncio's own transports use as if they were the system's.

A socket keeps arrived bytes until they are read, and takes at most a window's worth of bytes that
the peer has not read. It sends FIN and RST, and reports ECONNRESET and EPIPE where Linux does.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable
from errno import EBADF, ECONNRESET, ENOTCONN, EPIPE
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Protocol

from wslab.net.address import meant_by
from wslab.net.errors import failure
from wslab.net.flow import CallAt, Faults, Flow, Item
from wslab.net.launch import PROGRAM

__all__ = ["WINDOW", "ListeningSocket", "MemorySocket", "TcpSocket"]

WINDOW = 1 << 18  # bytes that may be under way, or unread, in one direction of a connection
Address = tuple[str, int]


class Host(Protocol):
    """The network that a socket belongs to, as far as the socket calls it."""

    call_at: CallAt | None  # see `Flow`

    def touch(self, number: int) -> object:
        """Something has happened to a socket: it may be ready now."""

    def add(self, sock: MemorySocket) -> int:
        """A socket was made; return its number."""

    def forget(self, sock: MemorySocket) -> None:
        """A socket was closed."""

    def share(self, sock: ListeningSocket) -> ListeningSocket:
        """Listen on the port of another socket, too."""


class MemorySocket:
    """The base of listening and connected sockets. owner: the program that opened it."""

    family, type, proto = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP

    def __init__(self, host: Host, address: Address) -> None:
        self.host, self.address = host, address
        self.owner = PROGRAM.get()
        self.is_closed = self.resets = False
        self.options: dict[tuple[int, int], Any] = {}  # by level and name
        self.number = host.add(self)

    def events(self) -> int:
        """Return what it is ready for, as `selectors` says it."""
        raise NotImplementedError

    def fileno(self) -> int:
        """Return its number, which the system does not know, and -1 once it is closed."""
        return -1 if self.is_closed else self.number

    def getsockname(self) -> Address:
        """Return (host, port) of this end."""
        return self.address

    def getpeername(self) -> Address:
        """Return (host, port) of the other end; OSError if there is none."""
        raise failure(ENOTCONN)

    def setblocking(self, flag: bool) -> None:
        """Nothing here ever blocks."""

    def gettimeout(self) -> float:
        """Return 0, as for sockets that never block."""
        return 0.0

    def getsockopt(self, level: int, name: int, size: int = 0) -> Any:
        """Return what was set, else zero."""
        return self.options.get((level, name), bytes(size) if size else 0)

    def setsockopt(self, level: int, name: int, value: object, *more: object) -> None:
        """Take SO_LINGER with zero seconds, which lets close() send RST. The rest does nothing."""
        self.options[level, name] = value
        if (level, name) == (socket.SOL_SOCKET, socket.SO_LINGER) and isinstance(value, bytes):
            on, seconds = struct.unpack("ii" if len(value) == 8 else "hh", value)
            self.resets = bool(on) and seconds == 0

    def close(self) -> None:
        """Close it."""
        if not self.is_closed:
            self.is_closed = True
            self.host.forget(self)


class TcpSocket(MemorySocket):
    """One end of a connection.

    peer: the other end. flow: carries bytes there. connection: its number, 0 for none.
    lost: called with the place and the number of lost bytes.
    told: called with each thing that this end sends, which is bytes, "FIN" or "RST".
    """

    peer: TcpSocket
    connection = 0

    def __init__(self, host: Host, address: Address, faults: Faults) -> None:
        super().__init__(host, address)
        self.flow = Flow(faults, write=self._deliver, lose=self._lose, call_at=host.call_at)
        self.told: Callable[[bytes | str], None] = lambda what: None
        self.lost: Callable[[int, int], None] = lambda at, size: None
        self.arrived: deque[bytes] = deque()
        self.window, self.unread, self.error = WINDOW, 0, 0  # error: for the next call to report
        self.has_sent_fin = self.has_got_fin = self.is_reset = self.has_hole = False

    def _deliver(self, data: bytes) -> bool:
        return self.peer.take(data)

    def _lose(self, at: int, size: int) -> None:
        self.has_hole = True
        self.lost(at, size)

    def getpeername(self) -> Address:
        """Return (host, port) of the other end."""
        return self.peer.address

    def events(self) -> int:
        """Tell whether there is something to read, and room to write."""
        is_over = self.is_reset or self.error
        can_read = self.unread or self.has_got_fin or is_over
        return EVENT_READ * bool(can_read) | EVENT_WRITE * bool(is_over or self._room() > 0)

    def setsockopt(self, level: int, name: int, value: Any, *more: object) -> None:
        """Take the size of a buffer, too: fewer bytes may be under way, or unread."""
        super().setsockopt(level, name, value, *more)
        if level == socket.SOL_SOCKET and name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end = self if name == socket.SO_SNDBUF else self.peer
            end.window = value
            end.host.touch(end.number)

    def _room(self) -> int:
        return self.window - self.flow.backlog - self.peer.unread

    # What asyncio's transport calls

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Take as many bytes as the window has room for; BlockingIOError if that is none."""
        if self.is_closed:
            raise failure(EBADF)
        self._raise_error()
        if self.is_reset or self.has_sent_fin:
            raise failure(EPIPE)
        if (room := self._room()) <= 0:
            raise BlockingIOError
        taken = bytes(data[:room])
        self.told(taken)
        self.push(taken)
        return len(taken)

    def sendmsg(self, buffers: list[bytes]) -> int:
        """Take the bytes of several buffers."""
        return self.send(b"".join(buffers))

    def recv(self, size: int) -> bytes:
        """Return what has arrived; empty after the peer's FIN; BlockingIOError if nothing has."""
        if not self.unread:
            if not self.has_got_fin:
                self._raise_error()
            if self.has_got_fin or self.is_reset:
                return b""
            raise BlockingIOError
        data = self.arrived.popleft() if len(self.arrived) == 1 else b"".join(self.arrived)
        self.arrived.clear()
        if len(data) > size:
            self.arrived.append(data[size:])
            data = data[:size]
        self.unread -= len(data)
        if self.peer._room() <= len(data):  # it had no room to write until now
            self.host.touch(self.peer.number)
        return data

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """Read into a buffer; return how many bytes."""
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def shutdown(self, how: int) -> None:
        """Send FIN, read nothing more, or both, as SHUT_WR, SHUT_RD and SHUT_RDWR say."""
        if self.is_reset:
            raise failure(ENOTCONN)
        if how != socket.SHUT_RD:
            self._finish()
        if how != socket.SHUT_WR:
            self.take_fin()

    def close(self) -> None:
        """Close: with FIN, or with RST if bytes are unread or SO_LINGER says so."""
        if self.is_closed:
            return
        super().close()
        if not self.is_reset and (self.unread or self.resets):
            self.told("RST")
            self.push(lambda: self.peer.take_reset())
        elif not self.is_reset:
            self._finish()
        self.arrived.clear()
        self.unread = 0
        self.host.touch(self.peer.number)

    def _finish(self) -> None:
        if not self.has_sent_fin:
            self.has_sent_fin = True
            self.told("FIN")
            self.push(lambda: self.peer.take_fin())

    def _raise_error(self) -> None:
        if self.error:
            number, self.error = self.error, 0
            raise failure(number)

    # What the network does

    def push(self, what: Item) -> None:
        """Send something after all else. TCP delivers nothing after a hole, to keep the order."""
        if not self.has_hole:
            self.flow.push(what)
        elif not callable(what):
            self.lost(self.flow.pushed, len(what))
            self.flow.pushed += len(what)

    def take(self, data: bytes) -> bool:
        """Keep what arrives; a closed socket answers with RST. Return whether it was kept."""
        if self.is_closed:
            self.push(lambda: self.peer.take_reset())
        if self.is_closed or self.is_reset:
            return False
        self.arrived.append(data)
        self.unread += len(data)
        self.host.touch(self.number)
        return True

    def take_fin(self) -> None:
        """Note that the peer sends no more."""
        self.has_got_fin = True
        self.host.touch(self.number)

    def take_reset(self) -> None:
        """Note that the connection is no more: EPIPE after the peer's FIN, else ECONNRESET."""
        if not self.is_closed and not self.is_reset:
            self.is_reset, self.error = True, EPIPE if self.has_got_fin else ECONNRESET
            self.flow.close()
            self.host.touch(self.number)


class ListeningSocket(MemorySocket):
    """Listens on a port. hosts: of this machine or of any other; the wildcards mean all of them."""

    def __init__(self, host: Host, hosts: list[str], port: int) -> None:
        super().__init__(host, (min(meant_by(hosts[0])), port))
        self.hosts, self.is_listening = hosts, False
        self.waiting: deque[TcpSocket] = deque()

    def events(self) -> int:
        """Tell whether somebody has connected."""
        return EVENT_READ * bool(self.waiting)

    def listen(self, backlog: int) -> None:
        """Let clients connect."""
        self.is_listening = True

    def accept(self) -> tuple[TcpSocket, Address]:
        """Return the next connection and its client's address."""
        if not self.waiting:
            raise BlockingIOError
        endpoint = self.waiting.popleft()
        return endpoint, endpoint.getpeername()

    def dup(self) -> ListeningSocket:
        """Return another one on the same port, which gets the clients once this one is closed."""
        return self.host.share(self)

    def take_client(self, endpoint: TcpSocket) -> None:
        """Keep a connection until it is accepted; reset it if nobody will."""
        endpoint.owner = self.owner
        if self.is_closed:
            endpoint.resets = True
            endpoint.close()
            return
        self.waiting.append(endpoint)
        self.host.touch(self.number)

    def close(self) -> None:
        """Listen no more, and reset what nobody has accepted."""
        super().close()
        while self.waiting:
            self.take_client(self.waiting.popleft())
