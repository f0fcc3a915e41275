"""Exercises of lesson 10: danmaku."""

from __future__ import annotations

import tracemalloc
import zlib
from collections import Counter
from random import Random
from typing import Any

from wslab.apps.danmaku.bilibili import HEADER, LivePacket, packed
from wslab.apps.danmaku.stage import PHRASES, start_distance
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown

__all__ = ["SET"]

SET = TaskSet.beside(__file__)


# ★ A free lane

Lanes = list[tuple[float, float] | None]

# Lanes, start, width, and the right answer; the stage is 800 wide, and comments take 5 seconds.
LANES: list[tuple[Lanes, float, float, int | None, str]] = [
    ([None], 0, 100, 0, "no comment has been in this lane"),
    ([(0, 200)], 1, 200, 0, "the tail passes the right edge at the very moment"),
    ([(0, 200)], 0.9, 200, None, "the tail has not passed the right edge yet"),
    ([(0, 200)], 0.9, 50, None, "the tail has not passed the right edge yet"),
    ([(0, 50)], 0.9, 200, None, "the later comment reaches the left edge too early"),
    ([(0, 50)], 1.01, 200, 0, "the earlier comment has left when the later one comes"),
    ([(0, 200), None], 0.5, 10, 1, "the first lane is taken, and the second one is free"),
    ([None, None], 3, 10, 0, "with two free lanes, the first one counts"),
    ([(2, 100), (2, 100)], 2, 100, None, "all lanes are taken"),
    ([(0, 3200)], 4.1, 10, 0, "the earlier comment is wider than the stage"),
    ([(0, 3200)], 3.9, 10, None, "the earlier comment is wider than the stage"),
]


@SET.task()
def free_lane(trial: Trial, free_lane: Any) -> None:
    """Try cases that are written by hand, and some that are drawn."""
    for lanes, start, width, expected, why in LANES:
        trial.same(trial.result(free_lane, lanes, start, width, 800, 5), expected, why)
    rng = trial.rng
    for _ in range(30):
        stage, seconds = rng.randrange(300, 1500), rng.randrange(3, 9)
        width, lanes = rng.randrange(10, 400), []
        right: int | None = None
        for number in range(3):
            earlier = rng.randrange(10, 400)
            distance = start_distance(earlier, width, stage=stage, seconds=seconds)
            is_free = rng.random() < 0.3
            lanes.append((9 - distance + (-0.02 if is_free else 0.02), earlier))
            right = number if is_free and right is None else right
        trial.same(
            trial.call(free_lane, lanes, 9, width, stage, seconds), right, "this is not the lane"
        )


# ★★ A fair window

Said = list[tuple[str, str]]  # pairs of person and text


def _fair(comments: Said, most: int) -> Said:
    counts: Counter[str] = Counter()
    ranked = []
    for place, (person, _) in enumerate(comments):
        counts[person] += 1
        ranked.append((counts[person], place))
    return [comments[place] for _, place in sorted(sorted(ranked)[:most], key=lambda one: one[1])]


@SET.task()
def fair(trial: Trial, fair: Any) -> None:
    """Try a person who shouts, equal persons, and windows that are drawn."""
    loud = [("Zoe", str(number)) for number in range(5)]
    cases: list[tuple[Said, int]] = [
        ([], 3),
        ([("Ann", "hi")], 3),
        ([("Ann", "hi")], 0),
        ([*loud, ("Ann", "hi")], 2),
        ([("Ann", "hi"), *loud], 4),
        ([*loud[:2], ("Ann", "a"), ("Ann", "b"), *loud[2:]], 3),
        ([("Ann", "666"), ("Ben", "666"), ("Ann", "666")], 2),
    ]
    for _ in range(20):
        people = trial.rng.choices(["Ann", "Ben", "Cho", "Zoe"], [1, 2, 3, 20], k=12)
        cases.append(([(p, trial.rng.choice(PHRASES)) for p in people], trial.rng.randrange(1, 13)))
    for comments, most in cases:
        got = trial.result(fair, comments, most)
        expected = _fair(comments, most)
        size = len(expected)
        trial.want(len(got) == size, f"expected {size} of {len(comments)} comments", got=shown(got))
        turns, wanted = (Counter(one[:1] for one in side) for side in (got, expected))
        message = "a person has a second turn before somebody's first one"
        trial.want(turns == wanted, message, expected=shown(expected), got=shown(got))
        is_same = sorted(map(repr, got)) == sorted(map(repr, expected))
        message = "the order has changed" if is_same else "of each person, the earliest come first"
        trial.same(got, expected, message)


# ★★★ Bilibili's packets

LIMIT = 100_000  # bytes that may come out of a message


def _run(rng: Random) -> list[LivePacket]:
    return [
        LivePacket(rng.choice((2, 3, 5, 8)), rng.randbytes(rng.randrange(40)), rng.randrange(2))
        for _ in range(rng.randrange(1, 5))
    ]


def _zipped(run: bytes) -> bytes:
    return LivePacket(5, zlib.compress(run), 2).serialize()


def _bad() -> list[tuple[bytes, str]]:
    good = LivePacket(5, b"{}", 0).serialize()
    large = _zipped(LivePacket(5, bytes(60_000), 0).serialize())
    return [
        (good + good[:9], "the second header is cut off"),
        (good[:-1], "the packet length is beyond the end of the data"),
        (HEADER.pack(8, 16, 0, 16, 16 << 16) + b"\0\0\0\5\0\0\0\1", "a packet length of 8"),
        (HEADER.pack(0, 16, 0, 5, 1), "the packet length is 0"),
        (HEADER.pack(18, 18, 0, 5, 1) + b"{}", "the header length is not 16"),
        (HEADER.pack(18, 16, 3, 5, 1) + b"{}", "the version is 3"),
        (_zipped(good[:-1]), "a packet within a zlib body is cut off"),
        (large + large, "two bodies have more than 100,000 bytes together"),
        (_zipped(large + large), "two bodies within a third have too many bytes"),
    ]


@SET.task()
def packets(trial: Trial, packets: Any) -> None:
    """Try runs, compressed runs, runs within runs, and hostile messages."""
    for _ in range(12):
        before, inside, after = (_run(trial.rng) for _ in range(3))
        cases = [
            (packed(before), before, "a run of packets"),
            (_zipped(packed(inside)), inside, "a run in a zlib body"),
            (
                packed(before) + _zipped(packed(inside)) + packed(after),
                before + inside + after,
                "a zlib body between other packets",
            ),
            (
                _zipped(_zipped(packed(inside)) + packed(after)),
                inside + after,
                "a zlib body within a zlib body",
            ),
        ]
        for data, run, what in cases:
            expected = [(packet.operation, packet.body) for packet in run]
            trial.same(trial.result(packets, data), expected, f"{what}: the packets are wrong")
    bomb = _zipped(LivePacket(5, bytes(30_000_000), 0).serialize())
    for data, why in [*_bad(), (bomb, "30 million bytes come out")]:
        tracemalloc.start()
        try:
            with trial.must_raise(ValueError, f"your code accepts a bad message: {why}", ""):
                trial.call(packets, data)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        trial.want(
            most < 10_000_000, "your code decompresses a bomb to its end", got=f"{most} bytes"
        )
