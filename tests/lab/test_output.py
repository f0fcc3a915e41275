"""Output of handlers, their tasks and their threads: to the record, and to no cell."""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import gc
import importlib
import io
import logging
import pprint
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.lab import output
from wslab.lab.output import HandlerRecord, finish_line, record_output, recorder
from wslab.scratch import serve_from_scratch


class Kept:
    """A server as far as its record goes."""

    def __init__(self):
        self.lines = []
        self.raised = []

    def record(self, connection, kind, text):
        self.lines.append(text)

    def record_error(self, connection, error, what):
        self.raised.append((what, str(error)))


@pytest.fixture
def lines():
    """Record, in this test's own context, as while a handler runs."""
    record_output()
    kept = Kept()
    token = recorder.set(HandlerRecord(kept, 1))
    yield kept.lines
    recorder.reset(token)


class TestPrints:
    def test_are_recorded_as_they_would_appear(self, lines, capfd):
        print("a", 1, sep="-")
        print("no newline", end="")
        print("two\nlines", flush=True)
        print()
        assert lines == ["a-1", "no newline", "two\nlines", ""]
        assert capfd.readouterr() == ("", "")

    def test_to_a_file_are_left_alone(self, lines):
        text = io.StringIO()
        print("to a file", file=text)
        assert text.getvalue() == "to a file\n"
        assert lines == []

    def test_elsewhere_are_left_alone(self, lines, capfd):
        contextvars.Context().run(print, "elsewhere")
        contextvars.Context().run(print, "on stderr", file=sys.stderr)
        assert capfd.readouterr() == ("elsewhere\n", "on stderr\n")
        assert lines == []

    def test_of_tasks_and_threads_that_a_handler_starts(self, lines):
        async def handler():
            await asyncio.create_task(task())
            await asyncio.to_thread(print, "thread")

        async def task():
            print("task")

        asyncio.run(handler())
        assert lines == ["task", "thread"]

    def test_print_is_replaced_once(self):
        record_output()
        first = builtins.print
        record_output()
        assert builtins.print is first
        assert first.__wrapped__.__module__ == "builtins"
        assert first.__name__ == "print"

    def test_still_work_after_a_reload(self, lines):
        before = dict(vars(output))
        try:
            importlib.reload(output).record_output()
            print("after")
        finally:
            vars(output).update(before)
        assert lines == ["after"]


class TestStreams:
    def test_what_is_not_printed(self, capfd, lines):
        record_output()  # the streams are capfd's by now
        pprint.pprint({"key": ["long" * 10, "list" * 10, "indeed" * 10]})
        logging.StreamHandler().emit(logging.makeLogRecord({"msg": "logged"}))
        print("on stderr", file=sys.stderr)
        sys.stdout.write("in two ")
        sys.stdout.write("pieces\n")
        sys.stderr.write("unfinished")
        finish_line()
        assert lines[0].startswith("{'key': ['long")
        assert lines[0].count("\n") == 2
        assert lines[1:] == ["logged", "on stderr", "in two pieces", "unfinished"]
        assert capfd.readouterr() == ("", "")


SERVERS = {"websockets": lab.serve, "from scratch": serve_from_scratch}


@pytest.mark.parametrize("serve", SERVERS.values(), ids=SERVERS)
class TestBackground:
    """What a handler starts, and does not wait for."""

    async def recorded(self, serve, handler, kind, count, capfd):
        async with serve(lab.echo, name="another"), serve(handler, name="mine") as server:
            async with connect(server.url) as ws:
                await ws.recv()
                await server.settle(lambda: len(server.events.only(kind)) == count)
            events = server.events.only(kind)
            assert {event.connection for event in events} == {1}
            assert capfd.readouterr() == ("", "")
            return [event.text for event in events], server.errors

    async def test_a_task_that_raises(self, serve, capfd):
        async def fail():
            raise ValueError("in a task")

        async def handler(ws):
            task = asyncio.create_task(fail())
            await asyncio.wait([task])
            del task
            gc.collect()
            await ws.send("done")

        texts, errors = await self.recorded(serve, handler, "error", 1, capfd)
        assert texts == ["ValueError: in a task"]
        assert repr(errors[0]).startswith("A task of server 'mine' raised on connection 1:\n")
        assert "in fail" in repr(errors[0])

    async def test_a_callback_that_raises(self, serve, capfd):
        async def handler(ws):
            asyncio.get_running_loop().call_soon(int, "x")
            await ws.send("done")

        texts, errors = await self.recorded(serve, handler, "error", 1, capfd)
        assert texts == ["ValueError: invalid literal for int() with base 10: 'x'"]
        assert repr(errors[0]).startswith("A callback of server 'mine'")

    async def test_threads_of_the_loop_and_of_its_own(self, serve, capfd):
        async def handler(ws):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, print, "the loop's")
            with ThreadPoolExecutor(1) as pool:
                await loop.run_in_executor(pool, print, "a pool's")
            thread = threading.Thread(target=print, args=("its own",))
            thread.start()
            await asyncio.to_thread(thread.join)
            await loop.run_in_executor(None, warnings.warn_explicit, "a warning", Warning, "f", 1)
            await ws.send("done")

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_, **__: print(message)
            texts, _ = await self.recorded(serve, handler, "print", 4, capfd)
        assert texts == ["the loop's", "a pool's", "its own", "a warning"]

    async def test_a_thread_that_raises(self, serve, capfd):
        async def handler(ws):
            threading.Thread(target=int, args=("x",)).start()
            await ws.send("done")

        texts, errors = await self.recorded(serve, handler, "error", 1, capfd)
        assert texts == ["ValueError: invalid literal for int() with base 10: 'x'"]
        assert repr(errors[0]).startswith("A thread of server 'mine' raised on connection 1:")


async def test_what_nobody_has_started_is_recorded_by_the_servers_that_run(capfd):
    async with lab.serve(lab.echo) as server:
        server.thread.loop.call_soon_threadsafe(int, "x", context=contextvars.Context())
        await server.settle(1)
        assert [tuple(event)[:2] for event in server.events] == [(0, "error")]
        assert repr(server.errors[0]).startswith("A callback of server 'echo' raised:\n")
    assert capfd.readouterr() == ("", "")
