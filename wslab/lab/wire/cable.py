"""A network cable that can be watched, slowed, frozen and cut.

`cable(server)` listens on a port of its own and relays every TCP connection to its target, on a
thread of its own. Both directions go on a tape. It knows nothing of the programs at its ends.
They can be ours, Node's, or a browser.

Every fault takes a side. Faults of bytes (`freeze`, `delay`, `split`, `drop_after`, `throttle`)
affect the bytes that this side sends. Faults that end a connection (`cut`, `reset`) are noticed by
this side, while the other side hears nothing at all.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from wslab.lab.loop import lab_thread, settle
from wslab.lab.masking import masked_target
from wslab.lab.registry import LOOPBACK, Listener, accept_no_more, replace
from wslab.lab.wire.link import Link, Sides
from wslab.lab.wire.tape import PIECES, Side, Tape
from wslab.lab.wire.transcript import Transcript
from wslab.net.address import SCHEME_PORTS, authority, check_port, reachable
from wslab.net.flow import Faults

__all__ = ["Cable", "cable"]

Target = str | int | Listener | tuple[str, int]


class Cable(Listener):
    """A cable of the lab; made by `cable`.

    url: clients connect to this instead of the target. target: the (host, port) that it leads to.
    tape: everything that passed, at most `PIECES` messages. links: the connections that are open.
    """

    kind = "cable"

    def __init__(self, target: Target, name: str, limit: int) -> None:
        super().__init__(name, LOOPBACK, lab_thread("cables"))
        self.target, self._scheme, self._path = resolve(target)
        self.tape = Tape(limit)
        self.faults: dict[Side, Faults] = {"client": Faults(), "server": Faults()}
        self.links: dict[Link, None] = {}  # a set that keeps the order
        self.numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    # For cells

    @property
    def url(self) -> str:
        """The target's URL with the cable's own port; RuntimeError if it is stopped."""
        return f"{self._scheme}://{LOOPBACK}:{self.port}{self._path}"

    def __repr__(self) -> str:
        """Say what it connects."""
        state = (
            f"{masked_target(self.url)} to {authority(*self.target)}"
            if self.is_running
            else "stopped"
        )
        return f"<Cable {masked_target(self.name)!r} {state}>"

    @property
    def transcript(self) -> Transcript:
        """The traffic so far, decoded."""
        return Transcript(self.tape)

    async def settle(
        self,
        until: int | Callable[[], object] | None = None,
        *,
        within: float = 5.0,
        quiet: float = 0.05,
    ) -> Transcript:
        """Wait until nothing more passes, and return the transcript.

        until: a number of rows, or a condition, to wait for first.
        within: seconds before TimeoutError, which shows the traffic so far.
        quiet: seconds without traffic that end the wait.
        """
        tape = self.tape
        condition = (lambda: tape.count >= until) if type(until) is int else until

        def activity() -> object:
            return object() if self._is_late() else tape.activity()  # object() differs every time

        await settle(activity, condition, lambda: self.transcript, within=within, quiet=quiet)
        return self.transcript

    def _is_late(self) -> bool:
        """Tell whether bytes are held back that will still arrive; frozen ones will not."""
        return any(
            end.flow.queue and not end.flow.faults.frozen
            for link in self.links.copy()
            for end in (link.client, link.server)
        )

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        await asyncio.wrap_future(self.thread.submit(self._stop()))

    def stop_now(self) -> None:
        """Stop from a thread that cannot await, as when a cell runs again."""
        self._do(self._stop())

    # The faults

    def freeze(self, side: Sides = "both") -> None:
        """Stop all bytes, but leave the sockets open. The bytes wait, and go on with `thaw`."""
        self._set(side, "frozen", frozen=True)

    def thaw(self, side: Sides = "both") -> None:
        """Let the bytes go on after `freeze`."""
        self._set(side, "thawed", frozen=False)

    def delay(self, seconds: float, side: Sides = "both") -> None:
        """Let everything arrive this many seconds later; 0 ends the delay."""
        if seconds < 0:
            raise ValueError(f"delay is {seconds} s, it must not be negative")
        self._set(side, f"delayed by {seconds:g} s", delay=seconds)

    def split(self, size: int | None, side: Sides = "both", *, gap: float = 0.005) -> None:
        """Send TCP segments of at most size bytes, gap seconds apart; None no longer splits."""
        _check_positive("size", size)
        text = f"split into segments of {size} bytes" if size else "no longer split"
        self._set(side, text, split=size, gap=gap)

    def drop_after(self, size: int | None, side: Sides = "both") -> None:
        """Let size more bytes of each connection pass, and lose the rest; None loses nothing."""
        if size is not None and size < 0:
            raise ValueError(f"size is {size} bytes, it must not be negative")
        text = "nothing" if size is None else f"everything after {size} more bytes"
        self._set(side, f"{text} is lost", drop_after=size)

    def throttle(self, bytes_per_second: float | None, side: Sides = "both") -> None:
        """Let at most this many bytes pass in a second; None sets no limit."""
        _check_positive("bytes_per_second", bytes_per_second)
        rate = bytes_per_second
        text = f"throttled to {rate:g} bytes per second" if rate else "no longer throttled"
        self._set(side, text, rate=rate)

    def mend(self) -> None:
        """Take all these faults away again."""
        self._set("both", "mended", **vars(Faults()))

    def cut(self, side: Sides = "both") -> None:
        """Close the connections (FIN), without any Close frame."""
        self._do(self._end(side, reset=False))

    def reset(self, side: Sides = "both") -> None:
        """Reset the connections (RST), as the network does for a peer that has disappeared."""
        self._do(self._end(side, reset=True))

    # On the cable's thread

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.thread.call(lambda: coroutine)

    def _sides(self, side: Sides) -> tuple[Side, ...]:
        if side not in ("client", "server", "both"):
            raise ValueError(f'side is {side!r}, it must be "client", "server" or "both"')
        return ("client", "server") if side == "both" else (side,)

    def _set(self, side: Sides, text: str, **values: Any) -> None:
        async def apply() -> None:
            sides = self._sides(side)
            for one in sides:
                vars(self.faults[one]).update(values)
            self.tape.note(0, "cable", f"{text} ({side})")
            for link in self.links:
                for end in (link.client, link.server):
                    if "drop_after" in values and end.side in sides:
                        end.flow.passed = 0
                    end.hold("frozen", self.faults[end.side].frozen)
                    end.flow.changed()

        self._do(apply())

    async def _end(self, side: Sides, *, reset: bool) -> None:
        self._sides(side)
        self.tape.note(0, "cable", f"{'reset' if reset else 'cut'} ({side})")
        for link in list(self.links):
            link.end(side, reset=reset)

    def start(self, listener: socket.socket) -> None:
        """Accept connections; called by `registry.replace`."""
        self.thread, self._listener = lab_thread("cables"), listener
        self._do(self._start(listener))

    async def _start(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listener)

    def _accept(self) -> asyncio.Protocol:
        link = Link(next(self.numbers), self.target, self.tape, self.faults, self.links)
        self.links[link] = None
        return link.client

    async def _stop(self) -> None:
        server = self._server
        if server is None:
            return
        await accept_no_more(self._listener)
        server.close()
        for link in list(self.links):
            link.end("both", reset=False)
            if link.dial is not None:
                link.dial.cancel()
        self._server = self._listener = None


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{name} is {value}, it must be positive, or None to stop that")


def resolve(target: Target) -> tuple[tuple[str, int], str, str]:
    """Return the ((host, port), scheme, path) that a cable leads to."""
    if isinstance(target, int):
        check_port(target, least=1)
        target = f"ws://{LOOPBACK}:{target}/"
    if isinstance(target, tuple):
        host, port = target
        check_port(port, least=1)
        return (reachable(host), port), "tcp", ""
    url = target if isinstance(target, str) else str(getattr(target, "url", target))
    parts = urlsplit(url)
    number = SCHEME_PORTS.get(parts.scheme) if parts.port is None else parts.port
    if parts.hostname is None or not number:
        expected = "a running server, its URL, its port, or (host, port)"
        raise ValueError(f"{masked_target(url)!r:.60} leads nowhere: give {expected}")
    query = f"?{parts.query}" if parts.query else ""
    return (reachable(parts.hostname), number), parts.scheme, (parts.path or "/") + query


def cable(
    target: Target,
    *,
    name: str | None = None,
    port: int = 0,
    limit: int = PIECES,
) -> Cable:
    """Lay a cable to a TCP server. Clients connect to its `url` instead, and all is recorded.

    target: a server of the lab, another cable, a URL, a port of this machine, or (host, port).
    name: the cable's name. Running the cell again replaces the cable of the same name.
    limit: the number of newest messages that it keeps.
    """
    own_name = name or masked_target(f"cable to {getattr(target, 'name', target)}")
    new = Cable(target, own_name, limit)
    replace(new, port)
    return new
