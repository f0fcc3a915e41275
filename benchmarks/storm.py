"""A reconnection storm: what a server has to withstand when everybody comes back.

    python benchmarks/storm.py [--clients N] [--plot FILE]

All clients lose their connection at the same moment, and the server returns after an outage. In
virtual time, bins of 1 s. The policies are those of wslab/kit/backoff.py; "fixed 3 s" is the
delay of the tutorial (the Chinese article on WebSocket that the course started from), repeated
without end: its own page stops after two attempts, and is the last row.

    burst     the most attempts in a bin while nothing listens: the price of a fast first retry
    peak      the most attempts in a bin from the server's return on
    : fixed   that, as a part of the fixed delay's
    back      seconds from the server's return until 99% are connected, if it takes everybody
    back, 1/10  the same, if it accepts a tenth of the clients in a second
    CPU       seconds of this machine that the simulation took

The goal: with full jitter and a cap of 30 s the peak is at most a tenth of the fixed delay's.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time

import numpy as np

from wslab.apps.reconnect.storm import Storm, storm
from wslab.kit.backoff import Backoff, Decorrelated, Fixed, LibraryDefault, Policy

POLICIES: list[Policy] = [
    Fixed(3),
    Backoff(jitter=False),
    Backoff(),
    Decorrelated(),
    LibraryDefault(),
]
OUTAGES = (20, 60, 120)
GOAL = 0.1

HEAD = (
    "| outage | policy | burst | peak | : fixed | attempts per client | back | back, 1/10 | CPU |\n"
    "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
)


def row(found: Storm, fixed: Storm, limited: Storm, cpu: float) -> str:
    cells = [
        f"{found.outage:g} s",
        found.policy,
        f"{found.burst:,}",
        f"{found.peak:,}",
        f"{found.peak / fixed.peak:.3f}",
        f"{found.total / found.clients:.1f}",
        f"{found.recovered():.0f} s",
        f"{limited.recovered():.0f} s",
        f"{cpu:.1f} s",
    ]
    return f"| {' | '.join(cells)} |"


def plot(path: str, storms: list[Storm]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    for found in storms:
        axes.step(found.times, found.attempts / found.clients, where="post", label=found.policy)
    axes.axvline(storms[0].outage, color="gray", linestyle=":")
    axes.set(xlabel="seconds since the loss", ylabel="attempts per client and second")
    axes.legend()
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1_000_000, help="default %(default)s")
    parser.add_argument("--plot", metavar="FILE", help="draw the attempts, outage of 60 s")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}.")
    print(f"{options.clients:,} clients, bins of 1 s.\n\n{HEAD}")
    drawn, worst = [], 0.0
    for outage in OUTAGES:
        fixed = storm(options.clients, POLICIES[0], outage=outage)
        for policy in POLICIES:
            begin = time.process_time()
            found = storm(options.clients, policy, outage=outage)
            cpu = time.process_time() - begin
            limited = storm(options.clients, policy, outage=outage, capacity=options.clients / 10)
            print(row(found, fixed, limited, cpu), flush=True)
            if policy == Backoff():
                worst = max(worst, found.peak / fixed.peak)
            if outage == 60:
                drawn.append(found)
    print(
        "\nThe tutorial's own page makes two attempts, 3 s and 6 s after the loss: with every one"
    )
    print("of these outages nobody ever comes back.")
    if options.plot:
        plot(options.plot, drawn)
    print(f"\nFull jitter: at most {worst:.3f} of the fixed delay's peak; the goal is {GOAL}.")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
