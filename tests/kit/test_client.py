"""When to come back, whether to, and what the application hears; in virtual time, without sockets.

The same with sockets, cables and servers: test_fault_matrix.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import socket
import ssl
from datetime import UTC, datetime

import numpy as np
import pytest
from websockets.client import backoff as library_backoff
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    InvalidMessage,
    InvalidStatus,
    InvalidUpgrade,
)
from websockets.frames import Close
from websockets.http11 import Response

from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Attempts, Backoff, Decorrelated, Fixed, LibraryDefault, delays
from wslab.kit.client import NotDelivered, ReconnectingClient
from wslab.kit.client_events import ClientState, Failed, Missed, Received, Refused
from wslab.kit.keepalive import Heartbeat
from wslab.kit.outbox import OutboxFull, SequenceGap
from wslab.kit.resume import Log, ResumeError, Session
from wslab.kit.retry import CLOSE_CODES, classify, of_code, of_status, retry_after
from wslab.net import clock
from wslab.protocol.errors import HandshakeError
from wslab.scratch.endpoint import ConnectionEnded

POLICIES = [Fixed(3), Backoff(), Backoff(jitter=False), Decorrelated(), LibraryDefault()]


def take(policy, count, seed=1):
    return list(itertools.islice(delays(policy, rng=random.Random(seed)), count))


class TestPolicies:
    @pytest.mark.parametrize("policy", POLICIES)
    def test_are_deterministic_under_an_rng(self, policy):
        assert take(policy, 20) == take(policy, 20)
        assert all(0 <= delay < 100 for delay in take(policy, 2000))

    @pytest.mark.parametrize("policy", POLICIES)
    def test_serve_one_client_and_many_by_one_formula(self, policy):
        rng, lots = random.Random(1), random.Random(1)
        one = itertools.islice(delays(policy, rng=rng), 50)
        previous = np.zeros(3)
        for attempt, delay in enumerate(one):
            previous = policy.delay(np.full(3, attempt), np.full(3, lots.random()), previous)
            assert previous == pytest.approx([delay] * 3)

    def test_backoff_without_jitter(self):
        policy = Backoff(first=1, factor=2, limit=30, quick=2, jitter=False)
        assert take(policy, 9) == [1, 1, 2, 4, 8, 16, 30, 30, 30]
        assert take(policy, 5000)[-1] == 30  # no overflow

    @pytest.mark.parametrize("number", range(12))
    def test_full_jitter_is_uniform_below_that(self, number):
        plain = take(Backoff(jitter=False), 12)
        drawn = [take(Backoff(), 12, seed)[number] for seed in range(400)]
        assert max(drawn) <= plain[number]
        assert np.mean(drawn) == pytest.approx(plain[number] / 2, rel=0.15)
        assert max(drawn) > 0.95 * plain[number]

    def test_decorrelated_jitter(self):
        drawn = take(Decorrelated(1, 30), 2000)
        for before, after in itertools.pairwise([1.0, *drawn]):
            assert 1 <= after <= min(30, 3 * before)
        assert max(drawn) == 30

    def test_the_librarys_default_is_the_librarys(self):
        """It tries at once, then waits as its generator says; only the first wait is random."""
        ours, theirs = take(LibraryDefault(), 12), list(itertools.islice(library_backoff(), 11))
        assert ours[0] == 0
        assert 0 <= ours[1] < 5
        assert ours[2:] == pytest.approx(theirs[1:])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"first": 0}, "0 < first ≤ limit"),
            ({"first": 31}, "first is 31 s, limit is 30.0 s"),
            ({"limit": float("inf")}, "0 < first ≤ limit"),
            ({"factor": 0.5}, "factor is 0.5"),
            ({"quick": 0}, "quick is 0"),
        ],
    )
    def test_what_cannot_be(self, options, message):
        with pytest.raises(ValueError, match=message):
            Backoff(**options)

    def test_their_names_differ(self):
        assert len({policy.name for policy in POLICIES}) == len(POLICIES)


class TestAttempts:
    def attempts(self):
        policy = Backoff(first=1, quick=1, jitter=False)
        return Attempts(policy, rng=random.Random(1), stable_after=5)

    def test_a_success_begins_anew(self):
        attempts = self.attempts()
        assert [attempts.ended() for _ in range(3)] == [1, 2, 4]
        assert attempts.ended(4.9) == 8  # a server that accepts and closes is no success
        assert attempts.ended(5) == 1
        assert attempts.number == 1


def closed(code=None, sent=None, reason=""):
    received = None if code is None else Close(code, reason)
    own = None if sent is None else Close(sent, "")
    return ConnectionClosedError(received, own, True if received and own else None)


def refused(status, **headers):
    fields = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    return InvalidStatus(Response(status, "", fields))


def eof():
    error = InvalidMessage("did not receive a valid HTTP response")
    error.__cause__ = EOFError()
    return error


def certificate():
    error = ssl.SSLCertVerificationError()
    error.verify_message = "unable to get local issuer certificate"
    return error


class TestClassify:
    @pytest.mark.parametrize(
        ("error", "way", "retry"),
        [
            (ConnectionRefusedError(111, "x"), "refused", True),
            (socket.gaierror(-2, "x"), "not found", True),
            (TimeoutError(), "silent", True),
            (ConnectionResetError(104, "x"), "broken", True),
            (OSError("all attempts failed"), "broken", True),
            (certificate(), "handshake", False),
            (eof(), "handshake", True),
            (InvalidMessage("HTTP/0.9"), "handshake", False),
            (InvalidUpgrade("Upgrade", None), "handshake", False),
            (refused(403), "handshake", False),
            (HandshakeError("x", "§4.1", 401), "handshake", False),
            (HandshakeError("x", "§4.1", 502), "handshake", True),
            (HandshakeError("x", "§4.1", 101), "handshake", False),
            (closed(), "broken", True),
            (closed(sent=1002), "confused", False),
            (closed(1001, 1001), "closed", True),
            (closed(1008), "closed", False),
            (ConnectionEnded(1006, "", False), "broken", True),
            (ConnectionEnded(1008, "no", True), "closed", False),
            (ResumeError("bad seq", "x"), "confused", True),
            (SequenceGap("x"), "confused", True),
        ],
    )
    def test_endings(self, error, way, retry):
        ending = classify(error)
        assert (ending.way, ending.retry) == (way, retry)
        assert ending.text

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (refused(401), 401),
            (HandshakeError("x", "§4.1", 403), 403),
            (closed(4001), 4001),
            (ConnectionEnded(1009, "", True), 1009),
            (ConnectionRefusedError(), 0),
        ],
    )
    def test_their_codes(self, error, code):
        assert classify(error).code == code

    def test_a_mistake_in_the_program_is_none(self):
        assert classify(TypeError()) is None

    @pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 4002, 4711])
    def test_codes_worth_an_attempt(self, code):
        assert of_code(code).retry

    @pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, 4001])
    def test_codes_that_are_final(self, code):
        assert not of_code(code).retry
        assert CLOSE_CODES[code][1] in of_code(code).text

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_statuses_worth_an_attempt(self, status):
        assert of_status(status).retry

    @pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 410, 426, 501, 505, 101])
    def test_statuses_that_are_final(self, status):
        assert not of_status(status).retry

    @pytest.mark.parametrize(
        ("error", "wait"),
        [
            (refused(503, Retry_After="120"), 120),
            (refused(503), 0),
            (HandshakeError("x", "§", 429, (("retry-AFTER", "7"), ("Host", "x"))), 7),
            (HandshakeError("x", "§", 429), 0),
        ],
    )
    def test_the_server_may_say_when(self, error, wait):
        assert classify(error).wait == wait

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("Wed, 21 Oct 2026 07:28:00 GMT", 60),
            ("Wed, 21 Oct 2026 07:28:00 -0000", 60),
            ("Wed, 21 Oct 2026 07:26:00 GMT", 0),
            (" 5 ", 5),
            ("-5", 0),
            ("1.5", 0),
            ("", 0),
            ("９", 0),
            ("9" * 400, 999_999_999),
        ],
    )
    def test_reads_seconds_and_dates(self, value, seconds):
        now = datetime(2026, 10, 21, 7, 27, tzinfo=UTC)
        assert retry_after(value, lambda: now) == seconds
        assert retry_after("Wed, 21 Oct 2020 07:28:00 GMT") == 0

    def test_a_servers_reason_is_shown_in_part(self):
        assert "'no'" in of_code(1008, "no").text
        assert len(of_code(1008, "x" * 120).text) < 140
        assert "\x1b" not in of_code(1008, "\x1b[31m").text
        library = InvalidUpgrade("Upgrade", "\x9b31m\udc9b\u202e")
        assert classify(library).text.isprintable()


class Fake:
    """A connection to a numbered server, in virtual time."""

    def __init__(self, world):
        self.world, self.session = world, Session(world.log)
        self.inbox = asyncio.Queue()
        self.transport, self.end, self.protocol = self, None, self
        self.closes, self.is_aborted = [], False
        world.connections.append(self)

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol

    def is_closing(self):
        return self.end is not None

    def data_received(self, data):
        """Take part of a message, or a Pong: nothing for the application."""

    async def send(self, text):
        if self.end:
            raise self.end
        if self.world.limit is not None and len(text) > self.world.limit:
            self.stop(closed(1009, 1009))
            raise self.end
        if self.world.breaks_at is not None and len(self.world.seen) == self.world.breaks_at:
            self.world.breaks_at = None
            self.stop(closed())
            raise self.end
        if self.world.is_silent:
            return
        self.world.seen.append(text)
        try:
            message = json.loads(text)
        except ValueError:
            return
        if message.get("type") == "resume":
            if self.world.knows_resume:
                for answer in self.session.resume(message):
                    self.put(answer)
            return
        if self.world.is_deaf:
            return
        reply = self.session.duplicate(message)
        if reply is None and message.get("bad"):
            reply = self.session.refused(message, "bad", "not this")
        elif reply is None:
            self.world.applied.append(message)
            reply = self.session.applied(message)
        if reply:
            self.put(reply)

    def put(self, message):
        self.protocol.data_received(b"all of it")
        self.inbox.put_nowait(message if isinstance(message, str) else json.dumps(message))

    async def recv(self):
        while self.end is None:
            waiting = asyncio.ensure_future(self.inbox.get())
            try:
                found = await waiting
            finally:
                waiting.cancel()
            if found is not None:
                return found
        raise self.end

    async def ping(self):
        self.world.pings += 1
        return self.pong()

    async def pong(self):
        if self.world.is_silent or not self.world.answers_pings:
            await asyncio.Event().wait()
        await asyncio.sleep(0.01)
        self.protocol.data_received(b"a Pong")

    def stop(self, error):
        self.end = self.end or error
        self.inbox.put_nowait(None)

    async def close(self, code):
        self.closes.append(code)
        if self.world.is_silent and self.end is None:
            await asyncio.sleep(60)
        self.stop(closed(code, code))

    def abort(self):
        self.is_aborted = True
        self.stop(closed())


class World:
    """A server in virtual time. fails: what the next attempts raise."""

    def __init__(self, *fails, **options):
        self.log, self.fails = Log(), list(fails)
        self.connections, self.seen, self.applied, self.attempts = [], [], [], []
        self.is_silent, self.knows_resume, self.answers_pings, self.pings = False, True, True, 0
        self.is_deaf = False  # True if it takes no messages after `resume`
        self.limit = self.breaks_at = None  # bytes of a message; how many messages a connection has
        self.options = options
        self.got = []

    async def connect(self, url):
        self.attempts.append(asyncio.get_running_loop().time())
        if self.fails:
            fail = self.fails.pop(0)
            if fail is not None:
                raise fail
        return Fake(self)

    def publish(self, **fields):
        message = self.log.publish(fields)
        for each in self.connections:
            if each.end is None and not self.is_silent:
                each.put(message)

    def client(self, **options):
        policy = Backoff(first=1, quick=1, jitter=False)
        options = {"policy": policy, **self.options, **options}
        return ReconnectingClient("ws://x/", connect=self.connect, **options)

    async def listen(self, client):
        async for event in client:
            self.got.append(event)

    def play(self, scene, **options):
        """Run a scene with a client whose events are taken; nothing must be left of it."""

        async def run():
            client = await self.client(**options).start()
            listening = asyncio.create_task(self.listen(client))
            async with asyncio.timeout(100_000):
                await scene(client)
            await client.close()
            await listening
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return client

        return clock.run_virtual(run())


class TestClient:
    def test_sends_and_receives(self):
        world = World()

        async def scene(client):
            assert client.send({"n": 1}) == 1
            await client.delivered()
            world.publish(p=1)
            await asyncio.sleep(1)

        client = world.play(scene)
        assert world.applied == [{"n": 1, "id": 1}]
        assert world.got == [Received({"p": 1, "seq": 1})]
        assert [change.state for change in client.changes] == [
            ClientState.CONNECTING,
            ClientState.ONLINE,
            ClientState.CLOSED,
        ]
        assert client.status == "closed: by this side"
        assert world.connections[0].closes == [1000]

    def test_several_tasks_share_its_events(self):
        world, other = World(), []

        async def listen(client):
            async for event in client:
                other.append(event)

        async def scene(client):
            listening = asyncio.create_task(listen(client))
            await client.until(ClientState.ONLINE)
            for n in range(4):
                world.publish(p=n)
            await asyncio.sleep(1)
            await client.close()
            await listening

        world.play(scene)
        assert sorted(each.message["p"] for each in world.got + other) == [0, 1, 2, 3]

    def test_comes_back_with_what_was_missed(self):
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.connections[-1].abort()
            client.send({"n": 1})
            for n in range(3):
                world.publish(p=n)
            await client.until(ClientState.WAITING)
            await client.delivered()
            await asyncio.sleep(0.1)

        world.play(scene)
        assert world.attempts == [0, 1]
        assert [event.message["p"] for event in world.got] == [0, 1, 2]
        assert [message["n"] for message in world.applied] == [1]

    def test_waits_as_its_policy_says(self):
        world = World(*[ConnectionRefusedError()] * 4)

        async def scene(client):
            await client.until(ClientState.ONLINE)

        client = world.play(scene)
        assert world.attempts == [0, 1, 3, 7, 15]
        assert client.attempts.number == 4

    @pytest.mark.parametrize(("says", "waits"), [("100", 101), ("999999999", 3601)])
    def test_waits_longer_than_the_server_says(self, says, waits):
        """Its own wait comes on top, and a year is too much."""
        world = World(refused(503, Retry_After=says), None)

        async def scene(client):
            await client.until(ClientState.ONLINE)

        world.play(scene)
        assert world.attempts == [0, waits]

    def test_a_final_answer_is_the_last_event(self):
        world = World(ConnectionRefusedError(), refused(403))

        async def scene(client):
            await client.until(ClientState.FAILED)
            await asyncio.sleep(10_000)
            with pytest.raises(
                RuntimeError, match="nothing is sent any more: failed: refused with"
            ):
                client.send({})

        client = world.play(scene)
        assert world.attempts == [0, 1]
        assert isinstance(world.got[-1], Failed)
        assert client.state is ClientState.FAILED
        assert "403 Forbidden" in client.status

    @pytest.mark.parametrize("way", ["accepts and closes", "lasts"])
    def test_only_a_connection_that_lasted_resets_the_wait(self, way):
        world = World()

        async def scene(client):
            for _ in range(3):
                await client.until(ClientState.ONLINE)
                await asyncio.sleep(6 if way == "lasts" else 0)
                world.connections[-1].abort()
                await client.until(ClientState.WAITING)

        world.play(scene)
        waits = np.diff(world.attempts)
        assert waits == pytest.approx([7, 7] if way == "lasts" else [1, 2])

    @pytest.mark.parametrize("at", [0, 3.3, 19.9])
    def test_notices_silence_within_the_bound(self, at):
        world, heartbeat = World(), Heartbeat(20, timeout=10)

        async def scene(client):
            await client.until(ClientState.ONLINE)
            await asyncio.sleep(40 + at)
            world.is_silent = True
            start = asyncio.get_running_loop().time()
            client.send({"n": 1})  # sent into the void
            await client.until(ClientState.WAITING)
            took = asyncio.get_running_loop().time() - start
            assert heartbeat.tolerance - 0.02 <= took <= heartbeat.limit + 1e-6
            world.is_silent = False
            await client.delivered()

        client = world.play(scene, heartbeat=heartbeat)
        assert any("no sign of life for 30 s" in change.text for change in client.changes)
        assert [message["n"] for message in world.applied] == [1]

    def test_an_attempt_that_gets_no_answer(self):
        world = World()
        world.is_silent = True

        async def scene(client):
            await client.until(ClientState.WAITING)
            assert asyncio.get_running_loop().time() == 5 + 1  # 1 s to leave
            assert "no answer to resume" in client.status
            world.is_silent = False
            await client.until(ClientState.ONLINE)

        world.play(scene, open_timeout=5)

    def test_reports_what_is_lost(self):
        world = World()
        world.log = Log(3)

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.connections[-1].abort()
            for n in range(1, 6):
                world.publish(p=n)
            await client.until(ClientState.WAITING)
            await client.until(ClientState.ONLINE)
            await asyncio.sleep(0.1)

        world.play(scene)
        assert world.got[0] == Missed(2)
        assert [event.message["p"] for event in world.got[1:]] == [3, 4, 5]

    def test_reports_a_server_that_has_forgotten(self):
        world = World()

        async def scene(client):
            client.send({"n": 1})
            await client.delivered()
            world.is_silent = True  # what is sent now is lost; the client cannot know
            client.send({"n": 2})
            await asyncio.sleep(0.1)
            world.connections[-1].abort()
            world.is_silent, world.log = False, Log()
            await client.until(ClientState.WAITING)
            client.send({"n": 3})
            await client.delivered()

        world.play(scene)
        assert world.got == [Missed("epoch", (2,))]
        assert [(m["n"], m["id"]) for m in world.applied] == [(1, 1), (2, 1), (3, 2)]

    def test_a_successor_that_forgot_may_know_as_little_as_it_should(self):
        """Its `seen` is what the client expects, and still tells nothing: it is another server."""
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.is_silent = True
            client.send({"n": 1})
            await asyncio.sleep(0.1)
            world.connections[-1].abort()
            world.is_silent, world.log = False, Log()
            await client.until(ClientState.WAITING)
            await client.delivered()

        world.play(scene)
        assert world.got == [Missed("epoch", (1,))]

    def test_reports_a_refusal(self):
        world = World()

        async def scene(client):
            client.send({"n": 1})
            client.send({"bad": True})
            client.send({"n": 2})
            await client.delivered()

        world.play(scene)
        assert world.got == [Refused(2, "bad", "not this")]
        assert [message["n"] for message in world.applied] == [1, 2]

    @pytest.mark.parametrize(
        "nonsense", ["no JSON", "[1]", '{"seq": 7}', '{"seq": -1}', "[" * 9999]
    )
    def test_a_confused_server(self, nonsense):
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.connections[-1].put(nonsense)
            await client.until(ClientState.WAITING)
            await client.until(ClientState.ONLINE)

        world.play(scene)
        assert world.connections[0].closes == [4002]

    def test_closes_while_it_waits(self):
        world = World(*[ConnectionRefusedError()] * 9)

        async def scene(client):
            await client.until(ClientState.WAITING)

        client = world.play(scene)
        assert world.attempts == [0]
        assert client.state is ClientState.CLOSED

    def test_closes_a_dead_connection_in_a_second(self):
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            client.send({"n": 1})
            world.is_silent = True
            start = asyncio.get_running_loop().time()
            await client.close()
            assert asyncio.get_running_loop().time() - start == 1
            assert world.connections[0].is_aborted
            await asyncio.sleep(10_000)

        world.play(scene)
        assert world.attempts == [0]

    def test_says_what_was_not_delivered(self):
        world = World(refused(404))

        async def scene(client):
            client.send({"n": 1})
            with pytest.raises(NotDelivered, match="1 messages are not delivered") as caught:
                await client.delivered()
            assert caught.value.keys == [1]

        world.play(scene)

    def test_its_outbox_is_bounded(self):
        async def scene(client):
            for _ in range(1000):
                client.send({})
            with pytest.raises(OutboxFull):
                client.send({})
            await client.delivered()

        World().play(scene)

    @pytest.mark.parametrize("message", [{"text": b"bytes"}, [1], "text", {"n": math.nan}])
    def test_what_is_no_json_object_is_refused_at_once(self, message):
        async def scene(client):
            with pytest.raises((TypeError, ValueError)):
                client.send(message)
            assert not client.outbox

        World().play(scene)

    def test_a_slow_application_is_no_dead_server(self):
        """Nothing is read while it is busy, so no Pong is seen; that is not the server's fault."""
        world = World()

        async def run():
            async with world.client(heartbeat=Heartbeat(2)) as client:
                client.queue = 3
                await client.until(ClientState.ONLINE)
                for n in range(20):
                    world.publish(p=n)
                await asyncio.sleep(100)
                assert world.connections[0].inbox.qsize() > 10
                for n in range(20):
                    assert (await anext(client)).message["p"] == n
                    await asyncio.sleep(1)
            assert len(world.connections) == 1

        clock.run_virtual(run())

    def test_a_server_that_knows_no_resume(self):
        """The tutorial's: any text is answered, and nothing is acknowledged."""
        world = World()
        world.knows_resume = False

        async def scene(client):
            await client.until(ClientState.ONLINE)
            client.send({"text": "Hello"})
            await client.delivered()
            world.connections[-1].put("我是服务端，已收到信息")
            await asyncio.sleep(0.1)

        world.play(scene, resume=False)
        assert world.seen == ['{"text":"Hello"}']
        assert world.got == [Received("我是服务端，已收到信息")]

    def test_a_mistake_in_connect_is_no_network_failure(self):
        async def connect(url):
            raise TypeError("no such option")

        async def run():
            async with ReconnectingClient("ws://x/", connect=connect) as client:
                events = [event async for event in client]
            assert events[0].ending.text == "TypeError: no such option"

        clock.run_virtual(run())

    def test_is_used_once(self):
        async def scene(client):
            with pytest.raises(RuntimeError, match="started once"):
                await client.start()

        World().play(scene)

    @pytest.mark.parametrize("states", [(), ("online",), (True,), (ClientState.ONLINE, None)])
    def test_waits_for_states_only(self, states):
        async def scene(client):
            with pytest.raises(TypeError, match="name at least one"):
                await client.until(*states)

        World().play(scene)

    def test_a_close_that_is_cancelled_closes_too(self):
        """A task that waits for its events goes on, because the client does not look alive."""
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.is_silent = True
            closing = asyncio.create_task(client.close())
            await asyncio.sleep(0.1)
            closing.cancel()
            assert [event async for event in client] == []
            assert client.status == "closed: by this side"

        world.play(scene)

    def test_closed_before_its_start_it_can_still_begin(self):
        world = World()

        async def run():
            client = world.client()
            await client.close()
            async with client:
                client.send({"n": 1})

        clock.run_virtual(run())
        assert world.applied == [{"n": 1, "id": 1}]

    def test_closed_as_soon_as_it_is_started(self):
        async def run():
            client = await World().client().start()
            await client.close()
            return client.status

        assert clock.run_virtual(run()) == "closed: by this side"

    def test_before_its_start(self):
        async def run():
            client = World().client()
            assert (client.state, client.status) == (ClientState.CLOSED, "closed: not started")
            with pytest.raises(RuntimeError, match="not started"):
                client.send({})
            assert [event async for event in client] == []
            await client.close()

        clock.run_virtual(run())

    def test_secrets_are_random(self):
        made = [ReconnectingClient("ws://x/").settings.client for _ in range(50)]
        assert len(set(made)) == 50
        assert all(16 <= len(secret) <= 64 for secret in made)


