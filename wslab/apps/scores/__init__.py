"""Lesson 14: live scores (比分直播). A snapshot, then changes, and never a false state.

    board = scores.Scoreboard(Match(Random(14)))
    server = scores.serve(board)
    scores.ScoresWidget(server)

A `Match` has a state, a JSON object. A `Scoreboard` numbers its versions in a `Log`. To a viewer it
sends one whole state, and from then on only what changes, as JSON Merge Patches (RFC 7396):

    {"type": "resumed", …, "state": {…}, "version": n, "now": t}
    {"patch": {…}, "now": t, "seq": n}      makes version n of version n-1

The state and its number are in the answer to `resume`. `now` is the server's time, from which a
viewer learns what the match's clock shows. Nobody sends that every second (`match.Screen`).

    /         the protocol of `wslab.kit.resume`. A viewer that cannot go on, because it is new or
              has missed too much, gets a state instead of changes
    /whole    the whole state after each change
    /connection/websocket    the same match by Centrifugo's protocol, channel "match"
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from wslab import lab
from wslab.apps.scores.centrifugo import (
    CHANNEL,
    PATH,
    PING,
    Centrifugo,
    CentrifugoRows,
    commands,
    publication,
)
from wslab.apps.scores.match import Match, Screen, Skipped
from wslab.browser.widget import TargetWidget
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import Failed, Received
from wslab.kit.hub import Hub
from wslab.kit.keepalive import Heartbeat, watched
from wslab.kit.messages import Message, ResumeError, decoded, encoded, merge_diff
from wslab.kit.resume import Log, Session
from wslab.lab.servers.files import PageFiles
from wslab.lab.servers.websocket import show_page
from wslab.lab.wire.dissectors import register
from wslab.protocol.http import split_target

__all__ = ["Match", "Scoreboard", "ScoresWidget", "Screen", "Skipped"]
__all__ += ["demo_scores", "follow", "serve"]

PAGE = PageFiles(Path(__file__).parent / "page", {"title": "Live score"})
CHANGES = 100  # that a log keeps: most of a match
BEAT = Heartbeat(20, timeout=10)

register("centrifugo", CentrifugoRows())


class Scoreboard:
    """The server's handler.

    match: the one that it shows. log: the numbered changes; by default a new one, with a new epoch.
    is_live: whether the match goes on by itself while somebody is connected. If not, nothing
    happens until `step` is called. hub: the connections.
    """

    __name__ = "scores"

    def __init__(
        self, match: Match, *, log: Log | None = None, is_live: bool = False, beat: Heartbeat = BEAT
    ) -> None:
        self.match, self.beat = match, beat
        self.log = Log(CHANGES) if log is None else log
        self.hub = Hub(life=self._play if is_live else None)
        self._loop: asyncio.AbstractEventLoop | None = None  # of the connections
        self._kick_off: float | None = None  # by the loop's clock, while the match goes on

    @property
    def now(self) -> float:
        """The server's time, in seconds since the kick-off."""
        if self._kick_off is None:
            return self.match.seconds
        return asyncio.get_running_loop().time() - self._kick_off

    @property
    def snapshot(self) -> Message:
        """The present state, with its number."""
        state = self.match.state
        return {"state": state, "version": self.log.last, "now": round(self.now, 3)}

    def step(self, count: int = 1) -> None:
        """Let the next things happen in the match, and tell everybody what has changed.

        It may be called on any thread. It happens on the lab's loop of the connections, because a
        viewer that comes meanwhile must not get the new state with the old number.
        """
        loop, here = self._loop, None
        with suppress(RuntimeError):
            here = asyncio.get_running_loop()
        if loop is None or loop is here or loop.is_closed():
            for _ in range(count):
                self._step()
        else:
            lab.run(self._steps(count))

    async def _steps(self, count: int) -> None:
        self.step(count)

    def _step(self) -> None:
        before = self.match.state
        patch = merge_diff(before, self.match.step())
        message = self.log.publish({"patch": patch, "now": round(self.now, 3)})
        self.hub.publish(encoded(message), "changes")
        self.hub.publish(encoded(self.snapshot), "whole")
        push = {"push": {"channel": CHANNEL, "pub": publication(message)}}
        self.hub.publish(encoded(push), "centrifugo")

    # Connections

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        path = split_target(ws.request.path)[0]
        is_centrifugo = path.endswith(PATH)
        receive = partial(self._receive_command, ws, Centrifugo(self.log, lambda: self.snapshot))
        if not is_centrifugo:
            receive = partial(self._receive, ws, Session(self.log))
        ping = partial(self._ping, ws) if is_centrifugo else None
        self._loop = asyncio.get_running_loop()
        async with self.hub.hosting(ws, refuses={ResumeError: None}):
            if path.endswith("/whole"):
                self.hub.send(ws, encoded(self.snapshot))
                self.hub.subscribe(ws, "whole")
            async with watched(ws, PING if is_centrifugo else self.beat, ping):
                async for data in ws:
                    receive(data)

    def _receive(self, ws: Any, session: Session, data: str | bytes) -> None:
        message = decoded(data)
        if message.get("type") == "beat":
            self.hub.send(ws, encoded({"type": "beat"}))
        elif message.get("type") == "resume":
            for answer in self.resumed(session, message):
                self.hub.send(ws, encoded(answer), asked=True)
            self.hub.subscribe(ws, "changes")
        else:
            raise ResumeError("bad message", 'expected: type "resume" or "beat"')

    def resumed(self, session: Session, message: Message) -> list[Message]:
        """Answer `resume` with the changes that a viewer has missed, or with a state."""
        return session.resume(message, lambda: self.snapshot)

    def _receive_command(self, ws: Any, client: Centrifugo, data: str | bytes) -> None:
        for command in commands(data):
            reply = client.answer(command)
            if reply is not None:
                self.hub.send(ws, encoded(reply), asked=True)
            change = self.hub.subscribe if client.is_subscribed else self.hub.unsubscribe
            change(ws, "centrifugo")

    async def _ping(self, ws: Any) -> None:
        self.hub.send(ws, "{}")

    async def _play(self) -> None:
        """Let the match go on in time; while nobody watches, it stands still."""
        loop = asyncio.get_running_loop()
        self._kick_off = loop.time() - self.match.seconds
        try:
            while True:
                await asyncio.sleep(self._kick_off + self.match.due - loop.time())
                self.step()
        finally:
            self._kick_off = None


