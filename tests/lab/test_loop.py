"""Loops beside the caller's: what they run, what they refuse, and how they end."""

from __future__ import annotations

import asyncio
import importlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import wslab
from wslab import lab
from wslab.lab import loop as loop_module
from wslab.lab.loop import (
    LabThread,
    lab_thread,
    process_global,
    settle,
)
from wslab.lab.notebook import allow_asyncio_run, let_stop_reach_awaits


async def value(result):
    return result


async def raises(error):
    raise error


@pytest.fixture
def thread():
    """A lab thread that is not the one everybody shares."""
    made = LabThread("test")
    yield made
    if not made.retired:
        made.retire()
    made.thread.join(45)


@pytest.fixture
def stalled(thread):
    """A lab thread that is blocked until the test has ended."""
    gate = threading.Event()
    thread.loop.call_soon_threadsafe(gate.wait, 60)
    yield thread
    gate.set()


class TestKept:
    def test_outlives_a_reload(self):
        mark = object()
        assert process_global("test mark", lambda: mark) is mark
        before = dict(vars(loop_module))
        try:
            fresh = importlib.reload(loop_module)
            assert fresh.process_global("test mark", object) is mark
            assert fresh.lab_thread("servers") is before["lab_thread"]("servers")
        finally:
            vars(loop_module).update(before)

    async def test_servers_outlive_a_reload(self):
        server = lab.serve(lab.echo)
        before = dict(vars(loop_module))
        try:
            importlib.reload(loop_module)
            again = lab.serve(lab.echo)
            assert (server.is_running, again.replaced) == (False, True)
        finally:
            vars(loop_module).update(before)

    def test_is_made_once(self):
        assert process_global("test once", object) is process_global("test once", object)


class TestThread:
    def test_is_a_daemon_with_a_name(self):
        servers, cables = lab_thread("servers"), lab_thread("cables")
        assert servers is lab_thread("servers")
        assert servers is not cables
        assert servers.thread.daemon
        assert [t.thread.name for t in (servers, cables)] == ["wslab-servers", "wslab-cables"]

    def test_runs_coroutines(self, thread):
        assert thread.submit(value(1)).result(45) == 1
        assert thread.call(lambda: value(2)) == 2
        with pytest.raises(KeyError):
            thread.call(lambda: raises(KeyError()))

    def test_refuses_to_wait_for_itself(self, thread):
        async def inside():
            thread.submit(value(1))

        with pytest.raises(RuntimeError) as caught:
            thread.call(inside)
        assert str(caught.value) == (
            "called on the lab's test thread, which would wait for itself: "
            "inside a handler, await the coroutine instead"
        )

    def test_says_where_it_is_blocked(self, stalled):
        with pytest.raises(lab.LoopStalled) as caught:
            stalled.call(lambda: value(1), timeout=0.05)
        text = str(caught.value)
        assert text.startswith(
            "the loop of the lab's test has not answered for 0.05 s: something on it blocks "
            "instead of awaiting. It is here:\n"
        )
        assert ", in wait\n" in text

    def test_tells_the_functions_own_timeout_apart(self, thread):
        with pytest.raises(TimeoutError, match="mine"):
            thread.call(lambda: raises(TimeoutError("mine")))

    async def test_stalled_or_not(self, stalled):
        assert "in wait" in await stalled.stalled(grace=0.05)
        assert await lab_thread("servers").stalled() is None

    async def test_much_to_do_is_not_stalled(self, thread):
        def many():  # one turn of the loop that takes ten times the grace
            for _ in range(50):
                thread.loop.call_soon(lambda: time.sleep(0.01))

        thread.loop.call_soon_threadsafe(many)
        assert await thread.stalled(grace=0.05) is None

    async def test_stalled_in_a_function_without_a_frame(self, thread):
        thread.loop.call_soon_threadsafe(time.sleep, 0.5)
        assert await thread.stalled(grace=0.05) is not None

    def test_a_thread_that_has_ended(self, thread):
        thread.retire()
        thread.thread.join(45)
        assert "the thread has ended" in thread.stall_report(1)

    def test_goes_on_after_exit(self, thread):
        thread.loop.call_soon_threadsafe(sys.exit)
        assert thread.call(lambda: value("alive")) == "alive"

    def test_retires_with_its_tasks(self, thread):
        ended = []

        async def sleepy():
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        future = thread.submit(sleepy())
        thread.call(lambda: asyncio.sleep(0))
        thread.retire()
        thread.thread.join(45)
        assert (ended, thread.loop.is_closed(), future.cancelled()) == ([True], True, True)

    def test_a_retired_one_is_replaced(self):
        first = lab_thread("test registered")
        first.retire()
        first.thread.join(45)
        second = lab_thread("test registered")
        assert second is not first
        second.retire()
        second.thread.join(45)


class TestRun:
    def test_returns_the_result(self):
        assert lab.run(value(1)) == 1
        assert lab.run(value(1), timeout=45) == 1

    def test_raises_the_exception(self):
        with pytest.raises(KeyError, match="x"):
            lab.run(raises(KeyError("x")))

    def test_gives_up_after_a_time(self, until):
        ended = threading.Event()

        async def long():
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        with pytest.raises(TimeoutError):
            lab.run(long(), timeout=0.01)
        assert ended.wait(45)

    def test_refuses_on_the_labs_own_thread(self):
        async def inside():
            lab.run(value(1))

        with pytest.raises(RuntimeError, match="called on the lab's servers thread"):
            lab.run(inside())

    @pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals to threads")
    def test_stop_cancels_it(self):
        ended = threading.Event()

        main = threading.main_thread().ident

        async def interrupted():
            while sys._current_frames()[main].f_code.co_name != "wait":  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # run() is still on its way there
            signal.pthread_kill(main, signal.SIGINT)
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        with pytest.raises(KeyboardInterrupt):
            lab.run(interrupted())
        assert ended.wait(45)


