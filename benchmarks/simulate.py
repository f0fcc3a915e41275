"""The cost of a simulation: a round trip against loopback, and ten thousand schedules.

    python benchmarks/simulate.py [--rounds N] [--quick]

Round trips: `websockets` at both ends, one message and its echo after the other, on loopback and on
the network in memory. Both run in this process, in turning order, and only the ratio within a round
counts. It is CPU time: a simulation saves waiting, not work.

Schedules: the scenario of lesson 08. A `ReconnectingClient` and a `Feed` on a server that may crash
say 20 messages each, while dice disturb the network. Every message has to take effect once. The
seconds depend on the machine, so they are also told in round trips on loopback of the same run. The
number of objects in the process is compared after a tenth of the schedules and after all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from functools import partial

from _interleave import Ratio
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from wslab.apps.reconnect.feed import Feed
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import Received
from wslab.kit.keepalive import Heartbeat
from wslab.kit.resume import Log
from wslab.net import Dice, Run, explore, launch, simulate

LOOPBACK = "127.0.0.1"
OPTIONS = {"compression": None, "ping_interval": None}
TRIPS = 400  # round trips of one measurement
MESSAGES = 20  # that each side says
BEAT = Heartbeat(1, timeout=1)


# Round trips


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def round_trips(count: int) -> float:
    """Return the CPU time of one round trip, in seconds."""
    async with serve(echo, LOOPBACK, 0, **OPTIONS) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://{LOOPBACK}:{port}/", proxy=None, **OPTIONS) as ws:
            begin = time.process_time()
            for _ in range(count):
                await ws.send("Hello")
                await ws.recv()
            return (time.process_time() - begin) / count


def on_loopback() -> float:
    return asyncio.run(round_trips(TRIPS))


def in_memory() -> float:
    return simulate(partial(round_trips, TRIPS)).result()


def compare(rounds: int) -> Ratio:
    """Measure both in every round, in turning order; return simulated over real."""
    found = []
    for turn in range(rounds):
        order = [in_memory, on_loopback]
        took = {measure: measure() for measure in (order if turn % 2 else reversed(order))}
        found.append(took[in_memory] / took[on_loopback])
    return Ratio.of(found)


# Schedules


async def lesson_08() -> tuple[list[int], list[str]]:
    """Return the numbers that the client has received, and the texts that took effect."""
    feed = Feed(heartbeat=BEAT)

    async def server(disk: dict[str, Log]) -> None:
        feed.log = disk.setdefault("log", feed.log)
        async with serve(feed, "feed", 9000, **OPTIONS) as listener:
            await listener.serve_forever()

    async def receive(client: ReconnectingClient) -> list[int]:
        got = []
        async for event in client:
            if isinstance(event, Received):
                got.append(event.message["n"])
            if len(got) == MESSAGES:
                break
        return got

    launch(server)
    client = ReconnectingClient(
        "ws://feed:9000/",
        connect=partial(library_connect, proxy=None, compression=None),
        policy=Backoff(first=0.5, limit=2),
        heartbeat=BEAT,
        open_timeout=3,
    )
    async with client:
        receiving = asyncio.create_task(receive(client))
        for number in range(MESSAGES):
            client.send({"type": "note", "text": str(number)})
            feed.publish({"n": number})
            await asyncio.sleep(0.25)
        async with asyncio.timeout(120):
            await client.delivered()
            return await receiving, feed.notes


def exactly_once(run: Run) -> None:
    got, notes = run.value
    assert got == list(range(MESSAGES)), got
    assert notes == list(map(str, got)), notes


def memory() -> int:
    """Return how many objects there are."""
    gc.collect()
    return len(gc.get_objects())


def schedules(count: int) -> tuple[float, float, float]:
    """Explore so many schedules, in tenths; between them, measure round trips on loopback.

    Return the CPU seconds, how the number of objects grows, and the CPU time of a schedule in round
    trips.
    """
    runs, seconds, trips, objects = count // 10, 0.0, [], []
    for tenth in range(10):
        trips.append(on_loopback())
        begin = time.process_time()
        dice = Dice(within=5, longest=3)
        found = explore(lesson_08, runs=runs, check=exactly_once, faults=dice, seed=tenth * runs)
        seconds += time.process_time() - begin
        if found.smallest is not None:
            raise SystemExit(repr(found))
        objects.append(memory())
    return seconds, objects[-1] / objects[0], seconds / count / statistics.median(trips)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    options = parser.parse_args()
    rounds, count = (5, 1000) if options.quick else (options.rounds, 10_000)
    print("| what | found | goal |\n|---|---|---|")
    found = compare(rounds)
    verdict = "met" if found.median <= 1.2 else "**missed**"
    quartiles = f"{found} ({found.low:.2f}–{found.high:.2f})"
    print(f"| round trip: CPU in memory / loopback | {quartiles} | ≤ 1.2, {verdict} |")
    seconds, growth, trips = schedules(count)
    limit = 120 * count / 10_000
    verdict = "met" if seconds <= limit else "**missed**"
    what = f"{count:,} schedules of lesson 08: CPU seconds"
    print(f"| {what} | {seconds:.0f} | ≤ {limit:.0f}, {verdict} |")
    print(f"| one of them, in round trips on loopback | {trips:.0f} | for other machines |")
    verdict = "met" if growth < 1.01 else "**missed**"
    print(f"| objects after all / after a tenth of them | {growth:.3f} | flat, {verdict} |")


if __name__ == "__main__":
    main()
