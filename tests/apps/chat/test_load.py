"""Many members, slow ones, and malicious ones: the room stays, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wslab.apps import chat
from wslab.apps.chat import ChatClient, Member, Room
from wslab.apps.chat.characters import looks
from wslab.apps.chat.room import PLAIN
from wslab.kit.hub import TURN
from wslab.kit.keepalive import Heartbeat
from wslab.kit.resume import Message
from wslab.lab.loop import lab_thread
from wslab.protocol.frames import Frame, Opcode

pytestmark = pytest.mark.timeout(180)  # on a machine that has other things to do

FREE = chat.Rules(rate=None)
PATIENCE = 90
MEMBERS = 1000


@pytest.fixture(autouse=True)
async def _without_debug() -> AsyncIterator[None]:
    """Turn asyncio's debug mode off: it notes the stack of every callback, and is load itself."""
    servers = lab_thread("servers").loop
    before = servers.get_debug()
    for loop in (servers, asyncio.get_running_loop()):
        loop.set_debug(False)
    yield
    servers.set_debug(before)


@pytest.fixture
def many_files() -> None:
    """Allow as many open files as a thousand connections have, with both ends in this process."""
    resource = pytest.importorskip("resource", reason="this system counts files differently")
    wanted = 2 * MEMBERS + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{hard} open files are allowed and {wanted} needed: ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def crowd(url: str, size: int) -> AsyncIterator[list[ClientConnection]]:
    """Open many connections, a few at a time."""
    gate = asyncio.Semaphore(50)

    async def one() -> ClientConnection:
        async with gate:
            return await connect(
                url, proxy=None, compression=None, ping_interval=None, max_queue=None
            )

    members = await asyncio.gather(*(one() for _ in range(size)))
    try:
        yield members
    finally:
        for member in members:
            member.transport.abort()
        await asyncio.gather(*(member.wait_closed() for member in members))


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
@pytest.mark.untraced
async def test_a_thousand_members_and_one_speaker() -> None:
    room = chat.serve(rules=FREE)
    async with asyncio.timeout(PATIENCE), crowd(room.url, MEMBERS) as members:
        await room.settle(until=lambda: len(room.rooms[""]) == MEMBERS, within=PATIENCE)
        async with ChatClient(room.url, "Ada") as ada:
            for number in range(10):
                await ada.say(f"{number} " + "x" * 60)
            for member in members:
                texts = [json.loads(await member.recv())["text"] for _ in range(11)]
                assert [text.split()[0] for text in texts] == ["Ada", *map(str, range(10))]
        await room.settle(until=lambda: len(room.rooms[""]) == MEMBERS, within=PATIENCE)
        assert not room.events.only("dropped")
    await room.settle(until=lambda: len(room.rooms[""]) == 0, within=PATIENCE)
    assert room.errors == []


@pytest.mark.slow
@pytest.mark.untraced
async def test_two_hundred_join_and_leave_at_once() -> None:
    room = chat.serve(rules=FREE)
    rng = random.Random(6)
    stay: list[ChatClient] = []

    async def come(number: int) -> None:
        if rng.random() < 0.25:  # goes without a goodbye, perhaps before its name was heard
            ws = await connect(room.url, proxy=None)
            await ws.send(json.dumps({"type": "setName", "name": f"member {number}"}))
            ws.transport.abort()
            return
        member = ChatClient(room.url, f"member {number}")
        await member.__aenter__()
        if rng.random() < 0.66:
            stay.append(member)
        else:
            await member.close()

    async with asyncio.timeout(PATIENCE), ChatClient(room.url, "Ada", history=True) as ada:
        await asyncio.gather(*(come(number) for number in range(200)))
        await room.settle(until=lambda: len(room.rooms[""]) == len(stay) + 1, within=PATIENCE)
        here = {"Ada", *(member.name for member in stay)}
        assert set(room.members) == here
        assert len(room.members) == len(here)
        last = room.log.last
        await ada.until(lambda said: said.fields.get("seq") == last)
        notices = [(said.fields["kind"], said.fields["who"]) for said in ada.heard]
        joined = [who for kind, who in notices if kind == "join"]
        left = [who for kind, who in notices if kind == "leave"]
        assert len(joined) == len(set(joined))
        assert set(joined) - set(left) == here  # what a page would show
        await asyncio.gather(*(member.close() for member in stay))
        await room.settle(until=lambda: room.members == ["Ada"], within=PATIENCE)
    assert room.errors == []


