"""The notebook page as a WebSocket client, with a real `WebSocket` of the browser that shows it.

    page = browser.Browser(server)
    page                                    # shows buttons; their events are recorded
    page.send("Hello")                      # or drive it from a cell
    await page.settle(until="message")      # the browser's events, in its own words

The socket belongs to the page, not to Python. `client.js` opens it, and reports each event here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from wslab.browser.events import PageEvents, event_of
from wslab.browser.widget import TargetWidget, listener_of
from wslab.lab.loop import check_until, process_global, settle

__all__ = ["Browser", "Route", "RoutedWidget"]

Route = Literal["auto", "direct", "proxy"]
ROUTES = ("auto", "direct", "proxy")
EVENTS = 1000  # how many events are kept

NO_PAGE = """\
no page has answered within {within:g} s: a Browser lives in the page that shows the notebook. Run
the cell in JupyterLab or Notebook 7, and leave its tab open. If you see the widget and it works,
your kernel hears the page only between cells: ask in the next cell, or update ipykernel."""


class Reachable(Protocol):
    """A server or a cable of the lab, or anything with a URL to connect to."""

    name: str

    @property
    def url(self) -> str:
        """The URL; raises if it is stopped."""


class RoutedWidget(TargetWidget):
    """A widget that finds its way to the server, and of which the last one of a name counts.

    target, name, route: as for `Browser`. state: more for the page.
    """

    def __init__(
        self, target: str | Reachable, *, name: str | None, route: Route, **state: Any
    ) -> None:
        if route not in ROUTES:
            raise ValueError(f'route is {route!r}, it must be "auto", "direct" or "proxy"')
        self.name = name or str(getattr(target, "name", target))
        self.origin: str | None = None
        super().__init__(target, name=self.name, route=route, replaced=False, **state)
        self._listener = listener_of(self.url)
        self._seen_before = seen(self._listener)
        widgets = process_global(f"{type(self).__name__}s", dict[str, RoutedWidget])
        if (earlier := widgets.get(self.name)) is not None:
            earlier.retire()
        widgets[self.name] = self

    def retire(self) -> None:
        """Close the connection for good, because a later widget takes its place."""
        self._widget.state = {**self._widget.state, "replaced": True}

    def _is_elsewhere(self, message: dict[str, Any]) -> bool:
        """Tell whether the page's 127.0.0.1 is a different machine's.

        Then it has not reached our server, which runs and has seen nobody.
        """
        runs = self._listener is not None and self._listener.is_running
        return bool(message.get("unreached")) and runs and seen(self._listener) == self._seen_before


class Browser(RoutedWidget):
    """A WebSocket of the notebook page.

    target: a URL, or a server or cable of the lab.
    name: its name, by default the target's. A new Browser of the same name closes the connection of
    the first one, so that a cell can run again. To have two at once, give them names.
    route: "direct" goes to the URL itself, "proxy" through JupyterLab (jupyter-server-proxy). Only
    the proxy works if the kernel's machine is not the browser's. "auto" finds out. The proxy loses
    information: close codes become 1005, and it accepts a connection before the server does.
    protocols: the subprotocols to offer. connect: True if the page connects at once. After a reload
    it waits for its button.

    events: the newest `EVENTS` events that the browser reported, in order.
    origin: the page's origin, which a server sees as its Origin. It is None without a page.
    via: the URL that the page really used; None before that.
    """

    FILES = ("browser/client.js",)

    def __init__(
        self,
        target: str | Reachable,
        *,
        name: str | None = None,
        route: Route = "auto",
        protocols: Sequence[str] = (),
        connect: bool = True,
    ) -> None:
        self.events = PageEvents()
        self.via: str | None = None
        self._waiting: list[dict[str, str]] | None = [] if connect else None
        self._activity = 0
        state = {"protocols": list(protocols), "connect": connect}
        super().__init__(target, name=name, route=route, **state)

    # For the page

    def connect(self) -> None:
        """Open a new connection, as the button does."""
        self._widget.send({"do": "connect"})

    def send(self, data: str | bytes) -> None:
        """Send a text or a binary message, as the buttons do.

        As in JavaScript this needs an open connection. Otherwise the browser throws an error, which
        becomes a `DOMException` among the events. But a message before the first `open` waits for
        it, because with Run All, cells run before the page is ready.
        """
        content = {"text": data} if isinstance(data, str) else {"hex": bytes(data).hex()}
        if self._waiting is None:
            self._widget.send({"do": "send", **content})
        else:
            self._waiting.append({"do": "send", **content})

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Close the connection; a page may give 1000 or 3000 to 4999 as the code, or none."""
        self._widget.send({"do": "close", "code": code, "reason": reason})

    # Its reports

    async def settle(
        self,
        until: int | str | Callable[[], object] | None = None,
        *,
        within: float = 5.0,
        quiet: float = 0.3,
    ) -> PageEvents:
        """Wait until the page has nothing more to report, and return its events.

        until: a number of events, a type of event such as "open", or a condition, to wait for
        first. within: seconds before TimeoutError, which shows the events so far.
        quiet: seconds without a report that end the wait.
        Raises TimeoutError, with advice, if no page shows this.
        """

        if not isinstance(until, str):
            check_until(until)

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
        """Take a report, {"origin", "via"} on every connect, and {"events", "dropped"} after that.

        ipykernel 7.4 calls this while a cell awaits, or on a thread of its own even while a cell
        is busy. Older versions call it only after the cell has ended. Adding to a list suits all.
        """
        if self.origin is None:
            # A page that is loaded later, or a second one, must not connect unasked.
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
        if self._is_elsewhere(message):
            self._widget.send({"do": "connect", "route": "proxy"})


def seen(listener: Any) -> int:
    """Count the events that a server or a cable has noticed so far."""
    tape = getattr(listener, "tape", None)
    return len(getattr(listener, "events", ())) + (tape.count if tape else 0)
