"""An endpoint over real sockets, in both roles, against a peer that is a bare socket."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest

from wslab.lab.registry import LOOPBACK
from wslab.protocol import RSV1, Close, Frame, Opcode, ProtocolError, Request, answer
from wslab.protocol.deflate import NAME, Deflate, Deflater
from wslab.protocol.handshake import upgrade_request
from wslab.protocol.messages import Limits
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.driver import REPLY_LIMIT, Driver
from wslab.scratch.endpoint import ConnectionEnded, Endpoint, Settings
from wslab.scratch.server import serve_from_scratch

PATIENCE = 45  # seconds after which a test gives up
SOON = 0.05  # seconds of a time-out that is to pass
SMALL = 1 << 13  # bytes of a socket's buffers: so that a peer that does not read is soon felt
MASK = bytes.fromhex("37fa213d")
TEXT, BINARY, PING, PONG = Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG


def close_frame(code: int = 1005, reason: str = "") -> Frame:
    return Frame(Opcode.CLOSE, Close(code, reason).serialize())


class Peer:
    """The other end: a socket that sends what it is told, right or wrong."""

    def __init__(self, sock: socket.socket, *, masks: bool) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.mask = MASK if masks else None
        self.data = b""

    async def write(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    def wire(self, *frames: Frame) -> bytes:
        return b"".join(f._replace(mask=self.mask).serialize(check=False) for f in frames)

    async def send(self, *frames: Frame) -> None:
        await self.write(self.wire(*frames))

    async def read(self) -> bytes:
        """Wait for bytes, b"" for FIN, or ConnectionResetError."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16)

    async def head(self) -> bytes:
        while (end := self.data.find(b"\r\n\r\n") + 4) < 4:
            self.data += await self.read()
        head, self.data = self.data[:end], self.data[end:]
        return head

    async def frame(self) -> Frame | None:
        """Wait for the next frame, without its mask; None for the end."""
        while (parsed := Frame.parse(self.data, rsv=RSV1)) is None:
            if not (more := await self.read()):
                return None
            self.data += more
        frame, end = parsed
        self.data = self.data[end:]
        assert (frame.mask is None) == (self.mask is not None)
        return frame._replace(mask=None)

    async def said(self) -> list[Frame]:
        """Return all frames up to the end."""
        found = []
        while (frame := await self.frame()) is not None:
            found.append(frame)
        return found

    def hang_up(self) -> None:
        """Send FIN."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Send RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class Pair:
    """An endpoint, its peer, and a way to use the endpoint on its own loop."""

    def __init__(self, ws: Endpoint, peer: Peer) -> None:
        self.ws, self.peer = ws, peer

    async def do(self, what: Awaitable[Any]) -> Any:
        """Await something of the endpoint, on its loop."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.wrap_future(self.start(what))

    def start(self, what: Awaitable[Any]) -> Future[Any]:
        async def run() -> Any:
            return await what

        return asyncio.run_coroutine_threadsafe(run(), self.ws.loop)

    async def all(self) -> list[str | bytes]:
        """Receive up to the goodbye."""

        async def collect() -> list[str | bytes]:
            return [message async for message in self.ws]

        return await self.do(collect())

    async def ended(self) -> ConnectionEnded:
        """Return what recv() raises."""
        with pytest.raises(ConnectionEnded) as caught:
            await self.do(self.ws.recv())
        return caught.value

    async def peak(self, *steps: Awaitable[Any]) -> int:
        """Take some steps; return the most memory in use meanwhile, in bytes beyond the begin."""
        tracemalloc.start()
        try:
            begin, _ = tracemalloc.get_traced_memory()
            for step in steps:
                await step
            return tracemalloc.get_traced_memory()[1] - begin
        finally:
            tracemalloc.stop()


