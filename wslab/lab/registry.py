"""Servers and cables by name. A cell that runs again replaces its own, and never adds one."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from contextlib import suppress
from typing import ClassVar, NoReturn, Self, cast

from wslab.lab.loop import LabThread, lab_global
from wslab.lab.peers import CAN_TELL, OwnPeers, on_hub
from wslab.net.address import LOOPBACK, check_port, plain
from wslab.net.realtime.host import network_here

# The numbers of socket.gaierror, for a name that has no address.
NO_NAMES = [value for name, value in vars(socket).items() if name.startswith("EAI_")]

__all__ = ["LOOPBACK", "Listener", "accept_no_more", "listen", "registry", "replace"]


class Listener:
    """The common base of servers and cables."""

    kind: ClassVar[str]
    overlaps = True  # whether a successor may start before this one has stopped

    def __init__(self, name: str, host: str, thread: LabThread) -> None:
        self.name, self.host, self.thread = name, host, thread
        self._listener: socket.socket | None = None

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._listener is not None

    @property
    def listener(self) -> socket.socket:
        """The socket that it listens on; RuntimeError if it is stopped."""
        if self._listener is None:
            what = f"{self.kind} {self.name!r}"
            raise RuntimeError(f"{what} is stopped: run the cell that starts it again")
        return self._listener

    @property
    def port(self) -> int:
        """The TCP port that it listens on; RuntimeError if it is stopped."""
        return int(self.listener.getsockname()[1])

    def decode(self, *_: object) -> NoReturn:
        """Refuse to be used as a URL, as in `connect(server)`, which takes `server.url`."""
        raise TypeError(f"connect() takes a URL, not a {self.kind}: write connect({self.kind}.url)")

    def start(self, listener: socket.socket) -> None:
        """Accept connections; called by `replace`."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        raise NotImplementedError

    def stop_now(self) -> None:
        """Stop from a thread that cannot await, as when a cell runs again."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Use `async with lab.serve(...) as server:`; it stops at the end of the block."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop."""
        await self.stop()


def registry() -> dict[str, Listener]:
    """Return the servers and cables by name, including those that are stopped."""
    return lab_global("registry", dict[str, Listener])


def replace(new: Listener, port: int = 0) -> bool:
    """Start a listener in place of the one with its name, on the same port if it may choose.

    A mistake stops nothing. If the new listener cannot start, the earlier one goes on. So it takes
    over the earlier one's listening socket, and only then does the earlier one stop.
    Returns True if a running one was replaced.
    Raises an error of `listen` for a wrong host or port, or an error from starting the listener.
    Raises ValueError if the kinds differ, because a cable cannot replace a server.
    """
    check_port(port)
    earlier = registry().get(new.name)
    if earlier is not None and earlier.kind != new.kind:
        raise ValueError(
            f"{new.name!r} is the name of a {earlier.kind}: give this {new.kind} a different name"
        )
    is_replaced = earlier is not None and earlier.is_running
    if earlier is not None and is_replaced:
        _succeed(earlier, new, port)
    else:
        new.start(listen(new.host, port))
    registry()[new.name] = new
    return is_replaced


def _succeed(earlier: Listener, new: Listener, port: int) -> None:
    old_port, taken_over = earlier.port, None
    overlaps = new.overlaps and earlier.thread.answers()
    if port not in (0, old_port):
        taken_over = listen(new.host, port)
    elif overlaps and sys.platform != "win32" and plain(new.host) == plain(earlier.host):
        taken_over = earlier.listener.dup()  # on Windows a socket belongs to one loop
    else:
        listen(new.host, 0).close()  # an impossible host must not stop anything
    if overlaps and taken_over is not None:
        new.start(taken_over)
        earlier.stop_now()
        return
    earlier.stop_now()
    try:
        new.start(taken_over or _listen_again(new.host, port, old_port))
    except BaseException:
        earlier.start(listen(earlier.host, old_port))
        raise


def _listen_again(host: str, port: int, old_port: int) -> socket.socket:
    try:
        return listen(host, port or old_port)
    except OSError:
        if port:
            raise
        return listen(host, 0)  # somebody took the old port in between


def listen(host: str, port: int) -> socket.socket:
    """Open a listening TCP socket; on a JupyterHub it accepts only its own user's connections.

    Raises OSError if the port is taken or the host is not on this machine. The message names the
    lab's server that has the port, if it is one, and says what to do.
    """
    check_port(port)
    family = socket.AF_INET6 if ":" in plain(host) else socket.AF_INET
    try:
        if (network := network_here()) is not None:
            return cast(socket.socket, network.listen([host], port))
        listener = socket.create_server((plain(host), port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        why = _why(host, port, number, str(getattr(error, "strerror", error)))
        if why is None:
            raise
        raise OSError(number or errno.EADDRNOTAVAIL, why) from None
    # Connections inherit it. asyncio sets it only on sockets that it has made. Without it, a second
    # small write waits up to 40 ms for the first one's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return OwnPeers(fileno=listener.detach()) if on_hub() and CAN_TELL else listener


def _why(host: str, port: int, number: int | None, seen: str) -> str | None:
    """Say in one line why nothing can listen there; None for a different error."""
    if number == errno.EADDRINUSE:
        running = [one for one in registry().values() if one.is_running and one.port == port]
        who = f"the lab's {running[0].kind} {running[0].name!r}" if running else "another program"
        advice = "stop that one, or leave port out to get a free one"
        return f"port {port} is in use by {who}: {advice}"
    if number == errno.EACCES:
        return f"port {port} needs the rights of an administrator: choose one from 1024 on"
    if number in (None, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, *NO_NAMES):
        return f"host {host!r:.60} is not an address to listen on here ({seen}): leave host out"
    return None


async def accept_no_more(listener: socket.socket | None) -> None:
    """Let the connections that were just accepted begin, before the asyncio server is closed.

    CPython forgets, and does not close, a connection that it accepted in the loop's turn before.
    """
    if listener is not None and listener.fileno() >= 0:
        with suppress(NotImplementedError):  # Windows' loop has no readers
            asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(3):  # accepted, made, told
        await asyncio.sleep(0)
