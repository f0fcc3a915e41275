"""Lesson 11: one message of 20 MB, or the same in chunks; run as a program, the naive server.

    one message    a file is one message, which the room passes on
    chunks         the same file in chunks, each when the receiver asks for it

Bytes and messages are all that pass between the server and its two clients. `wait` is the time
that a chat line needs behind the file. Both are taken on the network in memory, where each
connection carries 4 MB a second. CPU is the time of the server's process on real sockets. That
needs Linux, whose clocks tell another process's CPU time.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from contextlib import contextmanager
from random import Random
from typing import Any

from _shared import Cost
from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

from wslab.net import now, simulate

PLAIN: dict[str, Any] = {"compression": None, "max_size": None}


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


def measure() -> dict[str, Cost]:
    """Measure both versions once, the naive one first."""
    from wslab.apps.media import MediaRoom

    commands = {"one message": (__file__,)}
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
        found[name] = Cost(transcript.size, len(transcript.frames), spent, run.result())
    return found


if __name__ == "__main__":
    asyncio.run(serve_naive_media())