async def serve_one(**settings: Any) -> Pair:
    """Let a bare client connect to our server."""
    arrived: Future[Endpoint] = Future()

    async def hold(ws: Endpoint) -> None:
        arrived.set_result(ws)
        await ws.wait_closed()

    server = serve_from_scratch(hold, **settings)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    sock.connect((LOOPBACK, server.port))
    peer = Peer(sock, masks=True)
    deflate = settings.get("deflate")
    extensions = [deflate.extension()] if deflate else []
    await peer.write(upgrade_request("h", nonce=bytes(16), extensions=extensions).serialize())
    await peer.head()
    return Pair(await asyncio.wrap_future(arrived), peer)


async def connect_one(**settings: Any) -> Pair:
    """Let our client connect to a bare server."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        listener.setblocking(False)
        url = f"ws://{LOOPBACK}:{listener.getsockname()[1]}/"
        connecting = asyncio.ensure_future(_await(connect_from_scratch(url, **settings)))
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
    peer = Peer(sock, masks=False)
    request, _ = Request.parse(await peer.head()) or pytest.fail("no request")
    deflate = settings.get("deflate")
    known = {NAME: deflate.negotiate} if deflate else None
    await peer.write(answer(request, extensions=known).serialize())
    return Pair(await connecting, peer)


async def _await(what: Awaitable[Any]) -> Any:
    return await what


Make = Callable[..., Awaitable[Pair]]


@pytest.fixture(params=[serve_one, connect_one], ids=["server", "client"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Make pairs; at the end their sockets are closed."""
    pairs: list[Pair] = []

    async def make(**settings: Any) -> Pair:
        pair = await request.param(**settings)
        sock = pair.ws.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        pairs.append(pair)
        return pair

    yield make
    for pair in pairs:
        pair.peer.socket.close()
        await pair.do(pair.ws.wait_closed())


@pytest.fixture
async def pair(make: Make) -> Pair:
    return await make()


