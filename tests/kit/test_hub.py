"""One write per member and turn, in order; a slow member costs the others nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import pytest

from wslab.kit.hub import TURN, Hub, drop_member, keep_latest, thin_out
from wslab.kit.line import Outgoing
from wslab.protocol.close import Close
from wslab.protocol.frames import Frame, Opcode

EVERYBODY = "everybody"


class State(Enum):
    OPEN = 1
    CLOSING = 2


class Transport:
    """Keeps what is written; the test says when it is full, and when that has gone out."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.writes: list[bytes] = []
        self.size = 0
        self.aborted = asyncio.Event()

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        if data:
            self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 100

    def abort(self) -> None:
        self.aborted.set()


class Connection:
    """As much of a connection as a hub uses; it is its transport's protocol, as the library's."""

    def __init__(self) -> None:
        self.transport = Transport(self)
        self.state = State.OPEN
        self.closed: list[tuple[int, str]] = []
        self.told: list[Any] = []
        self.pongs = 0  # bytes that it writes when something comes

    async def close(self, code: int, reason: str) -> None:
        self.state = State.CLOSING
        self.closed.append((code, reason))

    async def wait_closed(self) -> None:
        await turn()

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)
        self.transport.size += self.pongs

    def eof_received(self) -> bool:
        self.told.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(exc)

    # What the test does

    def fill(self) -> None:
        self.transport.protocol.pause_writing()

    def drain(self) -> None:
        self.transport.protocol.resume_writing()

    def take(self) -> list[list[str | bytes]]:
        """What was written since the last look: the messages, a list per write."""
        writes, self.transport.writes = self.transport.writes, []
        return [list(payloads(data)) for data in writes]


def payloads(data: bytes) -> Iterator[str | bytes]:
    start = 0
    while start < len(data):
        found = Frame.parse(data, start)
        assert found is not None
        frame, start = found
        yield frame.payload.decode() if frame.opcode is Opcode.TEXT else frame.payload


class Bench:
    def __init__(self, **options: Any) -> None:
        self.dropped: list[tuple[Any, int]] = []
        options.setdefault("grace", 0.01)
        self.hub = Hub(on_drop=lambda *what: self.dropped.append(what), **options)

    def add(self, *topics: str) -> Any:
        connection = Connection()
        self.hub.add(connection, *(topics or (EVERYBODY,)))
        return connection

    def say(self, *texts: str | bytes, topic: str = EVERYBODY, key: str | None = None) -> None:
        for text in texts:
            self.hub.publish(text, topic, key=key)


async def turn() -> None:
    """Let the loop come to what was scheduled before."""
    for _ in range(3):
        await asyncio.sleep(0)


def peer_closes(connection: Any) -> None:
    connection.state = State.CLOSING
    connection.transport.protocol.data_received(b"a Close frame")


def peer_goes(connection: Any) -> None:
    connection.transport.protocol.eof_received()


def closed_elsewhere(connection: Any) -> None:
    """As when the server stops; nothing may follow the Close frame, not in this turn either."""
    with pytest.raises(StopIteration):
        connection.close(1001, "").send(None)


