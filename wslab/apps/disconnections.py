"""The ways in which a connection is lost, at the front end and at the back end, each done for real.

`happen(name)` breaks a connection between a `ReconnectingClient` and a `Feed` in one of these ways,
lets both say something meanwhile, mends it, and returns what became of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from wslab import lab
from wslab.apps.backoff import Backoff
from wslab.apps.client_events import Missed, Received, State
from wslab.apps.feed import Feed
from wslab.apps.heartbeat import Heartbeat
from wslab.apps.reconnect import ReconnectingClient
from wslab.apps.resume import Log
from wslab.lab.loop import settle

__all__ = ["WAYS", "Outcome", "happen"]

BEAT = Heartbeat(0.2, timeout=0.1)  # seconds; short, so that nobody has to wait long
ENDED = (State.FAILED, State.CLOSED)
WITHIN = 15.0  # seconds until everything must have arrived, on a machine however busy


@dataclass(frozen=True)
class Outcome:
    """What became of one way.

    side: "front end" or "back end", where it begins. noticed: what the client said first.
    end: the client's state in the end. lost, doubled: messages, of both sides together.
    told: whether the client was told of a gap.
    """

    side: str
    way: str
    noticed: str
    end: str
    lost: int
    doubled: int
    told: bool


class _Bench:
    """A feed, a cable to it, and a client, with a record of what either side was told."""

    def __init__(self) -> None:
        self.log = Log()
        self.published: list[str] = []
        self.sent: list[str] = []
        self.applied: list[str] = []
        self.events: list[Any] = []
        self.port = 0
        self.start_server()
        self.cable = lab.cable(self.server, name="cut off")
        self.client = ReconnectingClient(
            self.cable.url,
            policy=Backoff(first=0.05, limit=0.2),
            heartbeat=BEAT,
            settled=0,
            open_timeout=2,
            rng=random.Random(1),
        )

    def start_server(self, log: Log | None = None, **options: Any) -> None:
        """Start it, on the same port if it ran before."""
        self.log = log or self.log
        self.feed = Feed(self.log, heartbeat=Heartbeat(20))
        self.server = lab.serve(self.feed, name="disconnected", port=self.port, **options)
        self.port = self.server.port

    async def stop_server(self) -> None:
        await self.server.stop(0.1)
        self.applied += self.feed.notes

    async def close_all(self, code: int) -> None:
        """Let the server close every connection with this code."""

        async def close() -> None:
            for connection in list(self.server.connections):
                await connection.close(code)

        await asyncio.wrap_future(self.server.thread.submit(close()))

    async def abort_all(self) -> None:
        """End every connection as a program does that crashes."""

        async def abort() -> None:
            for connection in list(self.server.connections):
                connection.transport.abort()

        await asyncio.wrap_future(self.server.thread.submit(abort()))

    def say(self, text: str) -> None:
        """Let both sides say something."""
        if self.client.state not in ENDED:
            self.client.send({"type": "note", "text": text})
            self.sent.append(text)
        self.published.append(text)
        if self.server.is_running:
            self.feed.publish({"text": text})
        else:
            self.log.publish({"text": text})

    async def listen(self) -> None:
        async for event in self.client:
            self.events.append(event)

    @property
    def received(self) -> list[str]:
        found = [event.message for event in self.events if isinstance(event, Received)]
        return [message["text"] for message in found]

    def is_over(self) -> bool:
        """Whether nothing more will arrive."""
        if self.client.state in ENDED:
            return True
        return self.client.state is State.ONLINE and self.received[-1:] == self.published[-1:]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something, however busy the machine is."""
        await settle(lambda: 0, condition, lambda: self.events, within=WITHIN, quiet=0)


Step = Callable[[_Bench], Awaitable[object]]


async def _nothing(bench: _Bench) -> None:
    pass


def _of_cable(name: str) -> Step:
    async def fault(bench: _Bench) -> None:
        getattr(bench.cable, name)()

    return fault


async def _leave(bench: _Bench) -> None:
    await bench.client.close()


