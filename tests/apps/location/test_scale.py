"""10,000 couriers of 20 companies and 1,000 viewers, in the network in memory."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from wslab.apps.location import BINARY, Area, Fleet
from wslab.net import now, simulate

from .town import EPOCH, box, clock, joined, town

COMPANIES, EACH, VIEWERS, BUDGET = 20, 500, 1_000, 2000


async def main() -> tuple[int, list[Any]]:
    rng = Random(13)
    fleets = [Fleet(seed, EACH, threshold=-1) for seed in range(COMPANIES)]
    async with town(budget=BUDGET) as city:
        companies = await asyncio.gather(*(joined("/courier") for _ in fleets))
        viewers = await asyncio.gather(*(joined("/area") for _ in range(VIEWERS)))
        areas = [box(*(rng.uniform(-4000, 4000) for _ in "xy"), 400) for _ in viewers]
        for ws, area in zip(viewers, areas, strict=True):
            await ws.send(json.dumps({"area": area}))
        for second in range(1, 3):
            await asyncio.sleep(second - now())
            for ws, fleet in zip(companies, fleets, strict=True):
                records = [BINARY.record(*each) for each in fleet.step(EPOCH + second)]
                await ws.send(BINARY.message(clock(), records))
        await asyncio.sleep(3 - now())
        known = len(city.roster.couriers)
        found = []
        for ws, area in zip(viewers, areas, strict=True):
            ws.transport.abort()
            found.append((Area(*area), [data async for data in rest(ws)]))
        for ws in companies:
            ws.transport.abort()
    return known, found


async def rest(ws: Any) -> Any:
    """Yield what has come."""
    while True:
        try:
            yield await ws.recv()
        except ConnectionClosed:
            return


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.untraced
def test_many() -> None:
    known, found = simulate(main).result()
    assert known == COMPANIES * EACH
    assert len(found) == VIEWERS
    fixes = 0
    for area, messages in found:
        payloads = [data for data in messages if isinstance(data, bytes)]
        assert sum(map(len, payloads)) < 3 * BUDGET
        for data in payloads:
            for _, fix in BINARY.read(data):
                assert fix is None or area.contains(fix.place)
                fixes += 1
    assert fixes > VIEWERS * 60  # an area has about 64 couriers, who are heard of several times
