"""The cost of a message to many members, for each server and each member that gets it.

    python benchmarks/chat.py [--rounds N] [--members N …] [--in-flight N …] [--bytes N …]
                              [--servers NAME …]

    node        the server of the tutorial (the Chinese article on WebSocket that the course started
                from) in Node, without its console.log: the measure, 1.00
    chat        `python -m wslab serve chat --rate off`
    hub binary  `wslab.kit.hub` sends each binary message to everybody as it is
    node binary Node's `ws` does the same, and reads no JSON, unlike the tutorial's server
    broadcast   the tutorial's server in Python with `websockets.broadcast`, without compression
    deflate     the same with the library's default, permessage-deflate
    socketio    the same with python-socketio, WebSocket only
    asyncio     no WebSocket library: bare transports that do just enough, one write per member and
                read; about the limit for Python's event loop

A binary message has as many bytes as the text that the tutorial's server would send.

Every server is a process of its own, on one core. This process, on the other core, is all the
members. One of the members sends a message, and all of them get it. A message is in flight until
everybody has it. If several are in flight, sixteen members take turns.

The table compares the CPU time of the server's process per delivery, which is one message to one
member. In a round each server is measured once, in turn. Only ratios of one round count, and the
table shows their median and quartiles. Deliveries a second and delays depend on the load generator
too. Its own limit is printed: how fast it takes frames that are there already.

Two more results follow. The first shows how much one member that does not read delays the others.
There our server may never drop anybody. The second shows by how much the server's process grows for
each member that is connected and says nothing.
Needs Linux, whose clocks tell another process's CPU time, and Node with `ws` in tests/interop.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from _interleave import Ratio

ROOT = Path(__file__).resolve().parents[1]
SPEAKERS = 16
WORK = 0.15  # seconds of the generator's time that a measurement is to take
NODE, OURS, PATIENT = "node", "chat", "patient"


# The servers that are not elsewhere; each prints its URL


async def serve_broadcast(compression: str | None) -> None:
    """The tutorial's server, with the library's own way to reach everybody."""
    from websockets.asyncio.server import broadcast, serve

    async def handler(ws: Any) -> None:
        name = None
        async for data in ws:
            message = json.loads(data)
            if message["type"] == "setName":
                name = message["text"]
                told = {"name": "Server", "text": f"{name}加入了房间"}
            else:
                told = {"name": name, "text": message["text"]}
            broadcast(server.connections, json.dumps(told, ensure_ascii=False))

    server = await serve(handler, "127.0.0.1", 0, compression=compression, ping_interval=None)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


async def serve_socketio() -> None:
    import socketio
    from aiohttp import web

    sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"])
    names: dict[str, str] = {}

    @sio.on("setName")
    async def set_name(sid: str, name: str) -> None:
        names[sid] = name
        await sio.emit("chat", {"name": "Server", "text": f"{name}加入了房间"})

    @sio.on("chat")
    async def chat(sid: str, text: str) -> None:
        await sio.emit("chat", {"name": names.get(sid), "text": text})

    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    port = runner.addresses[0][1]
    print(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", flush=True)
    await asyncio.Event().wait()


async def serve_bare() -> None:
    """Frames by hand: no checks, no control frames, every frame whole and in one read."""
    from wslab.protocol.frames import Frame, Opcode
    from wslab.protocol.handshake import accept_key

    everybody: dict[Any, Any] = {}

    class Member(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.name = transport, None

        def connection_lost(self, exc: Exception | None) -> None:
            everybody.pop(self, None)

        def data_received(self, data: bytes) -> None:
            if data.startswith(b"GET "):
                key = data.partition(b"Sec-WebSocket-Key: ")[2][:24].decode()
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
                    % accept_key(key).encode()
                )
                everybody[self] = self.transport
                return
            start, out = 0, []
            while found := Frame.parse(data, start):
                frame, start = found
                message = json.loads(frame.payload)
                told = {"name": self.name, "text": message["text"]}
                if message["type"] == "setName":
                    self.name = message["text"]
                    told = {"name": "Server", "text": f"{self.name}加入了房间"}
                text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
                out.append(Frame(Opcode.TEXT, text).serialize())
            together = b"".join(out)
            for transport in everybody.values():
                transport.write(together)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Member, "127.0.0.1", 0, backlog=1024)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


async def serve_patient() -> None:
    """Our server, and it drops nobody: a member that does not read stays."""
    from wslab.apps import chat

    room = chat.serve(rules=chat.Rules(rate=None, backlog=1 << 30))
    print(room.url, flush=True)
    await asyncio.Event().wait()


async def serve_relay() -> None:
    """Send each message to everybody, through our hub."""
    from wslab import lab
    from wslab.kit.hub import Hub

    hub = Hub()

    async def relay(ws: Any) -> None:
        hub.add(ws)
        async for data in ws:
            hub.publish(data)

    print(lab.serve(relay, ping_interval=None).url, flush=True)  # Node's server sends no Pings
    await asyncio.Event().wait()


SERVED_HERE: dict[str, Callable[[], Any]] = {
    "hub binary": serve_relay,
    "broadcast": lambda: serve_broadcast(None),
    "deflate": lambda: serve_broadcast("deflate"),
    "socketio": serve_socketio,
    "asyncio": serve_bare,
    PATIENT: serve_patient,
}
COMMANDS = {
    NODE: ["node", str(ROOT / "tests" / "interop" / "tutorial_chat_server.js")],
    OURS: [sys.executable, "-m", "wslab", "serve", "chat", "--rate", "off"],
    "node binary": ["node", str(ROOT / "tests" / "interop" / "relay_server.js")],
    **{name: [sys.executable, __file__, "--server", name] for name in SERVED_HERE},
}


class Process:
    """A server in a process of its own, on core 0."""

    def __init__(self, name: str) -> None:
        with on_core(0):
            self.process = subprocess.Popen(
                COMMANDS[name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise SystemExit(f"{name} did not start: {' '.join(COMMANDS[name])}")
        self._clock = (~self.process.pid << 3) | 2  # Linux: the CPU clock of that process

    def cpu(self) -> float:
        """Seconds of CPU time so far, of all its threads."""
        return time.clock_gettime(self._clock)

    def memory(self) -> int:
        """Bytes that it has in memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Start processes on one core; what is not allowed or not there is left as it is."""
    mine = os.sched_getaffinity(0)
    cores = sorted(mine)
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


# The members: sockets, an epoll, and just enough of WebSocket


def masked(text: str, *, binary: bool = False) -> bytes:
    from wslab.protocol.frames import Frame, Opcode

    opcode = Opcode.BINARY if binary else Opcode.TEXT
    return Frame(opcode, text.encode(), mask=os.urandom(4)).serialize()


class Speech(NamedTuple):
    """How one says something: the frames of a client."""

    set_name: Callable[[str], bytes]
    chat: Callable[[str], bytes]


def as_json(kind: str) -> Callable[[str], bytes]:
    return lambda text: masked(json.dumps({"text": text, "type": kind}))


def as_event(kind: str) -> Callable[[str], bytes]:
    return lambda text: masked("42" + json.dumps([kind, text]))


def as_bytes(text: str) -> bytes:
    """Say what the tutorial's server would say, so that the sizes are the same."""
    told = json.dumps({"name": "s00", "text": text}, separators=(",", ":"))
    return masked(told, binary=True)


