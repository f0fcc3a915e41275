"""Short tracebacks show the lines of the cell, the last line, and how to see everything."""

from __future__ import annotations

import linecache
import traceback
from types import TracebackType
from typing import Any

from wslab.lab.tables import LAYOUT, escaped

__all__ = ["short_traceback", "show_short_traceback"]

AROUND = 2  # lines shown before the one that failed


def show_short_traceback(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show an exception that ended a cell (IPython's `set_custom_exc`); `%tb` shows all of it."""
    shell._get_exc_info()  # remembers it for %tb
    own = getattr(error, "_render_traceback_", None)  # IPython's protocol: a verdict has one
    lines = own() if own is not None else short_traceback(shell.user_ns, error, trace)
    shell._showtraceback(kind, error, lines)  # ipykernel's own way to send it


def short_traceback(
    namespace: dict[str, Any], error: BaseException, trace: TracebackType | None
) -> list[str]:
    """Return the lines of an exception, first those of cells, then its name and text.

    namespace: the globals of the cells. Frames of libraries are counted, not shown.
    """
    frames = list(traceback.walk_tb(trace))
    cells = [(frame, line) for frame, line in frames if frame.f_globals is namespace]
    found: list[str] = []
    for frame, line in cells:
        code = frame.f_code
        where = "" if code.co_name.startswith("<") else f", in {code.co_name}"
        found.append(f"In the cell, line {line}{where}:")
        for number in range(max(1, line - AROUND), line + 1):
            mark = "---->" if number == line else "     "
            found.append(f"{mark} {number} {linecache.getline(code.co_filename, number).rstrip()}")
    inside = len(frames) - 1 - frames.index(cells[-1]) if cells else 0
    if inside:
        found.append(f"      … and {inside} calls deeper, in libraries: `%tb` shows everything")
    # A library's exception may quote a peer, such as the reason of its Close frame.
    last = escaped("".join(traceback.format_exception_only(error)).rstrip(), keep=LAYOUT)
    return [*found, "", last + _waited_for(namespace, error)]


def _waited_for(namespace: dict[str, Any], error: BaseException) -> str:
    """Say where a time-out has struck, because `asyncio.timeout` itself does not."""
    cause = error.__cause__
    if str(error) or not isinstance(error, TimeoutError) or cause is None:
        return ""
    walk = traceback.walk_tb(cause.__traceback__)
    lines = [(frame, line) for frame, line in walk if frame.f_globals is namespace]
    if not lines:
        return ""
    frame, line = lines[-1]
    source = linecache.getline(frame.f_code.co_filename, line).strip()
    return f": the time was over while line {line} waited: {source}"
