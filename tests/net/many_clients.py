"""Five reconnecting clients under dice, for many seeds; prints what came of each seed.

A program of its own, because test_repeatable.py runs it in several processes.
"""

from __future__ import annotations

import asyncio
import random
import sys
from functools import partial

from websockets.asyncio.server import serve

from wslab.apps.reconnect.feed import Feed
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import Received
from wslab.kit.keepalive import Heartbeat
from wslab.kit.resume import Log
from wslab.net import Dice, launch, simulate

CLIENTS, MESSAGES = 5, 4
BEAT = Heartbeat(1, timeout=1)


async def server(disk):
    feed = Feed(disk.setdefault("log", Log()), heartbeat=BEAT)
    async with serve(feed, "server", 9000, ping_interval=None) as listener:
        await listener.serve_forever()


async def client(number):
    got = []
    async with ReconnectingClient(
        "ws://server:9000/",
        connect=partial(library_connect, proxy=None),
        heartbeat=BEAT,
        policy=Backoff(first=0.5, limit=2),
        open_timeout=3,
    ) as reconnecting:
        for place in range(MESSAGES):
            reconnecting.send({"type": "say", "text": f"{number}: {place}"})
            await asyncio.sleep(random.random())
        async for event in reconnecting:
            got.append(event.message["text"] if isinstance(event, Received) else repr(event))
            if len(got) == CLIENTS * MESSAGES:
                return got


async def main():
    launch(server)
    async with asyncio.timeout(300):
        return await asyncio.gather(*map(client, range(CLIENTS)))


def story(run):
    """All that happened, but for masks, keys and dates."""
    rows = [
        (
            row.connection,
            row.who,
            row.kind,
            row.size,
            row.seconds,
            "" if row.kind == "HTTP" else row.meaning,
        )
        for row in run.transcript
    ]
    return run.seconds, run.value, repr(run.error), list(map(repr, run.errors)), rows


if __name__ == "__main__":
    for seed in range(int(sys.argv[1])):
        run = simulate(main, seed=seed, faults=Dice(within=3), record=True)
        sys.stdout.write(f"{seed} {story(run)}\n")
