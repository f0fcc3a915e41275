"""How soon a dead connection is noticed, and how soon a client is back, against the least possible.

    python benchmarks/recovery.py [--rounds N] [--clients N]

Three clients, under the same faults and in the same runs:

    wslab       ReconnectingClient with its default policy, over the library's connections
    library     `async for ws in websockets.connect(…)`, with its defaults
    tutorial    what the page of the tutorial does (the Chinese article on WebSocket that the course
                started from), in asyncio: beats 3 s after each
                sign of life, close() 5 s later, attempts after 3 s, two of them in its life

Detection. A cable freezes, at another point of the beats' interval for each client. The first two
beat every second, and wait a second; the library also 0.5 s for a closing handshake. The bound is
what theory gives: interval + time-out, for the library + close time-out. The tutorial's page runs
in virtual time, with the 60 s that a browser waits for the answer to its close().

Recovery. The server stops, and starts again on its port after the outage; then it is measured how
long it takes until a client has its first message. The least possible is an attempt at the very
moment of the return: the median of connecting and getting a message, measured in the same run.

Elapsed times, because waiting is what is measured; quartiles over all clients and rounds.
The goals: detection at most 1.05 of the bound; median recovery at most a quarter of the library's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from _interleave import Ratio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.heartbeat.tutorial import Network, Page
from wslab.apps.reconnect.feed import Feed
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import ClientState, Received
from wslab.kit.keepalive import Heartbeat, library_bounds
from wslab.net.clock import Timers

OUTAGES = (0.3, 2.0)
BEAT = Heartbeat(1.0, timeout=1.0)
CLOSE_TIMEOUT = 0.5
TUTORIAL = (3.0, 5.0)  # seconds: beat, time-out
DETECTION_GOAL, RECOVERY_GOAL = 1.05, 0.25

Note = Callable[[], None]  # called when a message has arrived


# Detection


async def ours_notices(url: str) -> float:
    async with ReconnectingClient(url, heartbeat=BEAT) as client:
        await client.until(ClientState.ONLINE)
        return await frozen(url, client.until(ClientState.WAITING))


async def library_notices(url: str) -> float:
    keepalive = {"ping_interval": BEAT.interval, "ping_timeout": BEAT.patience}
    ws = await connect(url, proxy=None, close_timeout=CLOSE_TIMEOUT, **keepalive)
    return await frozen(url, ws.wait_closed())


cables: dict[str, lab.Cable] = {}


async def frozen(url: str, noticed: Awaitable[Any]) -> float:
    """Freeze a client's cable at some moment; return the seconds until it notices."""
    await asyncio.sleep(BEAT.interval * (1 + random.random()))
    start = time.monotonic()
    cables[url].freeze()
    await noticed
    return time.monotonic() - start


