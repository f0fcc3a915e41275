"""One write per member and turn, in order; a slow member costs the others nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.server import ServerProtocol

from wslab.apps.chat.connection import ChatConnection
from wslab.apps.chat.fanout import TURN, Fanout
from wslab.apps.chat.messages import Said, frame_of
from wslab.apps.chat.room import Member


class Transport:
    """Keeps what is written; the test says how much of it has not gone out."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.backlog = 0
        self.aborted = asyncio.Event()

    def write(self, data: bytes) -> None:
        if data:
            self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def abort(self) -> None:
        self.aborted.set()


class Connection:
    """As much of a connection as a fan-out uses."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.is_slow = self.is_closing = False
        self.credit = 0
        self.on_change: Any = None
        self.closed: list[tuple[int, str]] = []

    async def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))
        await asyncio.Event().wait()  # a peer that does not answer

    def becomes(self, **flags: bool) -> None:
        vars(self).update(flags)
        self.on_change(self)

    def take(self) -> list[list[Any]]:
        """What was written since the last look: the texts of the messages, a list per write."""
        writes, self.transport.writes = self.transport.writes, []
        return [[json.loads(text).get("text") for text in payloads(data)] for data in writes]


def payloads(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10]), 10
        found.append(data[start : start + size])
        data = data[start + size :]
    return found


class Bench:
    def __init__(self, backlog: int = 1000) -> None:
        self.dropped: list[tuple[Member, int]] = []
        self.fanout = Fanout(
            backlog=backlog,
            grace=0.01,
            on_drop=lambda member, size: self.dropped.append((member, size)),
        )

    def add(self) -> tuple[Member, Any]:
        member, connection = Member(), Connection()
        self.fanout.add(member, connection)  # type: ignore[arg-type]
        return member, connection

    def say(self, *texts: str) -> None:
        for text in texts:
            plain = {"name": "Ada", "text": text}
            self.fanout.publish(Said(plain, {**plain, "text": text + "+"}))


async def turn() -> None:
    """Let the loop come to what was scheduled before."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_said_in_one_turn_is_one_write() -> None:
    bench = Bench()
    (_, one), (_, two) = bench.add(), bench.add()
    bench.say("a", "b", "c")
    assert (one.take(), two.take()) == ([], [])
    await turn()
    assert (one.take(), two.take()) == ([["a", "b", "c"]], [["a", "b", "c"]])
    bench.say("d")
    await turn()
    assert one.take() == [["d"]]
    await turn()
    assert one.take() == []


async def test_everybody_gets_the_same_bytes() -> None:
    bench = Bench()
    connections = [bench.add()[1] for _ in range(3)]
    bench.say("你好")
    await turn()
    assert len({id(each.transport.writes[0]) for each in connections}) == 1
    assert connections[0].transport.writes[0] == frame_of({"name": "Ada", "text": "你好"})


async def test_what_is_for_one_alone_keeps_its_place() -> None:
    bench = Bench()
    (ada, one), (_, two) = bench.add(), bench.add()
    bench.say("a")
    bench.fanout.tell(ada, {"text": "only Ada"})
    bench.say("b", "c")
    bench.fanout.tell(ada, {"text": "again"})
    await turn()
    assert one.take() == [["a", "only Ada", "b", "c", "again"]]
    assert two.take() == [["a", "b", "c"]]
    bench.fanout.tell(ada, {"text": "alone"})
    await turn()
    assert (one.take(), two.take()) == ([["alone"]], [])


async def test_who_comes_within_a_turn_gets_the_rest_of_it() -> None:
    bench = Bench()
    bench.add()
    bench.say("before")
    _, late = bench.add()
    bench.say("after")
    await turn()
    assert late.take() == [["after"]]


async def test_who_goes_within_a_turn_gets_no_more() -> None:
    bench = Bench()
    (member, gone), (_, stays) = bench.add(), bench.add()
    bench.say("a")
    bench.fanout.tell(member, {"text": "x"})
    bench.fanout.remove(member)
    bench.fanout.tell(member, {"text": "y"})
    await turn()
    assert (gone.take(), stays.take()) == ([], [["a"]])


async def test_an_upgrade_counts_from_where_it_stands() -> None:
    bench = Bench()
    (member, one), (_, two) = bench.add(), bench.add()
    bench.say("a")
    bench.fanout.send_full(member)
    bench.fanout.send_full(member)  # once more does nothing
    bench.say("b")
    bench.fanout.tell(member, {"text": "x"})
    await turn()
    bench.say("c")
    await turn()
    assert one.take() == [["a", "b+", "x"], ["c+"]]
    assert two.take() == [["a", "b"], ["c"]]


async def test_nothing_is_written_to_one_that_closes() -> None:
    bench = Bench()
    member, one = bench.add()
    one.becomes(is_closing=True)
    bench.say("a")
    bench.fanout.tell(member, {"text": "x"})
    await turn()
    bench.fanout.close(member, 1000, "")
    await turn()
    assert (one.take(), one.closed) == ([], [(1000, "")])
    for task in bench.fanout._closing:
        task.cancel()


