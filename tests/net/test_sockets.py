"""TCP in memory against TCP on loopback: the same script, the same callbacks in the same order."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from wslab.net import simulate

from .peers import Peer, Sipper, last_of_each, listen, slow_road, turns, without_repeats

MUCH = bytes(range(251)) * (1 << 17)  # 33 MB: more than the buffers of two sockets take

# Those that a network in memory has to share with the system's.
PROPERTIES = (
    "order",
    "chunking",
    "flow control",
    "half-close",
    "close with unread data",
    "RST",
    "refused",
    "unreachable",
    "a peer that does not read",
    "latency",
    "bandwidth",
)


@dataclass(frozen=True)
class Case:
    """What is done in memory and on loopback. road: latency and bandwidth on the way, if any.

    run: a coroutine function that returns what is compared; it is called with a context manager
    that takes a server's port and yields the port to connect to.
    """

    proves: str
    run: Callable[..., Awaitable[Any]]
    road: dict[str, float]


CASES: dict[str, Case] = {}


def case(proves):
    def add(function):
        CASES[function.__name__] = Case(proves, lambda through: function(), {})
        return function

    return add


def script(proves, client=None, server=None, kind=Peer, **road):
    """Let two peers play a function; with a road, the order of both ends' last calls counts."""

    def add(function):
        peers = (partial(kind, **(client or {})), partial(kind, **(server or {})))
        run = partial(exchange, function, *peers, is_order_fixed=bool(road))
        CASES[function.__name__] = Case(proves, run, road)
        return function

    return add


async def exchange(script, client, server, through, *, is_order_fixed):
    """Connect two peers, run the script, and return what each was called, and what it got."""
    loop = asyncio.get_running_loop()
    order: list[str] = []
    async with asyncio.timeout(30):
        client, server = client("client", order), server("server", order)
        listener = await loop.create_server(lambda: server, "127.0.0.1", 0)
        async with through(listener.sockets[0].getsockname()[1]) as port:
            await loop.create_connection(lambda: client, "127.0.0.1", port)
            await server.called("made")
            await client.called("made")
            order.clear()
            await script(client, server)
            last = last_of_each(order) if is_order_fixed else None
            for peer in (client, server):
                if not peer.transport.is_closing():
                    peer.transport.abort()
                await peer.called("lost")
        listener.close()
        await listener.wait_closed()
    if is_order_fixed:
        return last, client.checksum, server.checksum
    return [(without_repeats(peer.calls), peer.size, peer.checksum) for peer in (client, server)]


@script("order")
async def a_greeting_and_an_answer(client, server):
    client.transport.write(b"Hello")
    await server.has(5)
    server.transport.write(b"Hello yourself")
    await client.has(14)


@script("chunking")
async def writes_of_one_turn_arrive_together(client, server):
    for _ in range(100):
        client.transport.write(b"x")
    await server.has(1)
    assert server.calls == ["made", "data"]


@script("order")
async def many_writes(client, server):
    for number in range(200):
        client.transport.write(b"%d " % number)
        server.transport.write(b"%d " % -number)
        await asyncio.sleep(0)
    await client.has(889)
    await server.has(690)


@script("chunking", server={"reads": False})
async def pieces_that_have_to_wait_arrive_together(client, server):
    for piece in (b"one", b"two", b"three"):
        client.transport.write(piece)
        await asyncio.sleep(0.01)  # nothing tells when it has arrived
    server.transport.resume_reading()
    await server.has(1)
    assert server.calls == ["made", "data"]


@script("chunking")
async def what_is_long_arrives_in_pieces(client, server):
    client.transport.write(MUCH)
    await server.has(len(MUCH))
    assert server.calls.count("data") > 1


@script("chunking", kind=Sipper)
async def a_reader_gets_what_fits_into_its_buffer(client, server):
    client.transport.write(b"Hello, world")
    await server.has(12)
    assert server.calls == ["made", "data", "data", "data"]


