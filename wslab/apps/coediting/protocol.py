"""The y-protocols (Yjs) in bytes: what the messages are, who is present, and what a row shows.

    0 sync       0 step 1: a state vector · 1 step 2: what is missing there · 2 an update
    1 awareness  a list of client, clock and JSON
    2 auth       0 permission denied: a reason
    3 query      asks for all of the awareness

Numbers are varUints, and what follows them stands behind its length (`wslab.kit.messages`).
Source: npm's y-protocols 1.0 and lib0 0.2, which y-websocket 3 uses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from wslab.kit.messages import ByteReader, Malformed, encoded, parsed, sized, varuint
from wslab.protocol.errors import quantity
from wslab.protocol.quoting import printable

__all__ = ["Presence", "PresenceEntry", "YProtocols", "awareness", "deletes_of", "denied"]
__all__ += ["explain", "named", "read_entries", "read_y", "state_of", "sync", "y_protocols"]

STEP1, STEP2, UPDATE = b"\x00\x00", b"\x00\x01", b"\x00\x02"
AWARENESS, AUTH, QUERY = b"\x01", b"\x02", b"\x03"
EMPTY = b"\x00\x00"  # an update without anything: no clients, no deletions
EXPIRES = 30.0  # seconds after which somebody who says nothing is no longer present
STATE = 64 * 1024  # characters of what a client may say of itself
PIECES = 60  # of a message that are explained
SHOWN = 24  # bytes of a piece that a row shows


def sync(step: bytes, body: bytes) -> bytes:
    """Write a sync message. step: STEP1, STEP2 or UPDATE.

    >>> sync(STEP1, b"\\x00").hex(" ")
    '00 00 01 00'
    """
    return step + sized(body)


def denied(reason: str) -> bytes:
    """Write the message that tells a page why it may not do something."""
    return AUTH + b"\x00" + sized(reason.encode())


def read_y(message: bytes) -> tuple[bytes, bytes]:
    """Read a message: its kind, such as STEP1, and its body; Malformed for anything else."""
    kind = message[: 2 if message[:1] == STEP1[:1] else 1]
    if kind in (AUTH, QUERY):
        return kind, message[1:]
    if kind not in (STEP1, STEP2, UPDATE, AWARENESS):
        raise Malformed(f"it begins with {kind.hex(' ') or 'nothing'}: expected a kind")
    reader = ByteReader(message)
    reader.at = len(kind)
    body = reader.chunk()
    reader.end()
    return kind, body


def state_of(body: bytes) -> dict[int, int]:
    """Read a state vector: how many operations of each client somebody has."""
    reader = ByteReader(body)
    state = {reader.uint(): reader.uint() for _ in range(reader.uint())}
    reader.end()
    return state


def deletes_of(body: bytes) -> list[tuple[int, int, int]]:
    """Read a delete set: a list of client, first clock, and how many."""
    reader = ByteReader(body)
    found = []
    for _ in range(reader.uint()):
        client = reader.uint()
        found += [(client, reader.uint(), reader.uint()) for _ in range(reader.uint())]
    return found


# Who is present


class PresenceEntry(NamedTuple):
    """What a client says of itself. clock: grows with each. state: JSON; "null" if it has left."""

    client: int
    clock: int
    state: str


def awareness(entries: Iterable[PresenceEntry]) -> bytes:
    """Write an awareness message."""
    body = [varuint(e.client) + varuint(e.clock) + sized(e.state.encode()) for e in entries]
    return AWARENESS + sized(varuint(len(body)) + b"".join(body))


NOBODY = awareness([])  # says nothing, but shows that the connection works


def read_entries(body: bytes) -> list[PresenceEntry]:
    """Read the body of an awareness message; Malformed if a state is not JSON or too long."""
    reader, entries = ByteReader(body), []
    for _ in range(reader.uint()):
        client, clock, state = reader.uint(), reader.uint(), reader.text()
        if len(state) > STATE:
            raise Malformed(f"a state of {len(state)} characters: the limit is {STATE}")
        try:
            state = "null" if parsed(state) is None else state
        except ValueError:
            raise Malformed(f"the state {state[:40]!r} is not JSON") from None
        entries.append(PresenceEntry(client, clock, state))
    reader.end()
    return entries


class Presence:
    """Who is present. The greater clock wins, and an entry expires 30 s after its last one.

    owner: who sends an entry. An owner speaks for the first client that it names, and nobody else
    does so meanwhile. With None as the owner nothing is checked: anybody can speak for anybody.
    refused: how many entries would have changed somebody else's.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._own: dict[Hashable, int] = {}
        self._entries: dict[int, tuple[PresenceEntry, Hashable, float]] = {}

    @property
    def entries(self) -> list[PresenceEntry]:
        """The newest of each client that is present."""
        return [entry for entry, _, _ in self._entries.values()]

    @property
    def states(self) -> dict[int, Any]:
        """What each client that is present says of itself, such as its name and cursor."""
        return {entry.client: parsed(entry.state) for entry in self.entries}

    def take(
        self, entries: Iterable[PresenceEntry], owner: Hashable, now: float
    ) -> list[PresenceEntry]:
        """Take what somebody says, and return what is news. now: seconds."""
        news = []
        for entry in entries:
            known, of, _ = self._entries.get(entry.client, (None, owner, now))
            is_gone, clock = entry.state == "null", known.clock if known else -1
            if of != owner or self._own.get(owner, entry.client) != entry.client:
                # Every client repeats what it hears, so only a greater clock is an attempt.
                self.refused += known is not None and entry.clock > clock
            elif is_gone and known and entry.clock >= clock:
                del self._entries[entry.client]
                news.append(entry)
            elif not is_gone and entry.clock > clock:
                self._entries[entry.client] = entry, owner, now
                if owner is not None:
                    self._own[owner] = entry.client
                news.append(entry)
        return news

    def leave(self, owner: Hashable) -> list[PresenceEntry]:
        """Forget the entries of an owner; return what others have to be told."""
        self._own.pop(owner, None)
        return self._forget([e.client for e, of, _ in self._entries.values() if of == owner])

    def expire(self, now: float) -> list[PresenceEntry]:
        """Forget those who have said nothing for 30 s; return what others have to be told."""
        entries = self._entries.values()
        return self._forget([e.client for e, _, at in entries if now - at >= EXPIRES])

    def _forget(self, clients: list[int]) -> list[PresenceEntry]:
        return [self._entries.pop(client)[0]._replace(state="null") for client in clients]


