"""What listens, by name: a cell that runs again replaces its server or cable, never adds one."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from wslab.lab.loop import process_global

__all__ = ["LOOPBACK", "Listener", "accept_no_more", "listen", "registry", "replace"]

LOOPBACK = "127.0.0.1"


class Listener(Protocol):
    """What servers and cables have in common."""

    kind: str
    name: str

    @property
    def port(self) -> int:
        """The TCP port, 0 when stopped."""

    def stop_now(self) -> None:
        """Stop, from a thread that cannot await."""


def registry() -> dict[str, Listener]:
    """Return the process's servers and cables by name, the stopped ones too."""
    return process_global("registry", dict[str, Listener])


def replace(listener: Listener, port: int, start: Callable[[int], None]) -> bool:
    """Stop what has this listener's name, then start it: on the same port if it may choose.

    start: a function that listens on the port it is given, 0 for any.
    Returns whether a running one was replaced.
    Raises ValueError if something of another kind has the name: a cable cannot replace a server.
    """
    earlier = registry().get(listener.name)
    if earlier is not None and earlier.kind != listener.kind:
        raise ValueError(
            f"{listener.name!r} is the name of a {earlier.kind}: give this {listener.kind} another"
        )
    old_port = earlier.port if earlier is not None else 0
    if earlier is not None:
        earlier.stop_now()
    try:
        start(port or old_port)
    except OSError:
        if port or not old_port:
            raise
        start(0)  # somebody took the old port in between
    registry()[listener.name] = listener
    return old_port != 0


def listen(host: str, port: int) -> socket.socket:
    """Open a listening TCP socket.

    Raises OSError that says which port is taken, by which server of the lab if it is one, and
    what to do.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port is {port}, allowed are 0 (any free one) to 65535")
    try:
        listener = socket.create_server((host, port), backlog=1024)
        # Connections inherit it. asyncio sets it too, but not on sockets that others have made, and
        # then a second small write waits up to 40 ms for the first one's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        holders = [holder for holder in registry().values() if holder.port == port]
        who = f"the lab's {holders[0].kind} {holders[0].name!r}" if holders else "another program"
        advice = "stop that one, or leave port out to get a free one"
        raise OSError(error.errno, f"port {port} is in use by {who}: {advice}") from None


async def accept_no_more(listener: socket.socket | None) -> None:
    """Let the connections that were just accepted begin, before the asyncio server is closed.

    CPython forgets, and does not close, one that it accepted in the turn of the loop before that.
    """
    if listener is not None and listener.fileno() >= 0:
        with suppress(NotImplementedError):  # Windows' loop has no readers
            asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(3):  # accepted, made, told
        await asyncio.sleep(0)
