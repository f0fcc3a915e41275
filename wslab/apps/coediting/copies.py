"""Copies of a text: the server's, which outlives a crash, and a writer's, which works offline."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from random import Random
from typing import Any

import pycrdt

from wslab.apps.coediting import protocol
from wslab.apps.coediting.protocol import EMPTY, NOTHING, sync
from wslab.kit.attempt import LastingClient, library_connect
from wslab.kit.backoff import Attempts, Backoff
from wslab.kit.client_events import EXPIRES, Presence, PresenceEntry
from wslab.kit.keepalive import task_group
from wslab.kit.log import Store
from wslab.kit.messages import Malformed, encoded, varuint
from wslab.kit.retry import Ending
from wslab.net.clock import now

__all__ = ["SharedDocument", "Writer"]

TAIL = 256 * 1024  # bytes in the store before it is compacted


class Spans(dict[int, list[tuple[int, int]]]):
    """The operations of each client that are known: sorted ranges, as (first, end).

    >>> spans = Spans()
    >>> [spans.add((7, *span)) for span in [(0, 5), (8, 2), (4, 5), (1, 9)]], spans
    ([True, True, True, False], {7: [(0, 10)]})
    """

    def add(self, span: protocol.Span) -> bool:
        """Add some; return whether one of them is new."""
        client, first, length = span
        spans, end = self.setdefault(client, []), first + length
        at = upto = bisect_left(spans, first, key=lambda known: known[1])
        if not length or (at < len(spans) and spans[at][0] <= first and end <= spans[at][1]):
            return False
        while upto < len(spans) and spans[upto][0] <= end:
            first, end = min(first, spans[upto][0]), max(end, spans[upto][1])
            upto += 1
        spans[at:upto] = [(first, end)]
        return True


class SharedDocument:
    """A room's document as the server has it: its updates, in memory and in a store.

    The server merges updates, and never looks at what is in them. So it can serve types that it
    does not know, and an update may come before the one that it builds on. tail: bytes in the store
    before they are compacted. Only what `save` has written may be told to anybody. Then a crash
    loses nothing that somebody was told.
    """

    def __init__(self, store: Store, room: bytes, *, tail: int = TAIL) -> None:
        self.store, self.room, self.tail = store, room, tail
        self._items, self._deletes = Spans(), Spans()
        self._merged, self._unsaved = list[bytes](), list[bytes]()
        rows = store.read(room)
        self._ids, self._snapshot = [id for id, _ in rows], len(rows[0][1]) if rows else 0
        self._tail = sum(len(update) for _, update in rows)
        for _, update in rows:
            self.apply(update)
        self._unsaved.clear()

    def apply(self, update: bytes) -> bool:
        """Take an update; return whether it brings anything new. Malformed if it is none."""
        reader = protocol.YReader(update)
        items, deletes = reader.update()
        reader.end()
        try:
            pycrdt.merge_updates(update, EMPTY)
        except ValueError as error:  # for example, a format that is not JSON
            raise Malformed(f"an update that cannot be merged: {error}") from None
        new = [*map(self._items.add, items), *map(self._deletes.add, deletes)]
        if any(new):
            self._unsaved.append(update)
            self._merge(update)
        return any(new)

    def _merge(self, update: bytes) -> None:
        """Merge it with those of about its size. All at once would take a time of n²."""
        while self._merged and len(self._merged[-1]) < 2 * len(update):
            update = pycrdt.merge_updates(self._merged.pop(), update)
        self._merged.append(update)

    def save(self) -> None:
        """Write what is new to the store, and compact it there if it has grown much."""
        if not self._unsaved:
            return
        self._ids += self.store.append(self.room, self._unsaved)
        self._tail += sum(map(len, self._unsaved))
        self._unsaved.clear()
        if self._tail > max(self.tail, 2 * self._snapshot):
            whole = self.missing(NOTHING)
            self._ids = self.store.compact(self.room, whole, self._ids)
            self._snapshot = self._tail = len(whole)

    @property
    def state(self) -> bytes:
        """The state vector: how many operations of each client there are without a gap."""
        known = {client: spans[0][1] for client, spans in self._items.items() if not spans[0][0]}
        pairs = [varuint(client) + varuint(known[client]) for client in sorted(known, reverse=True)]
        return varuint(len(pairs)) + b"".join(pairs)

    def missing(self, state: bytes) -> bytes:
        """Return an update with all that is missing in a state; Malformed if it is not a state."""
        protocol.YReader(state).state()
        self._merged = [pycrdt.merge_updates(EMPTY, *reversed(self._merged))]
        return self._merged[0] if state == NOTHING else pycrdt.get_update(self._merged[0], state)


class Writer(LastingClient):
    """Somebody who writes, in Python. The copy works offline; the connection comes back.

    url: the room's. name: what others see. client: its number in Yjs, which no other copy may have;
    it is random if left out. connect: as for a `ReconnectingClient`. rng: draws the waits.
    batch: seconds in which updates are collected, and then merged into one.
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
        attempts = Attempts(Backoff(), rng=rng or Random(), stable_after=5)
        super().__init__(url, attempts=attempts, connect=connect)
        self.name, self.batch = name, batch
        self.doc = pycrdt.Doc[Any](client_id=client)
        self.doc["text"] = self.text = pycrdt.Text()
        self.presence, self.denied, self.is_online = Presence(), "", False
        self.state: dict[str, Any] = {"user": {"name": name}}
        self._undo = pycrdt.UndoManager(scopes=[self.text], capture_timeout_millis=0)
        self._undo.include_origin("own")
        self._subscription = self.doc.observe(self._changed)
        self._is_remote, self._clock, self._life, self._asked, self._answers = False, 0, 0, 0, 0
        self._updates, self._messages = list[bytes](), list[bytes]()  # not sent yet
        self._said = b""  # the newest awareness message, not sent yet
        self._to_send = asyncio.Event()

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
        self.tell(PresenceEntry(self.doc.client_id, self._clock, encoded(self.state)))

    def tell(self, entry: PresenceEntry) -> None:
        """Send an entry, about itself or anybody."""
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

    async def saved(self, *, within: float = 60.0) -> None:
        """Wait until the server has saved all of it, and so answers; PermissionError if denied."""
        asked = life = -1

        def is_answered() -> bool:
            nonlocal asked, life
            if self.is_online and life != self._life:
                self._ask()
                asked, life = self._asked, self._life
            return bool(self.denied) or (life == self._life and self._answers >= asked)

        await self.until(is_answered, within=within)
        if self.denied:
            raise PermissionError(self.denied)

    # The connection

    def is_final(self, ending: Ending) -> bool:
        """Tell whether not to come back; then the server has denied everything."""
        is_final = super().is_final(ending) or 4400 <= ending.code < 4500
        if is_final:
            self.denied = ending.text
        return is_final

    async def talk(self, ws: Any) -> None:
        """Exchange what either side lacks, and then what is new."""
        self._life, self._asked, self._answers = self._life + 1, 0, 0
        self.denied, self._updates, self._messages = "", [], []
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
            self.notify()

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
        self.notify()
