"""Tell whether an answer lets a ready-made function do what the task asks to build."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["called"]


def called(run: Callable[[], object], *ready_made: Any) -> str:
    """Call run, and return the name of the first of these functions that is called meanwhile.

    It is found under whatever name, at whatever depth, if this thread calls it. "" if none is.
    Give it a call that is known to end: an interrupt of code that is watched may be lost.
    """
    names, found = {one.__code__: one.__name__ for one in ready_made}, []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names:
            found.append(names[frame.f_code])

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(before)
    return found[0] if found else ""
