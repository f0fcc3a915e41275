"""What a cable costs: bulk transfer and round trips, against no cable and one that records nothing.

    python benchmarks/cable.py [--rounds N] [--quick]

A client and a server, two processes, talk WebSocket to each other. They are connected

    direct    to each other
    relay     through an asyncio.Protocol that passes bytes on and does nothing else
    cable     through `lab.cable`, which follows every frame and keeps the beginning of each

Relay and cable run in a third process, this one, each on a loop in a thread of its own. Bulk is the
time from the first message to the server's word that the last byte is there; a round trip is a
5-byte message and its echo, one after the other. Every round runs all three ways, in turning order,
and only the ratios within a round count; the table shows their medians and quartiles.

The goals hold for `websockets` at both ends, which is what a lesson has. The same with bare
blocking sockets, which do nothing but move bytes, is the hardest case there is: what relay and
cable cost stands out as it never does otherwise. The machine should have two idle cores.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import socket
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection

from _interleave import Ratio
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as library_serve

from wslab import lab
from wslab.lab.loop import LabThread
from wslab.protocol import Frame, Opcode

LOOPBACK = "127.0.0.1"
DIRECT, RELAY, CABLE = "direct", "relay", "cable"
MiB = 1 << 20

# MiB that one measurement of bulk moves: enough for some tens of milliseconds.
VOLUME = {
    ("websockets", 65536): 32,
    ("websockets", 1024): 2,
    ("bare sockets", 65536): 64,
    ("bare sockets", 1024): 8,
}

Measure = Callable[[int, str, int, int], float]  # port, work, payload bytes, count -> seconds


# The library at both ends. A text message that is a number announces so many bytes of bulk.

OPTIONS = {"compression": None, "max_size": None, "ping_interval": None}


async def answer(connection: ServerConnection) -> None:
    left = 0
    async for message in connection:
        if isinstance(message, bytes):
            left -= len(message)
            if not left:
                await connection.send("done")
        elif message.isdigit():
            left = int(message)
        else:
            await connection.send(message)


async def library_server(pipe: Connection) -> None:
    async with library_serve(answer, LOOPBACK, 0, **OPTIONS) as server:
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()


async def library_client(pipe: Connection) -> None:
    while (job := pipe.recv()) is not None:
        port, work, size, count = job
        url = f"ws://{LOOPBACK}:{port}/"
        async with connect(url, proxy=None, **OPTIONS) as connection:
            pipe.send(await WORK[work](connection, size, count))


async def bulk(connection: ClientConnection, size: int, count: int) -> float:
    """Send so many messages of this size; return the seconds until all have arrived."""
    message = bytes(size)
    await connection.send(str(size * count))
    start = time.perf_counter()
    for _ in range(count):
        await connection.send(message)
    await connection.recv()
    return time.perf_counter() - start


async def round_trips(connection: ClientConnection, _size: int, count: int) -> float:
    """Send a short message and wait for its echo, so many times; return the seconds."""
    start = time.perf_counter()
    for _ in range(count):
        await connection.send("Hello")
        await connection.recv()
    return time.perf_counter() - start


WORK = {"bulk": bulk, "round trip": round_trips}


# The same with bare sockets. Text that is no number is told by its length; the server reads no more
# of a frame than it needs.

MASK = b"\x37\xfa\x21\x3d"
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
DONE = Frame(Opcode.TEXT, b"done").serialize()
HELLO = Frame(Opcode.TEXT, b"Hello", mask=MASK).serialize()
ECHO = Frame(Opcode.TEXT, b"Hello").serialize()


def announcement(size: int) -> bytes:
    return Frame(Opcode.TEXT, b"%018d" % size, mask=MASK).serialize()


def bare_server(pipe: Connection) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        pipe.send(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                bare_answer(connection)


def bare_answer(connection: socket.socket) -> None:
    read_until(connection, b"\r\n\r\n")
    connection.sendall(ANSWER)
    buffer = bytearray(MiB)
    while first := connection.recv(len(HELLO)):
        if first == HELLO:
            connection.sendall(ECHO)
            continue
        rest = len(announcement(0)) - len(first)
        frame = first + connection.recv(rest, socket.MSG_WAITALL)
        parsed = Frame.parse(frame)
        assert parsed is not None
        left = int(parsed[0].payload)
        while left:
            left -= connection.recv_into(buffer, min(left, len(buffer)))
        connection.sendall(DONE)


def read_until(connection: socket.socket, end: bytes) -> None:
    data = b""
    while not data.endswith(end):
        data += connection.recv(65536)


def bare_client(pipe: Connection) -> None:
    while (job := pipe.recv()) is not None:
        port, work, size, count = job
        with socket.create_connection((LOOPBACK, port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(REQUEST)
            read_until(connection, b"\r\n\r\n")
            pipe.send(BARE_WORK[work](connection, size, count))


def bare_bulk(connection: socket.socket, size: int, count: int) -> float:
    """As `bulk`, with as many frames at once as make 1 MiB."""
    frame = Frame(Opcode.BINARY, bytes(size), mask=MASK).serialize()
    batch = frame * (MiB // len(frame))
    times = count * size // MiB
    connection.sendall(announcement(times * len(batch)))
    start = time.perf_counter()
    for _ in range(times):
        connection.sendall(batch)
    read_until(connection, DONE)
    return time.perf_counter() - start


def bare_round_trips(connection: socket.socket, _size: int, count: int) -> float:
    """As `round_trips`."""
    start = time.perf_counter()
    for _ in range(count):
        connection.sendall(HELLO)
        connection.recv(65536)
    return time.perf_counter() - start


BARE_WORK = {"bulk": bare_bulk, "round trip": bare_round_trips}


def run_library_server(pipe: Connection) -> None:
    asyncio.run(library_server(pipe))


def run_library_client(pipe: Connection) -> None:
    asyncio.run(library_client(pipe))


ENDS = {
    "websockets": (run_library_server, run_library_client),
    "bare sockets": (bare_server, bare_client),
}


# The relay that records nothing


class Relay(asyncio.Protocol):
    """One end of a relayed connection; the client's dials, and makes the server's."""

    transport: asyncio.Transport
    other: Relay

    def __init__(self, target: int) -> None:
        self.target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; read from the client when the server is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(self, "other"):
            self.other.transport.resume_reading()
            return
        transport.pause_reading()
        self.other = Relay(self.target)
        self.other.other = self
        dial = asyncio.get_running_loop().create_connection
        self.dial = asyncio.create_task(dial(lambda: self.other, LOOPBACK, self.target))

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the end on."""
        self.other.transport.close()

    def pause_writing(self) -> None:
        """Stop reading from the other end while this one's peer is slow."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.other.transport.resume_reading()


def start_relay(target: int) -> int:
    """Start the relay on a thread of its own; return its port."""

    async def start() -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Relay(target), LOOPBACK, 0)

    server = LabThread("bare relay").call(start)
    return int(server.sockets[0].getsockname()[1])


# The comparison


def compare(
    measure: Callable[[int], float], ports: dict[str, int], rounds: int
) -> dict[str, list[float]]:
    """Measure all ways in every round, in turning order; return the seconds by name."""
    names = list(ports)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            seconds[name].append(measure(ports[name]))
    return seconds


def ratio(over: list[float], under: list[float]) -> Ratio:
    """Return the quartiles of the ratios, round by round."""
    values = [a / b for a, b in zip(over, under, strict=True)]
    return Ratio.of(values)


def row(what: str, ends: str, found: list[Ratio | None], goal: str = "", met: bool = True) -> str:
    """Write a row of the table: ratios of relay and cable, and the goal that holds for it."""
    shown = [f"{one} ({one.low:.2f}–{one.high:.2f})" if one else "1" for one in found]
    verdict = f"{goal}, {'met' if met else '**missed**'}" if goal else ""
    return " | ".join(["", ends, what, *shown, verdict, ""]).strip()


def report(measure: Measure, ends: str, ports: dict[str, int], rounds: int, scale: int) -> None:
    """Print the rows for one kind of ends, each after its comparison."""
    has_goal = ends == "websockets"
    for size, text in ((65536, "64 KiB"), (1024, "1 KiB")):
        count = scale * VOLUME[ends, size] * MiB // size
        took = compare(lambda p, s=size, c=count: measure(p, "bulk", s, c), ports, rounds)
        found = [ratio(took[DIRECT], took[way]) for way in (RELAY, CABLE)]
        goal = "≥ 0.6" if has_goal and size == 65536 else ""
        what = f"bulk, {text}: throughput / direct"
        print(row(what, ends, [*found], goal, found[1].median >= 0.6))
    took = compare(lambda p: measure(p, "round trip", 5, 500 * scale), ports, rounds)
    found = [ratio(took[way], took[DIRECT]) for way in (RELAY, CABLE)]
    print(row("round trip: time / direct", ends, [*found]))
    against = ratio(took[CABLE], took[RELAY])
    goal = "≤ 1.15" if has_goal else ""
    print(row("round trip: time / relay", ends, [None, against], goal, against.median <= 1.15))


def run(ends: str, rounds: int, scale: int) -> None:
    """Start both processes and what is between them; print what it costs."""
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(2)]
    for function, (_, theirs) in zip(ENDS[ends], pipes, strict=True):
        spawn.Process(target=function, args=(theirs,), daemon=True).start()
    (server, _), (client, _) = pipes
    port = server.recv()
    cable = lab.cable((LOOPBACK, port), name=ends)
    ports = {DIRECT: port, RELAY: start_relay(port), CABLE: cable.port}

    def measure(*job: object) -> float:
        client.send(job)
        seconds: float = client.recv()
        return seconds

    with closing(client):
        report(measure, ends, ports, rounds, scale)
        client.send(None)
    assert len(cable.transcript.frames) > 100, "the cable followed the frames"
    cable.stop_now()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21, help="rounds of each comparison")
    parser.add_argument("--quick", action="store_true", help="a first impression in seconds")
    options = parser.parse_args()
    rounds, scale = (5, 1) if options.quick else (max(2, options.rounds), 2)

    machine = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{machine}, {os.cpu_count()} cores, {rounds} rounds; median (quartiles)\n")
    print("| ends | work | relay | cable | goal |\n|---|---|---|---|---|")
    for ends in ENDS:
        run(ends, rounds, scale)


if __name__ == "__main__":
    main()