class Crowd:
    """All the members of one server."""

    def __init__(self, name: str, server: Process) -> None:
        self.name, self.server = name, server
        self.epoll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.order: list[int] = []
        self.rest: dict[int, bytes] = {}
        self.got: dict[int, int] = {}
        self.speech = Speech(as_json("setName"), as_json("chat"))
        if name == "socketio":
            self.speech = Speech(as_event("setName"), as_event("chat"))
        elif name.endswith("binary"):
            self.speech = Speech(as_bytes, as_bytes)

    def join(self, count: int) -> None:
        """Open connections until there are so many."""
        url = urlsplit(self.server.url)
        offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if self.name == "deflate" else ""
        target = url.path + ("?" + url.query if url.query else "")
        while len(self.order) < count:
            sock = socket.create_connection((url.hostname, url.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            key = base64.b64encode(os.urandom(16)).decode()
            sock.sendall(
                f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n{offer}"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            data = b""
            while b"\r\n\r\n" not in data:
                data += sock.recv(65536)
            head, _, rest = data.partition(b"\r\n\r\n")
            assert b" 101 " in head, head
            if self.name == "socketio":
                while b"0{" not in rest:
                    rest += sock.recv(65536)
                sock.sendall(masked("40"))
                rest = sock.recv(65536)
                assert b"40{" in rest
                rest = b""
            sock.setblocking(False)
            fd = sock.fileno()
            self.sockets[fd], self.rest[fd], self.got[fd] = sock, rest, 0
            self.order.append(fd)
            self.epoll.register(fd, select.EPOLLIN)

    def speakers(self) -> None:
        """Let some of them say their names, and wait until it is quiet."""
        speakers = self.order[:SPEAKERS]
        for number, fd in enumerate(speakers):
            self.sockets[fd].sendall(self.speech.set_name(f"s{number:02}"))
        self.take(len(speakers) * len(self.order), 20)

    def take(self, deliveries: int, within: float) -> None:
        """Take so many messages."""
        end = time.monotonic() + within
        while deliveries > 0:
            for fd, _ in self.epoll.poll(1):
                deliveries -= self.read(fd)
            if time.monotonic() > end:
                raise SystemExit(f"{self.name}: {deliveries} deliveries are missing")

    def answer(self) -> None:
        """Answer the Pings that have come while others were measured."""
        for fd, _ in self.epoll.poll(0):
            self.read(fd)

    def read(self, fd: int) -> int:
        """Take what has come on one connection; return how many messages it was."""
        data = self.sockets[fd].recv(1 << 18)
        if not data:
            raise SystemExit(f"{self.name} closed a connection")
        if self.rest[fd]:
            data = self.rest[fd] + data
        count, start, size = 0, 0, len(data)
        while size - start >= 2:
            length, head = data[start + 1], 2
            if length == 126:
                length, head = int.from_bytes(data[start + 2 : start + 4]), 4
            if size - start < head + length:
                break
            opcode = data[start] & 15
            if opcode == 9:  # ping: answered, or the server would give us up
                payload = data[start + head : start + head + length]
                pong = bytes((0x8A, 0x80 | length)) + bytes(4) + payload
                self.sockets[fd].sendall(pong)
            elif self.name == "socketio" and data[start + head : start + head + length] == b"2":
                self.sockets[fd].sendall(masked("3"))
            else:
                count += 1
            start += head + length
        self.rest[fd] = data[start:]
        return count

    def run(self, frames: list[bytes], messages: int, in_flight: int) -> Measured:
        """Say so many messages, never more than in_flight that have not reached everybody."""
        members, total, sent, done = len(self.order), 0, 0, 0
        times: list[float] = []
        delays: list[float] = []
        got = dict.fromkeys(self.order, 0)
        begin, cpu = time.perf_counter(), self.server.cpu()
        while done < messages:
            while sent < messages and sent - done < in_flight:
                number = sent % len(frames)
                times.append(time.perf_counter())
                self.sockets[self.order[number]].send(frames[number])
                sent += 1
            for fd, _ in self.epoll.poll(10):
                count, now = self.read(fd), time.perf_counter()
                seen = got[fd]
                delays += [now - times[k] for k in range(seen, seen + count)]
                got[fd] = seen + count
                total += count
            done = total // members
            if time.perf_counter() - begin > 60:
                raise SystemExit(f"{self.name}: stuck at {total} of {messages * members}")
        seconds = time.perf_counter() - begin
        deliveries = messages * members
        cuts = statistics.quantiles(delays, n=100)
        cpu = (self.server.cpu() - cpu) / deliveries
        return Measured(cpu, deliveries / seconds, cuts[49], cuts[94], cuts[98])

    def close(self) -> None:
        """Leave, all of them."""
        for sock in self.sockets.values():
            sock.close()
        self.epoll.close()


class Measured(NamedTuple):
    """CPU seconds per delivery, deliveries a second, and seconds from sending to arriving."""

    cpu: float
    rate: float
    p50: float
    p95: float
    p99: float


def text_of(size: int) -> str:
    """Return what to say so that the tutorial's message to the members has so many bytes."""
    empty = json.dumps({"name": "s00", "text": ""}, separators=(",", ":"))
    return ("Hello, " * (size // 7 + 1))[: size - len(empty)]


def ceiling(members: int, size: int) -> float:
    """How many deliveries a second the generator takes when nobody has to make them."""

    class Nobody:
        url = ""

    crowd = Crowd("nobody", Nobody())  # type: ignore[arg-type]
    pairs = [socket.socketpair() for _ in range(members)]
    for _far, near in pairs:
        near.setblocking(False)
        crowd.sockets[near.fileno()], crowd.rest[near.fileno()] = near, b""
        crowd.epoll.register(near.fileno(), select.EPOLLIN)
        crowd.order.append(near.fileno())
    frame = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2)
    rates = []
    for _ in range(15):
        for far, _near in pairs:
            far.sendall(frame + bytes(size))
        begin = time.perf_counter()
        crowd.take(members, 10)
        rates.append(members / (time.perf_counter() - begin))
    for far, _near in pairs:
        far.close()
    crowd.close()
    return max(rates)


# What is measured, and the tables


def measure(crowds: dict[str, Crowd], size: int, in_flight: int, rounds: int) -> None:
    base = next(iter(crowds))  # the measure
    members = len(crowds[base].order)
    text = text_of(size)
    speakers = SPEAKERS if in_flight > 1 else 1
    frames = {name: [c.speech.chat(text) for _ in range(speakers)] for name, c in crowds.items()}
    messages = {}
    for name, crowd in crowds.items():  # warm, and know how many fill the time
        first = crowd.run(frames[name], 4 * in_flight, in_flight)
        count = int(WORK * first.rate / members)
        messages[name] = max(4, min(400, count // in_flight)) * in_flight
    found: dict[str, list[Measured]] = {name: [] for name in crowds}
    names = list(crowds)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(crowds[name].run(frames[name], messages[name], in_flight))
            for crowd in crowds.values():
                crowd.answer()
    print(f"\n{members} members, {size} B, {in_flight} in flight, {rounds} rounds")
    print(f"{'':12}{'× node (quartiles)':>22}{'µs CPU':>9}{'1000/s':>8}{'p50 ms':>8}{'p99 ms':>8}")
    for name, results in found.items():
        pairs = zip(found[base], results, strict=True)
        middle, low, high = Ratio.of([node.cpu / one.cpu for node, one in pairs])
        cpu, rate, p50, _, p99 = (
            statistics.median(values) for values in zip(*results, strict=True)
        )
        ratio = f"{middle:.2f} ({low:.2f} – {high:.2f})"
        print(
            f"{name:12}{ratio:>22}{cpu * 1e6:9.2f}{rate / 1e3:8.0f}{p50 * 1e3:8.2f}{p99 * 1e3:8.2f}"
        )


def stalled(members: int, rounds: int) -> None:
    """Compare the members' delays with and without one that does not read, 1 KB a message."""
    server = Process(PATIENT)
    crowd = Crowd(PATIENT, server)
    found: dict[bool, list[float]] = {False: [], True: []}
    try:
        with on_core(1):
            crowd.join(members)
            crowd.speakers()
            frames = [crowd.speech.chat(text_of(1024))]
            for turn in range(2 * rounds):
                there = turn % 4 in (1, 2)
                snail = dial(server.url) if there else None
                crowd.run(frames, 300, 1)  # fills what the system keeps for the one
                found[there].append(crowd.run(frames, 150, 1).p95)
                if snail is not None:
                    snail.close()
    finally:
        crowd.close()
        server.stop()
    pairs = zip(found[True], found[False], strict=True)
    middle, low, high = Ratio.of([one / other for one, other in pairs])
    print(
        f"\np95 of {members} members' delays with one more that does not read, against without: "
        f"× {middle:.2f} ({low:.2f} – {high:.2f})"
    )


def dial(url: str) -> socket.socket:
    """Connect one that never reads."""
    address = urlsplit(url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((address.hostname, address.port))
    sock.sendall(
        f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return sock


def memory(members: int, servers: list[str]) -> None:
    print(f"\nMemory per idle member, of {members}:")
    for name in servers:
        server = Process(name)
        crowd = Crowd(name, server)
        try:
            crowd.join(50)  # what is loaded with the first ones is nobody's
            time.sleep(0.3)
            before = server.memory()
            crowd.join(members)
            time.sleep(0.5)
            print(f"{name:12}{(server.memory() - before) / (members - 50) / 1024:8.1f} KiB")
        finally:
            crowd.close()
            server.stop()


def compare(members: int, options: argparse.Namespace) -> None:
    """Measure the servers with so many members; the first one is the measure."""
    with ExitStack() as stack:
        crowds = {}
        for name in options.servers:
            server = Process(name)
            stack.callback(server.stop)
            crowds[name] = crowd = Crowd(name, server)
            stack.callback(crowd.close)
            crowd.join(members)
            crowd.speakers()
            for each in crowds.values():
                each.answer()
        with on_core(1):
            for size in options.bytes:
                top = ceiling(members, size) / 1e3
                print(f"\nThe generator takes {top:.0f} thousand deliveries of {size} B a second.")
                for in_flight in options.in_flight:
                    rounds = max(3, options.rounds * 200 // max(members, 200))
                    measure(crowds, size, in_flight, rounds)


def main() -> None:
    options = parse()
    if options.server:
        asyncio.run(SERVED_HERE[options.server]())
        return
    if not sys.platform.startswith("linux"):
        raise SystemExit("this benchmark reads Linux's clocks of other processes")
    files = len(options.servers) * max(options.members) + 500
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < files:
        raise SystemExit(f"{files} open files are needed, {hard} allowed: fewer --members")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"Python {sys.version.split()[0]}, websockets {version('websockets')}, ", end="")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    print(f"Node {node.stdout.strip()}; ratios: higher is better")
    for members in options.members:
        compare(members, options)
    stalled(200, options.rounds)
    memory(max(200, *options.members), options.servers)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="fewer with a thousand members")
    parser.add_argument("--members", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--bytes", type=int, nargs="+", default=[64, 1024])
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=COMMANDS,
        default=[name for name in COMMANDS if name != PATIENT],
    )
    parser.add_argument("--server", choices=SERVED_HERE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.servers = list(dict.fromkeys((NODE, *options.servers)))
    return options


if __name__ == "__main__":
    main()
