"""Lesson 10: danmaku (弹幕). Comments fly over a moving picture, and sometimes all speak at once.

    room = danmaku.LiveRoom(Random(10))
    server = danmaku.serve(room)
    danmaku.DanmakuWidget(server)

A `LiveRoom` takes comments from its viewers and from a simulated `Audience`, and sends them to all:

    /every      one message for each comment
    /batch      one message for each window of 0.1 s, with all its comments
    /thinned    the same, with two fairly chosen comments, when the viewer has drawn the last batch:
                {"type": "ready", "count": n}, where n is the number of messages received so far
    /sub        the chosen comments in Bilibili's packets (`bilibili`)

A viewer comments with {"type": "say", "text": …}. The first message to it tells its number, such as
{"person": 7}. The module `stage` has the lanes and the choice.
"""

from __future__ import annotations

import argparse
import asyncio
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.danmaku.bilibili import (
    BodyVersion,
    PacketError,
    comment_packet,
    packed,
    read_packets,
    reply_to,
    wanted_version,
)
from wslab.apps.danmaku.stage import (
    Audience,
    Comment,
    FairChoice,
    comment_rate,
    newest_comments,
    now_and_then,
)
from wslab.browser.widget import TargetWidget
from wslab.kit.hub import Hub
from wslab.kit.messages import ResumeError, decoded, encoded
from wslab.kit.ratelimit import TokenBucket
from wslab.lab.servers.files import PageFiles
from wslab.lab.servers.websocket import show_page
from wslab.net.clock import now
from wslab.protocol.close import CloseCode
from wslab.protocol.http import split_target

__all__ = ["Audience", "Comment", "DanmakuWidget", "LiveRoom", "add_danmaku_options"]
__all__ += ["demo_danmaku", "serve", "start_danmaku"]

PAGE = PageFiles(Path(__file__).parent / "page", {"title": "Danmaku 弹幕"})
FEEDS = {"/every": ("every",), "/batch": ("batch",), "/thinned": ("thinned",), "/sub": ()}
TICK = 0.01  # seconds between two looks at what the audience says
WINDOW = 10  # ticks from one batch to the next
MOST = 2  # comments of a window that are shown
BURST = 5  # comments that a person may say at once
LONGEST = 40  # characters of a comment
JOINERS = "\u200d\u3000"  # not printable, but a part of emoji, and Chinese's own space
BYTES = 5_000  # that a viewer of /thinned gets in a second, at most; after a freeze twice as many
SILENCE = 70.0  # seconds after which a client of Bilibili's protocol has to be gone
REFUSED = {PacketError: CloseCode.INVALID_PAYLOAD, ResumeError: CloseCode.POLICY_VIOLATION}