class TestSettle:
    async def test_waits_for_quiet(self):
        counts = iter([1, 2, 2, 3, 3, 3])
        seen = []

        def activity():
            seen.append(next(counts))
            return seen[-1]

        await settle(activity, None, list, within=45, quiet=0.001)
        assert seen[-2:] == [3, 3] or seen[-1] == 2

    async def test_until_a_number_of_things(self):
        things = []

        def more():
            things.append("x")
            return things

        await settle(lambda: 0, 3, more, within=45, quiet=0.001)
        assert len(things) == 3

    @pytest.mark.parametrize("until", [True, False, "3", 1.5, []])
    async def test_until_is_a_number_or_a_function(self, until):
        """The result of a condition is a mistake: it would not be looked at again."""
        with pytest.raises(TypeError, match="give a number, or a function"):
            await settle(lambda: 0, until, list, within=45, quiet=0.001)

    async def test_until_is_not_reached(self):
        with pytest.raises(TimeoutError, match=r"^not reached within 0\.01 s. So far:\n\[\]$"):
            await settle(lambda: 0, lambda: False, list, within=0.01, quiet=0.001)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to wake a loop")
class TestStopReachesAwaits:
    @pytest.fixture(autouse=True)
    def _restore(self):
        """Forget the test's loop again, and take the signal's descriptor away from it."""
        wakeup = process_global("wakeup", dict)
        wakeup.clear()
        yield
        signal.set_wakeup_fd(-1)
        for sock in wakeup.pop("sockets", ()):
            sock.close()
        wakeup.clear()

    async def test_a_signal_wakes_the_loop(self):
        """As ipykernel does it: the handler cancels the task, which alone wakes nobody."""
        let_stop_reach_awaits()
        task = asyncio.current_task()
        main = threading.main_thread().ident
        previous = signal.signal(signal.SIGINT, lambda *_: task.cancel())
        try:
            threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGINT)).start()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()  # no timer that would wake the loop either
            task.uncancel()
        finally:
            signal.signal(signal.SIGINT, previous)
            asyncio.get_running_loop().remove_reader(process_global("wakeup", dict)["sockets"][0])

    async def test_a_loop_that_watches_no_sockets_is_left_alone(self, monkeypatch):
        """Windows has such a loop; importing wslab there must not fail."""

        def refuse(*_):
            raise NotImplementedError

        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
        let_stop_reach_awaits()
        assert process_global("wakeup", dict) == {}

    async def test_twice_changes_nothing(self):
        let_stop_reach_awaits()
        first = process_global("wakeup", dict)["sockets"]
        let_stop_reach_awaits()
        assert process_global("wakeup", dict)["sockets"] is first
        asyncio.get_running_loop().remove_reader(first[0])


class TestAllowAsyncioRun:
    def test_applies_the_maintained_fork(self, monkeypatch):
        applied = []
        monkeypatch.setattr("nest_asyncio2.apply", lambda: applied.append(True))
        allow_asyncio_run()
        assert applied == [True]

    def test_refuses_after_the_archived_one(self, monkeypatch):
        def run(main):
            """As nest_asyncio leaves it."""

        run.__module__ = "nest_asyncio"
        monkeypatch.setattr(asyncio, "run", run)
        text = "nest_asyncio 1.6.0 is already applied in this kernel and loses queued cells"
        with pytest.raises(RuntimeError, match=text):
            allow_asyncio_run()


def script(source, *, timeout=30):
    """Run a script as strictly as Python can; return its exit code, output, errors and seconds."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=str(wslab.__path__[0]) + "/..",
    )
    return done.returncode, done.stdout, done.stderr, time.monotonic() - start


class TestProcess:
    def test_a_script_that_stops_nothing_ends_at_once(self):
        code, out, err, seconds = script(
            """
            import asyncio
            from websockets.asyncio.client import connect
            from wslab import lab

            async def sleepy(connection):
                await connection.send("hello")
                await asyncio.sleep(60)

            server = lab.serve(sleepy)
            cable = lab.cable(server)
            kept = []

            async def main():
                kept.append(await connect(cable.url))
                return await kept[0].recv()

            print(lab.run(main()))
            """
        )
        assert (code, out, err) == (0, "hello\n", "")
        assert seconds < 15

    def test_a_script_whose_handler_blocks_ends_at_once(self):
        code, out, err, seconds = script(
            """
            import asyncio, time
            from websockets.sync.client import connect
            from wslab import lab

            async def blocks(connection):
                print("recorded")
                time.sleep(60)

            server = lab.serve(blocks)
            ws = connect(server.url)
            try:
                asyncio.run(server.settle())
            except lab.LoopStalled as stalled:
                print("in blocks" in str(stalled))
            ws.socket.close()
            """
        )
        assert (code, out, err) == (0, "True\n", "")
        assert seconds < 20

    def test_importing_starts_no_thread(self):
        source = "import threading, wslab; print(threading.active_count())"
        assert script(source)[:3] == (0, "1\n", "")
