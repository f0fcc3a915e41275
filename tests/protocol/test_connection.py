"""A connection: its states, what it sends, what it reads however it is chopped, and its limits.

The rules of the RFC, one by one, are rows of conformance.py; here is what is ours to decide.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import count, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wslab.protocol import RSV1, Close, CloseCode, Frame, Opcode, ProtocolError
from wslab.protocol.connection import TRANSITIONS, Connection, Role, State, Step
from wslab.protocol.deflate import Deflate
from wslab.protocol.events import (
    Binary,
    Closed,
    Closing,
    Ping,
    Pong,
    ProtocolEvent,
    Text,
    Violation,
)
from wslab.protocol.messages import Limits

MASK = bytes.fromhex("37fa213d")
BAD = b"\x83\x00"  # a reserved opcode, wrong from either side
CLOSE_1000 = Frame(Opcode.CLOSE, Close(1000).serialize())


def server(deflate: Deflate | None = None, limits: Limits | None = None) -> Connection:
    return Connection(Role.SERVER, deflate=deflate, limits=limits)


def client(deflate: Deflate | None = None, limits: Limits | None = None) -> Connection:
    return Connection(Role.CLIENT, masks=lambda: MASK, deflate=deflate, limits=limits)


def from_client(*frames: Frame) -> bytes:
    return b"".join(frame._replace(mask=MASK).serialize(check=False) for frame in frames)


def from_server(*frames: Frame) -> bytes:
    return b"".join(frame.serialize(check=False) for frame in frames)


def written(connection: Connection) -> list[Frame]:
    data, frames = connection.data_to_send(), []
    while data:
        parsed = Frame.parse(data, rsv=RSV1)
        assert parsed is not None
        frames.append(parsed[0]._replace(mask=None))
        data = data[parsed[1] :]
    return frames


class TestMaking:
    def test_a_client_needs_masks(self) -> None:
        with pytest.raises(ValueError, match="a client needs masks"):
            Connection(Role.CLIENT)

    def test_a_server_has_none(self) -> None:
        with pytest.raises(ValueError, match="a server has none"):
            Connection(Role.SERVER, masks=lambda: MASK)

    def test_every_frame_has_a_mask_of_its_own(self) -> None:
        """RFC 6455 §5.3: replies and the Close included."""
        numbers = count(1)
        connection = Connection(Role.CLIENT, masks=lambda: next(numbers).to_bytes(4, "big"))
        connection.send_text("1")
        connection.ping()
        connection.receive(from_server(Frame(Opcode.PING)))
        connection.close()
        data, masks = connection.data_to_send(), []
        while data:
            frame, end = Frame.parse(data) or pytest.fail("part of a frame")
            masks.append(frame.mask)
            data = data[end:]
        assert masks == [n.to_bytes(4, "big") for n in range(1, 5)]


class TestClosing:
    """RFC 6455 §7."""

    def test_the_peer_begins(self) -> None:
        connection = server()
        assert connection.receive(from_client(CLOSE_1000)) == [Closing(1000, "")]
        assert written(connection) == [CLOSE_1000]
        assert connection.state is State.CLOSE_EXCHANGED
        assert connection.receive_eof() == [Closed(1000, "", True)]
        assert connection.state is State.CLOSED

    def test_we_begin(self) -> None:
        connection = server()
        connection.close(1001, "restart")
        assert written(connection) == [Frame(Opcode.CLOSE, Close(1001, "restart").serialize())]
        assert connection.state is State.CLOSE_SENT
        assert connection.receive(from_client(CLOSE_1000)) == [Closing(1000, "")]
        assert written(connection) == []
        assert connection.receive_eof() == [Closed(1000, "", True)]

    def test_without_a_code(self) -> None:
        """§7.1.5: 1005 stands for a Close without a code, and is how to send one."""
        connection = client()
        connection.close(CloseCode.NO_STATUS_RECEIVED)
        assert written(connection) == [Frame(Opcode.CLOSE)]
        assert connection.receive(from_server(Frame(Opcode.CLOSE))) == [Closing(1005, "")]
        assert connection.receive_eof() == [Closed(1005, "", True)]

    @pytest.mark.parametrize("close", [True, False])
    def test_without_a_close(self, close: bool) -> None:
        """§7.1.5: 1006 stands for no Close at all."""
        connection = server()
        if close:
            connection.close()
        assert connection.receive_eof() == [Closed(1006, "", False)]
        assert connection.state is State.CLOSED

    def test_tcp_ends_once(self) -> None:
        connection = server()
        assert len(connection.receive_eof()) == 1
        assert connection.receive_eof() == []
        assert connection.receive(from_client(Frame(Opcode.TEXT))) == []

    def test_tcp_ends_amid_a_message(self) -> None:
        connection = server()
        connection.receive(from_client(Frame(Opcode.TEXT, b"Hello"))[:-1])
        assert connection.receive_eof() == [Closed(1006, "", False)]

    def test_after_a_violation(self) -> None:
        """No Close of the peer's was read, so its code is 1006, whatever we sent (§7.1.5)."""
        connection = server()
        connection.receive(BAD)
        connection.receive(from_client(CLOSE_1000))
        assert connection.receive_eof() == [Closed(1006, "", False)]

    def test_the_server_closes_tcp_first(self) -> None:
        """§7.1.1."""
        ours, theirs = server(), client()
        for connection in (ours, theirs):
            assert not connection.should_close_tcp
        ours.close()
        theirs.receive(ours.data_to_send())
        assert not ours.should_close_tcp
        ours.receive(theirs.data_to_send())
        assert ours.should_close_tcp
        assert not theirs.should_close_tcp
        theirs.receive_eof()
        assert theirs.should_close_tcp

    def test_the_server_closes_tcp_after_a_violation(self) -> None:
        ours, theirs = server(), client()
        ours.receive(BAD)
        theirs.receive(BAD)
        assert ours.should_close_tcp
        assert not theirs.should_close_tcp

    @pytest.mark.parametrize("name", ["send_text", "send_binary", "ping", "pong", "close"])
    @pytest.mark.parametrize("end", ["close", "violation", "tcp"])
    def test_nothing_is_sent_at_the_end(self, name: str, end: str) -> None:
        connection = server()
        if end == "tcp":
            connection.receive_eof()
        else:
            connection.receive(from_client(CLOSE_1000) if end == "close" else BAD)
        connection.data_to_send()
        arguments = {"send_text": [""], "send_binary": [b""]}.get(name, [])
        with pytest.raises(ProtocolError, match="RFC 6455"):
            getattr(connection, name)(*arguments)
        assert connection.data_to_send() == b""


