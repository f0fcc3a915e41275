"""The same events over four transports: all of them, in order, once, also after a cut."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import aclosing
from urllib.parse import quote

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from wslab import lab
from wslab.apps.transports import listeners
from wslab.apps.transports.polling import NewsEvent, NewsFeed, application, websocket_handler
from wslab.lab.servers.http import serve_app

SOON = 45  # seconds; generous, for a busy machine, and below a handler's minute
INTERVAL = 0.01

CLIENTS = {
    "polling": lambda url, **options: listeners.poll(url, interval=INTERVAL, **options),
    "long polling": listeners.long_poll,
    "SSE": listeners.stream,
    "WebSocket": listeners.websocket,
}
HTTP = [name for name in CLIENTS if name != "WebSocket"]
# What a client raises when its connection breaks in the middle.
BROKEN = (aiohttp.ClientError, ConnectionClosed, ConnectionError)


def serve(transport, feed, **options):
    if transport == "WebSocket":
        return lab.serve(websocket_handler(feed), name="feed")
    return serve_app(application(feed, **options), name="feed")


async def take(stream, count):
    async with asyncio.timeout(SOON):
        return [await anext(stream) for _ in range(count)]


def seen(arrivals):
    return [(arrival.number, arrival.text) for arrival in arrivals]


@pytest.fixture(params=CLIENTS)
def transport(request):
    return request.param


class TestFeed:
    def test_numbers_what_is_published(self):
        feed = NewsFeed()
        events = [feed.publish(text) for text in "abc"]
        assert [(event.number, event.text) for event in events] == [(1, "a"), (2, "b"), (3, "c")]
        assert events[0].published <= events[1].published <= events[2].published
        assert (feed.last, feed.since(0), feed.since(2)) == (3, events, events[2:])
        assert feed.since(3) == feed.since(99) == []

    def test_forgets_the_oldest(self):
        feed = NewsFeed(kept=2)
        events = [feed.publish(text) for text in "abcd"]
        assert (feed.since(0), feed.since(1), feed.since(3)) == (events[2:], events[2:], events[3:])

    @pytest.mark.parametrize("kept", [0, -1])
    def test_remembers_something(self, kept):
        with pytest.raises(ValueError, match=f"limit is {kept}, a log keeps at least 1"):
            NewsFeed(kept)

    @pytest.mark.parametrize("text", ["", "a\nb\r\n\n", '"', "你好", "\x00", "</script>"])
    def test_an_event_is_one_line_of_json(self, text):
        event = NewsEvent(1, text, 0.0)
        assert json.loads(event.json) == {"number": 1, "text": text}
        assert "\n" not in event.json
        assert "\r" not in event.json

    async def test_those_who_wait_are_woken_from_any_thread(self):
        feed = NewsFeed()
        waiting = [asyncio.create_task(feed.wait(0)) for _ in range(3)]
        await asyncio.sleep(0)  # they have looked
        thread = threading.Thread(target=feed.publish, args=["a"])
        thread.start()
        async with asyncio.timeout(SOON):
            assert await asyncio.gather(*waiting) == [feed.since(0)] * 3
        thread.join()

    async def test_waiting_goes_on_until_the_number_has_come(self):
        feed = NewsFeed()
        waiting = asyncio.create_task(feed.wait(1))
        await asyncio.sleep(0)
        feed.publish("a")
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        feed.publish("b")
        async with asyncio.timeout(SOON):
            assert [event.text for event in await waiting] == ["b"]

    def test_may_move_to_another_loop(self):
        """As when the lab has given up on a loop that stalled."""
        feed = NewsFeed()

        async def wait_for_one():
            waiting = asyncio.create_task(feed.wait(feed.last))
            await asyncio.sleep(0)
            feed.publish("x")
            async with asyncio.timeout(SOON):
                return len(await waiting)

        assert asyncio.run(wait_for_one()) == 1
        feed.publish("nobody waits, and the loop is closed")
        assert asyncio.run(wait_for_one()) == 1

    async def test_plays_a_schedule(self):
        feed = NewsFeed()
        start = time.monotonic()
        await feed.play([(0.0, "a"), (0.02, "b"), (0.01, "late")])
        times = [event.published - start for event in feed.since(0)]
        assert [event.text for event in feed.since(0)] == ["a", "b", "late"]
        assert 0.02 <= times[1] <= times[2]
        await feed.play([(1.0, "c")], start=start - 1)
        assert feed.last == 4


class TestEveryTransport:
    async def test_delivers_all_in_order_once(self, transport):
        feed = NewsFeed()
        feed.publish("before")
        server = serve(transport, feed)
        async with aclosing(CLIENTS[transport](server.url)) as stream:
            found = await take(stream, 1)
            for number in range(2, 30):
                feed.publish(f"event {number}")
            found += await take(stream, 28)
            feed.publish("你好\n\n")
            found += await take(stream, 1)
        events = feed.since(0)
        assert seen(found) == [(event.number, event.text) for event in events]
        assert all(a.arrived >= e.published for a, e in zip(found, events, strict=True))
        await server.stop()
        assert server.errors == []

    async def test_begins_after_what_is_known(self, transport):
        feed = NewsFeed()
        for text in "abc":
            feed.publish(text)
        async with aclosing(CLIENTS[transport](serve(transport, feed).url, after=2)) as stream:
            assert seen(await take(stream, 1)) == [(3, "c")]

    async def test_goes_on_after_a_cut_without_a_gap(self, transport):
        feed = NewsFeed()
        cable = lab.cable(serve(transport, feed))
        feed.publish("a")
        async with aclosing(CLIENTS[transport](cable.url)) as stream:
            found = await take(stream, 1)
            cable.cut()
            feed.publish("b")
            # HTTP clients ask once more by themselves where that can do no harm (RFC 9110 §9.2.2).
            try:
                found += await take(stream, 1)
            except BROKEN:
                assert transport in ("SSE", "WebSocket")
            else:
                assert transport in ("polling", "long polling")
        feed.publish("c")
        async with aclosing(CLIENTS[transport](cable.url, after=found[-1].number)) as stream:
            found += await take(stream, 3 - len(found))
        assert seen(found) == [(1, "a"), (2, "b"), (3, "c")]
        if transport == "SSE":
            headers = (await cable.settle()).client.http[-1].text
            assert "Last-Event-ID: 1\r\n" in headers
            assert headers.startswith("GET /stream HTTP/1.1\r\n")

    async def test_many_clients(self, transport):
        feed = NewsFeed()
        server = serve(transport, feed)
        streams = [CLIENTS[transport](server.url) for _ in range(20)]
        tasks = [asyncio.create_task(take(stream, 5)) for stream in streams]
        for text in "abcde":
            feed.publish(text)
        for found in await asyncio.gather(*tasks):
            assert seen(found) == list(enumerate("abcde", 1))
        for stream in streams:
            await stream.aclose()
        await server.stop()
        assert server.errors == []

    async def test_the_server_stops_while_they_wait(self, transport):
        server = serve(transport, NewsFeed())
        task = asyncio.create_task(take(CLIENTS[transport](server.url), 1))
        await server.settle(lambda: server.connections or server.events, quiet=0)
        await server.stop()
        with pytest.raises((*BROKEN, StopAsyncIteration)):
            await task
        assert server.errors == []

    async def test_a_client_that_leaves_leaves_nothing_behind(self, transport):
        feed = NewsFeed()
        feed.publish("a")
        server = serve(transport, feed)
        async with aclosing(CLIENTS[transport](server.url)) as stream:
            await take(stream, 1)
        await server.settle(lambda: not server.connections)
        feed.publish("b")
        await server.settle()
        assert server.errors == []
        assert not server.connections


class TestPolling:
    async def test_empty_answers_are_counted_right(self):
        feed = NewsFeed()
        cable = lab.cable(serve("polling", feed))
        async with aclosing(listeners.poll(cable.url, interval=INTERVAL)) as stream:
            task = asyncio.create_task(take(stream, 1))
            await cable.settle(lambda: len(cable.transcript.only(kind="body")) >= 3, quiet=0)
            feed.publish("a")
            await task
        rows = (await cable.settle()).server
        bodies = [row.text for row in rows.only(kind="body")]
        assert bodies == ["[]"] * (len(bodies) - 1) + ['[{"number":1,"text":"a"}]']
        assert len(bodies) >= 4
        assert len(rows.http) == len(bodies)

    async def test_ticks_begin_when_told_and_late_ones_are_made_up_for(self):
        server = serve("polling", feed := NewsFeed())
        feed.publish("a")
        start = time.monotonic() - 10 * 60
        async with aclosing(listeners.poll(server.url, interval=60, start=start)) as stream:
            (first,) = await take(stream, 1)
            feed.publish("b")
            (second,) = await take(stream, 1)
        assert second.arrived - first.arrived < SOON

    @pytest.mark.parametrize("interval", [0, -1])
    async def test_an_interval_is_positive(self, interval):
        with pytest.raises(ValueError, match=f"interval is {interval} s, it must be positive"):
            await anext(listeners.poll("http://127.0.0.1:1/", interval=interval))

    async def test_a_long_poll_times_out_with_an_empty_list(self):
        feed = NewsFeed()
        cable = lab.cable(serve("long polling", feed, patience=0.02))
        async with aclosing(listeners.long_poll(cable.url)) as stream:
            task = asyncio.create_task(take(stream, 1))
            await cable.settle(lambda: len(cable.transcript.only(kind="body")) >= 2, quiet=0)
            feed.publish("a")
            assert seen(await task) == [(1, "a")]
        bodies = [row.text for row in (await cable.settle()).only(kind="body")]
        assert set(bodies[:-1]) == {"[]"}

    async def test_a_stream_without_events_is_not_silent(self):
        cable = lab.cable(serve("SSE", feed := NewsFeed(), patience=0.02))
        async with aclosing(listeners.stream(cable.url)) as stream:
            task = asyncio.create_task(take(stream, 1))
            await cable.settle(lambda: len(cable.transcript.only(kind="chunk")) >= 2, quiet=0)
            feed.publish("a")
            assert seen(await task) == [(1, "a")]

    @pytest.mark.parametrize("http", HTTP)
    async def test_a_silent_line_does_not_hold_a_client_for_ever(self, http, monkeypatch):
        monkeypatch.setattr(listeners, "SILENCE", 0.5)
        feed = NewsFeed()
        feed.publish("a")
        cable = lab.cable(serve(http, feed))
        async with aclosing(CLIENTS[http](cable.url)) as stream:
            await take(stream, 1)
            cable.freeze()
            with pytest.raises(aiohttp.SocketTimeoutError):
                await take(stream, 1)

    @pytest.mark.parametrize("patience", [0, -1.5])
    def test_patience_is_positive(self, patience):
        with pytest.raises(ValueError, match=f"patience is {patience} s, it must be positive"):
            application(NewsFeed(), patience=patience)

    async def test_only_a_host_is_sent_and_no_cache_may_answer(self):
        feed = NewsFeed()
        feed.publish("a")
        cable = lab.cable(serve("polling", feed))
        async with aclosing(listeners.poll(cable.url, interval=1)) as stream:
            await take(stream, 1)
        request, response = (await cable.settle()).http[:2]
        assert request.text == f"GET /poll?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{cable.port}\r\n\r\n"
        assert "\r\nCache-Control: no-store\r\n" in response.text

    async def test_headers_are_sent(self, transport):
        feed = NewsFeed()
        feed.publish("a")
        cable = lab.cable(serve(transport, feed))
        headers = {"User-Agent": "Mozilla/5.0", "Accept-Language": "en"}
        async with aclosing(CLIENTS[transport](cable.url, headers=headers)) as stream:
            await take(stream, 1)
        text = (await cable.settle()).client.http[0].text
        assert "User-Agent: Mozilla/5.0\r\n" in text
        assert "Accept-Language: en\r\n" in text
        assert text.count("User-Agent") == 1


BAD = ["x", "-1", "1.5", "", "1e3", "٣", "9" * 16, "0x1", "1;", "\x1b[31m", "你好" * 100]


class TestHostile:
    @pytest.mark.parametrize("after", BAD)
    @pytest.mark.parametrize("path", ["poll", "wait", "stream"])
    async def test_a_bad_number_is_answered_with_400(self, path, after):
        server = serve("polling", NewsFeed())
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{server.url}{path}", params={"after": after}) as response,
        ):
            text = await response.text()
        assert response.status == 400
        assert text.startswith("after must be the number of an event, or 0; it is '")
        assert text.isascii()
        assert text[:-1].isprintable()
        assert server.errors == []

    async def test_a_bad_last_event_id(self):
        server = serve("SSE", NewsFeed())
        async with (
            aiohttp.ClientSession(headers={"Last-Event-ID": "x"}) as session,
            session.get(f"{server.url}stream?after=1") as response,
        ):
            text = await response.text()
        assert response.status == 400
        assert text == "Last-Event-ID must be the number of an event, or 0; it is 'x'\n"

    @pytest.mark.parametrize("after", BAD)
    async def test_a_bad_number_on_a_websocket_is_answered_with_1008(self, after):
        server = serve("WebSocket", NewsFeed())
        async with connect(f"{server.url}?after={quote(after)}") as ws:
            with pytest.raises(ConnectionClosedError) as caught:
                await ws.recv()
        assert caught.value.rcvd.code == 1008
        assert caught.value.rcvd.reason.startswith("after must be the number of an event, or 0; it")
        assert server.errors == []

    async def test_a_websocket_client_that_talks_is_not_listened_to(self):
        feed = NewsFeed()
        server = serve("WebSocket", feed)
        async with connect(server.url) as ws:
            for _ in range(100):
                await ws.send("x" * 1000)
            feed.publish("a")
            assert json.loads(await ws.recv())["text"] == "a"
        await server.settle(lambda: server.events.only("close"))
        assert server.errors == []

    @pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
    async def test_other_methods(self, method):
        server = serve("polling", NewsFeed())
        async with aiohttp.ClientSession() as session:
            for path in ("poll", "wait", "stream"):
                async with session.request(method, server.url + path) as response:
                    assert response.status == 405

    @pytest.mark.parametrize("http", HTTP)
    async def test_a_client_that_is_refused_says_so(self, http):
        server = serve(http, NewsFeed())
        with pytest.raises(aiohttp.ClientResponseError, match="400"):
            await take(CLIENTS[http](server.url, after=-1), 1)

    async def test_a_client_that_reads_nothing_holds_up_nobody(self):
        feed = NewsFeed()
        server = serve("SSE", feed)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.settle(lambda: server.connections)
        for _ in range(100):
            feed.publish("x" * 100_000)
        async with aclosing(listeners.stream(server.url, after=99)) as stream:
            assert [arrival.number for arrival in await take(stream, 1)] == [100]
        writer.transport.abort()
        await server.settle(lambda: not server.connections)
        assert server.errors == []


async def lines(text):
    for line in text.encode().splitlines(keepends=True):
        yield line


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("data: a\n\n", ["a"]),
        ("data:a\n\ndata:  b\n\n", ["a", " b"]),
        ("id: 1\nevent: x\ndata: a\nretry: 9\n\n", ["a"]),
        ("data: a\ndata: b\r\n\r\n", ["a\nb"]),
        (": a comment\n\n:\n\ndata: a\n:\n\n", ["a"]),
        ("data\n\n", [""]),
        ("id: 1\n\n\n", []),
        ("data: not complete\n", []),
        ("dat: a\n\n", []),
        ('data: {"a": 1}\n\n', ['{"a": 1}']),
    ],
)
async def test_an_event_stream_is_read(text, events):
    assert [data async for data in listeners.read_stream(lines(text))] == events
