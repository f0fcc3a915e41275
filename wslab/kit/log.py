"""A server's memory of a conversation, as one value, for `wslab.kit.resume`.

It holds the messages, and how far each client has got. A `Store` keeps messages on the disk.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from wslab.kit.messages import MAX_UINT, Message, encoded
from wslab.net.clock import unguessable

__all__ = ["Log", "Refusal", "Store"]

CLIENTS = 1000  # that a log remembers
WINDOW = 1000  # messages that a client may send before the first of them is answered
REFUSALS = 10_000  # that a log remembers, of all clients together
EPOCHS = 100  # earlier ones that a log remembers


def is_number(value: object, least: int = 0) -> bool:
    """Tell whether this is a JSON number that counts something, also for JavaScript.

    >>> is_number(0), is_number(True), is_number(-1), is_number(1.0), is_number(2**53)
    (True, False, False, False, False)
    """
    return type(value) is int and least <= value <= MAX_UINT


class Refusal(NamedTuple):
    """The reason why a message had no effect, as an error for programs, and a text for people."""

    error: str
    text: str


@dataclass
class _Client:
    """How far a client has got, by its last answered id, and the number that this id produced.

    refused: by id, the refusals that the client might not know yet.
    """

    id: int = 0
    seq: int | None = None
    refused: dict[int, Refusal] = field(default_factory=dict)


class Log:
    """A server's memory, as one value: the last messages, and how far each client has got.

    limit: how many messages it keeps. It remembers 1000 clients, and forgets the longest silent
    ones first.
    epoch: random, but constant. last: the number of the newest message.
    sessions: the server's side of each client's newest connection.
    If a server gets the log of its predecessor, it goes on where that stopped.
    Any thread may read it while another one publishes. Messages are kept as JSON text, so callers
    get a snapshot, and cannot change history through it.
    """

    def __init__(self, limit: int = 1000) -> None:
        if not is_number(limit, 1):
            raise ValueError(f"limit is {limit!r}, a log keeps at least 1 message")
        self.limit = limit
        self.epoch = unguessable(12)
        self.last = 0
        self.sessions: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._texts: deque[str] = deque(maxlen=limit)
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._earlier: dict[str, int] = {}  # epochs, and their last number that is also this log's
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """How many messages it holds."""
        return len(self._texts)

    def __bool__(self) -> bool:
        """An empty log is true, because `log or Log()` must not replace it."""
        return True

    @property
    def forgotten(self) -> int:
        """The number of the newest message that it no longer has; 0 if it has all."""
        with self._lock:
            return self.last - len(self._texts)

    def publish(self, fields: Mapping[str, Any]) -> Message:
        """Add a message; return it with its number, to be sent to clients that can resume.

        Raises TypeError or ValueError, and adds nothing, if it is not JSON.

        >>> Log().publish({"text": "Hello"})
        {'text': 'Hello', 'seq': 1}
        """
        with self._lock:
            message = {**fields, "seq": self.last + 1}
            self._texts.append(encoded(message))
            self.last += 1
        return message

    def since(self, after: int) -> list[Message]:
        """Return the messages after this number, as far as they are still there."""
        with self._lock:
            texts = list(islice(self._texts, max(0, after - self.forgotten), None))
        return [json.loads(text) for text in texts]

    def shared(self, epoch: str) -> int | None:
        """Return the last number that an epoch shares with this log; None if it is unknown."""
        return self.last if epoch == self.epoch else self._earlier.get(epoch)

    def seen(self, client: str) -> int:
        """Return a client's last answered id, 0 if unknown; note that the client is alive."""
        with self._lock:
            if client not in self._clients:
                return 0
            self._clients.move_to_end(client)
            return self._clients[client].id

    def outcome(self, client: str, id: int) -> Refusal | int | None:
        """Return an id's outcome, its refusal or number; None if it has neither or is too old."""
        known = self._clients.get(client, _Client())
        return known.refused.get(id, known.seq if known.id == id else None)

    def refusals(self, client: str, acked: int) -> dict[int, Refusal]:
        """Return a client's refusals by id; drop those up to `acked`, which the client knows."""
        with self._lock:
            known = self._clients.get(client, _Client())
            known.refused = {id: why for id, why in known.refused.items() if id > acked}
            return dict(known.refused)

    def note(self, client: str, id: int, outcome: Refusal | int | None) -> None:
        """Note the outcome of a client's next id; see `outcome`."""
        with self._lock:
            known = self._clients.setdefault(client, _Client())
            self._clients.move_to_end(client)
            known.id, known.seq = id, None
            if isinstance(outcome, Refusal):
                known.refused[id] = outcome
                known.refused.pop(id - WINDOW, None)
                # Without its refusals a client would be misled, but a forgotten client is told so.
                while sum(len(each.refused) for each in self._clients.values()) > REFUSALS:
                    self._clients.popitem(last=False)
            else:
                known.seq = outcome
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)

    def dump(self) -> Message:
        """Return it as plain JSON, for a server that restarts in a new process."""
        with self._lock:
            return {
                "epoch": self.epoch,
                "earlier": dict(self._earlier),
                "last": self.last,
                "limit": self.limit,
                "messages": self.since(0),
                "seen": [
                    [client, known.id, known.seq, [[id, *why] for id, why in known.refused.items()]]
                    for client, known in self._clients.items()
                ],
            }

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Log:
        """Read a log that `dump` wrote; ValueError if it is something else.

        The new log has an epoch of its own, because the dump might not be the newest. Messages that
        were published after it are lost, and their numbers are given out again. A client goes on
        without a gap if the dump has all its messages; any other client is told "epoch".
        """
        try:
            log = cls(value["limit"])
            log._texts.extend(encoded(message) for message in value["messages"])
            for client, id, seq, *rest in value["seen"][-CLIENTS:]:
                refused = {number: Refusal(*why) for number, *why in rest[0]} if rest else {}
                texts = [client, *itertools.chain(*refused.values())]
                are_texts = all(isinstance(text, str) for text in texts)
                numbers = [id, *refused, *([] if seq is None else [seq])]
                if not are_texts or not all(map(is_number, numbers)):
                    raise ValueError(f"{client!r:.40} has seen {[id, seq, *rest]!r:.60}")
                log._clients[client] = _Client(id, seq, refused)
            log.last = value["last"]
            earlier = {**value.get("earlier", {}), value["epoch"]: log.last}
            if not all(isinstance(key, str) and is_number(earlier[key]) for key in earlier):
                raise ValueError(f"its epochs are {earlier!r:.60}, not texts with numbers")
            log._earlier = dict(list(earlier.items())[-EPOCHS:])
            numbers = [message["seq"] for message in value["messages"]][-log.limit :]
            if numbers != list(range(log.forgotten + 1, log.last + 1)) or log.forgotten < 0:
                raise ValueError(f"its messages are not the last ones up to {log.last}")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            seen = f"{type(error).__name__} {error}"
            raise ValueError(f"this is not a dump of a log: {seen}") from None
        return log


