"""A page for JavaScript with a `WebSocket` that the learner writes in a cell, and the browser runs.

    browser.ScriptPage('new WebSocket(url).onopen = (event) => show(event.type)', server)

The script has a page of its own, a hidden frame. It is sandboxed, so it cannot reach the
notebook, and its Origin is "null". Everything that it shows appears below the cell.
"""

from __future__ import annotations

from wslab.browser.client import Reachable
from wslab.browser.widget import TargetWidget

__all__ = ["ScriptPage"]


class ScriptPage(TargetWidget):
    """A page that consists of a script.

    script: JavaScript. It can use `url`, a string, and `show(...)`, which writes its arguments on a
    line below the cell. Its exceptions are shown, too.
    target: a URL, or a server or cable of the lab. If the kernel's machine is not the browser's,
    `url` leads through JupyterLab, and the page has JupyterLab's origin, because it must log in.
    """

    FILES = ("browser/script_page.js",)

    def __init__(self, script: str, target: str | Reachable) -> None:
        self.script = script
        super().__init__(target, script=script)

    def __repr__(self) -> str:
        """Say where it goes, in the same words with and without a page."""
        lines = len(self.script.strip().splitlines())
        return f"<ScriptPage {lines} lines for {self.url} : run this cell in JupyterLab>"
