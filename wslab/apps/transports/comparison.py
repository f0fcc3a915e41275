"""The costs of an event on each transport, in bytes, requests, delay and the server's CPU time.

`measure` plays the same events over one of the four transports of `polling`, through a cable that
counts. `charts` draws it.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

from wslab import lab
from wslab.apps.transports import listeners
from wslab.apps.transports.browser_headers import browser_headers
from wslab.apps.transports.listeners import Arrival
from wslab.apps.transports.polling import NewsEvent, NewsFeed, application, websocket_handler
from wslab.lab.servers.base import BaseServer
from wslab.lab.servers.http import serve_app
from wslab.net.clock import cpu_time, now
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

# Each transport, with the API that a browser's page uses for it.
TRANSPORTS = {
    "polling": "fetch",
    "long polling": "fetch",
    "SSE": "EventSource",
    "WebSocket": "WebSocket",
}

# WebSocket adds at least the header of an empty frame to a message (RFC 6455 §5.2).
LEAST_TO_CLIENT = len(Frame(Opcode.TEXT, b"").serialize())
LEAST_TO_SERVER = len(Frame(Opcode.TEXT, b"", mask=bytes(4)).serialize())

NewClient = Callable[[float], AsyncGenerator[Arrival, None]]  # starts at a `now()`

PHASES = 8  # an event falls into each eighth of its period in turn
PATIENCE = 10.0  # seconds beyond the schedule that a measurement may take
ROWS = 1_000_000  # rows that the cable keeps, more than there are, because all are counted


@dataclass(frozen=True)
class Delivery:
    """An event that has reached a client; published and arrived are `now()`."""

    number: int
    published: float
    arrived: float


class Load(NamedTuple):
    """A server's load from many clients, both directions together."""

    bytes_per_second: float
    requests_per_second: float

    @property
    def megabits_per_second(self) -> float:
        """The bytes in the unit in which networks are sold."""
        return self.bytes_per_second * 8 / 1e6


@dataclass(frozen=True)
class TransportCost:
    """The costs of one transport for the events, without TCP's and IP's own headers.

    events: the number published; each client got them all. period: seconds from event to event.
    setup: bytes of both sides for the opening handshake; 0 if every request stands alone.

    to_server, to_client: the bytes after that. requests: HTTP requests after the set-up.
    empty: those with an empty answer. cpu: seconds of CPU time of the lab's server thread.
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
        """The median of all delays, in periods, so that one slow moment does not show."""
        return statistics.median(self.delays)

    def load(self, *, events_per_second: float, clients: int) -> Load:
        """Multiply the costs; for polling, the interval must keep its relation to the period."""
        deliveries = events_per_second * clients
        return Load(self.bytes_per_event * deliveries, self.requests_per_event * deliveries)


def moments(events: int) -> Iterator[float]:
    """Yield the time of each event, in periods, one a period, and each in a different eighth of it.

    So polls meet events at every point of their interval, for any interval. For eight events, the
    mean distance to the next poll is half an interval.

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
    """All counters at one moment, with the names of `TransportCost`."""

    to_server: int
    to_client: int
    requests: int
    empty: int
    cpu: float


async def _thread_time() -> float:
    return cpu_time()


class Bench:
    """A feed, its server and a cable to it, for one measurement.

    transport: one of `TRANSPORTS`. events: the number that the feed remembers.
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
        """Whether a client connects once, before the first event, and only listens after that."""
        return self.transport in ("SSE", "WebSocket")

    def client(self, headers: str, interval: float, start: float) -> AsyncGenerator[Arrival, None]:
        """Make a client. Its first short poll comes an interval after the start."""
        url, sent = self.cable.url, None
        if headers == "browser":
            sent = browser_headers(TRANSPORTS[self.transport], urlsplit(url).netloc)
        match self.transport:
            case "polling":
                return listeners.poll(url, interval=interval, headers=sent, start=start + interval)
            case "long polling":
                return listeners.long_poll(url, headers=sent)
            case "SSE":
                return listeners.stream(url, headers=sent)
            case _:
                return listeners.websocket(url, headers=sent)

    async def count(self) -> _Count:
        """Read all the counters."""
        seen = self.cable.transcript
        return _Count(
            seen.sent["client"],
            seen.sent["server"],
            len(seen.client.http),
            sum(body.payload == b"[]" for body in seen.server.only(kind="body")),
            await asyncio.wrap_future(self.server.thread.submit(_thread_time())),
        )

    async def deliver(
        self, schedule: Sequence[tuple[float, str]], new_client: NewClient, clients: int
    ) -> tuple[_Count, _Count, list[Arrival]]:
        """Play the events to so many clients; return the counts before and after, and the arrivals.

        Clients that stay connected connect before it begins. Nobody closes before the end.
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
    """Deliver events over one transport and count the costs; one measurement at a time.

    transport: one of `TRANSPORTS`. events: their number, one a period, at `moments`.
    period: seconds. interval: from one short poll to the next, in periods.

    headers: "bare", the least that HTTP allows, or "browser", those of a browser's page.
    payload: bytes of each event's JSON. clients: their number, each with its own connection.
    Raises ValueError for impossible values, TimeoutError if the events do not arrive.
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
