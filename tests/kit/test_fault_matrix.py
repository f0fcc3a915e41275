"""Every fault of a cable and of a server, under both clients: noticed, recovered, nothing lost.

Most of it runs in a simulation. What ends connections, and a few random schedules, run on real
sockets as well, and what is asserted there of time are generous ceilings.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import os
import random
from functools import partial, wraps
from itertools import pairwise

import pytest
from websockets.asyncio.client import connect as connect_to
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.reconnect.feed import Feed
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff, delays
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import ClientState, Failed, Missed, Received, Refused
from wslab.kit.keepalive import Heartbeat
from wslab.kit.resume import Log
from wslab.kit.retry import of_status
from wslab.lab.loop import settle
from wslab.net import simulate
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.server import serve_from_scratch

from ..scenes import ACTIONS, scenes

CONNECTS = {"library": library_connect, "from scratch": connect_from_scratch}
CEILING = 45  # seconds: a busy machine is slow, a hanging client is for ever
BEAT = Heartbeat(0.1, timeout=0.1)
# Seeds for CI: among their schedules, every scene follows every other one, on every side.
CHOSEN = [*range(494), 500, 521, 530, 541, 558, 626]
SEEDS = [*range(int(os.environ.get("WSLAB_SCHEDULES", "0")))] or CHOSEN


@pytest.fixture(params=CONNECTS)
def connect(request):
    return CONNECTS[request.param]


class Bench:
    """A numbered server, a cable to it, a client, and a count of what both have said."""

    def __init__(
        self, connect, *, name="feed", seed=1, serve=lab.serve, watch=BEAT, log=None, **options
    ):
        self.name, self.serve, self.watch = name, serve, watch
        self.feed = Feed(log, heartbeat=watch)
        self.server = serve(self.feed, name=name)
        self.port = self.server.port
        self.cable = lab.cable(self.server, name=f"cable to {name}")
        quick = Backoff(first=0.02, limit=0.1, quick=1)
        defaults = {"policy": quick, "stable_after": 0, "heartbeat": BEAT, "open_timeout": 1}
        self.client = ReconnectingClient(
            self.cable.url, connect=connect, rng=random.Random(seed), **{**defaults, **options}
        )
        self.events, self.applied = [], []
        self.said = self.published = 0

    def say(self, count=1):
        for _ in range(count):
            self.said += 1
            self.client.send({"type": "note", "text": str(self.said)})

    def publish(self, count=1):
        for _ in range(count):
            self.published += 1
            if self.server.is_running:
                self.feed.publish({"n": self.published})  # soon, on the server's loop
            else:
                self.feed.log.publish({"n": self.published})

    def close_all(self, code):
        """Close every connection, on the server's thread."""

        async def close():
            for connection in self.server.connections:
                await connection.close(code)

        self.server.thread.call(close)

    async def stop(self):
        """End the server, and keep what its handler was told."""
        await self.server.stop(0.1)
        self.applied += self.feed.notes

    def start(self, log):
        self.feed = Feed(log, heartbeat=self.watch)
        self.server = self.serve(self.feed, name=self.name, port=self.port)

    async def listen(self):
        async for event in self.client:
            self.events.append(event)

    @property
    def got(self):
        return [event.message["n"] for event in self.events if isinstance(event, Received)]

    @property
    def missed(self):
        return [event for event in self.events if isinstance(event, Missed)]

    async def until(self, condition):
        try:
            await settle(lambda: 0, condition, lambda: "", within=CEILING, quiet=0)
        except TimeoutError:
            tail = [change.text for change in self.client.changes][-5:]
            pytest.fail(f"got {self.got} of {self.published}, {self.events[-2:]}, {tail}")

    async def settle(self):
        """Wait until everything that either side has said has arrived."""
        async with asyncio.timeout(CEILING):
            await self.client.delivered()
        await self.until(lambda: self.got[-1:] == [self.published])

    def check(self):
        assert self.got == list(range(1, self.published + 1))
        assert self.applied + self.feed.notes == [str(n) for n in range(1, self.said + 1)]
        assert self.missed == []

    async def __aenter__(self):
        await self.client.start()
        self.listening = asyncio.create_task(self.listen())
        await self.client.until(ClientState.ONLINE)
        self.say(3)
        self.publish(3)
        await self.settle()
        return self

    async def __aexit__(self, *exception):
        await self.client.close()
        await self.listening
        await self.cable.stop()
        await self.server.stop(0.1)
        if exception[0] is None:
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert self.server.errors == []