class Store:
    """Messages of many rooms in one SQLite file. They are on the disk when `append` returns.

    path: the file. connect: opens it. Raises OSError if the file cannot be used.
    """

    def __init__(
        self,
        path: str = ":memory:",
        *,
        connect: Callable[[str], sqlite3.Connection] | None = None,
    ) -> None:
        try:
            opened = connect or partial(sqlite3.connect, check_same_thread=False)
            self._db = opened(path)
            self.close = weakref.finalize(self, self._db.close)
            self._db.isolation_level = None  # transactions begin where we say so
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut, too
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS messages"
                " (id INTEGER PRIMARY KEY, room BLOB NOT NULL, data BLOB NOT NULL)"
            )
            self._db.execute("CREATE INDEX IF NOT EXISTS by_room ON messages (room)")
        except sqlite3.Error as error:
            raise OSError(f"{path!r} cannot be used as a file of rooms: {error}") from None

    def read(self, room: bytes) -> list[tuple[int, bytes]]:
        """Return a room's messages, each with the id of its row."""
        rows = self._db.execute("SELECT id, data FROM messages WHERE room = ? ORDER BY id", [room])
        return rows.fetchall()

    def append(self, room: bytes, messages: list[bytes]) -> list[int]:
        """Add messages in one transaction; return the ids of their rows."""
        return self._replace(room, messages, [])

    def compact(self, room: bytes, message: bytes, ids: list[int]) -> list[int]:
        """Replace rows by one that holds all of them, in one transaction."""
        return self._replace(room, [message], ids)

    def _replace(self, room: bytes, messages: list[bytes], ids: list[int]) -> list[int]:
        new = []
        with self._db:  # commits, or rolls back
            self._db.execute("BEGIN IMMEDIATE")
            for message in messages:
                row = self._db.execute(
                    "INSERT INTO messages (room, data) VALUES (?, ?)", (room, message)
                )
                new.append(row.lastrowid or 0)
            self._db.executemany("DELETE FROM messages WHERE id = ?", [(id,) for id in ids])
        return new