class TestTransitions:
    def test_it_is_a_closing_handshake(self) -> None:
        """Every state can be reached, every one but the last left, and TCP may always end."""
        reached = {State.OPEN}
        for _ in State:
            reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
        assert reached == set(State)
        assert {before for before, _ in TRANSITIONS} == set(State) - {State.CLOSED}
        passing = {State.CLOSE_RECEIVED}  # never left waiting there
        ends = {before for (before, step) in TRANSITIONS if step is Step.END}
        assert ends == set(State) - passing - {State.CLOSED}

    def test_every_one_happens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = set()

        class Watched(Connection):
            def _step(self, step: Step) -> None:
                seen.add((self.state, step))
                super()._step(step)

        for closes in (False, True):
            for data in (b"", BAD, from_client(CLOSE_1000)):
                connection = Watched(Role.SERVER)
                if closes:
                    connection.close()
                connection.receive(data)
                connection.receive_eof()
        assert seen == set(TRANSITIONS)


class TestViolations:
    def test_it_says_what_is_wrong(self) -> None:
        connection = server()
        events = connection.receive(from_client(Frame(Opcode.TEXT, b"", rsv=RSV1)))
        message = "RSV bits are 100, but extensions use 000"
        assert events == [Violation(1002, "RFC 6455 §5.2", message)]
        (close,) = written(connection)
        assert Close.parse(close.payload) == Close(1002, f"{message} (RFC 6455 §5.2)")

    def test_what_came_before_counts(self) -> None:
        connection = server()
        events = connection.receive(from_client(Frame(Opcode.TEXT, b"1")) + BAD)
        assert [type(event) for event in events] == [Text, Violation]

    def test_no_second_close(self) -> None:
        connection = server()
        connection.close()
        connection.data_to_send()
        (event,) = connection.receive(BAD)
        assert isinstance(event, Violation)
        assert connection.data_to_send() == b""

    @pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
    def test_the_header_is_enough(self, opcode: Opcode) -> None:
        """Nobody waits for a payload that is refused anyway."""
        connection = server()
        header = from_client(Frame(opcode, bytes(200)))[:8]
        assert connection.receive(from_client(Frame(Opcode.TEXT, fin=False))) == []
        (event,) = connection.receive(header)
        assert isinstance(event, Violation)
        assert event.section == "RFC 6455 §5.4"

    @given(message=st.text(max_size=200))
    @example(message="x" * 200)
    @example(message="é" * 100)
    @example(message="xé" * 100)
    def test_a_long_reason_is_cut(self, message: str) -> None:
        connection = server()
        error = ProtocolError(message, "RFC 6455")
        connection._fail(error)
        (close,) = written(connection)
        whole = str(error)
        reason = Close.parse(close.payload).reason
        assert whole.startswith(reason)
        assert reason == whole or len(reason.encode()) > 119