@script("half-close")
async def the_server_closes(client, server):
    server.transport.write(b"bye")
    server.transport.close()
    await client.called("lost")
    await server.called("lost")


@script("half-close")
async def the_client_closes(client, server):
    client.transport.close()
    await server.called("lost")


@script("half-close")
async def both_close_at_once(client, server):
    client.transport.close()
    server.transport.close()
    await client.called("lost")
    await server.called("lost")


@script("half-close", server={"stays": True})
async def a_half_close_is_answered(client, server):
    client.transport.write(b"request")
    client.transport.write_eof()
    await server.called("eof")
    server.transport.write(b"answer")
    server.transport.close()
    await client.called("lost")


@script("half-close")
async def the_socket_is_shut_down_for_writing(client, server):
    client.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
    await server.called("lost")
    await client.called("lost")


@script("half-close")
async def the_socket_is_shut_down_for_reading(client, server):
    client.transport.get_extra_info("socket").shutdown(socket.SHUT_RD)
    await client.called("lost")
    await server.called("lost")


@script("half-close", client={"stays": True}, server={"stays": True})
async def the_socket_is_shut_down_for_both(client, server):
    client.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    await client.called("eof")
    await server.called("eof")
    client.transport.close()
    server.transport.close()


@script("half-close")
async def a_half_close_that_the_server_does_not_want(client, server):
    client.transport.write_eof()
    await client.called("lost")


@script("close with unread data", server={"reads": False})
async def closed_with_unread_data(client, server):
    """What is unread when a socket closes becomes an RST."""
    client.transport.write(b"unread")
    await asyncio.sleep(0.05)  # nothing tells when it has arrived
    server.transport.close()
    await client.called("lost")


@script("RST")
async def reset_by_the_server(client, server):
    server.reset()
    await client.called("lost")


@script("RST")
async def reset_by_the_client(client, server):
    client.reset()
    await server.called("lost")


@script("RST")
async def bytes_before_a_reset_arrive(client, server):
    server.transport.write(b"last words")
    server.reset()
    await client.called("lost")


@script("RST", client={"stays": True})
async def a_write_after_the_peer_is_gone(client, server):
    """FIN first, then the answer to a write is RST: a broken pipe, at the write after that."""
    server.transport.close()
    await client.called("eof")
    await server.called("lost")
    while not client.transport.is_closing():
        client.transport.write(b"too late")
        await asyncio.sleep(0.01)
    await client.called("lost")


@script("a peer that does not read", server={"reads": False})
async def a_peer_that_does_not_read(client, server):
    client.transport.write(MUCH)
    await client.called("pause")
    assert server.size == 0
    server.transport.resume_reading()
    await server.has(len(MUCH))
    await client.called("resume")


@script("a peer that does not read", server={"reads": False})
async def closing_waits_until_all_is_written(client, server):
    client.transport.write(MUCH)
    client.transport.close()
    server.transport.resume_reading()
    await server.has(len(MUCH))
    await server.called("lost")


@script("a peer that does not read", server={"reads": False})
async def aborting_forgets_what_is_not_written(client, server):
    client.transport.write(MUCH)
    await client.called("pause")
    client.transport.abort()
    await client.called("lost")
    server.transport.resume_reading()
    await server.called("lost")
    assert server.size < len(MUCH)
    server.size = server.checksum = 0  # how much was on its way is the system's business


@script("RST", server={"reads": False})
async def a_reset_while_writing(client, server):
    client.transport.write(MUCH)
    await client.called("pause")
    server.reset()
    await client.called("lost")


@script("flow control")
async def much_in_both_directions(client, server):
    client.transport.write(MUCH)
    server.transport.write(MUCH)
    await client.has(len(MUCH))
    await server.has(len(MUCH))


