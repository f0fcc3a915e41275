"""The server in virtual time: guests, presence, garbage, large documents, odd names."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab.apps.coediting import MAX_SIZE, Rooms, Writer, protocol
from wslab.apps.coediting.protocol import (
    AUTH,
    AWARENESS,
    STEP1,
    STEP2,
    UPDATE,
    awareness,
    read_entries,
    read_y,
    sync,
)
from wslab.kit.client_events import Presence, PresenceEntry
from wslab.kit.log import Store
from wslab.net import simulate

URL = "ws://server:9000/"
EMPTY_STEP1 = bytes.fromhex("00 00 01 00")


def run(main: Callable[[Rooms], Awaitable[Any]], rooms: Rooms | None = None) -> Any:
    """Run a program with a server in virtual time."""
    rooms = rooms or Rooms()

    async def program() -> Any:
        async with serve(rooms, "server", 9000, compression=None, max_size=MAX_SIZE):
            return await main(rooms)

    done = simulate(program)
    result = done.result()
    assert [each for each in done.errors if not isinstance(each, ConnectionClosed)] == []
    return result


@asynccontextmanager
async def visit(path: str = "room") -> AsyncIterator[ClientConnection]:
    async with connect(URL + path, proxy=None, max_size=None) as ws:
        yield ws


async def heard(ws: ClientConnection, seconds: float = 1.0) -> list[tuple[bytes, bytes]]:
    """Return all messages that come within some seconds."""
    messages = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                messages.append(read_y(await ws.recv()))
    except TimeoutError:
        return messages


async def until_closed(ws: ClientConnection) -> AsyncIterator[bytes]:
    try:
        while True:
            yield await ws.recv()
    except ConnectionClosed:
        pass


def an_update(text: str = "hello", client: int = 7) -> bytes:
    doc = pycrdt.Doc(client_id=client)
    doc["text"] = pycrdt.Text(text)
    return doc.get_update()


def test_an_empty_step_1_is_answered() -> None:
    async def main(_: Rooms) -> Any:
        async with visit() as ws:
            await ws.send(EMPTY_STEP1)
            return await heard(ws)

    assert run(main) == [(STEP1, b"\0"), (STEP2, b"\0\0")]


def test_an_update_is_relayed_as_it_came() -> None:
    async def main(_: Rooms) -> Any:
        async with visit() as one, visit() as two, visit("other") as other:
            await one.send(sync(UPDATE, an_update()))
            await two.send(b"\x03")
            got = [await heard(ws) for ws in (one, two, other)]
            await one.send(sync(STEP2, an_update()))  # nobody has to hear it again
            return got, await heard(two)

    (one, two, other), again = run(main)
    assert one[1:] == [(UPDATE, an_update())]  # which says that it is saved
    assert sorted(two[1:]) == [(UPDATE, an_update()), (AWARENESS, b"\0")]
    assert (other[1:], again) == ([], [])


NAMES = ["a b", "你好", "a/b/", "%", "..", "?x=1", "#1", "", "'\"", "x" * 500, "%2F"]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(name: str) -> None:
    """They are different rooms, and outlive the server."""
    store = Store()

    async def main(_: Rooms) -> Any:
        async with visit(quote(name, safe="")) as ws, visit("else") as other:
            await ws.send(sync(UPDATE, an_update()) if store.read(name.encode()) == [] else b"\3")
            await ws.send(EMPTY_STEP1)
            await other.send(EMPTY_STEP1)
            return (STEP2, an_update()) in await heard(ws), (STEP2, b"\0\0") in await heard(other)

    assert run(main, Rooms(store)) == run(main, Rooms(store)) == (True, True)
    assert [update for _, update in store.read(name.encode())] == [an_update()]


def test_bytes_that_are_not_utf_8_make_rooms_of_their_own() -> None:
    async def main(_: Rooms) -> Any:
        async with visit("%ff") as ws, visit("%fe") as other:
            await ws.send(sync(UPDATE, an_update()))
            await other.send(EMPTY_STEP1)
            return await heard(other)

    assert run(main)[-1] == (STEP2, b"\0\0")


GARBAGE = {
    "nothing": b"",
    "a text": "hello",
    "an unknown kind": b"\x07\x01\x00",
    "an unknown step": b"\x00\x07\x01\x00",
    "a length without an end": b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    "a length that lies": b"\x00\x02\x05\x00\x00",
    "more than it says": b"\x00\x00\x01\x00\x00",
    "no update": sync(UPDATE, b"\xff\xff\xff\xff\x0f\x00"),
    "a part of an update": sync(STEP2, an_update()[:-3]),
    "no state vector": sync(STEP1, b"\x05"),
    "a state that is not JSON": awareness([PresenceEntry(1, 1, "{")]),
    "a state that is not UTF-8": b"\x01\x05\x01\x01\x01\x01\xff",
    "a state that is too long": awareness([PresenceEntry(1, 1, '"' + "x" * 70000 + '"')]),
    "a state that is too deep": awareness([PresenceEntry(1, 1, "[" * 60000)]),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_ends_its_connection_and_nothing_else(garbage: bytes | str) -> None:
    async def main(_: Rooms) -> Any:
        async with visit() as good, visit() as bad:
            await bad.send(sync(UPDATE, an_update()))
            await bad.send(garbage)
            await bad.wait_closed()
            await good.send(sync(UPDATE, an_update("more", 8)))
            return (bad.close_code, bad.close_reason), await heard(good)

    (code, reason), messages = run(main)
    assert code == 4400  # y-websocket does not come back with the same
    assert reason.startswith("not understood: ")
    assert [body for kind, body in messages if kind == UPDATE] == [
        an_update(),
        an_update("more", 8),
    ]


@pytest.mark.parametrize("message", [b"\x02\x00\x02no", b"\x02", b"\x03", b"\x03\x00"])
def test_what_is_tolerated(message: bytes) -> None:
    async def main(_: Rooms) -> Any:
        async with visit() as ws:
            await ws.send(message)
            await ws.send(EMPTY_STEP1)
            return (STEP2, b"\0\0") in await heard(ws)

    assert run(main)


def test_large_documents_pass() -> None:
    large = an_update("x" * 5_000_000)

    async def main(_: Rooms) -> Any:
        async with visit() as ws:
            await ws.send(sync(UPDATE, large))
            await ws.send(EMPTY_STEP1)
            assert (STEP2, large) in await heard(ws, 5)
        async with visit() as late:
            await late.send(EMPTY_STEP1)
            return (STEP2, large) in await heard(late, 5)

    assert run(main)


class TestGuests:
    MEMBERS: dict[str, str] = {"secret": "Ada"}  # noqa: RUF012

    def test_they_read_and_their_changes_are_dropped(self) -> None:
        async def main(_: Rooms) -> Any:
            async with visit("room?token=secret") as ada, visit("room?token=wrong") as guest:
                await guest.send(sync(STEP2, b"\0\0"))
                for _ in range(3):
                    await guest.send(sync(UPDATE, an_update("forged", 9)))
                    await guest.send(sync(STEP2, an_update("forged", 9)))
                await ada.send(sync(UPDATE, an_update()))
                got = await heard(ada)
                await guest.send(EMPTY_STEP1)
                return await heard(guest), got

        guest, ada = run(main, Rooms(members=self.MEMBERS))
        assert [kind for kind, _ in guest].count(AUTH) == 1
        assert (AUTH, b"\x00" + bytes([len(guest[1][1]) - 2]) + guest[1][1][2:]) == guest[1]
        assert [body for kind, body in guest + ada if kind == UPDATE] == [an_update()] * 2
        assert (STEP2, an_update()) in guest  # the connection is kept

    def test_python_writers_are_told(self) -> None:
        async def main(_: Rooms) -> Any:
            async with Writer(URL + "room?token=secret") as ada, Writer(URL + "room") as guest:
                await guest.until(lambda: guest.denied)
                guest.insert(0, "mine ")
                ada.insert(0, "hers ")
                with pytest.raises(PermissionError, match="you can read"):
                    await guest.saved()
                await ada.saved()
                await guest.until(lambda: "hers" in str(guest.text))
                return str(ada.text), guest.denied

        text, denied = run(main, Rooms(members=self.MEMBERS))
        assert text == "hers "
        assert "you can read" in denied

    def test_a_guest_may_become_a_member(self) -> None:
        async def main(rooms: Rooms) -> Any:
            bo = Writer(URL + "room?token=new")
            async with bo:
                await bo.until(lambda: bo.denied)
            rooms.members = {"new": "Bo"}
            async with bo:
                await bo.until(lambda: bo.is_online)
                await bo.saved()
            return bo.denied

        assert run(main, Rooms(members=self.MEMBERS)) == ""

    def test_names_are_those_of_the_tokens(self) -> None:
        async def main(_: Rooms) -> Any:
            ada = Writer(URL + "room?token=secret", name="Bo", client=1)
            async with ada, Writer(URL + "room", name="Ada", client=2) as guest:
                await guest.until(lambda: 1 in guest.presence.states)
                await ada.until(lambda: ada.presence.states.get(2, {}).get("user"))
                return guest.presence.states[1], ada.presence.states[2]

        ada, guest = run(main, Rooms(members=self.MEMBERS))
        assert (ada["user"], guest["user"]) == ({"name": "Ada"}, {"name": "guest"})


def entry(client: int, clock: int, state: str = '{"a":1}') -> PresenceEntry:
    return PresenceEntry(client, clock, state)


class TestPresence:
    def test_the_greater_clock_wins(self) -> None:
        there = Presence()
        assert there.take([entry(1, 5)], "a", 0) == [entry(1, 5)]
        assert there.take([entry(1, 5, "2"), entry(1, 4, "3")], "a", 0) == []
        assert there.take([entry(1, 6, "4")], "a", 0) == [entry(1, 6, "4")]
        assert there.states == {1: 4}

    def test_null_is_a_farewell(self) -> None:
        there = Presence()
        there.take([entry(1, 5)], "a", 0)
        assert there.take([entry(1, 4, "null")], "a", 0) == []
        assert there.take([entry(1, 5, "null")], "a", 0) == [entry(1, 5, "null")]
        assert there.take([entry(1, 6, "null")], "a", 0) == []
        assert there.states == {}

    def test_it_expires_after_30_seconds(self) -> None:
        there = Presence()
        there.take([entry(1, 5)], "a", 0)
        there.take([entry(2, 5)], "b", 1)
        assert there.expire(29.9) == []
        assert there.expire(30) == [entry(1, 5, "null")]
        assert there.states == {2: {"a": 1}}
        assert there.take([entry(1, 6)], "a", 31) == [entry(1, 6)]

    def test_nobody_speaks_for_somebody_else(self) -> None:
        there = Presence()
        there.take([entry(1, 5)], "a", 0)
        there.take([entry(2, 5)], "b", 0)
        assert there.take([entry(1, 99, '"forged"'), entry(1, 99, "null")], "b", 0) == []
        assert there.take([entry(3, 1)], "b", 0) == []  # one connection, one client
        assert (there.states, there.refused) == ({1: {"a": 1}, 2: {"a": 1}}, 2)
        assert there.leave("a") == [entry(1, 5, "null")]
        assert there.take([entry(1, 5)], "b", 0) == []  # an echo that comes late
        assert there.take([entry(1, 5)], "c", 0) == [entry(1, 5)]  # the same client comes back

    def test_without_an_owner_anybody_does(self) -> None:
        there = Presence()
        there.take([entry(1, 5)], None, 0)
        assert there.take([entry(1, 6, '"forged"')], None, 0)
        assert there.states == {1: "forged"}

    def test_a_silent_room_shows_that_it_is_alive(self) -> None:
        """Otherwise y-websocket would leave after 30 s without any message."""

        async def main(_: Rooms) -> Any:
            async with visit() as ws:
                return await heard(ws, 60)

        assert [kind for kind, _ in run(main)] == [STEP1] + [AWARENESS] * 3

    def test_the_others_are_told(self) -> None:
        async def main(_: Rooms) -> Any:
            async with visit() as bo:
                async with visit() as ada:
                    await ada.send(awareness([entry(1, 1)]))
                    await bo.send(awareness([entry(1, 2, '"forged"')]))
                    await asyncio.sleep(1)
                async with visit() as late:
                    await late.send(awareness([entry(1, 2)]))
                    return await heard(bo, 45), await heard(late)

        bo, late = run(main)
        told = [one for kind, body in bo if kind == AWARENESS for one in read_entries(body)]
        assert told[:3] == [entry(1, 1), entry(1, 1, "null"), entry(1, 2)]
        assert told[3:] == [entry(1, 2, "null")]  # after 30 s
        assert [body for kind, body in late if kind == AWARENESS and body != b"\0"] == [
            awareness([entry(1, 2)])[2:],
            awareness([entry(1, 2, "null")])[2:],
        ]


def test_a_disk_that_is_full_loses_nothing_that_was_told() -> None:
    store = Store()

    async def main(rooms: Rooms) -> Any:
        async with visit() as one, visit() as two:
            await one.send(sync(UPDATE, an_update()))
            await heard(one)
            store.append = full  # type: ignore[method-assign]
            await one.send(sync(UPDATE, an_update("lost", 8)))
            messages = [read_y(data) async for data in until_closed(two)]
            await one.wait_closed()
            del store.append
            return one.close_code, two.close_code, messages

    def full(room: bytes, messages: list[bytes]) -> list[int]:
        raise sqlite3.OperationalError("database or disk is full")

    one, two, messages = run(main, Rooms(store))
    assert (one, two) == (1011, 1011)
    assert [body for kind, body in messages if kind == UPDATE] == [an_update()]
    assert [update for _, update in store.read(b"room")] == [an_update()]


def test_a_writer_that_is_not_understood_stays_away() -> None:
    async def main(_: Rooms) -> Any:
        async with Writer(URL + "room") as ada:
            await ada.until(lambda: ada.is_online)
            ada.say(cursor="x" * 70000)
            await ada.until(lambda: ada.denied)
            with pytest.raises(PermissionError, match="not understood"):
                await ada.saved()
            return ada.denied

    assert "not understood" in run(main)


def test_undo_takes_back_only_your_own() -> None:
    async def main(_: Rooms) -> Any:
        async with Writer(URL + "room", client=1) as ada, Writer(URL + "room", client=2) as bo:
            ada.insert(0, "mine ")
            await bo.until(lambda: str(bo.text) == "mine ")
            bo.insert(5, "yours ")
            await ada.until(lambda: "yours" in str(ada.text))
            said = [ada.undo(), ada.undo()]
            await bo.until(lambda: "mine" not in str(bo.text))
            return said, str(ada.text), str(bo.text)

    assert run(main) == ([True, False], "yours ", "yours ")


def test_batches_are_one_update() -> None:
    async def main(_: Rooms) -> Any:
        async with visit() as ws, Writer(URL + "room", batch=1.0) as ada:
            await ada.until(lambda: ada.is_online)
            await heard(ws, 2)
            for number in range(20):
                ada.insert(number, "x")
                await asyncio.sleep(0.01)
            updates = [body for kind, body in await heard(ws, 5) if kind == UPDATE]
            return len(updates), len(updates[0])

    count, size = run(main)
    assert count == 1
    assert size < 20 * 15  # each alone has 25, or more


def test_a_transcript_explains_it() -> None:
    async def main() -> None:
        async with serve(Rooms(), "server", 9000, compression=None), visit("explained") as ws:
            await ws.send(EMPTY_STEP1)
            await ws.send(sync(UPDATE, an_update()))
            await ws.send(awareness([entry(7, 1, '{"user":{"name":"Ada"}}')]))
            await heard(ws)

    shown = str(simulate(main, record=True).transcript)
    for said in (
        "00 sync · 00 step 1: I have · 01 length · 00 clients: 0",
        "00 sync · 02 update · 12 length · 01 clients: 1 · 01 07 00 client 7 from 0 on, items: 1"
        ' · 04 01 04 74 65 78 74 05 68 65 6c 6c 6f "hello" in "text"',
        "01 awareness · 1b length · 01 clients: 1 · 07 client 7 · 01 clock 1",
    ):
        assert said in shown


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda body: sync(UPDATE, body)))
def test_explaining_never_fails(message: bytes) -> None:
    assert b"".join(data for data, _ in protocol.explain(message)) == message
