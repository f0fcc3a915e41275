"""A small numbered server: what anybody says reaches everybody, and nothing is lost or doubled.

    feed = Feed()                              # or Feed(log): a successor that remembers
    server = lab.serve(feed, name="feed")      # or serve_from_scratch
    feed.publish({"text": "Hello"})

Clients send JSON objects. {"type": "say", "text": …} is published to all, as number n of the log;
{"type": "note", "text": …} only takes effect, in `notes`; {"type": "beat"} is sent back, for a
script that cannot ping. A client may resume (`wslab.kit.resume`). One that does not gets what is
published from now on, without numbers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from wslab.kit.attempt import leave
from wslab.kit.keepalive import Heartbeat, watched
from wslab.kit.messages import decoded, encoded
from wslab.kit.resume import TAKEN_OVER, Log, Message, ResumeError, Session

__all__ = ["Feed"]

REPLIES = 1000  # that may wait for a client that asks for them but does not read


class _Member:
    """One connection, and how far it has got in the log: what it lacks waits there, not here."""

    def __init__(self, ws: Any, log: Log) -> None:
        self.ws, self.log, self.session = ws, log, Session(log)
        self.position = log.last
        self.replies: deque[Message] = deque()
        self.changed = asyncio.Event()

    def reply(self, message: Message) -> None:
        """Answer this client alone."""
        self.replies.append(message)
        self.changed.set()
        if len(self.replies) > REPLIES:
            self.ws.transport.abort()

    async def send(self) -> None:
        """Send what there is, for ever; who is too slow for the log is cut off, and may resume."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            await self._send_replies()
            for message in self.log.since(self.position):
                if self.position < message["seq"] - 1:
                    self.ws.transport.abort()
                    return
                await self.ws.send(encoded(self._shown(message)))
                self.position += 1
                await self._send_replies()

    async def _send_replies(self) -> None:
        while self.replies:
            await self.ws.send(encoded(self.replies.popleft()))

    def _shown(self, message: Message) -> Message:
        if self.session.is_resumed:
            return message
        return {key: value for key, value in message.items() if key != "seq"}


class Feed:
    """The server's handler; `log` is what to hand to a successor.

    heartbeat: when to give up on a silent client.
    said, notes: the texts that took effect, in order.
    """

    __name__ = "feed"

    def __init__(self, log: Log | None = None, *, heartbeat: Heartbeat | None = None) -> None:
        self.log = Log() if log is None else log
        self.heartbeat = heartbeat or Heartbeat(20, timeout=10)
        self.said: list[str] = []
        self.notes: list[str] = []
        self._members: set[_Member] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def publish(self, fields: Mapping[str, Any]) -> None:
        """Publish a message to everybody; from any thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            self._publish(fields)
        else:
            loop.call_soon_threadsafe(self._publish, dict(fields))

    def _publish(self, fields: Mapping[str, Any]) -> int:
        message = self.log.publish(fields)
        for member in self._members:
            member.changed.set()
        return int(message["seq"])

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        self._loop = asyncio.get_running_loop()
        member = _Member(ws, self.log)
        self._members.add(member)
        sending = asyncio.create_task(member.send())
        try:
            async with watched(ws, self.heartbeat) as watchdog:
                async for data in ws:
                    watchdog.sign()
                    self._receive(member, decoded(data))
        except ResumeError as error:
            await ws.send(encoded(error.message))
            await ws.close(error.close_code, error.error)
        finally:
            self._members.discard(member)
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.exception()  # the connection ended while something was sent

    def _receive(self, member: _Member, message: Message) -> None:
        session = member.session
        if message.get("type") == "resume":
            resumed, *_ = session.resume(message)
            member.position = resumed["after"]
            member.reply(resumed)
            self._take_over(member)
            return
        if message.get("type") == "beat":
            member.reply({"type": "beat"})
            return
        reply = session.duplicate(message)
        if reply is None:
            reply = self._apply(session, message)
        if reply is not None:
            member.reply(reply)

    def _apply(self, session: Session, message: Message) -> Message | None:
        kind, text = message.get("type"), message.get("text")
        if kind not in ("say", "note") or not isinstance(text, str):
            return session.refused(message, "bad message", 'expected: type "say" or "note", a text')
        if kind == "note":
            self.notes.append(text)
            return session.applied(message)
        self.said.append(text)
        return session.applied(message, self._publish({"text": text}))

    def _take_over(self, member: _Member) -> None:
        """Close the connection that this client had before."""
        client = member.session.client
        for other in list(self._members):
            if other is not member and client is not None and other.session.client == client:
                self._members.discard(other)
                leaving = asyncio.create_task(leave(other.ws, TAKEN_OVER))
                leaving.add_done_callback(lambda task: task.cancelled() or task.exception())
