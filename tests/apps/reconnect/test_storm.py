"""Reconnection storms: the simulation against what can be calculated, and against a real one."""

from __future__ import annotations

import asyncio
import math
import selectors

import numpy as np
import pytest

from wslab.apps.reconnect.real_storm import real_storm
from wslab.apps.reconnect.storm import _Server, storm
from wslab.kit.backoff import Backoff, Decorrelated, Fixed, LibraryDefault

POLICIES = [Fixed(3), Backoff(), Backoff(jitter=False), Decorrelated(), LibraryDefault()]


class TestStorm:
    @pytest.mark.parametrize("policy", POLICIES)
    @pytest.mark.parametrize("outage", [0, 0.3, 20])
    def test_everybody_comes_back_once(self, policy, outage):
        found = storm(1000, policy, outage=outage)
        assert found.connected.sum() == 1000
        assert found.connected[found.times + 1 <= outage].sum() == 0
        assert (found.connected <= found.attempts).all()
        assert found.total >= 1000
        assert found.recovered(1) >= found.recovered() > 0

    @pytest.mark.parametrize("policy", POLICIES)
    def test_is_deterministic(self, policy):
        one, two = (storm(500, policy, capacity=100) for _ in range(2))
        assert (one.attempts == two.attempts).all()
        assert repr(one) == repr(two)

    def test_a_fixed_delay_keeps_everybody_in_step(self):
        found = storm(100, Fixed(3), outage=10)
        assert np.flatnonzero(found.attempts).tolist() == [3, 6, 9, 12]
        assert set(found.attempts.tolist()) == {0, 100}
        assert (found.burst, found.peak, found.total, found.recovered()) == (100, 100, 400, 3)

    def test_a_server_that_takes_some_and_refuses_the_rest(self):
        found = storm(100, Fixed(3), outage=10, capacity=30)
        assert found.connected[found.connected > 0].tolist() == [30, 30, 30, 10]
        assert found.attempts[12:].tolist()[::3] == [100, 70, 40, 10]

    def test_one_that_is_kept_from_work_by_refusing(self):
        """Each refusal costs a tenth of an acceptance; with ten times too many nothing is left."""
        assert storm(1000, Fixed(3), outage=10, capacity=90, refusal=0.1).recovered() == math.inf
        assert storm(1000, Backoff(), outage=60, capacity=90, refusal=0.1).recovered() < 60

    def test_refusing_uses_up_what_accepting_would_need(self):
        server = _Server(100, 0.1, now=0)
        assert [server.accept(500), server.accept(10)] == [55, 0]
        assert server.begin_step(0.52) == pytest.approx(0.55)
        assert server.accept(10) == 10
        server.begin_step(1000)
        assert server.accept(1000) == 0  # more than a second's worth is never saved up

    def test_capacity_that_suffices_changes_nothing(self):
        free, wide = storm(1000, Backoff()), storm(1000, Backoff(), capacity=5000)
        assert (free.attempts == wide.attempts).all()

    def test_noticing_at_different_times_spreads_them_once(self):
        found = storm(30_000, Fixed(3), outage=10, notice=3)
        assert found.peak == pytest.approx(10_000, rel=0.05)
        assert found.attempts[10:13].sum() == 30_000

    @pytest.mark.parametrize("outage", [20, 60, 120])
    def test_full_jitter_takes_nine_tenths_off_the_peak(self, outage):
        """The claim of benchmarks/storm.py, with fewer clients."""
        fixed = storm(20_000, Fixed(3), outage=outage)
        jitter = storm(20_000, Backoff(), outage=outage)
        assert jitter.peak <= fixed.peak / 10
        assert jitter.burst > fixed.burst  # the price of a fast first retry
        assert jitter.recovered() < 30

    @pytest.mark.parametrize(
        "options",
        [
            {"clients": 0},
            {"outage": -1},
            {"capacity": 0},
            {"refusal": 1},
            {"refusal": -0.1},
        ],
    )
    def test_what_cannot_be(self, options):
        with pytest.raises(ValueError, match="at least 1 client"):
            storm(**{"clients": 1, "policy": Fixed(), **options})


class Waiting(selectors.DefaultSelector):
    """Counts the seconds that a loop has waited for time to pass, not for the network."""

    waited = 0.0

    def select(self, timeout=None):
        ready = super().select(timeout)
        self.waited += 0.0 if ready else timeout or 0.0
        return ready


class LoopAtRest(asyncio.SelectorEventLoop):
    """Its clock stands still while anything happens, so a busy machine makes nobody late."""

    def __init__(self):
        self.waiting = Waiting()
        super().__init__(self.waiting)

    def time(self):
        return self.waiting.waited


def real(*arguments, **options):
    """Play a storm with sockets, on such a clock."""

    async def play():
        found = await real_storm(*arguments, **options)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return found

    with asyncio.Runner(loop_factory=LoopAtRest) as runner:
        return runner.run(play())


@pytest.mark.slow
class TestReal:
    def test_backoff_against_the_simulation(self):
        policy = Backoff(first=0.5, limit=4, quick=2)
        found = real(200, policy, outage=2, bin=1)
        simulated = storm(200, policy, outage=2, bin=1)
        assert found.connected.sum() == 200
        assert found.total == pytest.approx(simulated.total, rel=0.2)
        share = np.cumsum(found.attempts) / found.total
        expected = np.cumsum(simulated.attempts) / simulated.total
        both = min(len(share), len(expected))
        assert np.abs(share[:both] - expected[:both]).max() < 0.15

    @pytest.mark.untraced
    def test_a_fixed_delay_against_the_simulation(self):
        found = real(200, Fixed(1), outage=1.5, bin=1)
        assert found.attempts.tolist() == storm(200, Fixed(1), outage=1.5, bin=1).attempts.tolist()
        assert (found.peak, found.connected.sum()) == (200, 200)
