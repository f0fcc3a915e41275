"""What a transport costs: the counters against what must come out, and the multiplication."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from wslab import lab
from wslab.apps.transports import comparison
from wslab.apps.transports.browser_headers import browser_headers, recorded
from wslab.apps.transports.comparison import (
    LEAST_TO_CLIENT,
    LEAST_TO_SERVER,
    TRANSPORTS,
    Load,
    measure,
    moments,
)
from wslab.apps.transports.polling import NewsEvent
from wslab.lab.registry import registry

EVENTS = 8
PERIOD = 0.02
PAYLOAD = 33


def measured(transport, **options):
    return measure(transport, **{"events": EVENTS, "period": PERIOD, **options})


def sse_bytes(number):
    """An event on a stream: its fields, and the chunk that they come in."""
    fields = len(f"id: {number}\ndata: \n\n") + PAYLOAD
    return fields + len(f"{fields:x}\r\n\r\n")


class TestBytes:
    async def test_websocket_adds_the_least_there_is(self):
        found = await measured("WebSocket")
        assert (found.to_server, found.to_client) == (0, EVENTS * (PAYLOAD + LEAST_TO_CLIENT))
        assert (found.requests, found.empty) == (0, 0)
        assert found.bytes_per_event == 35
        assert found.setup > 300

    async def test_sse_adds_its_fields_and_a_chunk(self):
        found = await measured("SSE", events=10)
        assert found.to_client == sum(sse_bytes(number) for number in range(1, 11))
        assert (found.to_server, found.requests, found.empty) == (0, 0, 0)
        assert sse_bytes(1) == 53

    @pytest.mark.parametrize("transport", ["polling", "long polling"])
    async def test_every_poll_has_two_headers(self, transport):
        found = await measured(transport, period=0.05)
        assert found.setup == 0
        # On a busy machine several events may come in one answer.
        assert 1 <= found.requests - found.empty <= EVENTS
        assert found.to_server == found.requests * len(
            f"GET /{'poll' if transport == 'polling' else 'wait'}?after=0 HTTP/1.1\r\n"
            "Host: 127.0.0.1:12345\r\n\r\n"
        )
        assert found.to_client > found.requests * 150 + EVENTS * PAYLOAD

    async def test_the_oftener_the_emptier(self):
        found = await measured("polling", interval=0.2, period=0.1)
        # There would be five polls for an event, but a busy machine leaves some out.
        assert 1 <= found.requests - found.empty <= EVENTS < found.empty
        assert found.requests_per_event == found.requests / EVENTS
        assert found.bytes_per_event == (found.to_server + found.to_client) / EVENTS

    async def test_larger_events(self):
        found = await measured("WebSocket", payload=1000)
        assert found.to_client == EVENTS * (1000 + 4)

    @pytest.mark.parametrize("transport", TRANSPORTS)
    async def test_a_browser_says_more_before_and_per_request(self, transport):
        bare, browser = [await measured(transport, headers=h) for h in ("bare", "browser")]
        kind = TRANSPORTS[transport]
        if bare.setup:
            assert browser.setup > bare.setup + 200
            assert browser.to_client == bare.to_client
            assert browser.to_server == 0
        else:
            more = sum(
                len(f"{name}: {value}\r\n")
                for name, value in browser_headers(kind, "127.0.0.1:12345").items()
            )
            assert browser.to_server / browser.requests == bare.to_server / bare.requests + more


def test_the_least_comes_from_the_protocol():
    assert (LEAST_TO_CLIENT, LEAST_TO_SERVER) == (2, 6)  # RFC 6455 §5.2


class TestTime:
    @pytest.mark.parametrize("transport", TRANSPORTS)
    async def test_all_arrive_in_order_once(self, transport):
        found = await measured(transport, events=EVENTS)
        assert [one.number for one in found.deliveries] == list(range(1, EVENTS + 1))
        assert all(one.published <= one.arrived for one in found.deliveries)
        assert len(found.delays) == EVENTS
        assert min(found.delays) <= found.delay <= max(found.delays)
        assert found.cpu > 0
        assert found.cpu_per_event == found.cpu / EVENTS

    async def test_polling_is_half_an_interval_late_and_pushing_is_not(self):
        polling = await measured("polling", period=0.1)
        pushing = await measured("WebSocket", period=0.1)
        assert polling.delay > 0.35
        assert min(pushing.delays) < polling.delay / 2  # a busy machine delays some, not all

    async def test_clients_count_each(self):
        found = await measured("WebSocket", clients=3)
        assert len(found.deliveries) == 3 * EVENTS
        assert found.bytes_per_event == 35

    async def test_events_that_do_not_arrive(self, monkeypatch):
        monkeypatch.setattr(comparison, "PATIENCE", 0.1)
        monkeypatch.setattr(comparison.NewsFeed, "publish", lambda feed, text: None)
        with pytest.raises(TimeoutError, match=r"8 events did not arrive within 0\.3 s"):
            await measured("WebSocket")
        assert not any(listener.is_running for listener in registry().values())

    async def test_it_leaves_nothing_behind_when_cancelled(self):
        task = asyncio.create_task(measured("SSE", period=60))
        await asyncio.sleep(0)  # it has laid its cable
        cable = registry()["measured cable"]
        await cable.settle(lambda: cable.transcript.server.http)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(30):  # it does not sit the minute out
                await task
        assert not any(listener.is_running for listener in registry().values())

    @pytest.mark.parametrize("interval", [2, 1, 0.5, 0.25, 0.2, 0.1])
    def test_moments_meet_a_poll_at_every_point_of_its_interval(self, interval):
        times = list(moments(16))
        assert times == sorted(times)
        assert [int(at) for at in times] == list(range(16))
        waits = [-at % interval for at in times]
        assert sum(waits) / 16 == pytest.approx(interval / 2)
        assert min(waits) > interval / 50


class TestArguments:
    @pytest.mark.parametrize(
        ("transport", "options", "message"),
        [
            ("smoke", {}, "transport is 'smoke', known are polling, long polling, SSE, WebSocket"),
            ("SSE", {"headers": "all"}, 'headers is \'all\', it must be "bare" or "browser"'),
            ("SSE", {"events": 0}, "events is 0, it must be positive"),
            ("SSE", {"period": 0}, "period is 0, it must be positive"),
            ("polling", {"interval": 0}, "interval is 0, it must be positive"),
            ("polling", {"interval": -1}, "interval is -1, it must be positive"),
            ("polling", {"interval": float("nan")}, "interval is nan, it must be positive"),
            ("SSE", {"clients": 0}, "clients is 0, it must be positive"),
            ("SSE", {"payload": 22}, "payload is 22 bytes, 16 events need at least 23"),
            ("SSE", {"events": 5, "payload": 21}, "payload is 21 bytes, 5 events need at least 22"),
        ],
    )
    async def test_what_cannot_be(self, transport, options, message):
        with pytest.raises(ValueError, match=message):
            await measure(transport, **options)
        assert registry() == {}

    async def test_the_smallest_payload(self):
        assert len(NewsEvent(8, "", 0.0).json) == 22
        assert (await measured("WebSocket", payload=22)).bytes_per_event == 24


def test_a_result_prints_what_does_not_vary():
    found = comparison.TransportCost(
        transport="SSE",
        events=1,
        clients=1,
        period=0.1,
        setup=225,
        to_server=0,
        to_client=53,
        requests=0,
        empty=0,
        cpu=0.001,
        deliveries=(comparison.Delivery(1, 10.0, 10.05),),
    )
    assert found.delays == (pytest.approx(0.5),)
    assert "cpu" not in repr(found)
    assert "deliver" not in repr(found)
    assert dataclasses.replace(found, events=2) != found


class TestLoad:
    @pytest.mark.parametrize("transport", ["SSE", "WebSocket"])
    async def test_against_twenty_clients(self, transport):
        """One client measured, multiplied, is what twenty of them take."""
        one, twenty = [await measured(transport, clients=clients) for clients in (1, 20)]
        load = one.load(events_per_second=1 / PERIOD, clients=20)
        seconds = EVENTS * PERIOD
        assert load.bytes_per_second * seconds == pytest.approx(twenty.to_client)
        assert load.requests_per_second == twenty.requests == 0

    async def test_against_twenty_clients_that_poll(self):
        one, twenty = [await measured("polling", period=0.4, clients=n) for n in (1, 20)]
        load = one.load(events_per_second=2.5, clients=20)
        took = EVENTS * 0.4  # slow, so that a busy machine keeps up
        assert load.requests_per_second * took == pytest.approx(twenty.requests, rel=0.25)
        total = twenty.to_server + twenty.to_client
        assert load.bytes_per_second * took == pytest.approx(total, rel=0.25)

    async def test_for_a_thousand_clients(self):
        one = await measured("WebSocket", events=2)
        load = one.load(events_per_second=10, clients=1000)
        assert load == Load(350_000, 0)
        assert load.megabits_per_second == 2.8


class TestBrowserHeaders:
    def test_have_a_provenance(self):
        assert recorded()["provenance"].keys() == {"browser", "date", "how"}
        assert recorded()["requests"].keys() == set(TRANSPORTS.values())

    @pytest.mark.parametrize("kind", ["fetch", "EventSource", "WebSocket"])
    def test_leave_out_what_any_client_sends(self, kind):
        found = browser_headers(kind, "127.0.0.1:9999")
        names = {name.lower() for name in found}
        assert not names & {"host", "upgrade", "sec-websocket-key", "sec-websocket-version"}
        assert {"user-agent", "accept-language", "accept-encoding"} <= names
        assert "{" not in "".join(found.values())
        assert "http://127.0.0.1:9999" in "".join(found.values())
        assert "Headless" not in "".join(found.values())

    @pytest.mark.parametrize("transport", TRANSPORTS)
    async def test_go_over_the_wire_as_recorded(self, transport, monkeypatch):
        """The first request through the cable has the fields of the file, and its size."""
        cables = []
        lay = lab.cable
        monkeypatch.setattr(lab, "cable", lambda *a, **o: cables.append(lay(*a, **o)) or cables[0])
        await measured(transport, events=1, headers="browser")
        request = cables[0].transcript.client.http[0]
        sent = {line.split(":")[0].lower() for line in request.text.split("\r\n")[1:-2]}
        fields = recorded()["requests"][TRANSPORTS[transport]]
        assert sent == {name.lower() for name, _ in fields}
        size = sum(len(f"{name}: {value}\r\n") for name, value in fields)
        start_line = request.text.index("\r\n") + 2
        ports = "".join(value for _, value in fields).count("{address}")
        assert request.size == start_line + size + 2 + ports * (15 - len("{address}"))
