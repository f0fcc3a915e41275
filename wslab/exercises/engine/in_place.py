"""Run somebody else's code for a limited time in a page, where no second thread can watch it.

The interpreter calls us at each jump, so a loop that never ends is interrupted, but not a call that
never returns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import takewhile
from types import CodeType, FrameType
from typing import Any

from wslab.exercises.engine.bounded import Kept, RunEnd, TimeUp, is_own, own_frames, place_of

__all__ = ["run_in_place"]

IsOver = Callable[[FrameType | None], bool]  # tells whether to interrupt the code in this frame

TOOL = 4  # our number among the tools that monitor the interpreter


def run_in_place(function: Callable[[], object], *, seconds: float) -> RunEnd:
    """Run a function until it ends or its time is over; its output is kept and not shown."""
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
            with _interrupted(is_over):
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


@contextmanager
def _interrupted(is_over: IsOver) -> Iterator[None]:
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
