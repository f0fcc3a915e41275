"""Run somebody else's code for a limited time where there is no second thread to watch it.

A signal of the clock interrupts it. A page has no such signal. There the interpreter itself calls
us at each jump, so a loop that never ends is interrupted, but not a call that never returns.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from itertools import chain, repeat, takewhile
from types import CodeType, FrameType
from typing import Any

from wslab.exercises.engine.bounded import NUDGE, Kept, RunEnd, TimeUp, is_own, own_frames, place_of

__all__ = ["by_jumps", "by_the_clock", "run_in_place"]

AT_ONCE = 3e-5  # seconds at most: it shall come while the code swallows the one before
IsOver = Callable[[FrameType | None], bool]  # tells whether to interrupt the code in this frame
Nudge = Callable[[IsOver, float], AbstractContextManager[None]]

TOOL = 4  # our number among the tools that monitor the interpreter


def run_in_place(
    function: Callable[[], object], *, seconds: float, nudge: Nudge | None = None
) -> RunEnd:
    """Run a function until it ends or its time is over; its output is kept and not shown.

    Its own event loop has to raise TimeUp by itself when the time is over.
    nudge: interrupts it; by default `by_the_clock` if the system has one, else `by_jumps`.
    """
    ending, printed, ends_at = RunEnd(), Kept(), time.monotonic() + seconds
    caller = sys._getframe()

    def is_over(frame: FrameType | None) -> bool:
        if time.monotonic() < ends_at:
            return False
        inner = list(takewhile(lambda each: each is not caller, _outwards(frame)))
        if not any(is_own(each.f_code.co_filename) for each in inner):
            return False
        ending.at = ending.at or place_of(own_frames(frame))
        return True

    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            with (nudge or (by_the_clock if _has_clock() else by_jumps))(is_over, seconds):
                function()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            ending.error = error
    ending.late = isinstance(ending.error, TimeUp) or time.monotonic() >= ends_at
    ending.printed = printed.text
    return ending


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and the ones that called it, the innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _has_clock() -> bool:
    """Tell whether the system has signals of the clock, and they would come here."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and hasattr(signal, "setitimer") and sys.platform != "emscripten"


@contextmanager
def by_the_clock(is_over: IsOver, seconds: float) -> Iterator[None]:
    """Interrupt this block when the time is over, and again and again until it ends."""
    chance = random.Random()
    pauses = chain([NUDGE, NUDGE], (chance.uniform(1e-6, AT_ONCE) for _ in repeat(None)))

    def ring(_: int, frame: FrameType | None) -> None:
        if is_over(frame):
            signal.setitimer(signal.ITIMER_REAL, next(pauses))
            raise TimeUp
        signal.setitimer(signal.ITIMER_REAL, NUDGE)

    before, began = signal.signal(signal.SIGALRM, ring), time.monotonic()
    others = signal.setitimer(signal.ITIMER_REAL, seconds)[0]
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if others:  # whoever has set the clock before us
            left = others - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, NUDGE))


@contextmanager
def by_jumps(is_over: IsOver, seconds: float) -> Iterator[None]:
    """Interrupt this block at a jump or a call, once the time is over; from Python 3.12 on."""
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring is None:
        yield
        return

    def look(code: CodeType, *_: object) -> Any:
        if not is_own(code.co_filename):
            return monitoring.DISABLE
        if is_over(sys._getframe(1)):
            raise TimeUp
        return None

    events = monitoring.events.JUMP | monitoring.events.PY_START
    monitoring.use_tool_id(TOOL, "wslab")
    try:
        for event in (monitoring.events.JUMP, monitoring.events.PY_START):
            monitoring.register_callback(TOOL, event, look)
        monitoring.set_events(TOOL, events)
        yield
    finally:
        monitoring.set_events(TOOL, 0)
        monitoring.free_tool_id(TOOL)
        monitoring.restart_events()
