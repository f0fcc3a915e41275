"""One network in memory for all loops of a process."""

from __future__ import annotations

import random
from collections.abc import Callable
from errno import EADDRNOTAVAIL
from itertools import cycle
from typing import Any

from wslab.net.address import is_loopback, plain
from wslab.net.errors import failure
from wslab.net.memory_loop import MemorySelector
from wslab.net.network import FIRST_PORT, WILDCARDS, MemoryNetwork
from wslab.net.realtime.choice import NeedsSystem
from wslab.net.sockets import ListeningSocket, MemorySocket

__all__ = ["SharedNetwork"]


class SharedNetwork(MemoryNetwork):
    """A perfect network whose sockets belong to different loops of one thread."""

    def __init__(self) -> None:
        super().__init__()
        # In no order, as those of the system: a port of a different process means nothing here.
        self._ports = cycle(random.sample(range(FIRST_PORT, 0x10000), 0x10000 - FIRST_PORT))
        self._watching: dict[int, MemorySelector] = {}  # by the number of a socket

    def watch(self, number: int, selector: MemorySelector) -> MemorySocket | None:
        """Let a loop's selector look at this socket, also each time when it is touched."""
        self._watching[number] = selector
        return self.touch(number)

    def touch(self, number: int) -> MemorySocket | None:
        """Let the loop that watches this socket look at it, None if there is none."""
        sock = self.sockets.get(number)
        if sock is not None and (selector := self._watching.get(number)) is not None:
            selector.touched[number] = sock
            selector.wake()
        return sock

    def forget(self, sock: MemorySocket) -> None:
        """Drop a closed socket."""
        super().forget(sock)
        self._watching.pop(sock.number, None)

    def listen(self, hosts: list[str], port: int) -> ListeningSocket:
        """Open a listening socket; OSError if the port is taken, or the host is not this one."""
        for host in map(plain, hosts):
            if not is_loopback(host) and host not in WILDCARDS:
                raise failure(EADDRNOTAVAIL)
        if not port:
            port = next(each for each in self._ports if each not in self._taken())
        return super().listen(hosts, port)

    def _taken(self) -> set[int]:
        return {port for port, listening in self.listeners.items() if listening}

    def numbered(self, factory: Callable[[], Any]) -> Callable[[], Any]:
        """Leave protocols as they are: nothing here can be repeated exactly."""
        return factory

    def _refusal(self, host: str) -> Exception | None:
        if self._exists(host):
            return None
        return NeedsSystem(f"a way to {host!r}, which is another machine")  # no use to try again
