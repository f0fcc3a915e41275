"""Noticing the dead within a bound, sparing the living; and what the tutorial's page does instead.

The tutorial is the Chinese article on WebSocket that the course started from.
In virtual time, to the second; and once with real sockets and a real cable.
"""

from __future__ import annotations

import asyncio
import random
import time
from itertools import pairwise

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.heartbeat.tutorial import Network, Page
from wslab.kit.keepalive import Heartbeat, Watchdog, library_bounds, watched
from wslab.net import clock
from wslab.net.clock import Timers
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.endpoint import ConnectionEnded
from wslab.scratch.server import serve_from_scratch

HOUR = 3600.0
CONNECTS = {
    "library": lambda url: connect(url, proxy=None, ping_interval=None),
    "from scratch": connect_from_scratch,
}
POLICIES = [
    Heartbeat(20, timeout=10),
    Heartbeat(30, misses=3),
    Heartbeat(10, misses=2, timeout=50),
    Heartbeat(30, misses=1, timeout=0.5),
    Heartbeat(10, misses=1, timeout=50),
]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Wire:
    """What `watched` needs of a connection: ping() and a transport; in virtual time."""

    def __init__(self, answer):
        self.answer = answer  # seconds that the next pong takes, None: it never comes
        self.cut_at = None
        self.pings, self.received = [], []
        self.transport = self.protocol = self

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol

    def is_closing(self):
        return self.cut_at is not None

    def data_received(self, data):
        self.received.append(data)

    def deliver(self, pong):
        self.protocol.data_received(b"a Pong")
        if not pong.done():
            pong.set_result(None)

    async def ping(self):
        loop = asyncio.get_running_loop()
        self.pings.append(loop.time())
        pong = loop.create_future()
        if (delay := self.answer()) is not None:
            loop.call_later(delay, self.deliver, pong)
        return pong

    def abort(self):
        self.cut_at = asyncio.get_running_loop().time()


class TestHeartbeat:
    @pytest.mark.parametrize(
        ("heartbeat", "limit", "tolerance"),
        [
            (Heartbeat(20, timeout=10), 30, 10),
            (Heartbeat(20), 40, 20),
            (Heartbeat(3, misses=3), 12, 9),
            (Heartbeat(3, misses=3, timeout=1), 10, 7),
        ],
    )
    def test_its_bounds(self, heartbeat, limit, tolerance):
        assert (heartbeat.limit, heartbeat.tolerance) == (limit, tolerance)

    def test_what_it_costs(self):
        assert Heartbeat(20).beats_per_day() == 4320
        assert Heartbeat(20).beats_per_day(1_000_000) == 4_320_000_000

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"interval": 0}, "interval is 0 s, it must be positive"),
            ({"interval": float("inf")}, "interval is inf s"),
            ({"timeout": -1}, "timeout is -1 s"),
            ({"timeout": float("nan")}, "timeout is nan s"),
            ({"misses": 0}, "misses is 0, it must be at least 1"),
        ],
    )
    def test_what_cannot_be(self, options, message):
        with pytest.raises(ValueError, match=message):
            Heartbeat(**options)


