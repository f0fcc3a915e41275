"""simulate: what works in it, what cannot, how it ends, and what it returns."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from wslab.net import Deadlock, Livelock, NotSimulated, OutOfTime, simulate
from wslab.scratch.client import connect_from_scratch

from .peers import listen


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def talk(messages=3, host="server"):
    async with serve(echo, host, 9000), connect(f"ws://{host}:9000/", proxy=None) as ws:
        got = []
        for number in range(messages):
            await ws.send(f"message {number}")
            got.append(await ws.recv())
            await asyncio.sleep(60)
        return got


class TestWhatWorks:
    def test_the_library_in_virtual_time(self):
        run = simulate(talk)
        assert run.result() == ["message 0", "message 1", "message 2"]
        assert 180 < run.seconds < 181
        assert (run.errors, run.recording) == ((), None)

    async def test_inside_a_running_loop(self):
        """As in a notebook's cell: that loop and its task go on afterwards."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert simulate(talk).result() == simulate(talk()).result()
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
        async with asyncio.timeout(5):
            await asyncio.sleep(0)

    def test_in_a_simulation(self):
        async def main():
            before = asyncio.get_running_loop().time()
            inner = simulate(talk).seconds
            await asyncio.sleep(1)
            return inner, asyncio.get_running_loop().time() - before

        assert simulate(main).result() == (simulate(talk).seconds, 1)

    def test_on_another_thread(self):
        found = []
        thread = threading.Thread(target=lambda: found.append(simulate(talk).result()))
        thread.start()
        thread.join()
        assert len(found[0]) == 3

    def test_the_client_from_scratch(self):
        async def main():
            async with serve(echo, "localhost", 9000):
                ws = await connect_from_scratch("ws://localhost:9000/")
                await ws.send("Hello")
                answer = await ws.recv()
                await ws.close()
                return answer

        assert simulate(main).result() == "Hello"

    def test_tls(self):
        """In both ways: from the first byte, and later."""
        authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("server").configure_cert(context)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)

        async def later(reader, writer):
            await reader.readexactly(1)
            writer.write(b"!")  # from now on, what comes is TLS
            await writer.start_tls(context)
            writer.write(await reader.readexactly(5))
            writer.close()

        async def main():
            async with (
                serve(echo, "server", 443, ssl=context),
                connect("wss://server/", ssl=trusting, proxy=None) as ws,
            ):
                await ws.send("Hello")
                first = await ws.recv()
            async with await asyncio.start_server(later, "server", 80):
                reader, writer = await asyncio.open_connection("server", 80)
                writer.write(b"?")
                await reader.readexactly(1)
                await writer.start_tls(trusting, server_hostname="server")
                writer.write(b"Hello")
                second = await reader.read()
                writer.close()
            return first, second

        assert simulate(main).result() == ("Hello", b"Hello")

    def test_a_call_from_its_own_thread(self):
        async def main():
            called = asyncio.Event()
            asyncio.get_running_loop().call_soon_threadsafe(called.set)
            await called.wait()

        simulate(main).result()

    def test_asynchronous_generators_are_closed(self):
        ended = []

        async def numbers():
            try:
                yield 1
            finally:
                await asyncio.sleep(1)
                ended.append(True)

        async def main():
            main.numbers = numbers()
            return await anext(main.numbers)

        assert simulate(main).result() == 1
        assert ended


# What each is called with: the loop, and a listening socket of the system.
REFUSED = {
    "a thread": lambda loop, sock: asyncio.to_thread(print),
    "an executor": lambda loop, sock: loop.run_in_executor(None, print),
    "a default executor": lambda loop, sock: loop.set_default_executor(None),
    "a process": lambda loop, sock: asyncio.create_subprocess_exec("true"),
    "a shell": lambda loop, sock: asyncio.create_subprocess_shell("true"),
    "a pipe to read": lambda loop, sock: loop.connect_read_pipe(asyncio.Protocol, sock),
    "a pipe to write": lambda loop, sock: loop.connect_write_pipe(asyncio.Protocol, sock),
    "UDP": lambda loop, sock: loop.create_datagram_endpoint(asyncio.DatagramProtocol),
    "Unix": lambda loop, sock: asyncio.open_unix_connection("/tmp/x"),
    "a Unix server": lambda loop, sock: asyncio.start_unix_server(print, "/tmp/x"),
    "a signal": lambda loop, sock: loop.add_signal_handler(2, print),
    "no signal": lambda loop, sock: loop.remove_signal_handler(2),
    "a name": lambda loop, sock: loop.getnameinfo(("127.0.0.1", 80)),
    "a server": lambda loop, sock: loop.create_server(asyncio.Protocol, sock=sock),
    "a client": lambda loop, sock: loop.create_connection(asyncio.Protocol, sock=sock),
    "streams": lambda loop, sock: asyncio.open_connection(sock=sock),
    "accepted": lambda loop, sock: loop.connect_accepted_socket(asyncio.Protocol, sock),
    "accept": lambda loop, sock: loop.sock_accept(sock),
    "connect": lambda loop, sock: loop.sock_connect(sock, sock.getsockname()),
    "recv": lambda loop, sock: loop.sock_recv(sock, 1),
    "recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(1)),
    "sendall": lambda loop, sock: loop.sock_sendall(sock, b"x"),
    "sendfile": lambda loop, sock: loop.sendfile(None, sock),
    "reader": lambda loop, sock: loop.add_reader(sock, print),
    "writer": lambda loop, sock: loop.add_writer(sock, print),
    "a file": lambda loop, sock: loop.add_reader(0, print),
}


