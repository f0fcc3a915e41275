"""HTML tables for values in a notebook, beside the text that each value prints.

The HTML is plain, semantic and safe. It works on GitHub, in both themes and for screen readers, and
a peer's words are escaped. Colour carries no meaning.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from wslab.display import exercises, html
from wslab.display.bitgrid import bitgrid
from wslab.display.diagram import state_diagram
from wslab.display.figure import describe, png
from wslab.display.sequence import sequence_html
from wslab.display.traceback import show_short_traceback
from wslab.lab.checkup import Checkup
from wslab.lab.loop import process_global
from wslab.lab.notebook import let_stop_reach_awaits
from wslab.lab.record import Events
from wslab.lab.registry import registry
from wslab.lab.servers.base import BaseServer
from wslab.lab.tables import Table
from wslab.lab.wire.anatomy import Anatomy
from wslab.lab.wire.bitgrid import BitGrid
from wslab.lab.wire.diagram import SequenceDiagram
from wslab.lab.wire.transcript import Row, Transcript

__all__ = ["install", "state_diagram"]

RENDERERS = {
    Anatomy: html.anatomy,
    BitGrid: bitgrid,
    Checkup: html.checkup,
    Events: html.events,
    Row: html.row,
    SequenceDiagram: sequence_html,
    Table: html.plain_table,
    Transcript: html.transcript,
}


def install(shell: Any) -> None:
    """Teach an IPython shell to show the lab's values; doing it again changes nothing.

    In a kernel, Stop also reaches cells that await from now on.
    """
    formatter = shell.display_formatter.formatters["text/html"]
    for kind, render in RENDERERS.items():
        formatter.for_type(kind, render)
    # By name, so that the widgets' package is loaded only when it is used.
    formatter.for_type_by_name("wslab.browser.events", "PageEvents", html.page_events)
    for name, show in exercises.RENDERERS.items():
        formatter.for_type_by_name(*name.rsplit(".", 1), show)
    pictures = shell.display_formatter.formatters["image/png"]
    # By name, so that matplotlib is loaded only when it is used.
    pictures.for_type_by_name("matplotlib.figure", "Figure", png)
    plain = shell.display_formatter.formatters["text/plain"]
    plain.for_type_by_name("matplotlib.figure", "Figure", describe)
    shell.set_custom_exc((Exception,), show_short_traceback)
    hooks = process_global("hooks", dict[str, Any])
    if "errors" in hooks:
        shell.events.unregister("post_run_cell", hooks["errors"])
    hooks["errors"] = show_new_errors
    shell.events.register("post_run_cell", show_new_errors)
    if hasattr(shell, "kernel") and threading.current_thread() is threading.main_thread():
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        let_stop_reach_awaits()


def show_new_errors(_result: object = None) -> None:
    """Show new handler errors, which no cell has looked at, below the cell that has just run."""
    from IPython.display import display

    for listener in list(registry().values()):
        if isinstance(listener, BaseServer):
            for error in listener.unseen_errors():
                display(error)  # type: ignore[no-untyped-call]
