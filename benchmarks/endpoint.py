"""What a message costs the from-scratch server, against `websockets` and `wsproto`.

    python benchmarks/endpoint.py [--rounds N] [--connections N]

Every server is a process of its own with the same handler: text is sent back, binary is counted.
This process is the load, the same for all: blocking sockets and frames made beforehand. What
counts is the CPU time of the server's process per message, as the server itself reads it:

    echo     one text message on each of 16 connections, then all the answers, and again
    one way  binary messages one after the other on one connection, one text message at the end

In a round each server is measured once, in turn, and only ratios of one round count; the table
shows their median and quartiles. Of an echo, the kernel and asyncio take about half, whoever does
the rest; what they take is measured with a server that knows no WebSocket and sends back the bytes
that the client expects. "Beyond asyncio" are the ratios without that. All servers run without
compression and without keepalive.

`wsproto` has no server, so an `asyncio.Protocol` drives it here, as directly as we know how. It has
what an endpoint cannot do without, as ours and the library's have: a bounded queue, backpressure
both ways, a limit for messages (1 MiB, 4096 fragments), the closing handshake, time limits for both
handshakes, errors for who sends after the end and for a second reader. What only the lab wants, a
record of what happened, it has not. These checks cost it a little: against a driver that leaves
limits, closing and errors out, as this one did before, our ratio is a few hundredths lower.

Memory is what a process grows by, per connection that does nothing: three processes for each.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from _interleave import Ratio

SIZES = {"16 B": 16, "1 KiB": 1024, "64 KiB": 65536}
ECHO_CONNECTIONS = 16
WORK = 0.08  # seconds of CPU time of one measurement
MASK = bytes.fromhex("37fa213d")
OURS, BARE = "wslab", "bare"


# The servers: each starts on a port of its own and returns it


async def handler(ws: Any) -> None:
    """Send text back, swallow binary."""
    async for message in ws:
        if isinstance(message, str):
            await ws.send(message)


async def start_ours() -> int:
    from wslab.scratch.server import serve_from_scratch

    return serve_from_scratch(handler).port


async def start_websockets() -> int:
    from websockets.asyncio.server import serve

    server = await serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None)
    return server.sockets[0].getsockname()[1]


async def start_wsproto() -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(wsproto_endpoint(), "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]


async def start_bare() -> int:
    """Start a server that answers frames without looking at them; one wake-up per read, as all."""
    loop = asyncio.get_running_loop()

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.reader: asyncio.Future[bytes] | None = None

        def data_received(self, data: bytes) -> None:
            if self.reader is not None:
                self.reader.set_result(data)
                return
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            self.reader = loop.create_future()
            self.task = loop.create_task(self.echo())

        async def echo(self) -> None:
            while data := await self.reader:
                self.reader = loop.create_future()
                self.transport.write(data[len(MASK) :])  # without a mask, a frame is shorter

    server = await loop.create_server(Bare, "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]


def wsproto_endpoint() -> type[asyncio.Protocol]:
    """Make an endpoint around wsproto that has what every endpoint needs (see above)."""
    from wsproto import ConnectionType, WSConnection, events
    from wsproto.connection import ConnectionState
    from wsproto.utilities import RemoteProtocolError

    opened = ConnectionState.OPEN

    class Endpoint(asyncio.Protocol):
        def __init__(self) -> None:
            self.connection = WSConnection(ConnectionType.SERVER)
            self.loop = asyncio.get_running_loop()
            self.messages: deque[str | bytes] = deque()
            self.parts: list[Any] = []
            self.size = 0
            self.reader: asyncio.Future[None] | None = None
            self.writable = asyncio.Event()
            self.writable.set()
            self.code: int | None = None  # the peer's, once there will be no more messages
            self.stopped = False

        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.timer = self.loop.call_later(10, transport.abort)

        def data_received(self, data: bytes) -> None:
            if self.code is not None:
                return  # after the end, whatever comes is of no interest
            try:
                self.connection.receive_data(data)
                for event in self.connection.events():
                    if isinstance(event, events.Message):
                        self.take(event)
                    else:
                        self.apply(event)
            except RemoteProtocolError as error:
                if error.event_hint is not None:
                    self.transport.write(self.connection.send(error.event_hint))
                self.end(1006)
            if len(self.messages) > 16:
                self.stopped = True
                self.transport.pause_reading()

        def take(self, event: Any) -> None:
            self.parts.append(event.data)
            self.size += len(event.data)
            if self.size > 1 << 20 or len(self.parts) > 1 << 12:
                self.transport.write(self.connection.send(events.CloseConnection(1009)))
                self.end(1006)
            elif event.message_finished:
                empty = "" if isinstance(event, events.TextMessage) else b""
                self.messages.append(empty.join(self.parts))
                self.parts.clear()
                self.size = 0
                self.wake()

        def apply(self, event: Any) -> None:
            if isinstance(event, events.Request):
                self.timer.cancel()
                self.transport.write(self.connection.send(events.AcceptConnection()))
                self.task = self.loop.create_task(handler(self))
            elif isinstance(event, events.Ping):
                self.transport.write(self.connection.send(event.response()))
            elif isinstance(event, events.CloseConnection):
                if self.connection.state is ConnectionState.REMOTE_CLOSING:
                    self.transport.write(self.connection.send(event.response()))
                self.end(event.code)

        def end(self, code: int) -> None:
            if self.code is None:
                self.code = code
                self.timer.cancel()
                self.timer = self.loop.call_later(10, self.transport.abort)
                self.transport.write_eof()
                self.wake()

        def wake(self) -> None:
            if self.reader is not None and not self.reader.done():
                self.reader.set_result(None)

        def connection_lost(self, exc: Exception | None) -> None:
            self.timer.cancel()
            self.writable.set()
            if self.code is None:
                self.code = 1006
                self.wake()

        def pause_writing(self) -> None:
            self.writable.clear()

        def resume_writing(self) -> None:
            self.writable.set()

        def __aiter__(self) -> Endpoint:
            return self

        async def __anext__(self) -> str | bytes:
            while not self.messages:
                if self.code in (1000, 1001, 1005):
                    raise StopAsyncIteration
                if self.code is not None:
                    raise ConnectionError(self.code)
                if self.reader is not None:
                    raise RuntimeError("somebody is waiting already")
                self.reader = self.loop.create_future()
                try:
                    await self.reader
                finally:
                    self.reader = None
            message = self.messages.popleft()
            if self.stopped and len(self.messages) <= 4:
                self.stopped = False
                self.transport.resume_reading()
            return message

        async def send(self, message: str | bytes) -> None:
            if self.connection.state is not opened:
                raise ConnectionError(self.code)
            kind = events.TextMessage if isinstance(message, str) else events.BytesMessage
            self.transport.write(self.connection.send(kind(message)))
            if not self.writable.is_set():
                await self.writable.wait()
            if self.transport.is_closing():
                raise ConnectionError(self.code)

    return Endpoint


SERVERS: dict[str, Callable[[], Awaitable[int]]] = {
    OURS: start_ours,
    "websockets": start_websockets,
    "wsproto": start_wsproto,
    BARE: start_bare,
}


async def serve_until_told(name: str) -> None:
    """Print the port; then, for every line on stdin, the CPU time of this process so far."""
    bytes(1 << 20)  # the C library keeps this memory, so that all servers start with the same
    print(await SERVERS[name](), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(time.process_time(), flush=True)


# The load


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._line())
        self.sockets: list[socket.socket] = []  # closed after the server's end

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def cpu(self) -> float:
        """Return the CPU time that the process has used so far, in seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._line())

    def memory(self) -> int:
        """Return its resident set, in bytes (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def connect(self) -> socket.socket:
        """Open a WebSocket connection; from then on it is a plain socket."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(REQUEST)
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += sock.recv(4096)
        if not data.startswith(b"HTTP/1.1 101 "):
            raise RuntimeError(f"refused: {data!r}")
        self.sockets.append(sock)
        return sock


