"""Exercises of lesson 08: reconnect."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wslab.apps.reconnect.storm import storm
from wslab.exercises.days import (
    SECRET,
    SUDDEN,
    WEATHER,
    news_day,
    orders_day,
    till_day,
)
from wslab.exercises.engine import wire
from wslab.exercises.engine.networks import Networks
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.exercises.resuming import NEWS, Newspaper, Shop, in_order
from wslab.exercises.till import remember_scenario
from wslab.kit.retry import of_code
from wslab.protocol.close import CloseCode

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

LATENCY = 0.05  # seconds, so that a client that connects again at once does not do so too often
CLIENTS = 4000  # in the storm
PEAK = 400  # attempts in any second after the server's return


# ★ Try again?


@SET.task(may_call=(CloseCode,))
def again(trial: Trial, again: Any) -> None:
    """Try every code that has a meaning, and two of an application's."""
    codes = [*range(1000, 1004), *range(1005, 1015), 3000, 3003]
    codes += [4100 + trial.rng.randrange(800), 3100]
    trial.rng.shuffle(codes)
    for code in codes:
        ending = of_code(code)
        trial.same(
            trial.call(again, code), ending.retry, f"{code}: {ending.text.split(': ', 1)[1]}"
        )


# ★★ Keep the peak down


class _Learners:
    """A learner's function as a policy of the simulation, which asks for many delays at once."""

    name = "yours"

    def __init__(self, trial: Trial, delay: Any) -> None:
        self.trial, self.function = trial, delay

    def delay(self, attempt: Any, lot: Any, previous: Any) -> Any:
        """Return the seconds to wait, as an array."""
        pairs = zip(attempt.tolist(), lot.tolist(), strict=True)
        return np.array([self.one(number, chance) for number, chance in pairs], dtype=float)

    def one(self, attempt: int, lot: float) -> float:
        """Ask for one delay, and refuse a value that nobody can wait."""
        try:
            got = self.function(attempt, lot)
        except Exception:
            self.trial.doing = f"delay({attempt}, {lot!r})"
            raise
        if type(got) in (int, float) and 0 <= got < math.inf:
            return float(got)
        self.trial.doing = f"delay({attempt}, {lot!r})"
        self.trial.of_type(got, int, float)
        message = "the delay has to be a finite number of seconds, 0 or more"
        self.trial.want(0 <= got < math.inf, message, got=shown(got))
        return float(got)


def _one_client(trial: Trial, policy: _Learners) -> None:
    """Try a single client, which must neither try too often nor wait too long."""
    for lot in (0.0, 0.5, 0.999):
        got = policy.one(100_000, lot)
        trial.doing = f"delay(100000, {lot})"
        message = "after months without a server, the client waits too long for the next attempt"
        trial.want(got <= 300, message, expected="up to 300 seconds", got=shown(got))
    attempts, now = 0, 0.0
    while now < 60 and attempts < 200:
        now += policy.one(attempts, trial.rng.random())
        attempts += 1
    trial.doing = "one client, a minute without a server"
    trial.want(attempts <= 60, "it tries too often", expected="up to 60 attempts", got=attempts)


def _storms(trial: Trial, policy: _Learners) -> None:
    seed = trial.rng.randrange(1000)
    trial.doing = f"{CLIENTS} clients, a minute without a server"
    long = storm(CLIENTS, policy, outage=60, seed=seed)
    trial.want(
        long.peak <= PEAK,
        "the server gets too many attempts in one second",
        expected=f"up to {PEAK}",
        got=long.peak,
    )
    slow = "it takes too long until 99 % of the clients are back"
    back = long.recovered()
    trial.want(back <= 35, slow, expected="up to 35 s", got=f"{back:g} s")
    trial.doing = f"{CLIENTS} clients, two seconds without a server"
    back = storm(CLIENTS, policy, outage=2, seed=seed).recovered()
    trial.want(back <= 8, slow, expected="up to 8 s", got=f"{back:g} s")


@SET.task()
def delay(trial: Trial, delay: Any) -> None:
    """Judge a policy by one client's minute and by two storms."""
    policy = _Learners(trial, delay)
    trial.result(delay, 0, 0.5)
    _one_client(trial, policy)
    _storms(trial, policy)


# ★★ Resume without duplicates


async def _follow_scenario(trial: Trial, follow: Any) -> None:
    paper = Newspaper("restart", "reset", "gap", "refuse")
    texts = [f"news {number} {trial.rng.random()}" for number in range(1, 16)]
    texts[3], texts[12] = texts[1], texts[11]  # only their numbers tell them apart
    for text in texts:
        paper.log.publish({"text": text})
    async with wire.serving(trial, paper) as url:
        trial.doing = f"{len(texts)} messages, and a server whose connections break"
        got = await paper.watch(trial, follow(url, len(texts)), "your code has not returned")
        trial.of_type(got, list)
        in_order(trial, got, texts, NEWS)


@SET.task(may_call=("websockets",), networks=Networks(news_day, WEATHER))
def follow(trial: Trial, follow: Any) -> None:
    """Break the connection in four ways; each message has to arrive once, and in order."""
    trial.run(_follow_scenario(trial, follow), latency=LATENCY)


# ★★★ An outbox


async def _deliver_scenario(trial: Trial, deliver: Any) -> None:
    shop = Shop((3, 1), (0, 0), (1, 0), (2, 2))
    texts = [f"Buy {trial.rng.randrange(1, 100)}" for _ in range(10)]  # some are alike
    texts[5] = texts[4]
    async with wire.serving(trial, shop) as url:
        trial.doing = "ten orders, and a server whose connections end before it has answered"
        late = "your code has not returned"
        await shop.watch(trial, deliver(url, list(texts), SECRET), late)
        count = len(shop.orders)
        early = f"your code returned when only {count} of {len(texts)} orders had taken effect"
        trial.want(count >= len(texts), early)
        trial.want(count == len(texts), f"{len(texts)} orders have had {count} effects")
        trial.same(shop.orders, texts, "the orders that took effect are not those that were given")


@SET.task(may_call=("websockets",), networks=Networks(orders_day, SUDDEN))
def deliver(trial: Trial, deliver: Any) -> None:
    """End the connection before, between and after effect and acknowledgement."""
    trial.run(_deliver_scenario(trial, deliver), latency=LATENCY)


# ★★★ Remember the client


@SET.task(may_call=("websockets",), networks=Networks(till_day, WEATHER))
def remember(trial: Trial, remember: Any) -> None:
    """Try each layer by itself, because layers hide each other; then all of them together."""
    trial.run(remember_scenario(trial, remember), latency=LATENCY)
