"""Other people's WebSocket: each as a client that checks an echo, and as a server that echoes.

A client sends messages one by one, checks that they come back, and closes with `GOODBYE`. A server
sends back what it gets; a text message "close CODE REASON" makes it close with that instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import websockets.sync.client
import websockets.sync.server
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from wsproto import ConnectionType, WSConnection, events
from wsproto.extensions import PerMessageDeflate

from wslab.lab.registry import LOOPBACK

HERE = Path(__file__).parent
PATIENCE = 50  # seconds
GOODBYE = (4321, "that is all")
BOUNDARIES = (0, 1, 125, 126, 127, 65535, 65536)

Message = str | bytes
Client = Callable[[str, Sequence[Message], bool], Any]
Server = Callable[[bool], AbstractAsyncContextManager[str]]


class Other(NamedTuple):
    """An implementation that is not ours.

    client: a coroutine function of URL, messages, and whether to offer compression.
    server: a context manager, of whether to agree on compression; gives the URL.
    """

    client: Client
    server: Server


def fragments(message: Message, rng: random.Random) -> list[Message]:
    """Cut a message into one to four pieces."""
    cuts = sorted(rng.randint(0, len(message)) for _ in range(rng.randrange(4)))
    return [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]


def check(got: object, wanted: Message) -> None:
    # Not a plain assert: pytest would try to show the difference of megabytes.
    if got != wanted:
        pytest.fail(f"{type(wanted).__name__} of {len(wanted)} came back differently")


def to_close(message: object) -> tuple[int, str] | None:
    """Return what a server is asked to close with."""
    if not isinstance(message, str) or not message.startswith("close "):
        return None
    _, code, reason = message.split()
    return int(code), reason


# The `websockets` library, its asyncio side


async def library_client(url: str, messages: Sequence[Message], deflate: bool) -> None:
    rng, compression = random.Random(1), "deflate" if deflate else None
    async with connect(url, compression=compression, max_size=None, proxy=None) as ws:
        assert bool(ws.protocol.extensions) == deflate
        for message in messages:
            await ws.send(fragments(message, rng))
            check(await ws.recv(), message)
        await (await ws.ping())
        await ws.close(*GOODBYE)


@asynccontextmanager
async def library_server(deflate: bool) -> AsyncIterator[str]:
    async def echo(ws: Any) -> None:
        async for message in ws:
            if goodbye := to_close(message):
                await ws.close(*goodbye)
            else:
                await ws.send(message)

    compression = "deflate" if deflate else None
    async with serve(echo, LOOPBACK, 0, compression=compression, max_size=None) as server:
        yield f"ws://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/"


# The `websockets` library, its threading side


async def sync_client(url: str, messages: Sequence[Message], deflate: bool) -> None:
    def talk() -> None:
        rng, compression = random.Random(2), "deflate" if deflate else None
        with websockets.sync.client.connect(
            url, compression=compression, max_size=None, proxy=None
        ) as ws:
            for message in messages:
                ws.send(fragments(message, rng))
                check(ws.recv(timeout=PATIENCE), message)
            assert ws.ping().wait(PATIENCE)
            ws.close(*GOODBYE)

    await asyncio.to_thread(talk)


@asynccontextmanager
async def sync_server(deflate: bool) -> AsyncIterator[str]:
    def echo(ws: Any) -> None:
        for message in ws:
            if goodbye := to_close(message):
                ws.close(*goodbye)
            else:
                ws.send(message)

    server = websockets.sync.server.serve(
        echo, LOOPBACK, 0, compression="deflate" if deflate else None, max_size=None
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"ws://{LOOPBACK}:{server.socket.getsockname()[1]}/"
    finally:
        server.shutdown()
        await asyncio.to_thread(thread.join)


# wsproto, with a blocking socket


class Wire:
    """wsproto's connection on a socket."""

    def __init__(self, sock: socket.socket, kind: ConnectionType, deflate: bool) -> None:
        sock.settimeout(PATIENCE)
        self.socket = sock
        self.connection = WSConnection(kind)
        self.extensions = [PerMessageDeflate()] if deflate else []
        self.parts: list[Any] = []

    def send(self, event: events.Event) -> None:
        self.socket.sendall(self.connection.send(event))

    def send_message(self, message: Message, rng: random.Random) -> None:
        kind = events.TextMessage if isinstance(message, str) else events.BytesMessage
        *first, last = fragments(message, rng)
        for piece in first:
            self.send(kind(piece, message_finished=False))
        self.send(kind(last))

    def events(self) -> Iterator[events.Event]:
        """Give the events as they come; messages whole."""
        while True:
            data = self.socket.recv(1 << 16)
            if not data:
                return
            self.connection.receive_data(data)
            for event in self.connection.events():
                if isinstance(event, events.Message):
                    self.parts.append(event.data)
                    if not event.message_finished:
                        continue
                    empty = "" if isinstance(event, events.TextMessage) else b""
                    event = type(event)(empty.join(self.parts))
                    self.parts.clear()
                elif isinstance(event, events.Ping):
                    self.send(event.response())
                yield event