class TestWatchdog:
    def looks(self, watchdog, clock, times):
        found = []
        for seconds in times:
            clock.now = 100 + seconds
            found.append(watchdog.look())
        return found

    def test_beats_then_death(self):
        clock = Clock()
        watchdog = Watchdog(Heartbeat(10, misses=2, timeout=5), clock)
        found = self.looks(watchdog, clock, [0, 9.9, 10, 10.1, 19.9, 20, 24.9, 25, 26, 99])
        assert found == [None, None, "beat", None, None, "beat", None, "dead", None, None]

    def test_any_sign_begins_anew(self):
        clock = Clock()
        watchdog = Watchdog(Heartbeat(10, timeout=5), clock)
        assert self.looks(watchdog, clock, [10]) == ["beat"]
        clock.now = 114.9
        watchdog.sign()
        assert watchdog.wakeup == pytest.approx(124.9)
        assert self.looks(watchdog, clock, [15, 24, 25, 29, 30]) == [
            None,
            None,
            "beat",
            None,
            "dead",
        ]

    def test_a_beat_has_its_time_even_if_it_goes_out_late(self):
        clock = Clock()
        watchdog = Watchdog(Heartbeat(10, timeout=5), clock)
        assert self.looks(watchdog, clock, [13, 15, 17.9, 18]) == ["beat", None, None, "dead"]

    def test_who_slept_asks_before_it_gives_up(self):
        clock = Clock()
        watchdog = Watchdog(Heartbeat(10, misses=2, timeout=5), clock)
        found = self.looks(watchdog, clock, [10, 20, 8 * HOUR, 8 * HOUR + 10, 8 * HOUR + 15])
        assert found == ["beat", "beat", "beat", "beat", "dead"]

    @pytest.mark.parametrize("heartbeat", POLICIES)
    @pytest.mark.untraced
    def test_no_false_alarm_in_two_hundred_hours(self, heartbeat):
        """A peer that answers after any time below the tolerance is never given up."""
        clock, rng = Clock(), random.Random(8)
        watchdog = Watchdog(heartbeat, clock)
        answers, asked = [], 0
        while clock.now < 200 * HOUR:
            clock.now = min([watchdog.wakeup, *answers[:1]])
            if answers and answers[0] <= clock.now:
                answers.pop(0)
                watchdog.sign()
            else:
                assert watchdog.look() == "beat"
                asked += 1
                worst = rng.random() < 0.2
                delay = heartbeat.tolerance * (0.999 if worst else rng.random() * 0.999)
                answers = sorted([*answers, clock.now + delay])
        assert asked > 200 * HOUR / heartbeat.limit

    @pytest.mark.parametrize("heartbeat", POLICIES)
    def test_beyond_the_tolerance_there_is_one(self, heartbeat):
        """The stated limit is the true one: a hair beyond it, a living peer is given up."""
        clock = Clock()
        watchdog = Watchdog(heartbeat, clock)
        found = []
        while not found or found[-1] != "dead":
            clock.now = watchdog.wakeup
            found.append(watchdog.look())
        first_beat = 100 + heartbeat.interval
        assert clock.now - first_beat == pytest.approx(heartbeat.tolerance)
        assert found == ["beat"] * heartbeat.misses + ["dead"]


