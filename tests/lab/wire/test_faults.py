"""Every fault, seen from both ends of real sockets."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import sys

import pytest

from wslab.net.flow import BACKLOG

SIDES = ("client", "server", "both")
OTHER = {"client": "server", "server": "client"}
READ = 256 * 1024  # what asyncio reads at once, and so what may come on top of any limit
HIGH_WATER = 64 * 1024  # asyncio's own limit of a transport's buffer

UPGRADE = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

pytestmark = pytest.mark.parametrize("side", SIDES)


def affected(side):
    return ("client", "server") if side == "both" else (side,)


def unaffected(side):
    return tuple({"client", "server"} - set(affected(side)))


class TestFreeze:
    async def test_bytes_wait_in_order_and_nothing_is_lost(self, wire, side):
        peers = await wire.connect()
        wire.cable.freeze(side)
        for text in (b"1", b"2"):
            for peer in peers.values():
                await peer.send(text)
            await wire.turns()
        for one in unaffected(side):
            assert await peers[OTHER[one]].exactly(2) == b"12"
        for one in affected(side):
            assert peers[OTHER[one]].arrived() is None
            await peers[one].send(b"3")
        wire.cable.thaw(side)
        for one in affected(side):
            assert await peers[OTHER[one]].exactly(3) == b"123"

    async def test_the_end_is_not_heard_either(self, wire, side):
        peers = await wire.connect()
        wire.cable.freeze(side)
        for one in affected(side):
            peers[one].finish()
        await wire.turns()
        assert [peers[OTHER[one]].arrived() for one in affected(side)] == [None] * len(
            affected(side)
        )
        wire.cable.thaw(side)
        for one in affected(side):
            assert await peers[OTHER[one]].read() == b""

    async def test_what_is_on_its_way_is_held_too(self, wire, side):
        peers = await wire.connect()
        wire.cable.delay(0.05)
        for peer in peers.values():
            await peer.send(b"1")
        await wire.turns()
        wire.cable.freeze(side)
        wire.cable.delay(0)
        for one in unaffected(side):
            assert await peers[OTHER[one]].exactly(1) == b"1"
        assert {peers[OTHER[one]].arrived() for one in affected(side)} == {None}
        wire.cable.thaw(side)
        for one in affected(side):
            assert await peers[OTHER[one]].exactly(1) == b"1"

    async def test_a_new_connection_is_frozen_from_the_start(self, wire, side):
        wire.cable.freeze(side)
        peers = await wire.connect()
        for peer in peers.values():
            await peer.send(b"1")
        await wire.turns()
        assert {peers[OTHER[one]].arrived() for one in affected(side)} == {None}
        wire.cable.mend()
        for peer in peers.values():
            assert await peer.exactly(1) == b"1"

    async def test_a_half_closed_connection_survives(self, wire, side):
        """After FIN, going on to read would find the same FIN again, and count as the other's."""
        peers = await wire.connect()
        peers["client"].finish()
        assert await peers["server"].read() == b""
        wire.cable.freeze(side)
        wire.cable.thaw(side)
        await wire.turns()
        await peers["server"].send(b"late answer")
        assert await peers["client"].exactly(11) == b"late answer"


class TestCut:
    async def test_fin_on_the_side_that_notices_silence_on_the_other(self, wire, side):
        peers = await wire.connect()
        wire.cable.cut(side)
        for one in affected(side):
            assert await peers[one].read() == b""
        await wire.turns()
        for one in unaffected(side):
            assert peers[one].arrived() is None
            await peers[one].send(b"still open")
            await wire.turns()
            assert peers[one].arrived() is None

    async def test_the_other_side_can_be_told_later(self, wire, side, until):
        peers = await wire.connect()
        wire.cable.cut(side)
        wire.cable.cut("both")
        for peer in peers.values():
            assert await peer.read() == b""
        await until(lambda: not wire.cable.links)

    async def test_fin_also_when_bytes_were_not_read(self, wire, side):
        """A socket that is closed with unread bytes answers RST: FIN has to go first."""
        peers = await wire.connect()
        wire.cable.freeze()
        for peer in peers.values():
            await peer.send(b"unread")
        wire.cable.cut(side)
        for one in affected(side):
            assert await peers[one].read() == b""

    async def test_new_connections_pass(self, wire, side):
        await wire.connect()
        wire.cable.cut(side)
        peers = await wire.connect()
        await peers["client"].send(b"again")
        assert await peers["server"].exactly(5) == b"again"


