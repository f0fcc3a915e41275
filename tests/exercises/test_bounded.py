"""Code that is run for a limited time: it ends, is made to end, or is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading

import pytest

from wslab.exercises.engine.bounded import PRINTED, TimeUp, own_frames, run_bounded


def loops() -> None:
    while True:
        pass


def test_what_returns_has_ended() -> None:
    ending = run_bounded(lambda: 1, seconds=5)
    assert (ending.error, ending.late, ending.abandoned, ending.printed) == (None, False, False, "")


def test_what_raises_is_kept() -> None:
    ending = run_bounded(lambda: {}["key"], seconds=5)
    assert isinstance(ending.error, KeyError)
    assert own_frames(ending.error.__traceback__)


def test_a_loop_is_interrupted_where_it_is() -> None:
    ending = run_bounded(loops, seconds=0.1)
    assert ending.late
    assert not ending.abandoned
    assert isinstance(ending.error, TimeUp)
    assert "in loops" in ending.at


def test_except_exception_does_not_stop_an_interrupt() -> None:
    def careless() -> None:
        while True:
            with contextlib.suppress(Exception):
                loops()

    assert not run_bounded(careless, seconds=0.1).abandoned


def test_one_that_catches_everything_twice_is_interrupted_again() -> None:
    caught = []

    def stubborn() -> None:
        for _ in range(2):
            try:
                loops()
            except BaseException as error:
                caught.append(error)

    ending = run_bounded(stubborn, seconds=0.1)
    assert not ending.abandoned
    assert [type(error) for error in caught] == [TimeUp, TimeUp]


def test_what_blocks_is_left_behind() -> None:
    gate = threading.Event()
    ending = run_bounded(gate.wait, seconds=0.1, grace=0.1, wake=gate.set)
    assert not ending.abandoned  # `wake` reached it

    lock = threading.Lock()

    def blocks() -> None:
        lock.acquire()
        lock.acquire()

    ending = run_bounded(blocks, seconds=0.1, grace=0.1)
    assert (ending.late, ending.abandoned) == (True, True)
    assert "lock.acquire()" in ending.at
    lock.release()


def test_a_loop_of_asyncio_is_ended_in_order() -> None:
    """What is interrupted cleans up after itself, and that is not interrupted."""
    cleaned: list[str] = []

    async def scenario() -> None:
        try:
            loops()
        finally:
            cleaned.append("scenario")

    ending = run_bounded(lambda: asyncio.run(scenario()), seconds=0.1)
    assert ending.late
    assert not ending.abandoned
    assert cleaned == ["scenario"]


def test_stop_reaches_the_waiting_and_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: threading.Event, timeout: float | None = None) -> bool:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Event, "wait", stop)
    thread = threading.Thread.start
    started: list[threading.Thread] = []

    def start(self: threading.Thread) -> None:
        monkeypatch.setattr(self._started, "wait", lambda: True)  # type: ignore[attr-defined]
        started.append(self)
        thread(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        run_bounded(loops, seconds=5)
    started[0].join(45)
    assert not started[0].is_alive()


def test_what_it_prints_is_kept_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def prints() -> None:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        logging.getLogger("nobody").error("a log")

    ending = run_bounded(prints, seconds=5)
    for text in ("to stdout", "to stderr"):
        assert text in ending.printed
    assert capsys.readouterr() == ("", "")


def test_only_the_beginning_of_what_it_prints_is_kept() -> None:
    def prints() -> None:
        while True:
            print("x" * 100)

    ending = run_bounded(prints, seconds=0.1)
    assert len(ending.printed) == PRINTED + 2
    assert ending.printed.endswith(" …")


def test_time_is_not_waited_for() -> None:
    """It would take longer than a test may."""
    assert not run_bounded(lambda: None, seconds=600).late
