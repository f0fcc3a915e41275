"""Bare TCP peers at both ends of a cable, and a bench that every test leaves clean."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from wslab import lab
from wslab.lab.registry import LOOPBACK

PATIENCE = 45  # seconds after which a test gives up; a quiet machine needs one


class Peer:
    """One end of a TCP connection, without any layer above it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read(self) -> bytes:
        """Wait for bytes, b"" for FIN, or ConnectionResetError for RST."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)

    async def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := await self.read()):
            data += more
        return data

    def arrived(self) -> bytes | None:
        """What is there to read at this moment; None if nothing is, not even FIN."""
        try:
            return self.socket.recv(1 << 16)
        except BlockingIOError:
            return None

    def finish(self) -> None:
        """Send FIN, go on reading."""
        self.socket.shutdown(socket.SHUT_WR)


class Wire:
    """A cable between a client and a server that are both bare sockets."""

    SIDES = ("client", "server")

    def __init__(self) -> None:
        self.listener = socket.create_server((LOOPBACK, 0))
        self.listener.setblocking(False)
        self.target = self.listener.getsockname()
        self.cable = lab.cable(self.target, name="wire")
        self.peers: list[Peer] = []

    def dial(self, port: int = 0) -> Peer:
        """Connect to the cable, or to another port."""
        # Blocking, which loopback does not: a reset right afterwards is then met by the first read.
        self.peers.append(Peer(socket.create_connection((LOOPBACK, port or self.cable.port))))
        return self.peers[-1]

    async def accept(self) -> Peer:
        """Wait for a connection at the server's end."""
        async with asyncio.timeout(PATIENCE):
            sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        self.peers.append(Peer(sock))
        return self.peers[-1]

    async def connect(self) -> dict[str, Peer]:
        """Make one connection through the cable; return both ends by side."""
        peers = {"client": self.dial(), "server": await self.accept()}
        link = max(self.cable.links, key=lambda link: link.number)
        while link.server.transport is None:  # the server's system may know before the cable does
            await self.turns(1)
        return peers

    async def turns(self, count: int = 20) -> None:
        """Let the cable's loop go round: what has reached a socket of the cable is dealt with."""

        async def go_round() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        await asyncio.wrap_future(self.cable.thread.submit(go_round()))

    async def close(self) -> None:
        for peer in self.peers:
            peer.socket.close()
        self.listener.close()
        await self.cable.stop()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made = Wire()
    try:
        yield made
    finally:
        await made.close()
