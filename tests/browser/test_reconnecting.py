"""reconnecting.js in Chromium, under every fault: nothing is lost, nothing doubled.

The browser's column of the fault matrix; tests/kit/test_fault_matrix.py has the others. Bounds of
time are asserted where time is virtual; the ceilings of the real runs are generous.
"""

from __future__ import annotations

import asyncio
import http
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from wslab import lab
from wslab.apps.reconnect.feed import Feed
from wslab.kit.keepalive import Heartbeat
from wslab.kit.resume import Log
from wslab.kit.retry import CLOSE_CODES, of_status

from ..scenes import scenes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "wslab" / "kit" / "js"
CEILING = 60.0  # seconds: a busy machine is slow, a hanging client is for ever

# Chromium itself slows down a page that has failed to connect again and again, by seconds: these
# are not as short as they could be, so that a test needs few attempts.
OPTIONS = {
    "backoff": {"first": 100, "factor": 2, "limit": 400, "quick": 1},
    # No stall of a busy machine may look like a connection's end.
    "heartbeat": {"interval": 300, "timeout": 15_000},
    "openTimeout": 8000,
    "stableAfter": 0,
}
PATIENT = {"interval": 60_000, "timeout": 60_000}
BRISK = {"interval": 300, "timeout": 300}  # where only the beats tell of the end


def load(page: Page, origin: str) -> None:
    """Load the bench's page from a server that has it."""
    page.goto(f"{origin}reconnecting.html")
    page.wait_for_function("!!window.start")


def give_page(connection, request):
    """Answer with the bench's page and the modules; leave everything else to WebSocket."""
    name = request.path.rpartition("/")[2]
    if not name.endswith((".html", ".js")):
        return None
    folder = Path(__file__).parent if name.endswith(".html") else MODULES
    response = connection.respond(http.HTTPStatus.OK, (folder / name).read_text())
    del response.headers["Content-Type"]
    kind = "html" if name.endswith(".html") else "javascript"
    response.headers["Content-Type"] = f"text/{kind}; charset=utf-8"
    return response


def until(page: Page, condition: Callable[[], object], what: Callable[[], object]) -> None:
    """Wait for a condition of this side, while the page goes on."""
    deadline = time.monotonic() + CEILING
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not reached within {CEILING:g} s: {what()}")
        page.wait_for_timeout(20)


class Bench:
    """A numbered server, a cable to it, a page's client, and a count of what both have said."""

    def __init__(self, page: Page, *, log: Log | None = None, url: str = "", **options) -> None:
        self.page = page
        self.watch = Heartbeat(15, timeout=15)
        self.feed = Feed(log, heartbeat=self.watch)
        self.server = self.serve()
        self.port = self.server.port
        self.cable = lab.cable(self.server, name="feed cable")
        self.url = url or self.cable.url
        self.applied: list[str] = []
        self.said = self.published = 0
        load(page, self.url.replace("ws", "http"))
        page.evaluate("([url, options]) => start(url, options)", [self.url, {**OPTIONS, **options}])
        self.until_state("online")
        self.say(3)
        self.publish(3)
        self.settle()

    # What either side says

    def say(self, count: int = 1) -> None:
        texts = [str(self.said + n + 1) for n in range(count)]
        self.page.evaluate(
            "texts => texts.forEach(text => client.send({ type: 'note', text }))", texts
        )
        self.said += count

    def publish(self, count: int = 1) -> None:
        for _ in range(count):
            self.published += 1
            if self.server.is_running:
                self.feed.publish({"n": self.published})
            else:
                self.feed.log.publish({"n": self.published})

    # What happens to the server

    def stop(self) -> None:
        self.server.stop_now()
        self.applied += self.feed.notes

    def start(self, log: Log | None, **options) -> None:
        self.feed = Feed(log, heartbeat=self.watch)
        self.server = self.serve(port=self.port, **options)

    def serve(self, **options):
        defaults = {"process_request": give_page, "ping_interval": None}
        return lab.serve(self.feed, name="feed", **{**defaults, **options})

    def close_all(self, code: int) -> None:
        async def close() -> None:
            for connection in self.server.connections:
                await connection.close(code)

        self.server.thread.call(close)

    # What the page knows

    def get(self, expression: str) -> object:
        return self.page.evaluate(expression)

    def until_state(self, state: str) -> str:
        self.page.wait_for_function("s => client.state === s", arg=state, timeout=CEILING * 1000)
        return str(self.get("client.text"))

    def until(self, expression: str) -> None:
        self.page.wait_for_function(expression, timeout=CEILING * 1000)

    def times(self, state: str) -> int:
        return int(str(self.get(f"states.filter(([s]) => s === '{state}').length")))

    def until_again(self, before: int) -> None:
        until(self.page, lambda: self.times("online") > before, lambda: self.get("states"))

    def stays_as_it_is(self) -> None:
        """Check that the client does nothing for longer than it waits between two attempts."""
        states = self.get("states")
        self.page.wait_for_timeout(1.5 * OPTIONS["backoff"]["limit"])
        assert self.get("states") == states

    def settle(self) -> None:
        """Wait until everything that either side has said has arrived."""

        def done() -> bool:
            held, last = self.get("[client.outbox.held.length, got.at(-1)]")
            return held == 0 and last == self.published

        until(self.page, done, lambda: self.get("[states.slice(-5), got, client.outbox.held]"))

    def check(self) -> None:
        assert self.get("got") == list(range(1, self.published + 1))
        assert self.applied + self.feed.notes == [str(n) for n in range(1, self.said + 1)]
        assert self.get("acked") == self.said
        assert self.get("missed") == []
        assert self.server.errors == []