class TestLimits:
    def test_a_frame(self) -> None:
        connection = server(limits=Limits(frame=10, message=100))
        (event,) = connection.receive(Frame(Opcode.BINARY, bytes(11), mask=MASK).serialize()[:6])
        assert event == Violation(1009, "RFC 6455 §10.4", "payload is 11 bytes, limit 10")

    @pytest.mark.parametrize("deflate", [None, Deflate()])
    def test_a_message(self, deflate: Deflate | None) -> None:
        peer = client(deflate)
        for size, kind in ((100, Binary), (101, Violation)):
            connection = server(deflate, Limits(message=100))
            for start in range(0, size, 40):
                end = min(start + 40, size)
                peer.send_binary(bytes(end - start), fin=end == size)
            events = connection.receive(peer.data_to_send())
            assert [type(event) for event in events] == [kind]
            peer = client(deflate)

    def test_fragments(self) -> None:
        first, more = Frame(Opcode.TEXT, fin=False), Frame(Opcode.CONTINUATION, fin=False)
        connection = server(limits=Limits(fragments=3))
        assert connection.receive(from_client(first, more, more)) == []
        (event,) = connection.receive(from_client(more))
        assert isinstance(event, Violation)
        assert event.code == 1009

    def test_each_message_is_counted_anew(self) -> None:
        connection = server(limits=Limits(message=10, fragments=2))
        message = (Frame(Opcode.TEXT, b"12345", fin=False), Frame(Opcode.CONTINUATION, b"67890"))
        assert connection.receive(from_client(*message * 5)) == [Text("1234567890")] * 5

    def test_a_bomb_stays_small(self) -> None:
        """64 MiB in 64 KB: refused at 1 MiB, and never more than two of them in memory."""
        peer = client(Deflate(), Limits())
        for _ in range(64):
            peer.send_binary(bytes(1 << 20), fin=False)
        bomb = peer.data_to_send()
        assert len(bomb) < 1 << 17
        connection = server(Deflate())
        tracemalloc.start()
        (event,) = connection.receive(bomb)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(event, Violation)
        assert event.code == 1009
        assert peak < 5 << 19

    @pytest.mark.parametrize("chunk", [1, 100])
    def test_slow_bytes_stay_small(self, chunk: int) -> None:
        """A frame that comes in dribbles takes what it holds, not an object for every piece."""
        connection = server()
        data = Frame(Opcode.BINARY, bytes(30_000), mask=MASK).serialize()[:-1]
        tracemalloc.start()
        for start in range(0, len(data), chunk):
            assert connection.receive(data[start : start + chunk]) == []
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 90_000


EVERYTHING = [
    Frame(Opcode.TEXT, "Hello, 世界".encode()),
    Frame(Opcode.BINARY, bytes(range(256))),
    Frame(Opcode.PING, b"ping"),
    Frame(Opcode.TEXT, "世".encode()[:2], fin=False),
    Frame(Opcode.PONG, bytes(125)),
    Frame(Opcode.CONTINUATION, b"", fin=False),
    Frame(Opcode.CONTINUATION, "世".encode()[2:]),
    Frame(Opcode.TEXT),
    Frame(Opcode.CLOSE, Close(4000, "done").serialize()),
]
EVENTS: list[ProtocolEvent] = [
    Text("Hello, 世界"),
    Binary(bytes(range(256))),
    Ping(b"ping"),
    Pong(bytes(125)),
    Text("世"),
    Text(""),
    Closing(4000, "done"),
]


