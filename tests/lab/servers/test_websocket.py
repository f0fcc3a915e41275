"""A server of the lab: there at once, recorded, replaced by name, and gone when told."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import socket
import sys
import threading

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from wslab import lab
from wslab.lab.loop import lab_thread
from wslab.lab.registry import LOOPBACK, listen, registry
from wslab.lab.servers.base import BaseServer
from wslab.lab.servers.websocket import Server

SOON = 45  # seconds; generous, for a busy machine, and below a handler's minute


async def said(url, *messages):
    """Send messages; return the answers."""
    async with asyncio.timeout(SOON), connect(url) as ws:
        answers = []
        for message in messages:
            await ws.send(message)
            answers.append(await ws.recv())
        return answers


async def divide(connection):
    async for message in connection:
        await connection.send(str(1 / float(message)))


class TestServe:
    async def test_listens_at_once_on_a_port_of_its_own(self):
        server = lab.serve(lab.echo)
        assert server.is_running
        assert server.url == f"ws://{LOOPBACK}:{server.port}/"
        assert repr(server) == f"<Server 'echo' {server.url}>"
        assert await said(server.url, "a", b"b") == ["a", b"b"]

    async def test_answers_while_the_callers_loop_is_busy(self):
        server = lab.serve(lab.echo)
        with socket.create_connection((LOOPBACK, server.port), timeout=SOON) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert peer.recv(100).startswith(b"HTTP/1.1 4")

    def test_needs_no_loop_at_all(self):
        server = lab.serve(lab.echo)
        assert lab.run(said(server.url, "x")) == ["x"]

    async def test_the_same_name_takes_the_place_and_the_port(self):
        first = lab.serve(divide, name="demo")
        port = first.port
        client = await connect(first.url)
        second = lab.serve(lab.echo, name="demo")
        assert (first.is_running, repr(first)) == (False, "<Server 'demo' stopped>")
        assert (second.replaced, second.port) == (True, port)
        assert repr(second) == (
            f"<Server 'demo' {second.url}, replaces the earlier server of this name>"
        )
        assert await said(second.url, "new") == ["new"]
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert registry() == {"demo": second}

    async def test_a_handler_is_anything_that_is_called_like_one(self):
        class Room:
            async def __call__(self, connection):
                await connection.send("called")

            async def enter(self, connection, word="entered"):
                await connection.send(word)

        room = Room()
        partial = functools.partial(room.enter, word="partly")
        for handler, name, word in [
            (room, "Room", "called"),
            (room.enter, "enter", "entered"),
            (partial, "partial", "partly"),
        ]:
            server = lab.serve(handler)
            assert server.name == name
            async with connect(server.url) as ws:
                assert await ws.recv() == word
        assert lab.serve(divide, name="x").name == "x"

    @pytest.mark.parametrize("handler", [None, "echo", print, lambda connection: None, lab.Server])
    async def test_nothing_else_is_one(self, handler):
        with pytest.raises(TypeError, match=r"a handler is a function 'async def handler\(connect"):
            lab.serve(handler)

    async def test_a_handler_takes_a_connection(self):
        async def none():
            pass

        async def two(connection, path):
            pass

        for handler in (none, two):
            with pytest.raises(TypeError, match=r"'async def handler\(connection\)', but here: "):
                lab.serve(handler)

    async def test_a_busy_port_says_whose(self):
        server = lab.serve(lab.echo)
        text = rf"port {server.port} is in use by the lab's server 'echo': stop that one, or leave"
        with pytest.raises(OSError, match=text):
            lab.serve(divide, port=server.port)
        assert server.is_running
        assert [*registry()] == ["echo"]

    async def test_a_port_out_of_range(self):
        with pytest.raises(ValueError, match="port is 70000, it must be"):
            lab.serve(lab.echo, port=70000)

    async def test_a_wrong_option_leaves_no_listener(self):
        with pytest.raises(TypeError, match="nonsense"):
            lab.serve(lab.echo, nonsense=1)
        assert registry() == {}
        gc.collect()  # an unclosed socket would warn

    def test_tls_has_a_scheme(self):
        assert Server("x", lab.echo, LOOPBACK, {"ssl": object()}).scheme == "wss"

    async def test_the_librarys_options_are_passed_on(self):
        server = lab.serve(lab.echo, subprotocols=["chat"], compression="deflate")
        async with connect(server.url, subprotocols=["chat"]) as ws:
            assert ws.subprotocol == "chat"
            assert ws.protocol.extensions

    async def test_a_secret_in_the_path_is_not_recorded(self):
        server = lab.serve(lab.echo)
        async with connect(f"{server.url}chat?token=Q7"):
            pass
        await server.settle(2)
        assert server.events[0].text == "/chat?token=(2 characters, not shown)"

    async def test_a_connection_class_of_ones_own(self):
        class Loud(ServerConnection):
            async def send(self, message):
                await super().send(message.upper())

        server = lab.serve(lab.echo, create_connection=Loud)
        async with connect(server.url) as ws:
            await ws.send("hello")
            assert await ws.recv() == "HELLO"
            (connection,) = server.connections
            assert isinstance(connection, Loud)
            assert connection.number == 1
            with pytest.raises(lab.WrongLoop):
                connection.send("x")


class TestErrors:
    async def test_are_kept_with_the_handlers_own_lines(self, capfd, caplog):
        caplog.set_level(logging.DEBUG)
        server = lab.serve(divide)
        with pytest.raises(ConnectionClosedError) as caught:
            await said(server.url, "0")
        assert caught.value.rcvd.code == 1011
        await server.settle(3)
        assert repr(server) == f"<Server 'divide' {server.url}, 1 error: see .errors>"
        (error,) = server.errors
        assert (error.server, error.connection) == ("divide", 1)
        assert isinstance(error.exception, ZeroDivisionError)
        assert repr(error).split("\n") == [
            "The handler of server 'divide' raised on connection 1:",
            "Traceback (most recent call last):",
            f'  File "{__file__}", line {divide.__code__.co_firstlineno + 2}, in divide',
            "    await connection.send(str(1 / float(message)))",
            *(["                              ~~^~~~~~~~~~~~~~~~"]),
            "ZeroDivisionError: float division by zero",
        ]
        assert server.events.rows() == [
            ("1", "open", "/"),
            ("1", "error", "ZeroDivisionError: float division by zero"),
            ("1", "close", "1011 INTERNAL_ERROR"),
        ]
        assert capfd.readouterr() == ("", "")
        assert not [r for r in caplog.records if r.name.startswith(("wslab", "websockets.server"))]

    async def test_are_handed_out_once_and_reading_changes_nothing(self):
        server = lab.serve(divide)
        for _ in range(2):
            with pytest.raises(ConnectionClosedError):
                await said(server.url, "0")
        await server.settle(6)
        assert [error.connection for error in server.unseen_errors()] == [1, 2]
        assert server.unseen_errors() == []
        with pytest.raises(ConnectionClosedError):
            await said(server.url, "0")
        await server.settle(9)
        assert len(server.errors) == 3
        server.errors.clear()  # a copy
        assert [error.connection for error in server.unseen_errors()] == [3]
        assert server.unseen_errors() == []

    async def test_a_peer_that_leaves_is_none(self):
        async def handler(connection):
            await connection.recv()

        server = lab.serve(handler)
        async with connect(server.url):
            pass
        assert [event.kind for event in await server.settle(2)] == ["open", "close"]
        assert server.errors == []

    async def test_exit_in_a_handler_ends_the_handler_only(self):
        async def leave(connection):
            sys.exit("enough")

        server = lab.serve(leave)
        with pytest.raises(ConnectionClosedError):
            await said(server.url, "x")
        await server.settle(3)
        assert server.events[1].text == "SystemExit: enough"
        echo = lab.serve(lab.echo)
        assert await said(echo.url, "alive") == ["alive"]

    async def test_exit_in_a_handlers_task_leaves_the_loop_alive(self):
        async def leave(connection):
            asyncio.create_task(exits())  # noqa: RUF006
            await lab.echo(connection)

        async def exits():
            sys.exit()

        server = lab.serve(leave)
        assert await said(server.url, "still", "alive") == ["still", "alive"]
        gc.collect()


class TestPrints:
    async def test_are_recorded_with_their_connection(self, capfd):
        async def handler(connection):
            async for message in connection:
                print("got", message)
                print("aside", file=sys.stderr)
                await asyncio.create_task(loud(message))
                await connection.send("done")

        async def loud(message):
            print(message.upper())

        server = lab.serve(handler)
        async with connect(server.url) as first, connect(server.url) as second:
            for client, message in ((first, "a"), (second, "b"), (first, "c")):
                await client.send(message)
                assert await client.recv() == "done"
        await server.settle(13)
        assert [event.text for event in server.events.only("print", 1)] == [
            *("got a", "aside", "A", "got c", "aside", "C")
        ]
        assert [event.text for event in server.events.only("print", 2)] == ["got b", "aside", "B"]
        print("outside")
        assert capfd.readouterr() == ("outside\n", "")


class TestSettle:
    async def test_waits_until_nothing_happens(self):
        server = lab.serve(lab.echo)
        assert await server.settle() == []
        await said(server.url, "x")
        assert len(await server.settle()) == 2

    async def test_until_a_number_of_events_or_a_condition(self):
        server = lab.serve(lab.echo)
        waiting = asyncio.create_task(server.settle(2))
        await said(server.url, "x")
        assert [event.kind for event in await waiting] == ["open", "close"]
        waiting = asyncio.create_task(server.settle(lambda: server.events[-1].connection == 2))
        await said(server.url, "x")
        assert len(await waiting) >= 3

    async def test_says_what_has_happened_when_it_takes_too_long(self):
        server = lab.serve(lab.echo)
        async with connect(server.url):
            await server.settle(1)
            with pytest.raises(TimeoutError) as caught:
                await server.settle(9, within=0.01)
        assert str(caught.value) == (
            "not reached within 0.01 s. So far:\nconnection  event  text\n1           open   /"
        )

    async def test_ends_although_there_is_no_quiet(self):
        server = lab.serve(lab.echo)
        async with connect(server.url) as ws:

            async def chatter():
                while True:
                    await ws.send("x")
                    await ws.recv()

            task = asyncio.create_task(chatter())
            await server.settle(within=0.3, quiet=0.2)
            task.cancel()


@pytest.fixture
def blocked():
    """A handler that blocks its loop until the test has ended, and its line."""
    gate = threading.Event()

    async def handler(connection):
        gate.wait(60)

    handler.gate = gate
    yield handler
    gate.set()


class TestStop:
    async def test_twice_and_in_a_block(self):
        async with lab.serve(lab.echo) as server:
            port = server.port
        await server.stop()
        server.stop_now()
        assert not server.is_running
        for where in ("url", "port", "listener"):
            with pytest.raises(RuntimeError, match=r"^server 'echo' is stopped: run the cell that"):
                getattr(server, where)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port))

    async def test_tells_a_client_on_the_callers_loop(self):
        server = lab.serve(lab.echo)
        async with connect(server.url) as ws:
            async with asyncio.timeout(30):  # half of what a handler sleeps
                await server.stop()
            with pytest.raises(ConnectionClosed) as caught:
                await ws.recv()
            assert caught.value.rcvd.code == 1001
        assert server.connections == {}

    async def test_does_not_wait_for_a_client_whose_loop_stands_still(self):
        server = lab.serve(lab.echo)
        ws = await connect(server.url)
        server.stop_now(grace=0.05)  # blocks the client's loop
        await ws.wait_closed()

    async def test_ends_a_handler_that_sleeps_for_a_minute(self):
        async def sleepy(connection):
            try:
                await asyncio.sleep(60)
            finally:
                print("woken")

        server = lab.serve(sleepy)
        async with connect(server.url):
            await server.settle(1)
            async with asyncio.timeout(30):  # half of what a handler sleeps
                await server.stop(grace=0.05)
        assert len(server.events.only("print")) == 1

    @pytest.mark.parametrize("times", [1, 2])
    async def test_ends_a_handler_that_swallows_a_cancellation(self, times):
        async def stubborn(connection):
            for _ in range(times):
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    print("not yet")
            await asyncio.sleep(60)

        server = lab.serve(stubborn)
        async with connect(server.url):
            await server.settle(1)
            await server.stop(grace=0.05)
        assert len(server.events.only("print")) == times
        assert not server.is_running

    async def test_cuts_off_a_client_without_a_handshake(self):
        server = lab.serve(lab.echo)
        with socket.create_connection((LOOPBACK, server.port)) as client:
            client.settimeout(SOON)
            await server.settle(lambda: server.connections)
            await server.stop(grace=0.05)
            assert client.recv(1) == b""
        assert [event.kind for event in server.events] == ["gone"]

    async def test_gives_a_blocked_loop_up(self, blocked, until):
        server = lab.serve(blocked)
        port = server.port
        line = blocked.__code__.co_firstlineno + 1
        async with connect(server.url) as ws:
            with pytest.raises(lab.LoopStalled) as caught:
                await server.settle()
            assert f'test_websocket.py", line {line}, in handler\n    gate.wait(60)' in str(
                caught.value
            )
            thread = server.thread
            async with asyncio.timeout(30):  # half of what a handler sleeps
                await server.stop(grace=0.05)
            text = "the loop of the lab's servers did not answer: stopped"
            assert (await server.settle())[-1].text == text
            again = lab.serve(lab.echo, name="handler", port=port)
            assert (again.port, again.thread is thread) == (port, False)
            assert await said(again.url, "x") == ["x"]
            await server.stop()
            ws.transport.abort()

    async def test_running_the_cell_again_replaces_a_blocked_server(self, blocked):
        server = lab.serve(blocked, name="demo")
        neighbour = lab.serve(lab.echo)
        port = neighbour.port
        client = await connect(server.url)
        again = lab.serve(lab.echo, name="demo")
        assert again.replaced
        assert again.thread is not server.thread
        assert await said(again.url, "x") == ["x"]
        # The neighbour shared the loop that was given up: better refused than never answered.
        assert neighbour.events[-1].kind == "stalled"
        assert not neighbour.is_running
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port))
        client.transport.abort()

    async def test_a_loop_given_up_ends_well(self, blocked, until):
        server = lab.serve(blocked)
        async with connect(server.url) as client:
            server.stop_now(grace=0.01)
            blocked.gate.set()
            with pytest.raises(ConnectionClosed):
                await client.recv()
        await until(lambda: not server.thread.thread.is_alive())
        assert server.thread.loop.is_closed()
        assert not server.connections

    async def test_a_handler_cannot_stop_its_own_server(self):
        async def suicidal(connection):
            await server.stop()

        server = lab.serve(suicidal)
        with pytest.raises(ConnectionClosedError):
            await said(server.url, "x")
        await server.settle(3)
        assert server.events[1].text == (
            "RuntimeError: a handler cannot stop its own server: call stop() in a cell"
        )

    async def test_leaves_no_task_behind(self, until):
        loop = lab_thread("servers").loop
        before = asyncio.all_tasks(loop)  # what other tests are still waiting for
        server = lab.serve(lab.echo)
        client = await connect(server.url)
        await server.stop()
        await client.wait_closed()
        await until(lambda: asyncio.all_tasks(loop) <= before)


async def test_what_every_kind_of_server_must_say_for_itself():
    base = BaseServer("base", LOOPBACK)
    with pytest.raises(NotImplementedError):
        base.start(listen(LOOPBACK, 0))
    assert not base.is_running


async def test_only_the_newest_errors_are_kept(monkeypatch):
    monkeypatch.setattr("wslab.lab.servers.base.ERRORS", 2)

    async def fails(connection):
        message = await connection.recv()
        raise ValueError(message)

    async with lab.serve(fails) as server:
        for i in range(4):
            async with connect(server.url) as ws:
                await ws.send(str(i))
                await ws.wait_closed()
        await server.settle(lambda: len(server.events.only("close")) == 4)
        assert [str(error.exception) for error in server.unseen_errors()] == ["2", "3"]
        assert server.unseen_errors() == []
