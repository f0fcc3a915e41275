"""One connection through a cable, with asyncio's callbacks for its two sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from functools import partial
from typing import Literal

from wslab.lab.wire.tape import Side, Tape
from wslab.lab.wire.tracker import Tracker, trackers
from wslab.net.flow import Faults, Flow

__all__ = ["Link", "Sides"]

Sides = Literal["client", "server", "both"]

LINGER = 1.0  # seconds for a slow peer to take the bytes on their way when we closed
_RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close() sends RST


class End(asyncio.Protocol):
    """One end of a relayed connection, which is the socket towards the client or the server."""

    def __init__(self, link: Link, tracker: Tracker) -> None:
        self.link = link
        self.side: Side = tracker.side
        self.transport: asyncio.Transport | None = None
        self.tracker = tracker
        self.flow: Flow  # carries the bytes of this end's peer to the other end
        self.reasons: set[str] = set()  # why nothing is read from this end at the moment
        self.early: list[bytes] = []  # bytes to write once there is a connection
        self.finished = False  # the peer has sent FIN
        self.ended = False
        self.verdict: bool | None = None  # whether to reset a socket that is not connected yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's callback)."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for data in self.early:
            transport.write(data)
        self.early.clear()
        # Python 3.11.2 begins to read after this callback, even if it calls pause_reading().
        asyncio.get_running_loop().call_soon(self.link.connected, self)
        if self.verdict is not None:
            self.close(self.verdict)

    def data_received(self, data: bytes) -> None:
        """Record bytes and pass them on (asyncio's callback)."""
        self.tracker.feed(data)
        self.flow.push(data)

    def eof_received(self) -> bool:
        """Pass on that the peer has finished sending (asyncio's callback)."""
        self.finished = True
        self.link.note(self.side, "closed its side (FIN)")
        self.flow.push(self.link.other(self).write_eof)
        return True  # the other direction may go on

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on a reset (asyncio's callback)."""
        self.transport = None
        if exc is not None and not self.ended:
            self.link.note(self.side, "reset the connection (RST)")
            self.link.end("both", reset=True)
        self.ended = True
        self.link.gone()

    def pause_writing(self) -> None:
        """Stop reading from the other end while this one's peer is slow (asyncio's callback)."""
        self.link.other(self).hold("slow peer", True)

    def resume_writing(self) -> None:
        """Go on (asyncio's callback)."""
        self.link.other(self).hold("slow peer", False)

    def hold(self, reason: str, on: bool) -> None:
        """Stop reading from this end for a reason, or drop that reason."""
        (self.reasons.add if on else self.reasons.discard)(reason)
        if self.transport is None or self.transport.is_closing() or self.finished:
            return  # after FIN we could only read the same FIN again
        (self.transport.pause_reading if self.reasons else self.transport.resume_reading)()

    def write(self, data: bytes) -> bool:
        """Send to this end's peer; return False if it is gone."""
        if self.ended:
            return False
        if self.transport is None:
            self.early.append(data)
        else:
            self.transport.write(data)
        return True

    def write_eof(self) -> None:
        """Tell this end's peer that no more will come."""
        if self.transport is not None and not self.ended and not self.transport.is_closing():
            with contextlib.suppress(OSError):
                self.transport.write_eof()
        self.link.half_closed()

    def close(self, reset: bool) -> None:
        """End the connection with this end's peer, by RST if reset, else by FIN."""
        self.verdict = reset
        if self.transport is None or self.ended:
            return
        self.ended = True
        with contextlib.suppress(OSError):
            if reset:
                sock = self.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            else:
                self.transport.write_eof()  # FIN first: close() with unread bytes sends RST alone
        if reset:
            self.transport.abort()
        else:
            self.transport.close()
            asyncio.get_running_loop().call_later(LINGER, self.transport.abort)


class Link:
    """One connection through the cable, with two sockets and the two flows between them.

    target: the address to dial. tape: keeps the record. faults: those of each side's bytes.
    links: the cable's open links; this one leaves when both sockets are gone.
    """

    def __init__(
        self,
        number: int,
        target: tuple[str, int],
        tape: Tape,
        faults: dict[Side, Faults],
        links: dict[Link, None],
    ) -> None:
        self.number = number
        self.target = target
        self.tape = tape
        self.faults = faults
        self.links = links
        self.client, self.server = (End(self, each) for each in trackers(tape, number))
        self.halves = 0  # directions that have ended
        self.dial: asyncio.Task[None] | None = None
        for end in (self.client, self.server):
            far = self.other(end)
            end.flow = Flow(
                faults[end.side],
                write=far.write,
                pause=partial(end.hold, "backlog"),
                lose=partial(tape.lose, number, end.side),
            )

    def other(self, end: End) -> End:
        """Return the opposite end."""
        return self.server if end is self.client else self.client

    def note(self, side: Side, text: str) -> None:
        """Put a remark on the tape."""
        self.tape.note(self.number, side, text)

    def connected(self, end: End) -> None:
        """Dial the server when the client is connected; read when the server is, too."""
        end.hold("frozen", self.faults[end.side].frozen)
        if end is self.client:
            end.hold("dialling", True)  # bytes that come before the server answers are kept
            self.dial = asyncio.create_task(self._dial())
            self.dial.add_done_callback(lambda _: self.gone())
        else:
            self.client.hold("dialling", False)

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.server, *self.target)
        except OSError as error:
            self.note("server", f"cannot be reached: {error.strerror or error}")
            self.tape.lose(self.number, "client", 0, sum(map(len, self.server.early)))
            self.end("client", reset=True)

    def half_closed(self) -> None:
        """Close both sockets once both directions have ended."""
        self.halves += 1
        if self.halves == 2:
            self.client.close(reset=False)
            self.server.close(reset=False)

    def end(self, side: Sides, *, reset: bool) -> None:
        """End the connection at one side or both; the other side hears nothing more."""
        for end in (self.client, self.server):
            end.flow.close()
            if side in (end.side, "both"):
                end.close(reset)
            else:
                end.hold("the other end is gone", True)

    def gone(self) -> None:
        """Forget the link when both sockets are gone and no new one will come."""
        is_open = any(end.transport is not None for end in (self.client, self.server))
        if not is_open and self.dial is not None and self.dial.done():
            self.links.pop(self, None)
