"""Names and ports: what runs again takes the place of what ran before."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
import threading

import pytest
from aiohttp import web

from wslab import lab
from wslab.apps import chat
from wslab.lab.registry import LOOPBACK, listen, registry
from wslab.lab.servers.http import serve_app
from wslab.scratch.server import serve_from_scratch

TARGET = socket.create_server((LOOPBACK, 0))
KINDS = {
    "websockets": lambda **options: lab.serve(lab.echo, name="one", **options),
    "from scratch": lambda **options: serve_from_scratch(lab.echo, name="one", **options),
    "tcp": lambda **options: lab.serve_tcp(hang_up, name="one", **options),
    "http": lambda **options: serve_app(web.Application(), name="one", **options),
    "chat": lambda **options: chat.serve(name="one", **options),
    "cable": lambda **options: lab.cable(TARGET.getsockname(), name="one", **options),
}
WITH_HOST = [kind for kind in KINDS if kind not in ("tcp", "cable")]


async def hang_up(reader, writer):
    writer.close()


def greet(connection):
    """Not a coroutine function."""


@pytest.fixture(params=KINDS)
def serve(request):
    return KINDS[request.param]


class TestReplace:
    def test_the_first_of_its_name_gets_any_port(self, serve):
        first = serve()
        assert first.is_running
        assert registry() == {"one": first}
        assert not getattr(first, "replaced", False)

    def test_the_next_takes_its_place_and_its_port(self, serve):
        first = serve()
        port = first.port
        second = serve()
        assert (first.is_running, second.is_running, second.port) == (False, True, port)
        assert registry() == {"one": second}
        socket.create_connection((LOOPBACK, port)).close()

    def test_a_port_asked_for_comes_before_the_old_one(self, serve):
        first = serve()
        with listen(LOOPBACK, 0) as free:
            port = free.getsockname()[1]
        assert serve(port=port).port == port
        assert not first.is_running

    def test_a_stopped_one_is_not_replaced(self, serve):
        first = serve()
        first.stop_now()
        assert not getattr(serve(), "replaced", False)

    def test_another_kind_of_thing_keeps_its_name(self):
        server = lab.serve(lab.echo, name="one")
        text = "'one' is the name of a server: give this cable a different name"
        with pytest.raises(ValueError, match=text):
            KINDS["cable"]()
        assert server.is_running

    def test_on_another_host_with_the_same_port(self):
        first = lab.serve(lab.echo, name="one")
        port = first.port
        second = lab.serve(lab.echo, name="one", host="0.0.0.0")
        assert (first.is_running, second.port) == (False, port)

    def test_an_old_port_that_is_taken_meanwhile_gives_way_to_any_other(self, monkeypatch):
        first = lab.serve(lab.echo, name="one")
        port, stop_now = first.port, first.stop_now
        with contextlib.ExitStack() as thief:

            def stop_and_steal():
                stop_now()
                thief.enter_context(listen(LOOPBACK, port))

            monkeypatch.setattr(first, "stop_now", stop_and_steal)
            second = lab.serve(lab.echo, name="one", host="0.0.0.0")
            assert second.port not in (0, port)


class TestMistakes:
    """The server that runs goes on, its connections too, and one line names the mistake."""

    @pytest.fixture
    def unharmed(self, serve):
        """A running server with a connection, which must both be there afterwards."""
        first = serve()
        with socket.create_connection((LOOPBACK, first.port)) as peer:
            yield
            assert first.is_running
            assert registry() == {"one": first}
            socket.create_connection((LOOPBACK, first.port)).close()
            peer.settimeout(0)
            with contextlib.suppress(BlockingIOError):  # nothing to read: it is still open
                assert peer.recv(1) == b""
                assert serve is KINDS["tcp"]  # whose handler hangs up

    @pytest.mark.usefixtures("unharmed")
    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"prot": 8000}, TypeError, "'prot'"),
            (
                {"port": "8000"},
                TypeError,
                "^port is '8000', it must be a whole number from 0 .*65535$",
            ),
            (
                {"port": 80000},
                ValueError,
                "^port is 80000, it must be from 0 .any free one. to 65535$",
            ),
            ({"port": -1}, ValueError, "^port is -1, "),
            ({"port": True}, TypeError, "^port is True, it must be a whole number"),
            ({"port": None}, TypeError, "^port is None, it must be a whole number"),
            ({"port": 8000.0}, TypeError, "^port is 8000.0, it must be a whole number"),
        ],
    )
    def test_in_an_option_or_the_port(self, serve, options, error, text):
        with pytest.raises(error, match=text) as caught:
            serve(**options)
        assert "\n" not in str(caught.value)

    @pytest.mark.usefixtures("unharmed")
    def test_a_port_that_is_taken(self, serve):
        with listen(LOOPBACK, 0) as other:
            port = other.getsockname()[1]
            with pytest.raises(OSError, match=f"port {port} is in use by another program"):
                serve(port=port)

    @pytest.mark.parametrize("serve", [KINDS[kind] for kind in WITH_HOST], ids=WITH_HOST)
    @pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 70, "1::2::3"])
    def test_a_host_that_is_not_here(self, serve, host):
        first = serve()
        for port in (0, first.port):
            with pytest.raises(
                OSError, match=f"host '{host[:30]}.* is not an address to listen on"
            ):
                serve(host=host, port=port)
        assert first.is_running
        with pytest.raises(TypeError, match=r"^host is None, it must be text"):
            serve(host=None)
        assert first.is_running

    @pytest.mark.parametrize("host", [LOOPBACK, "0.0.0.0"])
    def test_what_the_library_refuses(self, host):
        first = lab.serve(lab.echo, name="one")
        port = first.port
        with pytest.raises(ValueError, match="compression"):
            lab.serve(lab.echo, name="one", host=host, compression="zip")
        assert (first.is_running, first.port) == (True, port)
        assert registry() == {"one": first}

    def test_an_application_that_does_not_start(self):
        async def fail(app):
            raise RuntimeError("no database")

        first = KINDS["http"]()
        port, broken = first.port, web.Application()
        broken.on_startup.append(fail)
        with pytest.raises(RuntimeError, match="no database"):
            serve_app(broken, name="one")
        assert (first.is_running, first.port) == (True, port)

    @pytest.mark.parametrize(
        "option",
        [
            *({name: value} for name in ("open_timeout", "ping_interval") for value in ("1", -1)),
            {"close_timeout": float("nan")},
            *({"max_size": value} for value in (-1, "1", 1.5, (1, 2, 3), True)),
            *({name: "1"} for name in ("max_queue", "write_limit")),
            *({name: "chat"} for name in ("origins", "extensions", "subprotocols")),
            *({name: 5} for name in ("process_request", "process_response", "select_subprotocol")),
            *({"ssl": value} for value in (True, "x")),
            *({"create_connection": value} for value in (int, 5)),
        ],
        ids=repr,
    )
    def test_an_option_that_cannot_work(self, option):
        """The library would notice it only when a client comes."""
        first = lab.serve(lab.echo)
        (name,) = option
        with pytest.raises(ValueError, match=f"^{name} is .*, it must be .*, or None$"):
            lab.serve(lab.echo, **option)
        assert first.is_running

    def test_the_likely_option_is_named(self):
        with pytest.raises(TypeError, match=r"^a server has no option 'prot': did you mean 'port'"):
            lab.serve(lab.echo, prot=8000)
        with pytest.raises(TypeError, match=r"no option 'maxsize': did you mean 'max_size'"):
            lab.serve(lab.echo, maxsize=1)
        with pytest.raises(TypeError, match=r"^a server has no option 'sock'$"):
            lab.serve(lab.echo, sock=None)
        with pytest.raises(TypeError, match=r"no option 'que': did you mean 'queue'"):
            serve_from_scratch(lab.echo, que=1)

    @pytest.mark.parametrize("start", [lab.serve, serve_from_scratch, lab.serve_tcp])
    def test_a_handler_that_is_none(self, start):
        first = lab.serve(lab.echo, name="greet")
        with pytest.raises(TypeError, match="a handler is a function 'async def handler"):
            start(greet)
        assert first.is_running

    def test_a_loop_that_hangs_does_not_keep_the_old_one(self):
        gate = threading.Event()
        first = lab.serve(lab.echo, name="one")
        first.thread.loop.call_soon_threadsafe(gate.wait)
        second = lab.serve(lab.echo, name="one")
        gate.set()
        assert (first.is_running, second.is_running) == (False, True)
        assert second.thread is not first.thread


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_out_of_range(port):
    with pytest.raises(
        ValueError, match=f"^port is {port}, it must be from 0 .any free one. to 65535"
    ):
        listen(LOOPBACK, port)


def test_a_busy_port_names_the_holder():
    with listen(LOOPBACK, 0) as holder:
        port = holder.getsockname()[1]
        advice = "stop that one, or leave port out to get a free one"
        with pytest.raises(OSError, match="in use") as caught:
            listen(LOOPBACK, port)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.strerror == f"port {port} is in use by another program: {advice}"
    mine = lab.cable((LOOPBACK, 9), name="mine")
    with pytest.raises(OSError, match=f"{mine.port} is in use by the lab's cable 'mine': stop"):
        listen(LOOPBACK, mine.port)


def test_another_error_is_passed_on():
    with pytest.raises(OSError, match=r".") as caught:
        listen("192.0.2.1", 0)  # no address of this machine (RFC 5737)
    assert caught.value.errno != errno.EADDRINUSE


def test_a_port_can_be_listened_on_again_while_old_connections_linger():
    with listen(LOOPBACK, 0) as first:
        where = first.getsockname()
        client = socket.create_connection(where)
        served, _ = first.accept()
    served.close()  # the side that closes first holds the port, in TIME_WAIT
    client.close()
    listen(*where).close()


def test_connections_do_not_hold_small_writes_back():
    with listen(LOOPBACK, 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "start",
    [
        lambda: lab.serve(lab.echo),
        lambda: serve_from_scratch(lab.echo),
        lambda: lab.serve_tcp(hang_up),
        lambda: lab.cable(lab.serve(lab.echo)),
    ],
    ids=["websockets", "from scratch", "tcp", "cable"],
)
def test_a_connection_accepted_as_the_listener_stops_is_closed(start):
    """CPython loses it (see `accept_no_more`): then this test ends with a ResourceWarning."""
    listener = start()

    async def stop():
        peer = socket.create_connection((LOOPBACK, listener.port))
        for _ in range(2):  # to the turn of the loop in which it is accepted
            await asyncio.sleep(0)
        await (listener._stop() if listener.kind == "cable" else listener._stop(0.2))
        return peer

    with listener.thread.call(stop) as peer:
        peer.settimeout(5)
        listener.stop_now()
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(1) == b""
    gc.collect()
