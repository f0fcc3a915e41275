"""The bench without sockets and threads, in real time: WSLAB_NETWORK=memory."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from functools import partial

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_blocking

from wslab import lab
from wslab.lab.servers.connection import WrongLoop
from wslab.net import Deadlock, simulate
from wslab.net.realtime.choice import NeedsSystem
from wslab.net.realtime.host import network_here
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.server import serve_from_scratch

pytestmark = pytest.mark.usefixtures("memory")


async def shout(ws):
    print("somebody is here")
    async for message in ws:
        await ws.send(message.upper())


async def talk(url, client=connect):
    async with asyncio.timeout(45), client(url) as ws:
        await ws.send("hello")
        return await ws.recv()


@pytest.mark.parametrize("client", [connect, connect_from_scratch])
@pytest.mark.parametrize("serve", [lab.serve, serve_from_scratch])
async def test_a_server_and_its_record(serve, client):
    server = serve(shout, name="shout")
    assert await talk(server.url, client) == "HELLO"
    events = await server.settle(until=lambda: server.events.only("close"))
    assert [event.kind for event in events] == ["open", "print", "close"]
    await server.stop()
    assert not server.is_running


async def test_a_server_that_has_stopped():
    server = lab.serve(shout)
    url = server.url
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await connect(url)


async def test_nothing_reaches_the_system():
    server = lab.serve(shout)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", server.port))  # the system has not given this port away
    assert await talk(server.url) == "HELLO"


async def test_a_cell_that_runs_again():
    ports = set()
    for number in range(3):
        server = lab.serve(shout, name="shout")
        assert server.replaced is (number > 0)
        ports.add(server.port)
        assert await talk(server.url) == "HELLO"
    assert len(ports) == 1


async def test_a_cable_and_its_faults():
    server = lab.serve(shout)
    cable = lab.cable(server)
    ws = await connect(cable.url, ping_interval=None)
    await ws.send("one")
    assert await ws.recv() == "ONE"
    cable.freeze()
    await ws.send("two")
    done, _ = await asyncio.wait([waiting := asyncio.ensure_future(ws.recv())], timeout=0.05)
    assert not done
    cable.thaw()
    assert await waiting == "TWO"
    cable.split(1, gap=0.001)
    cable.delay(0.01)
    await ws.send("three")
    assert await ws.recv() == "THREE"
    cable.mend()
    cable.cut()
    with pytest.raises(ConnectionClosed):
        await ws.recv()
    texts = [row.text for row in (await cable.settle()).frames]
    assert texts == ["one", "ONE", "two", "TWO", "three", "THREE"]
    await cable.stop()


async def test_a_dead_target():
    cable = lab.cable(9)
    with pytest.raises(websockets.InvalidMessage):
        await connect(cable.url)
    assert "cannot be reached" in (await cable.settle())[0].text


async def test_tcp_and_a_large_answer():
    async def flood(reader, writer):
        writer.write(bytes(3_000_000))
        await writer.drain()

    server = lab.serve_tcp(flood)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert len(await reader.read()) == 3_000_000
    writer.close()
    await writer.wait_closed()


async def test_a_message_that_is_too_long():
    server = lab.serve(shout, max_size=1000)
    async with connect(server.url) as ws:
        with suppress(ConnectionClosed):
            await ws.send("x" * 2_000_000)
        await ws.wait_closed()
    assert ws.close_code == 1009


async def test_a_small_buffer(until):
    async def flood(reader, writer):
        writers.append(writer)
        writer.write(bytes(100_000))
        await reader.read()

    writers = []
    server = lab.serve_tcp(flood)
    sock = await network_here().dial("127.0.0.1", server.port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1000)
    reader, writer = await asyncio.open_connection(sock=sock, limit=1)
    await until(lambda: writers)
    assert writers[0].transport.get_write_buffer_size() > 90_000
    assert len(await reader.readexactly(100_000)) == 100_000
    writer.close()


async def test_a_server_on_the_loop_that_runs():
    async with websockets.serve(shout, "localhost", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await talk(f"ws://localhost:{port}/") == "HELLO"
        assert await talk(lab.cable(port).url) == "HELLO"


async def test_a_connection_belongs_to_its_handler():
    server = lab.serve(shout)
    async with connect(server.url):
        await server.settle(until=1)
        (connection,) = server.connections
        with pytest.raises(WrongLoop):
            await connection.send("from the cell")


async def test_an_error_of_a_handler():
    async def divide(ws):
        1 / 0  # noqa: B018

    server = lab.serve(divide)
    async with connect(server.url) as ws:
        await ws.wait_closed()
    assert ws.close_code == 1011
    assert "ZeroDivisionError" in repr(server.errors)


def test_a_script_without_a_loop():
    server = lab.serve(shout)
    assert [asyncio.run(talk(server.url)) for _ in range(2)] == ["HELLO"] * 2
    assert lab.run(talk(server.url)) == "HELLO"
    cable = lab.cable(server)
    assert lab.run(talk(cable.url), timeout=45) == "HELLO"
    with pytest.raises(TimeoutError):
        lab.run(asyncio.sleep(3600), timeout=0.01)
    server.stop_now()
    assert not server.is_running


async def test_a_cell_that_blocks_lets_the_servers_work():
    server = lab.serve(shout)
    assert lab.run(talk(lab.cable(server).url)) == "HELLO"
    assert await talk(server.url) == "HELLO"


def test_nobody_is_left_to_end_the_wait():
    with pytest.raises(Deadlock, match="waits"):
        lab.run(asyncio.Event().wait())


async def test_a_handler_that_waits_for_itself():
    async def wait(ws):
        lab.run(asyncio.sleep(0))

    async def stop(ws):
        await server.stop()

    for handler, message in ((wait, "would wait for itself"), (stop, "cannot stop its own")):
        server = lab.serve(handler, name="itself")
        async with connect(server.url) as ws:
            await ws.wait_closed()
        assert message in repr(server.errors)


async def test_a_handler_uses_a_cable():
    async def cut(ws):
        await ws.recv()
        cable.cut()

    server = lab.serve(cut)
    cable = lab.cable(server)
    async with connect(cable.url) as ws:
        await ws.send("now")
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    assert server.errors == []


async def test_a_simulation_inside():
    async def main():
        server = lab.serve(shout)
        async with connect(server.url, proxy=None) as ws:
            await ws.send("virtual")
            answer = await ws.recv()
        await server.stop()
        return answer

    server = lab.serve(shout)
    assert simulate(main).result() == "VIRTUAL"
    assert await talk(server.url) == "HELLO"


async def test_where_nobody_can_listen_or_connect():
    server = lab.serve(shout)
    with pytest.raises(OSError, match="in use by the lab's server 'shout'"):
        lab.serve(shout, name="another", port=server.port)
    with pytest.raises(OSError, match="not an address to listen on here"):
        lab.serve(shout, name="another", host="192.0.2.1")
    with pytest.raises(NeedsSystem, match=r"a way to 'example\.com'"):
        async for _ in connect("ws://example.com/"):
            pass


@pytest.mark.parametrize(
    "use",
    [
        lambda url: connect_blocking(url),
        lambda url: urllib.request.urlopen(url.replace("ws", "http", 1)),
        lambda url: socket.create_connection(("localhost", int(url[:-1].rpartition(":")[2]))),
    ],
    ids=["the library's blocking client", "urllib", "a socket"],
)
def test_blocking_sockets_say_what_they_need(use):
    server = lab.serve(shout)
    with pytest.raises(NeedsSystem, match="this needs a socket of the system"):
        use(server.url)


async def test_processes_and_threads_say_what_they_need():
    async def work(ws):
        await asyncio.to_thread(print)

    server = lab.serve(work)
    async with connect(server.url) as ws:
        await ws.wait_closed()
    assert "NeedsSystem: this needs an executor" in repr(server.errors)
    with pytest.raises(NeedsSystem, match="a second process"):
        await asyncio.create_subprocess_exec(sys.executable)
    with pytest.raises(NeedsSystem, match="a second kernel"):
        await lab.run_all(["1"])
    cable = lab.cable(server)
    for function in (partial(lab.serve, shout), cable.freeze, server.stop_now):
        with pytest.raises(NeedsSystem, match="a second thread"):
            await asyncio.to_thread(function)


def test_an_unknown_network(monkeypatch):
    monkeypatch.setenv("WSLAB_NETWORK", "carrier pigeons")
    with pytest.raises(ValueError, match="'carrier pigeons', it must be"):
        lab.serve(shout)


def test_a_server_for_other_programs():
    command = [sys.executable, "-m", "wslab", "serve", "echo"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=45, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "this needs sockets" in ended.stderr