class TestWithoutResume:
    def test_what_could_not_be_sent_is_sent_again(self):
        """The second message fails; the third one's success says nothing about it."""
        world = World()
        world.knows_resume, world.breaks_at = False, 1

        async def scene(client):
            for n in (1, 2, 3):
                client.send({"n": n})
            await client.delivered()

        world.play(scene, resume=False)
        assert [json.loads(text) for text in world.seen] == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert len(world.connections) == 2


class TestMessages:
    def test_are_encoded_when_they_are_accepted(self):
        world, fields = World(), {"list": [1]}

        async def scene(client):
            client.send(fields)
            fields["list"].append({2, 3})
            await client.delivered()

        world.play(scene)
        assert world.applied == [{"list": [1], "id": 1}]

    def test_a_sender_that_fails_is_no_quiet_network(self):
        """A mistake in the connection's own code ends the client, and says so."""
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)

            async def send(text):
                raise TypeError("not a message")

            world.connections[-1].send = send
            client.send({})
            await client.until(ClientState.FAILED)

        world.play(scene)
        assert world.got[-1].ending.text == "TypeError: not a message"

    @pytest.mark.parametrize("cut", ["before", "after"])
    def test_a_refusal_that_crosses_a_break(self, cut):
        """Its answer is on the way when the connection ends, or the message is."""
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            connection = world.connections[-1]
            answer = connection.put
            connection.put = lambda message: None  # what the server says is lost
            for n, bad in ((1, False), (2, True), (3, False), (4, True)):
                client.send({"n": n, "bad": bad})
                if (n, cut) == (2, "before"):
                    await asyncio.sleep(0.1)
                    connection.abort()
            await asyncio.sleep(0.1)
            connection.put = answer
            connection.abort()
            await client.until(ClientState.WAITING)
            await client.delivered()
            await asyncio.sleep(0.1)

        world.play(scene)
        assert world.got == [Refused(2, "bad", "not this"), Refused(4, "bad", "not this")]
        assert [message["n"] for message in world.applied] == [1, 3]

    @pytest.mark.parametrize("sizes", [[100], [1, 100, 1], [100, 1, 200, 1, 150]])
    def test_what_is_too_big_is_named_and_blocks_nothing(self, sizes):
        world = World()
        world.limit = 140

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.limit = 90
            for size in sizes:
                client.send({"x": "x" * size})
            await client.until(ClientState.WAITING)
            world.limit = 140
            await client.delivered()
            await asyncio.sleep(0.1)

        world.play(scene)
        big = [key for key, size in enumerate(sizes, 1) if size >= 100]
        lost = [event.key for event in world.got]
        assert set(lost) <= set(big)
        assert {event.error for event in world.got} == {"too_big"}
        assert [len(message["x"]) for message in world.applied] == [
            size for key, size in enumerate(sizes, 1) if key not in lost
        ]

    def test_a_server_that_finds_nothing_too_big(self):
        world = World(closed(1009))

        async def scene(client):
            await client.until(ClientState.FAILED)

        world.play(scene)
        assert world.got[-1].ending.code == 1009

    def test_a_setup_that_is_too_big_costs_no_messages(self):
        world = World()

        async def scene(client):
            client.send({"n": 1})
            await client.until(ClientState.ONLINE)
            await asyncio.sleep(0.1)
            world.connections[-1].stop(closed(1009, 1009))
            await client.until(ClientState.FAILED)
            assert client.outbox.keys == [1]

        world.is_deaf = True
        world.play(scene, setup=lambda resumed: [{"x": "x" * 100}])
        assert [event.ending.code for event in world.got] == [1009]

    @pytest.mark.parametrize("message", [{"id": 1}, [1], "text", None, {"n": {1}}])
    def test_an_impossible_setup_is_told(self, message):
        world = World()

        async def scene(client):
            await client.until(ClientState.FAILED)

        world.play(scene, setup=lambda resumed: [message])
        assert world.got[-1].ending.way == "confused"
        assert len(world.connections) == 1

    def test_what_a_connection_has_to_be_told(self):
        """It goes before what waits, on each connection, and is not numbered."""
        world, resumed = World(), []

        def setup(message):
            resumed.append(message["seen"])
            return [{"name": "Ada"}]

        async def scene(client):
            client.send({"n": 1})
            await client.delivered()
            assert client.status == "online: resumed after message 0"
            world.connections[-1].abort()
            client.send({"n": 2})
            await client.until(ClientState.WAITING)
            await client.delivered()

        world.play(scene, setup=setup)
        said = [json.loads(text) for text in world.seen]
        name = {"name": "Ada"}
        assert [each for each in said if "type" not in each] == [
            name,
            {"n": 1, "id": 1},
            name,
            {"n": 2, "id": 2},
        ]
        assert resumed == [0, 1]


