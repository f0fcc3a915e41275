"""A server's connection: recorded, and refused outside its handler's loop."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from wslab import lab
from wslab.lab.registry import LOOPBACK
from wslab.lab.servers.connection import REPLY_LIMIT, RecordedConnection
from wslab.protocol.frames import Frame, Opcode

USES = {
    "send": lambda connection: connection.send("x"),
    "recv": lambda connection: connection.recv(),
    "recv_streaming": lambda connection: connection.recv_streaming(),
    "ping": lambda connection: connection.ping(),
    "pong": lambda connection: connection.pong(),
    "close": lambda connection: connection.close(),
    "wait_closed": lambda connection: connection.wait_closed(),
    "__aiter__": lambda connection: aiter(connection),
}


@pytest.fixture
async def served():
    """An echo server with one client; the server's side of the connection."""
    async with lab.serve(lab.echo) as server, connect(server.url) as client:
        await server.settle(1)
        (connection,) = server.connections
        yield server, client, connection


@pytest.mark.parametrize("name", USES)
async def test_is_refused_in_a_cell(served, name):
    _, client, connection = served
    with pytest.raises(lab.WrongLoop) as caught:
        USES[name](connection)
    assert str(caught.value) == (
        f"connection.{name}() was called outside the server's event loop. A server's connection "
        "belongs to the loop of its handler, on the lab's thread; use it in the handler, or open a "
        "client's connection in the cell with connect(server.url)"
    )
    await client.send("still there")
    assert await client.recv() == "still there"


async def test_is_refused_where_no_loop_runs(served):
    _, _, connection = served
    with pytest.raises(lab.WrongLoop):
        await asyncio.to_thread(connection.send, "x")


async def test_is_refused_to_async_for_in_a_cell(served):
    _, _, connection = served
    with pytest.raises(lab.WrongLoop, match=r"^connection\.__aiter__"):
        async for _ in connection:
            pass


async def test_serves_its_handler(until):
    """What a cell may not do, the handler may: all of it, on the library's terms."""

    async def handler(connection):
        async for _ in connection:
            break
        await (await connection.ping())
        await connection.pong()
        await connection.send(await connection.recv())
        await connection.close(4000, "done\n")
        await connection.wait_closed()

    async with lab.serve(handler) as server, connect(server.url) as client:
        await client.send("1")
        await client.send("2")
        assert await client.recv() == "2"
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        events = await server.settle(2)
        assert repr(events[1]) == "Record(connection=1, kind='close', text='4000 \"done\\\\n\"')"
        assert server.errors == []


@pytest.mark.parametrize("name", USES)
def test_keeps_the_librarys_documentation(name):
    if name != "__aiter__":
        assert getattr(RecordedConnection, name).__doc__.strip()


class TestEvents:
    async def test_open_and_close_are_numbered(self):
        async with lab.serve(lab.echo) as server:
            for path in ("", "chat?room=1"):
                async with connect(server.url + path):
                    pass
                await server.settle(lambda: server.events[-1].kind == "close")
            assert server.events.rows() == [
                ("1", "open", "/"),
                ("1", "close", "1000 NORMAL_CLOSURE"),
                ("2", "open", "/chat?room=1"),
                ("2", "close", "1000 NORMAL_CLOSURE"),
            ]
            assert server.connections == {}

    async def test_what_a_cell_gets_is_a_snapshot(self):
        """It does not grow in the cell's hands, and the cell cannot change the record."""
        async with lab.serve(lab.echo) as server:
            async with connect(server.url):
                first = await server.settle(1)
                server.connections.clear()
                assert len(server.connections) == 1
            server.events.clear()
            assert [event.kind for event in await server.settle(2)] == ["open", "close"]
            assert [event.kind for event in first] == ["open"]

    async def test_a_refused_origin(self):
        async with lab.serve(lab.echo, origins=["https://ours.example"]) as server:
            with pytest.raises(InvalidStatus):
                await connect(server.url, origin="https://theirs.example")
            assert (await server.settle(1)).rows() == [("1", "refused", "403 Forbidden")]

    async def test_plain_http_is_refused(self):
        async with lab.serve(lab.echo) as server:
            reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 426 ")
            await reader.read()
            writer.close()
            await writer.wait_closed()
            assert (await server.settle(1)).rows() == [("1", "refused", "426 Upgrade Required")]

    async def test_a_peer_that_leaves_before_the_handshake(self):
        async with lab.serve(lab.echo) as server:
            socket.create_connection((LOOPBACK, server.port)).close()
            assert (await server.settle(1)).rows() == [
                ("1", "gone", "left before the opening handshake was done")
            ]

    async def test_a_peer_that_vanishes(self):
        async with lab.serve(lab.echo) as server:
            client = await connect(server.url)
            client.transport.abort()
            assert (await server.settle(2)).rows()[1] == ("1", "close", "1006 ABNORMAL_CLOSURE")
            assert server.errors == []


async def test_pongs_for_a_peer_that_does_not_read_are_bounded():
    """Whoever writes them: here it is the library, not the handler."""
    loop = asyncio.get_running_loop()
    pings = Frame(Opcode.PING, bytes(125), mask=bytes(4)).serialize() * 1000
    request = (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with lab.serve(lab.echo) as server, asyncio.timeout(60):
        with socket.create_connection((LOOPBACK, server.port)) as sock:
            sock.sendall(request)
            sock.setblocking(False)
            with pytest.raises(ConnectionError):  # noqa: PT012
                while True:
                    await loop.sock_sendall(sock, pings)
        await server.settle(lambda: server.events.only("close"))
        (dropped,) = server.events.only("dropped")
        assert REPLY_LIMIT < int(dropped.text.split()[0]) < 2 * REPLY_LIMIT
    assert server.errors == []
