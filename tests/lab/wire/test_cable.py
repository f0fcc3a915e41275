"""The cable as a thing: where it leads, how long it lives, what it keeps, what it refuses."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.lab.registry import LOOPBACK, registry
from wslab.lab.wire.cable import resolve


@pytest.fixture
def gate(wire, monkeypatch):
    """Hold every dial of the cable back until the gate is set."""
    loop = wire.cable.thread.loop
    opened = asyncio.Event()
    dial = loop.create_connection

    async def slow(*args, **options):
        await opened.wait()
        return await dial(*args, **options)

    monkeypatch.setattr(loop, "create_connection", slow)
    return lambda: loop.call_soon_threadsafe(opened.set)


class TestTarget:
    @pytest.mark.parametrize(
        ("target", "where", "scheme", "path"),
        [
            (("example.com", 1), ("example.com", 1), "tcp", ""),
            ("ws://127.0.0.1:8765", ("127.0.0.1", 8765), "ws", "/"),
            ("ws://localhost:1/chat?room=1", ("localhost", 1), "ws", "/chat?room=1"),
            ("ws://example.com/", ("example.com", 80), "ws", "/"),
            ("wss://example.com/", ("example.com", 443), "wss", "/"),
            ("http://[::1]:8000/", ("::1", 8000), "http", "/"),
        ],
    )
    def test_is_found_in(self, target, where, scheme, path):
        assert resolve(target) == (where, scheme, path)

    @pytest.mark.parametrize("target", ["", "example.com", "tcp://example.com/", "ws://:80/"])
    def test_that_leads_nowhere(self, target):
        with pytest.raises(ValueError, match="leads nowhere"):
            resolve(target)

    @pytest.mark.parametrize("port", [0, -1, 65536])
    def test_with_a_port_that_none_has(self, port):
        with pytest.raises(ValueError, match=f"port is {port}, it must be from 1 to 65535"):
            resolve(("127.0.0.1", port))

    async def test_a_stopped_server_is_not_port_80(self):
        server = lab.serve(lab.echo)
        await server.stop()
        with pytest.raises(RuntimeError, match="server 'echo' is stopped"):
            lab.cable(server)
        with pytest.raises(ValueError, match=r"'ws://127\.0\.0\.1:0/' leads nowhere"):
            lab.cable("ws://127.0.0.1:0/")

    async def test_a_stopped_cable_leads_nowhere(self, wire):
        await wire.cable.stop()
        with pytest.raises(RuntimeError, match=r"^cable 'wire' is stopped: run the cell that"):
            lab.cable(wire.cable, name="second")

    async def test_a_server_and_a_cable_of_a_cable(self):
        async with lab.serve(lab.echo) as server, lab.cable(server) as first:
            async with lab.cable(first, name="second") as second, connect(second.url) as ws:
                await ws.send("Hello")
                assert await ws.recv() == "Hello"
            await first.settle()
            seen = [[row.wire for row in one.transcript.frames] for one in (first, second)]
            assert seen[0] == seen[1]
            assert len(seen[0]) == 4
            assert repr(first) == (
                f"<Cable 'cable to echo' ws://127.0.0.1:{first.port}/ to 127.0.0.1:{server.port}>"
            )
            assert second.target == (LOOPBACK, first.port)
        assert repr(first) == "<Cable 'cable to echo' stopped>"


class TestDial:
    async def test_bytes_sent_before_it_is_done_are_kept(self, wire, gate):
        client = wire.dial()
        await client.send(b"early")
        await wire.turns()
        assert not wire.cable.tape.pieces
        gate()
        server = await wire.accept()
        assert await server.exactly(5) == b"early"

    @pytest.mark.parametrize("how", ["cut", "reset"])
    @pytest.mark.parametrize("side", ["client", "server", "both"])
    async def test_a_cable_cut_meanwhile(self, wire, gate, side, how, until):
        """Each side hears the same as if the dial had been done before."""

        async def check(peer, one):
            if side not in (one, "both"):
                await wire.turns()
                assert peer.arrived() is None
            elif how == "cut":
                assert await peer.read() == b""
            else:
                with pytest.raises(ConnectionResetError):
                    await peer.read()

        client = wire.dial()
        await wire.turns()
        getattr(wire.cable, how)(side)
        await check(client, "client")
        gate()
        await check(await wire.accept(), "server")
        wire.cable.cut()
        await until(lambda: not wire.cable.links)

    async def test_a_target_that_refuses_after_the_client_was_cut(
        self, wire, gate, until, closed_port
    ):
        cable = lab.cable((LOOPBACK, closed_port), name="nowhere")
        client = wire.dial(cable.port)
        await wire.turns()
        cable.cut()
        assert await client.read() == b""
        assert len(cable.links) == 1
        gate()
        await until(lambda: not cable.links)

    async def test_a_reset_is_heard_afterwards(self, wire, gate, until):
        client = wire.dial()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.socket.close()
        await wire.turns()
        gate()
        server = await wire.accept()
        with pytest.raises(ConnectionResetError):
            await server.read()
        await until(lambda: not wire.cable.links)

    async def test_a_target_that_refuses(self, wire, until, closed_port):
        cable = lab.cable((LOOPBACK, closed_port), name="nowhere")
        client = wire.dial(cable.port)
        with pytest.raises(ConnectionResetError):
            await client.read()
        (note,) = await cable.settle(1)
        assert (note.who, note.kind) == ("server", "note")
        assert (
            note.meaning == f"cannot be reached: Connect call failed ('127.0.0.1', {closed_port})"
        )
        await until(lambda: not cable.links)


class TestEnds:
    @pytest.mark.parametrize("first", ["client", "server"])
    async def test_a_half_close_passes_through(self, wire, first, until):
        peers = await wire.connect()
        second = "server" if first == "client" else "client"
        peers[first].finish()
        assert await peers[second].read() == b""
        await peers[second].send(b"answer")
        assert await peers[first].exactly(6) == b"answer"
        peers[second].finish()
        assert await peers[first].read() == b""
        await until(lambda: not wire.cable.links)
        notes = wire.cable.transcript.only(kind="note")
        assert [(row.who, row.meaning) for row in notes] == [
            (first, "closed its side (FIN)"),
            (second, "closed its side (FIN)"),
        ]

    async def test_stop_leaves_nothing(self, wire, until):
        peers = [await wire.connect() for _ in range(3)]
        links = list(wire.cable.links)
        port = wire.cable.port
        await wire.cable.stop()
        for pair in peers:
            for peer in pair.values():
                assert await peer.read() == b""
        with pytest.raises(ConnectionRefusedError):
            wire.dial(port)
        await until(lambda: not any(ln.client.transport or ln.server.transport for ln in links))
        await until(lambda: not asyncio.all_tasks(wire.cable.thread.loop))
        assert (wire.cable.is_running, wire.cable.links) == (False, {})
        await wire.cable.stop()

    async def test_stop_while_a_peer_reads_nothing(self, wire, until):
        """What it does not take within a second is given up; the socket must not stay for ever."""
        peers = await wire.connect()
        (link,) = wire.cable.links
        while link.server.reasons != {"slow peer"}:
            try:
                peers["server"].socket.send(bytes(1 << 16))
            except BlockingIOError:
                await wire.turns()
        assert link.client.transport.get_write_buffer_size() > 0
        await wire.cable.stop()
        await until(lambda: not wire.cable.links)

    async def test_stop_while_dialling(self, wire, gate, until):
        client = wire.dial()
        await wire.turns()
        await wire.cable.stop()
        assert await client.read() == b""
        await until(lambda: not asyncio.all_tasks(wire.cable.thread.loop))

    async def test_stop_at_the_end_of_a_block(self, wire):
        async with lab.cable(wire.target, name="block") as cable:
            assert cable.is_running
        assert not cable.is_running


class TestName:
    async def test_the_same_name_takes_the_place_and_the_port(self, wire):
        peers = await wire.connect()
        port = wire.cable.port
        again = lab.cable(wire.target, name="wire")
        assert (wire.cable.is_running, again.port) == (False, port)
        assert await peers["client"].read() == b""
        assert registry() == {"wire": again}
        wire.dial(again.port)
        await (await wire.accept()).send(b"new")
        assert [row.wire for row in await again.settle(1)] == [b"new"]

    async def test_no_secret_of_a_url_is_in_it(self):
        async with lab.cable("ws://ada:secret@127.0.0.1:1/chat?token=secret") as cable:
            assert cable.url.endswith("/chat?token=secret")
            assert "secret" not in repr(cable)
            assert "secret" not in cable.name

    async def test_a_servers_name_is_refused(self):
        server = lab.serve(lab.echo, name="demo")
        with pytest.raises(
            ValueError, match="'demo' is the name of a server: give this cable a different name"
        ):
            lab.cable(server, name="demo")
        assert server.is_running


class TestTape:
    async def test_keeps_the_newest_and_counts_the_rest(self, wire, until):
        cable = lab.cable(wire.target, name="short", limit=3)
        client = wire.dial(cable.port)
        server = await wire.accept()
        for text in (b"1", b"2", b"3", b"4", b"5"):
            await server.send(text)
            assert await client.exactly(1) == text
        transcript = await cable.settle(5)
        assert [(row.number, row.wire) for row in transcript] == [(2, b"3"), (3, b"4"), (4, b"5")]
        assert transcript.dropped == 2
        assert repr(transcript).startswith("2 earlier rows were dropped: the tape keeps 3\n")
        assert transcript.sent == {"client": 0, "server": 5}

    async def test_says_what_the_cable_did(self, wire):
        cable = wire.cable
        cable.freeze("client")
        cable.thaw()
        cable.delay(0.25)
        cable.split(3, "server")
        cable.split(None)
        cable.drop_after(7)
        cable.drop_after(None)
        cable.throttle(1e6)
        cable.throttle(None)
        cable.mend()
        cable.cut("client")
        cable.reset()
        assert [row.meaning for row in cable.transcript] == [
            "frozen (client)",
            "thawed (both)",
            "delayed by 0.25 s (both)",
            "split into segments of 3 bytes (server)",
            "no longer split (both)",
            "everything after 7 more bytes is lost (both)",
            "nothing is lost (both)",
            "throttled to 1e+06 bytes per second (both)",
            "no longer throttled (both)",
            "mended (both)",
            "cut (client)",
            "reset (both)",
        ]
        assert {(row.who, row.kind) for row in cable.transcript} == {("cable", "note")}

    async def test_connections_are_told_apart(self, wire):
        first, second = await wire.connect(), await wire.connect()
        await second["client"].send(b"2")
        await second["server"].exactly(1)
        await first["client"].send(b"1")
        await first["server"].exactly(1)
        assert [row.connection for row in await wire.cable.settle(2)] == [2, 1]
        assert [row.wire for row in wire.cable.transcript.only(connection=1)] == [b"1"]


class TestSettle:
    async def test_until_a_number_of_rows_or_a_condition(self, wire):
        peers = await wire.connect()
        waiting = asyncio.create_task(wire.cable.settle(2))
        for text in (b"1", b"2"):
            await peers["client"].send(text)
            await wire.turns()
        assert len(await waiting) == 2
        sent = wire.cable.tape.sent
        waiting = asyncio.create_task(wire.cable.settle(lambda: sent["server"] == 3))
        await peers["server"].send(b"123")
        assert [row.wire for row in await waiting] == [b"1", b"2", b"123"]
        assert len(await wire.cable.settle()) == 3

    async def test_says_what_has_passed_when_it_takes_too_long(self, wire):
        wire.cable.freeze()
        with pytest.raises(TimeoutError) as caught:
            await wire.cable.settle(2, within=0.01)
        assert str(caught.value) == (
            "not reached within 0.01 s. So far:\n"
            "#  who    kind  size  what\n"
            "0  cable  note        frozen (both)"
        )


class TestRefusals:
    @pytest.mark.parametrize("fault", ["freeze", "thaw", "cut", "reset"])
    async def test_a_side_that_there_is_not(self, wire, fault):
        with pytest.raises(ValueError, match='side is \'left\', it must be "client", "server" or'):
            getattr(wire.cable, fault)("left")
        assert not wire.cable.tape.pieces

    @pytest.mark.parametrize(
        ("fault", "value", "text"),
        [
            ("delay", -1, "delay is -1 s, it must not be negative"),
            ("split", 0, "size is 0, it must be positive"),
            ("drop_after", -1, "size is -1 bytes, it must not be negative"),
            ("throttle", 0, "bytes_per_second is 0, it must be positive"),
        ],
    )
    async def test_a_value_that_makes_no_sense(self, wire, fault, value, text):
        with pytest.raises(ValueError, match=text):
            getattr(wire.cable, fault)(value)


async def test_tls_is_shown_as_such(wire):
    import ssl

    peers = await wire.connect()
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    await peers["client"].send(hello)
    assert await peers["server"].exactly(len(hello)) == hello
    (row,) = await wire.cable.settle(1)
    assert (row.kind, row.size) == ("TLS", len(hello))
    assert row.meaning == f"{len(hello)} bytes of TLS handshake"


async def test_one_message_end_to_end():
    """The first taste of notebook 00: the rows, their senders and their order."""
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
        async with connect(cable.url) as ws:
            await ws.send("Hello")
            assert await ws.recv() == "Hello"
        rows = await cable.settle()
        assert [(row.who, row.kind) for row in rows] == [
            ("client", "HTTP"),
            ("server", "HTTP"),
            ("client", "TEXT"),
            ("server", "TEXT"),
            ("client", "CLOSE"),
            ("server", "CLOSE"),
            ("server", "note"),
            ("client", "note"),
        ]
        assert rows.size == sum(rows.sent.values())
        assert [len(rows.client), len(rows.server), len(rows.frames), len(rows.http)] == [
            3,
            3,
            4,
            2,
        ]


async def test_settle_waits_for_what_is_only_late():
    server = lab.serve(lab.echo, name="late echo")
    cable = lab.cable(server)
    async with connect(cable.url) as ws:
        await cable.settle()
        cable.delay(0.3)
        await ws.send("Hello")
        transcript = await cable.settle(lambda: len(cable.transcript.frames) >= 1)
        assert [row.text for row in transcript.frames] == ["Hello", "Hello"]
        cable.mend()
    await cable.stop()
    await server.stop()