@script("half-close", client={"stays": True}, server={"stays": True})
async def both_half_close(client, server):
    client.transport.write_eof()
    await server.called("eof")
    server.transport.write(b"still here")
    await client.has(10)
    server.transport.write_eof()
    await client.called("eof")


@script("RST", server={"stays": True})
async def a_reset_after_the_fin(client, server):
    client.transport.write_eof()
    await server.called("eof")
    client.reset()
    await client.called("lost")
    while not server.transport.is_closing():
        server.transport.write(b"anybody?")
        await asyncio.sleep(0.01)
    await server.called("lost")


@script("latency", latency=0.1)
async def an_answer_is_under_way_twice(client, server):
    client.transport.write(b"?")
    await turns()
    client.note("has done other things")
    await server.has(1)
    server.transport.write(b"!")
    await turns()
    server.note("has done other things")
    await client.has(1)


@script("latency", latency=0.1)
async def messages_pass_each_other(client, server):
    for peer in (client, server):
        peer.transport.write(b"written before the other one's has arrived")
        await turns()
        peer.note("has written")
    await asyncio.gather(client.has(1), server.has(1))
    client.order.sort(key=lambda call: call.partition(" ")[0])  # which end is first is chance


@script("latency", latency=0.1)
async def an_end_is_under_way_too(client, server):
    client.transport.write(b"bye")
    client.transport.close()
    await client.called("lost")
    await server.called("lost")


@script("bandwidth", bandwidth=200_000)
async def a_long_message_takes_its_time(client, server):
    client.transport.write(MUCH[:40_000])
    await server.has(1)
    await turns()
    server.note("has the beginning")
    await server.has(40_000)


@script("bandwidth", bandwidth=200_000)
async def a_short_message_overtakes_a_long_one_in_the_other_direction(client, server):
    client.transport.write(MUCH[:40_000])
    server.transport.write(b"short")
    await client.has(5)
    await server.has(40_000)


@script("bandwidth", bandwidth=200_000)
async def a_short_message_behind_a_long_one_waits(client, server):
    client.transport.write(MUCH[:40_000])
    await turns()
    client.transport.write(b"short")
    await server.has(1)
    server.transport.write(b"it has begun")
    await client.has(1)
    await server.has(40_005)


@script("flow control", bandwidth=len(MUCH) * 2)
async def a_writer_is_held_back_by_a_thin_line(client, server):
    client.transport.write(MUCH)
    await server.has(len(MUCH))
    assert client.calls == ["made", "pause", "resume"]


async def refused(attempt):
    with pytest.raises(OSError) as caught:  # noqa: PT011
        await attempt
    return type(caught.value), caught.value.errno


@case("refused")
async def nobody_listens():
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    return await refused(asyncio.open_connection("127.0.0.1", port))


@case("refused")
async def each_address_of_this_machine_is_a_host():
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    found = [await refused(asyncio.open_connection("127.0.0.2", port))]
    other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.2", port)
    found.append(other.sockets[0].getsockname() == ("127.0.0.2", port))
    for host in ("127.0.0.1", "127.0.0.2"):
        reader, writer = await asyncio.open_connection(host, port)
        found.append((await reader.read(), writer.get_extra_info("peername") == (host, port)))
        writer.close()
    for server in (listener, other):
        server.close()
    await turns()
    return found


@case("refused")
async def the_port_is_taken():
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    found = await refused(asyncio.start_server(lambda *_: None, "127.0.0.1", port))
    listener.close()
    return found


