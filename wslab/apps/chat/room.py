"""A room: who is in it, what is said in it, and what it does not put up with.

It knows no sockets, no loop and no clock of its own. It is told that somebody comes, sends bytes
or leaves, and tells its audience what goes out to whom: a `wslab.kit.hub.Hub`, or a list in a test.

The protocol is that of the tutorial, the Chinese article on WebSocket that the course started from:
{"type": "setName" | "chat", "text"} in, {"name", "text"} out, to
everybody, also to those who have not said their name, and to the sender. Who opens with `resume`
(see `wslab.kit.resume`) gets more fields with every message, and what was said before:

    seq, time     its number, and when it was said, in seconds since 1970
    kind          "chat", "join", "leave" or "rename"
    who, was      of a notice: whom it is about, and the name before, of a "rename"

and with the answer `resumed` the fields "room", "members" (the names of those who are in now, in
the order in which they came: apply to it only the notices after number `last`) and "you" (the
name that was kept for this client, or null).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from wslab.apps.chat.names import Names
from wslab.apps.chat.rules import BEAT, Disallowed, Incoming, Rules, check_text, parse_message
from wslab.apps.chat.texts import ERRORS, NOTICES, SERVER, Language
from wslab.kit.hub import Hub
from wslab.kit.messages import encoded
from wslab.kit.ratelimit import TokenBucket
from wslab.kit.resume import TAKEN_OVER, Log, Message, ResumeError, Session
from wslab.net.clock import now as loop_time

__all__ = ["FULL", "PLAIN", "Member", "Room"]

PLAIN, FULL = "plain", "full"  # topics: the document's two fields, and all fields
POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1


class Member:
    """Somebody who is connected to a room. name: None until said. number: for the record."""

    __slots__ = ("bucket", "name", "number", "session")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.name: str | None = None
        self.bucket: TokenBucket | None = None  # these two are made by the room
        self.session: Session | None = None


class Room:
    """One room.

    audience: its members listen to PLAIN, and to FULL instead once they have said `resume`.
    name: what it is called, "" for the main one. language: of its notices and errors.
    classic: the tutorial's words, its two fields, and nothing of `resume`.
    log: the history to go on with, that of a predecessor; a new one if left out.
    clock: seconds for the rate limit; now: seconds since 1970 for time stamps.
    note: called with a member, a kind and a text for everything that happens but what is said.
    refused: how often each rule was broken, by code.
    """

    def __init__(
        self,
        audience: Hub,
        *,
        name: str = "",
        rules: Rules | None = None,
        language: Language = "en",
        classic: bool = False,
        log: Log | None = None,
        clock: Callable[[], float] = loop_time,
        now: Callable[[], float] = time.time,
        note: Callable[[Member, str, str], None] = lambda member, kind, text: None,
    ) -> None:
        self.audience = audience
        self.name = name
        self.rules = rules or Rules()
        self.language = language
        self.classic = classic
        self.log = log or Log(self.rules.history)
        self.refused: Counter[str] = Counter()
        self._clock, self._now, self._note = clock, now, note
        self._members: dict[Member, None] = {}  # a set that keeps the order
        self._names: Names[Member] = Names(self.rules, suffixes=classic)
        self._clients: dict[str, Member] = {}  # by secret

    def __len__(self) -> int:
        """How many connections there are, those without a name too."""
        return len(self._members)

    @property
    def members(self) -> list[str]:
        """The names of those who are in, in the order in which they came."""
        return self._names.all

    @property
    def history(self) -> list[Message]:
        """What was said and announced, as far as it is kept, with all fields; a copy."""
        return self.log.since(0)

    # Who comes, says something and goes

    def enter(self, member: Member) -> None:
        """Let a connection in: it has no name yet, and hears everything."""
        member.bucket = TokenBucket(rate=self.rules.rate, burst=self.rules.burst, now=self._clock())
        member.session = Session(self.log)
        self._members[member] = None

    def join(self, member: Member, name: str) -> int | None:
        """Give a member a name, its first; return the notice's number. Raises Disallowed."""
        member.name = name = self._names.take(name, member, old=None)
        self._note(member, "join", name)
        return self._notice("join", name=name)

    def rename(self, member: Member, name: str) -> int | None:
        """Give a member another name; return the notice's number, None if it is the same name."""
        old = member.name
        member.name = name = self._names.take(name, member, old=old)
        self._note(member, "rename", f"{old} → {name}")
        if self.classic:
            return self._notice("join", name=name)  # as the tutorial does it
        return None if name == old else self._notice("rename", name=name, old=old)

    def say(self, member: Member, text: str) -> int:
        """Pass on what a member says; return its number. Raises Disallowed."""
        text = check_text(text, self.rules)
        if member.name is None:
            raise Disallowed("no_name")
        return self._publish(member.name, text, kind="chat")

    def leave(self, member: Member) -> None:
        """Let a member go; once more does nothing."""
        if member not in self._members:
            return
        self._forget(member)
        self.audience.remove(member)
        if member.name is not None:
            self._note(member, "leave", member.name)
            self._notice("leave", name=member.name)
        elif self.classic:
            self._notice("leave", name="undefined")  # what JavaScript makes of it

    # What comes from a connection

    def delay(self, member: Member) -> float:
        """Return how many seconds a member's next message has to wait, before `receive`.

        Who numbers his messages sends all that was not acknowledged again when he comes back.
        Refusing those would lose them for good; not reading on makes the sender wait.
        """
        if member.bucket is None or member.session is None or member.session.client is None:
            return 0.0
        return member.bucket.wait(self._clock())

    def receive(self, member: Member, data: str | bytes) -> None:
        """Do what a member's message says, or tell that member why not. Never raises for it."""
        if member not in self._members or (self.rules.rate and self._floods(member)):
            return
        try:
            answer = self._answer(member, data)
        except ResumeError as error:
            self.refuse(member, error.error)
            self._tell(member, error.message)
            self._show_out(member, error.close_code, error.error)
        else:
            if answer is not None:
                self._tell(member, answer)

    def drop(self, member: Member, why: str) -> None:
        """Let go a member whose connection is being closed; why: for the record."""
        self._note(member, "dropped", why)
        self.leave(member)

    def refuse(self, member: Member, code: str) -> None:
        """Count what was against the rules; code: which of them."""
        self.refused[code] += 1
        self._note(member, "refused", code)

    def _show_out(self, member: Member, code: int, reason: str) -> None:
        self.audience.close(member, code, reason)
        self.drop(member, reason)

    def _floods(self, member: Member) -> bool:
        """Take a token; if there is none, say so, and to who does not mind show the door."""
        assert member.bucket is not None  # set by enter()
        left = member.bucket.take(self._clock())
        if left >= 0:
            return False
        refused = Disallowed("too_fast", rate=self.rules.rate)
        self._tell(member, self._error(member, refused))
        if left <= -self.rules.burst:
            self._show_out(member, POLICY_VIOLATION, "too many messages")
        return True

    def _answer(self, member: Member, data: str | bytes) -> Message | None:
        session = member.session
        assert session is not None  # set by enter()
        try:
            message = parse_message(data)
        except Disallowed as refused:
            if self.classic and refused.code in ("not_object", "bad_type"):
                return None  # what the tutorial's server ignores
            return session.duplicate(refused.fields) or self._error(member, refused)
        if message.type == "resume":
            if not self.classic:  # which does not know it
                self._resume(member, message.fields)
            return None
        if message.type == BEAT:
            return None if self.classic else {"type": BEAT}
        if (answer := session.duplicate(message.fields)) is not None:
            return answer
        try:
            seq = self._do(member, message)
        except Disallowed as refused:
            refused.fields = message.fields
            return self._error(member, refused)
        return session.applied(message.fields, seq)

    def _do(self, member: Member, message: Incoming) -> int | None:
        if message.type == "chat":
            return self.say(member, message.text)
        return (self.join if member.name is None else self.rename)(member, message.text)

    def _resume(self, member: Member, fields: Message) -> None:
        """Bring a member up to date; take its name over from its connection that was before."""
        session = member.session
        assert session is not None  # set by enter()
        resumed, *missed = session.resume(fields)
        if session.client is not None:
            if (ghost := self._clients.get(session.client)) is not None:
                self._take_over(ghost, member)
            self._clients[session.client] = member
        more = {"room": self.name, "members": self.members, "you": member.name}
        for message in ({**resumed, **more}, *missed):
            self._tell(member, message, asked=True)
        self.audience.unsubscribe(member, PLAIN)
        self.audience.subscribe(member, FULL)

    def _take_over(self, ghost: Member, member: Member) -> None:
        if ghost.name is not None:
            member.name = ghost.name
            self._names.hand_over(ghost.name, member)
        del self._members[ghost]
        self._note(ghost, "dropped", "taken over")
        self.audience.close(ghost, TAKEN_OVER, "taken over")

    def _forget(self, member: Member) -> None:
        del self._members[member]
        if member.name is not None:
            self._names.drop(member.name)
        client = member.session.client if member.session else None
        if client is not None:
            del self._clients[client]

    # What goes out

    def _tell(self, member: Member, message: Message, *, asked: bool = False) -> None:
        self.audience.send(member, encoded(message), asked=asked)

    def _notice(self, kind: str, *, name: str, old: str | None = None) -> int:
        text = NOTICES[self.language][kind].format(name=name, old=old)
        was = {} if old is None else {"was": old}
        return self._publish(SERVER, text, kind=kind, who=name, **was)

    def _publish(self, name: str, text: str, **more: Any) -> int:
        plain = {"name": name, "text": text}
        full = self.log.publish({**plain, "time": round(self._now(), 3), **more})
        self.audience.publish(encoded(plain), PLAIN)
        self.audience.publish(encoded(full), FULL)
        seq: int = full["seq"]
        return seq

    def _error(self, member: Member, refused: Disallowed) -> Message:
        """Count what was refused, and make the message that says so."""
        self.refuse(member, refused.code)
        text = ERRORS[self.language][refused.code].format(**refused.details)
        if self.classic or member.session is None:
            return {"name": SERVER, "text": text}
        return member.session.refused(refused.fields, refused.code, text)