@pytest.fixture
def bench(page) -> Bench:
    return Bench(page)


class TestConnectionsThatEnd:
    @pytest.mark.parametrize("side", ["client", "server", "both"])
    @pytest.mark.parametrize("fault", ["cut", "reset"])
    def test_cut_or_reset(self, page, fault, side):
        """If only the server's side ends, nobody tells the page."""
        bench = Bench(page, heartbeat=BRISK)
        before = bench.times("online")
        getattr(bench.cable, fault)(side)
        bench.say(3)
        bench.publish(3)
        bench.until_again(before)
        bench.settle()
        bench.check()

    @pytest.mark.parametrize("side", ["client", "server", "both"])
    def test_frozen(self, page, side):
        """Half-open: nobody closes anything, and only the beats tell."""
        bench = Bench(page, heartbeat=BRISK)
        before = bench.times("online")
        bench.cable.freeze(side)
        bench.say(3)
        bench.publish(3)
        bench.until("client.state !== 'online'")
        assert ["waiting", "no sign of life"] in bench.get("states")
        bench.cable.thaw()
        bench.until_again(before)
        bench.settle()
        bench.check()

    @pytest.mark.parametrize("size", [0, 1, 5, 30])
    @pytest.mark.parametrize("side", ["client", "server"])
    def test_half_a_frame_then_silence(self, page, side, size):
        bench = Bench(page, heartbeat=BRISK)
        before = bench.times("online")
        bench.cable.drop_after(size, side)
        bench.say(3)
        bench.publish(3)
        bench.until("client.state !== 'online'")
        bench.cable.mend()
        bench.until_again(before)
        bench.settle()
        bench.check()


class TestConnectionsThatLast:
    @pytest.mark.parametrize("side", ["client", "server", "both"])
    def test_slow_but_alive(self, page, side):
        bench = Bench(page)
        before = bench.times("online")
        bench.cable.delay(0.05, side)
        for _ in range(5):
            bench.say(2)
            bench.publish(2)
            bench.settle()
        assert bench.times("online") == before
        bench.check()

    def test_throttled_and_in_pieces(self, page):
        bench = Bench(page)
        before = bench.times("online")
        bench.cable.throttle(5000)
        bench.cable.split(3, gap=0.0005)
        bench.say(20)
        bench.publish(20)
        bench.settle()
        assert bench.times("online") == before
        bench.check()

    def test_slower_than_tolerated_is_dead(self, page):
        """It cannot be told from death: noticed, and nothing is lost."""
        bench = Bench(page, heartbeat=BRISK)
        before = bench.times("online")
        bench.cable.delay(1.5)
        bench.say(3)
        bench.until("client.state !== 'online'")
        bench.cable.mend()
        bench.publish(3)
        bench.until_again(before)
        bench.settle()
        bench.check()