@case("refused")
async def arguments_that_cannot_be():
    """asyncio refuses them before anything else happens."""
    loop, texts = asyncio.get_running_loop(), []
    server = {"host": "127.0.0.1", "port": 0}
    for create, options in (
        (loop.create_connection, {}),
        (loop.create_connection, {"host": "127.0.0.1", "port": 9, "server_hostname": "x"}),
        (loop.create_connection, {"port": 9, "ssl": True}),
        (loop.create_server, {}),
        (loop.create_server, {**server, "ssl": True}),
        (loop.create_server, {**server, "ssl_handshake_timeout": 1}),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            await create(asyncio.Protocol, **options)
        texts.append((type(caught.value), str(caught.value)))
    return texts


@case("order")
async def what_a_socket_says_of_itself():
    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    spare = await asyncio.start_server(listen, "127.0.0.1", 0)
    mine = spare.sockets[0].getsockname()
    spare.close()
    _, writer = await asyncio.open_connection(host, port, local_addr=mine, happy_eyeballs_delay=1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    found = [sock.getsockname() == mine, sock.getpeername() == (host, port)]
    found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    found.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    writer.close()
    listener.close()
    await turns()
    return [*found, sock.fileno()]


@case("unreachable")
async def addresses_of_many_hosts():
    """The system refuses these at once: nothing is sent, and nothing else happens before."""
    loop, order = asyncio.get_running_loop(), []
    for host in ("224.0.0.1", "255.255.255.255"):
        made = partial(order.append, "a protocol is made")
        loop.call_soon(order.append, "the next turn")
        order.append(await refused(loop.create_connection(made, host, 80)))
        await turns()
    return order


TRIALS = [
    (name, seconds) for name, one in CASES.items() for seconds in (0, 0.01)[: 2 - bool(one.road)]
]


@pytest.mark.parametrize(("name", "latency"), TRIALS)
async def test_the_same_as_on_loopback(name, latency):
    one = CASES[name]
    if one.proves == "unreachable" and sys.platform != "linux":
        pytest.skip("other systems have errors of their own for these addresses")
    in_memory = simulate(lambda: one.run(nullcontext), **{"latency": latency, **one.road})
    through = partial(slow_road, **one.road) if one.road else nullcontext
    assert in_memory.result() == await one.run(through)


def test_every_property_is_compared():
    assert {one.proves for one in CASES.values()} == set(PROPERTIES)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", (OSError, errno.EHOSTUNREACH)),
        ("ff02::1", (OSError, errno.ENETUNREACH)),
        ("nowhere.example", (socket.gaierror, socket.EAI_NONAME)),
    ],
)
def test_a_host_that_nobody_has(host, expected):
    assert simulate(lambda: refused(asyncio.open_connection(host, 80))).result() == expected


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


def test_bytes_come_before_a_timer_of_the_same_moment():
    """A real loop looks at its sockets before its timers, too."""

    async def script(client, server):
        loop, order = asyncio.get_running_loop(), []
        kind = type("Kind", (asyncio.Protocol,), {"data_received": lambda _, it: order.append(it)})
        server[1].transport.set_protocol(kind())
        loop.call_at(loop.time() + 0.25, order.append, "timer")
        client[1].write(b"bytes")
        await asyncio.sleep(1)
        return order

    assert simulate(lambda: served(script), latency=0.25).result() == [b"bytes", "timer"]


def test_a_larger_buffer_lets_a_writer_go_on():
    async def script(client, server):
        server[1].transport.pause_reading()
        transport, waiting = client[1].transport, []
        for size in (10, 1000):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
            if not waiting:
                transport.write(bytes(100))
            await asyncio.sleep(1)
            waiting.append(transport.get_write_buffer_size())
        return waiting

    assert simulate(lambda: served(script)).result() == [90, 0]


@pytest.mark.parametrize("wait", [0.1, 1])
def test_nobody_accepts_and_the_listener_closes(wait):
    """The last part of the handshake is still under way, or has arrived; both ends in RST."""

    async def main():
        listener = asyncio.get_running_loop().network.listen(["server"], 9000)
        listener.listen(1)
        reader, _ = await asyncio.open_connection("server", 9000)
        await asyncio.sleep(wait)
        listener.close()
        with pytest.raises(ConnectionResetError):
            await reader.read()

    assert simulate(main, latency=0.25).result() is None


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
