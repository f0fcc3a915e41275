"""History and resume: how both sides of a broken connection find out what the other has missed.

Everything is a JSON object in a text frame. A client that never sends `resume` gets a plain
protocol, in which nothing of this appears.

The server numbers what it publishes: `seq` 1, 2, 3 … within an `epoch`, a random string that is
made with the log. The client numbers what it sends: `id` 1, 2, 3 … within its life, for which it
draws a secret, `client`. So each side can say how far it has got, and gets only what comes after.

client → server
    {"type": "resume", "epoch": E, "after": n, "client": c, "acked": a}
        The first message, or none. "I have everything up to number n of epoch E, and I am c."
        epoch null, after 0: send all that you still have. after null: only what is new from now.
        client: 16 to 64 characters, or null. Anybody who knows it can take over, so it is a secret.
        Without it there are no ids. acked: the highest id whose answer the client has; 0 if absent.
    {"type": "beat"}
        "Are you there?", from a program that cannot send a Ping, such as a page's script.
    {…, "id": k}
        Any other message that wants an acknowledgement. Ids have no gaps; they are sent, and sent
        again, in order. At most 1000 of them are on the way before the first is answered. A message
        without an id is for this connection only, such as one that sets up what belongs to it.

server → client
    {"type": "resumed", "epoch": E, "after": m, "last": l, "gap": g, "seen": s, "refused": [r, …]}
        What follows are messages m+1 … l of the log, then the live ones. gap: null, or how many
        messages are lost to this client because the log no longer has them, or "epoch": what the
        client knows is not in this log, so nobody can tell. seen: the highest id of this client
        that was answered, 0 if none is known. refused: {"id", "error", "text"} for each one up to
        `seen` and above `acked` that was refused; the others took effect. Absent if there are none.
    {"type": "beat"}
        The answer to one, at once.
    {"type": "ack", "id": k, "seq": q}
        Message k took effect, as number q of the log. q is null if it made no message, or if it
        is an old one that has come again, which has no effect.
    {"name": "Server", "text": "…", "error": "code", "id": k}
        Message k was refused for good. It counts as seen, and gets the same answer again.
    {…, "seq": n}
        A message of the log. What comes before `resumed` is not part of it.

Rules
    The client drops messages with a seq that it has. A seq that skips one is a gap: it connects
    and resumes again. What it sends it keeps until it is acknowledged; after `resumed` it drops
    what was seen, and sends the rest again, in order. Where `seen` cannot be (the server has
    forgotten this client, or knows another one by its secret) it numbers the rest from seen+1 on.
    The server applies an id only if it is seen+1. One that skips ids is answered with the error
    "out of order", and the connection closed with 4002.
    A `resume` with the secret of a connection that is still there takes over from it: the old one
    is closed with 4001, and no id that still comes on it has an effect. So a client is not kept out
    by a half-open connection of its own.

What holds: every message of the server arrives exactly once, and in order. Every message of the
client takes effect exactly once, and in order, or is refused, and the client knows which. All of
this holds as long as
    - the server keeps its log (`Log`: the messages and the table of ids, one value that a restarted
      server can be handed). A server without it has another epoch, which the client is told;
      messages that were on the way then may take effect twice: `Outbox.resumed` says which.
    - the client misses no more than `limit` messages. If it does, it is told how many.
    - no more than 1000 other clients have come since the client was last heard of.
Everything here is a value: no sockets, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from wslab.kit.log import Log, Refusal, is_number
from wslab.kit.messages import OUT_OF_ORDER, Message, ResumeError

__all__ = ["OUT_OF_ORDER", "TAKEN_OVER", "Gap", "Log", "Message", "ResumeError", "Session"]

Gap = int | Literal["epoch"] | None  # messages lost, or that their number is unknown, or nothing

# Private close codes (RFC 6455 §7.4.2): they mean this to a server that resumes, and to no other.
TAKEN_OVER = 4001  # the same client has come on another connection

EPOCH_LIMIT = 64  # characters
CLIENT_LENGTHS = range(16, 65)  # characters of a client's secret


class Session:
    """The server's side of one connection: what to answer to `resume` and to ids.

    client: the client's secret, None if it gave none. is_resumed: whether it said `resume`, so that
    messages to it carry numbers. For every other message, without an await in between:

        if (reply := session.duplicate(message)) is None:
            seq = log.publish(…)["seq"]                    # whatever the message does
            reply = session.applied(message, seq)          # or session.refused(message, …)
        if reply is not None: …send it to this client
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.client: str | None = None
        self.is_resumed = False
        self._begun = False

    def resume(self, message: Mapping[str, Any]) -> list[Message]:
        """Answer `resume`: what to send, `resumed` first, then what the client has missed.

        Raises ResumeError if it cannot be, or if it is not the first message.
        """
        if self._begun:
            raise ResumeError("late resume", "resume must be the first message, and the only one")
        epoch, after, client = (message.get(name) for name in ("epoch", "after", "client"))
        acked = message.get("acked", 0)
        self._check(epoch, after, client, acked)
        self._begun = self.is_resumed = True
        start, gap = self._start(epoch, after)
        missed = self.log.since(start)
        resumed = {
            "type": "resumed",
            "epoch": self.log.epoch,
            "after": start,
            "last": start + len(missed),
            "gap": gap,
            "seen": 0,
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
        """Return after which message to go on, and the gap before it."""
        log = self.log
        if after is None:
            return log.last, None
        if epoch is None:
            return log.forgotten, None
        shared = log.shared(epoch)
        if shared is None:
            return log.forgotten, "epoch"
        if after > shared:  # the log was restored from an older dump: up to there both are alike
            return max(shared, log.forgotten), "epoch"
        return max(after, log.forgotten), max(0, log.forgotten - after) or None

    def duplicate(self, message: Mapping[str, Any]) -> Message | None:
        """Return None for a message that is to be applied, the answer for one that was before.

        Raises ResumeError for an id that cannot be: none of this message takes effect.
        """
        self._begun = True
        id = message.get("id")
        if id is None or not self.is_resumed:
            return None
        if self.client is None:
            raise ResumeError("no client", "an id needs a resume that says whose it is")
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
        """Note that a message took effect; return what to answer, None if it has no id.

        seq: the number that it became in the log, None if it made no message.
        """
        id = self._note(message, seq)
        return None if id is None else self._answer(id, seq)

    def refused(self, message: Mapping[str, Any], error: str, text: str) -> Message:
        """Note that a message is refused for good; return what to answer."""
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