class TestServers:
    def test_refused_for_a_while(self, page):
        bench = Bench(page)
        bench.page.evaluate("url => client.url = url", bench.server.url)  # without the cable
        bench.stop()
        bench.say(3)
        bench.until("client.attempt > 2")
        assert bench.get("states.filter(([s]) => s === 'waiting').at(-1)[1]") == "no connection"
        bench.start(bench.feed.log)
        bench.publish(3)
        bench.settle()
        bench.check()

    def test_a_restart_with_the_log(self, bench):
        for _ in range(3):
            bench.say(2)
            bench.publish(2)
            bench.stop()
            bench.publish(2)  # while nobody is there
            bench.say(2)
            bench.start(Log.load(bench.feed.log.dump()))
            bench.settle()
        bench.check()

    def test_a_restart_without_its_log(self, bench):
        epoch = bench.get("client.inbox.epoch")
        bench.stop()
        bench.start(None)
        bench.say(3)
        bench.publish(3)
        bench.settle()
        assert bench.get("missed") == [["epoch", 0]]
        assert bench.get("client.inbox.epoch") != epoch
        assert bench.get("got") == [1, 2, 3, 4, 5, 6]
        assert bench.applied + bench.feed.notes == [str(n) for n in range(1, 7)]

    def test_what_was_on_the_way_to_a_server_that_forgot_it(self, bench):
        """It is sent again, and said to be doubtful."""
        bench.cable.freeze("client")
        bench.say(2)
        bench.until("client.outbox.tried === 2")
        bench.stop()
        bench.start(None)
        bench.cable.cut()
        bench.cable.thaw()
        bench.publish(1)
        bench.settle()
        assert bench.get("missed") == [["epoch", 2]]
        assert bench.feed.notes == ["4", "5"]

    def test_a_log_that_is_too_short(self, page):
        bench = Bench(page, log=Log(4))
        bench.stop()
        bench.publish(10)
        bench.start(bench.feed.log)
        bench.settle()
        assert bench.get("missed") == [[6, 0]]
        assert bench.get("got") == [1, 2, 3, 10, 11, 12, 13]

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_replaced_by_one_that_refuses_for_good(self, bench, status):
        assert not of_status(status).retry

        def refuse(connection, request):
            return connection.respond(http.HTTPStatus(status), "no\n")

        bench.stop()
        bench.start(bench.feed.log, process_request=refuse)
        assert f"refused with {status}" in bench.until_state("failed")
        bench.stays_as_it_is()
        bench.stop()
        bench.start(bench.feed.log)
        bench.page.evaluate("client.connect()")  # a person may try again
        bench.say(1)
        bench.publish(1)
        bench.settle()
        bench.check()

    @pytest.mark.parametrize("status", [429, 503])
    def test_busy_for_a_while(self, bench, status):
        refusals = 0

        def refuse(connection, request):
            nonlocal refusals
            refusals += 1
            return connection.respond(http.HTTPStatus(status), "later\n") if refusals < 5 else None

        bench.stop()
        bench.start(bench.feed.log, process_request=refuse)
        bench.say(1)
        bench.publish(1)
        bench.settle()
        bench.check()

    @pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4002, 4999])
    def test_closed_by_the_server(self, bench, code):
        before = bench.times("online")
        bench.close_all(code)
        bench.say(2)
        bench.until_again(before)
        bench.publish(2)
        bench.settle()
        assert any(str(code) in text for _, text in bench.get("states"))
        bench.check()

    @pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 3000, 3003, 4001])
    def test_closed_for_good(self, bench, code):
        bench.close_all(code)
        assert str(code) in bench.until_state("failed")

    def test_one_that_accepts_and_never_answers(self, bench):
        async def silent(reader, writer):
            await asyncio.Event().wait()

        bench.stop()
        server = lab.serve_tcp(silent, name="silent", port=bench.port)
        bench.page.evaluate("client.openTimeout = 300")
        bench.until("states.some(([state, text]) => state === 'waiting' && text === 'no answer')")
        server.stop_now()

    def test_the_same_client_on_another_connection(self, bench, page):
        """The newer one takes over, the older one does not fight for its place."""
        other = page.context.new_page()
        load(other, bench.url.replace("ws", "http"))
        secret = bench.get("client.client")
        arguments = [bench.url, {**OPTIONS, "client": secret}]
        other.evaluate("([url, options]) => start(url, options)", arguments)
        assert "4001" in bench.until_state("failed")
        other.wait_for_function("client.state === 'online'")

    @pytest.mark.parametrize("text", ["no json", "null", '{"seq": 99}', '{"type": "ack", "id": 7}'])
    def test_one_that_says_what_cannot_be(self, bench, text):
        before = bench.times("online")

        async def send() -> None:
            for connection in list(bench.server.connections):
                await connection.send(text)

        bench.server.thread.call(send)
        bench.until_again(before)
        bench.say(2)
        bench.publish(2)
        bench.settle()
        bench.check()

    def test_one_that_says_the_same_twice(self, bench):
        async def send() -> None:
            for connection in list(bench.server.connections):
                await connection.send('{"n": 2, "seq": 2}')

        bench.server.thread.call(send)
        bench.publish(1)
        bench.settle()
        bench.check()

    def test_what_it_refuses_is_told_and_not_sent_again(self, bench):
        bench.page.evaluate("client.send({ type: 'nonsense' })")
        bench.until("refused.length")
        assert bench.get("[refused, client.outbox.held.length]") == [[[4, "bad message"]], 0]

    def test_refusals_that_cross_a_break(self, bench):
        """Every key ends as one of: acknowledged, or refused with the reason."""
        keys = []
        for number in range(20):
            if number % 3:
                bench.say()
            else:
                keys.append(bench.get("client.send({ type: 'nonsense' })"))
            if number % 5 == 4:
                getattr(bench.cable, ("cut", "reset")[number % 2])()
        bench.publish()
        bench.settle()
        bench.check()
        assert bench.get("refused") == [[key, "bad message"] for key in keys]

    def test_what_is_too_big_is_named_and_blocks_nothing(self, bench):
        bench.stop()
        bench.start(bench.feed.log, max_size=10_000)
        bench.say(2)
        key = bench.get("client.send({ type: 'note', text: 'x'.repeat(20_000) })")
        bench.say(2)
        bench.publish()
        bench.settle()
        bench.check()
        assert bench.get("refused") == [[key, "too_big"]]

    @pytest.mark.parametrize("url", ["client.url", "null"])
    def test_a_hook_to_renew_a_token(self, bench, url):
        renew = f"async (code) => {{ asked.push(code); return {url}; }}"
        bench.page.evaluate(f"() => {{ window.asked = []; client.renew = {renew}; }}")
        bench.close_all(4001)
        bench.until("asked.length")
        assert bench.get("asked") == [4001]
        if url == "null":
            assert "4001" in bench.until_state("failed")
        else:
            bench.say(1)
            bench.publish(1)
            bench.settle()
            bench.check()

    def test_what_a_connection_has_to_be_told_comes_first(self, bench):
        setup = "({ seen }) => [{ type: 'note', text: `seen ${seen}` }]"
        bench.page.evaluate(f"() => {{ client.setup = {setup}; }}")
        bench.cable.cut()
        bench.say(2)
        bench.publish(1)
        bench.settle()
        assert bench.feed.notes == ["1", "2", "3", "seen 3", "4", "5"]