class TestWriting:
    async def test_what_is_said_in_one_turn_is_one_write(self) -> None:
        bench = Bench()
        one, two = bench.add(), bench.add()
        bench.say("a", "b", "c")
        assert (one.take(), two.take()) == ([], [])
        await turn()
        assert (one.take(), two.take()) == ([["a", "b", "c"]], [["a", "b", "c"]])
        bench.say("d")
        await turn()
        assert one.take() == [["d"]]
        await turn()
        assert one.take() == []

    async def test_everybody_gets_the_same_bytes(self) -> None:
        bench = Bench()
        connections = [bench.add() for _ in range(3)]
        await turn()
        bench.say("你好")
        await turn()
        assert len({id(each.transport.writes[0]) for each in connections}) == 1
        assert connections[0].transport.writes[0] == b"\x81\x06" + "你好".encode()

    async def test_text_and_bytes(self) -> None:
        bench = Bench()
        one = bench.add()
        buffer = bytearray(b"\x00\xff")
        bench.say("text", b"bytes", buffer)
        buffer[0] = 7  # what was accepted does not change
        bench.hub.send(one, memoryview(b"own"))  # type: ignore[arg-type]
        await turn()
        assert one.take() == [["text", b"bytes", b"\x00\xff", b"own"]]

    @pytest.mark.parametrize("message", [{"text": "x"}, None, 7, ["a"], "\ud800"])
    async def test_what_is_no_message_reaches_nobody(self, message: Any) -> None:
        bench = Bench()
        one = bench.add()
        with pytest.raises((TypeError, ValueError)):
            bench.say(message)
        with pytest.raises((TypeError, ValueError)):
            bench.hub.send(one, message)
        bench.say("fine")
        await turn()
        assert one.take() == [["fine"]]

    async def test_what_is_for_one_alone_keeps_its_place(self) -> None:
        bench = Bench()
        one, two = bench.add(), bench.add()
        bench.say("a")
        bench.hub.send(one, "only one")
        bench.say("b", "c")
        bench.hub.send(one, "again")
        await turn()
        assert one.take() == [["a", "only one", "b", "c", "again"]]
        assert two.take() == [["a", "b", "c"]]
        bench.hub.send(one, "alone")
        await turn()
        assert (one.take(), two.take()) == ([["alone"]], [])

    async def test_a_long_turn_is_cut(self) -> None:
        bench = Bench()
        one = bench.add()
        bench.say("a" * TURN, "b")
        assert [[len(text) for text in write] for write in one.take()] == [[TURN]]
        await turn()
        assert one.take() == [["b"]]

    @pytest.mark.parametrize("how", [peer_closes, peer_goes, closed_elsewhere])
    async def test_nothing_is_written_to_one_that_closes(self, how: Any) -> None:
        bench = Bench()
        one, two = bench.add(), bench.add()
        await turn()
        how(one)
        bench.say("a")
        bench.hub.send(one, "x")
        await turn()
        bench.say("b")
        await turn()
        assert (one.take(), two.take()) == ([], [["a"], ["b"]])
        bench.hub.close(one, 1000, "")
        await turn()
        assert (one.take(), (1000, "") in one.closed) == ([], True)

    async def test_a_transport_that_has_ended_stops_nobody(self) -> None:
        bench = Bench()
        ended, other = Connection(), bench.add()

        def fail(_data: bytes) -> None:
            raise RuntimeError("Cannot call write() after write_eof()")

        ended.transport.write = fail  # type: ignore[method-assign]
        bench.hub.add(ended, EVERYBODY)
        last = bench.add()
        await turn()
        bench.say("a")
        await turn()
        bench.hub.send(ended, "x")
        bench.say("b")
        await turn()
        bench.hub.close(ended, 1000, "")
        assert (other.take(), last.take()) == ([["a"], ["b"]], [["a"], ["b"]])


