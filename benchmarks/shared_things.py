"""What it saves to share things in a better way than the obvious one.

    python benchmarks/shared_things.py [media …] [--rounds N]

    media    one message    a file of 20 MB is one message, which the room passes on
             chunks         the same file in chunks, each when the receiver asks for it

Only ratios count, and the table shows the medians of the rounds. `bytes` and `messages` are all
that pass between the server and its two clients, `wait` is the time that a chat line needs behind
the file, both on the network in memory, where each connection carries 4 MB a second. `CPU` is the
time of the server's process on real sockets. Each round measures every version once, in turn.
Needs Linux, whose clocks tell another process's CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

from wslab.net import now, simulate

PLAIN: dict[str, Any] = {"compression": None, "max_size": None}


class Cost(NamedTuple):
    """What one version costs. wait: in seconds. cpu: of the server, in seconds."""

    bytes: float
    messages: float
    wait: float
    cpu: float


@contextmanager
def server(*command: str) -> Any:
    """Run a server with our Python; yield its URL and a clock of its CPU time."""
    process = subprocess.Popen((sys.executable, *command), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        clock = (~process.pid << 3) | 2  # Linux: the CPU clock of that process
        yield process.stdout.readline().strip(), lambda: time.clock_gettime(clock)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


# Lesson 11: media


FILE = 20_000_000  # bytes


def naive_room() -> Callable[[Any], Any]:
    """Return a handler that passes every message on to all others."""
    guests: set[Any] = set()

    async def room(ws: Any) -> None:
        guests.add(ws)
        try:
            async for message in ws:
                broadcast(guests - {ws}, message)
        finally:
            guests.remove(ws)

    return room


async def serve_naive_media() -> None:
    """Serve the naive room until the end of the process."""
    async with serve(naive_room(), "127.0.0.1", 0, **PLAIN) as listening:
        port = listening.sockets[0].getsockname()[1]
        print(f"ws://127.0.0.1:{port}/", flush=True)
        await asyncio.Event().wait()


async def one_message(url: str) -> float:
    """Send the file and a line; return how long the line took."""
    async with connect(url, proxy=None, **PLAIN) as ann, connect(url, proxy=None, **PLAIN) as ben:
        start = now()
        await ann.send(sound().getvalue())
        await ann.send("line")
        while await ben.recv() != "line":
            pass
        return now() - start


async def in_chunks(url: str) -> float:
    """Send the file, and a line in the middle of it; return how long the line took."""
    from wslab.apps.media import Guest

    ann = Guest(f"{url}media", "Ann", fetch=lambda offer: None)  # not her own file
    async with ann, Guest(f"{url}media", "Ben") as ben:
        sending = await ann.offer(sound(), "rain.wav", "audio/wav")
        await ann.until(lambda: sending.arrived > FILE / 2)
        start = now()
        await ann.say("line")
        await ben.until(lambda: bool(ben.lines))
        waited = now() - start
        await sending.done
        await ben.until(lambda: any(each.is_good for each in ben.files.values()))
        return waited


def sound() -> io.BytesIO:
    """Return noise as a WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 8000, 0, "NONE", ""))
        writer.writeframes(Random(11).randbytes(FILE - 44))
    return file


def media() -> dict[str, Cost]:
    """Measure both versions once."""
    from wslab.apps.media import MediaRoom

    commands = {"one message": (__file__, "--server", "media")}
    commands |= {"chunks": ("-m", "wslab", "serve", "media")}
    programs = {"one message": (naive_room, one_message), "chunks": (MediaRoom, in_chunks)}
    found = {}
    for name, (make, send) in programs.items():

        async def main(make: Any = make, send: Any = send) -> float:
            async with serve(make(), "room", 9000, **PLAIN):
                return float(await send("ws://room:9000/"))

        run = simulate(main, bandwidth=4_000_000, record=True)
        with server(*commands[name]) as (url, cpu):
            before = cpu()
            asyncio.run(send(url))
            spent = cpu() - before
        transcript = run.transcript
        found[name] = Cost(transcript.size, len(transcript.frames), run.result(), spent)
    return found


# By lesson: measures the naive version first, and then ours, once each.
PATTERNS: dict[str, Callable[[], dict[str, Cost]]] = {"media": media}
NAIVE = {"media": serve_naive_media}


def main() -> None:
    """Measure the patterns that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("patterns", nargs="*", default=list(PATTERNS))
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.server:
        asyncio.run(NAIVE[options.server]())
    print("naive version = 1.00\n")
    print(f"{'pattern':10} {'version':14}" + "".join(f"{name:>10}" for name in Cost._fields))
    for pattern in options.patterns:
        rounds = [PATTERNS[pattern]() for _ in range(options.rounds)]
        naive = next(iter(rounds[0]))
        for version in rounds[0]:
            ratios = [
                statistics.median(one[version][part] / one[naive][part] for one in rounds)
                for part in range(len(Cost._fields))
            ]
            print(f"{pattern:10} {version:14}" + "".join(f"{ratio:10.4g}" for ratio in ratios))


if __name__ == "__main__":
    main()
