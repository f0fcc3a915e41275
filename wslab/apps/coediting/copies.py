"""Copies of a text: the server's, which outlives a crash, and a writer's, which works offline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Self

import pycrdt

from wslab.apps.coediting import protocol
from wslab.apps.coediting.protocol import EXPIRES, Presence, PresenceEntry, sync
from wslab.kit.attempt import keep_connected, library_connect
from wslab.kit.backoff import Attempts, Backoff
from wslab.kit.keepalive import task_group
from wslab.kit.log import Store
from wslab.kit.messages import Malformed, encoded
from wslab.net.clock import now

__all__ = ["SharedDocument", "Writer"]

TAIL = 256 * 1024  # bytes in the store before it is compacted


class SharedDocument:
    """A room's document, in memory and in a store.

    `apply` changes it in memory. Only what `save` has written may be told to anybody, so a crash
    loses nothing that somebody was told. tail: bytes that are appended before they are compacted.
    An update may come before what it builds on. Yjs keeps it until that comes. pycrdt does so, too,
    but does not give it out, so it is kept here as well.
    """

    def __init__(self, store: Store, room: bytes, *, tail: int = TAIL) -> None:
        self.store, self.room, self.tail = store, room, tail
        self._unsaved: list[bytes] = []
        self._load()

    def _load(self) -> None:
        self._doc, self._is_new = pycrdt.Doc[Any](), False
        self._subscription = self._doc.observe(self._note)
        self._pending: list[bytes] = []
        rows = self.store.read(self.room)
        self._ids, sizes = [id for id, _ in rows], [len(update) for _, update in rows]
        self._snapshot, self._tail = max(sizes, default=0), sum(sizes)
        for update in [*(update for _, update in rows), *self._unsaved]:
            self._take(update)

    def _note(self, event: Any) -> None:
        self._is_new = True

    def _take(self, update: bytes) -> bool:
        self._is_new = False
        self._doc.apply_update(update)
        if update not in self._pending and self._is_early(update):
            self._pending.append(update)
            return True
        return self._is_new

    def _is_early(self, update: bytes) -> bool:
        """Tell whether it builds on something, or deletes something, that has not come yet."""
        state = self._doc.get_state()
        rest, known = pycrdt.get_update(update, state), protocol.state_of(state)
        return rest[0] != 0 or any(
            clock + length > known.get(client, 0)
            for client, clock, length in protocol.deletes_of(rest[1:])
        )

    def apply(self, update: bytes) -> bool:
        """Take an update; return whether it brings anything new. Malformed if it is none."""
        try:
            is_new = self._take(update)
        except ValueError as error:  # it was not decoded, so nothing has changed
            raise Malformed(f"not an update of Yjs: {error}") from None
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            self._load()  # a part of it may have been applied
            raise Malformed(f"an update that cannot be applied: {error}") from None
        if is_new:
            self._unsaved.append(update)
        return is_new

    def save(self) -> None:
        """Write what is new to the store, and compact it there if it has grown much."""
        if not self._unsaved:
            return
        self._ids += self.store.append(self.room, self._unsaved)
        self._tail += sum(map(len, self._unsaved))
        self._unsaved = []
        if self._tail > max(self.tail, 2 * self._snapshot):
            whole = self.missing(b"\0")
            self._ids = self.store.compact(self.room, whole, self._ids)
            self._snapshot = self._tail = len(whole)

    @property
    def state(self) -> bytes:
        """The state vector."""
        self._settle()
        return self._doc.get_state()

    def missing(self, state: bytes) -> bytes:
        """Return an update with all that is missing in a state; Malformed if it is not a state."""
        protocol.state_of(state)
        self._settle()
        update = self._doc.get_update(state)
        return pycrdt.merge_updates(update, *self._pending) if self._pending else update

    def _settle(self) -> None:
        """Apply early updates again while that helps; pycrdt sometimes keeps one for too long."""
        before = None
        while self._pending and before != (before := self._doc.get_state()):
            for update in self._pending:
                self._doc.apply_update(update)
            self._pending = [update for update in self._pending if self._is_early(update)]


class Writer:
    """Somebody who writes, in Python. The copy works offline; the connection comes back.

    url: the room's. name: what others see. client: its number in Yjs, a random one if left out.
    connect: as for a `ReconnectingClient`. rng: draws the waits. batch: seconds in which updates
    are collected, and then merged into one.
    doc, text: the copy. presence: who is there. denied: why the server lets it only read, or does
    not want it at all. Positions count Python's characters.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        client: int | None = None,
        connect: Callable[..., Any] = library_connect,
        rng: Random | None = None,
        batch: float = 0.0,
    ) -> None:
        self.url, self.name, self.batch, self._connect = url, name, batch, connect
        self.doc = pycrdt.Doc[Any](client_id=client)
        self.doc["text"] = self.text = pycrdt.Text()
        self.presence, self.denied = Presence(), ""
        self.state: dict[str, Any] = {"user": {"name": name}}
        self.is_online = False
        self._attempts = Attempts(Backoff(), rng=rng or Random(), stable_after=5)
        self._undo = pycrdt.UndoManager(scopes=[self.text], capture_timeout_millis=0)
        self._undo.include_origin("own")
        self._subscription = self.doc.observe(self._changed)
        self._is_remote, self._clock, self._life, self._asked, self._answers = False, 0, 0, 0, 0
        self._updates: list[bytes] = []  # not sent yet
        self._messages: list[bytes] = []  # not sent yet
        self._said = b""  # the newest awareness message, not sent yet
        self._to_send, self._news = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # What a person does

    def insert(self, at: int, text: str) -> None:
        """Insert a text before a position."""
        with self.doc.transaction(origin="own"):
            self.text.insert(self._byte(at), text)
        self.say(cursor=self._cursor(at + len(text)))

    def delete(self, at: int, count: int) -> None:
        """Delete so many characters from a position on."""
        with self.doc.transaction(origin="own"):
            del self.text[self._byte(at) : self._byte(at + count)]
        self.say(cursor=self._cursor(at))

    def undo(self) -> bool:
        """Take back its own last change; False if there is none."""
        return self._undo.undo()

    def say(self, **state: Any) -> None:
        """Tell everybody something of itself, such as a cursor."""
        self.state |= state
        self._clock += 1
        entry = PresenceEntry(self.doc.client_id, self._clock, encoded(self.state))
        self.presence.take([entry], None, now())
        self._said = protocol.awareness([entry])
        self._to_send.set()

    def _byte(self, at: int) -> int:
        """Return a position as pycrdt counts it, in bytes of UTF-8."""
        return len(str(self.text)[:at].encode())

    def _cursor(self, at: int) -> Any:
        """Return a position that moves with the text, as y-codemirror.next writes it."""
        place = {"tname": "text"}  # the end
        if at < len(str(self.text)):
            place = self.text.sticky_index(self._byte(at), pycrdt.Assoc.AFTER).to_json()
        return {"anchor": place, "head": place}

    # Waiting

    async def until(self, condition: Callable[[], object], *, within: float = 10.0) -> None:
        """Wait for a condition, and look at it after each message; TimeoutError after `within`."""
        async with asyncio.timeout(within):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def saved(self, *, within: float = 60.0) -> None:
        """Wait until the server has all of it on its disk: it answers a step 1 that follows."""
        async with asyncio.timeout(within):
            asked = life = -1
            while not self.is_online or life != self._life or self._answers < asked:
                if self.is_online and life != self._life:
                    self._ask()
                    asked, life = self._asked, self._life
                self._news.clear()
                await self._news.wait()

    # The connection

    async def __aenter__(self) -> Self:
        """Start to connect, without waiting."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End the connection. The copy remains."""
        assert self._task is not None  # set by __aenter__
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        options: dict[str, Any] = {"connect": self._connect, "attempts": self._attempts}
        options["is_final"] = lambda ending: 4400 <= ending.code < 4500
        ending = await keep_connected(self._talk, self.url, **options)
        self.denied = ending.text
        self._news.set()

    async def _talk(self, ws: Any) -> None:
        self._life += 1
        self._updates, self._messages, self._asked, self._answers = [], [], 0, 0
        self._ask()
        self.say()
        try:
            async with task_group() as group:
                group.create_task(self._speak(ws))
                group.create_task(self._renew())
                while True:
                    self._receive(await ws.recv())
        finally:
            self.is_online = False
            self._news.set()

    async def _speak(self, ws: Any) -> None:
        while True:
            await self._to_send.wait()
            await asyncio.sleep(self.batch)
            self._to_send.clear()
            self._flush()
            messages, self._messages = [*self._messages, *filter(None, [self._said])], []
            self._said = b""
            for message in messages:
                await ws.send(message)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(EXPIRES / 2)
            self.presence.expire(now())
            self.say()

    def _changed(self, event: Any) -> None:
        if not self._is_remote:
            self._updates.append(event.update)
            self._to_send.set()

    def _flush(self) -> None:
        if self._updates:
            merged = pycrdt.merge_updates(*self._updates) if self._updates[1:] else self._updates[0]
            self._messages.append(sync(protocol.UPDATE, merged))
            self._updates = []

    def _ask(self) -> None:
        self._flush()
        self._messages.append(sync(protocol.STEP1, self.doc.get_state()))
        self._asked += 1
        self._to_send.set()

    def _receive(self, data: bytes) -> None:
        kind, body = protocol.read_y(data)
        match kind:
            case protocol.STEP1:
                self._messages.append(sync(protocol.STEP2, self.doc.get_update(body)))
                self._to_send.set()
                self.is_online = True
            case protocol.STEP2 | protocol.UPDATE:
                self._answers += kind == protocol.STEP2
                self._is_remote = True
                with self.doc.transaction(origin="others"):
                    self.doc.apply_update(body)
                self._is_remote = False
            case protocol.AWARENESS:
                self.presence.take(protocol.read_entries(body), None, now())
            case protocol.AUTH:
                self.denied = body[2:].decode()
        self._news.set()
