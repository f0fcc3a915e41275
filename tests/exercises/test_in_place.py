"""Checks without a second thread: an answer that does not end is ended where it runs."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

import pytest

from wslab.exercises.engine.in_place import run_in_place
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.verdict import Outcome

LIMIT = 0.2  # seconds
monitored = pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="sys.monitoring is new in Python 3.12; pages have 3.12 or later",
)


def loop_for_ever():
    while True:
        pass


def swallow():
    while True:
        try:
            while True:
                time.time()
        except BaseException:
            pass


def call_for_ever():
    while True:
        sorted(range(10), key=lambda number: -number)


@monitored
@pytest.mark.parametrize("answer", [loop_for_ever, swallow, call_for_ever])
def test_an_endless_loop(answer):
    ending = run_in_place(answer, seconds=LIMIT)
    assert ending.late
    assert ending.at.startswith("line ")


def test_what_ends_in_time():
    ending = run_in_place(lambda: print("done"), seconds=60)
    assert (ending.error, ending.late, ending.printed) == (None, False, "done\n")


def test_what_raises():
    ending = run_in_place(lambda: 1 / 0, seconds=60)
    assert isinstance(ending.error, ZeroDivisionError)
    assert not ending.late


def test_stop_ends_the_cell():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_place(stop, seconds=60)


# Whole checks

SET = TaskSet("in_place", "00_nowhere")
about = {"title": "Ask a server", "level": 1, "section": "", "hints": ("…",)}


@SET.task(**about, takes=("port",), form="async def")
def ask(trial, answer):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(b"yes\n")

    async def scenario():
        async with trial.serving(serve) as port:
            trial.same(await answer(port), b"yes\n", "the server said something else")

    trial.run(scenario())


async def right(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"?\n")
    line = await reader.readline()
    writer.close()
    return line


async def wrong(port):
    return b"no\n"


async def never(port):
    await asyncio.Event().wait()


async def again_and_again(port):
    while True:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def clings(port):
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


async def deaf(port):
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()


@pytest.mark.parametrize("within_a_loop", [False, True])
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (right, Outcome.SOLVED),
        (wrong, Outcome.WRONG),
        (never, Outcome.TIMED_OUT),
        (again_and_again, Outcome.TIMED_OUT),
        (deaf, Outcome.TIMED_OUT),
        (clings, Outcome.TIMED_OUT),
    ],
)
def test_a_check(monkeypatch, tidy, within_a_loop, answer, outcome):
    monkeypatch.setattr("wslab.exercises.engine.task.HAS_THREADS", False)

    async def cell():
        return SET.ask.judge(answer, seconds=45)

    verdict = asyncio.run(cell()) if within_a_loop else SET.ask.judge(answer, seconds=45)
    assert verdict.outcome is outcome
