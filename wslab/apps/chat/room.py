"""A room has members, passes on their messages, and enforces its rules.

It has no sockets, no loop and no clock of its own. Its methods are called when a member comes,
sends bytes or leaves. It hands its messages to an audience, a `wslab.kit.hub.Hub`, or a list in a
test.

The protocol is that of the tutorial, the Chinese article on WebSocket that the course started from.
Members send {"type": "setName" | "chat", "text"}. Everybody gets {"name", "text"}, the sender and
members without a name too. A client that opens with `resume` (see `wslab.kit.resume`) also gets the
earlier messages, and more fields with every message:

    seq, time     its number, and its time in seconds since 1970
    kind          "chat", "join", "leave" or "rename"
    who, was      of a notice: the member's name, and the one before, of a "rename"

The answer `resumed` has the fields "room", "members" and "you". "members" are the present names, in
the order in which they came. Apply to them only the notices after number `last`. "you" is the name
that was kept for this client, or null.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from wslab.apps.chat.names import Names
from wslab.apps.chat.rules import BEAT, Disallowed, Incoming, Rules, check_text, parse_message
from wslab.apps.chat.texts import ERRORS, NOTICES, REASONS, SERVER, Language
from wslab.kit.hub import Hub
from wslab.kit.messages import encoded
from wslab.kit.ratelimit import TokenBucket
from wslab.kit.resume import TAKEN_OVER, Log, Message, ResumeError, Session
from wslab.net.clock import now as loop_time

__all__ = ["FULL", "PLAIN", "Member", "Room"]

PLAIN, FULL = "plain", "full"  # topics: the tutorial's two fields, and all fields
POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1


class Member:
    """A connection to a room. name: None until it has one. number: for the record.

    bucket, session: made by the room that it enters.
    """

    __slots__ = ("bucket", "name", "number", "session")

    bucket: TokenBucket
    session: Session

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.name: str | None = None


class Room:
    """One room.

    audience: its members listen to PLAIN, or to FULL once they have sent `resume`.
    name: the room's, "" for the main one. language: for notices and errors.
    classic: True for the tutorial's words, and for its two fields unless a client sends `resume`.

    log: a predecessor's history, to go on with; a new one if left out.
    clock: gives seconds for the rate limit. now: gives seconds since 1970 for time stamps.
    note: called with a member, a kind and a text for each event except a chat message.

    refused: the number of times that each rule was broken, by code.
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
        self._names: Names[Member] = Names(self.rules)
        self._clients: dict[str, Member] = {}  # by secret

    def __len__(self) -> int:
        """The number of connections, including those without a name."""
        return len(self._members)

    @property
    def members(self) -> list[str]:
        """The members' names, in the order in which they came."""
        return self._names.all

    @property
    def history(self) -> list[Message]:
        """The messages and notices that are kept, with all fields; a copy."""
        return self.log.since(0)

    # Members come, talk and leave

    def enter(self, member: Member) -> None:
        """Let a connection in. It has no name yet, and hears everything."""
        member.bucket = TokenBucket(rate=self.rules.rate, burst=self.rules.burst, now=self._clock())
        member.session = Session(self.log)
        self._members[member] = None

    def join(self, member: Member, name: str) -> int | None:
        """Give a member its first name; return the notice's number. Raises Disallowed."""
        member.name = name = self._take(name, member)
        self._note(member, "join", name)
        return self._notice("join", name=name)

    def rename(self, member: Member, name: str) -> int | None:
        """Give a member a new name; return the notice's number, None if it is the same name."""
        old = member.name
        member.name = name = self._take(name, member)
        self._note(member, "rename", f"{old} → {name}")
        if name == old and not self.classic:
            return None
        words = "join" if self.classic else "rename"  # the tutorial has no notice for a new name
        return self._notice("rename", name=name, old=old, words=words)

    def say(self, member: Member, text: str) -> int:
        """Pass on a member's text; return its number. Raises Disallowed."""
        text = check_text(text, self.rules)
        if member.name is None:
            raise Disallowed("no_name")
        return self._publish(member.name, text, kind="chat")

    def leave(self, member: Member) -> None:
        """Let a member go; a second call does nothing."""
        if member not in self._members:
            return
        self._forget(member)
        self.audience.remove(member)
        if member.name is not None:
            self._note(member, "leave", member.name)
            self._notice("leave", name=member.name)
        elif self.classic:
            self._notice("leave", name="undefined")  # as JavaScript would write it

    # Messages from a connection

    def delay(self, member: Member) -> float:
        """Return the seconds that a member's next message has to wait, before `receive`.

        A client that numbers its messages sends all without an acknowledgement again when it comes
        back. If we refused these, they would be lost for good. Not reading makes the sender wait.
        """
        return 0.0 if member.session.client is None else member.bucket.wait(self._clock())

    def receive(self, member: Member, data: str | bytes) -> None:
        """Do what a member's message asks for, or tell that member why not. Never raises for it."""
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
        """Let a member go whose connection is being closed; why: for the record."""
        self._note(member, "dropped", why)
        self.leave(member)

    def refuse(self, member: Member, code: str) -> None:
        """Count a broken rule, by its code."""
        self.refused[code] += 1
        self._note(member, "refused", code)

    def _show_out(self, member: Member, code: int, reason: str) -> None:
        self.audience.close(member, code, reason)
        self.drop(member, reason)

    def _floods(self, member: Member) -> bool:
        """Take a token; without one, say so, and put the member out if that does not help."""
        left = member.bucket.take(self._clock())
        if left >= 0:
            return False
        refused = Disallowed("too_fast", rate=self.rules.rate)
        self._tell(member, self._error(member, refused))
        if left <= -self.rules.burst:
            self._show_out(member, POLICY_VIOLATION, REASONS[self.language]["too_fast"])
        return True

    def _answer(self, member: Member, data: str | bytes) -> Message | None:
        session = member.session
        try:
            message = parse_message(data)
        except Disallowed as refused:
            if self._is_classic(member) and refused.code in ("not_object", "bad_type"):
                return None  # because the tutorial's server ignores it
            return session.duplicate(refused.fields) or self._error(member, refused)
        if message.type == "resume":
            self._resume(member, message.fields)
            return None
        if message.type == BEAT:
            return None if self._is_classic(member) else {"type": BEAT}
        if (answer := session.duplicate(message.fields)) is not None:
            return answer
        try:
            seq = self._do(member, message)
        except Disallowed as refused:
            refused.fields = message.fields
            return self._error(member, refused)
        return session.applied(message.fields, seq)

    def _take(self, name: str, member: Member) -> str:
        # A client of the tutorial cannot be told that a name is taken, so the name gets a number.
        is_classic = self._is_classic(member)
        return self._names.take(name, member, old=member.name, numbered=is_classic)

    def _is_classic(self, member: Member) -> bool:
        """Tell whether a member gets only the tutorial's fields."""
        return self.classic and not member.session.is_resumed

    def _do(self, member: Member, message: Incoming) -> int | None:
        if message.type == "chat":
            return self.say(member, message.text)
        return (self.join if member.name is None else self.rename)(member, message.text)

    def _resume(self, member: Member, fields: Message) -> None:
        """Bring a member up to date; take its name over from its earlier connection."""
        session = member.session
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
        if member.session.client is not None:
            del self._clients[member.session.client]

    # Messages to members

    def _tell(self, member: Member, message: Message, *, asked: bool = False) -> None:
        self.audience.send(member, encoded(message), asked=asked)

    def _notice(
        self, kind: str, *, name: str, old: str | None = None, words: str | None = None
    ) -> int:
        text = NOTICES[self.language][words or kind].format(name=name, old=old)
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
        """Count a refusal, and make the message about it."""
        self.refuse(member, refused.code)
        text = ERRORS[self.language][refused.code].format(**refused.details)
        if self._is_classic(member):
            return {"name": SERVER, "text": text}
        return member.session.refused(refused.fields, refused.code, text)
