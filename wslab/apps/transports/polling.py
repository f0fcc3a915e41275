"""The same numbered events over four transports, which differ in who asks, and how often.

    short polling        GET /poll?after=7     answers at once, with a list that may be empty
    long polling         GET /wait?after=7     answers when there is something, or when time is up
    server-sent events   GET /stream           one response that never ends, a chunk per event
    WebSocket            ws://…/?after=7       one connection, a frame per event

An event is the same JSON text on all of them. A client that comes back sends the number that it has
seen last, and gets the events that it has missed. Here are the feed and its servers. The clients
are in `listeners`, and the costs in `comparison`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn
from urllib.parse import parse_qs

from aiohttp import web
from websockets.asyncio.server import ServerConnection

from wslab.kit.hub import Hub
from wslab.kit.log import Log
from wslab.kit.messages import Message, encoded
from wslab.net.clock import now
from wslab.protocol.http import split_target

__all__ = ["NewsEvent", "NewsFeed", "application", "websocket_handler"]

KEPT = 1000  # events that a feed remembers for clients that come back
PATIENCE = 25.0  # seconds that a long poll waits; proxies tend to give up after 30 or 60


@dataclass(frozen=True)
class NewsEvent:
    """An event. number: 1, 2, …. published: the `now()` of that moment."""

    number: int
    text: str
    published: float

    @cached_property
    def json(self) -> str:
        """The text on the wire, for every transport.

        >>> NewsEvent(7, "Hello", 0.0).json
        '{"number":7,"text":"Hello"}'
        """
        return encoded({"number": self.number, "text": self.text})


class NewsFeed:
    """The events, numbered in the order in which they are published.

    kept: the number that its log remembers.
    Any thread may publish. The servers and all that wait share one loop.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.log = Log(kept)
        self.hub = Hub()  # the connections that get pushes
        self._pushed = 0  # the number of the newest event that went to them
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self.log.last

    def publish(self, text: str) -> NewsEvent:
        """Add an event, and wake up everybody who waits. ValueError for invalid Unicode."""
        encoded(text)
        event = _event(self.log.publish({"text": text, "published": now()}))
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)
        return event

    async def play(self, schedule: Iterable[tuple[float, str]], start: float | None = None) -> None:
        """Publish texts on a schedule.

        schedule: (seconds after start, text), in order. start: a `now()`, None for now.
        """
        start = now() if start is None else start
        for seconds, text in schedule:
            await asyncio.sleep(start + seconds - now())
            self.publish(text)

    def since(self, after: int) -> list[NewsEvent]:
        """Return the events after this number, as far as they are remembered."""
        return [_event(message) for message in self.log.since(after)]

    async def wait(self, after: int, patience: float | None = None) -> list[NewsEvent]:
        """Return the events after this number as soon as there are any.

        patience: seconds after which the list is empty; None to wait for ever.
        """
        self._settle_in()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not (events := self.since(after)):
                    await self._changed.wait()
                return events
        return []

    def push(self, connection: ServerConnection, after: int) -> None:
        """Send a connection the events after this number, as long as it lasts, without waiting."""
        self._settle_in()
        self._wake()
        self.hub.add(connection)
        for event in self.since(after):
            if event.number <= self._pushed:  # later ones come with the next push to all
                self.hub.send(connection, event.json, asked=True)

    def _settle_in(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._changed, self.hub = loop, asyncio.Event(), Hub()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for event in self.since(self._pushed):
            self.hub.publish(event.json)
            self._pushed = event.number


def _event(message: Message) -> NewsEvent:
    return NewsEvent(message["seq"], message["text"], message["published"])


def _number(value: str, name: str) -> int:
    """Read the number of the last event that a client has; ValueError if it is not a number."""
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ValueError(f"{name} must be the number of an event, or 0; it is {value[:20]!a}")
    return int(value)


# The servers


def _after(request: web.Request) -> int:
    """Return the last number that the client has seen; EventSource sends it in a header."""
    try:
        if (last := request.headers.get("Last-Event-ID")) is not None:
            return _number(last, "Last-Event-ID")
        return _number(request.query.get("after", "0"), "after")
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


def _json_list(events: Iterable[NewsEvent]) -> web.Response:
    # With no-store, no cache on the way answers the next request (RFC 9111 §5.2.2.5)
    return web.Response(
        text=f"[{','.join(event.json for event in events)}]",
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def application(feed: NewsFeed, *, patience: float = PATIENCE) -> web.Application:
    """Make the HTTP server of a feed, for `lab.serve_app`, with `/poll`, `/wait` and `/stream`.

    It answers an invalid number with 400.
    patience: seconds without an event after which a long poll is answered with an empty list, and a
    stream gets a comment. So a client that gets nothing for longer knows that its line is dead.
    """
    if patience <= 0:
        raise ValueError(f"patience is {patience} s, it must be positive")

    async def poll(request: web.Request) -> web.Response:
        return _json_list(feed.since(_after(request)))

    async def wait(request: web.Request) -> web.Response:
        return _json_list(await feed.wait(_after(request), patience))

    async def stream(request: web.Request) -> NoReturn:
        after = _after(request)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)  # sends the header; without a length, chunks follow
        while True:
            events = await feed.wait(after, patience)
            for event in events:
                await response.write(f"id: {event.number}\ndata: {event.json}\n\n".encode())
                after = event.number
            if not events:
                await response.write(b":\n\n")  # HTML Standard §9.2.7

    app = web.Application()
    for path, handler in (("/poll", poll), ("/wait", wait), ("/stream", stream)):
        app.router.add_get(path, handler, allow_head=False)
    return app


def websocket_handler(feed: NewsFeed) -> Callable[[ServerConnection], Awaitable[None]]:
    """Make the WebSocket server of a feed, a handler for `lab.serve`.

    It closes with 1008 (policy violation) if `?after=` is not a number.
    """

    async def events(connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        query = parse_qs(split_target(path)[1], keep_blank_values=True)
        try:
            after = _number(query.get("after", ["0"])[0], "after")
        except ValueError as error:
            await connection.close(1008, str(error)[:123])
            return
        feed.push(connection, after)
        async for _ in connection:  # the client sends nothing, and the loop ends when it leaves
            pass

    return events
