"""A server's memory of a conversation, one value: what was said, and how far each client has got.

What it is for: `wslab.kit.resume`.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from wslab.kit.messages import Message, encoded
from wslab.net.clock import unguessable

__all__ = ["Log", "Refusal"]

CLIENTS = 1000  # that a log remembers
WINDOW = 1000  # messages that a client may send before the first of them is answered
REFUSALS = 10_000  # that a log remembers, of all clients together
EPOCHS = 100  # earlier ones that a log remembers


def is_number(value: object, least: int = 0) -> bool:
    """Tell whether this is a JSON number that counts something; true is none.

    >>> is_number(0), is_number(True), is_number(-1), is_number(1.0)
    (True, False, False, False)
    """
    return type(value) is int and value >= least


class Refusal(NamedTuple):
    """Why a message had no effect: what kind of mistake, for programs, and a text for people."""

    error: str
    text: str


@dataclass
class _Client:
    """How far a client has got: its last id that was answered, and the number it produced.

    refused: by id, those that the client may not know of yet.
    """

    id: int = 0
    seq: int | None = None
    refused: dict[int, Refusal] = field(default_factory=dict)


class Log:
    """A server's memory: the last messages, and how far each client has got. One value.

    limit: how many messages it keeps. Of clients it remembers 1000; those that were not heard of
    for the longest time go first.
    epoch: random, for the life of this log. last: the number of the newest message.
    sessions: the server's side of each client's newest connection.
    A server that is handed the log of its predecessor goes on where that stopped.
    Any thread may read it while another one publishes. Messages are kept as JSON text, so what it
    returns is a snapshot: nobody changes history through it.
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
        """An empty log is a log: `log or Log()` must not make another one of it."""
        return True

    @property
    def forgotten(self) -> int:
        """The number of the newest message that it no longer has, 0 if it has all."""
        with self._lock:
            return self.last - len(self._texts)

    def publish(self, fields: Mapping[str, Any]) -> Message:
        """Add a message; return it with its number: what to send to those who can resume.

        Raises TypeError or ValueError for what is not JSON; nothing is added then.

        >>> Log().publish({"text": "Hello"})
        {'text': 'Hello', 'seq': 1}
        """
        with self._lock:
            message = {**fields, "seq": self.last + 1}
            self._texts.append(encoded(message))
            self.last += 1
        return message

    def since(self, after: int) -> list[Message]:
        """Return the messages after this number, as far as there are any left."""
        with self._lock:
            texts = list(islice(self._texts, max(0, after - self.forgotten), None))
        return [json.loads(text) for text in texts]

    def shared(self, epoch: str) -> int | None:
        """Return up to which number an epoch's messages are those of this log; None if unknown."""
        return self.last if epoch == self.epoch else self._earlier.get(epoch)

    def seen(self, client: str) -> int:
        """Return the last id of a client that was answered, 0 if none is known; it was heard of."""
        with self._lock:
            if client not in self._clients:
                return 0
            self._clients.move_to_end(client)
            return self._clients[client].id

    def outcome(self, client: str, id: int) -> Refusal | int | None:
        """Return what became of an id: its refusal, or its number; None for none or an old one."""
        known = self._clients.get(client, _Client())
        return known.refused.get(id, known.seq if known.id == id else None)

    def refusals(self, client: str, acked: int) -> dict[int, Refusal]:
        """Return a client's refusals by id; those up to `acked` it knows, and they are dropped."""
        with self._lock:
            known = self._clients.get(client, _Client())
            known.refused = {id: why for id, why in known.refused.items() if id > acked}
            return dict(known.refused)

    def note(self, client: str, id: int, outcome: Refusal | int | None) -> None:
        """Note what became of a client's next id: as for `outcome`."""
        with self._lock:
            known = self._clients.setdefault(client, _Client())
            self._clients.move_to_end(client)
            known.id, known.seq = id, None
            if isinstance(outcome, Refusal):
                known.refused[id] = outcome
                known.refused.pop(id - WINDOW, None)
                # A client without its refusals would be misled; one that is forgotten is told so.
                while sum(len(each.refused) for each in self._clients.values()) > REFUSALS:
                    self._clients.popitem(last=False)
            else:
                known.seq = outcome
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)

    def dump(self) -> Message:
        """Return it as plain JSON, for a server that restarts in another process."""
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
        """Read what `dump` wrote; ValueError if it is something else.

        The new log has an epoch of its own, because the dump need not be the newest: what was
        published after it is lost, and its numbers are given out again. A client goes on without a
        gap if it has nothing that the dump lacks; any other one is told "epoch".
        """
        try:
            log = cls(value["limit"])
            log._texts.extend(encoded(message) for message in value["messages"])
            for client, id, seq, *rest in value["seen"]:
                refused = {number: Refusal(*why) for number, *why in rest[0]} if rest else {}
                log._clients[client] = _Client(id, seq, refused)
            log.last = value["last"]
            if not isinstance(value["epoch"], str):
                raise ValueError(f"its epoch is {value['epoch']!r:.40}")
            earlier = {**value.get("earlier", {}), value["epoch"]: log.last}
            log._earlier = dict(list(earlier.items())[-EPOCHS:])
            numbers = [message["seq"] for message in value["messages"]][-log.limit :]
            if numbers != list(range(log.forgotten + 1, log.last + 1)) or log.forgotten < 0:
                raise ValueError(f"its messages are not the last ones up to {log.last}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no dump of a log: {type(error).__name__} {error}") from None
        return log