async def follow(client: ReconnectingClient, screen: Screen) -> None:
    """Show on a screen what a client receives, until it is closed.

    client: of a scoreboard, with `resume`, which is the default. It reconnects by itself.
    Raises ConnectionError if the server does not want it, or is none.
    """
    async for event in client:
        if isinstance(event, Received):
            screen.take(event.message, asyncio.get_running_loop().time())
        elif isinstance(event, Failed):
            raise ConnectionError(event.ending.text)


def serve(board: Scoreboard | None = None, *, name: str = "scores", **where: Any) -> lab.Server:
    """Start a scoreboard beside the notebook, with its page at `/`; a live match if left out.

    name, where: as for `lab.serve`; running the cell again replaces the server of this name.
    """
    board = board or Scoreboard(Match(Random(14)), is_live=True)
    return lab.serve(board, name=name, process_request=PAGE.answer, **where)


class ScoresWidget(TargetWidget):
    """The page of a scoreboard in a cell.

    The connection belongs to the page that shows the notebook, and not to the kernel.
    target: a scoreboard's server, a cable to it, or a URL.
    """

    FILES = ("apps/scores/page/app.css", "apps/scores/page/app.js")


async def demo_scores() -> None:
    """Serve the page until Ctrl-C, with six viewers on trains."""
    said = "A match in three minutes, and six viewers on trains"
    await show_page(serve(), said, "?trains=6")
