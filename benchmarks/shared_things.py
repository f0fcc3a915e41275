"""What each pattern for shared things saves, against its naive version.

    python benchmarks/shared_things.py [coediting …] [--rounds N]

    coediting naive      the whole text after each keystroke
              state      `get_update(state)`, with the state before the keystroke
              event      the update that the change event carries
              batched    the events of twenty keystrokes, merged into one message
              2,000 keystrokes in a text of 20,000 characters, one in ten of them a deletion

In a round each version runs once, and only ratios of one round count. The table shows their
medians. `bytes` and `messages` are what a writer sends. `CPU` is the time of this process, which
for coediting is that of both ends: making the messages, and applying them to another copy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Cost(NamedTuple):
    """What all messages cost together."""

    bytes: float
    messages: float
    cpu: float


# Lesson 12


def coediting() -> dict[str, Cost]:
    """Let somebody type into a long text, and tell it to another copy in four ways."""
    import pycrdt

    def typed(version: str, together: int = 1) -> Cost:
        rng, doc, other = Random(12), pycrdt.Doc(client_id=1), pycrdt.Doc(client_id=2)
        doc["text"] = text = pycrdt.Text("word " * 4000)
        other.apply_update(doc.get_update())
        waiting: list[bytes] = []
        subscription = doc.observe(lambda event: waiting.append(event.update))
        sizes, copy = list[int](), ""
        begin = time.process_time()
        for number in range(1, 2001):
            state = doc.get_state() if version == "state" else b""
            if number % 10 == 0:
                at = rng.randrange(len(text))
                del text[at : at + 1]
            else:
                text.insert(10_000 + number, "x")
            if number % together:
                continue
            if version == "naive":
                message = str(text).encode()
                copy = message.decode()
            else:
                update = doc.get_update(state) if version == "state" else waiting[-1]
                message = pycrdt.merge_updates(*waiting) if together > 1 else update
                other.apply_update(message)
            waiting.clear()
            sizes.append(len(message))
        cpu = time.process_time() - begin
        assert (copy or str(other.get("text", type=pycrdt.Text))) == str(text)
        del subscription
        return Cost(sum(sizes), len(sizes), cpu)

    versions = {name: typed(name) for name in ("naive", "state", "event")}
    return versions | {"batched": typed("batched", 20)}


# By lesson: measures the naive version and then ours, once each.
PATTERNS: dict[str, Callable[[], dict[str, Cost]]] = {"coediting": coediting}


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
