"""Tell whether an answer calls a ready-made function in place of writing one."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import CodeType, FrameType
from typing import Any

from wslab.exercises.engine.bounded import is_own

__all__ = ["made_of", "watching"]

# These packages do the work of the tasks. `websocket` is also the name that the library's C part,
# `websockets.speedups`, gives itself.
PACKAGES = {"aiohttp", "autobahn", "engineio", "picows", "simple_websocket", "socketio"}
PACKAGES |= {"tornado", "websocket", "websockets", "wslab", "wsproto"}
# A check may pass a function of its own to an answer, and run it on a network in memory.
OURS = ("wslab.exercises.", "wslab.net.")
BEGINS = bytes((dis.opmap["RESUME"], 0))  # the instruction with which every function begins
BY_ITSELF = ("<module>", "__getattr__", "__del__")  # called by an import or a clean-up


@contextmanager
def watching(*allowed: Any) -> Iterator[list[str]]:
    """Give a list of the ready-made functions that an answer calls, in the code of this `with`.

    allowed: functions, classes with all their methods, and names of modules or packages.
    A call is seen under any name, if this thread makes it. Two kinds are not seen: the call of a
    function in C by another one in C, such as `map`, and a task made of a library's coroutine.
    """
    is_made = _ready_made_except(allowed)
    codes = {code for one in allowed if not isinstance(one, str) for code in _codes(one)}
    found: list[str] = []

    def watch(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            known = frame.f_code in codes or frame.f_code.co_name in BY_ITSELF
            made = not known and is_made(frame.f_globals.get("__name__"))
            if made and _begins(frame) and _is_own(frame.f_back):
                found.append(_name(frame))
        elif event == "c_call":
            made = is_made(function.__module__) and function not in allowed
            if made and _is_own(frame):
                found.append(function.__name__)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield found
    finally:
        sys.setprofile(before)


def made_of(answer: Any, *allowed: Any) -> str:
    """Return the name of the ready-made function or class that an answer is made of, or "".

    An answer may be wrapped, as by `functools.partial`, and a class may inherit.
    """
    while inner := getattr(answer, "func", None) or getattr(answer, "__wrapped__", None):
        answer = inner
    is_made = _ready_made_except(allowed)
    for one in getattr(answer, "__mro__", (answer,)):
        if is_made(getattr(one, "__module__", None)) and one not in allowed:
            return str(getattr(one, "__qualname__", one))
    return ""


def _ready_made_except(allowed: tuple[Any, ...]) -> Callable[[Any], bool]:
    """Return a function that tells whether a module is ready-made, and not allowed."""
    free = (*OURS, *(f"{one}." for one in allowed if isinstance(one, str)))

    @cache
    def is_made(module: Any) -> bool:
        top = module.partition(".")[0] if isinstance(module, str) else ""
        return top in PACKAGES and not f"{module}.".startswith(free)

    return is_made


def _name(frame: FrameType) -> str:
    """Return the name of the called function, or of the class whose instance is being made."""
    code = frame.f_code
    if code.co_name == "__init__":
        return type(frame.f_locals[code.co_varnames[0]]).__qualname__
    return code.co_qualname


def _begins(frame: FrameType) -> bool:
    """Tell whether this is a call, and not a generator that goes on or is closed by Python."""
    return frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 2] == BEGINS


def _is_own(frame: FrameType | None) -> bool:
    """Tell whether the call comes from a learner's code, perhaps by way of another library."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in PACKAGES:
            return False
        if is_own(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def _codes(allowed: Callable[..., Any]) -> Iterator[CodeType]:
    """Yield the code of a function, or of everything that a class and its bases define."""
    things = [thing for kind in getattr(allowed, "__mro__", ()) for thing in vars(kind).values()]
    for thing in things or [allowed]:
        function = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
        if isinstance(code := getattr(function, "__code__", None), CodeType):
            yield code
