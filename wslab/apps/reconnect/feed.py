"""A small numbered server. Each message reaches everybody, and none is lost or doubled.

    feed = Feed()                              # or Feed(log): a successor that remembers
    server = lab.serve(feed, name="feed")      # or serve_from_scratch
    feed.publish({"text": "Hello"})

Clients send JSON objects:

    {"type": "say", "text": …}     is published to all, as number n of the log
    {"type": "note", "text": …}    only takes effect, in `notes`
    {"type": "beat"}               is sent back, for a script that cannot ping

A client may resume (`wslab.kit.resume`). If it does not, it gets only new messages, without
numbers. A client that does not keep up is dropped, and may resume.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from wslab.kit.hub import Hub
from wslab.kit.keepalive import Heartbeat, watched
from wslab.kit.messages import decoded, encoded, parsed
from wslab.kit.resume import TAKEN_OVER, Log, Message, ResumeError, Session

__all__ = ["Feed"]

PLAIN, NUMBERED = "plain", "numbered"  # the hub's topics
BACKLOG = 1 << 20  # bytes that may wait for one client


class Feed:
    """The server's handler. Hand its `log` to a successor.

    heartbeat: the time after which a silent client is given up.
    said, notes: the texts that took effect, in order. hub: the connected clients.
    """

    __name__ = "feed"

    def __init__(self, log: Log | None = None, *, heartbeat: Heartbeat | None = None) -> None:
        self.log = Log() if log is None else log
        self.heartbeat = heartbeat or Heartbeat(20, timeout=10)
        self.said: list[str] = []
        self.notes: list[str] = []
        self.hub = Hub(backlog=BACKLOG)
        self._clients: dict[str, Any] = {}  # the connections of those that resume, by secret
        self._loop: asyncio.AbstractEventLoop | None = None

    def publish(self, fields: Mapping[str, Any]) -> None:
        """Publish a message to everybody, as it is now; from any thread.

        Raises TypeError or ValueError if JSON cannot write it.
        """
        text, loop = encoded(dict(fields)), self._loop
        if loop is None or loop.is_closed() or loop is asyncio._get_running_loop():
            self._publish(fields, text)
        else:
            loop.call_soon_threadsafe(self._publish, parsed(text), text)

    def _publish(self, fields: Mapping[str, Any], text: str) -> int:
        message = self.log.publish(fields)
        self.hub.publish(text, PLAIN)
        self.hub.publish(encoded(message), NUMBERED)
        return int(message["seq"])

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        if self._loop is not (loop := asyncio.get_running_loop()):
            self._loop, self.hub = loop, Hub(backlog=BACKLOG)
        session = Session(self.log)
        self.hub.add(ws, PLAIN)
        try:
            async with watched(ws, self.heartbeat):
                async for data in ws:
                    self._receive(ws, session, decoded(data))
        except ResumeError as error:
            self._reply(ws, error.message)
            self.hub.close(ws, error.close_code, error.error)
            await ws.wait_closed()
        finally:
            self.hub.remove(ws)
            if session.client is not None and self._clients.get(session.client) is ws:
                del self._clients[session.client]

    def _reply(self, ws: Any, message: Message, *, asked: bool = False) -> None:
        self.hub.send(ws, encoded(message), asked=asked)

    def _receive(self, ws: Any, session: Session, message: Message) -> None:
        if message.get("type") == "resume":
            for answer in session.resume(message):
                self._reply(ws, answer, asked=True)
            self._begin(ws, session)
            return
        if message.get("type") == "beat":
            self._reply(ws, {"type": "beat"})
            return
        reply = session.duplicate(message)
        if reply is None:
            reply = self._apply(session, message)
        if reply is not None:
            self._reply(ws, reply)

    def _apply(self, session: Session, message: Message) -> Message | None:
        kind, text = message.get("type"), message.get("text")
        if kind not in ("say", "note") or not isinstance(text, str):
            return session.refused(message, "bad message", 'expected: type "say" or "note", a text')
        if kind == "note":
            self.notes.append(text)
            return session.applied(message)
        self.said.append(text)
        fields = {"text": text}
        return session.applied(message, self._publish(fields, encoded(fields)))

    def _begin(self, ws: Any, session: Session) -> None:
        """Send numbers from now on, and close this client's earlier connection."""
        self.hub.unsubscribe(ws, PLAIN)
        self.hub.subscribe(ws, NUMBERED)
        if session.client is not None:
            self.hub.close(self._clients.get(session.client), TAKEN_OVER)
            self._clients[session.client] = ws
