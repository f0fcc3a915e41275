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
from wslab.browser.client import Reachable, Route, RoutedWidget
from wslab.browser.widget import listener_of
from wslab.lab.masking import masked_target
from wslab.lab.registry import Listener
from wslab.lab.wire.cable import Cable
from wslab.net.address import authority

__all__ = ["ChatWidget"]


class ChatWidget(RoutedWidget):
    """A member of a room, played by the person who looks at this cell.

    target: the room's server, a cable to it, or a URL.
    name: its name, the target's if left out. A later widget of the same name takes its place, so
    that a cell can run again.
    route: "direct", "proxy" through JupyterLab, or "auto", as for `browser.Browser`.

    origin: the page's origin, which the room then welcomes. None if no page shows this.
    """

    FILES = ("apps/chat/page/chat.css", "apps/chat/page/chat_widget.js")

    def __init__(
        self,
        target: str | Reachable,
        *,
        name: str | None = None,
        route: Route = "auto",
    ) -> None:
        name = name or masked_target(str(getattr(target, "name", target)))
        super().__init__(target, name=name, route=route)
        language = next((room.language for room in self._rooms()), "en")
        self._widget.state = {**self._widget.state, "language": language}

    def _rooms(self) -> list[ChatServer]:
        """Return the room that this leads to, directly or by a cable, if that is ours."""
        found = (self._listener, _behind(self._listener))
        return [room for room in found if isinstance(room, ChatServer)]

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
        if self._is_elsewhere(message):
            self._widget.send({"do": "proxy"})


def _behind(listener: Any) -> Listener | None:
    """Return the listener of the lab that a cable leads to; None without one."""
    if not isinstance(listener, Cable):
        return None
    return listener_of(f"tcp://{authority(*listener.target)}/")