def in_memory(kind):
    """Let the tests of a class run in a simulation: the same code, and no waiting."""

    def simulated(test):
        @wraps(test)
        def run(*arguments, **options):
            simulate(partial(test, *arguments, **options)).result()

        return run

    for name, test in list(vars(kind).items()):
        if name.startswith("test_"):
            setattr(kind, name, simulated(test))
    return kind


def online_again(bench):
    """A condition: the client is on another connection than now."""
    before = sum(change.state is ClientState.ONLINE for change in bench.client.changes)

    def is_again():
        return sum(change.state is ClientState.ONLINE for change in bench.client.changes) > before

    return is_again


class TestConnectionsThatEnd:
    """On real sockets, to keep the simulator honest."""

    @pytest.mark.parametrize("side", ["client", "server", "both"])
    @pytest.mark.parametrize("fault", ["cut", "reset"])
    async def test_cut_or_reset(self, connect, fault, side):
        async with Bench(connect) as bench:
            again = online_again(bench)
            getattr(bench.cable, fault)(side)
            bench.say(3)
            bench.publish(3)
            await bench.settle()
            await bench.until(again)
            bench.check()

    @pytest.mark.parametrize("side", ["client", "server", "both"])
    async def test_frozen(self, connect, side):
        async with Bench(connect) as bench:
            again = online_again(bench)
            bench.cable.freeze(side)
            bench.say(3)
            bench.publish(3)
            await bench.until(lambda: bench.client.state is not ClientState.ONLINE)
            bench.cable.thaw()
            await bench.settle()
            assert again()
            bench.check()

    @pytest.mark.parametrize("size", [0, 1, 5, 20, 61])
    @pytest.mark.parametrize("side", ["client", "server"])
    async def test_half_a_frame_then_silence(self, connect, side, size):
        async with Bench(connect) as bench:
            again = online_again(bench)
            bench.cable.drop_after(size, side)
            bench.say(3)
            bench.publish(3)
            await bench.until(lambda: bench.client.state is not ClientState.ONLINE)
            bench.cable.mend()
            await bench.settle()
            assert again()
            bench.check()

    async def test_a_server_from_scratch_too(self, connect):
        async with Bench(connect, serve=serve_from_scratch) as bench:
            for _ in range(3):
                bench.cable.cut()
                bench.say(2)
                bench.publish(2)
                await bench.settle()
            bench.check()


@in_memory
class TestConnectionsThatLast:
    """What only slows a connection down is no reason to leave it."""

    @pytest.mark.parametrize(
        ("fault", "amount"), [("delay", 0.1), ("throttle", 4000), ("split", 2), ("split", 1)]
    )
    @pytest.mark.parametrize("side", ["client", "server", "both"])
    async def test_slow(self, connect, fault, amount, side):
        patient = Heartbeat(1, timeout=5)
        async with Bench(connect, heartbeat=patient, watch=patient) as bench:
            again = online_again(bench)
            options = {"gap": 0.001} if fault == "split" else {}
            getattr(bench.cable, fault)(amount, side, **options)
            bench.say(3)
            bench.publish(3)
            await bench.settle()
            bench.check()
            assert not again()

    async def test_slower_than_tolerated_is_dead(self, connect):
        """A delay beyond the tolerance cannot be told from death: noticed, and nothing is lost."""
        async with Bench(connect) as bench:
            again = online_again(bench)
            bench.cable.delay(0.4)
            bench.say(3)
            await bench.until(lambda: bench.client.state is not ClientState.ONLINE)
            bench.cable.mend()
            bench.publish(3)
            await bench.settle()
            assert again()
            bench.check()