class TestMessages:
    async def test_come_whole_whatever_is_between_their_fragments(self, pair):
        await pair.peer.send(
            Frame(TEXT, "握手".encode()),
            Frame(TEXT, b"frag", fin=False),
            Frame(PING, b"still there?"),
            Frame(Opcode.CONTINUATION, b"ments"),
            Frame(BINARY, bytes(70_000)),
        )
        received = [await pair.do(pair.ws.recv()) for _ in range(3)]
        assert received == ["握手", "fragments", bytes(70_000)]
        assert await pair.peer.frame() == Frame(PONG, b"still there?")

    @pytest.mark.parametrize(
        ("message", "frames"),
        [
            ("握手", [Frame(TEXT, "握手".encode())]),
            ("", [Frame(TEXT)]),
            (b"\0\1", [Frame(BINARY, b"\0\1")]),
            (bytearray(b"\2"), [Frame(BINARY, b"\2")]),
            (memoryview(b"\3\4\5\6").cast("H"), [Frame(BINARY, b"\3\4\5\6")]),
            (["one"], [Frame(TEXT, b"one")]),
            (
                ("a", "b", "c"),
                [
                    Frame(TEXT, b"a", fin=False),
                    Frame(Opcode.CONTINUATION, b"b", fin=False),
                    Frame(Opcode.CONTINUATION, b"c"),
                ],
            ),
            (
                lambda: (bytes([n]) for n in (1, 2)),
                [Frame(BINARY, b"\1", fin=False), Frame(Opcode.CONTINUATION, b"\2")],
            ),
            ([], []),
        ],
        ids=["text", "no text", "bytes", "bytearray", "view", "one", "three", "iterator", "none"],
    )
    async def test_are_sent_as_what_they_are(self, pair, message, frames):
        await pair.do(pair.ws.send(message() if callable(message) else message))
        await pair.do(pair.ws.send("end"))
        received = [await pair.peer.frame() for _ in frames]
        assert received == frames
        assert await pair.peer.frame() == Frame(TEXT, b"end")

    @pytest.mark.parametrize(
        "message", [None, 1, {"a": "b"}, [1], ["text", b"binary"], [b"b", "t"], [["x"]], "\ud800"]
    )
    async def test_that_are_none_are_refused_before_anything_is_sent(self, pair, message):
        with pytest.raises(UnicodeEncodeError if message == "\ud800" else TypeError):
            await pair.do(pair.ws.send(message))
        await pair.do(pair.ws.send("end"))
        assert await pair.peer.frame() == Frame(TEXT, b"end")

    async def test_are_not_torn_by_others(self, pair):
        async def both() -> None:
            await asyncio.gather(pair.ws.send(["a", "b"]), pair.ws.send("c"))

        await pair.do(both())
        frames = [await pair.peer.frame() for _ in range(3)]
        assert [frame.payload for frame in frames] == [b"a", b"b", b"c"]
        assert [frame.opcode for frame in frames] == [TEXT, Opcode.CONTINUATION, TEXT]

    async def test_a_cancelled_recv_loses_nothing(self, pair):
        waiting = pair.start(pair.ws.recv())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON):
                await asyncio.wrap_future(waiting)
        waiting = pair.start(pair.ws.recv())
        await pair.peer.send(Frame(TEXT, b"one"))
        assert await asyncio.wrap_future(waiting) == "one"

    async def test_a_recv_cancelled_when_its_message_is_there_leaves_it(self, pair):
        async def cancel_late() -> str | bytes:
            task = asyncio.ensure_future(pair.ws.recv())
            await wait_until(lambda: pair.ws.messages)
            task.cancel()
            await asyncio.wait([task])
            return task.result() if not task.cancelled() else await pair.ws.recv()

        await pair.peer.send(Frame(TEXT, b"one"))
        assert await pair.do(cancel_late()) == "one"

    async def test_go_to_one_reader(self, pair):
        async def twice() -> str | bytes:
            first = asyncio.ensure_future(pair.ws.recv())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match=r"recv\(\) is already waiting"):
                await pair.ws.recv()
            await (await pair.ws.ping())
            return await first

        doing = pair.start(twice())
        ping = await pair.peer.frame()
        await pair.peer.send(Frame(TEXT, b"one"), Frame(PONG, ping.payload))
        assert await asyncio.wrap_future(doing) == "one"

    async def test_wait_for_the_application_past_the_end(self, pair):
        await pair.peer.send(Frame(TEXT, b"a"), Frame(TEXT, b"b"), close_frame(3000, "bye"))
        await pair.peer.said() if pair.peer.mask else await pair.peer.frame()
        pair.peer.socket.close()
        await pair.do(pair.ws.wait_closed())
        assert [await pair.do(pair.ws.recv()) for _ in range(2)] == ["a", "b"]
        for _ in range(2):
            end = await pair.ended()
            assert (end.code, end.reason, end.clean) == (3000, "bye", True)
            assert str(end) == "the connection ended with code 3000: bye"


class TestIteration:
    @pytest.mark.parametrize("code", [1000, 1001, 1005])
    async def test_ends_with_a_goodbye(self, pair, code):
        await pair.peer.send(Frame(TEXT, b"a"), Frame(BINARY, b"b"), close_frame(code))
        pair.peer.hang_up()
        assert await pair.all() == ["a", b"b"]
        assert pair.ws.close_code == code

    async def test_raises_for_another_end(self, pair):
        await pair.peer.send(close_frame(1011, "sorry"))
        pair.peer.hang_up()
        with pytest.raises(ConnectionEnded, match="ended with code 1011: sorry"):
            await pair.all()

    async def test_raises_with_a_reason_that_cannot_act_on_a_terminal(self, pair):
        await pair.peer.send(close_frame(1011, "\x1b]0;x\x07\u202e"))
        pair.peer.hang_up()
        with pytest.raises(ConnectionEnded) as raised:
            await pair.all()
        assert str(raised.value).endswith(r"code 1011: \x1b]0;x\x07\u202e")
        assert raised.value.reason == "\x1b]0;x\x07\u202e"

    async def test_raises_when_the_connection_breaks(self, pair):
        pair.peer.hang_up()
        with pytest.raises(ConnectionEnded, match=r"broke off with code 1006$"):
            await pair.all()


