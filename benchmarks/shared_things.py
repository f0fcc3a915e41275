"""What each pattern for shared things saves, against its naive version.

    python benchmarks/shared_things.py [location …] [--rounds N]

    location  naive      every fix of every courier to every viewer at once, as JSON
              reckoning  only the fixes that the viewers' model needs (dead reckoning)
              areas      and only those in the viewer's area, five times a second, as JSON
              binary     and in the binary form, within 2,000 bytes a second
              1,000 couriers with a fix a second, 100 viewers of 2 by 2 km each, 30 seconds

The server's code runs without sockets, in virtual time. Its writes are kept, and counted
afterwards. In a round each version runs once, and only ratios of one round count. The table shows
their medians. `bytes` and `messages` are what the viewers receive. `CPU` is the time of this
process for it all, except for the couriers' own work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from wslab.net import now
from wslab.net.clock import run_virtual
from wslab.protocol.frames import Frame, Opcode


class Cost(NamedTuple):
    """What all viewers cost together."""

    bytes: float
    messages: float
    cpu: float


class State(Enum):
    """Of a connection, as the library names it."""

    OPEN = 1


class Sink:
    """A connection to a viewer who says one thing. It keeps what is written."""

    state, subprotocol = State.OPEN, None

    def __init__(self, path: str, said: str) -> None:
        self.request = SimpleNamespace(path=path)
        self.transport = self.protocol = self
        self.written: list[bytes] = []
        self.said, self.over = [said], asyncio.get_running_loop().create_future()

    def __aiter__(self) -> Sink:
        return self

    async def __anext__(self) -> str:
        if not self.said:
            await self.over
            raise StopAsyncIteration
        return self.said.pop()

    async def close(self, *_: Any) -> None:
        """End."""

    def get_protocol(self) -> Any:
        """Stand between."""
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        """Let somebody stand between."""
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Say that all has left."""
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Say that nothing may wait."""
        return 0, 0

    def write(self, data: bytes) -> None:
        """Keep it until the clock has stopped."""
        self.written.append(data)


@lru_cache(100_000)
def frames(data: bytes) -> int:
    """Return how many frames these bytes are."""
    count = start = 0
    while found := Frame.parse(data, start):
        count, start = count + 1, found[1]
    return count


def measured(run: Callable[[], Any]) -> Cost:
    """Run a version in virtual time. It returns its sinks."""
    begin = time.process_time()
    sinks = run_virtual(run())
    cpu = time.process_time() - begin
    written = [data for sink in sinks for data in sink.written]
    return Cost(sum(map(len, written)), sum(map(frames, written)), cpu)


def location() -> dict[str, Cost]:
    """Measure the naive version, and the ideas of lesson 13, one after the other."""
    from wslab.apps.location import OWNTRACKS, City, Fleet
    from wslab.apps.location.senders import on_map

    couriers, viewers, seconds, start = 1000, 100, 30, 1_800_000_000
    rng = Random(13)
    corners = [[rng.uniform(-4000, 2000) for _ in "xy"] for _ in range(viewers)]
    areas = [[*on_map(x, y), *on_map(x + 2000, y + 2000)] for x, y in corners]

    def rides(threshold: float) -> list[Any]:
        fleet = Fleet(13, couriers, threshold=threshold)
        return [fleet.step(start + second) for second in range(seconds)]

    async def publish(rides: list[Any]) -> list[Sink]:
        sinks = [Sink("/", "") for _ in areas]
        for due in rides:
            for number, fix in due:
                text = OWNTRACKS.record(number, fix)
                for sink in sinks:  # as `websockets.broadcast` does
                    sink.write(Frame(Opcode.TEXT, text.encode()).serialize())
            await asyncio.sleep(1)
        return sinks

    async def look(rides: list[Any], path: str, budget: int) -> list[Sink]:
        city = City(clock=lambda: start + now(), budget=budget)
        sinks = [Sink(path, json.dumps({"area": area})) for area in areas]
        looking = [asyncio.create_task(city(sink)) for sink in sinks]
        for due in rides:
            for number, fix in due:
                city.roster.report(number, fix)
            await asyncio.sleep(1)
        for sink in sinks:
            sink.over.set_result(None)
        await asyncio.gather(*looking)
        return sinks

    every, due = rides(-1), rides(20)
    versions: dict[str, Callable[[], Any]] = {
        "naive": lambda: publish(every),
        "reckoning": lambda: publish(due),
        "areas": lambda: look(due, "/area/json", 10**6),
        "binary": lambda: look(due, "/area", 2000),
    }
    return {name: measured(version) for name, version in versions.items()}


# By lesson: measures the naive version and then ours, once each.
PATTERNS: dict[str, Callable[[], dict[str, Cost]]] = {"location": location}


def main() -> None:
    """Measure the patterns that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("patterns", nargs="*", default=list(PATTERNS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("naive version = 1.00\n")
    print(f"{'pattern':10} {'version':10} {'bytes':>8} {'messages':>9} {'CPU':>6}")
    for name in options.patterns:
        rounds = [PATTERNS[name]() for _ in range(options.rounds)]
        naive = next(iter(rounds[0]))
        for version in rounds[0]:
            ratios = [
                statistics.median(one[version][part] / one[naive][part] for one in rounds)
                for part in range(3)
            ]
            print(f"{name:10} {version:10} {ratios[0]:8.4f} {ratios[1]:9.4f} {ratios[2]:6.2f}")


if __name__ == "__main__":
    main()
