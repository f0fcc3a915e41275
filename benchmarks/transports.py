"""What an event costs on each transport, as lesson 01 tells it: bytes, delay, requests, CPU.

    python benchmarks/transports.py [--rounds N] [--events N] [--period SECONDS]

The same events, 33 bytes each, one a period, go to a client over

    polling × 1     a request in each period
    polling × 10    ten requests in each period
    long polling    a request that is answered when there is something
    SSE             server-sent events, one response that never ends
    WebSocket       one connection

through a cable that counts every byte, of both sides, without TCP's and IP's headers and without
the opening handshake, which has a column of its own. "Bare" clients send the least that HTTP
allows, "browser" ones what Chromium sends (wslab/apps/transports/browser_headers.json).

Every round runs all of them, in turning order. Bytes and requests are the medians over the rounds,
delays the median over all events. The server's CPU time is that of its thread, in a measurement of
its own with several clients, so that publishing and waking up are shared; of CPU time only the
ratio within a round counts, and the table has its median and quartiles.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

from _interleave import Ratio

from wslab.apps.transports.browser_headers import recorded
from wslab.apps.transports.comparison import (
    LEAST_TO_CLIENT,
    LEAST_TO_SERVER,
    TransportCost,
    measure,
)

BASELINE = "WebSocket"
PAYLOAD = 33
CPU_CLIENTS = 5

# name: transport, interval in periods
CANDIDATES = {
    "polling × 1": ("polling", 1.0),
    "polling × 10": ("polling", 0.1),
    "long polling": ("long polling", 1.0),
    "SSE": ("SSE", 1.0),
    BASELINE: (BASELINE, 1.0),
}


class Round(NamedTuple):
    """One candidate in one round: with one client, and with several for the CPU time."""

    one: TransportCost
    several: TransportCost


async def compare(headers: str, rounds: int, events: int, period: float) -> dict[str, list[Round]]:
    """Measure all candidates in every round, in turning order."""
    names = list(CANDIDATES)
    found: dict[str, list[Round]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            transport, interval = CANDIDATES[name]
            one, several = [
                await measure(
                    transport,
                    events=events,
                    period=period,
                    interval=interval,
                    headers=headers,
                    payload=PAYLOAD,
                    clients=clients,
                )
                for clients in (1, CPU_CLIENTS)
            ]
            found[name].append(Round(one, several))
    return found


def row(name: str, found: list[Round], baseline: list[Round]) -> str:
    """Write the row of a candidate."""

    def median(value: Callable[[TransportCost], float]) -> float:
        return statistics.median(value(each.one) for each in found)

    size = median(lambda m: m.bytes_per_event)
    times = size / statistics.median(each.one.bytes_per_event for each in baseline)
    delay = statistics.median(delay for each in found for delay in each.one.delays)
    cpu = [
        each.several.cpu_per_event / other.several.cpu_per_event
        for each, other in zip(found, baseline, strict=True)
    ]
    middle, low, high = Ratio.of(cpu)
    cells = [
        name,
        f"{size:.0f}",
        f"{times:.1f}",
        f"{median(lambda m: m.setup):.0f}",
        f"{delay:.2f}",
        f"{median(lambda m: m.requests_per_event):.2f}",
        f"{median(lambda m: m.empty / m.events):.2f}",
        f"{Ratio(middle, low, high)} ({low:.2f}–{high:.2f})",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| {} headers | bytes / event | : WebSocket | set-up, bytes | delay, periods "
    "| requests / event | empty / event | server CPU : WebSocket |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--events", type=int, default=16, help="in a measurement, %(default)s")
    parser.add_argument("--period", type=float, default=0.1, help="seconds, default %(default)s")
    options = parser.parse_args()
    rounds = max(2, options.rounds)
    versions = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "websockets"))
    print(f"Python {platform.python_version()}, {versions}, {recorded()['provenance']['browser']}.")
    print(
        f"{rounds} rounds, {options.events} events of {PAYLOAD} bytes, {options.period:g} s each."
    )
    print(
        f"WebSocket's least: {LEAST_TO_CLIENT} bytes on top to the client, "
        f"{LEAST_TO_SERVER} to the server.\n"
    )
    for headers in ("bare", "browser"):
        found = asyncio.run(compare(headers, rounds, options.events, options.period))
        print(HEAD.format(headers))
        for name in CANDIDATES:
            print(row(name, found[name], found[BASELINE]), flush=True)
        print()


if __name__ == "__main__":
    main()
