"""In a flood, in virtual time, a viewer gets a bounded, fair and fresh part of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab.apps.danmaku import BYTES, LONGEST, MOST, TICK, WINDOW, Audience, LiveRoom
from wslab.apps.danmaku.bilibili import LiveOperation, LivePacket, read_packets
from wslab.apps.danmaku.stage import KEPT, fair_shares
from wslab.net import Fault, simulate
from wslab.net.clock import now

OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None}
FLOOD = 10_000  # comments a second
BATCH = TICK * WINDOW  # seconds between two batches
LATENCY = 0.001  # seconds, from the server to a viewer


@asynccontextmanager
async def opened(room: LiveRoom) -> AsyncIterator[str]:
    async with serve(room, "room", 9000, **OPTIONS):
        yield "ws://room:9000/"


def crowd(rate: float = FLOOD, people: int = 1000) -> LiveRoom:
    return LiveRoom(Random(1), audience=Audience(Random(2), rate=rate, people=people))


class Screen:
    """A viewer who draws so many pictures a second, and says `ready` after each that had news.

    messages: for each that came, when, its frame's bytes, and how many pictures there had been.
    shown: how many comments of each person. ages: of each comment, in seconds, when it came.
    """

    def __init__(self, room: LiveRoom, url: str, *, pictures: float = 60) -> None:
        self.room, self.url, self.pictures = room, url, pictures
        self.messages: list[tuple[float, int, int]] = []
        self.shown, self.ages, self.drawn = Counter[int](), list[float](), 0

    async def watch(self, seconds: float) -> Screen:
        async with connect(self.url, proxy=None, **OPTIONS) as ws:
            drawing = asyncio.create_task(self.draw(ws))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for data in ws:
                        self.take(data)
            drawing.cancel()
        return self

    async def draw(self, ws: Any) -> None:
        said = 0
        while True:
            await asyncio.sleep(1 / self.pictures)
            self.drawn += 1
            if len(self.messages) > said:
                said = len(self.messages)
                await ws.send(json.dumps({"type": "ready", "count": said}))

    def take(self, data: str) -> None:
        size = len(data.encode())
        self.messages.append((now(), size + (2 if size < 126 else 4), self.drawn))
        message = json.loads(data)
        for comment in message.get("comments", [message] if "text" in message else []):
            self.shown[comment["person"]] += 1
            self.ages.append(self.room.seconds - comment["at"])

    def in_a_second(self, part: int) -> float:
        """Return the most messages (0) or bytes (1) in any second."""
        return max(
            sum((1, size)[part] for at, size, _ in self.messages if start <= at < start + 1)
            for start, *_ in self.messages
        )


def simulated(room: LiveRoom, scene: Callable[[str], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        async with opened(room) as url:
            return await scene(url)

    run = simulate(main, latency=LATENCY, **options)
    value = run.result()
    assert [each for each in run.errors if not isinstance(each, ConnectionClosed)] == []
    return value


def watched(room: LiveRoom, path: str, seconds: float, *, pictures: float = 60, **net: Any) -> Any:
    return simulated(
        room, lambda url: Screen(room, url + path, pictures=pictures).watch(seconds), **net
    )


# The naive version, and what each step saves


def test_naively_every_comment_is_a_message_to_every_viewer() -> None:
    room = LiveRoom(Random(1), audience=Audience(Random(2), rate=1000), rate=None)
    screen = watched(room, "every", 3)
    assert room.taken == pytest.approx(3000, abs=30)
    assert len(screen.messages) == pytest.approx(room.taken, abs=30)
    assert screen.in_a_second(0) > 900


def test_a_batch_has_everything_in_one_message_per_window() -> None:
    room = LiveRoom(Random(1), audience=Audience(Random(2), rate=1000), rate=None)
    screen = watched(room, "batch", 3)
    assert screen.in_a_second(0) <= 1 / BATCH + 2
    assert sum(screen.shown.values()) > room.taken - 1000 * 2 * BATCH
    assert screen.in_a_second(1) > 8 * BYTES  # as many bytes as before


# What /thinned promises, at 10,000 comments a second


@pytest.fixture(scope="module")
def flooded() -> tuple[LiveRoom, Screen]:
    room = crowd()
    return room, watched(room, "thinned", 30)


def test_at_most_one_message_per_picture(flooded: tuple[LiveRoom, Screen]) -> None:
    _, screen = flooded
    pictures = [drawn for *_, drawn in screen.messages]
    assert len(set(pictures)) == len(pictures)
    assert screen.in_a_second(0) <= 1 / BATCH + 1


def test_a_bounded_number_of_bytes(flooded: tuple[LiveRoom, Screen]) -> None:
    room, screen = flooded
    assert screen.in_a_second(1) < BYTES
    assert room.said > 29 * FLOOD


def test_the_share_of_each_person_is_fair(flooded: tuple[LiveRoom, Screen]) -> None:
    """At most twice the fair one, although the loudest say a thousand times as much as others."""
    _, screen = flooded
    allowed = {-1 - person: 5 + 2 * 30.0 for person in range(1000)}  # by the bucket
    said = Counter[int]()
    audience = Audience(Random(2), rate=FLOOD, people=1000)
    for _ in range(100):
        said.update(person for person, _ in audience.talk(0, 0.3))
    demand = {person: min(said[person], most) for person, most in allowed.items()}
    shares = fair_shares(demand, sum(screen.shown.values()))
    assert max(said.values()) > 500 * min(said.values())
    for person, share in shares.items():
        assert screen.shown[person] <= share * 2 + 1  # 0.6 comments each: one is the least


@pytest.mark.untraced
def test_every_share_of_a_few_loud_people() -> None:
    """A hundred people, of whom the loudest say a hundred times as much, in a longer flood."""
    room = crowd(rate=2000, people=100)
    screen = watched(room, "thinned", 120)
    shares = fair_shares(dict.fromkeys(range(-100, 0), 1e9), sum(screen.shown.values()))
    assert set(screen.shown) == set(shares)
    for person, share in shares.items():
        assert share / 2 <= screen.shown[person] <= share * 2


def test_a_comment_is_as_old_as_a_window(flooded: tuple[LiveRoom, Screen]) -> None:
    _, screen = flooded
    assert max(screen.ages) <= BATCH + LATENCY + 0.002  # and `at` is rounded


@pytest.mark.parametrize("pictures", [30, 7, 2])
@pytest.mark.untraced
def test_a_slow_screen_gets_a_message_per_picture_at_most(pictures: int) -> None:
    room = crowd()
    screen = watched(room, "thinned", 20, pictures=pictures)
    drawn = [drawn for *_, drawn in screen.messages]
    assert len(set(drawn)) == len(drawn)
    assert max(screen.ages) <= KEPT + BATCH + 1 / pictures
    sizes = sum(size for _, size, _ in screen.messages)
    assert sizes < BYTES * (20 + KEPT)
    wanted = MOST / BATCH * 20 * 0.8
    assert sum(screen.shown.values()) > wanted  # so a slow screen misses next to nothing


def test_a_screen_that_stands_still_gets_the_present_when_it_moves() -> None:
    async def scene(url: str) -> Any:
        async with connect(url + "thinned", proxy=None, **OPTIONS) as ws:
            first = [json.loads(await ws.recv())]
            await ws.send('{"type":"ready","count":1}')
            first.append(json.loads(await ws.recv()))
            await asyncio.sleep(60)
            before = room.seconds
            await ws.send('{"type":"ready","count":2}')
            return before, json.loads(await ws.recv())["comments"]

    room = crowd(rate=1000)
    before, comments = simulated(room, scene)
    assert len(comments) <= MOST * (KEPT / BATCH + 1)
    assert all(before - comment["at"] < KEPT + BATCH + 0.01 for comment in comments)


@pytest.mark.parametrize(
    ("faults", "low", "high"),
    [([], 0.8, 1), ([Fault("freeze", at=2.03, lasts=2, side="server")], 1.5, 2)],
    ids=["fast", "frozen"],
)
def test_the_longest_comments_fit_the_bytes(faults: list[Fault], low: float, high: int) -> None:
    """Forty characters of four bytes each, from everybody; the last second comes after a freeze."""
    room = LiveRoom(Random(1), rate=None)

    async def scene(url: str) -> Any:
        async def shout() -> None:
            while True:
                await asyncio.sleep(0.01)
                for person in range(100):
                    room.say(-1_000_000 - person, "\U0001f600" * LONGEST)

        shouting = asyncio.create_task(shout())
        screen = await Screen(room, url + "thinned").watch(10)
        shouting.cancel()
        return screen

    screen = simulated(room, scene, faults=faults)
    assert low * BYTES < screen.in_a_second(1) < high * BYTES


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("freeze", at=2, lasts=3, side="server")],
        [Fault("throttle", at=1, lasts=6, side="server", amount=1500)],
    ],
    ids=["frozen", "throttled"],
)
def test_a_fault_makes_no_backlog(faults: list[Fault]) -> None:
    """After it the viewer is in the present again, and got no more than its bytes meanwhile."""
    room = crowd(rate=1000)
    screen = watched(room, "thinned", 12, faults=faults)
    assert max(screen.ages[-MOST * 20 :]) < BATCH + 0.01
    assert sum(size for _, size, _ in screen.messages) < BYTES * 13
    assert screen.messages[-1][0] > 11.5


# What people may say


def talk(room: LiveRoom, path: str, *said: str | bytes, seconds: float = 1.0) -> Any:
    """Say things at once; return what came within a time, and the close code and reason."""

    async def scene(url: str) -> Any:
        came: list[Any] = []
        async with connect(url + path, proxy=None, **OPTIONS) as ws:
            for each in said:
                await ws.send(each)
            with suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout(seconds):
                    while True:
                        came.append(await ws.recv())
            return came, ws.close_code, ws.close_reason

    return simulated(room, scene)


def say(text: str) -> str:
    return json.dumps({"type": "say", "text": text})


def test_a_person_who_shouts_gets_the_rate_and_no_more() -> None:
    room = crowd(rate=0)

    async def scene(url: str) -> Any:
        async with (
            connect(url + "every", proxy=None, **OPTIONS) as loud,
            connect(url + "every", proxy=None, **OPTIONS) as calm,
        ):
            for number in range(1000):
                await loud.send(say("me"))
                if number % 100 == 0:
                    await calm.send(say("hello"))
                await asyncio.sleep(0.01)
            await loud.recv()  # the welcome
            return [json.loads(await loud.recv())["person"] for _ in range(room.taken)]

    people = Counter(simulated(room, scene))
    assert people == {1: 24, 2: 10}  # 5 at once, and then 2 a second for almost 10 s
    assert (room.said, room.taken) == (1010, 34)


def test_what_is_said_arrives_as_it_is_shown() -> None:
    room = crowd(rate=0)
    said = [say("你好 👨‍👩‍👧"), say("  a\nb\x1b[31m  "), say("x" * 100), say(" \n ")]
    came, _, _ = talk(room, "every", *said)
    texts = [json.loads(data)["text"] for data in came[1:]]
    assert texts == ["你好 👨‍👩‍👧", "a b [31m", "x" * 40]
    assert json.loads(came[0]) == {"person": 1}


@pytest.mark.parametrize(
    "said", ["no json", "[1]", "{}", '{"type":"say"}', '{"type":"say","text":5}', b"\xff"]
)
@pytest.mark.parametrize("path", ["every", "thinned"])
def test_what_is_not_understood(path: str, said: str | bytes) -> None:
    room = crowd(rate=0)
    _, code, reason = talk(room, path, said, '{"type":"ready","count":"1"}')
    assert code == 1008
    assert reason.startswith(("not understood", "bad message"))
    assert len(room.hub) == 0


def test_a_path_that_there_is_not() -> None:
    _, code, reason = talk(crowd(), "none")
    assert (code, reason) == (1008, "no such path: /every, /batch, /thinned, /sub")


def test_it_is_open_while_somebody_is_there() -> None:
    room = crowd(rate=100)

    async def scene(url: str) -> list[int]:
        counts = []
        for _ in range(2):
            await Screen(room, url + "thinned").watch(5)
            await asyncio.sleep(1)
            counts.append(room.said)
            await asyncio.sleep(60)
            counts.append(room.said)
        return counts

    a, b, c, d = simulated(room, scene)
    assert (a, c) == (b, d)
    assert c == pytest.approx(2 * a, abs=20)
    assert a > 450


# Bilibili's protocol


def asking(**body: object) -> bytes:
    return LivePacket(LiveOperation.AUTHENTICATION, json.dumps(body).encode()).serialize()


BEAT = LivePacket(LiveOperation.HEARTBEAT).serialize()


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_comments_in_packets(version: int) -> None:
    room = crowd()
    came, _, _ = talk(room, "sub", asking(roomid=42, protover=version), BEAT, seconds=3)
    welcome, beat, *rest = [packet for data in came for packet in read_packets(data)]
    assert (welcome.operation, welcome.value) == (8, {"code": 0})
    assert (beat.operation, beat.value) == (3, 1)
    assert len(came) - 2 <= 3 / BATCH
    assert len(rest) == MOST * (len(came) - 2)
    for packet in rest:
        assert (packet.operation, packet.value["cmd"]) == (5, "DANMU_MSG")
        assert isinstance(packet.value["info"][1], str)
    assert {data[7] for data in came[2:]} == {0 if version == 1 else version}


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ([BEAT], 1007, "the operation is 2, expected 7"),
        ([asking(), asking()], 1007, "the operation is 7, expected 2"),
        ([asking(protover=9)], 1007, "the authentication is"),
        ([b"abc"], 1007, "3 bytes at byte 0"),
        (["hello"], 1007, "a text message"),
        ([asking(), b"\x00" * 16], 1007, "the header length is 0"),
        ([], 1008, "no heartbeat for 70 s"),
    ],
)
def test_a_client_that_breaks_the_protocol(said: Any, code: int, reason: str) -> None:
    room = crowd(rate=0)
    _, *closed = talk(room, "sub", *said, seconds=100)
    assert closed[0] == code
    assert closed[1].removeprefix("not understood: ").startswith(reason)
    assert len(room.hub) == 0