class TestPing:
    """As with the library: ping() sends, and returns what to await for the pong."""

    async def test_waits_for_its_pong(self, pair):
        pong = await pair.do(pair.ws.ping(b"1"))
        assert await pair.peer.frame() == Frame(PING, b"1")
        await pair.peer.send(Frame(PONG, b"unasked"), Frame(TEXT, b"x"))
        await pair.do(pair.ws.recv())
        assert not pong.done()
        await pair.peer.send(Frame(PONG, b"1"))
        assert 0 < await pair.do(pong) < PATIENCE

    async def test_has_a_payload_of_its_own(self, pair):
        for _ in range(2):
            await pair.do(pair.ws.ping())
        first, second = await pair.peer.frame(), await pair.peer.frame()
        assert len(first.payload) == len(second.payload) == 4
        assert first != second

    async def test_a_later_pong_answers_for_earlier_pings(self, pair):
        pongs = [await pair.do(pair.ws.ping(payload)) for payload in (b"1", b"2", b"3")]
        frames = [await pair.peer.frame() for _ in pongs]
        assert [frame.payload for frame in frames] == [b"1", b"2", b"3"]
        await pair.peer.send(Frame(PONG, b"2"))
        earlier, own = await pair.do(pongs[0]), await pair.do(pongs[1])
        assert earlier > own > 0
        assert not pongs[2].done()
        await pair.peer.send(Frame(PONG, b"1"), Frame(PONG, b"3"))
        await pair.do(pongs[2])

    async def test_two_of_one_payload_are_answered_one_by_one(self, pair):
        pongs = [await pair.do(pair.ws.ping(b"same")) for _ in range(2)]
        assert [await pair.peer.frame() for _ in pongs] == [Frame(PING, b"same")] * 2
        await pair.peer.send(Frame(PONG, b"same"))
        await pair.do(pongs[0])
        assert not pongs[1].done()
        await pair.peer.send(Frame(PONG, b"same"))
        await pair.do(pongs[1])

    async def test_raises_when_the_connection_ends(self, pair):
        pongs = [await pair.do(pair.ws.ping()) for _ in range(2)]
        await pair.peer.frame()
        pongs[0].get_loop().call_soon_threadsafe(pongs[0].cancel)
        pair.peer.reset()
        with pytest.raises(ConnectionEnded):
            await pair.do(pongs[1])
        with pytest.raises(ConnectionEnded):
            await pair.do(pair.ws.ping())

    async def test_a_cancelled_one_is_forgotten(self, pair):
        pong = await pair.do(pair.ws.ping(b"1"))
        waiting = pair.start(pong)
        await pair.peer.frame()
        waiting.cancel()
        await pair.do(wait_until(pong.cancelled))
        await pair.peer.send(Frame(PONG, b"1"), Frame(TEXT, b"x"))
        assert await pair.do(pair.ws.recv()) == "x"

    async def test_waits_while_the_peer_does_not_keep_up(self, pair):
        sending = pair.start(pair.ws.send(bytes(1 << 22)))
        await pair.do(wait_until(lambda: pair.ws.congestion is not None))
        pinging = pair.start(pair.ws.ping())
        await pair.do(asyncio.sleep(SOON))
        assert not pinging.done()
        while await pair.peer.frame() != Frame(BINARY, bytes(1 << 22)):
            pass
        await asyncio.wrap_future(sending)
        assert not (await asyncio.wrap_future(pinging)).done()

    async def test_too_long_is_refused(self, pair):
        with pytest.raises(ProtocolError, match="limit 125"):
            await pair.do(pair.ws.ping(bytes(126)))