@in_memory
class TestServers:
    async def test_refused_for_a_while(self, connect):
        async with Bench(connect) as bench:
            await bench.stop()
            bench.say(3)
            await bench.until(lambda: bench.client.attempts.number > 3)
            bench.start(bench.feed.log)
            bench.publish(3)
            await bench.settle()
            bench.check()

    async def test_refused_without_a_cable(self, connect):
        bench = Bench(connect)
        bench.client.url = bench.server.url
        async with bench:
            await bench.stop()
            await bench.until(lambda: "refused" in bench.client.status)
            bench.start(bench.feed.log)
            bench.say(1)
            bench.publish(1)
            await bench.settle()
            bench.check()

    async def test_a_restart_with_the_log(self, connect):
        async with Bench(connect) as bench:
            for _ in range(3):
                bench.say(2)
                bench.publish(2)
                await bench.stop()
                bench.publish(2)  # while nobody is there
                bench.say(2)
                bench.start(Log.load(bench.feed.log.dump()))
                await bench.settle()
            bench.check()

    async def test_a_restart_without_its_log(self, connect):
        """It is reported, and from then on everything arrives."""
        async with Bench(connect) as bench:
            epoch = bench.client.inbox.epoch
            await bench.stop()
            bench.start(None)
            bench.say(3)
            bench.publish(3)
            await bench.settle()
            assert bench.missed == [Missed("epoch", ())]
            assert bench.client.inbox.epoch != epoch
            assert bench.got == [1, 2, 3, 4, 5, 6]
            assert bench.applied + bench.feed.notes == [str(n) for n in range(1, 7)]

    async def test_a_log_that_is_too_short(self, connect):
        async with Bench(connect, log=Log(4)) as bench:
            await bench.stop()
            bench.publish(10)
            bench.start(bench.feed.log)
            await bench.settle()
            assert bench.missed == [Missed(6)]
            assert bench.got == [1, 2, 3, 10, 11, 12, 13]

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    async def test_replaced_by_one_that_refuses_for_good(self, connect, status):
        def refuse(connection, request):
            return connection.respond(http.HTTPStatus(status), "no\n")

        async with Bench(connect) as bench:
            await bench.stop()
            bench.server = lab.serve(
                bench.feed, name="feed", port=bench.port, process_request=refuse
            )
            await bench.until(lambda: bench.client.state is ClientState.FAILED)
            await bench.until(lambda: isinstance(bench.events[-1], Failed))
            assert bench.events[-1].ending == of_status(status)
            events = await bench.server.settle(until=1, quiet=0.3)
            assert len(events) == 1  # and never again

    @pytest.mark.parametrize("status", [429, 503])
    async def test_busy_for_a_while(self, connect, status):
        refusals = 0

        def refuse(connection, request):
            nonlocal refusals
            refusals += 1
            if refusals > 2:
                return None
            response = connection.respond(http.HTTPStatus(status), "later\n")
            response.headers["Retry-After"] = "1" if refusals == 1 else "0"
            return response

        async with Bench(connect) as bench:
            await bench.stop()
            bench.feed = Feed(bench.feed.log, heartbeat=BEAT)
            asked = asyncio.create_task(asyncio.sleep(0.9))
            bench.server = lab.serve(
                bench.feed, name="feed", port=bench.port, process_request=refuse
            )
            bench.publish(1)
            await bench.settle()
            assert asked.done()  # it was told to wait for a second
            bench.check()

    @pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013])
    async def test_closed_by_the_server(self, connect, code):
        async with Bench(connect) as bench:
            again = online_again(bench)
            bench.close_all(code)
            bench.say(2)
            await bench.until(again)
            bench.publish(2)
            await bench.settle()
            assert any(str(code) in change.text for change in bench.client.changes)
            bench.check()

    @pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 4001])
    async def test_closed_for_good(self, connect, code):
        async with Bench(connect) as bench:
            bench.close_all(code)
            await bench.until(lambda: bench.client.state is ClientState.FAILED)
            assert str(code) in bench.client.status

    async def test_the_same_client_on_another_connection(self, connect):
        """The newer one takes over, the older one is told, and does not fight for its place."""
        async with Bench(connect) as bench:
            other = ReconnectingClient(bench.cable.url)
            other.settings = bench.client.settings
            async with other:
                await bench.until(lambda: bench.client.state is ClientState.FAILED)
                assert "4001" in bench.client.status
                assert other.state is ClientState.ONLINE

    async def test_one_that_accepts_and_never_answers(self, connect):
        async def silent(reader, writer):
            await asyncio.Event().wait()

        async with lab.serve_tcp(silent) as server:
            url = f"ws://127.0.0.1:{server.port}/"
            async with ReconnectingClient(url, connect=connect, open_timeout=0.1) as client:
                async with asyncio.timeout(CEILING):
                    await client.until(ClientState.WAITING)
                ending = client.changes[-1].ending
        assert (ending.way, ending.text) == ("silent", "no answer in time")

    async def test_a_name_that_nobody_knows(self, connect):
        async with ReconnectingClient(
            "ws://no-such-host.invalid/", connect=connect, open_timeout=5
        ) as client:
            async with asyncio.timeout(CEILING):
                await client.until(ClientState.WAITING)
            assert client.changes[-1].ending.way in ("not found", "silent")

    async def test_a_message_that_takes_longer_than_the_limit(self, connect):
        """200 kB at 100 kB/s; a limit of a second; a server that watches its clients as well."""
        limit = Heartbeat(0.5, timeout=0.5)
        async with Bench(connect, heartbeat=limit, watch=limit) as bench:
            again = online_again(bench)
            bench.cable.throttle(100_000)
            noise = random.Random(1).randbytes(100_000).hex()  # nothing to compress
            bench.published += 1
            bench.feed.publish({"n": bench.published, "noise": noise})
            await bench.settle()
            assert not again()
            bench.check()

    async def test_refusals_that_cross_a_break(self, connect):
        """Every id ends as one of: applied, or refused with the reason."""
        async with Bench(connect) as bench:
            keys = {}
            for number in range(40):
                if number % 3:
                    bench.say()
                else:
                    keys[bench.client.send({"type": "nonsense"})] = number
                if number % 5 == 4:
                    getattr(bench.cable, ("cut", "reset")[number % 2])()
                await asyncio.sleep(0.005)
            bench.publish()
            await bench.settle()
            bench.check()
            refused = [event.key for event in bench.events if isinstance(event, Refused)]
            assert refused == list(keys)

    async def test_a_message_that_is_too_big_for_the_server(self, connect):
        """It is named, and those after it arrive."""
        bench = Bench(connect, serve=partial(lab.serve, max_size=10_000))
        async with bench:
            bench.say(2)
            key = bench.client.send({"type": "note", "text": "x" * 20_000})
            bench.say(2)
            bench.publish()
            await bench.settle()
            bench.check()
            assert [event.key for event in bench.events if isinstance(event, Refused)] == [key]


