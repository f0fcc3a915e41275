"""Exercises of lesson 15: stock quotes."""

from __future__ import annotations

from random import Random
from typing import Any

from wslab.apps.quotes.books import BinanceBook, KrakenBook
from wslab.apps.quotes.exchange import StockExchange
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

TIME = "1534614248.123678"


# ★ The latest of each


Waiting = list[tuple[str | None, str]]  # pairs of key and text


def _latest(waiting: Waiting) -> Waiting:
    """Return what is to stay."""
    last = {key: place for place, (key, _) in enumerate(waiting)}
    return [one for place, one in enumerate(waiting) if one[0] is None or last[one[0]] == place]


@SET.task()
def conflate(trial: Trial, conflate: Any) -> None:
    """Try lists that are written by hand, and some that are drawn."""
    cases: list[Waiting] = [
        [],
        [("ACME", "1")],
        [("ACME", "1"), ("ACME", "2")],
        [("ACME", "1"), ("BOLT", "1"), ("ACME", "2")],
        [(None, "bell"), ("ACME", "1"), (None, "bell"), ("ACME", "1")],
    ]
    rng = trial.rng
    for _ in range(20):
        keys = [rng.choice(["ACME", "BOLT", "CRUX", None]) for _ in range(rng.randrange(2, 12))]
        cases.append([(key, str(rng.randrange(3))) for key in keys])
    for case in cases:
        got = trial.result(conflate, case)
        expected = _latest(case)
        count = sum(key is None for key, _ in case)
        kept = sum(one in case and one[0] is None for one in got if isinstance(one, tuple))
        message = "a message without a key must arrive"
        trial.want(kept == count, message, expected=shown(expected), got=shown(got))
        is_same = sorted(map(repr, got)) == sorted(map(repr, expected))
        message = "the order has changed" if is_same else "these are not the latest of each key"
        trial.same(got, expected, message)


# ★★ Kraken's checksum

# Spellings that a number would not keep.
BOOKS = [
    ([["0.05005", "0.00000500", TIME]], [["0.05000", "0.00000500", TIME]]),
    ([["9.5", "1.00000000", TIME], ["10.0", "2.00000000", TIME]], [["9.4", "0.00000010", TIME]]),
    ([], [["8.9", "1.0", TIME], ["10.1", "20.0", TIME]]),
    ([["1.10000", "3.00000000", TIME, "r"], ["1.09000", "3.5", TIME]], []),
]


@SET.task()
def checksum(trial: Trial, checksum: Any) -> None:
    """Try small books, the documented one, and a side with more than ten levels."""
    rng = trial.rng
    places = (5000, 4995, 4990, 4980, 4975, 4970, 4965, 4960, 4955, 4950)
    documented = (
        [[f"0.05{place:03}", "0.00000500", TIME] for place in range(5, 55, 5)],
        [[f"0.0{place}", "0.00000500", TIME] for place in places],
    )
    exchange = StockExchange(Random(rng.randrange(1000)), symbols=("ACME",), depth=25)
    (feed,) = exchange.south.values()
    deep = feed.snapshot()
    for asks, bids in [*BOOKS, documented, (deep["as"], deep["bs"])]:
        book = KrakenBook(1000)
        book.apply({"as": asks, "bs": bids})
        sides = [list(asks), list(bids)]
        for side in sides:
            rng.shuffle(side)
        got = trial.result(checksum, *sides)
        size = f"{len(asks)} asks and {len(bids)} bids"
        trial.same(got, book.checksum, f"this is not the checksum of a book with {size}")


# ★★★ A book from a stream


def _story(rng: Random) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a snapshot and the events that were buffered; it falls into the middle of one."""
    exchange = StockExchange(Random(rng.randrange(10**6)), symbols=("ACME",))
    (feed,) = exchange.north.values()
    events: list[dict[str, Any]] = []
    snapshot = feed.snapshot(1000)
    at = rng.randrange(3, 9)
    while len(events) < 20:
        for _ in range(3):
            feed.market.step()
        if len(events) == at:
            snapshot = feed.snapshot(1000)
            while feed.snapshot(1)["lastUpdateId"] == snapshot["lastUpdateId"]:
                feed.market.step()
        if event := feed.event():
            events.append(event)
    return snapshot, events


def _expect(
    trial: Trial, rebuild: Any, snapshot: dict[str, Any], events: list[Any], what: str
) -> None:
    book = BinanceBook(snapshot)
    for event in events:
        book.apply(event)
    got = trial.result(rebuild, snapshot, events)
    trial.want(got is not None, f"{what}: this is no gap", got="None")
    for name, side, expected in zip(trial.values, got, (book.bids, book.asks), strict=True):
        trial.same(side, dict(expected), f"{what}: {name} are wrong")


@SET.task()
def rebuild(trial: Trial, rebuild: Any) -> None:
    """Try whole stories, and such as have a gap at the beginning or later."""
    for _ in range(4):
        snapshot, events = _story(trial.rng)
        start = next(n for n, e in enumerate(events) if e["u"] > snapshot["lastUpdateId"])
        _expect(trial, rebuild, snapshot, events, "a snapshot in the middle of the stream")
        _expect(trial, rebuild, snapshot, events[:start], "only events that the snapshot has")
        twice = events[: start + 3] + events[start + 1 :]
        _expect(trial, rebuild, snapshot, twice, "two events that come twice")
        late = trial.call(rebuild, snapshot, events[start + 1 :])
        message = "the snapshot is too old: the first event begins after its next update"
        trial.want(late is None, message, expected="None")
        lost = trial.call(rebuild, snapshot, events[: start + 2] + events[start + 3 :])
        trial.want(lost is None, "an event is missing between two others", expected="None")
        third = events[start + 2]
        early = {**third, "U": third["U"] - 1}
        over = trial.call(rebuild, snapshot, [*events[: start + 2], early])
        trial.want(over is None, "a later event begins before the last one ends", expected="None")
    empty = {"lastUpdateId": 7, "bids": [["1.0", "1.0"]], "asks": []}
    event = {"U": 8, "u": 9, "b": [["1.0", "0"], ["0.9", "0.0000"]], "a": [["1.1", "0.10"]]}
    _expect(trial, rebuild, empty, [event], "a side that becomes empty")
