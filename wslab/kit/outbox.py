"""The client's side of resume: what it has got, and what it does not know to have arrived.

`Inbox` and `Outbox` are values, without sockets and clock; `wslab.kit.resume` says which
messages are exchanged, and what holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from wslab.kit.log import Message, is_number
from wslab.kit.resume import Gap, ResumeError

__all__ = ["Inbox", "Outbox", "OutboxFull", "Resent", "SequenceGap"]


class SequenceGap(Exception):
    """A message of the server is missing on the way: connect and resume again."""


class OutboxFull(RuntimeError):
    """So many messages wait for their acknowledgement that no more are taken."""


class Inbox:
    """How far the client has got with the server's messages.

    history: whether a newcomer wants all that the server still has, or only what is new.
    epoch: of the server's log, None before the first `resumed`. last: the newest number it has.
    """

    def __init__(self, *, history: bool = True) -> None:
        self.epoch: str | None = None
        self.last: int | None = 0 if history else None

    def resume(self, client: str | None = None) -> Message:
        """Return the message to open with; client: the secret of this client's life."""
        return {"type": "resume", "epoch": self.epoch, "after": self.last, "client": client}

    def resumed(self, message: Mapping[str, Any]) -> Gap:
        """Take the server's answer: go on where it does. Return what is lost in between.

        Raises ResumeError if this is no such answer.
        """
        epoch, after, gap = message.get("epoch"), message.get("after"), message.get("gap")
        if not isinstance(epoch, str) or not isinstance(after, int) or not is_number(after):
            raise ResumeError("bad resumed", f"epoch is {epoch!r:.40}, after {after!r:.40}")
        if not (gap is None or gap == "epoch" or is_number(gap)):
            raise ResumeError("bad resumed", f"gap is {gap!r:.40}")
        if self.epoch is not None and epoch != self.epoch:
            gap = "epoch"
        elif self.epoch is not None and gap is None and self.last is not None:
            gap = max(0, after - self.last)
            after = max(after, self.last)  # what comes again is dropped
        self.epoch, self.last = epoch, after
        found: Gap = gap or None
        return found

    def receive(self, message: Mapping[str, Any]) -> bool:
        """Tell whether a message is new; one without a number always is.

        Raises SequenceGap if one before it is missing, ResumeError if its number is none.
        """
        seq = message.get("seq")
        if seq is None:
            return True
        if not is_number(seq, 1):
            raise ResumeError("bad seq", f"seq is {seq!r:.40}, not a number from 1 on")
        if self.last is None:
            raise ResumeError("bad seq", f"number {seq} came before resumed")
        if seq > self.last + 1:
            raise SequenceGap(f"number {seq} came after {self.last}")
        if seq <= self.last:
            return False
        self.last = seq
        return True


class Resent(NamedTuple):
    """What a `resumed` says about the messages in an outbox, by their keys.

    arrived: those that had taken effect. doubtful: those that are sent again although they may
    have taken effect, because the server has forgotten this client. That shows only if the server
    has another log, or if it has acknowledged something before: a server with room for few clients
    may forget one before its first acknowledgement arrives, and nobody can tell.
    """

    arrived: list[int]
    doubtful: list[int]


class Outbox:
    """What the client has sent, or is about to, and does not know to have taken effect.

    limit: how many messages it holds.
    A message has a key, 1, 2, 3 … for the life of this outbox, and on the wire an id, which is the
    same number until a server forgets the client.
    """

    def __init__(self, limit: int = 1000) -> None:
        if not is_number(limit, 1):
            raise ValueError(f"limit is {limit!r}, an outbox holds at least 1 message")
        self.limit = limit
        self._held: deque[Message] = deque()
        self._gone = 0  # the key of the newest message that is no longer held
        self._sent = 0  # how many of those held were sent on this connection
        self._tried = 0  # … on any connection
        self._shift = 0  # key − id

    def __len__(self) -> int:
        """How many messages it holds."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Whether the next `add` would raise."""
        return len(self._held) >= self.limit

    def add(self, fields: Mapping[str, Any]) -> int:
        """Take a message to send; return its key. Raises OutboxFull, or ValueError for an `id`."""
        if self.is_full:
            raise OutboxFull(f"{self.limit} messages wait for their acknowledgement: try later")
        if "id" in fields:
            raise ValueError(f"a message gets its id from the outbox; it has {fields['id']!r:.40}")
        self._held.append(dict(fields))
        return self._gone + len(self._held)

    def take(self) -> list[Message]:
        """Return what is to be sent now, with ids, in order; from now on it counts as sent."""
        first = self._gone - self._shift + 1
        waiting = islice(enumerate(self._held, first), self._sent, None)
        messages = [{**fields, "id": id} for id, fields in waiting]
        self._sent = len(self._held)
        self._tried = max(self._tried, self._sent)
        return messages

    def acknowledged(self, id: object) -> list[int]:
        """Take an acknowledgement, or a refusal; return the keys of what is settled with it.

        Those before it are too: the server takes them in order. Raises ResumeError for an id that
        was not sent on this connection.
        """
        count = (
            id - (self._gone - self._shift) if isinstance(id, int) and is_number(id, 1) else None
        )
        if count is None or count > self._sent:
            raise ResumeError("bad ack", f"id is {id!r:.40}, which was not sent")
        return self._drop(max(0, count))

    def resumed(self, seen: object, *, new_epoch: bool = False) -> Resent:
        """Start on a new connection: `take` gives again what the server has not seen.

        seen: the highest id that took effect. new_epoch: whether the server is another one.
        Raises ResumeError if seen is no number.
        """
        if not isinstance(seen, int) or not is_number(seen):
            raise ResumeError("bad resumed", f"seen is {seen!r:.40}, not a number from 0 on")
        count = seen - (self._gone - self._shift)
        self._sent = 0
        if new_epoch or not 0 <= count <= self._tried:
            doubtful = list(range(self._gone + 1, self._gone + self._tried + 1))
            self._shift = self._gone - seen
            return Resent([], doubtful)
        return Resent(self._drop(count), [])

    def _drop(self, count: int) -> list[int]:
        for _ in range(count):
            self._held.popleft()
        keys = list(range(self._gone + 1, self._gone + count + 1))
        self._gone += count
        self._sent, self._tried = max(0, self._sent - count), self._tried - count
        return keys
