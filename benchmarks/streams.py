"""What each stream's pattern saves, against its naive version.

    python benchmarks/streams.py [danmaku scores quotes …] [--rounds N] [--viewers N] [--seconds N]

    quotes    naive    every price to everybody, by `websockets.broadcast`
              every    the same through the hub, so that what comes in one turn leaves in one write
              paced    the latest price of each key, when a viewer has drawn
              2,000 prices a second of six keys
    danmaku   naive    every comment to everybody, by `websockets.broadcast`
              batch    one message for each 0.1 s, with all its comments
              thinned  the same with two fairly chosen comments, when a viewer has drawn
              1,000 comments a second from 500 people, of which their token buckets pass about half
    scores    naive    the whole state after each change, by `websockets.broadcast`
              whole    the same through the hub
              changes  numbered merge patches, after one whole state
              some 500 changes of one match a second

The server is a process of its own. This process is all the viewers. Like pages, they look at what
has come sixty times a second. In a round each version is measured once, in turn, and only ratios of
one round count; the table shows their medians and quartiles. `bytes` and `messages` are what a
viewer receives, and `cpu` is the time of the server's process, each for the same number of prices,
changes or comments. The CPU time includes their source itself, which costs every version the same.
Needs Linux, whose clocks tell another process's CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from _interleave import Ratio
from websockets.asyncio.server import broadcast

from wslab.apps import danmaku as danmaku_app
from wslab.apps import quotes as quotes_app
from wslab.apps import scores as scores_app
from wslab.apps.scores import Match
from wslab.kit.hub import Hub
from wslab.protocol.frames import Frame, Opcode

FRAME = 1 / 60  # seconds between two pictures of a page
COMMENTS = 1000  # that people of the danmaku say in a second
FAST = 20_000  # seconds of a match in a second
NEWCOMER = '{"type":"resume","epoch":null,"after":null}'


class Cost(NamedTuple):
    """What a viewer costs for each thing that was published."""

    bytes: float
    messages: float
    cpu: float


class Viewer:
    """A page, as far as a server sees it. ready: whether it says how many messages it has."""

    def __init__(self, url: str, *, ready: bool, hello: str = "") -> None:
        parts = urlsplit(url)
        self.sock = socket.create_connection((parts.hostname, parts.port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(65536)
        self.rest = data.partition(b"\r\n\r\n")[2]
        if hello:
            self._say(hello)
        self.sock.setblocking(False)
        self.ready, self.bytes, self.messages = ready, 0, 0
        self.last: dict[str, Any] = {}

    def look(self) -> None:
        """Take what has come since the last picture."""
        before = self.messages
        with suppress(BlockingIOError):
            data = self.sock.recv(1 << 20)
            if not data:
                raise ConnectionError("the server has closed a viewer's connection")
            self.bytes += len(data)
            self.rest += data
        start, payload = 0, b""
        while found := Frame.parse(self.rest, start):
            frame, start = found
            if frame.opcode is Opcode.TEXT:
                payload, self.messages = frame.payload, self.messages + 1
        self.rest = self.rest[start:]
        if payload:
            self.last = json.loads(payload)
        if self.ready and self.messages > before:
            self._say(json.dumps({"type": "ready", "count": self.messages}))

    def _say(self, text: str) -> None:
        self.sock.sendall(Frame(Opcode.TEXT, text.encode(), mask=os.urandom(4)).serialize())

    @property
    def number(self) -> int:
        """The number of the newest message."""
        return next(self.last[name] for name in ("n", "seq", "version") if name in self.last)


class NaiveHub(Hub):
    """Calls `broadcast` for every message of one topic, where a hub writes once for many."""

    def __init__(self, topic: str, hub: Hub) -> None:
        super().__init__(life=hub.life)
        self.topic, self.viewers = topic, dict[Any, None]()

    def add(self, connection: Any, *topics: object, **options: Any) -> None:
        """Take a viewer. It gets everything of the topic."""
        super().add(connection, **options)
        self.viewers[connection] = None

    def remove(self, member: Any) -> None:
        """Send it nothing more."""
        super().remove(member)
        self.viewers.pop(member, None)

    def is_heard(self, topic: object) -> bool:
        """Tell whether it sends messages of this topic."""
        return topic == self.topic

    def publish(self, message: str | bytes, topic: object = None, *, key: object = None) -> None:
        """Send to everybody."""
        if self.is_heard(topic):
            broadcast(self.viewers, message)


async def serve_naive_quotes() -> None:
    """The desk of the course with another hub: `broadcast` for every price."""
    desk = quotes_app.Desk(Random(15))
    desk.hub = NaiveHub("every", desk.hub)
    print(quotes_app.serve(desk).url, flush=True)
    await asyncio.Event().wait()


async def serve_fast_scores(*, naive: bool = False) -> None:
    """A match that lasts a third of a second."""
    board = scores_app.Scoreboard(Match(Random(14), rate=FAST), is_live=True)
    if naive:
        board.hub = NaiveHub("whole", board.hub)
    print(scores_app.serve(board).url, flush=True)
    await asyncio.Event().wait()


async def serve_naive_danmaku() -> None:
    """The room of the course with another hub: `broadcast` for every comment."""
    audience = danmaku_app.Audience(Random(10), rate=COMMENTS)
    room = danmaku_app.LiveRoom(Random(10), audience=audience)
    room.hub = NaiveHub("every", room.hub)
    print(danmaku_app.serve(room).url, flush=True)
    await asyncio.Event().wait()


SERVERS = {
    "danmaku": serve_naive_danmaku,
    "quotes": serve_naive_quotes,
    "scores": partial(serve_fast_scores, naive=True),
    "fast scores": serve_fast_scores,
}


@contextmanager
def server(*command: str) -> Any:
    """Run a server with our Python; yield its URL and a clock of its CPU time."""
    command = (sys.executable, *command)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        clock = (~process.pid << 3) | 2  # Linux: the CPU clock of that process
        yield process.stdout.readline().strip(), lambda: time.clock_gettime(clock)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def watch(
    url: str,
    cpu: Callable[[], float],
    *,
    viewers: int,
    seconds: float,
    ready: bool = False,
    hello: str = "",
) -> Cost:
    """Let viewers watch a stream whose messages are numbered; return the sums for each number."""
    crowd = [Viewer(url, ready=ready, hello=hello) for _ in range(viewers)]
    numbers = []
    for length in (0.5, seconds):  # the first look is for warming up
        end = time.monotonic() + length
        while time.monotonic() < end or not all(viewer.last for viewer in crowd):
            begin = time.monotonic()
            for viewer in crowd:
                viewer.look()
            time.sleep(max(0.0, FRAME - (time.monotonic() - begin)))
        newest = max(viewer.number for viewer in crowd)
        each = [(viewer.bytes, viewer.messages, viewer.number) for viewer in crowd]
        numbers.append((cpu(), newest, each))
    for viewer in crowd:
        viewer.sock.close()
    (cpu_before, first, before), (cpu_after, last, after) = numbers
    changes = [
        [now - then for then, now in zip(old, new, strict=True)]
        for old, new in zip(before, after, strict=True)
    ]
    size, messages, progress = map(sum, zip(*changes, strict=True))
    each_number = viewers / progress  # a slow viewer counts by how far it has got itself
    return Cost(
        size * each_number, messages * each_number, (cpu_after - cpu_before) / (last - first)
    )


def quotes(viewers: int, seconds: float) -> dict[str, Cost]:
    """Measure both versions once: per price and viewer."""
    ours = ("-m", "wslab", "serve", "quotes")
    versions = {"naive": ("every", (__file__, "--server", "quotes"))}
    versions |= {path: (path, ours) for path in ("every", "paced")}
    found = {}
    for name, (path, command) in versions.items():
        with server(*command) as (url, cpu):
            options = {"seconds": seconds, "ready": path == "paced"}
            many = watch(url + path, cpu, viewers=viewers, **options)
        found[name] = Cost(*(value / viewers for value in many))
    return found


def danmaku(viewers: int, seconds: float) -> dict[str, Cost]:
    """Measure the versions once: per comment and viewer."""
    ours = ("-m", "wslab", "serve", "danmaku", "--audience", str(COMMENTS))
    versions = {"naive": ("every", (__file__, "--server", "danmaku"))}
    versions |= {path: (path, ours) for path in ("batch", "thinned")}
    found = {}
    for name, (path, command) in versions.items():
        with server(*command) as (url, cpu):
            options = {"seconds": seconds, "ready": path == "thinned"}
            many = watch(url + path, cpu, viewers=viewers, **options)
        found[name] = Cost(*(value / viewers for value in many))
    return found


def scores(viewers: int, seconds: float) -> dict[str, Cost]:
    """Measure the versions once: per change and viewer."""
    found = {}
    for name, which in (("naive", "scores"), ("whole", "fast scores"), ("changes", "fast scores")):
        path, hello = ("", NEWCOMER) if name == "changes" else ("whole", "")
        with server(__file__, "--server", which) as (url, cpu):
            many = watch(url + path, cpu, viewers=viewers, seconds=seconds, hello=hello)
        found[name] = Cost(*(value / viewers for value in many))
    return found


# By lesson: measures the naive version and then ours, once each.
PATTERNS: dict[str, Callable[[int, float], dict[str, Cost]]] = {
    "danmaku": danmaku,
    "scores": scores,
    "quotes": quotes,
}


def main() -> None:
    """Measure the patterns that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("patterns", nargs="*", default=list(PATTERNS))
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    if options.server:
        asyncio.run(SERVERS[options.server]())
    print(f"{options.viewers} viewers; naive version = 1.00; medians and quartiles\n")
    print(f"{'pattern':8} {'version':8}" + "".join(f"{name:>20}" for name in Cost._fields))
    for name in options.patterns:
        rounds = [PATTERNS[name](options.viewers, options.seconds) for _ in range(options.rounds)]
        naive = next(iter(rounds[0]))
        for version in rounds[0]:
            row = ""
            for part in range(3):
                ratios = [one[version][part] / one[naive][part] for one in rounds]
                middle, low, high = Ratio.of(ratios)
                row += f"{f'{middle:.2f} ({low:.2f} – {high:.2f})':>20}"
            print(f"{name:8} {version:8}{row}", flush=True)


if __name__ == "__main__":
    main()