async def detection(rounds: int, clients: int) -> bool:
    found: dict[str, list[float]] = {"wslab": [], "library": []}
    for _ in range(rounds):
        feed = Feed(heartbeat=Heartbeat(1000))
        async with lab.serve(feed, name="detection", ping_interval=None) as server:
            running = []
            for name, notices in (("wslab", ours_notices), ("library", library_notices)):
                for number in range(clients):
                    cable = lab.cable(server, name=f"{name} {number}")
                    cables[cable.url] = cable
                    running.append((name, asyncio.create_task(notices(cable.url))))
            for name, task in running:
                found[name].append(await task)
            for cable in cables.values():
                await cable.stop()
            cables.clear()
    bounds = library_bounds(BEAT.interval, BEAT.patience, CLOSE_TIMEOUT)
    print("| detection | trials | least possible | bound | longest | : bound | median : least |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    rows = [("wslab", BEAT.tolerance, BEAT.limit), ("library", *bounds)]
    for name, least, bound in rows:
        print(detection_row(name, found[name], least, bound))
    for variant in (1, 2):
        took = tutorial_notices(variant, rounds * clients)
        print(detection_row(f"tutorial, variant {variant}", took, TUTORIAL[1], sum(TUTORIAL)))
    print()
    return max(found["wslab"]) <= DETECTION_GOAL * BEAT.limit


def detection_row(name: str, took: list[float], least: float, bound: float) -> str:
    if not took:
        return f"| {name} | | {least:.1f} s | {bound:.1f} s | never | ∞ | ∞ |"
    cells = [
        name,
        str(len(took)),
        f"{least:.1f} s",
        f"{bound:.1f} s",
        f"{max(took):.2f} s",
        f"{max(took) / bound:.3f}",
        f"{statistics.median(took) / least:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def tutorial_notices(variant: Any, trials: int) -> list[float]:
    """Return when the tutorial's page notices silence, in virtual time; nothing if never."""
    found, rng = [], random.Random(1)
    for _ in range(trials):
        timers = Timers()
        network = Network(timers)
        page = Page(network, variant)
        silent = 10 + rng.random() * TUTORIAL[0]
        timers.run(silent)
        network.mode = "silent"
        timers.run(10_000)
        found += [at - silent for at, text in page.log if text.startswith("closed")][:1]
    return found


# Recovery


async def ours_recovers(url: str, note: Note) -> None:
    async with ReconnectingClient(url, resume=False) as client:
        async for event in client:
            if isinstance(event, Received):
                note()


async def library_recovers(url: str, note: Note) -> None:
    async for ws in connect(url, proxy=None):
        with contextlib.suppress(ConnectionClosed):
            async for _ in ws:
                note()


async def tutorial_recovers(url: str, note: Note) -> None:
    left = 3
    while left:
        with contextlib.suppress(OSError, ConnectionClosed):
            async with connect(url, proxy=None, open_timeout=None) as ws:
                async for _ in ws:
                    note()
        left -= 1
        await asyncio.sleep(3)


async def greet(ws: Any) -> None:
    await ws.send("Hello")
    await ws.wait_closed()


async def least_possible(url: str) -> float:
    """Return the median time of connecting and getting the first message."""
    found = []
    for _ in range(30):
        start = time.monotonic()
        async with connect(url, proxy=None) as ws:
            await ws.recv()
            found.append(time.monotonic() - start)
    return statistics.median(found)


CANDIDATES = {"wslab": ours_recovers, "library": library_recovers, "tutorial": tutorial_recovers}


async def one_outage(outage: float, clients: int) -> tuple[dict[str, list[float]], float]:
    """Return when each client had its first message, in seconds from the return."""
    arrivals: dict[str, dict[int, list[float]]] = {name: {} for name in CANDIDATES}

    def noting(name: str, number: int) -> Note:
        mine = arrivals[name].setdefault(number, [])
        return lambda: mine.append(time.monotonic())

    def all_have(count: int) -> bool:
        return all(len(mine) >= count for group in arrivals.values() for mine in group.values())

    server = lab.serve(greet, name="recovery", ping_interval=None)
    port, least = server.port, await least_possible(server.url)
    tasks = [
        asyncio.create_task(run(server.url, noting(name, number)))
        for name, run in CANDIDATES.items()
        for number in range(clients)
    ]
    await server.settle(lambda: all_have(1), within=30)
    loss = time.monotonic()
    await server.stop(0.05)
    await asyncio.sleep(loss + outage - time.monotonic())
    server = lab.serve(greet, name="recovery", port=port, ping_interval=None)
    back = time.monotonic()
    with contextlib.suppress(TimeoutError):
        await server.settle(lambda: all_have(2), within=20)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await server.stop(0.05)
    return {
        name: [mine[1] - back if len(mine) > 1 else float("inf") for mine in group.values()]
        for name, group in arrivals.items()
    }, least


async def recovery(rounds: int, clients: int) -> bool:
    good = True
    print(
        "| recovery after | client | trials | median | quartiles | : library | : least possible |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    for outage in OUTAGES:
        found: dict[str, list[float]] = {name: [] for name in CANDIDATES}
        leasts = []
        for _ in range(rounds):
            times, least = await one_outage(outage, clients)
            leasts.append(least)
            for name, values in times.items():
                found[name] += values
        library, least = statistics.median(found["library"]), statistics.median(leasts)
        for name, values in found.items():
            middle, low, high = Ratio.of(values)
            cells = [f"{outage:g} s", name, str(len(values)), f"{middle:.2f} s"]
            cells += [f"{low:.2f}–{high:.2f} s", f"{middle / library:.2f}", f"{middle / least:.0f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
        good &= statistics.median(found["wslab"]) <= RECOVERY_GOAL * library
    print()
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--clients", type=int, default=20, help="of each kind, %(default)s")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, websockets {version('websockets')}.\n")
    noticed = asyncio.run(detection(options.rounds, options.clients))
    recovered = asyncio.run(recovery(options.rounds, options.clients))
    for good, goal in (
        (noticed, f"detection at most {DETECTION_GOAL} of the bound"),
        (recovered, f"median recovery at most {RECOVERY_GOAL} of the library's"),
    ):
        print(f"{'reached' if good else 'MISSED'}: {goal}")
    return 0 if noticed and recovered else 1


if __name__ == "__main__":
    sys.exit(main())