def request() -> bytes:
    from wslab.protocol import upgrade_request

    return upgrade_request("127.0.0.1", nonce=bytes(16)).serialize()


REQUEST = request()


@contextmanager
def running(name: str) -> Iterator[Server]:
    """Run a server for the time of a block."""
    server = Server(name)
    try:
        yield server
    finally:
        with server.process as process:
            process.kill()
        for sock in server.sockets:
            sock.close()


def frame(size: int, *, text: bool) -> bytes:
    """Write the frame of a client's message."""
    from wslab.protocol import Frame, Opcode

    return Frame(Opcode.TEXT if text else Opcode.BINARY, b"a" * size, mask=MASK).serialize()


def answer_size(size: int) -> int:
    """Return how long the server's frame with such a message is."""
    return size + (2 if size < 126 else 4 if size < 1 << 16 else 10)


def receive(sock: socket.socket, size: int) -> None:
    """Read this many bytes."""
    while size:
        data = sock.recv(size)
        if not data:
            raise RuntimeError("the server closed the connection")
        size -= len(data)


def echo(sockets: list[socket.socket], size: int, count: int) -> None:
    """Have `count` messages sent back, one at a time on each connection."""
    data, expected = frame(size, text=True), answer_size(size)
    for _ in range(count // len(sockets)):
        for sock in sockets:
            sock.sendall(data)
        for sock in sockets:
            receive(sock, expected)


def one_way(sockets: list[socket.socket], size: int, count: int) -> None:
    """Send `count` messages, and wait until the server has taken them all."""
    batch = max(1, (1 << 17) // size)
    data = frame(size, text=False) * batch
    for _ in range(count // batch):
        sockets[0].sendall(data)
    sockets[0].sendall(frame(1, text=True))
    receive(sockets[0], answer_size(1))


Load = Callable[[list[socket.socket], int, int], None]
LOADS: dict[str, Load] = {"echo": echo, "one way": one_way}


# Measuring


class Claim(NamedTuple):
    """A row of the table: how many times as much the other one takes, and the least it should."""

    what: str
    ratios: list[float]
    goal: float | None = None

    def row(self) -> str:
        """Write the row."""
        median, low, high = Ratio.of(self.ratios)
        goal, met = "", ""
        if self.goal is not None:
            goal = f"at least {self.goal:.1f}"
            met = "yes" if median >= self.goal else "**no**"
        return f"| {self.what} | {median:.2f} | {low:.2f} to {high:.2f} | {goal} | {met} |"


def costs(load: Load, size: int, rounds: int) -> list[dict[str, float]]:
    """Return the CPU time per message of each server, round by round, in seconds."""
    with ExitStack() as stack:
        names = [name for name in SERVERS if name != BARE or (load is echo and size <= 1024)]
        servers = {name: stack.enter_context(running(name)) for name in names}
        sockets = {
            name: [server.connect() for _ in range(ECHO_CONNECTIONS)]
            for name, server in servers.items()
        }

        def cost(name: str, count: int) -> float:
            begin = servers[name].cpu()
            load(sockets[name], size, count)
            return (servers[name].cpu() - begin) / count

        def count_for(name: str) -> int:
            """Find out how many messages keep the server busy for a while; this warms it up."""
            count = ECHO_CONNECTIONS * 64
            wanted = max(count, round(WORK / max(cost(name, count), 1e-7)))
            return wanted - wanted % (ECHO_CONNECTIONS * 64)

        counts = {name: count_for(name) for name in servers}
        found = []
        for turn in range(rounds):
            start = turn % len(names)
            found.append({name: cost(name, counts[name]) for name in names[start:] + names[:start]})
        return found


def speed(rounds: int) -> Iterator[Claim]:
    """Measure CPU time per message."""
    for kind, load in LOADS.items():
        for label, size in SIZES.items():
            found = costs(load, size, rounds)
            # The goals are for echoes; large ones cost what copying costs, whoever does it.
            echo = kind == "echo" and size <= 1024
            for other, goal in (("websockets", 1.0 if echo else None), ("wsproto", 1.5)):
                ratios = [costs[other] / costs[OURS] for costs in found]
                each = statistics.median(costs[OURS] for costs in found) * 1e6
                what = f"{kind}, {label}, {other} (ours {each:.1f} µs)"
                yield Claim(what, ratios, goal)
                if BARE in found[0]:
                    net = [(c[other] - c[BARE]) / (c[OURS] - c[BARE]) for c in found]
                    yield Claim(f"{kind}, {label}, {other}, beyond asyncio", net)


def memory_per_connection(name: str, connections: int) -> float:
    """Return how many bytes a fresh process grows by, per idle connection."""
    with running(name) as server:
        for _ in range(100):  # what the first ones need is not theirs alone
            server.connect()
        before = server.memory()
        for _ in range(connections):
            server.connect()
        return (server.memory() - before) / connections


def memory(connections: int) -> Claim:
    """Measure memory per idle connection."""
    import resource  # not on Windows

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ratios, ours = [], 0.0
    for _ in range(3):
        ours = memory_per_connection(OURS, connections)
        ratios.append(memory_per_connection("websockets", connections) / ours)
    return Claim(f"memory of an idle connection, websockets (ours {ours:,.0f} B)", ratios, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="default %(default)s")
    parser.add_argument("--connections", type=int, default=2000, help="default %(default)s")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_until_told(options.serve))
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("websockets", "wsproto"))
    print(f"Python {platform.python_version()}, {versions}, {options.rounds} rounds. ", end="")
    print("Ratios other : ours; above 1, ours is cheaper.\n")
    print("| what | ratio | quartiles | goal | met |\n|---|---:|---:|---|---|")
    for claim in speed(max(2, options.rounds)):
        print(claim.row(), flush=True)
    if sys.platform == "linux":
        print(memory(options.connections).row())


if __name__ == "__main__":
    main()
