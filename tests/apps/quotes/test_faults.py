"""A paced viewer on the network in memory: whatever happens to it, it never goes back in time."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from itertools import repeat
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab.apps.quotes import Desk
from wslab.net import Fault, simulate

OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": 1, "ping_timeout": 2}
RATE = 60  # updates a second
FAULTS = {
    "slow": [Fault("throttle", at=1, lasts=8, side="server", amount=1500)],
    "frozen": [Fault("freeze", at=2, lasts=1.5), Fault("freeze", at=6, lasts=1, side="server")],
    "cut": [Fault("cut", at=2, lasts=1), Fault("cut", at=6, lasts=1, side="client")],
    "reset while slow": [
        Fault("throttle", at=1, lasts=6, side="server", amount=2000),
        Fault("reset", at=4, lasts=0.5),
    ],
}


async def main() -> tuple[int, dict[Any, int]]:
    """Watch for twenty seconds; return how many quotes there were, and the last of each key."""
    desk, seen = Desk(Random(15), rate=RATE), dict[Any, int]()

    async def view() -> None:
        connecting = connect("ws://desk:9000/paced", proxy=None, close_timeout=1, **OPTIONS)
        connecting.reconnect_delays = lambda: repeat(0.2)
        async for ws in connecting:
            count = 0
            with suppress(ConnectionClosed):
                async for data in ws:
                    quote = json.loads(data)
                    key = quote["venue"], quote["symbol"]
                    assert quote["n"] >= seen.get(key, 0), "an older price after a newer one"
                    seen[key], count = quote["n"], count + 1
                    await ws.send(json.dumps({"type": "ready", "count": count}))

    async with serve(desk, "desk", 9000, **OPTIONS):
        watching = asyncio.create_task(view())
        await asyncio.sleep(20)
        assert not watching.done()
        watching.cancel()
        return desk.count, dict(seen)


@pytest.mark.parametrize("name", FAULTS)
def test_it_sees_the_present_again(name: str) -> None:
    run = simulate(main, faults=FAULTS[name])
    count, seen = run.result()
    assert len(seen) == 6
    assert min(seen.values()) > count - 3 * RATE
    assert [each for each in run.errors if not isinstance(each, ConnectionClosed)] == []