class TestTopics:
    async def test_each_gets_what_it_listens_to_in_one_write_and_in_order(self) -> None:
        bench = Bench()
        both, first, other = bench.add("A", "B"), bench.add("A"), bench.add("C")
        for text, topic in (("a1", "A"), ("b1", "B"), ("c1", "C"), ("a2", "A"), ("d1", "D")):
            bench.say(text, topic=topic)
        await turn()
        assert both.take() == [["a1", "b1", "a2"]]
        assert (first.take(), other.take()) == ([["a1", "a2"]], [["c1"]])

    async def test_without_a_topic_it_goes_to_every_member(self) -> None:
        bench = Bench()
        one, two = bench.add("A"), bench.add("B", "C")
        bench.hub.add(three := Connection())
        bench.say("a", topic="A")
        bench.hub.publish("all")
        await turn()
        assert [each.take() for each in (one, two, three)] == [[["a", "all"]], [["all"]], [["all"]]]

    async def test_a_change_counts_from_where_it_stands(self) -> None:
        bench = Bench()
        one, two = bench.add("A"), bench.add("A")
        bench.say("a1", topic="A")
        bench.say("b1", topic="B")
        bench.hub.subscribe(one, "B")
        bench.hub.subscribe(one, "B")  # once more does nothing
        bench.say("b2", topic="B")
        bench.hub.unsubscribe(one, "A")
        bench.say("a2", topic="A")
        bench.hub.send(one, "x")
        await turn()
        bench.say("b3", topic="B")
        await turn()
        assert one.take() == [["a1", "b2", "x"], ["b3"]]
        assert two.take() == [["a1", "a2"]]

    async def test_who_comes_within_a_turn_gets_the_rest_of_it(self) -> None:
        bench = Bench()
        bench.add()
        bench.say("before")
        late = bench.add()
        bench.say("after")
        await turn()
        assert late.take() == [["after"]]

    async def test_who_goes_within_a_turn_gets_no_more(self) -> None:
        bench = Bench()
        gone, stays = bench.add(), bench.add()
        bench.say("a")
        bench.hub.send(gone, "x")
        bench.hub.remove(gone)
        bench.hub.remove(gone)
        bench.hub.send(gone, "y")
        bench.hub.subscribe(gone, "B")
        bench.hub.unsubscribe(gone, EVERYBODY)
        bench.hub.close(gone, 1000, "")
        await turn()
        assert (gone.take(), stays.take(), gone.closed) == ([], [["a"]], [])
        assert len(bench.hub) == 1

    async def test_a_member_may_have_a_name_of_its_own(self) -> None:
        bench = Bench()
        one = Connection()
        bench.hub.add(one, "A", member="Ada")
        with pytest.raises(ValueError, match="'Ada' is a member already"):
            bench.hub.add(Connection(), member="Ada")
        bench.hub.send("Ada", "x")
        await turn()
        assert one.take() == [["x"]]

    def test_many_in_an_order_that_is_the_same_in_every_process(self) -> None:
        """Members, topics and streams: nothing depends on addresses or on the seed of hashes."""
        program = (
            "import asyncio\n"
            "from tests.kit.test_hub import order_of_writes\n"
            "print(asyncio.run(order_of_writes()))"
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", program],
                capture_output=True,
                text=True,
                check=True,
                env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            ).stdout
            for seed in ("1", "2", "3")
        }
        assert len(found) == 1
        assert "39" in found.pop()


async def order_of_writes() -> list[int]:
    """Return in which order forty members are written to."""
    hub, order = Hub(), []
    for number in range(40):
        connection = Connection()
        write = connection.transport.write

        def noted(data: bytes, number: int = number, write: Any = write) -> None:
            order.append(number) if data else None
            write(data)

        connection.transport.write = noted  # type: ignore[method-assign]
        hub.add(connection, *(f"topic {n}" for n in range(number % 5)), member=f"m{number}")
        if number % 3 == 0:
            hub.subscribe(f"m{number}", "topic 9", "topic 8")
    await turn()
    for topic in ("topic 9", "topic 2", "topic 0", None):
        hub.publish("x", topic)
    await turn()
    return order