class TestClose:
    async def test_is_a_handshake(self, pair):
        closing = pair.start(pair.ws.close(4000, "done"))
        assert await pair.peer.frame() == close_frame(4000, "done")
        await pair.peer.send(close_frame(4000))
        if pair.peer.mask:  # the server ends TCP, the client waits for that (§7.1.1)
            assert await pair.peer.frame() is None
            assert not closing.done()
        pair.peer.hang_up()
        await asyncio.wrap_future(closing)
        assert await pair.peer.frame() is None
        assert (pair.ws.close_code, pair.ws.close_reason, pair.ws.clean) == (4000, "", True)

    async def test_answers_the_peers(self, pair):
        await pair.peer.send(close_frame(1001, "going"))
        assert await pair.peer.frame() == close_frame(1001, "going")
        pair.peer.hang_up()
        await pair.do(pair.ws.close())
        assert pair.ws.close_code == 1001

    async def test_twice_at_once_and_afterwards(self, pair):
        closing = [pair.start(pair.ws.close(code)) for code in (1000, 1001)]
        assert await pair.peer.frame() == close_frame(1000)
        await pair.peer.send(close_frame(1000))
        pair.peer.hang_up()
        for one in closing:
            await asyncio.wrap_future(one)
        await pair.do(pair.ws.close())
        assert await pair.peer.said() == []

    @pytest.mark.parametrize(("code", "reason"), [(1005, "why"), (1006, ""), (1000, "x" * 124)])
    async def test_with_what_may_not_be_sent(self, pair, code, reason):
        with pytest.raises(ProtocolError):
            await pair.do(pair.ws.close(code, reason))
        await pair.do(pair.ws.send("still open"))
        assert await pair.peer.frame() == Frame(TEXT, b"still open")

    async def test_gives_a_peer_up_that_does_not_answer(self, make):
        pair = await make(close_timeout=SOON)
        await pair.do(pair.ws.close())
        end = await pair.ended()
        assert (end.code, end.clean, pair.ws.timed_out) == (1006, False, True)
        assert await pair.peer.frame() == close_frame(1000)
        assert await pair.peer.frame() is None

    async def test_gives_a_peer_up_that_reads_nothing(self, make):
        pair = await make(close_timeout=SOON)
        sending = pair.start(pair.ws.send(bytes(1 << 24)))
        await pair.do(pair.ws.close())
        with pytest.raises(ConnectionEnded, match="1006"):
            await asyncio.wrap_future(sending)

    async def test_gives_a_server_up_that_does_not_end_tcp(self, make):
        pair = await make(close_timeout=SOON)
        await pair.peer.send(close_frame(1000))
        await pair.do(pair.ws.wait_closed())
        assert (pair.ws.close_code, pair.ws.clean, pair.ws.timed_out) == (1000, True, True)

    async def test_finds_the_peers_close_behind_messages_that_nobody_receives(self, make):
        pair = await make(queue=2)
        await pair.peer.send(*[Frame(TEXT, b"%d" % n) for n in range(9)], close_frame(1000))
        await pair.do(wait_until(lambda: pair.ws.stopped))
        closing = pair.start(pair.ws.close())
        assert await pair.peer.frame() == close_frame(1000)
        pair.peer.hang_up()
        await asyncio.wrap_future(closing)
        assert not pair.ws.timed_out
        assert await pair.all() == ["0", "1"]  # as many as the queue holds, the others are dropped

    async def test_finds_it_behind_more_messages_than_the_queue_holds(self, make):
        pair = await make(queue=2)
        closing = pair.start(pair.ws.close())
        assert await pair.peer.frame() == close_frame(1000)
        await pair.peer.send(*[Frame(TEXT, b"%d" % n) for n in range(9)], close_frame(1000))
        pair.peer.hang_up()
        await asyncio.wrap_future(closing)
        assert not pair.ws.timed_out
        assert await pair.all() == ["0", "1"]

    async def test_leaves_what_was_on_its_way(self, pair):
        closing = pair.start(pair.ws.close())
        await pair.peer.frame()
        await pair.peer.send(Frame(TEXT, b"late"), close_frame(1000))
        pair.peer.hang_up()
        await asyncio.wrap_future(closing)
        assert await pair.all() == ["late"]

    async def test_makes_send_wait_for_the_end_and_raise_it(self, pair):
        closing = pair.start(pair.ws.close())
        assert await pair.peer.frame() == close_frame(1000)
        sending, pinging = pair.start(pair.ws.send("too late")), pair.start(pair.ws.ping())
        await pair.peer.send(close_frame(3333))
        pair.peer.hang_up()
        await asyncio.wrap_future(closing)
        for late in (sending, pinging):
            with pytest.raises(ConnectionEnded, match="3333"):
                await asyncio.wrap_future(late)
        with pytest.raises(ConnectionEnded, match="3333"):
            await pair.do(pair.ws.send("much too late"))

    async def test_of_a_block_says_whether_it_went_well(self, make):
        for error, code in ((None, 1000), (KeyError("x"), 1011)):
            pair = await make()

            async def block(pair: Pair = pair, error: Exception | None = error) -> None:
                async with pair.ws as ws:
                    assert ws is pair.ws
                    if error:
                        raise error

            doing = pair.start(block())
            assert await pair.peer.frame() == close_frame(code)
            await pair.peer.send(close_frame(code))
            pair.peer.hang_up()
            if error:
                with pytest.raises(KeyError):
                    await asyncio.wrap_future(doing)
            else:
                await asyncio.wrap_future(doing)


