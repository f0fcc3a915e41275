"""Random scenes between a client and a numbered server, for every client that comes back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from wslab.kit.resume import Log

ACTIONS = ("say", "publish", "cut", "cut", "reset", "drop", "freeze", "delay", "split", "restart")


def scenes(
    bench: Any, rng: random.Random, *, count: int, patience: float, pauses: Sequence[float]
) -> Iterator[float | str]:
    """Do random things to a connection that is in use; then let it be.

    Yields what to do meanwhile: so many seconds to wait, "stop" the server, or wait until the
    client has noticed that it is "offline".
    patience: how probable it is that it is waited for when all is frozen.
    """
    for _ in range(count):
        action = rng.choice(ACTIONS)
        side = rng.choice(["client", "server", "both"])
        bench.say(rng.randint(0, 3))
        bench.publish(rng.randint(0, 3))
        match action:
            case "cut" | "reset":
                getattr(bench.cable, action)(side)
            case "freeze":
                bench.cable.freeze(side)
                if rng.random() < patience:
                    yield "offline"
                bench.cable.thaw()
            case "drop":
                bench.cable.drop_after(rng.randint(0, 200), side)
                yield rng.uniform(0, 0.05)
                bench.cable.cut()
                bench.cable.drop_after(None)
            case "delay":
                bench.cable.delay(rng.choice([0, 0.01]), side)
            case "split":
                bench.cable.split(rng.choice([None, 1, 7, 50]), side, gap=0.0005)
            case "restart":
                yield "stop"
                bench.publish(1)
                bench.start(Log.load(bench.feed.log.dump()))
        yield rng.choice(pauses)
    bench.cable.mend()
    bench.say()
    bench.publish()