class TestTheLine:
    async def test_it_passes_on_all_that_asyncio_says(self) -> None:
        bench = Bench()
        one = bench.add()
        protocol = one.transport.protocol
        one.fill()
        protocol.data_received(b"data")
        one.drain()
        assert protocol.eof_received() is True
        protocol.connection_lost(None)
        assert one.told == ["pause", b"data", "resume", "eof", None]
        assert len(bench.hub) == 0  # forgotten with its connection

    async def test_an_old_connection_that_ends_is_not_the_new_one(self) -> None:
        hub = Hub()
        old, new = Connection(), Connection()
        hub.add(old, member="Ada")
        hub.remove("Ada")
        hub.add(new, member="Ada")
        old.transport.protocol.connection_lost(None)
        hub.send("Ada", "x")
        await turn()
        assert new.take() == [["x"]]

    async def test_a_connection_on_two_hubs(self) -> None:
        hubs = Hub(), Hub()
        connection = Connection()
        for number, hub in enumerate(hubs):
            hub.add(connection)
            hub.publish(f"hub {number}")
        await turn()
        connection.fill()
        hubs[0].publish("waits")
        hubs[1].publish("waits too")
        await turn()
        connection.drain()
        found = [text for write in connection.take() for text in write]
        assert found == ["hub 0", "hub 1", "waits", "waits too"]

    async def test_what_waits_goes_out_in_one_write_and_before_what_is_new(self) -> None:
        bench = Bench()
        one, two = bench.add(), bench.add()
        one.fill()
        bench.say("a", "b")
        bench.hub.send(one, "x")
        await turn()
        assert (one.take(), two.take()) == ([], [["a", "b"]])
        bench.say("c")
        one.drain()
        await turn()
        assert (one.take(), two.take()) == ([["a", "b", "x"], ["c"]], [["c"]])

    async def test_one_that_becomes_slow_while_it_is_written_to_gets_it_once(self) -> None:
        bench = Bench()
        one, two = bench.add(), bench.add()
        await turn()
        write = one.transport.write

        class Full(Transport):
            def write(self, data: bytes) -> None:
                write(data)
                if data:
                    one.fill()

        one = Connection()
        one.transport = Full(one)
        bench.hub.add(one, EVERYBODY)
        await turn()
        bench.say("a")
        await turn()
        bench.say("b")
        await turn()
        assert two.take() == [["a"], ["b"]]
        one.drain()
        assert one.told == ["pause", "resume", "pause"]

    async def test_one_that_was_slow_before_it_came(self) -> None:
        bench = Bench()
        one = Connection()
        one.transport.size = 101
        bench.hub.add(one, EVERYBODY)
        bench.say("a")
        await turn()
        assert one.take() == []
        one.drain()
        assert one.take() == [["a"]]


def size(*texts: str) -> int:
    return sum(len(Outgoing.of(text).frame) for text in texts)