def idle_proxy(port: int, seconds: float):
    """Make the handler of a proxy that ends a connection over which nothing passed for a while."""

    async def relay(reader, writer):
        there, sink = await asyncio.open_connection("127.0.0.1", port)
        last = time.monotonic()

        async def pump(source, target):
            nonlocal last
            while data := await source.read(1 << 16):
                last = time.monotonic()
                target.write(data)

        tasks = {asyncio.create_task(pump(reader, sink)), asyncio.create_task(pump(there, writer))}
        left = seconds
        while left > 0 and len(tasks) == 2:
            _, tasks = await asyncio.wait(tasks, timeout=left, return_when="FIRST_COMPLETED")
            left = last + seconds - time.monotonic()
        sink.close()
        for task in tasks:
            task.cancel()

    return relay


@pytest.mark.parametrize("beats", [True, False])
def test_a_proxy_s_idle_time_out(page, beats):
    """Beats more often than that keep the connection; without them it ends, and comes back."""
    place = lab.serve(lab.echo, name="feed")  # Bench takes its place, on the same port
    proxy = lab.serve_tcp(idle_proxy(place.port, 3), name="proxy")
    options = {} if beats else {"heartbeat": PATIENT}
    bench = Bench(page, url=f"ws://127.0.0.1:{proxy.port}/", **options)
    before = bench.times("online")
    if beats:
        page.wait_for_timeout(4500)  # longer than the proxy waits
        assert bench.times("online") == before
    else:
        bench.until_again(before)
    bench.say(2)
    bench.publish(2)
    bench.settle()
    bench.check()