async def wsproto_client(url: str, messages: Sequence[Message], deflate: bool) -> None:
    port = int(url.rstrip("/").rpartition(":")[2])

    def talk() -> None:
        rng, left = random.Random(3), list(messages)
        with socket.create_connection((LOOPBACK, port)) as sock:
            wire = Wire(sock, ConnectionType.CLIENT, deflate)
            wire.send(events.Request(host="localhost", target="/", extensions=wire.extensions))
            for event in wire.events():
                if isinstance(event, events.AcceptConnection):
                    assert bool(event.extensions) == deflate
                elif isinstance(event, events.Message):
                    check(event.data, left.pop(0))
                elif isinstance(event, events.Pong):
                    wire.send(events.CloseConnection(*GOODBYE))
                    continue
                elif isinstance(event, events.CloseConnection):
                    assert (event.code, left) == (GOODBYE[0], [])
                    continue
                if left:
                    wire.send_message(left[0], rng)
                else:
                    wire.send(events.Ping(b"last"))

    await asyncio.to_thread(talk)


@asynccontextmanager
async def wsproto_server(deflate: bool) -> AsyncIterator[str]:
    def echo(sock: socket.socket) -> None:
        rng, wire = random.Random(4), Wire(sock, ConnectionType.SERVER, deflate)
        for event in wire.events():
            if isinstance(event, events.Request):
                wire.send(events.AcceptConnection(extensions=wire.extensions))
            elif isinstance(event, events.Message) and (goodbye := to_close(event.data)):
                wire.send(events.CloseConnection(*goodbye))
            elif isinstance(event, events.Message):
                wire.send_message(event.data, rng)
            elif isinstance(event, events.CloseConnection):
                if wire.connection.state.name == "REMOTE_CLOSING":
                    wire.send(event.response())
                break  # the server ends TCP

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    echo(sock)

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"ws://{LOOPBACK}:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)  # ends accept()
    await asyncio.to_thread(thread.join)


# Node's ws


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def node_peer(node: Path) -> Other:
    async def client(url: str, messages: Sequence[Message], deflate: bool) -> None:
        """Have messages of the same sizes sent, every second one's in both kinds."""
        sizes = [len(m.encode() if isinstance(m, str) else m) for m in messages][::2]
        options = {"url": url, "deflate": deflate, "sizes": sizes, "code": GOODBYE[0]}
        command = (str(node), str(HERE / "echo_client.js"), json.dumps(options))
        with running(*command) as process:
            output, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
        assert errors == ""
        said = json.loads(output)
        assert (said["right"], said["code"]) == (2 * len(sizes), GOODBYE[0])
        assert ("permessage-deflate" in said["extensions"]) == deflate

    @asynccontextmanager
    async def server(deflate: bool) -> AsyncIterator[str]:
        script, options = str(HERE / "echo_server.js"), json.dumps({"deflate": deflate})
        with running(str(node), script, options) as process:
            assert process.stdout is not None
            yield (await asyncio.to_thread(process.stdout.readline)).strip()

    return Other(client, server)


OTHERS = {
    "websockets": Other(library_client, library_server),
    "websockets.sync": Other(sync_client, sync_server),
    "wsproto": Other(wsproto_client, wsproto_server),
}


@pytest.fixture(params=[*OTHERS, "node"])
def other(request: pytest.FixtureRequest) -> Other:
    """One implementation after the other."""
    if request.param == "node":
        return node_peer(request.getfixturevalue("node"))
    return OTHERS[request.param]


@pytest.fixture(params=[False, True], ids=["plain", "deflate"])
def deflate(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Draw:
    """Random messages, the same in every run."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)

    def message(self, size: int, *, text: bool) -> Message:
        """Draw a message of so many bytes; text has characters of one to four bytes."""
        if not text:
            return self.rng.randbytes(size)
        letters = "".join(self.rng.choices("aé握\N{FIREWORKS} ", k=1000)) * (size // 1000 + 1)
        whole = letters.encode()[:size].decode(errors="ignore")
        return whole + "." * (size - len(whole.encode()))

    def small(self, count: int = 10) -> list[Message]:
        """Draw messages of up to 64 KiB, the small sizes as often as the large ones."""
        sizes = [*BOUNDARIES, *(round(2 ** self.rng.uniform(0, 16)) for _ in range(count))]
        return [self.message(size, text=text) for size in sizes for text in (True, False)]

    def big(self) -> list[Message]:
        """Draw a few large ones: two of up to 1 MiB, and one of 16 MiB."""
        size, huge_text = self.rng.randint(1 << 16, 1 << 20), self.rng.random() < 0.5
        sizes = ((size, True), (size, False), (1 << 24, huge_text))
        return [self.message(size, text=text) for size, text in sizes]


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    return Draw(request.node.originalname)
