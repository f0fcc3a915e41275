"""A city in the network in memory, with couriers and viewers as WebSocket clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab.apps.location import BINARY, City, Fix, Fleet
from wslab.apps.location.senders import on_map
from wslab.net import now

EPOCH = 1_800_000_000  # the beginning of virtual time
URL = "ws://city:9000"
OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1}


def clock() -> float:
    return EPOCH + now()


def box(x: float, y: float, reach: float) -> list[float]:
    """Return a square area by its centre and half its side, in metres."""
    return [*on_map(x - reach, y - reach), *on_map(x + reach, y + reach)]


def at(x: float, y: float, speed: float = 0.0, course: float = 0.0, *, time: float = 0) -> Fix:
    """Return a fix of now, by metres from the centre."""
    return Fix(time or clock(), *on_map(x, y), speed, course)


@asynccontextmanager
async def town(**options: Any) -> AsyncIterator[City]:
    city = City(clock=clock, **options)
    async with serve(city, "city", 9000, compression=None, ping_interval=None):
        yield city


def joined(path: str) -> connect:
    return connect(URL + path, proxy=None, max_queue=None, **OPTIONS)


async def ride(fleet: Fleet, numbers: Iterable[int] | None = None, *, until: float) -> None:
    """Let a company report for its couriers, each second."""
    wanted = None if numbers is None else set(numbers)
    async with joined("/courier") as ws:
        while now() < until:
            second = now() // 1
            due = fleet.step(EPOCH + second)
            records = [BINARY.record(n, fix) for n, fix in due if wanted is None or n in wanted]
            if records:
                await ws.send(BINARY.message(EPOCH + second, records))
            await asyncio.sleep(second + 1 - now())


async def received(ws: ClientConnection, until: float) -> list[tuple[float, Any]]:
    """Return what comes until a time, each with its time, as it is."""
    found = []
    try:
        async with asyncio.timeout_at(until):
            while True:
                data = await ws.recv()
                found.append((now(), data))
    except (TimeoutError, ConnectionClosed):
        return found


def fixes_of(found: Iterable[tuple[float, Any]]) -> list[tuple[float, int, Fix | None]]:
    """Return time, name and fix of all fixes in these messages."""
    return [
        (time, name, fix)
        for time, data in found
        if isinstance(data, bytes)
        for name, fix in BINARY.read(data)
    ]


async def look(area: Any, *, until: float, path: str = "/area") -> list[tuple[float, Any]]:
    """Look at an area and return what comes."""
    async with joined(path) as ws:
        await ws.send(json.dumps({"area": area}))
        return await received(ws, until)
