"""A server's memory of a conversation, one value: what was said, and how far each client has got.

What it is for: `wslab.kit.resume`.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Log", "Message"]

Message = dict[str, Any]  # a JSON object

EPOCH_LIMIT = 64  # characters


def is_number(value: object, least: int = 0) -> bool:
    """Tell whether this is a JSON number that counts something; true is none.

    >>> is_number(0), is_number(True), is_number(-1), is_number(1.0)
    (True, False, False, False)
    """
    return type(value) is int and value >= least


class _Seen(NamedTuple):
    """How far a client has got: the last id that took effect, and the number it produced."""

    id: int
    seq: int | None


class Log:
    """A server's memory: the last messages, and how far each client has got. One value.

    limit: how many messages it keeps. clients: how many clients it remembers; those that were not
    heard of for the longest time go first.
    epoch: random, for the life of this log. last: the number of the newest message.
    A server that is handed the log of its predecessor goes on where that stopped.
    """

    def __init__(self, limit: int = 1000, *, clients: int = 1000, epoch: str | None = None) -> None:
        for name, value in (("limit", limit), ("clients", clients)):
            if not is_number(value, 1):
                raise ValueError(f"{name} is {value!r}, a log keeps at least 1")
        self.limit, self.clients = limit, clients
        self.epoch = secrets.token_urlsafe(12) if epoch is None else epoch
        if not 0 < len(self.epoch) <= EPOCH_LIMIT:
            raise ValueError(f"epoch is {self.epoch!r}, it has 1 to {EPOCH_LIMIT} characters")
        self.last = 0
        self._messages: deque[Message] = deque(maxlen=limit)
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def __repr__(self) -> str:
        """Say how much it holds; no secrets."""
        held, known = len(self._messages), len(self._seen)
        return f"<Log epoch {self.epoch!r}, last {self.last}, {held} messages, {known} clients>"

    def __len__(self) -> int:
        """How many messages it holds."""
        return len(self._messages)

    def __bool__(self) -> bool:
        """An empty log is a log: `log or Log()` must not make another one of it."""
        return True

    @property
    def forgotten(self) -> int:
        """The number of the newest message that it no longer has, 0 if it has all."""
        return self.last - len(self._messages)

    def publish(self, fields: Mapping[str, Any]) -> Message:
        """Add a message; return it with its number: what to send to those who can resume.

        >>> Log().publish({"text": "Hello"})
        {'text': 'Hello', 'seq': 1}
        """
        self.last += 1
        message = {**fields, "seq": self.last}
        self._messages.append(message)
        return message

    def since(self, after: int) -> list[Message]:
        """Return the messages after this number, as far as there are any left."""
        missed = min(self.last - after, len(self._messages))
        return [self._messages[i] for i in range(-missed, 0)]

    def seen(self, client: str) -> int:
        """Return the last id of a client that took effect, 0 if none is known; it was heard of."""
        if client in self._seen:
            self._seen.move_to_end(client)
            return self._seen[client].id
        return 0

    def seq_of(self, client: str, id: int) -> int | None:
        """Return the number that a client's last id produced; None for an older one."""
        seen = self._seen.get(client)
        return seen.seq if seen and seen.id == id else None

    def note(self, client: str, id: int, seq: int | None) -> None:
        """Note that an id of a client took effect, as number seq or without a message."""
        self._seen[client] = _Seen(id, seq)
        self._seen.move_to_end(client)
        if len(self._seen) > self.clients:
            self._seen.popitem(last=False)

    def dump(self) -> Message:
        """Return it as plain JSON, for a server that restarts in another process."""
        return {
            "epoch": self.epoch,
            "last": self.last,
            "limit": self.limit,
            "clients": self.clients,
            "messages": [dict(message) for message in self._messages],
            "seen": [[client, *seen] for client, seen in self._seen.items()],
        }

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Log:
        """Read what `dump` wrote; ValueError if it is something else.

        It must be the newest: a log that is older than what clients have seen would give numbers
        out twice. They are told "epoch" then, but only those that know more than it does.
        """
        try:
            log = cls(value["limit"], clients=value["clients"], epoch=value["epoch"])
            log._messages.extend(dict(message) for message in value["messages"])
            log._seen.update((client, _Seen(id, seq)) for client, id, seq in value["seen"])
            log.last = value["last"]
            numbers = [message["seq"] for message in log._messages]
            if numbers != list(range(log.forgotten + 1, log.last + 1)) or log.forgotten < 0:
                raise ValueError(f"its messages are not the last ones up to {log.last}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no dump of a log: {type(error).__name__} {error}") from None
        return log
