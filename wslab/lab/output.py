"""Keep the output of a handler, and its background errors, in its server's record.

No output of a handler may land in the cell that happens to run. A context variable tells which
handler some code belongs to. Tasks inherit it, and we make threads inherit it. `print`, the two
standard streams and the loop's own reports look there first. Without a handler they work as always.
"""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import functools
import io
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from wslab.lab.loop import process_global

__all__ = ["HandlerRecord", "finish_line", "record_loop", "record_output", "recorder"]


class Recording(Protocol):
    """A server that keeps a record of its handlers."""

    def record(self, connection: int, kind: str, text: str) -> None:
        """Add an event."""

    def record_error(self, connection: int, error: BaseException, what: str) -> None:
        """Add an exception."""


class HandlerRecord(NamedTuple):
    """The place for the output of one connection's handler; call it with text."""

    server: Recording
    connection: int

    def __call__(self, text: str) -> None:
        """Record text that was printed."""
        self.server.record(self.connection, "print", text)

    def error(self, error: BaseException, what: str) -> None:
        """Record an exception; `what` names its source, such as "A task"."""
        self.server.record_error(self.connection, error, what)


# The record of the running handler, also in the tasks and threads that it starts, and the
# unfinished line that was written there. Both survive a reload of this module.
Recorder = ContextVar[HandlerRecord | None]
recorder = process_global("recorder", lambda: Recorder("wslab_recorder", default=None))
_line = process_global("line", lambda: ContextVar[str]("wslab_line", default=""))


def record_output() -> None:
    """Let the output of handlers, and of their threads, go to their servers' records."""
    _record_print()
    for stream in (sys.stdout, sys.stderr):  # notebooks and tests replace them
        _record_writes(stream)
    _record_threads()


def _record_print() -> None:
    original = process_global("print", lambda: builtins.print)
    if builtins.print is not original:
        return

    @functools.wraps(original)
    def print_or_record(*values: object, file: Any = None, **options: Any) -> None:
        record = recorder.get()
        if record is None or file is not None:
            original(*values, file=file, **options)
            return
        text = io.StringIO()
        original(*values, file=text, **{**options, "flush": False})
        record(text.getvalue().removesuffix("\n"))

    builtins.print = print_or_record


def _record_writes(stream: Any) -> None:
    """Record the lines that a stream gets, as from logging, pprint or warnings."""
    write = getattr(stream, "write", None)
    if write is None or hasattr(write, "records"):
        return

    @functools.wraps(write)
    def write_or_record(text: str) -> int:
        record = recorder.get()
        if record is None:
            return int(write(text) or 0)
        line = _line.get() + text
        if line.endswith("\n"):
            record(line.removesuffix("\n"))
        _line.set("" if line.endswith("\n") else line)
        return len(text)

    write_or_record.records = True  # type: ignore[attr-defined]
    with suppress(AttributeError):  # a stream that cannot be changed
        stream.write = write_or_record


def finish_line() -> None:
    """Record the unfinished line of a handler that ends."""
    record, line = recorder.get(), _line.get()
    if record is not None and line:
        record(line)
        _line.set("")


def _record_threads() -> None:
    original = process_global("thread start", lambda: threading.Thread.start)
    if threading.Thread.start is not original:
        return

    @functools.wraps(original)
    def start_in_context(thread: threading.Thread) -> None:
        if recorder.get() is not None:
            inherited, run = contextvars.copy_context(), thread.run
            thread.run = lambda: inherited.run(_run_thread, run)  # type: ignore[method-assign]
        original(thread)

    threading.Thread.start = start_in_context  # type: ignore[method-assign,assignment]


def _run_thread(run: Callable[[], None]) -> None:
    try:
        run()
    except Exception as error:
        record = recorder.get()
        assert record is not None  # see start_in_context()
        record.error(error, "A thread")
    finally:
        finish_line()


class HandlerTask(asyncio.Task[Any]):
    """A task that remembers its handler's record, which is needed if it fails unseen."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.record = recorder.get()
        super().__init__(*args, **options)


class ContextExecutor(ThreadPoolExecutor):
    """Threads that work in the caller's context."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Schedule a call."""
        return super().submit(contextvars.copy_context().run, fn, *args, **options)


def record_loop(
    loop: asyncio.AbstractEventLoop, servers: Callable[[], Iterable[Recording]]
) -> None:
    """Record a loop's reports, such as a failed task, on the server that each one concerns.

    servers: those that run on this loop. All of them record a report that names none of them.
    """
    if loop.get_exception_handler() is not None:
        return

    def new_task(loop: Any, coroutine: Any, **options: Any) -> HandlerTask:
        return HandlerTask(coroutine, loop=loop, **options)

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        cause = context.get("task") or context.get("future") or context.get("handle")
        record = getattr(cause, "record", None) or recorder.get()
        if record is None and (inherited := getattr(cause, "_context", None)) is not None:
            record = inherited.get(recorder)  # a callback's, before Python 3.12
        records = [record] if record else [HandlerRecord(server, 0) for server in servers()]
        for one in records:
            if (error := context.get("exception")) is not None:
                one.error(error, "A callback" if "handle" in context else "A task")
            else:
                one.server.record(one.connection, "error", context["message"])
        if not records:
            loop.default_exception_handler(context)

    loop.set_task_factory(new_task)
    loop.set_exception_handler(report)
    loop.set_default_executor(ContextExecutor(thread_name_prefix="wslab-handlers"))
