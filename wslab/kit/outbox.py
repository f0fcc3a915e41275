"""The client's side of resume, with the messages that it has got and those that it must keep.

`Inbox` and `Outbox` are values, without sockets and clock. `wslab.kit.resume` describes the
messages on the wire, and the guarantees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from wslab.kit.log import WINDOW, Refusal, is_number
from wslab.kit.messages import Message, ResumeError, encoded_object
from wslab.kit.resume import Gap

__all__ = ["Inbox", "Outbox", "OutboxFull", "Resent", "SequenceGap"]


class SequenceGap(Exception):
    """A message of the server got lost on the way; connect and resume again."""


class OutboxFull(RuntimeError):
    """Too many messages wait for their acknowledgement, so no more are taken."""


class Inbox:
    """How far the client has got with the server's messages.

    history: True if a newcomer wants all messages that the server still has, not only new ones.
    epoch: of the server's log; None before the first `resumed`. last: its newest number.
    """

    def __init__(self, *, history: bool = True) -> None:
        self.epoch: str | None = None
        self.last: int | None = 0 if history else None

    def resume(self, client: str, acked: int) -> Message:
        """Return the message to open with.

        client: the secret of this client's life. acked: the outbox's.
        """
        hello = {"type": "resume", "epoch": self.epoch, "after": self.last}
        return {**hello, "client": client, "acked": acked}

    def resumed(self, message: Mapping[str, Any]) -> Gap:
        """Take the server's answer, and go on where it does. Return what is lost in between.

        A new epoch without a gap is a server that was restored from its predecessor's dump.
        Raises ResumeError if this is not such an answer.
        """
        epoch, after, gap = message.get("epoch"), message.get("after"), message.get("gap")
        if not isinstance(epoch, str) or not isinstance(after, int) or not is_number(after):
            raise ResumeError("bad resumed", f"epoch is {epoch!r:.40}, after {after!r:.40}")
        if not (gap is None or gap == "epoch" or is_number(gap)):
            raise ResumeError("bad resumed", f'gap is {gap!r:.40}, not null, "epoch" or a number')
        if self.epoch is not None and gap is None and self.last is not None:
            gap = max(0, after - self.last)
            after = max(after, self.last)  # messages that come again are dropped
        self.epoch, self.last = epoch, after
        found: Gap = gap or None
        return found

    def receive(self, message: Mapping[str, Any]) -> bool:
        """Tell whether a message is new; one without a number always is.

        Raises SequenceGap if one before it is missing, and ResumeError if its number is invalid.
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
    """The fate of the messages in an outbox after a `resumed`, by their keys.

    arrived: those that had taken effect. refused: those that were refused, and why. doubtful: those
    that are sent again although they might have taken effect, because the server has forgotten this
    client. That shows only if the server has a different log, or has acknowledged something before.
    A server with room for few clients might forget one before its first acknowledgement arrives,
    and nobody can tell.
    """

    arrived: list[int]
    refused: dict[int, Refusal]
    doubtful: list[int]


class Outbox:
    """The client's messages that are not yet sent, or not yet answered by the server.

    limit: how many messages it holds. It is 1000, because a server remembers no more answers.
    acked: the highest id that was answered; the first message that is held has the next id.
    A message has a key, 1, 2, 3 … for the life of this outbox. On the wire it has an id, which is
    the same number until a server forgets the client. It is encoded once, when it is added.
    """

    def __init__(self) -> None:
        self.limit, self.acked = WINDOW, 0
        self._held: deque[tuple[int, str]] = deque()  # key, and the message without its id
        self._added = 0  # keys that were given out
        self._sent = 0  # how many of those held were sent on this connection
        self._tried = 0  # … on any connection

    def __len__(self) -> int:
        """How many messages it holds."""
        return len(self._held)

    @property
    def keys(self) -> list[int]:
        """The keys of the messages that it holds."""
        return [key for key, _ in self._held]

    def add(self, fields: Mapping[str, Any]) -> int:
        """Take a message to send; return its key.

        Raises OutboxFull, and TypeError or ValueError as `encoded_object` does.
        """
        if len(self._held) >= self.limit:
            raise OutboxFull(f"{self.limit} messages wait for their acknowledgement: try later")
        text = encoded_object(fields)
        self._added += 1
        self._held.append((self._added, text))
        return self._added

    def connected(self) -> None:
        """Start on a new connection, on which nothing was sent."""
        self._sent = 0

    def take(self, *, numbered: bool = True) -> str | None:
        """Return the next message to send, with its id; None if there is none.

        From now on it counts as sent on this connection. numbered: True if it carries its id.
        """
        if self._sent == len(self._held):
            return None
        _, text = self._held[self._sent]
        self._sent += 1
        self._tried = max(self._tried, self._sent)
        if not numbered:
            return text
        comma = "," if len(text) > len("{}") else ""
        return f'{text[:-1]}{comma}"id":{self.acked + self._sent}}}'

    def acknowledged(self, id: object) -> list[int]:
        """Take an acknowledgement, or a refusal; return the keys that it answers.

        It also answers all messages before it, because the server takes them in order. Raises
        ResumeError for an id that was not sent on this connection.
        """
        count = id - self.acked if isinstance(id, int) and is_number(id, 1) else None
        if count is None or count > self._sent:
            raise ResumeError("bad ack", f"id is {id!r:.40}, which was not sent")
        return [key for _, key in self._drop(count)]

    def resumed(self, message: Mapping[str, Any], *, new_epoch: bool) -> Resent:
        """Start on a new connection, on which `take` repeats the unanswered messages.

        message: the `resumed`. new_epoch: True if the server cannot know this client.
        Raises ResumeError if its ids are impossible.
        """
        seen, refusals = message.get("seen"), dict(_refusals(message.get("refused", [])))
        if not isinstance(seen, int) or not is_number(seen):
            raise ResumeError("bad resumed", f"seen is {seen!r:.40}, not a number from 0 on")
        self.connected()
        if new_epoch or not 0 <= seen - self.acked <= self._tried:
            self.acked = seen
            return Resent([], {}, self.keys[: self._tried])
        dropped = self._drop(seen - self.acked)
        refused = {key: refusals[id] for id, key in dropped if id in refusals}
        return Resent([key for _, key in dropped if key not in refused], refused, [])

    def too_big(self, other: int = 0) -> int | None:
        """Give up the largest message that was sent on this connection; return its key, if any.

        Use it if the server has closed with 1009, because a message exceeds its limit. The largest
        one exceeds it in any case, and messages that took effect are smaller. other: bytes of the
        largest message that was sent beside these. If that is the largest, none is given up.
        """
        sizes = [len(text.encode()) for _, text in islice(self._held, self._sent)]
        if not sizes or max(sizes) < other:
            return None
        key, _ = self._held[at := sizes.index(max(sizes))]
        del self._held[at]
        self._sent, self._tried = self._sent - 1, self._tried - 1
        return key

    def _drop(self, count: int) -> list[tuple[int, int]]:
        """Forget the first messages; return their ids and keys."""
        dropped = []
        for _ in range(count):
            self.acked += 1
            dropped.append((self.acked, self._held.popleft()[0]))
        self._sent, self._tried = max(0, self._sent - len(dropped)), self._tried - len(dropped)
        return dropped


def _refusals(value: object) -> Iterator[tuple[int, Refusal]]:
    for each in value if isinstance(value, list) else [None]:
        if not isinstance(each, dict) or not is_number(each.get("id"), 1):
            raise ResumeError("bad resumed", f"refused has {each!r:.40}, not an object with an id")
        yield each["id"], Refusal(str(each.get("error", "")), str(each.get("text", "")))
