"""How often a message has to cross the network before an event is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import groupby

from wslab.apps.transports.comparison import PATIENCE, Bench
from wslab.apps.transports.listeners import listening
from wslab.lab.wire.transcript import Transcript

__all__ = ["Journeys", "journeys"]


@dataclass(frozen=True)
class Journeys:
    """The way of the second of two events.

    count: journeys that it took. transcript: what passed until it was there.
    """

    count: int
    transcript: Transcript = field(repr=False)


async def journeys(transport: str, *, seconds: float = 0.3) -> Journeys:
    """Publish two events, one right after the other, and follow the second on a slow network.

    transport: "long polling", "SSE" or "WebSocket"; how long short polling takes is up to its
    interval. seconds: that a journey takes, in either direction.
    Raises ValueError for another transport, TimeoutError if the events do not arrive.
    """
    if transport not in (known := ("long polling", "SSE", "WebSocket")):
        raise ValueError(f"transport is {transport!r}, known here are {', '.join(known)}")
    bench = Bench(transport, 2)
    cable, client = bench.cable, bench.client("bare", 1, 0)
    async with (
        bench.server,
        cable,
        asyncio.timeout(PATIENCE + 4 * seconds),
        listening(client) as inbox,
    ):
        # A long poll is not answered yet, the others have a connection by then.
        side = "server" if bench.stays_connected else "client"
        await cable.settle(lambda: cable.transcript.only(side, "HTTP"))
        cable.delay(seconds)
        noted = cable.tape.count
        bench.feed.publish("first")
        while cable.tape.count == noted:  # noqa: ASYNC110 - the second must not join the first
            await asyncio.sleep(0.001)
        bench.feed.publish("second")
        await inbox.get()
        await inbox.get()
        seen = cable.transcript
        # Without the next question, which may or may not be on its way.
        end = max(place for place, row in enumerate(seen, 1) if row.who == "server")
        # What goes the same way travels together; each turn is another journey.
        turns = groupby(row.who for row in seen[noted:end])
        return Journeys(sum(1 for _ in turns), seen[:end])