class TestFull:
    @pytest.mark.parametrize("policy", [drop_member, keep_latest, thin_out])
    async def test_a_slow_member_is_dropped_when_nothing_may_be_left_out(self, policy: Any) -> None:
        bench = Bench(backlog=100, when_full=policy)
        slow, other = bench.add(), bench.add()
        slow.fill()
        bench.say("a" * 98)
        await turn()
        assert bench.dropped == []
        bench.say("b")
        await turn()
        assert bench.dropped == [(slow, 103)]
        assert slow.closed == [(1013, "too slow: 103 bytes would wait")]
        assert (slow.take(), other.take()) == ([], [["a" * 98], ["b"]])
        assert len(bench.hub) == 1
        async with asyncio.timeout(45):
            await slow.transport.aborted.wait()  # after the grace

    async def test_untouched_is_what_may_wait_before_something_is_left_out(self) -> None:
        for untouched, waiting in ((0, ["b1", "a3"]), (None, ["a1", "a2", "b1", "a3"])):
            bench = Bench(when_full=keep_latest, untouched=untouched)
            slow = bench.add()
            slow.fill()
            for text in ("a1", "a2", "b1", "a3"):
                bench.say(text, key=text[0])
            await turn()
            slow.drain()
            assert slow.take() == [waiting]

    async def test_what_is_for_one_alone_counts_too(self) -> None:
        bench = Bench(backlog=100)
        slow = bench.add()
        slow.fill()
        bench.hub.send(slow, "a" * 50)
        bench.say("b" * 50)
        await turn()
        assert bench.dropped == [(slow, 104)]

    async def test_the_history_that_was_asked_for_does_not_count(self) -> None:
        bench = Bench(backlog=100)
        slow = bench.add()
        slow.fill()
        bench.hub.send(slow, "old" * 100, asked=True)
        bench.say("a" * 98)
        await turn()
        assert bench.dropped == []
        bench.say("b")
        await turn()
        assert len(bench.dropped) == 1

    async def test_such_credit_ends_with_what_it_was_for(self) -> None:
        bench = Bench(backlog=100)
        slow = bench.add()
        bench.hub.send(slow, "old" * 100, asked=True)
        await turn()
        slow.fill()
        bench.say("a" * 99)
        await turn()
        assert len(bench.dropped) == 1

    async def test_the_latest_of_each_key(self) -> None:
        bench = Bench(backlog=30, when_full=keep_latest)
        slow, other = bench.add(), bench.add()
        slow.fill()
        bench.hub.send(slow, "must arrive")
        for price in range(100):
            for stock in "AB":
                bench.say(f"{stock}{price}", key=stock)
            await turn()
        bench.say("end")
        await turn()
        slow.drain()
        (got,) = slow.take()
        assert got[0] == "must arrive"
        assert got[-3:] == ["A99", "B99", "end"]
        assert bench.hub.left_out == 201 - len(got[1:])
        assert (len(other.take()), bench.dropped) == (101, [])

    async def test_thinned_out(self) -> None:
        bench = Bench(backlog=size(*(f"{n:03}" for n in range(64))), when_full=thin_out)
        slow, other = bench.add(), bench.add()
        slow.fill()
        for number in range(256):
            bench.say(f"{number:03}", key="comment")
            await turn()
        bench.hub.send(slow, "yours")
        await turn()
        slow.drain()
        (got,) = slow.take()
        assert got[-1] == "yours"
        numbers = [int(text) for text in got[:-1]]  # type: ignore[arg-type]
        assert numbers == sorted(set(numbers))
        assert 32 <= len(numbers) <= 64
        assert numbers[0] < 64  # of all the time, not only of its beginning or its end
        assert numbers[-1] == 255
        assert bench.hub.left_out == 256 - len(numbers)
        assert (len(other.take()), bench.dropped) == (256, [])

    async def test_a_policy_of_your_own(self) -> None:
        bench = Bench(backlog=20, when_full=lambda waiting: waiting[1:])
        slow = bench.add()
        slow.fill()
        bench.say(*"abcdefghij")
        await turn()
        slow.drain()
        assert slow.take() == [list("defghij")[-6:]]

    async def test_pongs_count(self) -> None:
        """Whoever sends pings and does not read fills the transport, past the hub."""
        bench = Bench(backlog=100, grace=60)
        one, other = bench.add(), bench.add()
        one.pongs = 40
        data = one.transport.protocol.data_received
        for _ in range(10):
            data(b"ping")  # they go out
        assert bench.dropped == []
        one.fill()
        for _ in range(3):
            data(b"ping")
        await turn()
        assert bench.dropped == [(one, 120)]
        assert [code for code, _ in one.closed] == [1013]
        assert not one.transport.aborted.is_set()
        data(b"ping")  # it goes on
        assert one.transport.aborted.is_set()
        bench.say("still here")
        await turn()
        assert other.take() == [["still here"]]

    async def test_pongs_that_go_out_do_not_count(self) -> None:
        bench = Bench(backlog=100)
        one = bench.add()
        one.pongs = 40
        for _ in range(10):
            one.fill()
            one.transport.protocol.data_received(b"ping")
            one.drain()
        await turn()
        assert bench.dropped == []