class TestTheEndOfTcp:
    @pytest.mark.parametrize("how", ["hang_up", "reset"])
    async def test_without_close_is_1006(self, pair, how):
        waiting = pair.start(pair.ws.recv())
        getattr(pair.peer, how)()
        with pytest.raises(ConnectionEnded) as caught:
            await asyncio.wrap_future(waiting)
        end = caught.value
        assert (end.code, end.reason, end.clean) == (1006, "", False)
        assert isinstance(end, ConnectionError)
        with pytest.raises(ConnectionEnded):
            await pair.do(pair.ws.send("x"))

    async def test_a_reset_ends_a_send_that_waits(self, pair):
        sending = pair.start(pair.ws.send(bytes(1 << 24)))
        await pair.do(wait_until(lambda: pair.ws.congestion is not None))
        pair.peer.reset()
        with pytest.raises(ConnectionEnded, match="1006"):
            await asyncio.wrap_future(sending)

    async def test_a_peer_that_is_through_with_sending_and_does_not_read(self, make):
        pair = await make(close_timeout=SOON)
        sending = pair.start(pair.ws.send(bytes(1 << 24)))
        await pair.do(wait_until(lambda: pair.ws.congestion is not None))
        pair.peer.hang_up()
        with pytest.raises(ConnectionEnded, match="1006"):
            await asyncio.wrap_future(sending)

    async def test_a_reset_while_nothing_is_read(self, make):
        pair = await make(queue=2)
        await pair.peer.send(*[Frame(TEXT, b"%d" % n) for n in range(9)])
        await pair.do(wait_until(lambda: pair.ws.stopped))
        pair.peer.reset()

        async def send_on() -> None:  # it is writing that finds out
            while True:
                await pair.ws.send(bytes(1000))

        with pytest.raises(ConnectionEnded):
            await pair.do(send_on())
        assert [await pair.do(pair.ws.recv()) for _ in range(2)] == ["0", "1"]
        assert (await pair.ended()).code == 1006


class TestViolation:
    async def test_is_answered_kept_and_the_end(self, make):
        pair = await make(close_timeout=SOON)
        await pair.peer.send(Frame(TEXT, b"fine"), Frame(TEXT, b"\xff"))
        frame = await pair.peer.frame()
        assert Close.parse(frame.payload) == (
            1007,
            "text is not UTF-8: invalid start byte (RFC 6455 §8.1)",
        )
        assert await pair.do(pair.ws.recv()) == "fine"
        assert (await pair.ended()).code == 1006
        assert (pair.ws.violation.code, pair.ws.violation.section) == (1007, "RFC 6455 §8.1")

    async def test_is_told_to_a_peer_that_goes_on_sending(self):
        # With bytes unread, to close TCP is to reset it, and what was sent last may get lost.
        pair = await serve_one()
        await pair.peer.send(Frame(Opcode(0), b"nothing to continue"))
        await pair.peer.write(bytes(1 << 20))
        (frame,) = await pair.peer.said()
        assert Close.parse(frame.payload).code == 1002
        pair.peer.socket.close()
        await pair.do(pair.ws.wait_closed())

    async def test_a_long_message(self, make):
        pair = await make(limits=Limits(message=100), close_timeout=SOON)
        await pair.peer.send(Frame(BINARY, bytes(100)), Frame(BINARY, bytes(101)))
        assert await pair.do(pair.ws.recv()) == bytes(100)
        assert Close.parse((await pair.peer.frame()).payload).code == 1009


