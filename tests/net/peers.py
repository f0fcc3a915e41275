"""Two ends of a connection that keep what asyncio calls, and a slow road between them."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from contextlib import asynccontextmanager, suppress
from itertools import groupby

RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Peer(asyncio.Protocol):
    """One end. order: all calls of both ends, if they share it; checksum: of all that it has got.

    stays: whether it goes on after the other end's FIN.
    """

    def __init__(self, name="", order=None, *, stays=False, reads=True):
        self.name, self.order = name, [] if order is None else order
        self.calls: list[str] = []
        self.size = self.checksum = 0
        self.stays, self.reads = stays, reads
        self.changed = asyncio.Event()

    def note(self, call):
        self.calls.append(call)
        self.order.append(f"{self.name} {call}")
        self.changed.set()

    async def until(self, condition):
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def called(self, call):
        await self.until(lambda: any(one.startswith(call) for one in self.calls))

    async def has(self, size):
        await self.until(lambda: self.size >= size)

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")
        if not self.reads:
            transport.pause_reading()

    def data_received(self, data):
        self.size += len(data)
        self.checksum = zlib.crc32(data, self.checksum)
        self.note("data")

    def eof_received(self):
        self.note("eof")
        return self.stays

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    def connection_lost(self, exc):
        self.note("lost" if exc is None else f"lost {type(exc).__name__}")

    def reset(self):
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        self.transport.abort()


class Sipper(Peer, asyncio.BufferedProtocol):
    """One that reads into a buffer of its own, which holds four bytes."""

    def get_buffer(self, sizehint):
        self.buffer = bytearray(4)
        return self.buffer

    def buffer_updated(self, nbytes):
        self.data_received(self.buffer[:nbytes])


def without_repeats(calls):
    """How often data comes depends on the system's buffers; that it comes does not."""
    return [call for call, _ in groupby(calls)]


def last_of_each(calls):
    """Return each call once, in the order in which they came for the last time."""
    return list(dict.fromkeys(reversed(calls)))[::-1]


async def listen(reader, writer):
    """Say nothing until the other end leaves. From Python 3.13 on, a forgotten writer closes."""
    try:
        with suppress(asyncio.CancelledError):  # Python 3.11 would report it as an error
            await reader.read()
    finally:
        writer.close()


async def turns():
    """Let the loop go round, which takes much less time than any slow road."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def slow_road(port, *, latency=0.0, bandwidth=None):
    """Yield a port that leads to another one of this machine, over real sockets.

    It has as little in common with `wslab.net.flow` as possible, because it is compared with it.
    """
    loop = asyncio.get_running_loop()
    tasks, writers = [], []
    piece = round(bandwidth / 50) if bandwidth else 1 << 16  # bytes

    async def carry(reader, writer):
        writers.append(writer)
        while data := await reader.read(piece):
            if bandwidth:
                await asyncio.sleep(len(data) / bandwidth)
            loop.call_later(latency, writer.write, data)
            await writer.drain()
        loop.call_later(latency, writer.close)

    async def accept(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        tasks.append(asyncio.create_task(carry(reader, far_writer)))
        tasks.append(asyncio.create_task(carry(far_reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as road:
        yield road.sockets[0].getsockname()[1]
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await turns()
