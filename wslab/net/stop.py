"""A loop inside a running one, as a notebook's cell needs it, and a Stop that leaves both whole.

The kernel's loop runs the cell's task. While a simulation runs on the same thread, that loop and
that task step aside. Ctrl+C in the middle of the change would leave the kernel without its loop for
good. So from before the first step until after the last one a handler of our own takes it, and
raises KeyboardInterrupt only while the simulation runs callbacks.
"""

from __future__ import annotations

import logging
import signal
import threading
from asyncio import events, tasks
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import dirname
from types import FrameType

__all__ = ["Button", "own_stop", "step_aside"]


# Their code is never interrupted: a callback that was taken off a queue and not run would be lost,
# and the lock of the module logging would stay closed for every other thread.
_INTERNAL = (dirname(events.__file__), dirname(logging.__file__), dirname(__file__))


class Button:
    """The handler of Ctrl+C, which is also Stop in a notebook.

    pressed: whether it was, and nobody has answered yet. armed: whether to raise right now.
    """

    def __init__(self) -> None:
        self.pressed = self.armed = False

    def press(self, _: object = None, frame: FrameType | None = None) -> None:
        """Raise KeyboardInterrupt in the program's own code; the handler of the signal.

        Elsewhere, and if the program swallows it, the loop raises it at its next turn.
        """
        self.pressed = True
        is_internal = frame is not None and frame.f_code.co_filename.startswith(_INTERNAL)
        if self.armed and not is_internal:
            raise KeyboardInterrupt

    @contextmanager
    def arm(self) -> Iterator[None]:
        """Let it raise in this block; a press that came earlier is raised at once."""
        before, self.armed = self.armed, True
        try:
            if self.pressed:
                raise KeyboardInterrupt
            yield
        finally:
            self.armed = before


_owned: list[Button] = []  # the one whose handler is installed, if there is one


@contextmanager
def own_stop() -> Iterator[Button]:
    """Take Ctrl+C over for a block. Blocks inside share the outermost one's button.

    Only the main thread can: signals do not reach any other.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if _owned or not is_main:
        yield _owned[0] if is_main else Button()
        return
    button = Button()
    before = signal.signal(signal.SIGINT, button.press)
    _owned.append(button)
    try:
        yield button
    finally:
        _owned.clear()
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    if button.pressed:  # too late for the simulation, but not to be lost
        raise KeyboardInterrupt


@contextmanager
def step_aside() -> Iterator[None]:
    """Let another loop run in this block, on the thread of a loop that is running already."""
    outer = events._get_running_loop()
    task = tasks.current_task(outer) if outer is not None else None
    if outer is not None and task is not None:
        tasks._leave_task(outer, task)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(outer)
        if outer is not None and task is not None:
            tasks._enter_task(outer, task)
