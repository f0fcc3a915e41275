"""The learner's own browser, as a WebSocket peer, and as a place to take frames apart.

    from wslab import browser

    browser.Browser(server)                  a real WebSocket, in the page that shows the notebook
    browser.WebSocket(url)                   the same interface, in the kernel
    browser.ScriptPage(script, server)       a script of your own, run by the browser
    browser.FrameExplorer(b"\\x81\\x02Hi")     a frame whose fields and bits can be edited

All except `WebSocket` are widgets (anywidget, which is imported when the first one is made).
"""

from wslab.browser.client import Browser
from wslab.browser.events import CloseEvent, DOMException, Event, MessageEvent, PageEvents
from wslab.browser.explorer import FrameExplorer
from wslab.browser.script_page import ScriptPage
from wslab.browser.twin import ScriptError, WebSocket

__all__ = [
    "Browser",
    "CloseEvent",
    "DOMException",
    "Event",
    "FrameExplorer",
    "MessageEvent",
    "PageEvents",
    "ScriptError",
    "ScriptPage",
    "WebSocket",
]