class TestReset:
    async def test_rst_on_the_side_that_notices_silence_on_the_other(self, wire, side):
        peers = await wire.connect()
        wire.cable.reset(side)
        for one in affected(side):
            with pytest.raises(ConnectionResetError):
                await peers[one].read()
        await wire.turns()
        for one in unaffected(side):
            assert peers[one].arrived() is None
            await peers[one].send(b"still open")

    async def test_a_peers_own_reset_is_passed_on(self, wire, side):
        peers = await wire.connect()
        for one in affected(side)[:1]:
            sock = peers[one].socket
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            with pytest.raises(ConnectionResetError):
                await peers[OTHER[one]].read()
            assert wire.cable.transcript[0].meaning == "reset the connection (RST)"
            assert wire.cable.transcript[0].who == one


class TestDelay:
    async def test_everything_is_late(self, wire, side):
        peers = await wire.connect()
        wire.cable.delay(0.1, side)
        for one in affected(side):
            early = asyncio.create_task(asyncio.sleep(0.09))
            await peers[one].send(b"1")
            peers[one].finish()
            assert await peers[OTHER[one]].read() == b"1"
            assert await peers[OTHER[one]].read() == b""
            assert early.done()
        for one in unaffected(side):
            await peers[one].send(b"1")
            await wire.turns()
            assert peers[OTHER[one]].arrived() == b"1"

    async def test_order_is_kept_when_it_changes(self, wire, side):
        peers = await wire.connect()
        for text, seconds in [(b"1", 0.1), (b"2", 0.01), (b"3", 0.05), (b"4", 0.001)]:
            wire.cable.delay(seconds, side)
            for peer in peers.values():
                await peer.send(text)
            await wire.turns()
        for peer in peers.values():
            assert await peer.exactly(4) == b"1234"

    async def test_zero_lets_go_at_once(self, wire, side):
        peers = await wire.connect()
        wire.cable.delay(3600, side)
        for peer in peers.values():
            await peer.send(b"1")
        await wire.turns()
        wire.cable.delay(0, side)
        for peer in peers.values():
            assert await peer.exactly(1) == b"1"


class TestSplit:
    async def test_segments_of_at_most_so_many_bytes(self, wire, side):
        """With a gap of an hour, only a change of the faults lets the next segment go."""
        peers = await wire.connect()
        wire.cable.split(4, side, gap=3600)
        for peer in peers.values():
            await peer.send(b"12345678")
            await peer.send(b"9")
        for expected in (b"1234", b"5678", b"9"):
            await wire.turns()
            for one in affected(side):
                assert peers[OTHER[one]].arrived() == expected
            wire.cable.split(4, side, gap=3600)
        for one in unaffected(side):
            assert await peers[OTHER[one]].exactly(9) == b"123456789"

    async def test_short_messages_keep_their_distance(self, wire, side):
        peers = await wire.connect()
        wire.cable.split(4, side, gap=3600)
        for text in (b"12", b"34"):
            for one in affected(side):
                await peers[one].send(text)
            await wire.turns()
        assert {peers[OTHER[one]].arrived() for one in affected(side)} == {b"12"}

    @pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO counts segments on Linux")
    async def test_the_receivers_system_counts_the_segments(self, wire, side):
        peers = await wire.connect()
        wire.cable.split(10, side, gap=0.001)
        for one in affected(side):
            await peers[one].send(bytes(100))
            assert await peers[OTHER[one]].exactly(100) == bytes(100)
            info = peers[OTHER[one]].socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
            (data_segments_in,) = struct.unpack_from("I", info, 152)
            assert data_segments_in == 10

    async def test_none_stops_it(self, wire, side):
        peers = await wire.connect()
        wire.cable.split(1, side, gap=3600)
        for peer in peers.values():
            await peer.send(b"123")
        await wire.turns()
        wire.cable.split(None, side)
        for peer in peers.values():
            assert await peer.exactly(3) == b"123"


