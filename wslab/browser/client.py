"""The notebook page as a WebSocket client: a real `WebSocket`, of the browser that shows this.

    page = browser.Browser(server)
    page                                    # shows buttons; whatever they do is recorded
    page.send("Hello")                      # or drive it from a cell
    await page.settle(until="message")      # what the browser saw, in its own words

The socket belongs to the page, not to Python: `client.js` opens it, and reports each event here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from wslab.browser.events import PageEvents, event_of
from wslab.browser.widget import make_widget, mimebundle
from wslab.lab.loop import process_global, settle
from wslab.lab.masking import masked_target
from wslab.lab.registry import Listener, registry
from wslab.net.address import SCHEME_PORTS, reaches

__all__ = ["Browser", "Route"]

Route = Literal["auto", "direct", "proxy"]
ROUTES = ("auto", "direct", "proxy")
EVENTS = 1000  # how many events are kept

NO_PAGE = """\
no page has answered within {within:g} s: a Browser lives in the page that shows the notebook. Run
the cell in JupyterLab or Notebook 7, and leave its tab open. If you see the widget and it works,
your kernel hears the page only between cells: ask in the next cell, or update ipykernel."""


class Reachable(Protocol):
    """A server or a cable of the lab: something with a URL to connect to."""

    name: str

    @property
    def url(self) -> str:
        """The URL; raises if it is stopped."""


class Browser:
    """A WebSocket of the notebook page.

    target: a URL, or a server or cable of the lab.
    name: what it is known by, the target if left out. Making another of the same name closes the
    connection of the first, so that a cell can run again; to have two at once, name them.
    route: "direct" goes to the URL itself, "proxy" through JupyterLab (jupyter-server-proxy),
    which alone works when the kernel's machine is not the browser's; "auto" finds out. The proxy
    loses things on the way: close codes become 1005, and it accepts before the server does.
    protocols: the subprotocols to offer. connect: whether the page connects at once; one that is
    loaded again waits for its button.

    events: what the browser reported, in order, the newest `EVENTS` of them.
    origin: where the page came from, which is what a server sees as its Origin; None if no page
    shows this yet. via: the URL that the page really used, None before.
    """

    def __init__(
        self,
        target: str | Reachable,
        *,
        name: str | None = None,
        route: Route = "auto",
        protocols: Sequence[str] = (),
        connect: bool = True,
    ) -> None:
        if route not in ROUTES:
            raise ValueError(f'route is {route!r}, it must be "auto", "direct" or "proxy"')
        # Any text is passed on: that a URL is no URL is for the browser to say.
        self.url = target if isinstance(target, str) else target.url
        self.name = name or str(getattr(target, "name", target))
        self.events = PageEvents()
        self.origin: str | None = None
        self.via: str | None = None
        self._waiting: list[dict[str, str]] | None = [] if connect else None
        self._activity = 0
        self._target = listener_of(self.url)
        self._seen_before = seen(self._target)
        state = {
            "url": self.url,
            "name": self.name,
            "route": route,
            "protocols": list(protocols),
            "connect": connect,
            "replaced": False,
        }
        browsers = process_global("browsers", dict[str, Browser])
        if (earlier := browsers.get(self.name)) is not None:
            earlier.retire()
        browsers[self.name] = self
        scripts = ("browser/dom.js", "browser/route.js", "browser/client.js")
        self._widget = make_widget(*scripts, state=state, on_message=self._on_message)

    def __repr__(self) -> str:
        """Say where it goes: the same with and without a page."""
        return f"<Browser {masked_target(self.url)} : run this cell in JupyterLab>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return mimebundle(self._widget, repr(self))

    # What the page does

    def connect(self) -> None:
        """Open a new connection, as the button does."""
        self._widget.send({"do": "connect"})

    def send(self, data: str | bytes) -> None:
        """Send a text or a binary message, as the buttons do.

        As in JavaScript this needs an open connection: what the browser throws otherwise becomes
        a `DOMException` among the events. But what is sent before the first `open` waits for it:
        with Run All, cells run before the page is ready.
        """
        content = {"text": data} if isinstance(data, str) else {"hex": bytes(data).hex()}
        if self._waiting is None:
            self._widget.send({"do": "send", **content})
        else:
            self._waiting.append({"do": "send", **content})

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Close the connection; a page may give 1000 or 3000 to 4999 as the code, or none."""
        self._widget.send({"do": "close", "code": code, "reason": reason})

    def retire(self) -> None:
        """Close the connection for good, since another Browser takes its place."""
        self._widget.state = {**self._widget.state, "replaced": True}

    # What it reports

    async def settle(
        self,
        until: int | str | Callable[[], object] | None = None,
        *,
        within: float = 5.0,
        quiet: float = 0.3,
    ) -> PageEvents:
        """Wait until the page has nothing more to report, and return its events.

        until: a number of events, a type of event such as "open", or a condition, to be reached
        first. within: seconds to wait for it, then TimeoutError with what has happened so far.
        quiet: seconds without any report that count as nothing more.
        Raises TimeoutError, with what to do, if no page shows this.
        """

        def reached() -> object:
            if self.origin is None or until is None:
                return self.origin is not None
            if callable(until):
                return until()
            if isinstance(until, str):
                return self.events.only(until)
            return len(self.events) + self.events.dropped >= until

        try:
            await settle(
                lambda: self._activity, reached, lambda: self.events, within=within, quiet=quiet
            )
        except TimeoutError:
            if self.origin is None:
                raise TimeoutError(NO_PAGE.format(within=within)) from None
            raise
        return self.events

    def _on_message(self, message: dict[str, Any]) -> None:
        """Take a report: {"origin", "via"} on every connect, {"events", "dropped"} after that.

        ipykernel 7.4 calls this while a cell awaits, or on a thread of its own even while a cell
        is busy; older ones only after the cell has ended. Adding to a list suits all of them.
        """
        if self.origin is None:
            # A page that is loaded later, or a second one, is not to connect unasked.
            self._widget.state = {**self._widget.state, "connect": False}
        self.origin = message.get("origin", self.origin)
        self.via = message.get("via", self.via)
        self.events.extend(event_of(report) for report in message.get("events", []))
        if self._waiting is not None and self.events.only("open"):
            waiting, self._waiting = self._waiting, None
            for command in waiting:
                self._widget.send(command)
        excess = max(0, len(self.events) - EVENTS)
        del self.events[:excess]
        self.events.dropped += excess + int(message.get("dropped", 0))
        self._activity += 1
        runs = self._target is not None and self._target.is_running
        if message.get("unreached") and runs and seen(self._target) == self._seen_before:
            # Our server runs and nobody came: the page's 127.0.0.1 is another machine than ours.
            self._widget.send({"do": "connect", "route": "proxy"})


def listener_of(url: str) -> Listener | None:
    """Find the server or cable of the lab that listens where a URL leads, if it is one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or SCHEME_PORTS.get(parts.scheme)
    except ValueError:  # no URL: that is for the browser to say
        return None
    running = [one for one in registry().values() if one.is_running]
    return next((one for one in running if one.port == port and reaches(host, one.host)), None)


def seen(listener: Any) -> int:
    """Count what a server or a cable has noticed so far."""
    tape = getattr(listener, "tape", None)
    return len(getattr(listener, "events", ())) + (tape.count if tape else 0)