class TestChunks:
    @pytest.mark.parametrize("size", range(1, 40))
    def test_any_size(self, size: int) -> None:
        data, connection, events = from_client(*EVERYTHING), server(), []
        for start in range(0, len(data), size):
            events += connection.receive(data[start : start + size])
        assert events == EVENTS

    @given(cuts=st.lists(st.integers(0, 500)))
    def test_anywhere(self, cuts: list[int]) -> None:
        data, connection, events = from_server(*EVERYTHING), client(), []
        places = [0, *sorted(cuts), len(data)]
        for start, end in pairwise(places):
            events += connection.receive(data[start:end])
        assert events == EVENTS

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_kind_of_bytes(self, kind: type) -> None:
        connection = server()
        data = from_client(*EVERYTHING)
        events = [*connection.receive(kind(data[:7])), *connection.receive(kind(data[7:]))]
        assert events == EVENTS
        assert all(type(event.data) is bytes for event in events if isinstance(event, Binary))

    def test_what_is_given_may_change_afterwards(self) -> None:
        """A driver may use one buffer again and again."""
        connection, buffer = server(), bytearray(from_client(EVERYTHING[1])[:100])
        connection.receive(buffer)
        buffer[:] = bytes(100)
        assert connection.receive(from_client(EVERYTHING[1])[100:]) == [EVENTS[1]]


class TestOneByOne:
    """`next_event` reads on only when it is asked for the next event."""

    def events(self, connection: Connection, data: bytes) -> Iterator[ProtocolEvent]:
        connection.feed(data)
        return iter(connection.next_event, None)

    @pytest.mark.parametrize("end", [BAD, from_client(CLOSE_1000)])
    def test_an_answer_in_time(self, end: bytes) -> None:
        connection = server()
        for event in self.events(connection, from_client(Frame(Opcode.TEXT, b"Hello")) + end):
            if isinstance(event, Text):
                connection.send_text(event.data)
        first, second = written(connection)
        assert first == Frame(Opcode.TEXT, b"Hello")
        assert second.opcode is Opcode.CLOSE

    def test_an_end_in_between(self) -> None:
        connection = server()
        events = self.events(connection, from_client(*EVERYTHING))
        assert next(events) == EVENTS[0]
        connection.receive_eof()
        assert list(events) == []

    def test_a_close_in_between(self) -> None:
        """Until the peer's Close, what it sends counts."""
        connection = server()
        events = self.events(connection, from_client(*EVERYTHING))
        assert next(events) == EVENTS[0]
        connection.close(4001)
        assert list(events) == EVENTS[1:]
        assert [frame.opcode for frame in written(connection)] == [Opcode.CLOSE, Opcode.PONG]


class TestSending:
    def test_data_to_send_gives_everything_once(self) -> None:
        connection = server()
        connection.send_text("1")
        connection.send_binary(b"2")
        assert written(connection) == [Frame(Opcode.TEXT, b"1"), Frame(Opcode.BINARY, b"2")]
        assert connection.data_to_send() == b""

    def test_a_refused_fragment_leaves_the_message_as_it_was(self) -> None:
        connection = server()
        connection.send_binary(b"1", fin=False)
        with pytest.raises(ProtocolError, match=r"TEXT amid .* \(RFC 6455 §5.4\)"):
            connection.send_text("x")
        connection.send_binary(b"2")
        connection.send_text("3")
        assert [frame.opcode for frame in written(connection)] == [2, 0, 1]

    @pytest.mark.parametrize("name", ["ping", "pong"])
    def test_a_long_control_frame(self, name: str) -> None:
        connection = server()
        getattr(connection, name)(bytes(125))
        with pytest.raises(ProtocolError, match="126 bytes, limit 125"):
            getattr(connection, name)(bytes(126))
        assert len(written(connection)) == 1

    def test_a_bad_close_changes_nothing(self) -> None:
        connection = server()
        for code, reason in ((1006, ""), (1000, "r" * 124), (1005, "why")):
            with pytest.raises(ProtocolError):
                connection.close(code, reason)
        assert connection.state is State.OPEN
        assert connection.data_to_send() == b""

    def test_no_surrogates(self) -> None:
        """Python's str may hold what UTF-8 cannot."""
        connection = server()
        with pytest.raises(UnicodeEncodeError):
            connection.send_text("\ud800")
        connection.send_text("next")
        assert written(connection) == [Frame(Opcode.TEXT, b"next")]