class TestThePage:
    """What only a browser has."""

    def test_the_final_codes_are_those_of_the_python_client(self, page, bench):
        codes = page.evaluate("import('./policies.js').then(m => Object.keys(m.FINAL_CODES))")
        assert set(map(int, codes)) == {c for c, (retry, _) in CLOSE_CODES.items() if not retry}

    def test_online_means_at_once(self, bench):
        """The browser's word that the network is back ends the waiting."""
        bench.page.evaluate("client.backoff = { first: 1e6, factor: 1, limit: 1e6, quick: 1 }")
        bench.page.evaluate("client.random = () => 0.9")
        bench.cable.cut()
        bench.until_state("waiting")
        bench.say(1)
        bench.page.context.set_offline(True)
        bench.page.context.set_offline(False)
        bench.until_state("online")
        bench.publish(1)
        bench.settle()
        bench.check()

    @pytest.mark.parametrize("event", ["online", "offline", "visibilitychange"])
    def test_at_these_events_it_asks_at_once(self, page, event):
        """A frozen connection is found without waiting for the next beat."""
        patient = {"interval": 1e7, "timeout": 300}
        bench = Bench(page, heartbeat=patient)
        before = bench.times("online")
        bench.cable.freeze()
        target = "document" if event == "visibilitychange" else "window"
        page.evaluate(f"{target}.dispatchEvent(new Event({event!r}))")
        bench.until("client.state !== 'online'")
        bench.cable.thaw()
        bench.until_again(before)
        bench.say(1)
        bench.publish(1)
        bench.settle()
        bench.check()

    def test_a_tab_that_is_put_to_sleep(self, page):
        """Chromium freezes hidden tabs: no timer runs. Waking up is not the server's death."""
        bench = Bench(page, heartbeat={"interval": 300, "timeout": 3000})
        before = bench.times("online")
        devtools = bench.page.context.new_cdp_session(bench.page)
        devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        bench.publish(5)
        time.sleep(4)  # the sleep itself is what is tested: more than the heartbeat tolerates
        devtools.send("Page.setWebLifecycleState", {"state": "active"})
        bench.say(1)
        bench.settle()
        assert bench.times("online") == before
        bench.check()

    def test_a_close_that_hangs_is_not_waited_for(self, page):
        """The old socket is still CLOSING when the new one works; what it says later is ignored."""
        bench = Bench(page, heartbeat={"interval": 300, "timeout": 3000})
        before = bench.times("online")
        bench.page.evaluate("window.old = client.socket")
        bench.cable.freeze()
        bench.until("client.state !== 'online'")
        assert bench.get("old.readyState") == 2
        other = lab.cable(bench.server, name="another way")
        bench.page.evaluate("url => client.url = url", other.url)
        bench.until_again(before)
        assert bench.get("old.readyState") == 2
        bench.say(1)
        bench.publish(1)
        bench.settle()
        bench.cable.thaw()
        bench.until("old.readyState === 3")
        assert bench.get("client.state") == "online"
        bench.say(1)
        bench.publish(1)
        bench.settle()
        bench.check()

    def test_what_is_said_to_the_dead_is_noticed_without_a_beat(self, page):
        bench = Bench(page, heartbeat={"interval": 1e7, "timeout": 500})
        before = bench.times("online")
        bench.cable.freeze()
        bench.say(1)
        bench.until("client.state !== 'online'")
        bench.cable.thaw()
        bench.until_again(before)
        bench.publish(1)
        bench.settle()
        bench.check()

    def test_no_attempt_after_close(self, bench):
        bench.page.evaluate("client.close()")
        assert bench.get("[client.state, client.text]") == ["closed", "by this page"]
        until(bench.page, lambda: not bench.server.connections, lambda: bench.server.events)
        bench.page.evaluate("dispatchEvent(new Event('online'))")
        bench.stays_as_it_is()

    def test_what_is_no_url(self, page, bench):
        page.evaluate("start('nonsense://', {})")
        bench.until_state("failed")

    def test_an_outbox_has_an_end(self, bench):
        bench.cable.freeze()
        error = bench.page.evaluate(
            """() => {
                client.outbox.limit = 3;
                for (let n = 0; ; n++)
                    try { client.send({ type: 'note', text: String(n + 4) }); }
                    catch (error) { return [n, error.message]; }
            }"""
        )
        assert error == [3, "3 messages wait to be sent: try later"]
        bench.said += 3
        bench.cable.thaw()
        bench.publish(1)
        bench.settle()
        bench.check()

    def test_a_page_that_is_loaded_again_goes_on_with_its_outbox(self, bench, page):
        bench.cable.freeze("client")
        bench.say(2)
        bench.until("client.outbox.tried === 2")
        saved = bench.get("({ client: client.client, saved: client.outbox.save() })")
        bench.cable.cut()
        bench.cable.mend()
        page.reload()
        page.wait_for_function("!!window.start")
        page.evaluate("([url, options]) => start(url, options)", [bench.url, {**OPTIONS, **saved}])
        bench.publish(1)
        bench.settle()
        assert bench.applied + bench.feed.notes == ["1", "2", "3", "4", "5"]
        assert bench.get("missed") == []


