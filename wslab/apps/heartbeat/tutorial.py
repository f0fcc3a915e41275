"""The tutorial's heartbeat page, line by line, in virtual time.

The tutorial is the Chinese article on WebSocket that the course started from.

`Page` is its script, with the same functions, the same variables, both variants of `heartCheck`,
and their faults. `Network` is a browser's WebSocket and a server that can be killed, or fall
silent. Times are seconds. The tutorial's are 3000 and 5000 milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from wslab.net.clock import Timers

__all__ = ["BROWSER_CLOSE", "Network", "Page"]

BROWSER_CLOSE = 60.0  # seconds that Chromium waits for the peer's Close before it gives up
ROUND_TRIP = 0.01  # seconds

Mode = Literal["up", "silent", "down", "throws"]


class Network:
    """The way to the server, and the server.

    mode: "up" answers every message; "silent" takes every message and answers none, as a hanging
    program does; "down" refuses connections; with "throws", `new WebSocket` itself fails.

    TCP is left out. With a cut cable, it would give up after a quarter of an hour, because the page
    sends.
    """

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self.mode: Mode = "up"
        self.sockets: list[_Socket] = []

    def kill(self) -> None:
        """End the server. Its machine closes every connection, and refuses new ones."""
        self.mode = "down"
        for socket in self.sockets:
            socket.end(1006)


class _Socket:
    """A browser's WebSocket, as far as the page uses it."""

    def __init__(self, page: Page, network: Network) -> None:
        if network.mode == "throws":
            raise RuntimeError("SecurityError")
        self.page, self.network, self.state = page, network, "connecting"
        network.sockets.append(self)
        network.timers.set_timeout(self._answered, ROUND_TRIP)

    def _answered(self) -> None:
        if self.network.mode == "up":
            self.state = "open"
            self.page.onopen(self)
        elif self.network.mode == "down":
            self.page.onerror(self)
            self.end(1006)

    def send(self, message: str) -> None:
        if self.state == "open":  # a socket that is closed drops it in silence
            self.page.note(f"beat {message}")
            if self.network.mode == "up":
                self.network.timers.set_timeout(self._receive, ROUND_TRIP)

    def _receive(self) -> None:
        if self.state == "open":
            self.page.onmessage(self)

    def close(self) -> None:
        if self.state in ("closing", "closed"):
            return
        self.page.note("close()")
        self.state = "closing"
        answered = self.network.mode == "up"
        code, wait = (1005, ROUND_TRIP) if answered else (1006, BROWSER_CLOSE)
        self.network.timers.set_timeout(lambda: self.end(code), wait)

    def end(self, code: int) -> None:
        if self.state != "closed":
            self.state = "closed"
            self.page.onclose(self, code)


class Page:
    """The tutorial's script.

    variant: 1, "three beats without an answer", or 2, "no answer within 5 seconds".
    log: the events, as (seconds, text).
    """

    timeout = 3.0  # timeout: 3000
    server_timeout = 5.0  # severTimeout: 5000

    def __init__(self, network: Network, variant: Literal[1, 2] = 1) -> None:
        self.network, self.timers, self.variant = network, network.timers, variant
        self.log: list[tuple[float, str]] = []
        self.ws: _Socket
        self.lock_reconnect = False
        self.tt: int | None = None
        self.reconnect_num = 3
        self.timeout_obj: int | None = None
        self.server_timeout_obj: int | None = None
        self.create_web_socket()

    def note(self, text: str) -> None:
        """Put something on the record."""
        self.log.append((round(self.timers.now, 1), text))

    def create_web_socket(self) -> None:
        """`function createWebSocket()`."""
        try:
            self.note("new WebSocket")
            self.ws = _Socket(self, self.network)
        except RuntimeError:
            self.note("catch")
            self.reconnect()

    # `function init()`

    def onopen(self, ws: _Socket) -> None:
        """Begin the heartbeat."""
        self.note("open")
        self.start()

    def onmessage(self, ws: _Socket) -> None:
        """Begin the heartbeat again, because any message is a sign of life."""
        self.start()

    def onerror(self, ws: _Socket) -> None:
        """Reconnect. The close event always follows, and finds the attempt already begun."""
        self.reconnect()

    def onclose(self, ws: _Socket, code: int) -> None:
        """Reconnect."""
        self.note(f"closed {code}")
        self.reconnect()

    def reconnect(self) -> None:
        """`function reconnect(url)`. It makes two attempts in all, as success does not reset it."""
        if self.lock_reconnect or self.reconnect_num <= 1:
            return
        self.lock_reconnect = True
        self.timers.clear_timeout(self.tt)

        def later() -> None:
            self.create_web_socket()  # if this throws, its reconnect() finds the lock, and returns
            self.lock_reconnect = False
            self.reconnect_num -= 1

        self.tt = self.timers.set_timeout(later, 3.0)

    # `var heartCheck`

    def start(self) -> None:
        """`start: function ()`, in the variant chosen."""
        self.timers.clear_timeout(self.timeout_obj)
        if self.variant == 1:
            self.timeout_obj = self.timers.set_timeout(self._count(num=3), self.timeout)
        else:
            self.timers.clear_timeout(self.server_timeout_obj)
            self.timeout_obj = self.timers.set_timeout(self._ask, self.timeout)

    def _count(self, num: int) -> Callable[[], None]:
        def later() -> None:
            nonlocal num  # `var _num` belongs to this one call of start()
            self.ws.send("123456789")
            num -= 1
            if num == 0:  # this never happens, because the timer runs once, so num is 2
                self.ws.close()

        return later

    def _ask(self) -> None:
        self.ws.send("123456789")
        self.server_timeout_obj = self.timers.set_timeout(self.ws.close, self.server_timeout)
