"""What an event costs on each transport: bytes, requests, delay, and CPU time of the server.

`measure` plays the same events over one of the four transports of `polling`, through a cable that
counts. `scale` tells what that comes to for many clients, `charts` draws it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from wslab import lab
from wslab.apps.transports import listeners
from wslab.apps.transports.browser_headers import browser_headers
from wslab.apps.transports.listeners import Arrival
from wslab.apps.transports.polling import NewsEvent, NewsFeed, application, websocket_handler
from wslab.apps.transports.scale import Load, scale
from wslab.lab.servers.base import BaseServer
from wslab.lab.servers.http import serve_app
from wslab.net.clock import now
from wslab.protocol.frames import Frame, Opcode

__all__ = [
    "LEAST_TO_CLIENT",
    "LEAST_TO_SERVER",
    "TRANSPORTS",
    "Bench",
    "Delivery",
    "TransportCost",
    "measure",
    "moments",
]

# Each transport, with the way in which a browser's page uses it.
TRANSPORTS = {
    "polling": "fetch",
    "long polling": "fetch",
    "SSE": "EventSource",
    "WebSocket": "WebSocket",
}

# The least that WebSocket adds to a message: the header of an empty frame (RFC 6455 §5.2).
LEAST_TO_CLIENT = len(Frame(Opcode.TEXT, b"").serialize())
LEAST_TO_SERVER = len(Frame(Opcode.TEXT, b"", mask=bytes(4)).serialize())

NewClient = Callable[[float], AsyncGenerator[Arrival, None]]  # starts at a `now()`

PHASES = 8  # an event falls into each eighth of its period in turn
PATIENCE = 10.0  # seconds beyond the schedule that a measurement may take
ROWS = 1_000_000  # that the cable keeps: all of them, since they are counted


@dataclass(frozen=True)
class Delivery:
    """An event that has reached a client; published and arrived are `now()`."""

    number: int
    published: float
    arrived: float


@dataclass(frozen=True)
class TransportCost:
    """What one transport took to deliver the events; TCP's and IP's own headers not counted.

    events: how many were published; each of the clients got them all. period: seconds from event
    to event. setup: bytes of both sides before the first event could come, the opening handshake;
    0 where every request stands alone. to_server, to_client: the bytes after that.
    requests: HTTP requests after the set-up. empty: those that were answered with nothing.
    cpu: seconds of CPU time of the lab's server thread.
    """

    transport: str
    events: int
    clients: int
    period: float
    setup: int
    to_server: int
    to_client: int
    requests: int
    empty: int
    cpu: float = field(repr=False)
    deliveries: tuple[Delivery, ...] = field(repr=False)

    @property
    def bytes_per_event(self) -> float:
        """Bytes of both sides for each event that was delivered, without the set-up."""
        return (self.to_server + self.to_client) / len(self.deliveries)

    @property
    def requests_per_event(self) -> float:
        """Requests for each event that was delivered, without the set-up."""
        return self.requests / len(self.deliveries)

    @property
    def cpu_per_event(self) -> float:
        """Seconds of the server's CPU time for each event that was delivered."""
        return self.cpu / len(self.deliveries)

    @property
    def delays(self) -> tuple[float, ...]:
        """From publishing to arrival, in periods, in the order of delivery."""
        return tuple((one.arrived - one.published) / self.period for one in self.deliveries)

    @property
    def delay(self) -> float:
        """The median of all delays, in periods: one slow moment of the machine does not show."""
        return statistics.median(self.delays)

    def load(self, *, events_per_second: float, clients: int) -> Load:
        """Multiply one client's cost: see `scale`."""
        each = (self.bytes_per_event, self.requests_per_event)
        return scale(*each, events_per_second=events_per_second, clients=clients)


def moments(events: int) -> Iterator[float]:
    """Yield when each event happens, in periods: one a period, each time in another eighth of it.

    So polls meet events at every point of their interval, whatever part of a period that is, and of
    eight events the mean distance to the next poll is half an interval.

    >>> list(moments(3))
    [0.5625, 1.1875, 2.8125]
    """
    for number in range(events):
        yield number + ((4 + 5 * number) % PHASES + 0.5) / PHASES