class TestInVirtualTime:
    """The policies, on a clock that the test turns."""

    @pytest.fixture
    def modules(self, page):
        server = lab.serve(lab.echo, name="modules", process_request=give_page)
        load(page, server.url.replace("ws", "http"))
        return page

    @pytest.mark.parametrize("period", [1, 1000, 60_000])
    def test_a_watchdog_that_is_late_asks_before_it_gives_up(self, modules, period):
        """Timers of a hidden tab come once a second, later once a minute: no false alarm."""
        verdicts = modules.evaluate(
            """async (period) => {
                const { Watchdog } = await import('./policies.js');
                let now = 0, answer = null;
                const dog = new Watchdog({ interval: 20_000, timeout: 10_000 }, () => now);
                const counts = { beat: 0, dead: 0 };
                for (let hours = 0; now < 10 * 3600_000; now += period) {
                    const verdict = dog.look(); // what has come meanwhile is read after that
                    if (verdict) counts[verdict]++;
                    if (answer !== null && now >= answer) { dog.sign(); answer = null; }
                    if (verdict === 'beat') answer = now + 9_000;
                }
                return counts;
            }""",
            period,
        )
        assert verdicts["dead"] == 0
        assert verdicts["beat"] >= 10 * 3600 / 60 / 2

    @pytest.mark.parametrize("died", [0, 5_000, 19_999, 20_001, 29_999])
    def test_death_is_noticed_within_its_bounds(self, modules, died):
        """timeout ≤ t ≤ interval + timeout, from the last sign of life on."""
        noticed = modules.evaluate(
            """async (died) => {
                const { Watchdog } = await import('./policies.js');
                let now = 0;
                const dog = new Watchdog({ interval: 20_000, timeout: 10_000 }, () => now);
                for (;; now++) {
                    const verdict = dog.look();
                    if (verdict === 'dead') return now;
                    if (verdict === 'beat' && now < died) dog.sign();
                }
            }""",
            died,
        )
        assert 10_000 <= noticed - died <= 30_000


def play(bench: Bench, rng: random.Random) -> None:
    pauses = [0, 0, 0.001, 0.01, 0.03, 0.2]
    for wait in scenes(bench, rng, count=rng.randint(2, 6), patience=0.3, pauses=pauses):
        match wait:
            case "stop":
                bench.stop()
            case "offline":
                bench.until("client.state !== 'online'")
            case seconds:
                bench.page.wait_for_timeout(1000 * seconds)


@pytest.mark.parametrize("twenty", range(10))
def test_random_schedules(page, twenty):
    """200 of them, one after the other on the same clients; the seed is in what fails."""
    bench = Bench(page, heartbeat=BRISK)
    for seed in range(20 * twenty, 20 * twenty + 20):
        try:
            play(bench, random.Random(seed))
            bench.settle()
            bench.check()
        except BaseException as error:
            error.add_note(f"seed {seed}: {bench.get('states.slice(-8)')}")
            raise
