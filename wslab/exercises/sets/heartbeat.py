"""Exercises of lesson 07: heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

from wslab.exercises.days import WITHIN, half_open_day
from wslab.exercises.engine import wire
from wslab.exercises.engine.networks import Networks, Weather
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.kit.keepalive import library_bounds
from wslab.net.clock import Timers

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

HOUR = 3600.0  # seconds
BEATS = [3.0, 6.0, 9.0]  # a beat is due after so many seconds of silence
DEATH = 12.0  # the peer is dead after so many seconds of silence
SLOW = 0.2  # seconds that a slow peer takes to answer


# ★ When is it noticed?


@SET.task()
def noticed(trial: Trial, noticed: Any) -> None:
    """Try the library's defaults and other numbers."""
    rng = trial.rng
    cases = [(20, 20, 10), (1, 1, 1), (5, 20, 10)]
    cases += [(rng.randrange(30, 60), rng.randrange(5, 29), rng.randrange(1, 4)) for _ in range(5)]
    for interval, timeout, close in cases:
        got = trial.result(noticed, interval, timeout, close)
        usual = {
            (timeout, interval + timeout): "both numbers lack the closing handshake, which a dead "
            "peer does not answer either",
            (timeout + close, interval + timeout): "the latest lacks the closing handshake",
            (interval + timeout + close, timeout + close): "the earliest has to come first",
            (interval + timeout, interval + timeout + close): "a client that is about to ping when "
            "the cable freezes does not wait for another interval",
            (timeout, interval + timeout + close): "the earliest lacks the closing handshake",
        }
        message = usual.get(got, "these are not the earliest and the latest time")
        trial.same(got, library_bounds(interval, timeout, close), message)


# ★★ Find the half-open connection


async def _half_open_scenario(trial: Trial, half_open: Any) -> None:
    peers, loop = wire.Guests(trial), asyncio.get_running_loop()
    async with wire.serving(trial, peers) as url, AsyncExitStack() as stack:
        ends = {}
        for what in ("well", "slow", "talking", "closed", "dead 1", "dead 2", "dead 3"):
            ends[what] = await peers.come(url, stack), peers.arrived[-1]
        dead = [ends[what][0] for what in ends if what.startswith("dead")]
        for client in dead:
            await (await client.ping())  # each was alive once
        connections = [client for client, _ in ends.values()]
        trial.rng.shuffle(connections)
        names = {client: what for what, (client, _) in ends.items()}
        for what, (_, server) in ends.items():
            if what == "slow" or what.startswith("dead"):
                server.transport.pause_reading()  # a peer in a tunnel reads nothing
        await ends["closed"][0].close()
        await ends["talking"][1].send("still here")
        trial.doing = "seven connections, of which three are dead and one is closed"
        loop.call_later(SLOW, ends["slow"][1].transport.resume_reading)
        async with trial.within(WITHIN, "your code has not returned"):
            got = await half_open(list(connections))
        trial.of_type(got, list)
        _compare(trial, got, dead, names)
        trial.doing = "receiving the living peer's message after your code has returned"
        async with trial.within(1, "that message, which your code must not receive, did not come"):
            trial.same(await ends["talking"][0].recv(), "still here", "the message is a wrong one")
        alive = [ends[what][0].close_code is None for what in ("well", "slow", "talking")]
        trial.want(all(alive), "a living connection was closed")


def _compare(trial: Trial, got: list[Any], dead: list[Any], names: dict[Any, str]) -> None:
    reasons = {
        "well": "a peer that is well was taken for dead",
        "slow": f"a peer that answers after {SLOW:g} s was taken for dead",
        "talking": "a peer that is talking was taken for dead",
        "closed": "a closed connection is not half-open, because both sides know of its end",
    }
    quick = [what for client in got if (what := names.get(client)) in ("well", "slow")]
    message = "silent peers were taken for dead, although they are alive and would answer a ping"
    trial.want(len(quick) < 2, message)
    for client in got:
        what = names.get(client) if client in names else None
        trial.want(what is not None, "an entry is not one of the connections", got=shown(client))
        trial.want(client in dead, reasons.get(str(what), ""))
    found = f"only {len(set(got))} of {len(dead)} dead connections were found"
    trial.want(len(set(got)) == len(dead), found)
    trial.want(len(got) == len(dead), "the list contains a connection twice")


@SET.task(
    may_call=("websockets",),
    networks=Networks(
        half_open_day, Weather(("cut", "reset", "split"), within=2.5, longest=0), runs=60
    ),
)
def half_open(trial: Trial, half_open: Any) -> None:
    """Give it living, slow, talking, closed and dead connections."""
    trial.run(_half_open_scenario(trial, half_open))


# ★★★ Repair the heartbeat


