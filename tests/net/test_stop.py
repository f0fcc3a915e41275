"""Stop: Ctrl+C at any point of a simulation ends it, and leaves the thread as it was."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import signal
import sys
import threading
from contextlib import contextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from wslab.net import explore, simulate


@contextmanager
def raising():
    """Let Ctrl+C raise, as in a script; asyncio's own runner would cancel the test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def program():
    """Serve, connect, talk, and clean up at the end."""

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async with (
        serve(echo, "server", 9000, compression=None),
        connect("ws://server:9000/", proxy=None, compression=None) as ws,
    ):
        for _ in range(2):
            await ws.send("Hello")
            await ws.recv()
            await asyncio.sleep(1)


def the_thread():
    """Return everything that a simulation borrows and has to give back."""
    return (
        asyncio.get_running_loop(),
        asyncio.current_task(),
        signal.getsignal(signal.SIGINT),
        sys.get_asyncgen_hooks(),
        random.getstate(),
        gc.isenabled(),
        gc.get_freeze_count(),
    )


class Interruption:
    """Presses Ctrl+C at the n-th line that runs; counts them all if it is never reached."""

    def __init__(self, at):
        self.at, self.lines = at, 0

    def __call__(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                signal.getsignal(signal.SIGINT)(signal.SIGINT, frame)  # as the interpreter does
        return self

    def press_in(self, function):
        """Run a function; return whether it was interrupted."""
        before = sys.gettrace()
        try:
            with raising():
                sys.settrace(self)
                function()
                sys.settrace(before)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False


async def is_whole(before):
    assert the_thread() == before
    thread = threading.Thread(target=logging.getLogger, args=["wslab"], daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()  # else the lock of the module logging was left behind
    await asyncio.sleep(0)
    return True


# A press in a weak reference's callback is reported, and raised again. And asyncio forgets a
# connection that it accepts in the turn in which its server is closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
@pytest.mark.parametrize(
    "run",
    [lambda: simulate(program), lambda: explore(program, runs=2)],
    ids=["simulate", "explore"],
)
async def test_ctrl_c_at_any_point(run):
    """Several hundred points: all lines at the beginning and at the end, and many in between."""
    before = the_thread()
    for _ in range(3):  # the first runs fill caches
        counting = Interruption(0)
        assert not counting.press_in(run)
    end = counting.lines
    for at in [*range(1, 100), *range(100, end - 100, end // 100), *range(end - 100, end)]:
        pressed = Interruption(at)
        is_interrupted = pressed.press_in(run)
        assert is_interrupted == (pressed.lines >= at)
        assert await is_whole(before)
    gc.collect()


async def test_a_loop_that_does_not_await():
    async def forever():
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        while True:
            pass

    def press(*_):
        signal.raise_signal(signal.SIGINT)

    before = the_thread()
    alarm = signal.signal(signal.SIGALRM, press)
    try:
        with raising(), pytest.raises(KeyboardInterrupt):
            simulate(forever)
    finally:
        signal.signal(signal.SIGALRM, alarm)
    assert await is_whole(before)


async def test_one_that_the_program_swallows_is_raised_again():
    async def stubborn():
        for _ in range(3):
            try:
                signal.raise_signal(signal.SIGINT)
            except BaseException:
                await asyncio.sleep(0)

    with raising(), pytest.raises(KeyboardInterrupt):
        simulate(stubborn)


async def test_a_second_one_ends_what_answers_the_first():
    raised = []

    async def stubborn():
        for _ in range(2):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as error:
                raised.append(error)

    with raising(), pytest.raises(KeyboardInterrupt):
        simulate(stubborn)
    assert len(raised) == 2


async def test_a_simulation_on_another_thread_goes_on():
    pressed, whole = threading.Event(), []

    async def beside():
        pressed.wait()
        await asyncio.sleep(1)
        whole.append(True)

    async def main():
        thread = threading.Thread(target=simulate, args=[beside])
        thread.start()
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            pressed.set()
            thread.join()

    with raising(), pytest.raises(KeyboardInterrupt):
        simulate(main)
    assert whole


async def test_what_the_program_has_open_is_closed():
    ended = []

    async def forever():
        try:
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGINT)
        finally:
            ended.append("main")

    async def main():
        async def beside():
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(1)
                ended.append("beside")

        task = asyncio.create_task(beside())
        await forever()
        await task

    with raising(), pytest.raises(KeyboardInterrupt):
        simulate(main)
    assert ended == ["main", "beside"]