def idle_proxy(port, seconds):
    """Make the handler of a proxy that ends a connection when nothing passes for a while."""

    async def relay(reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        passed = asyncio.Event()

        async def pump(source, sink):
            while data := await source.read(1 << 16):
                passed.set()
                sink.write(data)
            passed.set()  # nothing more will

        tasks = [
            asyncio.create_task(pump(reader, server_writer)),
            asyncio.create_task(pump(server_reader, writer)),
        ]
        try:
            while not any(task.done() for task in tasks):
                passed.clear()
                await asyncio.wait_for(passed.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            server_writer.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return relay


@in_memory
class TestProxy:
    @pytest.mark.parametrize("beats", [True, False])
    async def test_idle_time_out(self, connect, beats):
        """Beats more often than that keep the connection; without them it ends, and comes back."""
        patient = Heartbeat(1000)
        beat = Heartbeat(0.1, timeout=5) if beats else patient
        bench = Bench(connect, heartbeat=beat, watch=patient)
        async with lab.serve_tcp(idle_proxy(bench.port, 2), name="proxy") as proxy:
            bench.client.url = f"ws://127.0.0.1:{proxy.port}/"
            async with bench:
                again = online_again(bench)
                if beats:
                    await bench.server.settle(quiet=0.05)
                    for _ in range(12):  # together longer than the proxy waits
                        await proxy.settle(quiet=0.2)
                    assert not again()
                else:
                    await bench.until(again)
                bench.say(2)
                bench.publish(2)
                await bench.settle()
                bench.check()


async def test_the_librarys_own_iterator_takes_our_delays():
    """What it gives without this package: it comes back, and what was sent meanwhile is lost."""
    policy = partial(delays, Backoff(first=0.02, limit=0.1), rng=random.Random(1))
    got = []
    async with Bench(library_connect) as bench:
        async for ws in connect_to(bench.cable.url, proxy=None, reconnect_delays=policy):
            bench.publish(1)
            got.append(json.loads(await ws.recv())["n"])
            if len(got) == 2:
                await ws.close()
                break
            bench.cable.cut()
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            bench.publish(3)
            await bench.until(lambda: bench.feed.log.last == bench.published)
            assert bench.server.is_running
        await bench.settle()
        bench.check()
    assert got == [4, 8]  # 5, 6 and 7 were published while it was away


def drawn(bench, rng):
    pauses = [0, 0, 0.001, 0.01, 0.03]
    return scenes(bench, rng, count=rng.randint(5, 15), patience=0.5, pauses=pauses)


async def play(bench, rng):
    for wait in drawn(bench, rng):
        match wait:
            case "stop":
                await bench.stop()
            case "offline":
                await bench.until(lambda: bench.client.state is not ClientState.ONLINE)
            case seconds:
                await asyncio.sleep(seconds)


async def random_schedule(connect, seed):
    """Play one; the seed is in the message of whatever fails."""
    rng = random.Random(seed)
    try:
        async with Bench(connect, seed=seed) as bench:
            await play(bench, rng)
            await bench.settle()
            bench.check()
    except BaseException as error:
        with contextlib.suppress(NameError):
            error.add_note(f"seed {seed}: {[c.text for c in bench.client.changes][-5:]}")
        error.add_note(f"seed {seed}")
        raise


@pytest.mark.slow
async def test_random_schedules(connect):
    """On real sockets."""
    for seed in range(10):
        await random_schedule(connect, seed)


@pytest.mark.parametrize(
    "seeds",
    [SEEDS[at : at + 25] for at in range(0, len(SEEDS), 25)],
    ids=lambda seeds: str(seeds[0]),
)
@pytest.mark.untraced
def test_random_schedules_in_memory(connect, seeds):
    """500 of them for each client; `make soak` plays 10,000."""
    for seed in seeds:
        run = simulate(partial(random_schedule, connect, seed), seed=seed)
        run.result()
        assert run.errors == ()


class Notes(random.Random):
    """Draws as always, and notes the scenes and their sides."""

    def choice(self, values):
        value = super().choice(values)
        if values is ACTIONS:
            self.scenes = [*getattr(self, "scenes", []), (value,)]
        elif "both" in values:
            self.scenes[-1] += (value,)
        return value


class Nothing:
    """Stands for a bench on which nothing happens."""

    log = Log()

    def __getattr__(self, name):
        return self

    def __call__(self, *_values, **_options):
        return self


def test_the_chosen_seeds_have_every_scene_after_every_other():
    pairs = set()
    for seed in CHOSEN:
        rng = Notes(seed)
        for _ in drawn(Nothing(), rng):
            pass
        pairs |= {*pairwise(rng.scenes)}
    assert len(CHOSEN) == 500
    assert len(pairs) == (len({*ACTIONS}) * 3) ** 2