class TestTheEndOfABlock:
    def test_waits_for_what_was_said(self):
        world = World(*[ConnectionRefusedError()] * 3)

        async def run():
            async with world.client() as client:
                client.send({"n": 1})
            return client.state

        assert clock.run_virtual(run()) is ClientState.CLOSED
        assert world.applied == [{"n": 1, "id": 1}]

    def test_even_if_nobody_takes_what_is_heard(self):
        world = World()

        async def run():
            async with world.client() as client:
                client.queue = 1
                await client.until(ClientState.ONLINE)
                for n in range(5):
                    world.publish(p=n)
                client.send({"n": 1})

        clock.run_virtual(run())
        assert world.applied == [{"n": 1, "id": 1}]

    @pytest.mark.parametrize("fails", [ConnectionRefusedError(), refused(403)])
    def test_names_what_was_not_delivered(self, fails):
        world = World(*[fails] * 20)

        async def run():
            async with world.client() as client:
                client.send({"n": 1})
                client.send({"n": 2})

        with pytest.raises(NotDelivered, match="2 messages are not delivered") as caught:
            clock.run_virtual(run())
        assert caught.value.keys == [1, 2]

    def test_an_error_in_the_block_is_not_held_up(self):
        world = World(*[ConnectionRefusedError()] * 20)

        async def run():
            loop = asyncio.get_running_loop()
            try:
                async with world.client() as client:
                    client.send({"n": 1})
                    raise ZeroDivisionError
            except ZeroDivisionError:
                return loop.time()

        assert clock.run_virtual(run()) == 0

    def test_close_is_close(self):
        async def run():
            async with World(*[ConnectionRefusedError()] * 20).client() as client:
                client.send({"n": 1})
                await client.close()
            return client.outbox.keys

        assert clock.run_virtual(run()) == [1]


