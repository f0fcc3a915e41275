"""Compare pieces of code on a machine that has other things to do as well.

A time measured alone says little: the clock rate changes, caches are warm or cold, neighbours come
and go. So every round runs every candidate once, a few milliseconds each, and only the ratio
between neighbours of one round counts. The order turns from round to round, so that nobody is
always first; the median over the rounds leaves out the ones that were disturbed. What is measured
is the process's CPU time, which does not run while others do.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

# The work of a candidate: `run(n)` does the same thing n times.
Run = Callable[[int], object]


class Ratio(NamedTuple):
    """How many times as much CPU a candidate takes as the baseline: median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Ratio:
        """Return the median and the quartiles of the rounds, which are all the same after one."""
        values = values if len(values) > 1 else [*values, *values]
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        """Write the median, with as many digits as mean something."""
        return f"{self.median:.2f}" if self.median < 10 else f"{self.median:.0f}"


def ratios(
    candidates: Mapping[str, Run], baseline: str, *, rounds: int, seconds: float = 0.02
) -> dict[str, Ratio]:
    """Measure the candidates in turn and compare each with the baseline, round by round.

    candidates: by name, the baseline among them.
    rounds: how often each of them runs.
    seconds: CPU time of one run of each, which decides how often it does its work in a run.
    Returns the ratio of CPU time per piece of work, the baseline's own (1.00) included.
    """
    # A coarse clock (16 ms on Windows) needs longer runs.
    seconds = max(seconds, 20 * time.get_clock_info("process_time").resolution)
    counts = {name: _count(run, seconds) for name, run in candidates.items()}
    names = list(candidates)
    found: dict[str, list[float]] = {name: [] for name in names}
    with _no_garbage_collection():
        for turn in range(rounds):
            start = turn % len(names)
            order = names[start:] + names[:start]
            costs = {name: _cost(candidates[name], counts[name]) for name in order}
            for name, cost in costs.items():
                found[name].append(cost / costs[baseline])
    return {name: Ratio.of(values) for name, values in found.items()}


def _cost(run: Run, n: int) -> float:
    """Return the CPU time of one piece of work, in seconds, from a run of n."""
    begin = time.process_time()
    run(n)
    return (time.process_time() - begin) / n


def _count(run: Run, seconds: float) -> int:
    """Find out how often a candidate does its work in this time; this also warms it up."""
    n = 1
    while (spent := _cost(run, n) * n) < seconds / 4:
        n *= 2
    return max(1, round(n * seconds / spent))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from charging one candidate for what another has left behind."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