@pytest.mark.parametrize("use", REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_raises_one_clear_error(use):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await use(asyncio.get_running_loop(), listener)

    with pytest.raises(NotSimulated, match=r"in memory, it does not have an? "):
        simulate(main).result()


# What each does on a different thread: the loop, an event that a task waits for, and a coroutine.
FROM_A_THREAD = {
    "call_soon": lambda loop, event, coroutine: loop.call_soon(print),
    "call_soon_threadsafe": lambda loop, event, coroutine: loop.call_soon_threadsafe(print),
    "call_later": lambda loop, event, coroutine: loop.call_later(1, print),
    "call_at": lambda loop, event, coroutine: loop.call_at(1, print),
    "a coroutine": lambda loop, _, coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop),
    "a task": lambda loop, event, coroutine: loop.create_task(coroutine),
    "an event": lambda loop, event, coroutine: event.set(),
}


@pytest.mark.parametrize("use", FROM_A_THREAD.values(), ids=FROM_A_THREAD)
def test_a_call_from_a_thread_raises_it_too(use):
    async def nothing():
        pass

    async def main():
        loop, event, raised = asyncio.get_running_loop(), asyncio.Event(), []
        waiting = asyncio.create_task(event.wait())
        await asyncio.sleep(0)

        def call():
            coroutine = nothing()
            try:
                use(loop, event, coroutine)
            except NotSimulated as error:
                raised.append(error)
            coroutine.close()

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        waiting.cancel()
        raise raised[0]

    with pytest.raises(NotSimulated, match="does not have a call from another thread"):
        simulate(main).result()


class TestSmallThings:
    def test_a_server_and_a_connection_have_a_text(self):
        """It shows the addresses, as that of a real one does."""

        async def main():
            async with await asyncio.start_server(listen, "server", 9000) as server:
                _, writer = await asyncio.open_connection("server", 9000)
                writer.close()
                return repr(server), repr(writer.get_extra_info("socket"))

        of_server, of_client = simulate(main).result()
        assert "laddr=('server', 9000)" in of_server
        assert "raddr=('server', 9000)" in of_client

    @pytest.mark.parametrize("port", ["80", "http", b"80"])
    def test_a_port_may_be_text(self, port):
        async def main():
            async with await asyncio.start_server(listen, "server", port):
                _, writer = await asyncio.open_connection("server", 80)
                writer.close()
                _, writer = await asyncio.open_connection("server", port)
                writer.close()

        simulate(main).result()

    @pytest.mark.parametrize("port", [-1, 65536])
    @pytest.mark.parametrize("use", [asyncio.start_server, asyncio.open_connection])
    def test_a_port_that_cannot_be(self, use, port):
        async def main():
            callback = [lambda *_: None] * (use is asyncio.start_server)
            await use(*callback, "server", port)

        with pytest.raises(OverflowError, match=f"port is {port}"):
            simulate(main).result()

    def test_a_service_that_nobody_knows(self):
        async def main():
            await asyncio.open_connection("server", "gopherz")

        with pytest.raises(socket.gaierror, match="nobody knows the service 'gopherz'") as caught:
            simulate(main).result()
        assert caught.value.errno == socket.EAI_SERVICE