class TestAPersonsWill:
    def test_retries_now(self):
        world = World(ConnectionRefusedError(), refused(503, Retry_After="3000"))

        async def scene(client):
            client.retry_now()  # it does not wait: nothing to hurry
            for _ in range(2):
                await asyncio.sleep(0.25)
                assert client.state is ClientState.WAITING
                client.retry_now()
            await client.until(ClientState.ONLINE)

        world.play(scene)
        assert world.attempts == [0, 0.25, 0.5]

    @pytest.mark.parametrize("final", [refused(401), closed(4001, 4001)])
    def test_renews_a_token(self, final):
        world, seen = World(final), []

        async def renew(ending):
            seen.append(ending.code)
            await asyncio.sleep(5)  # asks somebody
            return "ws://x/?token=new"

        async def scene(client):
            await asyncio.sleep(2)
            assert client.state is ClientState.WAITING
            await client.until(ClientState.ONLINE)
            assert client.url == "ws://x/?token=new"

        world.play(scene, renew=renew)
        assert (len(seen), world.attempts) == (1, [0, 6])
        assert seen[0] in (401, 4001)

    def test_renews_nothing_for_ever(self):
        """A token that is refused again and again costs no more attempts than a quiet network."""
        world = World(*[refused(401)] * 4)

        async def renew(ending):
            return "ws://x/" if len(world.attempts) < 4 else None

        async def scene(client):
            await client.until(ClientState.FAILED)

        world.play(scene, renew=renew)
        assert world.attempts == [0, 1, 3, 7]
        assert world.got[-1].ending.code == 401

    def test_a_mistake_in_renew_is_told(self):
        async def renew(ending):
            raise KeyError("token")

        async def scene(client):
            await client.until(ClientState.FAILED)
            assert client.status == "failed: KeyError: 'token'"

        World(refused(401)).play(scene, renew=renew)