class TestDropAfter:
    async def test_exactly_so_many_bytes_then_silence(self, wire, side):
        peers = await wire.connect()
        wire.cable.drop_after(7, side)
        for text in (b"1234", b"5678", b"9"):
            for peer in peers.values():
                await peer.send(text)
            await wire.turns()
        for one in affected(side):
            assert await peers[OTHER[one]].exactly(7) == b"1234567"
            peers[one].finish()
            await wire.turns()
            assert peers[OTHER[one]].arrived() is None
        for one in unaffected(side):
            assert await peers[OTHER[one]].exactly(9) == b"123456789"

    async def test_the_end_passes_if_it_comes_before(self, wire, side):
        peers = await wire.connect()
        wire.cable.drop_after(7, side)
        for one in affected(side):
            await peers[one].send(b"123")
            peers[one].finish()
            assert await peers[OTHER[one]].exactly(4) == b"123"

    async def test_counts_from_the_moment_it_is_called(self, wire, side):
        peers = await wire.connect()
        for count in (2, 3):
            wire.cable.drop_after(count, side)
            for one in affected(side):
                await peers[one].send(b"12345")
                assert await peers[OTHER[one]].exactly(count) == b"12345"[:count]
        wire.cable.drop_after(None, side)
        for peer in peers.values():
            await peer.send(b"on")
            await wire.turns()
        for peer in peers.values():
            assert await peer.exactly(2) == b"on"

    async def test_a_new_connection_counts_for_itself(self, wire, side):
        wire.cable.drop_after(2, side)
        for _ in range(2):
            peers = await wire.connect()
            for one in affected(side):
                await peers[one].send(b"123")
                await wire.turns()
                assert await peers[OTHER[one]].exactly(2) == b"12"
                assert peers[OTHER[one]].arrived() is None

    async def test_the_other_sides_count_goes_on(self, wire, side):
        peers = await wire.connect()
        wire.cable.drop_after(2)
        for peer in peers.values():
            await peer.send(b"123")
        await wire.turns()
        wire.cable.drop_after(9, side)
        for peer in peers.values():
            await peer.send(b"45")
        await wire.turns()
        for one in affected(side):
            assert await peers[OTHER[one]].exactly(4) == b"1245"
        for one in unaffected(side):
            assert peers[OTHER[one]].arrived() == b"12"


async def send(wire, peer, side, data, until):
    """Send; wait until the cable has read it, and dealt with it."""
    before = wire.cable.tape.sent[side]
    await peer.send(data)
    await until(lambda: wire.cable.tape.sent[side] == before + len(data))
    await wire.turns(1)


def lost(wire, side):
    """How many bytes of each row of a side did not arrive, and what the row says."""
    rows = [row for row in wire.cable.transcript if row.who == side and row.kind != "note"]
    said = [re.findall(r"lost on the way: (\d+) of (\d+) B", row.meaning) for row in rows]
    return [
        tuple(map(int, found[0])) if found else (0, row.size)
        for row, found in zip(rows, said, strict=True)
    ]


class TestLoss:
    """A row of the transcript says so when its bytes did not arrive."""

    async def test_of_what_was_dropped(self, wire, side, until):
        peers = await wire.connect()
        wire.cable.drop_after(5, side)
        for text in (b"abc", b"defgh", b"ijkl"):
            for one in ("client", "server"):
                await send(wire, peers[one], one, text, until)
        for one in affected(side):
            assert await peers[OTHER[one]].exactly(5) == b"abcde"
            assert lost(wire, one) == [(0, 3), (3, 5), (4, 4)]
        for one in unaffected(side):
            assert lost(wire, one) == [(0, 3), (0, 5), (0, 4)]
        wire.cable.mend()
        for one in affected(side):
            await peers[one].send(b"m")
            assert await peers[OTHER[one]].exactly(1) == b"m"
            assert lost(wire, one) == [(0, 3), (3, 5), (4, 4), (0, 1)]

    @pytest.mark.parametrize("how", ["delay", "freeze"])
    @pytest.mark.parametrize("end", ["cut", "reset"])
    async def test_of_what_was_on_its_way_when_the_cable_was_cut(self, wire, side, how, end, until):
        peers = await wire.connect()
        for one in ("client", "server"):
            await peers[one].send(b"before")
            assert await peers[OTHER[one]].exactly(6) == b"before"
        wire.cable.delay(60, side)
        for one in ("client", "server"):
            await send(wire, peers[one], one, b"late", until)
        if how == "freeze":  # what is on its way already
            wire.cable.freeze(side)
        getattr(wire.cable, end)()
        for one in affected(side):
            assert lost(wire, one) == [(0, 6), (4, 4)]
        for one in unaffected(side):
            assert lost(wire, one) == [(0, 6), (0, 4)]

    async def test_of_a_frame_in_part(self, wire, side):
        peers = await wire.connect()
        await peers["client"].send(UPGRADE)
        await peers["server"].exactly(len(UPGRADE))
        await peers["server"].send(SWITCHING)
        await peers["client"].exactly(len(SWITCHING))
        wire.cable.drop_after(3, side)
        for one in affected(side):
            await peers[one].send(b"\x81\x05Hello")
            await peers[OTHER[one]].exactly(3)
            row = wire.cable.transcript.only(one)[-1]
            assert row.kind == "TEXT"
            assert '"Hello"\nlost on the way: 4 of 7 B' in row.meaning


