"""Names and ports: what runs again takes the place of what ran before."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket

import pytest

from wslab import lab
from wslab.lab.registry import LOOPBACK, listen, registry, replace
from wslab.scratch.server import serve_from_scratch


class Thing:
    """A listener that does nothing but listen."""

    def __init__(self, name="thing", kind="server", taken=()):
        self.name, self.kind, self.taken = name, kind, taken
        self.port = 0
        self.tried = []

    def start(self, port):
        self.tried.append(port)
        if port in self.taken:
            raise OSError(errno.EADDRINUSE, "taken")
        self.port = port or 4000

    def stop_now(self):
        self.port = 0


def test_the_first_of_its_name_gets_any_port():
    thing = Thing()
    assert replace(thing, 0, thing.start) is False
    assert (thing.tried, registry()) == ([0], {"thing": thing})


def test_the_next_takes_its_place_and_its_port():
    first, second = Thing(), Thing()
    replace(first, 0, first.start)
    assert replace(second, 0, second.start) is True
    assert (first.port, second.port, registry()) == (0, 4000, {"thing": second})


def test_a_port_asked_for_comes_before_the_old_one():
    first, second = Thing(), Thing()
    replace(first, 0, first.start)
    replace(second, 5000, second.start)
    assert second.tried == [5000]


def test_an_old_port_that_is_taken_gives_way_to_any_other():
    first, second = Thing(), Thing(taken=[4000])
    replace(first, 0, first.start)
    replace(second, 0, second.start)
    assert second.tried == [4000, 0]


@pytest.mark.parametrize("port", [0, 5000])
def test_otherwise_the_error_is_passed_on(port):
    thing = Thing(taken=[port])
    with pytest.raises(OSError, match="taken"):
        replace(thing, port, thing.start)
    assert registry() == {}


def test_a_stopped_one_hands_no_port_on():
    first, second = Thing(), Thing()
    replace(first, 0, first.start)
    first.stop_now()
    assert replace(second, 0, second.start) is False
    assert second.tried == [0]


def test_another_kind_of_thing_keeps_its_name():
    server, cable = Thing(), Thing(kind="cable")
    replace(server, 0, server.start)
    text = "'thing' is the name of a server: give this cable another"
    with pytest.raises(ValueError, match=text):
        replace(cable, 0, cable.start)
    assert (server.port, cable.tried) == (4000, [])


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_out_of_range(port):
    with pytest.raises(ValueError, match=f"^port is {port}, allowed are 0 .any free one. to 65535"):
        listen(LOOPBACK, port)


def test_a_busy_port_names_the_holder():
    with listen(LOOPBACK, 0) as holder:
        port = holder.getsockname()[1]
        advice = "stop that one, or leave port out to get a free one"
        with pytest.raises(OSError, match="in use") as caught:
            listen(LOOPBACK, port)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.strerror == f"port {port} is in use by another program: {advice}"
        registry()["mine"] = Thing("mine", "cable")
        registry()["mine"].port = port
        with pytest.raises(OSError, match="in use") as caught:
            listen(LOOPBACK, port)
        assert caught.value.strerror == f"port {port} is in use by the lab's cable 'mine': {advice}"


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


async def hang_up(reader, writer):
    writer.close()
