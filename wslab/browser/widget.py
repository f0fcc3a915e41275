"""The page's part of a widget, with JavaScript, styles, and a line to the kernel.

Page and kernel talk in messages (`model.send` and `widget.send`). State goes one way, from the
kernel to the page, and helps a page that is loaded later. State that the page itself saves would be
lost, or would stall while a cell awaits.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wslab.lab.masking import masked_target
from wslab.lab.registry import Listener, registry
from wslab.lab.servers.files import folders_of
from wslab.lab.wire.anatomy import PARTS
from wslab.net.address import SCHEME_PORTS, reaches
from wslab.net.realtime.choice import is_chosen

__all__ = ["CellWidget", "PageWidget", "TargetWidget", "listener_of", "make_widget"]

PageWidget = Any  # an anywidget.AnyWidget; its types are not known before it is imported
_PACKAGE = Path(__file__).parents[1]
IN_MEMORY = """\
Your browser would open this connection, and it cannot reach a server that exists only in memory. \
Run this cell in a JupyterLab of your own. Here, go on with the next cell."""
IMPORT = re.compile(r'^import .* from "\./([\w.]+)";\n', re.MULTILINE)  # of one of our own files
COMMON = ("browser/dom.js", "browser/route.js", "browser/tokens.css", "browser/widgets.css")


@functools.cache
def _widget_class(*files: str) -> type:
    """Make a widget's class; anywidget is imported when the first widget is made."""
    import anywidget
    import traitlets

    # The page cannot import a second file from here, so others are pasted before the widget.
    paths = [path for name in (*COMMON, *files) for path in _with_imports(_PACKAGE / name)]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    scripts = [text for path, text in texts.items() if path.suffix == ".js"]
    styles = [text for path, text in texts.items() if path.suffix == ".css"]
    members = {
        "_esm": IMPORT.sub("", "\n".join(scripts)),
        "_css": "\n".join([*styles, *map(_style_of_part, PARTS)]),
        "state": traitlets.Dict().tag(sync=True),
        "__module__": __name__,
    }
    return type(paths[-1].stem, (anywidget.AnyWidget,), members)


def _with_imports(path: Path) -> list[Path]:
    """Return a script and the files that it imports, and they import, before it."""
    found = []
    for name in IMPORT.findall(path.read_text(encoding="utf-8")):
        places = (folder / name for folder in folders_of(path.parent))
        found += _with_imports(next(place for place in places if place.is_file()))
    return [*found, path]


def _style_of_part(name: str) -> str:
    part = PARTS[name]
    line = f"3px {part.line} {part.colour}"
    return f".wslab-widget .wslab-part-{name} {{ border-bottom: {line}; }}"


def make_widget(
    *files: str, state: dict[str, Any], on_message: Callable[[dict[str, Any]], None]
) -> PageWidget:
    """Make the page's part of a widget.

    files: paths below the package `wslab`, styles (.css) and, as the last one, the widget's script.
    It can use dom.js and route.js, and what it imports from files beside it or that all pages have.
    state: the page's data, as JSON. Assign a new `widget.state` to change it.
    on_message: called with each message from the page, perhaps on a different thread.
    """
    widget = _widget_class(*files)(state=state)
    widget.on_msg(lambda _widget, message, _buffers: on_message(message))
    return widget


class CellWidget:
    """A widget in a cell. FILES: as for `make_widget`. state: the page's data, as JSON."""

    FILES: tuple[str, ...] = ()

    def __init__(self, **state: Any) -> None:
        self._widget = make_widget(*self.FILES, state=state, on_message=self._on_message)

    def _on_message(self, message: dict[str, Any]) -> None:
        """Take a message from the page; not every page sends some."""

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        """Return the widget for IPython, with the text to show where widgets do not work."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        return {"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}


class TargetWidget(CellWidget):
    """A widget with a connection of its own, from the page that shows the notebook.

    target: a server, a cable, or a URL. state: more for the page.
    """

    def __init__(self, target: Any, **state: Any) -> None:
        # Any text is passed on, so that the browser tells whether it is a URL.
        self.url = target if isinstance(target, str) else target.url
        super().__init__(url=self.url, **state)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        """Return the widget; or a sentence instead, if its server is in memory."""
        if is_chosen() and listener_of(self.url):
            return {"text/plain": repr(self), "text/markdown": IN_MEMORY}
        return super()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        """Say where it goes, in the same words with and without a page."""
        return f"<{type(self).__name__} {masked_target(self.url)} : run this cell in JupyterLab>"


def listener_of(url: str) -> Listener | None:
    """Find the server or cable of the lab that listens where a URL leads, if it is one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or SCHEME_PORTS.get(parts.scheme)
    except ValueError:  # not a URL; the browser will say so
        return None
    running = [one for one in registry().values() if one.is_running]
    return next((one for one in running if one.port == port and reaches(host, one.host)), None)
