"""A token bucket counts in any unit, and a budget goes to what is most urgent."""

from __future__ import annotations

from random import Random

import pytest

from wslab.kit.ratelimit import Budget, TokenBucket


class TestTokenBucket:
    def test_counts(self) -> None:
        bucket = TokenBucket(rate=100, burst=200, now=0)
        assert bucket.take(0, 150) == 50
        assert bucket.take(0, 0) == 50
        assert bucket.wait(0, 100) == pytest.approx(0.5)
        assert bucket.wait(0, 50) == 0
        assert bucket.take(1, 0) == 150
        assert bucket.take(1, 1000) == -200  # owed, up to a burst
        assert bucket.take(9, 1) == 199

    def test_one_is_the_default(self) -> None:
        bucket = TokenBucket(rate=2, burst=1, now=0)
        assert (bucket.take(0), bucket.wait(0)) == (0, 0.5)


def size(_key: object, thing: str) -> int:
    return len(thing)


class TestBudget:
    def test_the_most_urgent_first(self) -> None:
        budget = Budget(30, now=0)
        for key, weight in (("a", 1), ("b", 3), ("c", 2)):
            budget.offer(key, "x" * 10, weight)
        assert budget.spend(0, size, head=5) == [("b", "x" * 10), ("c", "x" * 10)]
        assert budget.spend(0, size) == []
        assert budget.spend(1, size) == [("a", "x" * 10)]
        assert budget.spend(2, size) == []

    def test_a_newer_thing_replaces_the_older_and_keeps_its_priority(self) -> None:
        budget = Budget(10, now=0)
        budget.offer("old", "1234567890")
        budget.offer("new", "abcdefghij", 1.5)
        assert budget.spend(0, size) == [("new", "abcdefghij")]
        budget.offer("old", "0987654321")
        budget.offer("new", "jihgfedcba", 1.5)
        assert budget.spend(1, size) == [("old", "0987654321")]  # 2 against 1.5

    def test_withdraw(self) -> None:
        budget = Budget(10, now=0)
        budget.offer("a", "1")
        budget.withdraw("a")
        budget.withdraw("b")
        assert budget.spend(0, size) == []

    def test_a_reserve_is_left(self) -> None:
        budget = Budget(20, now=0, reserve=10)
        budget.offer("a", "1" * 10)
        budget.offer("b", "1" * 10)
        assert budget.spend(0, size) == [("a", "1" * 10)]
        assert budget.spend(0, size) == []
        assert budget.bytes.take(0, 0) == 10

    def test_it_holds_and_nobody_starves(self) -> None:
        """Things of all sizes and weights, always more than fit."""
        rng, budget, spent, last = Random(13), Budget(100, now=0), 0.0, dict.fromkeys(range(40), 0)
        for turn in range(1, 2000):
            for key in last:
                budget.offer(key, "x" * rng.randint(1, 20), rng.choice((1, 4)))
            chosen = budget.spend(turn / 5, size, head=5)
            spent += sum(5 * (place == 0) + len(thing) for place, (_, thing) in enumerate(chosen))
            assert spent <= 100 + 100 * turn / 5
            last |= {key: turn for key, _ in chosen}
            assert turn - min(last.values()) < 150
        assert spent > 0.9 * 100 * 2000 / 5
