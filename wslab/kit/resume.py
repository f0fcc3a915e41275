"""History and resume let both sides of a broken connection find out what the other has missed.

Everything is a JSON object in a text frame. A client that never sends `resume` gets a plain
protocol, without any of the fields below.

The server numbers the messages that it publishes. `seq` is 1, 2, 3 … within an `epoch`, a random
string that is made with the log. The client numbers its own messages. `id` is 1, 2, 3 … within the
client's life, for which it draws a secret, `client`. So each side can say how far it has got, and
gets only the messages after that.

client → server
    {"type": "resume", "epoch": E, "after": n, "client": c, "acked": a}
        The first message, or none. "I have everything up to number n of epoch E, and I am c."
        With epoch null and after 0, the server sends all that it still has. With after null, it
        sends only new messages. client: 16 to 64 characters, or null. It is a secret, because
        anybody who knows it can take over. Without it there are no ids.
        acked: the highest id whose answer the client has; 0 if absent.
    {"type": "beat"}
        "Are you there?", from a program that cannot send a Ping, such as a page's script.
    {…, "id": k}
        Any other message that needs an acknowledgement. Ids have no gaps. They are sent, and sent
        again, in order. At most 1000 of them are on the way before the first is answered. A message
        without an id is for this connection only, such as one that sets the connection up.

server → client
    {"type": "resumed", "epoch": E, "after": m, "last": l, "gap": g, "seen": s, "refused": [r, …]}
        Messages m+1 … l of the log follow, then the live ones. gap: null, or how many messages are
        lost to this client because the log no longer has them. "epoch" means that the number is
        unknown, because this log does not contain what the client knows. seen: the highest id of
        this client that was answered, or 0. refused: {"id", "error", "text"} for each id above
        `acked` and up to `seen` that was refused; the others took effect. Absent if there are none.
        A server of changes adds `state`, the state after message m, if the client is new or has a
        gap. State and number are one message, because a client might get one of two and not both.
    {"type": "beat"}
        The immediate answer to a beat.
    {"type": "ack", "id": k, "seq": q}
        Message k took effect, as number q of the log. q is null if it made no message, or if it
        is an old one that has come again, which has no effect.
    {"name": "Server", "text": "…", "error": "code", "id": k}
        Message k was refused for good. It counts as seen, and gets the same answer again.
    {…, "seq": n}
        A message of the log. Messages before `resumed` are not part of it.

Rules
    The client drops messages with a seq that it has. A seq that skips one is a gap, so the client
    connects and resumes again. It keeps its own messages until they are acknowledged. After
    `resumed` it drops those that were seen, and sends the rest again, in order. If `seen` is
    impossible, the server has forgotten this client, or knows a different one by its secret. Then
    the client numbers the rest from seen+1 on.
    The server applies an id only if it is seen+1. If an id skips others, the server answers with
    the error "out of order", and closes the connection with 4002.
    A `resume` with the secret of a connection that is still there takes over from it. The old one
    is closed with 4001, and ids that still come on it have no effect. So a half-open connection of
    its own does not keep a client out.

Guarantees: every message of the server arrives exactly once, and in order. Every message of the
client takes effect exactly once, and in order, or is refused, and the client knows which. All of
this holds as long as
    - the server keeps its log (`Log`), with the messages and the table of ids. A restarted server
      can get it as one value. A server without it has a new epoch, and the client learns of that.
      Messages that were on the way may then take effect twice; `Outbox.resumed` says which.
    - the client misses at most `limit` messages. If it misses more, it is told how many.
    - at most 1000 other clients have come since the client last showed itself.
Everything here is a value, without sockets or a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from wslab.kit.log import Log, Refusal, is_number
from wslab.kit.messages import OUT_OF_ORDER, Message, ResumeError

__all__ = ["OUT_OF_ORDER", "TAKEN_OVER", "Gap", "Log", "Message", "ResumeError", "Session"]

Gap = int | Literal["epoch"] | None  # messages lost; "epoch" if their number is unknown

# Private close codes (RFC 6455 §7.4.2). They have this meaning only for a server that resumes.
TAKEN_OVER = 4001  # the same client has come on another connection

EPOCH_LIMIT = 64  # characters
CLIENT_LENGTHS = range(16, 65)  # characters of a client's secret


class Session:
    """The server's side of one connection, which answers `resume` and ids.

    client: the client's secret; None if it gave none. is_resumed: True if it said `resume`, so that
    messages to it carry numbers. For every other message, without an await in between:

        if (reply := session.duplicate(message)) is None:
            seq = log.publish(…)["seq"]                    # the effect of the message
            reply = session.applied(message, seq)          # or session.refused(message, …)
        if reply is not None: …send it to this client
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.client: str | None = None
        self.is_resumed = False
        self._begun = False

    def resume(
        self, message: Mapping[str, Any], snapshot: Callable[[], Message] | None = None
    ) -> list[Message]:
        """Answer `resume`; return `resumed` and then the messages that the client has missed.

        snapshot: returns the state after the log's last message, as fields that are added to
        `resumed`, with no messages after it, if the client is new or has a gap. The name `state` is
        one of the fields.
        Raises ResumeError if it is impossible, or if it is not the first message.
        """
        if self._begun:
            raise ResumeError("late resume", "resume must be the first message, and the only one")
        epoch, after, client = (message.get(name) for name in ("epoch", "after", "client"))
        acked = message.get("acked", 0)
        self._check(epoch, after, client, acked)
        self._begun = self.is_resumed = True
        start, gap = self._start(epoch, after)
        state: Message = {}
        if snapshot is not None and (epoch is None or gap is not None):
            start, state = self.log.last, snapshot()
        missed = self.log.since(start)
        resumed = {
            "type": "resumed",
            "epoch": self.log.epoch,
            "after": start,
            "last": start + len(missed),
            "gap": gap,
            "seen": 0,
            **state,
        }
        if client is not None:
            self.client, self.log.sessions[client] = client, self
            resumed["seen"] = self.log.seen(client)
            if refused := self.log.refusals(client, acked):
                resumed["refused"] = [{"id": id, **why._asdict()} for id, why in refused.items()]
        return [resumed, *missed]

    def _check(self, epoch: object, after: object, client: object, acked: object) -> None:
        def fail(seen: str) -> ResumeError:
            return ResumeError("bad resume", seen)

        if epoch is not None and not (isinstance(epoch, str) and len(epoch) <= EPOCH_LIMIT):
            raise fail(f"epoch is {epoch!r:.70}, not null or at most {EPOCH_LIMIT} characters")
        if after is not None and not is_number(after):
            raise fail(f"after is {after!r:.40}, not null or a number from 0 on")
        if epoch is None and after:
            raise fail(f"after is {after}, but a number without its epoch says nothing")
        if client is not None and not (isinstance(client, str) and len(client) in CLIENT_LENGTHS):
            raise fail("client must be null or a random text of 16 to 64 characters")
        if not is_number(acked):
            raise fail(f"acked is {acked!r:.40}, not a number from 0 on")

    def _start(self, epoch: str | None, after: int | None) -> tuple[int, Gap]:
        """Return the message to go on after, and the gap before it."""
        log = self.log
        if after is None:
            return log.last, None
        if epoch is None:
            return log.forgotten, None
        shared = log.shared(epoch)
        if shared is None:
            return log.forgotten, "epoch"
        if after > shared:  # the log was restored from an older dump, and is the same up to there
            return max(shared, log.forgotten), "epoch"
        return max(after, log.forgotten), max(0, log.forgotten - after) or None

    def duplicate(self, message: Mapping[str, Any]) -> Message | None:
        """Return None if a message should be applied, or the answer if it was applied before.

        Raises ResumeError for an impossible id; the message then has no effect.
        """
        self._begun = True
        id = message.get("id")
        if id is None or not self.is_resumed:
            return None
        if self.client is None:
            raise ResumeError("no client", "an id needs a resume that names the client")
        if not is_number(id, 1):
            raise ResumeError("bad id", f"id is {id!r:.40}, not a number from 1 on")
        if self.log.sessions.get(self.client) is not self:
            text = "the same client has come on another connection"
            raise ResumeError("taken over", text, TAKEN_OVER)
        seen = self.log.seen(self.client)
        if id > seen + 1:
            raise ResumeError("out of order", f"id is {id}, the next one is {seen + 1}")
        return self._answer(id, self.log.outcome(self.client, id)) if id <= seen else None

    def applied(self, message: Mapping[str, Any], seq: int | None = None) -> Message | None:
        """Note that a message took effect; return the answer, or None if it has no id.

        seq: its number in the log; None if it made no message.
        """
        id = self._note(message, seq)
        return None if id is None else self._answer(id, seq)

    def refused(self, message: Mapping[str, Any], error: str, text: str) -> Message:
        """Note that a message is refused for good; return the answer."""
        why = Refusal(error, text)
        return self._answer(self._note(message, why), why)

    def _note(self, message: Mapping[str, Any], outcome: Refusal | int | None) -> int | None:
        id: int | None = message.get("id")
        if id is None or self.client is None:
            return None
        self.log.note(self.client, id, outcome)
        return id

    @staticmethod
    def _answer(id: int | None, outcome: Refusal | int | None) -> Message:
        if not isinstance(outcome, Refusal):
            return {"type": "ack", "id": id, "seq": outcome}
        reply = {"name": "Server", "text": outcome.text, "error": outcome.error}
        return reply if id is None else {**reply, "id": id}