class _Play:
    """A page and its peer, with their own clock.

    answers: returns the seconds after which the peer answers a beat, by its number; None for never.
    """

    def __init__(self, trial: Trial, watch: Any, answers: Callable[[int], float | None]) -> None:
        self.trial, self.answers = trial, answers
        self.timers = Timers()
        self.beats: list[float] = []
        self.deaths: list[float] = []
        self.last_sign = 0.0
        trial.doing = "watch(timers, send, give_up)"
        self.sign = watch(self.timers, self.send, self.give_up)
        trial.want(callable(self.sign), "the result is not a function", got=shown(self.sign))

    def send(self, *_: object) -> None:
        """Take a beat, and perhaps answer it."""
        self.beats.append(round(self.timers.now, 3))
        delay = self.answers(len(self.beats))
        if delay is not None:
            self.timers.set_timeout(self.message, delay)

    def message(self) -> None:
        """Let a message arrive."""
        self.last_sign = self.timers.now
        self.sign()

    def give_up(self) -> None:
        """Note that the peer was given up."""
        self.deaths.append(round(self.timers.now, 3))

    def expect(self, beats: list[float], deaths: list[float]) -> None:
        """Compare the times of the beats, and the time at which the peer was given up."""
        want = self.trial.want
        early = [at for at in self.deaths if at not in deaths]
        want(not (early and not deaths), "a living peer was given up", got=f"at {early[:3]} s")
        for number, due in enumerate(beats):
            sent = self.beats[number] if number < len(self.beats) else None
            want(
                sent == due,
                f"beat {number + 1} is not sent at the right time",
                expected=f"at {due:g} s",
                got="no beat" if sent is None else f"at {sent:g} s",
            )
        want(not deaths or self.deaths, "a dead peer is never given up", expected=f"at {deaths} s")
        want(
            self.deaths[:1] == deaths[:1],
            "the peer is not given up at the right time",
            expected=f"at {deaths} s",
            got=f"at {self.deaths[:1]} s",
        )
        twice = "the peer is given up more than once"
        want(len(self.deaths) == len(deaths), twice, got=f"at {self.deaths[:3]} s")
        extra = self.beats[len(beats) :]
        want(not extra, f"there are more than {len(beats)} beats", got=f"also at {extra[:3]} s")


def _too_late(trial: Trial, watch: Any) -> None:
    play = _Play(trial, watch, lambda number: None)
    play.timers.run(HOUR)
    trial.doing = "a message after the peer was given up, and another hour"
    play.sign()
    play.timers.run(2 * HOUR)
    play.expect(BEATS, [DEATH])


def _alive(trial: Trial, watch: Any) -> None:
    for delay, what in ((0.5, "every beat after 0.5 s"), (2.5, "every beat after 2.5 s")):
        play = _Play(trial, watch, lambda number, delay=delay: delay)  # type: ignore[misc]
        trial.doing = f"a peer that answers {what}, for an hour"
        play.timers.run(HOUR)
        count = int(HOUR / (3 + delay)) + 1
        times = [round(3 + n * (3 + delay), 3) for n in range(count)]
        play.expect([at for at in times if at <= HOUR], [])
    play = _Play(trial, watch, lambda number: 2.5 if number % 3 == 0 else None)
    trial.doing = "a peer that answers every third beat after 2.5 s, for an hour"
    play.timers.run(HOUR)
    silences = [n * (BEATS[-1] + 2.5) for n in range(int(HOUR))]
    play.expect([at + beat for at in silences for beat in BEATS if at + beat <= HOUR], [])


def _signs(trial: Trial, watch: Any, what: str, signs: list[float]) -> None:
    """Play a peer that gives a sign at these seconds and answers no beat; it is dead after that."""
    play, beats = _Play(trial, watch, lambda number: None), []
    for sign, following in pairwise([0.0, *signs, HOUR]):
        beats += [round(sign + beat, 3) for beat in BEATS if sign + beat < following]
    for moment in signs:
        play.timers.set_timeout(play.message, moment)
    trial.doing = what
    play.timers.run(HOUR)
    play.expect(beats, [round([0.0, *signs][-1] + DEATH, 3)])


def _any_signs(trial: Trial, watch: Any) -> None:
    """Try many peers, beginning with those that say little, so that the smallest is shown."""
    end = trial.rng.randrange(20, 60)
    talk = f"a peer that talks every second, and falls silent after {end} s"
    _signs(trial, watch, talk, [float(second) for second in range(1, end + 1)])
    for moment in (4.1, 7.7, 10.3, 11.9):  # after one, two and three beats
        _signs(trial, watch, f"a peer that says one thing, after {moment:g} s", [moment])
    for number in range(80):
        last, signs = 0.0, []
        for _ in range(1 + number // 10):
            last = round(last + trial.rng.choice((1, 4, 7, 10, 11)) + trial.rng.random(), 3)
            signs.append(last)
        moments = ", ".join(f"{moment:g}" for moment in signs)
        _signs(trial, watch, f"a peer that says something at {moments} s, and then no more", signs)


@SET.task(may_call=(Timers,))
def watch(trial: Trial, watch: Any) -> None:
    """Play hours in a moment, with peers that are silent, slow, talkative and dying."""
    _signs(trial, watch, "a peer that never says anything, for an hour", [])
    for scenario in (_alive, _too_late, _any_signs):
        scenario(trial, watch)
