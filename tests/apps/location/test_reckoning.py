"""The error at the viewer is at most threshold + speed × latency, whatever the network does."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from itertools import repeat
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wslab.apps.location import BINARY, TICK, Fix, Fleet
from wslab.apps.location.places import FORMS, HEARTBEAT, distance
from wslab.apps.location.senders import Reckoner, Rider, on_map
from wslab.net import Fault, now, simulate

from .town import EPOCH, OPTIONS, URL, box, clock, town

THRESHOLD, TOP = 20.0, 9.0  # metres; metres a second of our riders
PARTING = 2 * TOP  # how fast a rider who turns round leaves the model
ROUNDED = 0.2  # metres that the forms may err


class Zigzag:
    """A bad courier: it always rides at top speed, and turns round at random times."""

    def __init__(self, seed: int) -> None:
        self.rng, self.x, self.turn, self.sign = Random(seed), 0.0, 5.0, 1

    def step(self, seconds: float) -> None:
        self.turn -= seconds
        if self.turn <= 0:
            self.turn, self.sign = self.rng.uniform(1, 15), -self.sign
        self.x += self.sign * TOP * seconds

    def fix(self, time: float) -> Fix:
        return Fix(time, *on_map(self.x, 0), TOP, 90.0 if self.sign > 0 else 270.0)


class TestSender:
    @pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
    @pytest.mark.parametrize("threshold", [0.0, 5.0, 20.0, 100.0])
    def test_the_model_is_within_the_threshold(self, form: Any, threshold: float) -> None:
        riders = [Rider(Random(seed)) for seed in range(10)] + [Zigzag(seed) for seed in range(5)]
        for rider in riders:
            reckoner = Reckoner(threshold, form=form)
            for second in range(1, 300):
                rider.step(1)
                fix = rider.fix(EPOCH + second)
                reckoner.is_due(fix)
                assert reckoner.sent is not None
                error = distance(reckoner.sent.at(fix.time), fix.place)
                assert error <= max(threshold, ROUNDED)
                assert fix.time - reckoner.sent.time < HEARTBEAT

    def test_it_starts_from_what_the_receivers_read(self) -> None:
        """At 4.1 m/s, the receivers read 4.0, so the model falls behind, and the sender knows."""
        reckoner = Reckoner(2.0, heartbeat=10**6)
        times = []
        for second in range(100):
            fix = Fix(EPOCH + second, *on_map(4.1 * second, 0), 4.1, 90)
            if reckoner.is_due(fix):
                times.append(second)
        assert len(times) == 5  # every 20 seconds it is 2 m behind

    def test_who_stands_still_says_so_at_each_heartbeat(self) -> None:
        reckoner = Reckoner()
        due = [s for s in range(60) if reckoner.is_due(Fix(EPOCH + s, 1, 1))]
        assert due == [0, 10, 20, 30, 40, 50]

    def test_old_fixes_and_teleports(self) -> None:
        reckoner = Reckoner()
        assert reckoner.is_due(Fix(EPOCH, 1, 1))
        assert not reckoner.is_due(Fix(EPOCH, 2, 2))
        assert not reckoner.is_due(Fix(EPOCH - 99, 2, 2))
        assert reckoner.is_due(Fix(EPOCH + 1, -80, 180))

    def test_how_much_it_saves(self) -> None:
        naive, ours = (Fleet(13, 50, threshold=threshold) for threshold in (-1.0, THRESHOLD))
        counts = [sum(len(each.step(EPOCH + s)) for s in range(300)) for each in (naive, ours)]
        assert counts[0] == 50 * 300
        assert counts[1] < counts[0] / 6


# The whole way: courier, server, viewer. The viewer shows a fix that was the sender's model until
# some second. Until then the sender vouched for it. What has passed since then is the latency: the
# second between two fixes, the server's tick, and whatever the network does.

FAULTS: dict[str, list[Fault]] = {
    "perfect": [],
    "delay": [Fault("delay", at=10, lasts=30, amount=1.5)],
    "freeze": [Fault("freeze", at=12, lasts=4, side="server")],
    "slow": [Fault("throttle", at=10, lasts=20, amount=60)],
    "cut": [Fault("cut", at=15)],
    "lost and cut": [Fault("drop_after", at=10, lasts=8), Fault("reset", at=18, lasts=1)],
    "twice": [Fault("cut", at=11, lasts=2), Fault("freeze", at=20, lasts=3), Fault("cut", at=23)],
}


class World:
    """A zigzagging courier and a viewer, who both come back. samples: (latency, error)."""

    def __init__(self, seed: int) -> None:
        self.rider, self.reckoner = Zigzag(seed), Reckoner(THRESHOLD)
        self.vouched: dict[Fix | None, float] = {}
        self.shown: dict[int, Fix | None] = {}
        self.samples: list[tuple[float, float]] = []

    async def drive(self, ws: Any) -> None:
        self.reckoner.sent = None  # the first fix of a connection is always due
        while True:
            fix = self.rider.fix(EPOCH + now() // 1)
            if self.reckoner.is_due(fix):
                await ws.send(BINARY.message(clock(), [BINARY.record(0, fix)]))
            await asyncio.sleep(now() // 1 + 1.02 - now())

    async def watch(self, ws: Any) -> None:
        self.shown.clear()
        await ws.send(json.dumps({"area": box(0, 0, 1900)}))
        async for data in ws:
            if isinstance(data, bytes):
                self.shown.update(BINARY.read(data))

    async def main(self) -> list[tuple[float, float]]:
        async def stay(path: str, program: Any) -> None:
            connecting = connect(URL + path, proxy=None, open_timeout=2, **OPTIONS)
            connecting.reconnect_delays = lambda: repeat(0.3)
            async for ws in connecting:
                with suppress(ConnectionClosed):
                    await program(ws)

        async with town():
            paths = {"/courier": self.drive, "/area": self.watch}
            tasks = [asyncio.create_task(stay(*each)) for each in paths.items()]
            for step in range(1, 600):
                await asyncio.sleep(step / 10 - now())
                self.look(step)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.samples

    def look(self, step: int) -> None:
        """Move the courier, and compare it with what the viewer shows."""
        self.rider.step(0.1)
        time, place = EPOCH + step / 10, self.rider.fix(EPOCH).place
        if step % 10 == 0:
            model = self.reckoner.sent
            if model and distance(model.at(time), place) <= THRESHOLD:
                self.vouched[model] = time
        for fix in self.shown.values():
            if fix in self.vouched:
                error = distance(fix.at(time), place)
                self.samples.append((time - self.vouched[fix], error))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FAULTS)
def test_the_bound_holds_under_delay_and_loss(name: str, seed: int) -> None:
    samples = simulate(World(seed).main, faults=FAULTS[name]).result()
    assert len(samples) > 200
    for latency, error in samples:
        assert error <= THRESHOLD + PARTING * latency + ROUNDED
    longest = max(latency for latency, _ in samples)
    if name == "perfect":
        assert longest <= 1 + TICK + 0.11
        assert max(error for _, error in samples) > THRESHOLD
    if name == "delay":
        assert longest > 2.5