class TestBackpressure:
    async def test_send_waits_for_a_peer_that_does_not_read(self, pair):
        count, size = 100, 20_000

        async def flood() -> None:
            for number in range(count):
                await pair.ws.send(bytes([number]) * size)

        doing = pair.start(flood())
        await pair.do(wait_until(lambda: pair.ws.congestion is not None))
        await pair.do(asyncio.sleep(SOON))  # time enough to go too far
        assert not doing.done()
        assert pair.ws.transport.get_write_buffer_size() < 64 * 1024 + 2 * size
        frames = [await pair.peer.frame() for _ in range(count)]
        assert [frame.payload for frame in frames] == [bytes([n]) * size for n in range(count)]
        await asyncio.wrap_future(doing)

    async def test_reading_stops_when_the_queue_is_full_and_goes_on(self, make):
        pair = await make(queue=8)
        count, size = 300, 20_000
        sending = asyncio.create_task(
            pair.peer.send(*[Frame(BINARY, n.to_bytes(2) * (size // 2)) for n in range(count)])
        )
        await pair.do(wait_until(lambda: pair.ws.stopped))
        await pair.do(asyncio.sleep(SOON))  # time enough to read too much
        assert len(pair.ws.messages) == 8
        assert not pair.ws.transport.is_reading()
        assert not sending.done()
        received = [await pair.do(pair.ws.recv()) for _ in range(count)]
        assert received == [n.to_bytes(2) * (size // 2) for n in range(count)]
        await sending
        assert pair.ws.transport.is_reading()

    async def test_the_queue_is_as_long_as_it_says_however_they_come(self, make):
        pair = await make(queue=1)
        await pair.peer.send(*[Frame(TEXT, b"%d" % n) for n in range(50)], close_frame(1000))
        await pair.do(wait_until(lambda: pair.ws.messages))
        assert len(pair.ws.messages) == 1
        pair.peer.hang_up()
        assert await pair.all() == [str(n) for n in range(50)]

    def test_a_queue_has_room(self):
        with pytest.raises(ValueError, match="queue is 0 messages, it must be at least 1"):
            Settings(queue=0)

    async def test_pings_of_a_peer_that_does_not_read(self, pair):
        """Their pongs must not pile up: then nothing more is read until it has read some."""
        count = 20_000
        sock = pair.ws.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        pair.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        pings = pair.peer.wire(*[Frame(PING, bytes(125))] * 1000)
        sending = asyncio.create_task(pair.peer.write(pings * (count // 1000)))
        await pair.do(wait_until(lambda: pair.ws.stopped))
        await pair.do(asyncio.sleep(SOON))
        one_read = 256 * 1024
        assert pair.ws.transport.get_write_buffer_size() < 64 * 1024 + REPLY_LIMIT + one_read
        assert not sending.done()
        pair.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        missing = count * (127 if pair.peer.mask else 131)  # a client's pongs are masked
        while missing:
            missing -= len(await pair.peer.read())
        await sending
        await pair.peer.send(Frame(TEXT, b"x"))
        assert await pair.do(pair.ws.recv()) == "x"


class TestDeflate:
    async def test_both_ways(self, make):
        pair = await make(deflate=Deflate())
        await pair.do(pair.ws.send("Hello" * 100))
        frame = await pair.peer.frame()
        assert frame.rsv == RSV1
        assert len(frame.payload) < 20
        await pair.peer.send(Frame(TEXT, Deflater().deflate(b"Hello" * 100), rsv=RSV1))
        assert await pair.do(pair.ws.recv()) == "Hello" * 100

    async def test_a_zip_bomb_costs_no_more_than_the_limit(self, make):
        pair = await make(deflate=Deflate(), limits=Limits(message=1 << 18), close_timeout=SOON)
        bomb = Deflater().deflate(bytes(1 << 24))
        peak = await pair.peak(pair.peer.send(Frame(BINARY, bomb, rsv=RSV1)), pair.ended())
        assert pair.ws.violation.code == 1009
        assert peak < 1 << 21

    async def test_many_small_bombs_wait_for_their_turn_compressed(self, make):
        """One read of 256 KiB may hold hundreds of messages of 1 MiB each."""
        size, count = 1 << 20, 100
        pair = await make(deflate=Deflate(), queue=2)
        deflater = Deflater(takeover=False)
        data = pair.peer.wire(Frame(BINARY, deflater.deflate(bytes(size)), rsv=RSV1)) * count

        async def receive() -> None:
            for _ in range(count):
                assert len(await pair.do(pair.ws.recv())) == size

        assert len(data) < 256 * 1024
        assert await pair.peak(pair.peer.write(data), receive()) < 8 * size


async def wait_until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_a_driver_alone_is_no_endpoint():
    driver = Driver(Settings())
    with pytest.raises(NotImplementedError):
        driver.handshake(b"")


async def test_before_the_opening_handshake_there_is_nothing_to_close():
    ws = Endpoint(Settings())
    assert ws.subprotocol is None
    ws.lost.set_result(None)
    await ws.close()
    with pytest.raises(ConnectionEnded):
        await ws.send("x")


class TestTheTurnOfTheApplication:
    """What comes in one piece with a message is looked at when the message was answered."""

    async def start_echo(self, pair: Pair, count: int) -> Future[None]:
        async def echo() -> None:
            for _ in range(count):
                await pair.ws.send(await pair.ws.recv())

        echoing = pair.start(echo())
        await pair.do(wait_until(lambda: pair.ws.reader is not None))
        return echoing

    @pytest.mark.parametrize("count", [1, 3])
    async def test_comes_before_a_violation(self, make, count):
        pair = await make(close_timeout=SOON)
        echoing = await self.start_echo(pair, count + 1)
        texts = [Frame(TEXT, b"%d" % n) for n in range(count)]
        await pair.peer.write(pair.peer.wire(*texts, Frame(Opcode.CONTINUATION)))
        assert [await pair.peer.frame() for _ in range(count)] == texts
        assert Close.parse((await pair.peer.frame()).payload).code == 1002
        with pytest.raises(ConnectionEnded):
            await asyncio.wrap_future(echoing)

    async def test_comes_before_a_close(self, make):
        pair = await make(close_timeout=SOON)
        echoing = await self.start_echo(pair, 1)
        await pair.peer.send(Frame(TEXT, b"x"), close_frame(1000))
        assert [await pair.peer.frame() for _ in range(2)] == [Frame(TEXT, b"x"), close_frame(1000)]
        await asyncio.wrap_future(echoing)

    async def test_is_one_turn_and_no_more(self, pair):
        """An application that is busy does not keep a ping waiting."""
        receiving = pair.start(pair.ws.recv())
        await pair.do(wait_until(lambda: pair.ws.reader is not None))
        await pair.peer.send(Frame(TEXT, b"a"), Frame(TEXT, b"b"), Frame(PING, b"there?"))
        assert await pair.peer.frame() == Frame(PONG, b"there?")
        assert await asyncio.wrap_future(receiving) == "a"
        assert await pair.do(pair.ws.recv()) == "b"

    async def test_does_not_disturb_the_order(self, make):
        pair = await make(queue=3)
        count = 3000
        texts = [Frame(TEXT, b"%d" % n) for n in range(count)]
        data = pair.peer.wire(*texts, close_frame(1000))

        async def write() -> None:  # cut anywhere, and with pauses of no length
            for start in range(0, len(data), 997):
                await pair.peer.write(data[start : start + 997])
                await asyncio.sleep(0)
            pair.peer.hang_up()

        writing = asyncio.create_task(write())
        assert await pair.all() == [str(n) for n in range(count)]
        await writing
