"""What it saves to share things in a better way than the obvious one (lessons 11 to 13).

    python benchmarks/shared_things.py [media coediting location] [--rounds N]

In a round each version runs once, in turn, and only ratios of one round count. The table shows
their medians. `_shared_media.py`, `_shared_coediting.py` and `_shared_location.py` say what their
versions are, and what is counted.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import _shared_coediting
import _shared_location
import _shared_media
from _shared import Cost

# By lesson: measures the naive version first, and then ours, once each.
PATTERNS: dict[str, Callable[[], dict[str, Cost]]] = {
    "media": _shared_media.measure,
    "coediting": _shared_coediting.measure,
    "location": _shared_location.measure,
}


def main() -> None:
    """Measure the patterns that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("patterns", nargs="*", default=list(PATTERNS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("naive version = 1.00\n")
    print(f"{'pattern':10} {'version':12}" + "".join(f"{name:>10}" for name in Cost._fields))
    for pattern in options.patterns:
        rounds = [PATTERNS[pattern]() for _ in range(options.rounds)]
        naive = next(iter(rounds[0]))
        for version in rounds[0]:
            row = [
                statistics.median(one[version][part] / one[naive][part] for one in rounds)
                for part in range(len(Cost._fields))
                if rounds[0][naive][part]
            ]
            print(f"{pattern:10} {version:12}" + "".join(f"{ratio:10.4g}" for ratio in row))


if __name__ == "__main__":
    main()
