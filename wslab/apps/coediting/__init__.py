"""Lesson 12: collaborative editing (协同编辑). Several people write one text at the same time.

    server = coediting.serve()
    coediting.EditorWidget(server, room="lesson")
    async with coediting.Writer(server.url + "lesson", name="Ada") as ada:
        ada.insert(0, "Hello")

The text is a CRDT of Yjs (pycrdt in Python). Its copies converge, whatever the order in which the
updates arrive. `Rooms` speaks y-websocket's protocol (`protocol`) at /ROOM, keeps all updates on
the disk (`copies`), and checks who claims to be present.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote, unquote_to_bytes

from wslab import lab
from wslab.apps.coediting import protocol
from wslab.apps.coediting.copies import SharedDocument, Writer
from wslab.apps.coediting.protocol import explain, sync, y_protocols
from wslab.browser.widget import TargetWidget
from wslab.kit.client_events import Presence, PresenceEntry
from wslab.kit.hub import Hub
from wslab.kit.log import Store
from wslab.kit.messages import Malformed
from wslab.lab.peers import page_url
from wslab.lab.servers.files import PageFiles
from wslab.lab.wire.dissectors import register
from wslab.net.clock import now
from wslab.protocol.close import CloseCode
from wslab.protocol.http import split_target

__all__ = ["EditorWidget", "Rooms", "SharedDocument"]
__all__ += ["Writer", "add_coediting_options", "demo_coediting", "explain", "room_page", "serve"]
__all__ += ["start_coediting"]

register("y-protocols", y_protocols)

# The editor writes styles into the page, for example the colour of somebody's cursor.
POLICY = "style-src 'self'", "style-src 'self' 'unsafe-inline'"
PAGE = PageFiles(Path(__file__).parent / "page", {"title": "One text, many writers"}, policy=POLICY)
MAX_SIZE = 64 * 1024 * 1024  # bytes of a message, so of a document that comes in one piece
TOGETHER = 0.005  # seconds in which updates are collected, for one write to the disk
LOOK, ALIVE = 5.0, 15.0  # seconds between looks at who is late, and between signs of life
BAD_MESSAGE = 4400  # y-websocket does not come back after 44xx, because it would fail again
READ_ONLY = "you are a guest: you can read, and your changes are dropped"


class _Room:
    """An open room. relay: messages for all of it, as soon as the document is saved."""

    def __init__(self, document: SharedDocument) -> None:
        self.document, self.presence = document, Presence()
        self.members: dict[Any, None] = {}
        self.relay: list[bytes] = []


class Rooms:
    """The server's handler: a document for each path, and the people who work on it.

    store: keeps the documents; in memory if left out.
    members: the names of those who may write, by the token that they send as ?token=…. Everybody
    else is a guest, who can only read. If it is None, everybody may write, under any name.
    checked: False lets everybody speak for everybody in awareness messages, to show what happens.
    hub: the connections.
    """

    __name__ = "coediting"

    def __init__(
        self,
        store: Store | None = None,
        *,
        members: Mapping[str, str] | None = None,
        checked: bool = True,
    ) -> None:
        self.store, self.members, self.checked = store or Store(), members, checked
        self.hub = Hub(backlog=MAX_SIZE, life=self._tend)
        self._rooms: dict[bytes, _Room] = {}
        self._writing: asyncio.Handle | None = None

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        path, query = split_target(ws.request.path)
        y_protocols.note(ws.request.path)
        name = unquote_to_bytes(path[1:])
        who = (self.members or {}).get(parse_qs(query).get("token", [""])[-1])
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = _Room(SharedDocument(self.store, name))
        room.members[ws] = None
        may_write = self.members is None or who is not None
        try:
            async with self.hub.hosting(ws, name, refuses={Malformed: BAD_MESSAGE}):
                self._welcome(ws, room, may_write=may_write)
                async for data in ws:
                    if self._rooms.get(name) is not room:
                        break  # it could not be saved
                    if isinstance(data, str):
                        raise Malformed("it is a text: expected binary messages")
                    self._receive(ws, name, data, who=who, may_write=may_write)
        finally:
            self._leave(ws, name, room)

    def _welcome(self, ws: Any, room: _Room, *, may_write: bool) -> None:
        self.save()
        self.hub.send(ws, sync(protocol.STEP1, room.document.state))
        if not may_write:
            self.hub.send(ws, protocol.denied(READ_ONLY))
        if room.presence.entries:
            self.hub.send(ws, protocol.awareness(room.presence.entries))

    def _receive(
        self, ws: Any, name: bytes, data: bytes, *, who: str | None, may_write: bool
    ) -> None:
        room = self._rooms[name]
        kind, body = protocol.read_y(data)
        match kind:
            case protocol.STEP1:
                self.save()
                missing = room.document.missing(body)
                self.hub.send(ws, sync(protocol.STEP2, missing), asked=True)
            case protocol.STEP2 | protocol.UPDATE if may_write:
                if body != protocol.EMPTY and room.document.apply(body):
                    room.relay.append(sync(protocol.UPDATE, body))
                    if self._writing is None:
                        loop = asyncio.get_running_loop()
                        self._writing = loop.call_later(TOGETHER, self.save)
            case protocol.AWARENESS:
                entries = protocol.read_entries(body)
                if self.members is not None and self.checked:
                    entries = [protocol.named(entry, who or "guest") for entry in entries]
                owner = ws if self.checked else None
                self._tell(name, room.presence.take(entries, owner, now()))
            case protocol.QUERY:
                self.hub.send(ws, protocol.awareness(room.presence.entries))

    def _tell(self, name: bytes, news: list[PresenceEntry]) -> None:
        if news:  # the sender too: y-websocket leaves a server that is silent for 30 s
            self.hub.publish(protocol.awareness(news), name)

    def save(self) -> None:
        """Write what is new to the disk, and then tell it to everybody."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        for name, room in list(self._rooms.items()):
            if not room.relay:
                continue
            try:
                room.document.save()
            except sqlite3.Error as error:
                del self._rooms[name]
                for member in room.members:
                    self.hub.close(member, CloseCode.INTERNAL_ERROR, f"not saved: {error}")
                continue
            relay, room.relay = room.relay, []
            for message in relay:
                self.hub.publish(message, name)

    def _leave(self, ws: Any, name: bytes, room: _Room) -> None:
        del room.members[ws]
        self._tell(name, room.presence.leave(ws))
        if not room.members and self._rooms.get(name) is room:
            self.save()
            self._rooms.pop(name, None)

    async def _tend(self) -> None:
        """Forget those who say nothing any more, and give signs of life."""
        alive = now()
        while True:
            await asyncio.sleep(LOOK)
            for name, room in self._rooms.items():
                self._tell(name, room.presence.expire(now()))
            if now() >= alive + ALIVE:
                alive = now()
                self.hub.publish(protocol.NOBODY)


