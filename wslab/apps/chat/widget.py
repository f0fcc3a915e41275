"""The chat in a notebook cell, as a widget in the page that shows the notebook.

    room = chat.serve()
    chat.ChatWidget(room)

The connection belongs to the page, not to the kernel. The widget's scripts open it, directly or
through JupyterLab. `room.history` and `room.events` have the messages that a person sends there.
"""

from __future__ import annotations

import contextlib
from typing import Any

from wslab.apps.chat.server import ChatServer
from wslab.browser.client import ROUTES, Reachable, Route, listener_of, seen
from wslab.browser.widget import make_widget, mimebundle
from wslab.lab.loop import process_global
from wslab.lab.masking import masked_target
from wslab.lab.registry import Listener
from wslab.lab.wire.cable import Cable
from wslab.net.address import authority

__all__ = ["ChatWidget"]

FILES = (
    *("browser/dom.js", "browser/route.js"),
    *("kit/js/policies.js", "kit/js/outbox.js", "kit/js/reconnecting.js"),
    *(
        f"apps/chat/page/{name}"
        for name in ("chat.css", "words.js", "chat.js", "chat_view.js", "chat_widget.js")
    ),
)


class ChatWidget:
    """A member of a room, played by the person who looks at this cell.

    target: the room's server, a cable to it, or a URL.
    name: its name, the target's if left out. A later widget of the same name takes its place, so
    that a cell can run again.
    route: "direct", "proxy" through JupyterLab, or "auto", as for `browser.Browser`.

    origin: the page's origin, which the room then welcomes. None if no page shows this.
    """

    def __init__(
        self,
        target: str | Reachable,
        *,
        name: str | None = None,
        route: Route = "auto",
    ) -> None:
        if route not in ROUTES:
            raise ValueError(f'route is {route!r}, it must be "auto", "direct" or "proxy"')
        self.url = target if isinstance(target, str) else target.url
        self.name = name or masked_target(str(getattr(target, "name", target)))
        self.origin: str | None = None
        self._listener = listener_of(self.url)
        self._seen_before = seen(self._listener)
        widgets = process_global("chat widgets", dict[str, ChatWidget])
        if (earlier := widgets.get(self.name)) is not None:
            earlier.retire()
        widgets[self.name] = self
        state = {
            **{"url": self.url, "name": self.name, "route": route, "replaced": False},
            "language": next((room.language for room in self._rooms()), "en"),
        }
        self._widget = make_widget(*FILES, state=state, on_message=self._on_message)

    def __repr__(self) -> str:
        """Say where it goes, in the same way with and without a page."""
        return f"<ChatWidget {masked_target(self.url)} : run this cell in JupyterLab>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return mimebundle(self._widget, repr(self))

    def _rooms(self) -> list[ChatServer]:
        """Return the room that this leads to, directly or by a cable, if that is ours."""
        found = (self._listener, _behind(self._listener))
        return [room for room in found if isinstance(room, ChatServer)]

    def retire(self) -> None:
        """Leave the room for good, because a later widget takes its place."""
        self._widget.state = {**self._widget.state, "replaced": True}

    def _on_message(self, message: dict[str, Any]) -> None:
        """Take a report of the page, {"origin"} when it is loaded, {"unreached"} if that failed.

        A JupyterHub's page has a different origin from this machine's, so a room would refuse it.
        The report comes through Jupyter, so the page's user may run anything in the kernel anyway.
        """
        if "origin" in message:
            self.origin = str(message["origin"])
            for room in self._rooms():
                if self.origin != "null":  # because that would let in every page from a file
                    with contextlib.suppress(ValueError):
                        room.allow_origin(self.origin)
            self._widget.send({"do": "connect"})
        runs = self._listener is not None and self._listener.is_running
        if message.get("unreached") and runs and seen(self._listener) == self._seen_before:
            # Our server runs and nobody came, so the page's 127.0.0.1 is not this machine.
            self._widget.send({"do": "proxy"})


def _behind(listener: Any) -> Listener | None:
    """Return the listener of the lab that a cable leads to; None without one."""
    if not isinstance(listener, Cable):
        return None
    return listener_of(f"tcp://{authority(*listener.target)}/")
