"""Exercises of lesson 13: location."""

from __future__ import annotations

from random import Random
from typing import Any

from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.kit.ratelimit import Budget
from wslab.protocol.mqtt import Packet, PacketKind, PacketReader

__all__ = ["SET"]

SET = TaskSet.beside(__file__)


# ★ Is a fix due?

CASES: list[tuple[str, Any, bool]] = [
    ("the first fix", (None, (0, 5, 5), 20, 10), True),
    ("the model is right", ((0, 0, 0, 3, 4), (5, 15, 20), 20, 10), False),
    ("the courier stands still, as it said", ((0, 7, 7, 0, 0), (9, 7, 7), 20, 10), False),
    ("the heartbeat is due at this second", ((0, 7, 7, 0, 0), (10, 7, 7), 20, 10), True),
    ("the heartbeat is overdue", ((0, 7, 7, 0, 0), (99, 7, 7), 20, 10), True),
    ("the courier has stopped, 20 m behind", ((0, 0, 0, 4, 0), (5, 0, 0), 20, 10), False),
    ("the courier has stopped, 24 m behind", ((0, 0, 0, 4, 0), (6, 0, 0), 20, 10), True),
    ("it turned round", ((100, 50, 0, 9, 0), (102, 32, 0), 20, 10), True),
    ("15 m off in x and 15 m in y", ((0, 0, 0, 0, 0), (1, 15, 15), 20, 10), True),
    ("12 m off in x and 12 m in y", ((0, 0, 0, 0, 0), (1, -12, 12), 20, 10), False),
    ("the same time again", ((50, 0, 0, 0, 0), (50, 900, 0), 20, 10), False),
    ("an older fix", ((50, 0, 0, 0, 0), (40, 900, 0), 20, 10), False),
    ("a threshold of 0 and a model that is right", ((0, 0, 0, 2, 0), (3, 6, 0), 0, 10), False),
]


def _due(sent: Any, fix: Any, threshold: float, heartbeat: float) -> bool:
    if sent is None:
        return True
    time, x, y, vx, vy = sent
    seconds = fix[0] - time
    aside = (x + vx * seconds - fix[1]) ** 2 + (y + vy * seconds - fix[2]) ** 2
    return bool(seconds > 0 and (aside > threshold**2 or seconds >= heartbeat))


@SET.task()
def is_due(trial: Trial, is_due: Any) -> None:
    """Try cases by hand, and some that are drawn."""
    rng = trial.rng
    cases = list(CASES)
    for _ in range(60):
        sent = (rng.randrange(50), *(rng.randint(-30, 30) for _ in range(2)))
        sent = (*sent, *(rng.randint(-9, 9) for _ in range(2)))
        fix = (sent[0] + rng.randint(-2, 12), *(rng.randint(-80, 80) for _ in range(2)))
        given = (sent, fix, rng.choice((5, 20, 50)), rng.choice((5, 10)))
        cases.append((f"sent {sent}, fix {fix}, threshold {given[2]}", given, _due(*given)))
    for name, given, expected in cases:
        message = f"{name}: this must be sent" if expected else f"{name}: nothing must be sent"
        trial.same(trial.result(is_due, *given), expected, message)


# ★★ Packets in pieces


def _cut(data: bytes, sizes: Any) -> list[bytes]:
    messages, start = [], 0
    while start < len(data):
        size = sizes()
        messages.append(data[start : start + size])
        start += size
    return messages


@SET.task()
def packets(trial: Trial, packets: Any) -> None:
    """Cut the same packets in many ways, and leave off their end."""
    rng = trial.rng
    ping = Packet(PacketKind.PINGREQ).serialize()
    topics = [Packet.publish("a/b", rng.randbytes(size)) for size in (0, 5, 122, 123, 300, 20_000)]
    stories = [b"", ping, ping * 3, b"".join(each.serialize() for each in topics)]
    stories.append(stories[-1] + ping + topics[3].serialize()[:-1])
    stories += [topics[4].serialize()[:size] for size in (1, 2, 3, 4)]
    for story in stories:
        expected = [(each.kind << 4 | each.flags, each.body) for each in PacketReader().feed(story)]
        cuts = [("one message", lambda: 10**6), ("a message for each byte", lambda: 1)]
        cuts.append(("messages of any size", lambda: rng.choice((1, 2, 7, 130, 5000))))
        for name, sizes in cuts[: 3 if len(story) < 2000 else 1] + cuts[2:]:
            got = trial.result(packets, _cut(story, sizes))
            what = f"{len(story)} bytes in {name}"
            message = f"{what}: {len(expected)} packets are complete, you found {len(got)}"
            trial.want(len(got) == len(expected), message)
            trial.same(got, expected, f"{what}: the packets differ")


# ★★★ A budget without starving

Turns = list[dict[str, tuple[int, int]]]


def _spent(turns: Turns, budget: int) -> list[list[str]]:
    # The bucket holds what one turn gives, so nothing is saved from turn to turn.
    purse, sent = Budget(budget, now=0), []
    for turn, new in enumerate(turns):
        for name, (size, weight) in new.items():
            purse.offer(name, size, weight)
        sent.append([str(name) for name, _ in purse.spend(turn, lambda _, size: int(size))])
    return sent


def _rush(rng: Random) -> Turns:
    names = [f"c{number}" for number in range(rng.randrange(3, 9))]
    turns: Turns = []
    for _ in range(30):
        chosen = [name for name in names if rng.random() < 0.6]
        turns.append({name: (rng.randint(5, 20), rng.choice((1, 1, 4))) for name in chosen})
    return turns


@SET.task()
def spend(trial: Trial, spend: Any) -> None:
    """Try small cases, one in which the naive order starves somebody, and some that are drawn."""
    same: Turns = [{"a": (10, 1), "b": (10, 1), "c": (10, 1)}, {}, {}]
    loud: Turns = [{"loud": (10, 4), "quiet": (10, 1)} for _ in range(12)]
    large: Turns = [{"large": (20, 1)}, *({"small": (5, 1)} for _ in range(6))]
    cases: list[tuple[str, Turns, int]] = [
        ("no turns", [], 10),
        ("nothing is new", [{}, {}], 10),
        ("three alike, and one fits", same, 10),
        ("a loud one and a quiet one", loud, 10),
        ("a large one and a small one", large, 22),
        ("a newer one replaces the older", [{"a": (9, 1), "b": (9, 5)}, {"a": (3, 2)}, {}], 10),
    ]
    cases += [("a rush hour", _rush(trial.rng), trial.rng.randint(20, 60)) for _ in range(8)]
    for name, turns, budget in cases:
        expected = _spent(turns, budget)
        got = trial.result(spend, turns, budget)
        trial.want(len(got) == len(turns), f"{name}: expected a list for each turn", got=shown(got))
        for turn, (ours, theirs) in enumerate(zip(expected, got, strict=True)):
            trial.same(theirs, ours, f"{name}: turn {turn} is wrong")
