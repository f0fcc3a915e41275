"""The part of a widget that lives in the page: JavaScript, styles, and a line to the kernel.

Page and kernel talk in messages (`model.send` and `widget.send`). State goes one way, from the
kernel to the page, for a page that is loaded later: what the page itself would save is lost or
stalls while a cell awaits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["PageWidget", "make_widget", "mimebundle"]

PageWidget = Any  # an anywidget.AnyWidget; its types are not known before it is imported
_HERE = Path(__file__).parent


@functools.cache
def _widget_class(*scripts: str) -> type:
    """Make a widget's class; anywidget is imported when the first widget is made."""
    import anywidget
    import traitlets

    # The page cannot import a second file from here, so the helpers are pasted before the widget.
    texts = [(_HERE / script).read_text(encoding="utf-8") for script in scripts]
    members = {
        "_esm": "\n".join(texts),
        "_css": (_HERE / "widgets.css").read_text(encoding="utf-8"),
        "state": traitlets.Dict().tag(sync=True),
        "__module__": __name__,
    }
    return type(scripts[-1].removesuffix(".js"), (anywidget.AnyWidget,), members)


def make_widget(
    *scripts: str, state: dict[str, Any], on_message: Callable[[dict[str, Any]], None]
) -> PageWidget:
    """Make the page's part of a widget.

    scripts: files beside this one; the last is the widget, those before are what it uses.
    state: what the page has to know, as JSON; assign `widget.state` anew to change it.
    on_message: called with each message from the page, perhaps on another thread.
    """
    widget = _widget_class(*scripts)(state=state)
    widget.on_msg(lambda _widget, message, _buffers: on_message(message))
    return widget


def mimebundle(widget: PageWidget, text: str) -> dict[str, Any]:
    """Return what IPython displays: the widget, or the text where nothing can show a widget."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"text/plain": text, "application/vnd.jupyter.widget-view+json": view}
