"""Count how often messages cross the network before an event arrives."""

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

    count: its journeys. transcript: everything that passed until it arrived.
    """

    count: int
    transcript: Transcript = field(repr=False)


async def journeys(transport: str, *, seconds: float = 0.3) -> Journeys:
    """Publish two events, one right after the other, and follow the second on a slow network.

    transport: "long polling", "SSE" or "WebSocket". Short polling depends on its interval.
    seconds: the time of a journey, in either direction.
    Raises ValueError for a different transport, TimeoutError if the events do not arrive.
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
        # By then a long poll waits for its answer, and the others have a connection.
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
        # Leave out the next question, which might be on its way or not.
        end = max(place for place, row in enumerate(seen, 1) if row.who == "server")
        # Messages in the same direction travel together. Each turn is a new journey.
        turns = groupby(row.who for row in seen[noted:end])
        return Journeys(sum(1 for _ in turns), seen[:end])