class TestPaced:
    """A paced member gets one batch, and the next one when it has said that it has all of that."""

    @staticmethod
    def bench(**options: Any) -> tuple[Bench, Any]:
        bench = Bench(when_full=keep_latest, untouched=0, **options)
        paced = Connection()
        bench.hub.add(paced, EVERYBODY, paced=True)
        return bench, paced

    async def test_what_comes_meanwhile_waits_as_the_latest_of_each_key(self) -> None:
        bench, paced = self.bench()
        other = bench.add()
        bench.say("a1", key="a")
        await turn()
        for text in ("a2", "b1", "a3", "b2", "a4"):
            bench.say(text, key=text[0])
            await turn()
        assert paced.take() == [["a1"]]
        bench.hub.ready(paced, 1)
        assert paced.take() == [["b2", "a4"]]
        assert bench.hub.left_out == 3
        assert len(other.take()) == 6

    async def test_what_comes_in_one_turn_is_a_batch_too(self) -> None:
        bench, paced = self.bench()
        bench.say("a1", "a2", key="a")
        bench.say("b1", key="b")
        await turn()
        assert paced.take() == [["a2", "b1"]]
        bench.hub.ready(paced, 2)
        bench.say("a3", "a4", key="a")
        await turn()
        assert paced.take() == [["a4"]]

    async def test_the_next_batch_wants_all_of_the_last_one(self) -> None:
        bench, paced = self.bench()
        bench.say("a1", "b1")
        await turn()
        bench.say("a2", key="a")
        await turn()
        paced.take()
        for count in (0, 1, 3):
            bench.hub.ready(paced, count)
        assert paced.take() == []
        bench.hub.ready(paced, 2)
        assert paced.take() == [["a2"]]

    async def test_one_that_is_ready_gets_what_is_new_at_once(self) -> None:
        bench, paced = self.bench()
        for number, text in enumerate(["x", "y", "z"], 1):
            bench.say(text)
            await turn()
            assert paced.take() == [[text]]
            bench.hub.ready(paced, number)
            bench.hub.ready(paced, number)  # once more does no harm
        bench.hub.ready("nobody", 0)

    async def test_ready_in_the_middle_of_a_turn_keeps_the_order(self) -> None:
        bench, paced = self.bench()
        bench.say("x")
        await turn()
        bench.say("y")
        await turn()
        bench.say("z")
        bench.hub.ready(paced, 1)
        await turn()
        assert paced.take() == [["x"], ["y"]]
        bench.hub.ready(paced, 2)
        assert paced.take() == [["z"]]

    async def test_a_full_transport_counts_too(self) -> None:
        bench, paced = self.bench()
        bench.say("a1", key="a")
        await turn()
        paced.fill()
        bench.say("a2", "a3", key="a")
        await turn()
        bench.hub.ready(paced, 1)
        assert paced.take() == [["a1"]]
        paced.drain()
        assert paced.take() == [["a3"]]

    async def test_one_that_never_says_it_costs_a_message_per_key(self) -> None:
        bench, paced = self.bench(backlog=size("a" * 8, "b" * 8))
        for number in range(1000):
            bench.say(f"a{number:7}", key="a")
            bench.say(f"b{number:7}", key="b")
            await turn()
        assert bench.dropped == []
        bench.say("must arrive")
        await turn()
        assert [member for member, _ in bench.dropped] == [paced]


class TestClosing:
    async def test_it_says_what_was_left_and_waits_for_nobody(self) -> None:
        bench = Bench()
        one, slow = bench.add(), bench.add()
        slow.fill()
        bench.say("a")
        await turn()
        one.take()
        bench.say("b")
        for each in (one, slow):
            bench.hub.send(each, "why")
            bench.hub.close(each, 4001, "taken over")
            bench.hub.close(each, 4001, "taken over")
        assert (one.take(), slow.take()) == ([["b", "why"]], [["a", "b", "why"]])
        bench.say("c")
        await turn()
        assert (one.take(), one.closed) == ([], [(4001, "taken over")])
        async with asyncio.timeout(45):
            await one.transport.aborted.wait()  # after the grace, since the peer does not answer

    async def test_an_error_of_close_is_not_lost(self) -> None:
        loop, errors = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
        bench = Bench()
        one = bench.add()

        async def fail(code: int, reason: str) -> None:
            raise OSError("no")

        one.close = fail
        bench.hub.close(one)
        await turn()
        assert [str(error) for error in errors] == ["no"]

    @pytest.mark.parametrize("code", [0, 1005, 1006, 2999, 99_999])
    async def test_an_impossible_close_does_nothing(self, code: int) -> None:
        bench = Bench()
        one = bench.add()
        with pytest.raises(ValueError, match="may not be sent"):
            bench.hub.close(one, code)
        bench.say("a")
        await turn()
        assert (one.take(), one.closed) == ([["a"]], [])

    @pytest.mark.parametrize("kept", [None, ZeroDivisionError])
    async def test_a_policy_that_fails_costs_nobody_else_a_message(self, kept: Any) -> None:
        loop, errors = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))

        def fail(waiting: list[Outgoing]) -> Any:
            if kept is None:
                return None
            raise kept

        hub = Hub(backlog=10, untouched=0, when_full=fail)
        slow, other = Connection(), Connection()
        hub.add(slow)
        slow.fill()
        hub.add(other)
        await turn()
        for text in "abcde":
            hub.send(slow, text)
            hub.send(other, text)
            await turn()
        assert other.take() == [["a"], ["b"], ["c"], ["d"], ["e"]]
        assert errors
        assert slow.closed  # because nothing was left out

    async def test_a_callback_that_fails_costs_nobody_else_a_message(self) -> None:
        loop, errors = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))

        def fail(member: Any, size: int) -> None:
            raise KeyError(size)

        hub = Hub(backlog=10, on_drop=fail)
        slow, other = Connection(), Connection()
        hub.add(slow)
        hub.add(other)
        await turn()
        slow.fill()
        hub.publish("a" * 20)
        await turn()
        assert (other.take(), len(errors)) == ([["a" * 20]], 1)