class TestThrottle:
    async def test_takes_the_time_it_must(self, wire, side):
        peers = await wire.connect()
        wire.cable.throttle(10_000, side)

        async def transfer(one):
            early = asyncio.create_task(asyncio.sleep(0.17))
            await peers[one].send(bytes(2000))
            assert await peers[OTHER[one]].exactly(2000) == bytes(2000)
            return early.done()  # the first 20 ms' worth passes at once

        assert all(await asyncio.gather(*map(transfer, affected(side))))

    async def test_small_messages_count_together(self, wire, side):
        peers = await wire.connect()
        wire.cable.throttle(1000, side)
        early = asyncio.create_task(asyncio.sleep(0.17))
        for _ in range(20):
            for one in affected(side):
                await peers[one].send(b"0123456789")
            await wire.turns(3)
        for one in affected(side):
            assert await peers[OTHER[one]].exactly(200) == b"0123456789" * 20
        assert early.done()

    async def test_none_stops_it(self, wire, side):
        peers = await wire.connect()
        wire.cable.throttle(1, side)
        for peer in peers.values():
            await peer.send(b"123")
        await wire.turns()
        wire.cable.throttle(None, side)
        for peer in peers.values():
            assert await peer.exactly(3) == b"123"


async def fill(wire, peer):
    """Send until nothing more is taken; return how many bytes were."""
    sent = refused = 0
    while refused < 5:
        try:
            sent += peer.socket.send(bytes(1 << 16))
            refused = 0
        except BlockingIOError:
            refused += 1
            await wire.turns()
    return sent


def hold(wire, side, how):
    if how == "slow peer":
        return
    getattr(wire.cable, how)(*{"freeze": (), "throttle": (1,), "delay": (3600,)}[how], side)


@pytest.mark.parametrize("how", ["slow peer", "freeze", "throttle", "delay"])
async def test_what_the_cable_holds_back_is_bounded(wire, side, how):
    peers = await wire.connect()
    for peer in peers.values():
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    hold(wire, side, how)
    sent = {one: await fill(wire, peers[one]) for one in affected(side)}
    (link,) = wire.cable.links
    for end in (link.client, link.server):
        assert end.flow.backlog <= BACKLOG + READ
        assert end.transport.get_write_buffer_size() <= HIGH_WATER + READ
    wire.cable.mend()
    for one, size in sent.items():
        assert len(await peers[OTHER[one]].exactly(size)) == size


async def test_mend_takes_everything_away(wire, side):
    peers = await wire.connect()
    wire.cable.delay(3600, side)
    wire.cable.split(1, side, gap=3600)
    wire.cable.throttle(1, side)
    wire.cable.drop_after(2, side)
    for peer in peers.values():
        await peer.send(b"123")
    await wire.turns()
    wire.cable.freeze(side)
    wire.cable.mend()
    for peer in peers.values():
        await peer.send(b"on")
    for one in affected(side):
        assert await peers[OTHER[one]].exactly(4) == b"12on"
    for one in unaffected(side):
        assert await peers[OTHER[one]].exactly(5) == b"123on"