def named(entry: PresenceEntry, name: str) -> PresenceEntry:
    """Return an entry under the name that we know, whatever name it claims."""
    state = parsed(entry.state)
    if not isinstance(state, dict):
        return entry
    user = state.get("user")
    state["user"] = {**(user if isinstance(user, dict) else {}), "name": name}
    return entry._replace(state=encoded(state))


# For transcripts


class _Explained(ByteReader):
    """Reads a message, and says of each piece what it is."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.pieces: list[tuple[bytes, str]] = []
        self._start = 0

    def say(self, text: str) -> None:
        if len(self.pieces) == PIECES:
            raise Malformed("it is long")
        self.pieces.append((self.data[self._start : self.at], text))
        self._start = self.at

    def number(self, text: str) -> int:
        number = self.uint()
        self.say(text.format(number).replace("1 clients", "1 client"))
        return number

    def message(self) -> None:
        kind = self.byte() % 4
        self.say(("sync", "awareness", "auth", "query: who is present?")[kind])
        if kind == 0:
            step = self.uint()
            self.say(("step 1: I have", "step 2: what you lack", "update")[min(step, 2)])
            self.number("length")
            self._state() if step == 0 else self._update()
        elif kind == 1:
            self.number("length")
            for _ in range(self.number("{} clients")):
                self.number("client {}")
                self.number("clock {}")
                self.say(printable(self.text(), 200))
        elif kind == 2:
            self.number("denied")
            self.say(printable(self.text(), 200))

    def _state(self) -> None:
        for _ in range(self.number("{} clients")):
            client = self.uint()
            self.say(f"client {client}: the first {self.uint()}")

    def _update(self) -> None:
        for _ in range(self.number("{} clients")):
            number = self.uint()
            self.say(f"{quantity(number, 'item')} of client {self.uint()} from {self.uint()} on")
            for _ in range(number):
                self.say(self._item())
        for _ in range(self.number("deletions of {} clients")):
            client, number = self.uint(), self.uint()
            self.say(f"client {client}: {quantity(number, 'range')}")
            for _ in range(number):
                clock = self.uint()
                self.say(f"{self.uint()} from {clock} on")

    def _item(self) -> str:
        info, where = self.byte(), ""
        kind = info & 31
        if kind in (0, 10):  # deleted for good, or left out
            return f"{self.uint()} that are gone"
        for bit, word in ((128, "after"), (64, "before")):
            where += f" {word} {self.uint()}:{self.uint()}" if info & bit else ""
        if not info & 192:
            parent = printable(self.text()) if self.uint() else f"{self.uint()}:{self.uint()}"
            where = f" in {parent}" + (f", key {printable(self.text())}" if info & 32 else "")
        if kind == 4:
            return printable(self.text()) + where
        if kind == 1:
            return f"{self.uint()} deleted" + where
        raise Malformed("content of a different kind")


def explain(message: bytes) -> list[tuple[bytes, str]]:
    """Explain a message: its bytes in pieces, and what each of them is."""
    reader, why = _Explained(message), "the rest"
    try:
        reader.message()
    except Malformed as error:
        why = f"the rest ({error})"
    rest = message[sum(len(data) for data, _ in reader.pieces) :]
    return [*reader.pieces, *([(rest, why)] if rest else [])]


class YProtocols:
    """The dissector. A room may have any path, so it knows those that were used in this process."""

    def __init__(self) -> None:
        self._targets = deque[str](maxlen=1000)

    def note(self, target: str) -> None:
        """Note that this target of a request leads to a room; the last thousand are kept."""
        if target not in self._targets:
            self._targets.append(target)

    def recognises(self, request: bytes) -> bool:
        """Tell whether a request opens a room."""
        target = request.split(b" ", 2)[1:2]
        return bool(target) and target[0].decode("latin-1") in self._targets

    def body(self, payload: bytes, *, is_complete: bool) -> str:
        """Add nothing: the page's files need no explanation."""
        return ""

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe a message byte by byte."""
        if is_text or not is_complete:
            return ""
        return " · ".join(
            f"{data[:SHOWN].hex(' ')}{' …' * (len(data) > SHOWN)} {said}"
            for data, said in explain(payload)
        )


y_protocols = YProtocols()