class TestWhenItCannotGoOn:
    def test_a_deadlock_names_who_waits_and_where(self):
        async def main():
            first, second = asyncio.Event(), asyncio.Event()

            async def wait_for(one, other):
                await one.wait()
                other.set()

            async with asyncio.TaskGroup() as group:
                group.create_task(wait_for(first, second), name="the first")
                group.create_task(wait_for(second, first), name="the second")

        with pytest.raises(Deadlock) as caught:
            simulate(main).result()
        said = str(caught.value)
        assert "deadlock at 0 s" in said
        assert "the first: " in said
        assert "wait_for → wait waits in locks.py, line" in said
        assert said.count("\n") == 3

    def test_tasks_that_wait_for_each_other(self):
        """asyncio itself cannot cancel them: it would go round in a circle."""
        ended = []

        async def main():
            async def wait_for(name):
                try:
                    await tasks[name]
                finally:
                    ended.append(name)

            pairs = {"one": "two", "two": "one"}
            tasks = {a: asyncio.create_task(wait_for(b), name=a) for a, b in pairs.items()}
            await tasks["one"]

        run = simulate(main)
        with pytest.raises(Deadlock, match=r"(?s)one: wait_for waits.*two: wait_for waits"):
            run.result()
        assert run.errors == ()
        assert sorted(ended) == ["one", "two"]

    @pytest.mark.parametrize("pause", [0, 1e-9])
    def test_a_livelock(self, pause):
        async def main():
            for _ in itertools.count():
                await asyncio.sleep(pause)

        said = r"(?s)livelock at .* steps, and hardly any time has passed.*main"
        with pytest.raises(Livelock, match=said):
            simulate(main).result()

    def test_too_much_virtual_time(self):
        async def main():
            for _ in itertools.count():
                await asyncio.sleep(1)

        run = simulate(main, within=100)
        with pytest.raises(OutOfTime, match=r"(?s)within 100 s.*main → sleep waits"):
            run.result()
        assert run.seconds == 100

    def test_what_the_program_raises(self):
        async def main():
            await asyncio.sleep(1)
            raise LookupError("gone")

        run = simulate(main)
        with pytest.raises(LookupError, match="gone"):
            run.result()
        assert repr(run) == "seed 0, 1 s: LookupError: gone"


class TestErrors:
    def test_of_callbacks(self):
        async def main():
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(1)

        (error,) = simulate(main).errors
        assert isinstance(error, ZeroDivisionError)

    def test_of_tasks_that_nobody_awaits(self):
        async def fail():
            raise LookupError

        async def main():
            asyncio.create_task(fail())  # noqa: RUF006
            await asyncio.sleep(1)

        (error,) = simulate(main).errors
        assert isinstance(error, LookupError)

    def test_of_the_library_s_handlers(self, capfd):
        async def fail(ws):
            raise LookupError("in the handler")

        async def main():
            async with serve(fail, "server", 9000), connect("ws://server:9000/", proxy=None) as ws:
                await ws.wait_closed()
                return ws.close_code

        run = simulate(main)
        assert run.value == 1011
        assert [type(error) for error in run.errors] == [LookupError]
        assert capfd.readouterr() == ("", "")

    def test_of_the_clean_up(self):
        async def beside():
            try:
                await asyncio.sleep(1000)
            finally:
                raise LookupError("while it was cancelled")

        async def main():
            main.task = asyncio.create_task(beside())
            await asyncio.sleep(1)

        (error,) = simulate(main).errors
        assert isinstance(error, LookupError)

    def test_not_of_handlers_that_are_cancelled_at_the_end(self):
        async def main():
            await asyncio.start_server(lambda reader, writer: reader.read(), "server", 80)
            main.stream = await asyncio.open_connection("server", 80)
            await asyncio.sleep(1)

        assert simulate(main).errors == ()

    def test_of_a_task_that_goes_on(self):
        async def stubborn():
            while True:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(1)

        async def main():
            main.task = asyncio.create_task(stubborn(), name="stubborn")
            await asyncio.sleep(1)

        (error,) = simulate(main).errors
        assert str(error) == "stubborn went on after it was cancelled at the end"

    def test_before_the_first_step(self):
        def main():
            raise LookupError("no coroutine")

        run = simulate(main)
        assert isinstance(run.error, LookupError)
        assert run.seconds == 0


class TestWhatItLeavesAlone:
    def test_chance(self):
        random.seed(5)
        expected = [random.random(), random.random()]
        random.seed(5)
        first = random.random()
        drawn = simulate(self.draw).result()
        assert [first, random.random()] == expected
        assert drawn == simulate(self.draw).result() != simulate(self.draw, seed=1).result()

    async def draw(self):
        return random.random()

    def test_garbage(self):
        before = gc.isenabled(), gc.get_freeze_count()
        simulate(self.draw)
        assert (gc.isenabled(), gc.get_freeze_count()) == before

    def test_memory(self):
        """Many runs leave nothing behind."""
        simulate(talk)
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(20):
            simulate(talk)
        gc.collect()
        assert len(gc.get_objects()) - before < 200
