"""Exercises of lesson 12: collaborative editing."""

from __future__ import annotations

from random import Random
from typing import Any

from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.kit.client_events import EXPIRES
from wslab.kit.messages import varuint

__all__ = ["SET"]

SET = TaskSet.beside(__file__)


# ★ A varUint


@SET.task()
def read(trial: Trial, read: Any) -> None:
    """Try numbers at the boundaries, and some that are drawn, with bytes behind them."""
    rng = trial.rng
    numbers = [0, 1, 127, 128, 255, 256, 300, 16383, 16384, 2**31, 2**53 - 1]
    numbers += [rng.randrange(2 ** rng.randrange(1, 54)) for _ in range(20)]
    for number in numbers:
        rest = rng.randbytes(rng.randrange(4))
        got = trial.result(read, varuint(number) + rest)
        trial.same(got[0], number, f"the number in {varuint(number).hex(' ')} is wrong")
        trial.same(got[1], rest, "the bytes behind the number are wrong")


# ★★ Who is present

Heard = list[tuple[float, int, int, Any]]  # seconds, client, clock, state


def _present(heard: Heard, now: float) -> dict[int, Any]:
    """Return the state of each client that is present."""
    known: dict[int, tuple[float, int, Any]] = {}
    for at, client, clock, state in heard:
        last = known[client][1] if client in known else -1
        if clock > last or (clock == last and state is None):
            known[client] = at, clock, state
    there = [client for client, (at, _, state) in known.items() if state is not None]
    return {client: known[client][2] for client in there if now - known[client][0] < EXPIRES}


CASES: list[tuple[Heard, float]] = [
    ([], 0.0),
    ([(0, 1, 1, {"name": "Ada"})], 29.9),
    ([(0, 1, 1, {"name": "Ada"})], 30.0),
    ([(0, 1, 5, "new"), (1, 1, 4, "old")], 2.0),
    ([(0, 1, 5, "first"), (20, 1, 5, "again")], 40.0),
    ([(0, 1, 5, "a"), (20, 1, 6, "b")], 40.0),
    ([(0, 1, 5, "a"), (1, 1, 5, None)], 2.0),
    ([(0, 1, 5, "a"), (1, 1, 4, None)], 2.0),
    ([(0, 1, 5, "a"), (1, 2, 1, "b"), (2, 1, 6, None)], 3.0),
]


@SET.task()
def present(trial: Trial, present: Any) -> None:
    """Try cases that are written by hand, and stories that are drawn."""
    cases, rng = list(CASES), trial.rng
    for _ in range(30):
        heard: Heard = []
        at = 0.0
        for _ in range(rng.randrange(1, 12)):
            at += rng.choice([0.5, 1, 5, 12])
            state = rng.choice(["a", "b", {"name": "c"}, None])
            heard.append((at, rng.randrange(1, 4), rng.randrange(1, 9), state))
        cases.append((heard, at + rng.choice([0, 7, 30])))
    for heard, now in cases:
        got = trial.result(present, list(heard), now)
        expected = _present(heard, now)
        message = f"at {now:g} s, after {shown(heard)}, these are not the ones who are present"
        trial.same(got, expected, message)


# ★★★ A text that converges

Id = tuple[int, int]  # a counter and a client


def _written(rng: Random, count: int) -> tuple[list[tuple[Id, Id | None, str]], set[Id]]:
    """Return what three people insert, and what they delete. Each knows some of the others'."""
    items: list[tuple[Id, Id | None, str]] = []
    known: dict[int, list[Id]] = {1: [], 2: [], 3: []}
    for _ in range(count):
        client = rng.choice([1, 2, 3])
        if rng.random() < 0.3:
            other = rng.choice([1, 2, 3])
            known[client] = sorted({*known[client], *known[other]})
        after = rng.choice([None, *known[client]]) if rng.random() < 0.4 else None
        after = after or (known[client][-1] if known[client] and rng.random() < 0.8 else None)
        counter = 1 + max((one for one, _ in known[client]), default=0)
        items.append(((counter, client), after, rng.choice("abcdefgh你")))
        known[client].append((counter, client))
    return items, set(rng.sample([id for id, _, _ in items], count // 5))


def _text(items: list[tuple[Id, Id | None, str]], deleted: set[Id]) -> str:
    """Return the text: after a character, the newest insertion comes first."""
    after: dict[Id | None, list[tuple[Id, str]]] = {}
    for id, place, letter in items:
        after.setdefault(place, []).append((id, letter))
    text, stack = "", sorted(after.get(None, []))
    while stack:
        id, letter = stack.pop()
        text += "" if id in deleted else letter
        stack += sorted(after.get(id, []))
    return text


@SET.task()
def text(trial: Trial, text: Any) -> None:
    """Try small texts by hand, and what three people write at the same time, in any order."""
    rng = trial.rng
    cases: list[tuple[list[tuple[Id, Id | None, str]], set[Id]]] = [
        ([], set()),
        ([((1, 1), None, "a")], set()),
        ([((1, 1), None, "a"), ((2, 1), (1, 1), "b"), ((3, 1), (2, 1), "c")], {(2, 1)}),
        ([((1, 1), None, "a"), ((2, 1), (1, 1), "b"), ((2, 2), (1, 1), "c")], set()),
        ([((1, 1), None, "a"), ((2, 2), None, "b"), ((3, 1), (1, 1), "c")], set()),
        *(_written(rng, count) for count in (5, 10, 20, 40)),
    ]
    for items, deleted in cases:
        expected, seen = _text(items, deleted), []
        for given in (items, items[::-1], rng.sample(items, len(items))):
            seen.append(trial.result(text, list(given), set(deleted)))
        message = "the copies diverge: the text depends on the order in which the items arrived"
        trial.want(len(set(seen)) == 1, message, got=shown(seen[:2]))
        what = f"{len(items)} items, {len(deleted)} of them deleted: this is a different text"
        trial.same(seen[0], expected, what)