async def test_a_long_turn_is_cut() -> None:
    bench = Bench(backlog=10 * TURN)
    _, one = bench.add()
    bench.say("a" * TURN, "b")
    assert [[len(text) for text in write] for write in one.take()] == [[TURN, 1]]
    bench.say("c")
    await turn()
    assert one.take() == [["c"]]


async def test_closing_says_what_was_left_and_waits_for_nobody() -> None:
    bench = Bench()
    member, one = bench.add()
    bench.say("a")
    bench.fanout.tell(member, {"text": "why"})
    bench.fanout.close(member, 4001, "taken over")
    bench.fanout.close(member, 4001, "taken over")
    assert one.take() == [["a", "why"]]
    bench.say("b")
    await turn()
    assert (one.take(), one.closed) == ([], [(4001, "taken over")])
    async with asyncio.timeout(5):
        await one.transport.aborted.wait()  # after the grace, since the peer does not answer
    for task in bench.fanout._closing:
        task.cancel()


@pytest.mark.parametrize("backlog", [900, 1000])
async def test_a_slow_member_is_dropped_when_too_much_waits(backlog: int) -> None:
    bench = Bench(backlog=1000)
    (slow, its), (_, other) = bench.add(), bench.add()
    its.transport.backlog = 100
    its.becomes(is_slow=True)
    bench.say("a")
    await turn()
    assert its.take() == [["a"]]
    its.transport.backlog = backlog
    bench.say("b" * 90)
    await turn()
    assert (its.take(), other.take()) == ([], [["a"], ["b" * 90]])
    [(dropped, waiting)] = bench.dropped
    assert dropped is slow
    assert waiting > backlog + 90
    await turn()
    assert its.closed == [(1013, f"too slow: {waiting} bytes would wait")]
    bench.say("c")
    await turn()
    assert (its.take(), other.take()) == ([], [["c"]])
    assert its.on_change is None
    for task in bench.fanout._closing:
        task.cancel()


async def test_one_that_becomes_slow_while_it_is_written_to_gets_it_once() -> None:
    bench = Bench()
    (member, one), (_, two) = bench.add(), bench.add()
    write = one.transport.write

    def full(data: bytes) -> None:
        write(data)
        one.becomes(is_slow=True)

    one.transport.write = full
    bench.fanout.remove(member)
    bench.fanout.add(member, one)  # which looks at `write` again
    bench.say("a")
    await turn()
    assert (one.take(), two.take()) == ([["a"]], [["a"]])
    bench.say("b")
    await turn()
    assert (one.take(), two.take()) == ([["b"]], [["b"]])
    one.becomes(is_slow=False)
    bench.say("c")
    await turn()
    assert (one.take(), two.take()) == ([["c"]], [["c"]])


async def test_what_is_for_one_alone_counts_too() -> None:
    bench = Bench(backlog=1000)
    slow, its = bench.add()
    its.transport.backlog = 1000
    its.becomes(is_slow=True)
    bench.fanout.tell(slow, {"text": "x"})
    await turn()
    assert bench.dropped == [(slow, 1014)]
    await turn()
    for task in bench.fanout._closing:
        task.cancel()


async def test_the_history_that_was_asked_for_is_on_credit() -> None:
    bench = Bench(backlog=1000)
    member, its = bench.add()
    bench.fanout.tell(member, {"text": "old" * 300})
    bench.fanout.send_full(member)
    await turn()
    assert 900 < its.credit < 1000
    its.transport.backlog = 1800
    its.becomes(is_slow=True)
    bench.say("a")
    await turn()
    assert bench.dropped == []
    its.transport.backlog = 1000 + its.credit
    bench.say("b")
    await turn()
    assert [each for each, _ in bench.dropped] == [member]
    await turn()
    for task in bench.fanout._closing:
        task.cancel()


async def test_a_slow_member_with_something_of_its_own_gets_all_once() -> None:
    bench = Bench()
    member, one = bench.add()
    one.becomes(is_slow=True)
    bench.say("a")
    bench.fanout.tell(member, {"text": "x"})
    await turn()
    assert one.take() == [["a", "x"]]


async def test_a_connection_tells_when_it_cannot_keep_up() -> None:
    server: Any = None
    connection = ChatConnection(ServerProtocol(), server)
    seen = []
    connection.pause_writing()  # nobody listens yet
    connection.on_change = lambda one: seen.append((one.is_slow, one.credit))
    connection.credit = 5
    connection.resume_writing()
    connection.pause_writing()
    assert seen == [(False, 0), (True, 0)]


async def test_a_transport_that_is_closed_already_stops_nobody() -> None:
    bench = Bench()
    (ada, closed), (_, other) = bench.add(), bench.add()

    def fail(_data: bytes) -> None:
        raise RuntimeError("Cannot call write() after write_eof()")

    closed.transport.write = fail
    bench.fanout.remove(ada)
    bench.fanout.add(ada, closed)
    _, last = bench.add()
    bench.say("a")
    await turn()
    bench.fanout.tell(ada, {"text": "x"})
    bench.say("b")
    await turn()
    bench.fanout.close(ada, 1000, "")
    assert (other.take(), last.take()) == ([["a"], ["b"]], [["a"], ["b"]])
    await turn()
    for task in bench.fanout._closing:
        task.cancel()
