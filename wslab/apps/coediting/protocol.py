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
from collections.abc import Callable, Iterable

from wslab.kit.client_events import PresenceEntry
from wslab.kit.messages import ByteReader, Malformed, encoded, parsed, sized, varuint
from wslab.lab.wire.dissectors import Dissector
from wslab.protocol.quoting import printable

__all__ = ["YProtocols", "YReader", "awareness", "denied"]
__all__ += ["explain", "named", "read_entries", "read_y", "sync", "y_protocols"]

STEP1, STEP2, UPDATE = b"\x00\x00", b"\x00\x01", b"\x00\x02"
AWARENESS, AUTH, QUERY = b"\x01", b"\x02", b"\x03"
EMPTY, NOTHING = b"\x00\x00", b"\x00"  # an update without anything; the state of nothing
STATE = 64 * 1024  # characters of what a client may say of itself
SKIP, DEPTH = 10, 200  # the kind of what is left out; levels of a value
TYPES = ("array", "map", "text", "element ", "fragment", "hook ", "XML text")
FIXED = {120: 0, 121: 0, 122: 8, 123: 8, 124: 4, 126: 0, 127: 0}  # bytes of these values
PIECES = 60  # of a message that are explained
SHOWN = 24  # bytes of a piece that a row shows

Span = tuple[int, int, int]  # a client, its first operation, and how many


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


# Who is present


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


def named(entry: PresenceEntry, name: str) -> PresenceEntry:
    """Return an entry under the name that we know, whatever name it claims."""
    state = parsed(entry.state)
    if not isinstance(state, dict):
        return entry
    user = state.get("user")
    state["user"] = {**(user if isinstance(user, dict) else {}), "name": name}
    return entry._replace(state=encoded(state))


# For transcripts


class YReader(ByteReader):
    """Reads Yjs's encoding. says: None, or takes what each piece of the bytes is."""

    says: Callable[[str], None] | None = None

    def say(self, text: str) -> None:
        """Say what the bytes since the last time are."""
        if self.says is not None:
            self.says(text)

    def number(self, text: str) -> int:
        """Read a number, and say what it is; {} in the text stands for it."""
        number = self.uint()
        self.say(text.format(number))
        return number

    def state(self) -> dict[int, int]:
        """Read a state vector: how many operations of each client somebody has."""
        state = {}
        for _ in range(self.number("clients: {}")):
            client = self.uint()
            state[client] = self.uint()
            self.say(f"client {client}: the first {state[client]}")
        return state

    def update(self) -> tuple[list[Span], list[Span]]:
        """Read an update: the operations in it, and those that it deletes."""
        items, deletes = [], []
        for _ in range(self.number("clients: {}")):
            count, client, clock = self.uint(), self.uint(), self.uint()
            self.say(f"client {client} from {clock} on, items: {count}")
            for _ in range(count):
                kind, length = self._item()
                if kind != SKIP:
                    items.append((client, clock, length))
                clock += length
        for _ in range(self.number("clients with deletions: {}")):
            client, count = self.uint(), self.uint()
            self.say(f"client {client}, ranges: {count}")
            for _ in range(count):
                deletes.append((client, self.uint(), self.uint()))
                self.say(f"from {deletes[-1][1]} on: {deletes[-1][2]}")
        return items, deletes

    def _item(self) -> tuple[int, int]:
        """Read an item; return its kind, and how many operations it stands for."""
        info, where = self.byte(), ""
        kind = info & 31
        if kind in (0, SKIP):
            return kind, self.number("gone: {}")
        for bit, word in ((128, "after"), (64, "before")):
            where += f" {word} {self.uint()}:{self.uint()}" if info & bit else ""
        if not info & 192:
            name = printable(self.text()) if self.uint() else f"{self.uint()}:{self.uint()}"
            where = f" in {name}" + (f", key {printable(self.text())}" if info & 32 else "")
        length, what = self._content(kind)
        self.say(what + where)
        return kind, length

    def _content(self, kind: int) -> tuple[int, str]:
        """Read the content of an item; return its length, and what it is."""
        match kind:
            case 1:
                return self.uint(), "deleted"
            case 2:
                return len([self.text() for _ in range(self.uint())]), "JSON"
            case 3:
                return 1, f"{len(self.chunk())} bytes"
            case 4:
                text = self.text()  # JavaScript counts in UTF-16
                length = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
                return length, printable(text)
            case 5:
                return 1, f"embedded {printable(self.text())}"
            case 6:
                return 1, f"format {printable(self.text())}: {printable(self.text())}"
            case 7 if (type := self.uint()) < len(TYPES):
                return 1, TYPES[type] + (printable(self.text()) if type in (3, 5) else "")
            case 8:
                count = self.uint()
                self.values(count)
                return count, "values"
            case 9:
                guid = printable(self.text())
                self.values(1)
                return 1, f"document {guid}"
        raise Malformed(f"byte {self.at}: content of kind {kind}")

    def values(self, count: int) -> None:
        """Skip so many values in lib0's encoding of what JSON has, and a little more."""
        open_: list[list[int]] = [[count, 0]]  # how many are left, and whether each has a key
        while open_:
            if not open_[-1][0]:
                open_.pop()
                continue
            open_[-1][0] -= 1
            if open_[-1][1]:
                self.chunk()
            kind = self.byte()
            if kind in (118, 117):
                open_.append([self.uint(), kind == 118])
                if len(open_) > DEPTH:
                    raise Malformed(f"byte {self.at}: a value of more than {DEPTH} levels")
            elif kind in (119, 116):
                self.chunk()
            elif kind == 125:
                while self.byte() & 128:
                    pass
            elif kind in FIXED:
                for _ in range(FIXED[kind]):
                    self.byte()
            else:
                raise Malformed(f"byte {self.at}: {kind} is no kind of value")