async def stalled(room: chat.ChatServer) -> socket.socket:
    """Connect, and never read what comes; a small buffer, so that it shows soon."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", room.port))
    sock.sendall(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    name = b'{"type":"setName","text":"Snail"}'
    sock.sendall(Frame(Opcode.TEXT, name, mask=bytes(4)).serialize())
    return sock


@pytest.mark.slow
async def test_who_stops_reading_is_dropped_and_nobody_else_notices() -> None:
    rules = chat.Rules(rate=None, backlog=128 * 1024, grace=0.2)
    room = chat.serve(rules=rules)
    sent = 0
    async with (
        asyncio.timeout(PATIENCE),
        ChatClient(room.url, "Ada", max_queue=None) as ada,
        ChatClient(room.url, "Bob", max_queue=None) as bob,
    ):
        with await stalled(room):
            await ada.until("Snail joined the room")
            while not room.events.only("dropped"):  # the system's own buffers take megabytes
                for _ in range(20):
                    await ada.say(f"{sent} " + "握" * 1900)
                    sent += 1
                await bob.until(len(bob.heard) + 1, within=PATIENCE)
            await ada.until("Snail left the room", within=PATIENCE)
            await room.settle(until=lambda: "1006" in str(room.events.only("close")))
        await ada.say("the end")
        for each in (ada, bob):
            await each.until("the end", within=PATIENCE)
            said = [said.text.split()[0] for said in each.heard if said.name == "Ada"]
            assert said == [*map(str, range(sent)), "the"]
        (dropped,) = room.events.only("dropped")
        one_write = TURN + rules.message_size  # a turn that is full, and the message that filled it
        assert rules.backlog < int(dropped.text.split()[0]) < rules.backlog + one_write
    assert room.errors == []


@pytest.mark.parametrize("full", [False, True])
async def test_who_asks_for_pongs_without_end_is_dropped(full: bool) -> None:
    """The library writes them, not the room; also to one that is turned away."""
    rules = chat.Rules(rate=None, backlog=64 * 1024, grace=60, members=1 if full else None)
    room = chat.serve(rules=rules, close_timeout=60)
    pings = Frame(Opcode.PING, bytes(125), mask=bytes(4)).serialize() * 1000
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE), ChatClient(room.url, "Ada") as ada:
        await ada.until("Ada joined the room")
        with await stalled(room) as sock:
            sock.setblocking(False)
            with pytest.raises(ConnectionError):  # noqa: PT012
                while True:
                    await loop.sock_sendall(sock, pings)
        await room.settle(until=lambda: room.events.only("close"))
        if not full:
            await ada.until("Snail left the room")
            (dropped,) = room.events.only("dropped")
            assert rules.backlog < int(dropped.text.split()[0]) < rules.backlog + 300 * 1024
        await ada.say("still here")
        await ada.until("still here")
    assert room.errors == []


async def test_who_reads_again_within_the_grace_is_told_why() -> None:
    room = chat.serve(rules=chat.Rules(rate=None, backlog=4096, grace=30))
    async with (
        asyncio.timeout(PATIENCE),
        ChatClient(room.url, "Ada", max_queue=None) as ada,
        connect(room.url, proxy=None, compression=None, max_queue=1) as snail,
    ):
        snail.transport.pause_reading()  # type: ignore[attr-defined]
        while not room.events.only("dropped"):
            await ada.say("握" * 1900)
            await ada.until(len(ada.heard) + 1, within=PATIENCE)
        snail.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
            while True:
                await snail.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert "bytes would wait" in closed.value.rcvd.reason


# Malice


class Watchful:
    """An audience that looks at everything it is given."""

    def __init__(self) -> None:
        self.told: list[tuple[Member, Message]] = []
        self.closed: dict[Member, int] = {}

    def publish(self, message: str, topic: str) -> None:
        assert message.encode()  # can be written as UTF-8
        if topic == PLAIN:
            plain = json.loads(message)
            assert plain.keys() == {"name", "text"}
            assert all(type(value) is str for value in plain.values())

    def send(self, member: Member, message: str, *, asked: bool = False) -> None:
        assert message.encode()
        self.told.append((member, json.loads(message)))

    def subscribe(self, member: Member, topic: str) -> None: ...

    def unsubscribe(self, member: Member, topic: str) -> None: ...

    def remove(self, member: Member) -> None: ...

    def close(self, member: Member, code: int, reason: str) -> None:
        assert code in (1008, 4001, 4002)
        self.closed[member] = code


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
letters = st.text(st.characters(exclude_categories=()), max_size=40)  # surrogates, too
typed = st.fixed_dictionaries(
    {"type": st.sampled_from(["setName", "chat", "resume"]), "text": letters | json_values},
    optional={
        "id": st.integers(-1, 5) | json_values,
        "epoch": st.none() | st.text(max_size=70),
        "after": st.none() | st.integers(-1, 9),
        "client": st.sampled_from([None, "0123456789abcdef", "f" * 64, "x"]) | json_values,
        "name": json_values,
    },
)
names = st.sampled_from(["Server", "ada", "ADA", " Ada ", "", "\u202eadA", "x" * 31, "\ud800"])
messages = (
    typed.map(json.dumps)
    | st.builds(lambda text: json.dumps({"type": "setName", "text": text}), names)
    | json_values.map(json.dumps)
    | letters
    | st.binary(max_size=40)
)


@pytest.mark.slow
@settings(max_examples=63, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batch=st.lists(st.tuples(st.integers(0, 4), messages), min_size=40, max_size=60),
    classic=st.booleans(),
)
@pytest.mark.untraced
def test_ten_thousand_random_messages(batch: list[Any], classic: bool) -> None:
    """63 rooms with at least 40 messages each, each sent by four of five members; Ada behaves."""
    heard = Watchful()
    language: Any = "zh" if classic else "en"
    room = Room(heard, classic=classic, language=language, rules=FREE, clock=lambda: 0.0)
    members = [Member(number) for number in range(6)]
    for member in members:
        room.enter(member)
    ada = members[5]
    room.receive(ada, '{"type":"setName","text":"Ada"}')
    for number, data in [(number + turn, data) for turn in range(4) for number, data in batch]:
        if not isinstance(data, str) or not any("\ud800" <= c <= "\udfff" for c in data):
            before = len(heard.told)
            sender = members[number % 5]
            room.receive(sender, data)  # must not raise, whatever it is
            assert {member for member, _ in heard.told[before:]} <= {sender}
    keys = [look for name in room.members for look in looks(name)]
    assert len(keys) == len(set(keys))
    assert "server" not in keys
    assert "Ada" in room.members
    last = room.log.last
    room.receive(ada, '{"type":"chat","text":"still here"}')
    assert room.log.last == last + 1
    for member in members:
        room.leave(member)
    assert (room.members, len(room)) == ([], 0)


CORPUS: list[str | bytes] = [
    *("", " ", "null", "true", "0", "-0", "1e999", '""', "[]", "{}", "[[[]]]", "NaN", "Infinity"),
    *("{'type':'chat'}", '{"type":"chat"', '{"type":"chat",}', "//", "\x00", "\ufeff{}"),
    *("[" * 30_000, '{"a":' * 6_000, "9" * 30_000, '"' + "x" * 30_000),
    '{"type":"chat","type":"setName","text":"Dup"}',
    '{"__proto__":{"x":1},"constructor":null,"type":"chat","text":"p"}',
    '{"type":"setName","text":"\\ud800"}',
    '{"type":"setName","text":"\\u0000"}',
    '{"type":"chat","text":"\\udc00\\ud800"}',
    '{"type":"chat","text":"<script>alert(1)</script>"}',
    '{"type":"setName","text":{"toString":1}}',
    '{"type":"setName","text":"%s%n{0}{name}"}',
    '{"type":"chat","text":"{name}%s"}',
    json.dumps({"type": "chat", "text": "x" * 30_000}),
    json.dumps({"type": "setName", "text": "x" * 30_000}),
    b"",
    b'{"type":"chat","text":"binary"}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("classic", [False, True])
async def test_a_corpus_over_the_wire(classic: bool) -> None:
    room = chat.serve(rules=FREE, classic=classic)
    async with asyncio.timeout(PATIENCE), ChatClient(room.url, "Ada") as ada:
        async with ChatClient(room.url) as eve:
            for data in CORPUS:
                await eve.send(data)
            await eve.send({"type": "setName", "text": "Eve"})
            await eve.until(lambda said: said.name == "Server" and "Eve" in said.text)
            assert eve.closed is None
        await ada.say("still here")
        await ada.until("still here")
        assert room.members == ["Ada"]
    assert room.errors == []


async def test_who_has_to_wait_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room does not read on, the library's queue is full, and no Pong gets through."""
    monkeypatch.setattr("wslab.apps.chat.server.PULSE", Heartbeat(0.3, timeout=0.3))
    room = chat.serve(rules=chat.Rules(rate=0.8, burst=1))
    quick = {"ping_interval": None, "close_timeout": 0.1}
    async with asyncio.timeout(PATIENCE), connect(room.url, **quick) as ada:
        await ada.send('{"type":"resume","epoch":null,"after":null,"client":"0123456789abcdef"}')
        for number in range(1, 40):
            kind, text = ("chat", "Hello") if number > 1 else ("setName", "Ada")
            await ada.send(json.dumps({"type": kind, "text": text, "id": number}))
        acknowledged = 0
        while acknowledged < 4:  # with more than a second between two
            acknowledged += json.loads(await ada.recv()).get("type") == "ack"
    assert room.errors == []
