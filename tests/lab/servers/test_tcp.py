"""A TCP server of the lab: the same surface, one layer below WebSocket."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from wslab import lab
from wslab.lab.registry import LOOPBACK


async def shout(reader, writer):
    while line := await reader.readline():
        print("got", line.decode().strip())
        writer.write(line.upper())
        await writer.drain()


async def dial(server):
    async with asyncio.timeout(45):
        return await asyncio.open_connection(LOOPBACK, server.port)


async def hang_up(writer):
    writer.close()
    await writer.wait_closed()


async def test_serves_and_records():
    async with lab.serve_tcp(shout) as server:
        assert server.url == f"tcp://{LOOPBACK}:{server.port}/"
        reader, writer = await dial(server)
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
        await hang_up(writer)
        assert (await server.settle(3)).rows() == [
            ("1", "open", ""),
            ("1", "print", "got hello"),
            ("1", "close", ""),
        ]
    assert server.connections == {}


async def test_the_same_name_takes_the_place_and_the_port():
    first = lab.serve_tcp(shout)
    second = lab.serve_tcp(shout)
    assert second.replaced
    assert not first.is_running
    third = lab.serve(lab.echo, name="shout")  # a WebSocket server is a server as well
    assert third.replaced
    assert third.port


async def test_an_error_is_kept_and_the_connection_closed(capfd):
    async def fail(reader, writer):
        raise ValueError("no")

    server = lab.serve_tcp(fail, name="failing")
    reader, writer = await dial(server)
    assert await reader.read() == b""
    await hang_up(writer)
    assert [event.kind for event in await server.settle(3)] == ["open", "error", "close"]
    (error,) = server.errors
    assert repr(error).endswith("ValueError: no")
    assert capfd.readouterr() == ("", "")


async def test_a_peer_that_leaves_in_the_middle_is_no_error():
    async def wants_more(reader, writer):
        await reader.readexactly(10)

    server = lab.serve_tcp(wants_more)
    _, writer = await dial(server)
    writer.write(b"123")
    await hang_up(writer)
    assert [event.kind for event in await server.settle(2)] == ["open", "close"]
    assert server.errors == []


async def test_stop_ends_a_handler_that_waits():
    async def waits(reader, writer):
        await asyncio.sleep(60)

    server = lab.serve_tcp(waits)
    port = server.port
    reader, writer = await dial(server)
    await server.settle(1)
    async with asyncio.timeout(30):  # half of what the handler sleeps
        await server.stop()
    assert await reader.read() == b""
    await hang_up(writer)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port))


async def test_stop_ends_a_handler_that_swallows_a_cancellation():
    async def stubborn(reader, writer):
        for _ in range(3):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                print("not yet")

    server = lab.serve_tcp(stubborn)
    _, writer = await dial(server)
    await server.settle(1)
    await server.stop(grace=0.05)
    await hang_up(writer)
    assert len(server.events.only("print")) == 3


async def test_stop_gives_a_blocked_loop_up():
    gate = threading.Event()

    async def blocks(reader, writer):
        gate.wait(60)

    server = lab.serve_tcp(blocks)
    _, writer = await dial(server)
    try:
        with pytest.raises(lab.LoopStalled, match=r"gate\.wait"):
            await server.settle(1)
        await server.stop(grace=0.01)
        assert server.events[-1].kind == "stalled"
    finally:
        gate.set()
    await hang_up(writer)