async def _silence(bench: _Bench) -> None:
    bench.cable.freeze()
    await bench.until(lambda: bench.client.state is not State.ONLINE)


async def _short_silence(bench: _Bench) -> None:
    bench.cable.freeze()
    await asyncio.sleep(0.05)


async def _second_tab(bench: _Bench) -> None:
    async with ReconnectingClient(bench.server.url, client=bench.client.client) as other:
        await other.until(State.ONLINE)
        await bench.until(lambda: bench.client.state is State.FAILED)


async def _stop(bench: _Bench) -> None:
    await bench.stop_server()


async def _crash(bench: _Bench) -> None:
    await bench.abort_all()
    await bench.stop_server()


async def _start(bench: _Bench) -> None:
    bench.start_server()


async def _start_anew(bench: _Bench) -> None:
    bench.start_server(Log())


async def _start_refusing(bench: _Bench) -> None:
    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, "no\n")

    bench.start_server(process_request=refuse)
    await bench.until(lambda: bench.client.state is State.FAILED)


def _closes_with(code: int) -> Step:
    async def fault(bench: _Bench) -> None:
        await bench.close_all(code)

    return fault


# How it breaks, and how it is mended again
WAYS: dict[str, tuple[str, Step, Step]] = {
    "the person leaves": ("front end", _leave, _nothing),
    "the network ends": ("front end", _of_cable("cut"), _of_cable("mend")),
    "a router resets the connection": ("front end", _of_cable("reset"), _of_cable("mend")),
    "the network falls silent": ("front end", _silence, _of_cable("thaw")),
    "silence, but short": ("front end", _short_silence, _of_cable("thaw")),
    "the same client, elsewhere": ("front end", _second_tab, _nothing),
    "restart, with its log": ("back end", _stop, _start),
    "restart, without its log": ("back end", _stop, _start_anew),
    "crash, then restart with its log": ("back end", _crash, _start),
    "an error in the server (1011)": ("back end", _closes_with(1011), _nothing),
    "overload (1013)": ("back end", _closes_with(1013), _nothing),
    "not welcome (1008)": ("back end", _closes_with(1008), _nothing),
    "refused for good (403)": ("back end", _stop, _start_refusing),
}


async def happen(way: str) -> Outcome:
    """Lose a connection in one of `WAYS`, and see what becomes of it; one at a time.

    Raises ValueError for a way that is not known.
    """
    if way not in WAYS:
        raise ValueError(f"way is {way!r}, known are {', '.join(WAYS)}")
    side, break_it, mend_it = WAYS[way]
    bench = _Bench()
    await bench.client.start()
    listening = asyncio.create_task(bench.listen())
    try:
        await bench.client.until(State.ONLINE)
        bench.say("before")
        await bench.until(bench.is_over)
        so_far = len(bench.client.changes)
        await break_it(bench)
        bench.say("meanwhile")
        await mend_it(bench)
        bench.say("after")
        await bench.until(bench.is_over)
        if bench.client.state is State.ONLINE:
            await asyncio.wait_for(bench.client.delivered(), WITHIN)
        changes = list(bench.client.changes)[so_far:]
        end = bench.client.state.value
    finally:
        await bench.client.close()
        await listening
        await bench.cable.stop()
        await bench.stop_server()
    return _outcome(bench, side, way, _first_words(changes), end)


def _first_words(changes: list[Any]) -> str:
    """Return what a client said about the loss, without when it will try again."""
    if not changes:
        return "nothing"
    return str(changes[0].text.partition("; ")[2] or changes[0].text)


def _outcome(bench: _Bench, side: str, way: str, noticed: str, end: str) -> Outcome:
    said, told = bench.published + bench.sent, bench.received + bench.applied
    lost = sum(max(0, said.count(text) - told.count(text)) for text in set(said))
    doubled = sum(max(0, told.count(text) - said.count(text)) for text in set(said))
    was_told = any(isinstance(event, Missed) for event in bench.events)
    return Outcome(side, way, noticed, end, lost, doubled, was_told)