class LiveRoom:
    """The server's handler: a room in front of one stream, open while somebody is connected.

    rng: chooses the comments. audience: simulated people; they talk while somebody is connected.
    most: comments of a window that are shown.
    rate: each person may say so many comments a second, after `BURST` at once. All others are
    ignored, because an answer to each would be a flood, too.
    said, taken, shown: comments that came, that the buckets let through, and that were chosen.
    seconds: the time since it opened; `at` in a comment is such a time.
    """

    __name__ = "danmaku"

    def __init__(
        self,
        rng: Random,
        *,
        audience: Audience | None = None,
        most: int = MOST,
        rate: float | None = 2,
    ) -> None:
        self.audience = audience or Audience(rng, rate=0)
        self.rate = rate
        self.hub = Hub(when_full=newest_comments, untouched=0, life=self._run)
        self.said = self.taken = self.shown = 0
        self._choice = FairChoice(rng, most=most)
        self._window: list[Comment] = []
        self._buckets: dict[int, TokenBucket] = {}
        self._numbers = count(1)
        self._opened: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the room opened, 0 before."""
        return 0.0 if self._opened is None else now() - self._opened

    def say(self, person: int, text: str) -> bool:
        """Take a comment, unless this person talks too much; return whether it was taken."""
        self._opened = now() if self._opened is None else self._opened
        self.said += 1
        new = TokenBucket(rate=self.rate, burst=BURST, now=now())
        bucket = self._buckets.setdefault(person, new)
        if bucket.wait(now()):
            return False  # and no token is owed, so a person who shouts still gets the rate
        bucket.take(now())
        self.taken += 1
        comment = Comment(round(self.seconds, 3), person, text)
        self._window.append(comment)
        if self.hub.is_heard("every"):
            self.hub.publish(encoded({"n": self.taken, **comment._asdict()}), "every")
        return True

    def publish(self) -> list[Comment]:
        """End a window: send its comments, and return those that were chosen."""
        window, self._window = self._window, []
        if not window:
            return []
        if self.hub.is_heard("batch"):
            self.hub.publish(self._batch(window), "batch")
        chosen = self._choice.choose(window)
        self.shown += len(chosen)
        if self.hub.is_heard("thinned"):
            self.hub.publish(self._batch(chosen), "thinned", key="thinned")
        for version in BodyVersion:
            if self.hub.is_heard(version):
                packets = [comment_packet(each.person, each.text) for each in chosen]
                self.hub.publish(packed(packets, version), version, key=version)
        return chosen

    def _batch(self, comments: list[Comment]) -> str:
        return encoded({"n": self.taken, "comments": [each._asdict() for each in comments]})

    # Connections

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        path, person = split_target(ws.request.path)[0], next(self._numbers)
        if path not in FEEDS:
            await ws.close(CloseCode.POLICY_VIOLATION, f"no such path: {', '.join(FEEDS)}")
            return
        paced = path == "/thinned"
        try:
            async with self.hub.hosting(ws, *FEEDS[path], paced=paced, refuses=REFUSED):
                if path == "/sub":
                    await self._serve_packets(ws)
                else:
                    self.hub.send(ws, encoded({"person": person}))
                    async for data in ws:
                        self._receive(ws, person, decoded(data))
        finally:
            self._buckets.pop(person, None)

    def _receive(self, ws: Any, person: int, message: dict[str, Any]) -> None:
        match message:
            case {"type": "say", "text": str(text)}:
                letters = (c if c.isprintable() or c in JOINERS else " " for c in text[:LONGEST])
                if said := "".join(letters).strip():
                    self.say(person, said)
            case {"type": "ready", "count": int(number)}:
                self.hub.ready(ws, number)
            case _:
                expected = 'expected {"type": "say", "text": …} or {"type": "ready", "count": …}'
                raise ResumeError("bad message", f"{encoded(message):.40}: {expected}")

    async def _serve_packets(self, ws: Any) -> None:
        """Speak Bilibili's protocol: an authentication, and then a heartbeat now and then."""
        is_known = False
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    data = await ws.recv()
            except (TimeoutError, ConnectionClosed):
                await ws.close(CloseCode.POLICY_VIOLATION, f"no heartbeat for {SILENCE:g} s")
                return
            if isinstance(data, str):
                raise PacketError("a text message, expected packets in binary messages")
            for packet in read_packets(data):
                reply = reply_to(packet, is_known=is_known, viewers=len(self.hub))
                if not is_known:
                    self.hub.subscribe(ws, wanted_version(packet))
                is_known = True
                self.hub.send(ws, reply.serialize())

    async def _run(self) -> None:
        """Let the audience talk, and end the windows, while somebody is connected."""
        last = now()
        self._opened = last if self._opened is None else self._opened
        while True:
            for _ in range(WINDOW):
                await asyncio.sleep(TICK)
                last, passed = now(), min(now() - last, WINDOW * TICK)  # a busy machine omits some
                for person, text in self.audience.talk(self.seconds, passed):
                    self.say(person, text)
            self.publish()


def serve(room: LiveRoom | None = None, *, name: str = "danmaku", **where: Any) -> lab.Server:
    """Start a room beside the notebook, with its page at `/`; one with an audience if left out.

    name, where: as for `lab.serve`; running the cell again replaces the server of this name.
    """
    room = room or LiveRoom(Random(10), audience=Audience(Random(10), rate=now_and_then))
    return lab.serve(room, name=name, process_request=PAGE.answer, **where)


class DanmakuWidget(TargetWidget):
    """The page of a room in a cell, where comments fly over a moving picture.

    The connection belongs to the page that shows the notebook, and not to the kernel.
    target: a room's server, a cable to it, or a URL.
    """

    FILES = ("apps/danmaku/page/app.css", "apps/danmaku/page/app.js")


def add_danmaku_options(parser: argparse.ArgumentParser) -> None:
    """Add the option for simulated people."""
    said = "comments a second that simulated people say; default 0"
    parser.add_argument("--audience", type=comment_rate, default=0, metavar="N", help=said)


def start_danmaku(*, audience: float, **where: Any) -> lab.Server:
    """Start what the command line asks for."""
    return serve(LiveRoom(Random(), audience=Audience(Random(), rate=audience)), **where)


async def demo_danmaku() -> None:
    """Serve the page until Ctrl-C; all people are simulated."""
    said = "500 people watch a match; a goal falls every 20 s, and then they flood the room"
    await show_page(serve(), said)