class TestSignsOfLife:
    def test_arriving_bytes_are_one(self):
        """A message that takes longer than the limit to arrive."""
        world = World()

        async def scene(client):
            await client.until(ClientState.ONLINE)
            world.is_silent = True  # nothing else gets through
            for _ in range(200):
                await asyncio.sleep(0.9)
                world.connections[-1].protocol.data_received(b"a part")
            world.is_silent = False
            world.publish(text="all of it")
            await asyncio.sleep(0.1)

        world.play(scene, heartbeat=Heartbeat(0.5, timeout=0.5))
        assert (len(world.connections), len(world.got)) == (1, 1)

    def test_a_peer_that_ignores_pings_costs_one_task(self):
        world = World()
        world.answers_pings = False

        async def scene(client):
            await client.until(ClientState.ONLINE)
            before = len(asyncio.all_tasks())
            for _ in range(20 * 3600 // 25):
                await asyncio.sleep(25)
                world.publish(p=1)
            assert len(asyncio.all_tasks()) <= before + 1

        world.play(scene, heartbeat=Heartbeat(20, timeout=10))
        assert (world.pings, len(world.connections)) == (1, 1)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("ws://127.0.0.1:1/", None),
        ("ws://localhost:1/", None),
        ("ws://[::1]:1/", None),
        ("ws://example.org/", True),
        ("ws://93.184.215.14/", True),
    ],
)
def test_no_proxy_to_reach_this_machine(url, proxy):
    assert library_connect(url).proxy is proxy