def serve(rooms: Rooms | None = None, *, name: str = "coediting", **where: Any) -> lab.Server:
    """Start rooms beside the notebook, with a page at `/`; kept in memory if left out.

    name, where: as for `lab.serve`; running the cell again replaces the server of this name.
    """
    rooms = rooms or Rooms()
    where |= {"process_request": PAGE.answer, "max_size": MAX_SIZE, "max_queue": 4}
    return lab.serve(rooms, name=name, **where)


def room_page(server: lab.Server, room: str = "lesson") -> str:
    """Return the address of a room's page, for a browser; see `page_url`."""
    return page_url(f"http{server.url.removeprefix('ws')}?room={quote(room, safe='')}")


class EditorWidget(TargetWidget):
    """The page's editor in a cell. Its connection belongs to the page that shows the notebook.

    target: a server of rooms, a cable to it, or a URL. room: its name. name: what the others read.
    """

    FILES = ("apps/coediting/page/app.css", "apps/coediting/page/app.js")

    def __init__(self, target: Any, *, room: str = "lesson", name: str = "You") -> None:
        super().__init__(target, room=room, name=name)


def add_coediting_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve coediting`."""
    parser.add_argument(
        "--file",
        default=":memory:",
        help="keeps the documents; without it they end with the server",
    )
    parser.add_argument(
        "--member",
        action="append",
        default=[],
        metavar="NAME=TOKEN",
        help="somebody who may write, with ?token=TOKEN; all others are then guests, who read",
    )


def start_coediting(*, file: str, member: list[str], **where: Any) -> lab.Server:
    """Start what the command line asks for."""
    pairs = [each.partition("=") for each in member]
    members = {token: name for name, _, token in pairs} if pairs else None
    return serve(Rooms(Store(file), members=members), **where)


async def demo_coediting() -> None:
    """Serve the page until Ctrl-C; three people are simulated, who write a poem in it."""
    rng = Random(12)
    async with serve() as server, AsyncExitStack() as stack:
        print(f"Three people write, and so can you:\n  {room_page(server)}", flush=True)
        people = [Writer(f"{server.url}lesson", name=name) for name in ("Ada", "Bo", "Cai")]
        for person in people:
            await stack.enter_async_context(person)
        while True:
            person, word = rng.choice(people), rng.choice(("the ", "tide ", "turns ", "and ", "\n"))
            at = rng.randint(0, len(str(person.text)))
            if at > 400:
                person.delete(0, 200)
                continue
            for place, letter in enumerate(word, at):
                person.insert(place, letter)
                await asyncio.sleep(0.15)