class PrivateError(ValueError):
    close_code = 4321


class TestHosting:
    async def test_a_member_for_the_length_of_a_block(self) -> None:
        bench, connection = Bench(), Connection()

        async def fail() -> None:
            async with bench.hub.hosting(connection, EVERYBODY, refuses={LookupError: 4000}):
                bench.say("one")
                await turn()
                raise RuntimeError("ours")

        with pytest.raises(RuntimeError, match="ours"):
            await fail()
        bench.say("two")
        await turn()
        assert connection.take() == [["one"]]
        assert (len(bench.hub), connection.closed) == (0, [])

    @pytest.mark.parametrize(("error", "code"), [(KeyError("x"), 4000), (PrivateError("x"), 4321)])
    async def test_a_peers_mistake_closes_its_connection(self, error: Exception, code: int) -> None:
        bench, connection = Bench(), Connection()
        refuses = {LookupError: 4000, PrivateError: None}
        async with bench.hub.hosting(connection, refuses=refuses):
            bench.hub.send(connection, "before")
            raise error
        assert connection.take() == [["before"]]
        assert connection.closed == [(code, f"not understood: {error}")]
        assert len(bench.hub) == 0

    @pytest.mark.parametrize(("text", "size"), [("x" * 200, 123), ("你好" * 50, 121)])
    async def test_a_reason_fits_into_a_close_frame(self, text: str, size: int) -> None:
        bench, connection = Bench(), Connection()
        async with bench.hub.hosting(connection, refuses={ValueError: 1008}):
            raise ValueError(text)
        ((code, reason),) = connection.closed
        assert Frame(Opcode.CLOSE, Close(code, reason).serialize()).payload[2:] == reason.encode()
        assert len(reason.encode()) == size

    async def test_life_goes_on_while_there_are_members(self) -> None:
        lives: list[str] = []

        async def life() -> None:
            lives.append("begins")
            try:
                await asyncio.Event().wait()
            finally:
                lives.append("ends")

        bench = Bench(life=life)
        one, two = bench.add(), bench.add()
        await turn()
        bench.hub.remove(one)
        await turn()
        assert lives == ["begins"]
        bench.hub.remove(two)
        bench.add()  # before the first life has noticed
        await turn()
        assert lives == ["begins", "ends", "begins"]

    async def test_a_life_that_fails_is_told(self) -> None:
        async def life() -> None:
            raise LookupError("no score")

        errors: list[BaseException] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
        bench = Bench(life=life)
        bench.add()
        await turn()
        assert [str(error) for error in errors] == ["no score"]

    async def test_what_is_heard(self) -> None:
        bench = Bench()
        one = bench.add("a")
        assert (bench.hub.is_heard("a"), bench.hub.is_heard("b")) == (True, False)
        bench.hub.remove(one)
        assert not bench.hub.is_heard("a")


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (drop_member, "a1 b1 --- a2 a3 b2"),
        (keep_latest, "--- a3 b2"),
        (thin_out, "b1 --- a3"),
    ],
)
def test_what_a_policy_leaves_out(policy: Callable[..., list[Outgoing]], kept: str) -> None:
    waiting = [
        Outgoing(None if text == "---" else text[0], text.encode())
        for text in ("a1", "b1", "---", "a2", "a3", "b2")
    ]
    assert [each.frame.decode() for each in policy(waiting)] == kept.split()
    assert policy([]) == []


def test_json_is_the_callers_affair() -> None:
    assert json.loads(next(payloads(Outgoing.of('{"a":1}').frame))) == {"a": 1}
