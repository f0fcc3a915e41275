"""The clients of a feed, one for each transport.

Each yields the events that arrive, until it is closed or its connection fails. An HTTP client also
raises TimeoutError if nothing comes for `SILENCE` seconds. If a client is called again with the
last number as `after`, it goes on without a gap. `listening` runs one while you do something else.
The servers are in `polling`.

url: the server's, or that of a cable to it. headers: added to every request; none by default, which
is the least that HTTP allows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
from websockets.asyncio.client import connect

from wslab.net.clock import now

__all__ = ["Arrival", "listening", "long_poll", "poll", "read_stream", "stream", "websocket"]

SILENCE = 60.0  # seconds; the servers are never silent for as long (`polling.PATIENCE`)


class Arrival(NamedTuple):
    """An event that has arrived. arrived: the `now()` of that moment."""

    number: int
    text: str
    arrived: float


def _arrival(value: Any) -> Arrival:
    return Arrival(value["number"], value["text"], now())


def _session(headers: Mapping[str, str] | None) -> aiohttp.ClientSession:
    """Make an HTTP client that sends only these headers and Host."""
    return aiohttp.ClientSession(
        headers=headers,
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE),
        raise_for_status=True,
    )


async def _ask(session: aiohttp.ClientSession, url: str) -> list[Arrival]:
    async with session.get(url) as response:
        return [_arrival(value) for value in await response.json()]


async def poll(
    url: str,
    *,
    interval: float,
    after: int = 0,
    headers: Mapping[str, str] | None = None,
    start: float | None = None,
) -> AsyncGenerator[Arrival, None]:
    """Ask for news at every tick.

    interval: seconds between ticks. start: the first one, a `now()`, None for now.
    """
    if interval <= 0:
        raise ValueError(f"interval is {interval} s, it must be positive")
    tick = now() if start is None else start
    async with _session(headers) as session:
        while True:
            await asyncio.sleep(tick - now())
            for arrival in await _ask(session, f"{url}poll?after={after}"):
                yield arrival
                after = arrival.number
            tick += interval  # so a late tick does not delay the later ones


async def long_poll(
    url: str, *, after: int = 0, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Arrival, None]:
    """Ask, wait for the answer, ask again."""
    async with _session(headers) as session:
        while True:
            for arrival in await _ask(session, f"{url}wait?after={after}"):
                yield arrival
                after = arrival.number


async def stream(
    url: str, *, after: int = 0, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Arrival, None]:
    """Ask once and read on, as a browser's EventSource does."""
    last_seen = {"Last-Event-ID": str(after)} if after else {}
    async with (
        _session(headers) as session,
        session.get(f"{url}stream", headers=last_seen) as response,
    ):
        async for data in read_stream(response.content):
            yield _arrival(json.loads(data))


async def read_stream(lines: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event in a `text/event-stream`, where an empty line ends an event.

    Data of several lines is joined again. Other fields (id, event, retry, comments) are not needed
    here. Source: HTML Standard §9.2.6, except for lines that end in CR alone.
    """
    data: list[str] = []
    async for line in lines:
        text = line.decode().rstrip("\r\n")
        field, _, value = text.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif not text and data:
            yield "\n".join(data)
            data = []


async def websocket(
    url: str, *, after: int = 0, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Arrival, None]:
    """Connect and listen."""
    address = f"{url}?after={after}" if after else url
    connection = await connect(
        address,
        additional_headers=headers,
        user_agent_header=None,
        compression=None,
        proxy=None,
        ping_interval=None,  # pings would count as bytes of events; lesson 07 has the keepalive
    )
    try:
        async for message in connection:
            yield _arrival(json.loads(message))
    finally:
        await connection.close()


@asynccontextmanager
async def listening(
    arrivals: AsyncGenerator[Arrival, None],
) -> AsyncIterator[asyncio.Queue[Arrival]]:
    """Let a client run for the length of the block; its arrivals are in the queue.

    If the client fails, the block is cancelled and the failure raised in an ExceptionGroup.
    """
    inbox: asyncio.Queue[Arrival] = asyncio.Queue()

    async def fill() -> None:
        async for arrival in arrivals:
            inbox.put_nowait(arrival)

    async with aclosing(arrivals), asyncio.TaskGroup() as group:
        filling = group.create_task(fill())
        yield inbox
        filling.cancel()
