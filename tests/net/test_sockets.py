"""TCP in memory against TCP on loopback: the same script, the same callbacks in the same order."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Awaitable, Callable
from itertools import groupby

import pytest

from wslab.net import simulate

MUCH = 32 << 20  # bytes: more than the buffers of two sockets take
RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Peer(asyncio.Protocol):
    """One end; keeps what asyncio calls. stays: whether it goes on after the other end's FIN."""

    def __init__(self, *, stays=False, reads=True):
        self.calls: list[str] = []
        self.size = 0
        self.stays, self.reads = stays, reads
        self.changed = asyncio.Event()

    def note(self, call):
        self.calls.append(call)
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


def without_repeats(calls):
    """How often data comes depends on the system's buffers; that it comes does not."""
    return [call for call, _ in groupby(calls)]


async def exchange(script, client, server):
    """Connect two peers, run the script, and return what each was called, and how much it got."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        client, server = client(), server()
        listener = await loop.create_server(lambda: server, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        await loop.create_connection(lambda: client, "127.0.0.1", port)
        await server.called("made")
        await script(client, server)
        for peer in (client, server):
            if not peer.transport.is_closing():
                peer.transport.abort()
            await peer.called("lost")
        listener.close()
        await listener.wait_closed()
    return [(without_repeats(peer.calls), peer.size) for peer in (client, server)]


SCRIPTS: dict[str, tuple[Callable[..., Awaitable[None]], dict, dict]] = {}


def script(client=None, server=None):
    def add(function):
        SCRIPTS[function.__name__] = (function, client or {}, server or {})
        return function

    return add


@script()
async def a_greeting_and_an_answer(client, server):
    client.transport.write(b"Hello")
    await server.has(5)
    server.transport.write(b"Hello yourself")
    await client.has(14)


@script()
async def writes_of_one_turn_arrive_together(client, server):
    for _ in range(100):
        client.transport.write(b"x")
    await server.has(1)
    assert server.calls == ["made", "data"]


@script()
async def the_server_closes(client, server):
    server.transport.write(b"bye")
    server.transport.close()
    await client.called("lost")
    await server.called("lost")


@script()
async def the_client_closes(client, server):
    client.transport.close()
    await server.called("lost")


@script()
async def both_close_at_once(client, server):
    client.transport.close()
    server.transport.close()
    await client.called("lost")
    await server.called("lost")


@script(server={"stays": True})
async def a_half_close_is_answered(client, server):
    client.transport.write(b"request")
    client.transport.write_eof()
    await server.called("eof")
    server.transport.write(b"answer")
    server.transport.close()
    await client.called("lost")


@script()
async def a_half_close_that_the_server_does_not_want(client, server):
    client.transport.write_eof()
    await client.called("lost")


@script(server={"reads": False})
async def closed_with_unread_data(client, server):
    """What is unread when a socket closes becomes an RST."""
    client.transport.write(b"unread")
    await asyncio.sleep(0.05)  # nothing tells when it has arrived
    server.transport.close()
    await client.called("lost")


@script()
async def reset_by_the_server(client, server):
    server.reset()
    await client.called("lost")


@script()
async def reset_by_the_client(client, server):
    client.reset()
    await server.called("lost")


@script()
async def bytes_before_a_reset_arrive(client, server):
    server.transport.write(b"last words")
    server.reset()
    await client.called("lost")


@script(client={"stays": True})
async def a_write_after_the_peer_is_gone(client, server):
    """FIN first, then the answer to a write is RST: a broken pipe, at the write after that."""
    server.transport.close()
    await client.called("eof")
    await server.called("lost")
    while not client.transport.is_closing():
        client.transport.write(b"too late")
        await asyncio.sleep(0.01)
    await client.called("lost")


@script(server={"reads": False})
async def a_peer_that_does_not_read(client, server):
    client.transport.write(bytes(MUCH))
    await client.called("pause")
    assert server.size == 0
    server.transport.resume_reading()
    await server.has(MUCH)
    await client.called("resume")


@script(server={"reads": False})
async def closing_waits_until_all_is_written(client, server):
    client.transport.write(bytes(MUCH))
    client.transport.close()
    server.transport.resume_reading()
    await server.has(MUCH)
    await server.called("lost")


@script(server={"reads": False})
async def aborting_forgets_what_is_not_written(client, server):
    client.transport.write(bytes(MUCH))
    await client.called("pause")
    client.transport.abort()
    await client.called("lost")
    server.transport.resume_reading()
    await server.called("lost")
    assert server.size < MUCH
    server.size = 0  # how much was on its way is the system's business


@script(server={"reads": False})
async def a_reset_while_writing(client, server):
    client.transport.write(bytes(MUCH))
    await client.called("pause")
    server.reset()
    await client.called("lost")


@script()
async def much_in_both_directions(client, server):
    client.transport.write(bytes(MUCH))
    server.transport.write(bytes(MUCH))
    await client.has(MUCH)
    await server.has(MUCH)


@script(client={"stays": True}, server={"stays": True})
async def both_half_close(client, server):
    client.transport.write_eof()
    await server.called("eof")
    server.transport.write(b"still here")
    await client.has(10)
    server.transport.write_eof()
    await client.called("eof")


@script(server={"stays": True})
async def a_reset_after_the_fin(client, server):
    client.transport.write_eof()
    await server.called("eof")
    client.reset()
    await client.called("lost")
    while not server.transport.is_closing():
        server.transport.write(b"anybody?")
        await asyncio.sleep(0.01)
    await server.called("lost")


@pytest.mark.parametrize("latency", [0, 0.01])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_same_calls_as_on_loopback(name, latency):
    function, client, server = SCRIPTS[name]

    def run():
        return exchange(function, lambda: Peer(**client), lambda: Peer(**server))

    assert simulate(run, latency=latency).result() == await run()


async def connect_to(host, port):
    with pytest.raises(OSError) as caught:  # noqa: PT011
        await asyncio.open_connection(host, port)
    return type(caught.value), caught.value.errno


async def nobody_listens():
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    return await connect_to("127.0.0.1", port)


async def the_port_is_taken():
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(OSError) as caught:  # noqa: PT011
        await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    listener.close()
    return type(caught.value), caught.value.errno


@pytest.mark.parametrize("case", [nobody_listens, the_port_is_taken])
async def test_the_same_errors_as_on_loopback(case):
    assert simulate(case).result() == await case()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", (OSError, errno.EHOSTUNREACH)),
        ("nowhere.example", (socket.gaierror, socket.EAI_NONAME)),
    ],
)
def test_a_host_that_nobody_has(host, expected):
    assert simulate(lambda: connect_to(host, 80)).result() == expected


async def served(script, host="server"):
    """Run a script with the (reader, writer) of both ends."""
    accepted = asyncio.get_running_loop().create_future()
    async with await asyncio.start_server(lambda *ends: accepted.set_result(ends), host, 9000):
        client = await asyncio.open_connection(host, 9000)
        server = await accepted
        found = await script(client, server)
        for _, writer in (client, server):
            writer.close()
        return found


def test_latency_is_from_end_to_end():
    async def script(client, server):
        loop = asyncio.get_running_loop()
        begin = loop.time()
        client[1].write(b"?")
        await server[0].read(1)
        there = loop.time() - begin
        server[1].write(b"!")
        await client[0].read(1)
        return there, loop.time() - begin

    run = simulate(lambda: served(script), latency=0.25)
    assert run.result() == (0.25, 0.5)


def test_bandwidth_is_bytes_per_second():
    async def script(client, server):
        begin = asyncio.get_running_loop().time()
        client[1].write(bytes(50_000))
        await server[0].readexactly(50_000)
        return asyncio.get_running_loop().time() - begin

    run = simulate(lambda: served(script), latency=0, bandwidth=10_000)
    assert run.result() == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    ("listening", "asked"),
    [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("", "localhost"),
        ("0.0.0.0", "server"),
        ("::1", "localhost"),
        ("server", "SERVER."),
        (None, "127.0.0.1"),
        (["a", "b"], "b"),
    ],
)
def test_spellings_of_a_host(listening, asked):
    async def main():
        loop, peer = asyncio.get_running_loop(), Peer()
        async with await loop.create_server(Peer, listening, 80):
            await loop.create_connection(lambda: peer, asked, 80)
            peer.transport.close()
            return peer.calls

    assert simulate(main).result() == ["made", "lost"]
