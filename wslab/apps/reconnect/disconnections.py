"""End a connection in each possible way, and report how both ends see it and what follows.

The tutorial (the Chinese article on WebSocket that the course started from) knows two kinds,
"front end" and "back end". `disconnect` does one of `WAYS` to a client and a server that are
talking through a cable, and returns a report.
"""

from __future__ import annotations

import asyncio
import http
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from wslab import lab
from wslab.apps.reconnect.feed import Feed
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import ClientState, Missed, Received
from wslab.kit.keepalive import Heartbeat
from wslab.kit.resume import Log

__all__ = ["WAYS", "Disconnection", "Scene", "disconnect"]

Connect = Callable[[str], Awaitable[Any]]

BEAT = Heartbeat(0.2, timeout=0.2)
SERVER_BEAT = Heartbeat(0.5, timeout=0.5)  # slower, so that the client notices first
WITHIN = 15.0  # seconds for one way, on a busy machine


@dataclass(frozen=True)
class Disconnection:
    """The report on one way.

    kind: "front end" or "back end". way: the key in `WAYS`. client, server: each end's own view.
    outcome: the news for the client's application.
    """

    kind: str
    way: str
    client: str
    server: str
    outcome: str


class Scene:
    """A numbered server, a cable, and a client that reconnects."""

    def __init__(self, connect: Connect) -> None:
        self.feed = Feed(heartbeat=SERVER_BEAT)
        self.feeds = [self.feed]
        self.server = lab.serve(self.feed, name="scene", ping_interval=None)
        self.port = self.server.port
        self.cable = lab.cable(self.server, name="cable of the scene")
        self.client = ReconnectingClient(
            self.cable.url,
            connect=connect,
            heartbeat=BEAT,
            policy=Backoff(first=0.1, limit=0.2),
            rng=random.Random(1),
            open_timeout=0.5,
        )
        self.seen_by_server = ""

    async def noticed(self) -> None:
        """Wait until the client knows; then thaw a frozen cable, and mend one that loses bytes."""
        await self.client.until(ClientState.WAITING, ClientState.FAILED)
        await self._closed()
        self.cable.mend()

    async def _closed(self) -> None:
        def close() -> str:
            return next((event.text for event in self.server.events if event.kind == "close"), "")

        if not self.seen_by_server:
            await self.server.settle(close, within=WITHIN)
            self.seen_by_server = close()

    async def restart(self, log: Log | None, **options: Any) -> None:
        """Stop the server, and start a new one in its place."""
        await self.server.stop(0.1)
        await self._closed()
        self.feed = Feed(log, heartbeat=SERVER_BEAT)
        self.feeds.append(self.feed)
        self.server = lab.serve(
            self.feed, name="scene", port=self.port, ping_interval=None, **options
        )

    async def on_server(self, do: Callable[[Any], object]) -> None:
        """Do something to every connection of the server, on its thread."""

        async def each() -> None:
            for connection in self.server.connections:
                done = do(connection)
                if isinstance(done, Awaitable):
                    await done

        await asyncio.wrap_future(self.server.thread.submit(each()))

    async def heard(self, text: str) -> str:
        """Wait until a sent message has come back; return its fate."""
        lost = ""
        async for event in self.client:
            match event:
                case Missed(gap=gap):
                    lost = f"told of a gap: {gap}; "
                case Received(message=message) if message["text"] == text:
                    break
        else:
            return "told that it is final"
        await self.client.delivered()
        times = sum(feed.said.count(text) for feed in self.feeds)
        return f"{lost}back, {text!r} took effect {'once' if times == 1 else f'{times} times'}"


def _refuse(connection: Any, request: Any) -> Any:
    return connection.respond(http.HTTPStatus.FORBIDDEN, "not any more\n")


Do = Callable[[Scene], Awaitable[None]]


def _cable(fault: str, *arguments: Any) -> Do:
    async def do(scene: Scene) -> None:
        getattr(scene.cable, fault)(*arguments)

    return do


async def _restarts(scene: Scene) -> None:
    await scene.restart(scene.feed.log)


async def _forgets(scene: Scene) -> None:
    await scene.restart(None)


async def _refuses(scene: Scene) -> None:
    await scene.restart(scene.feed.log, process_request=_refuse)


async def _fails(scene: Scene) -> None:
    await scene.on_server(lambda connection: connection.close(1011))


async def _killed(scene: Scene) -> None:
    await scene.on_server(lambda connection: connection.transport.abort())
    await scene.restart(None)  # its memory is gone


# By (kind, way), the function that does it.
WAYS: dict[tuple[str, str], Do] = {
    ("front end", "a box on the way closes the connection (FIN)"): _cable("cut"),
    ("front end", "a box on the way resets the connection (RST)"): _cable("reset"),
    ("front end", "no network, in both directions"): _cable("freeze"),
    ("front end", "no network, towards the server"): _cable("freeze", "client"),
    ("front end", "no network, towards the client"): _cable("freeze", "server"),
    ("front end", "half a frame arrives, then nothing"): _cable("drop_after", 5, "client"),
    ("back end", "the server restarts, with its log"): _restarts,
    ("back end", "the server restarts, its log is lost"): _forgets,
    ("back end", "the server has an error"): _fails,
    ("back end", "the server is killed, and comes back"): _killed,
    ("back end", "the server is replaced by one that refuses"): _refuses,
}


async def disconnect(kind: str, way: str, *, connect: Connect = library_connect) -> Disconnection:
    """Do one of `WAYS` to a connection in use; return the view of both ends.

    connect: as for `ReconnectingClient`. Raises KeyError for an unknown way.
    """
    do = WAYS[kind, way]
    scene = Scene(connect)
    async with asyncio.timeout(WITHIN), scene.server, scene.cable, scene.client as client:
        client.send({"type": "say", "text": "before"})
        await scene.heard("before")
        await do(scene)
        client.send({"type": "say", "text": "amid"})  # before anybody has noticed
        await scene.noticed()
        outcome = await scene.heard("amid")
        endings = [change.ending for change in client.changes if change.ending is not None]
        await client.close()  # without waiting for a server that refuses for good
        await scene.server.stop(0.1)
    seen = endings[0].text
    if client.state is ClientState.FAILED:
        seen += f", then {endings[-1].text}"
    return Disconnection(kind, way, seen, scene.seen_by_server, outcome)
