"""Run somebody else's code for a limited time, on a thread that can be abandoned.

A loop that never ends is interrupted, because CPython can raise an exception in another thread
between two of its bytecodes. A call that never returns, such as `time.sleep` or a lock, has no next
bytecode. Its thread is left behind. It is a daemon, and ends with the process or with the call.
"""

from __future__ import annotations

import ctypes
import io
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

__all__ = [
    "CLEANING",
    "NUDGE",
    "Kept",
    "RunEnd",
    "TimeUp",
    "is_own",
    "own_frames",
    "place_of",
    "run_bounded",
]

PRINTED = 1000  # characters of the code's output that are kept
CLEANING = 3.0  # seconds at most, for the clean-up after the learner's code
NUDGE = 0.05  # seconds between two interrupts; code that swallows one gets the next

# A page has neither threads nor this function.
_set_exception: Any = getattr(getattr(ctypes, "pythonapi", None), "PyThreadState_SetAsyncExc", None)
_sleep = time.sleep


class TimeUp(SystemExit):
    """Raised in code whose time is over.

    It is a SystemExit, because that passes through `except Exception` and through an event loop.
    """


_TIME_UP: Any = ctypes.py_object(TimeUp)
_NOTHING: Any = ctypes.py_object()


@dataclass
class RunEnd:
    """The end of a bounded run.

    error: the exception of the code, None if it returned. late: True if the time was over first.
    abandoned: True if its thread is still running.
    at: its line when its time was over, as "line 3, in parse: while True:"; "" in foreign code.
    printed: its output.
    """

    error: BaseException | None = None
    late: bool = False
    abandoned: bool = False
    at: str = ""
    printed: str = ""


class Kept(io.TextIOBase):
    """A file that keeps the beginning of the text written to it."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str, /) -> int:
        """Keep text, as long as there is room."""
        if len(self.text) < PRINTED:
            self.text += text
            if len(self.text) >= PRINTED:
                self.text = self.text[:PRINTED] + " …"
        return len(text)


@dataclass
class _Run:
    """The thread's side. It runs the function and keeps its exception."""

    function: Callable[[], object]
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        try:
            try:
                self.function()
            except BaseException as error:
                self.error = error
            self.done.set()
        except TimeUp:  # the interrupt came just as the function ended
            self.done.set()


def run_bounded(
    function: Callable[[], object],
    *,
    seconds: float,
    grace: float = 0.5,
    wake: Callable[[], object] = lambda: None,
) -> RunEnd:
    """Run a function on its own thread until it ends or its time is over.

    Any output in that time, from any thread, is kept and not shown.

    seconds: the time that it may take. grace: seconds that an interrupt may take to have an effect.
    wake: called if the function then waits in foreign code, such as an event loop, or blocks. It
    has to end that code, as soon as it can be ended.
    """
    run, printed, ending = _Run(function), Kept(), RunEnd()
    thread = threading.Thread(target=run, name="wslab-check", daemon=True)
    with redirect_stdout(printed), redirect_stderr(printed):
        thread.start()
        try:
            ending.late = not run.done.wait(seconds)
        finally:
            if not run.done.is_set():
                ending.at = _where(thread)
                ending.abandoned = not _interrupt(thread, run.done, grace, wake)
        if not ending.abandoned:
            thread.join(grace)
    ending.error, ending.printed = run.error, printed.text
    return ending


def _interrupt(
    thread: threading.Thread, done: threading.Event, grace: float, wake: Callable[[], object]
) -> bool:
    """Raise TimeUp in a thread as long as it is in the learner's code; tell whether it has ended.

    The clean-up after that is our code. It is not interrupted, and has some more time.
    """
    begin = now = time.monotonic()
    woken = False
    while now < begin + (grace if _where(thread) else CLEANING):
        if _where(thread):
            (_nudge_traced if _is_traced() else _nudge)(thread)
        elif not woken and (now == begin or now > begin + CLEANING / 2):
            wake()
            woken = True
        if done.wait(NUDGE):
            return True
        now = time.monotonic()
    if not woken:
        wake()  # takes effect when a call that blocks returns
    return done.is_set()


def _nudge(thread: threading.Thread) -> None:
    """Raise TimeUp in a thread. A thread that is in C gets it when it returns to Python."""
    _set_exception(ctypes.c_ulong(thread.ident or 0), _TIME_UP)


def _is_traced() -> bool:
    """Tell whether a debugger or coverage traces this Python, and that matters to it."""
    return sys.version_info < (3, 13) and sys.gettrace() is not None


def _nudge_traced(thread: threading.Thread) -> None:
    """Do as `_nudge` does, but take back an exception that the thread has not taken.

    CPython 3.11 notes "a thread has an exception to take" in one place for all threads. Only a
    thread that takes an exception clears the note. Until then a traced thread cannot enter a
    function written in Python, and tries again for ever. So a helper thread takes an exception.
    """
    ready, taken = threading.Lock(), threading.Lock()
    ready.acquire()
    taken.acquire()

    def take() -> None:
        try:
            ready.release()
            while True:
                _sleep(0.001)
        except TimeUp:
            taken.release()

    helper = threading.Thread(target=take, daemon=True)
    helper.start()
    ready.acquire(True, 2)
    target, other = ctypes.c_ulong(thread.ident or 0), ctypes.c_ulong(helper.ident or 0)
    trace = sys.gettrace()  # a function, or an object as coverage's
    tracer = (getattr(trace, "__module__", None) or type(trace).__module__).partition(".")[0]
    for _ in range(100):  # do not interrupt the tracer's own code, because it may hold a lock
        frame = sys._current_frames().get(thread.ident or 0)
        if frame is None or frame.f_globals.get("__name__", "").partition(".")[0] != tracer:
            break
        _sleep(0.001)
    # From here on only C is called.
    _set_exception(target, _TIME_UP)
    _sleep(NUDGE)
    _set_exception(target, _NOTHING)
    _set_exception(other, _TIME_UP)
    taken.acquire(True, 2)


def _where(thread: threading.Thread) -> str:
    """Return the line of the learner's code that a thread is in."""
    return place_of(own_frames(sys._current_frames().get(thread.ident or 0)))


def place_of(own: list[traceback.FrameSummary]) -> str:
    """Describe the last one of a learner's frames; "" if there is none."""
    if not own:
        return ""
    return f"line {own[-1].lineno}, in {own[-1].name}: {own[-1].line}".removesuffix(": ")


def own_frames(start: FrameType | TracebackType | None) -> list[traceback.FrameSummary]:
    """Return the frames of the learner's own code, the innermost last."""
    if isinstance(start, FrameType):
        frames: Iterable[traceback.FrameSummary] = traceback.extract_stack(start)
    else:
        frames = traceback.extract_tb(start)
    return [frame for frame in frames if is_own(frame.filename)]


# A page has the standard library in a zip file, and its paths in sysconfig begin with two slashes.
_FOREIGN = tuple(
    str(folder).replace("//", "/")
    for folder in (
        Path(__file__).parents[2],
        Path(threading.__file__).parent,
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)


def is_own(filename: str) -> bool:
    """Tell whether a file is the learner's own, not ours or a library's."""
    return not filename.startswith((*_FOREIGN, "<frozen"))