def _texts(events: int, payload: int) -> Iterator[str]:
    """Yield texts that make each event's JSON exactly payload bytes."""
    for number in range(1, events + 1):
        room = payload - len(NewsEvent(number, "", 0.0).json)
        if room < 0:
            least = len(NewsEvent(events, "", 0.0).json)
            raise ValueError(f"payload is {payload} bytes, {events} events need at least {least}")
        yield ("Hello, " * (room // 7 + 1))[:room]


def _check(transport: str, headers: str, **positive: float) -> None:
    if transport not in TRANSPORTS:
        raise ValueError(f"transport is {transport!r}, known are {', '.join(TRANSPORTS)}")
    if headers not in ("bare", "browser"):
        raise ValueError(f'headers is {headers!r}, it must be "bare" or "browser"')
    for name, value in positive.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} is {value}, it must be positive")


@dataclass(frozen=True)
class _Count:
    """All that is counted, at one moment; the names are those of `TransportCost`."""

    to_server: int
    to_client: int
    requests: int
    empty: int
    cpu: float


async def _thread_time() -> float:
    return time.thread_time()


class Bench:
    """A feed, its server and a cable to it, for one measurement.

    transport: one of `TRANSPORTS`. events: how many the feed remembers.
    """

    def __init__(self, transport: str, events: int) -> None:
        self.transport = transport
        self.feed = NewsFeed(events)
        self.server: BaseServer
        if transport == "WebSocket":
            handler = websocket_handler(self.feed)
            self.server = lab.serve(handler, name="measured feed", ping_interval=None)
        else:
            self.server = serve_app(application(self.feed), name="measured feed")
        self.cable = lab.cable(self.server, name="measured cable", limit=ROWS)

    @property
    def stays_connected(self) -> bool:
        """Whether a client connects once, before the first event, and only listens from then on."""
        return self.transport in ("SSE", "WebSocket")

    def client(self, headers: str, interval: float, start: float) -> AsyncGenerator[Arrival, None]:
        """Make a client; the first of its short polls comes an interval after the start."""
        url, sent = self.cable.url, None
        if headers == "browser":
            sent = browser_headers(TRANSPORTS[self.transport], urlsplit(url).netloc)
        match self.transport:
            case "polling":
                first = start + interval
                return listeners.poll(url, interval=interval, headers=sent, start=first)
            case "long polling":
                return listeners.long_poll(url, headers=sent)
            case "SSE":
                return listeners.stream(url, headers=sent)
            case _:
                return listeners.websocket(url, headers=sent)

    async def count(self) -> _Count:
        """Read all the counters."""
        seen = self.cable.transcript
        bodies = seen.server.only(kind="body")
        thread_time = self.server.thread.submit(_thread_time())
        return _Count(
            seen.sent["client"],
            seen.sent["server"],
            len(seen.client.http),
            sum(body.payload == b"[]" for body in bodies),
            await asyncio.wrap_future(thread_time),
        )

    async def deliver(
        self, schedule: Sequence[tuple[float, str]], new_client: NewClient, clients: int
    ) -> tuple[_Count, _Count, list[Arrival]]:
        """Play the events to so many clients; return the counts before and after, and what arrived.

        Those that stay connected are connected before it begins. Nobody closes before the end.
        """
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:

            def listen(start: float) -> list[asyncio.Task[list[Arrival]]]:
                streams = [new_client(start) for _ in range(clients)]
                for stream in streams:
                    stack.push_async_callback(stream.aclose)
                return [group.create_task(_take(stream, len(schedule))) for stream in streams]

            listening = []
            if self.stays_connected:
                listening = listen(0.0)
                await self.cable.settle(lambda: len(self.cable.transcript.server.http) >= clients)
            before, start = await self.count(), now()
            playing = self.server.thread.submit(self.feed.play(schedule, start))
            stack.callback(playing.cancel)
            found = [await task for task in listening or listen(start)]
            return before, await self.count(), [arrival for each in found for arrival in each]


async def _take(stream: AsyncGenerator[Arrival, None], count: int) -> list[Arrival]:
    """Return the first arrivals of a stream, which stays open."""
    return [await anext(stream) for _ in range(count)]


async def measure(
    transport: str,
    *,
    events: int = 16,
    period: float = 0.1,
    interval: float = 1.0,
    headers: str = "bare",
    payload: int = 33,
    clients: int = 1,
) -> TransportCost:
    """Deliver events over one transport and count what it takes; one measurement at a time.

    transport: one of `TRANSPORTS`. events: published one a period, at `moments`.
    period: seconds. interval: from one short poll to the next, in periods.
    headers: "bare", the least that HTTP allows, or "browser", what a browser's page sends.
    payload: bytes of each event's JSON. clients: each with a connection of its own.
    Raises ValueError for what cannot be, TimeoutError if the events do not arrive.
    """
    _check(transport, headers, events=events, period=period, interval=interval, clients=clients)
    texts = list(_texts(events, payload))
    schedule = [(at * period, text) for at, text in zip(moments(events), texts, strict=True)]
    bench, limit = Bench(transport, events), (events + 2 * interval) * period + PATIENCE
    async with bench.server, bench.cable:
        new_client = partial(bench.client, headers, interval * period)
        try:
            async with asyncio.timeout(limit):
                before, after, arrivals = await bench.deliver(schedule, new_client, clients)
        except TimeoutError:
            raise TimeoutError(f"{events} events did not arrive within {limit:.1f} s") from None
    published = {event.number: event.published for event in bench.feed.since(0)}
    return TransportCost(
        transport=transport,
        events=events,
        clients=clients,
        period=period,
        setup=before.to_server + before.to_client,
        **{name: value - getattr(before, name) for name, value in vars(after).items()},
        deliveries=tuple(Delivery(a.number, published[a.number], a.arrived) for a in arrivals),
    )