def explain(message: bytes) -> list[tuple[bytes, str]]:
    """Explain a message: its bytes in pieces, and what each of them is."""
    reader, pieces, start = YReader(message), list[tuple[bytes, str]](), 0

    def say(text: str) -> None:
        nonlocal start
        if len(pieces) == PIECES:
            raise Malformed("it is long")
        pieces.append((message[start : reader.at], text))
        start = reader.at

    reader.says, why = say, "the rest"
    try:
        kind = reader.byte() % 4
        reader.say(("sync", "awareness", "auth", "query: who is present?")[kind])
        if kind == 0:
            step = min(reader.uint(), 2)
            reader.say(("step 1: I have", "step 2: what you lack", "update")[step])
            reader.number("length")
            reader.update() if step else reader.state()
        elif kind == 1:
            reader.number("length")
            for _ in range(reader.number("clients: {}")):
                reader.number("client {}")
                reader.number("clock {}")
                reader.say(printable(reader.text(), 200))
        elif kind == 2:
            reader.number("denied")
            reader.say(printable(reader.text(), 200))
    except Malformed as error:
        why = f"the rest ({error})"
    return [*pieces, *([(message[start:], why)] if start < len(message) else [])]


class YProtocols(Dissector):
    """The dissector. A room may have any path, so it knows those that were used in this process."""

    def __init__(self) -> None:
        self._targets = deque[str](maxlen=1000)

    def note(self, target: str) -> None:
        """Note that this target leads to a room, unless it is every server's, "/".

        The last thousand are kept.
        """
        if target not in ("/", *self._targets):
            self._targets.append(target)

    def recognises(self, request: bytes) -> bool:
        """Tell whether a request opens a room."""
        target = request.split(b" ", 2)[1:2]
        return bool(target) and target[0].decode("latin-1") in self._targets

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe a message byte by byte."""
        if is_text or not is_complete:
            return ""
        return " · ".join(
            f"{data[:SHOWN].hex(' ')}{' …' * (len(data) > SHOWN)} {said}"
            for data, said in explain(payload)
        )


y_protocols = YProtocols()