class TestWatched:
    """On a connection; clock.run_virtual() has a clock that begins at 0."""

    @pytest.mark.parametrize("heartbeat", POLICIES)
    def test_a_death_is_noticed_within_the_bounds(self, heartbeat):
        rng = random.Random(3)

        async def one():
            death, trip = rng.uniform(0, 100), 0.001
            loop = asyncio.get_running_loop()
            wire = Wire(lambda: trip if loop.time() + trip < death else None)
            async with watched(wire, heartbeat):
                await asyncio.sleep(100 + heartbeat.limit + 1)
            return wire.cut_at - death

        took = [clock.run_virtual(one()) for _ in range(20)]
        assert max(took) <= heartbeat.limit + 1e-6
        assert min(took) >= heartbeat.tolerance - 0.001 - 1e-6

    @pytest.mark.untraced
    def test_the_living_is_left_alone_for_a_hundred_hours(self):
        heartbeat, rng = Heartbeat(60, misses=2, timeout=30), random.Random(5)
        wire = Wire(lambda: rng.uniform(0, heartbeat.tolerance - 0.01))

        async def watch():
            async with watched(wire, heartbeat):
                await asyncio.sleep(100 * HOUR)
            return asyncio.all_tasks() - {asyncio.current_task()}

        assert clock.run_virtual(watch()) == set()
        assert wire.cut_at is None
        assert len(wire.pings) > 100 * HOUR / 210

    @pytest.mark.parametrize("heartbeat", POLICIES)
    def test_beats_come_in_every_interval_of_silence(self, heartbeat):
        wire = Wire(lambda: 0.01)

        async def watch():
            async with watched(wire, heartbeat):
                await asyncio.sleep(1000)

        clock.run_virtual(watch())
        gaps = [b - a for a, b in pairwise(wire.pings)]
        assert gaps == pytest.approx([heartbeat.interval + 0.01] * len(gaps))
        assert len(gaps) > 30

    def test_arriving_bytes_are_signs_too(self):
        """Also those of a message that is not complete yet; and the protocol gets all of them."""
        wire = Wire(lambda: None)

        async def watch():
            async with watched(wire, Heartbeat(3)):
                for number in range(1000):
                    await asyncio.sleep(2.9)
                    wire.protocol.data_received(number)

        clock.run_virtual(watch())
        assert (wire.pings, wire.cut_at) == ([], None)
        assert wire.received == list(range(1000))
        assert wire.protocol is wire  # as if nobody had watched

    def test_a_peer_that_never_answers_pings_costs_one(self):
        wire = Wire(lambda: None)

        async def watch():
            async with watched(wire, Heartbeat(20, timeout=10)):
                before = len(asyncio.all_tasks())
                for _ in range(20 * 3600 // 25):
                    await asyncio.sleep(25)
                    wire.protocol.data_received(b"it talks")
                return len(asyncio.all_tasks()) - before

        assert clock.run_virtual(watch()) <= 1
        assert (len(wire.pings), wire.cut_at) == (1, None)

    def test_a_beat_with_a_mistake_ends_the_block(self):
        """It must not die unseen, or nobody watches any more."""

        async def watch():
            async def beat():
                raise TypeError("a mistake")

            async with watched(Wire(lambda: None), Heartbeat(3), beat):
                await asyncio.sleep(100)

        with pytest.raises(TypeError, match="a mistake"):
            clock.run_virtual(watch())

    def test_what_the_block_raises_comes_out_as_it_is(self):
        error = ConnectionEnded(1006, "", False)

        async def watch():
            async with watched(Wire(lambda: None), Heartbeat(3)):
                raise error

        with pytest.raises(ConnectionEnded) as caught:
            clock.run_virtual(watch())
        assert caught.value is error

    def test_who_does_not_read_cannot_complain_of_silence(self):
        wire, busy = Wire(lambda: None), True

        async def watch():
            nonlocal busy
            async with watched(wire, Heartbeat(3), busy=lambda: busy):
                await asyncio.sleep(100)
                seen = wire.cut_at
                busy = False
                await asyncio.sleep(9)
                return seen

        assert clock.run_virtual(watch()) is None
        assert wire.cut_at is not None

    def test_an_applications_own_beat(self):
        wire, sent = Wire(lambda: None), []

        async def watch():
            async def beat():
                sent.append(asyncio.get_running_loop().time())

            async with watched(wire, Heartbeat(3, misses=3), beat):
                await asyncio.sleep(60)

        clock.run_virtual(watch())
        assert (sent, wire.cut_at, wire.pings) == ([3, 6, 9], 12, [])

    def test_a_beat_that_cannot_be_sent(self):
        """The network is full, or the connection ends meanwhile: the watch goes on."""
        wire = Wire(lambda: None)
        ends = iter([ConnectionEnded(1006, "", False), ConnectionResetError()])

        async def watch():
            async def beat():
                if (end := next(ends, None)) is not None:
                    raise end
                await asyncio.Event().wait()

            async with watched(wire, Heartbeat(3, misses=3), beat):
                await asyncio.sleep(60)

        with pytest.raises(RuntimeError, match="nothing will ever happen"):
            clock.run_virtual(asyncio.Event().wait())
        clock.run_virtual(watch())
        assert wire.cut_at == 12


class TestReal:
    """Real sockets, a cable that freezes: both clients, and a server that watches its clients."""

    @pytest.mark.parametrize("side", ["client", "server", "both"])
    @pytest.mark.parametrize("name", CONNECTS)
    async def test_a_client_notices_a_frozen_cable(self, name, side):
        heartbeat = Heartbeat(0.1, timeout=0.1)
        async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
            ws = await CONNECTS[name](cable.url)
            async with watched(ws, heartbeat) as watchdog:
                await ws.send("Hello")
                assert await ws.recv() == "Hello"
                watchdog.sign()
                cable.freeze(side)
                patience = asyncio.create_task(asyncio.sleep(heartbeat.tolerance - 0.05))
                with pytest.raises((ConnectionClosed, ConnectionEnded)):
                    await asyncio.wait_for(ws.recv(), 45)
            assert patience.done()  # not given up before its time
            cable.thaw()

    @pytest.mark.parametrize("name", CONNECTS)
    async def test_the_living_is_left_alone(self, name):
        async with lab.serve(lab.echo) as server:
            ws = await CONNECTS[name](server.url)
            async with watched(ws, Heartbeat(0.02, misses=25)):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(ws.recv(), 0.5)
                await ws.send("Hello")
                assert await ws.recv() == "Hello"
            await ws.close()

    @pytest.mark.parametrize("name", CONNECTS)
    async def test_a_message_that_takes_longer_than_the_limit(self, name):
        """200 kB at 100 kB/s, when silence of a second means death."""
        text = "x" * 200_000

        async def handler(ws):
            await ws.send(text)
            await ws.wait_closed()

        async with lab.serve(handler, compression=None) as server, lab.cable(server) as cable:
            cable.throttle(100_000, "server")
            ws = await CONNECTS[name](cable.url)
            async with watched(ws, Heartbeat(0.5, timeout=0.5)):
                assert await asyncio.wait_for(ws.recv(), 60) == text
            cable.mend()
            await ws.close()

    @pytest.mark.parametrize("start", [lab.serve, serve_from_scratch])
    async def test_a_server_notices_a_client_that_is_gone(self, start):
        """The ghost in the room: the client's machine lost its power."""

        async def handler(ws):
            async with watched(ws, Heartbeat(0.1, timeout=0.1)) as watchdog:
                async for _ in ws:
                    watchdog.sign()

        async with start(handler) as server, lab.cable(server) as cable:
            ws = await connect(cable.url, proxy=None, ping_interval=None)
            cable.freeze()
            events = await server.settle(lambda: any(e.kind == "close" for e in server.events))
            assert "1006" in events[-1].text
            assert server.errors == []
            ws.transport.abort()
            cable.thaw()

    async def test_the_librarys_own_keepalive_takes_as_long_as_stated(self):
        """The bound that the documentation does not give: the closing handshake comes on top."""
        interval, timeout, closing = 0.3, 0.2, 0.4
        least, most = library_bounds(interval, timeout, closing)
        options = {"ping_interval": interval, "ping_timeout": timeout, "close_timeout": closing}
        rng = random.Random(1)

        async def one(number):
            async with lab.cable(server, name=f"cable {number}") as cable:
                ws = await connect(cable.url, proxy=None, **options)
                await asyncio.sleep(rng.uniform(0, interval))
                cable.freeze()
                start = time.monotonic()
                with pytest.raises(ConnectionClosed):
                    await ws.recv()
                return time.monotonic() - start

        async with lab.serve(lab.echo, ping_interval=None) as server:
            took = await asyncio.gather(*(one(number) for number in range(12)))
        assert min(took) > least - 0.02
        assert max(took) < most + 20  # a generous ceiling: the machine may be busy
        assert least > timeout + closing - 0.001
        assert library_bounds() == (30, 50)


class Scene:
    """The tutorial's page against a network, in virtual time."""

    def __init__(self, variant, mode="up"):
        self.timers = Timers()
        self.network = Network(self.timers)
        self.network.mode = mode
        self.page = Page(self.network, variant)

    def after(self, seconds):
        """What happens from now on, in so many seconds; times are from now."""
        start, known = self.timers.now, len(self.page.log)
        self.timers.run(start + seconds)
        return [(round(at - start, 1), text) for at, text in self.page.log[known:]]


@pytest.fixture(params=[1, 2])
def scene(request):
    scene = Scene(request.param)
    scene.after(10)
    return scene


class TestTutorial:
    def test_beats_three_seconds_after_each_sign_of_life(self, scene):
        beats = [at for at, text in scene.page.log if text == "beat 123456789"]
        assert beats == [3.0, 6.0, 9.0]

    def test_variant_1_never_notices_a_silent_server(self):
        """The counter belongs to one timer, and that fires once."""
        scene = Scene(1)
        scene.after(10)
        scene.network.mode = "silent"
        assert scene.after(1000 * HOUR) == [(2.0, "beat 123456789")]

    def test_variant_2_takes_71_seconds(self):
        """In time it calls close(), but a browser waits for an answer to that."""
        scene = Scene(2)
        scene.after(9.1)  # the last sign of life was just now
        scene.network.mode = "silent"
        happened = [(round(at), text) for at, text in scene.after(100)]
        assert happened == [
            (3, "beat 123456789"),
            (8, "close()"),
            (68, "closed 1006"),
            (71, "new WebSocket"),
        ]

    def test_a_server_that_is_killed_is_noticed_at_once_but_two_attempts_are_all(self, scene):
        scene.network.kill()
        happened = scene.after(HOUR)
        assert [(at, text) for at, text in happened if text == "new WebSocket"] == [
            (3.0, "new WebSocket"),
            (6.0, "new WebSocket"),
        ]
        scene.network.mode = "up"
        assert scene.after(1000 * HOUR) == []

    def test_success_does_not_reset_the_count(self, scene):
        attempts = 0
        for _ in range(3):
            scene.network.kill()
            scene.network.mode = "up"
            attempts += sum(text == "new WebSocket" for _, text in scene.after(60))
        assert attempts == 2
        assert scene.after(1000 * HOUR) == []

    def test_a_constructor_that_throws_loses_the_retry(self, scene):
        scene.network.kill()
        scene.network.mode = "throws"
        happened = scene.after(HOUR)
        assert [text for _, text in happened] == ["new WebSocket", "catch"]
        scene.network.mode = "up"
        assert scene.after(1000 * HOUR) == []
        assert (scene.page.reconnect_num, scene.page.lock_reconnect) == (2, False)

    def test_a_close_that_is_answered(self):
        """Only a slow server, not a dead one, makes variant 2 work as it was meant."""
        scene = Scene(2)
        scene.after(9.5)
        scene.network.mode = "silent"
        scene.after(6)
        scene.network.mode = "up"
        texts = [text for _, text in scene.after(8)]
        assert texts[:4] == ["close()", "closed 1005", "new WebSocket", "open"]

    def test_a_server_that_is_down_from_the_start(self, scene):
        scene = Scene(scene.page.variant, "down")
        happened = scene.after(HOUR)
        assert sum(text == "new WebSocket" for _, text in happened) == 2


class TestTimers:
    def test_run_in_order_and_once(self):
        timers, found = Timers(), []
        timers.set_timeout(lambda: found.append("b"), 2)
        timers.set_timeout(lambda: found.append("a"), 1)
        cleared = timers.set_timeout(lambda: found.append("c"), 1.5)
        timers.clear_timeout(cleared)
        timers.clear_timeout(None)
        timers.run(1.9)
        assert (found, timers.now) == (["a"], 1.9)
        timers.run(5)
        timers.clear_timeout(cleared)
        assert (found, timers.now) == (["a", "b"], 5)
