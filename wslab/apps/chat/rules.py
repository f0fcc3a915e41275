"""What a member may send: everything that a room checks before it believes it.

All of this is pure: a message in, a value or `Disallowed` out. Nothing that a peer sends gets past
here as an object, a number, an invisible name or one that looks like the room's own. What is
invisible, and what looks alike, `wslab.apps.chat.characters` knows.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

from wslab.apps.chat.characters import is_visible, looks, unwanted
from wslab.apps.chat.texts import SERVER
from wslab.kit.messages import parsed

__all__ = [
    "Disallowed",
    "Incoming",
    "Rules",
    "check_name",
    "check_text",
    "parse_message",
]

EXAMPLE = '{"type":"chat","text":"Hello"}'
TYPES = ("setName", "chat", "resume")
BEAT = "beat"  # a sign of life is asked for; see `wslab.kit.resume`


@dataclass(frozen=True)
class Rules:
    """How much of everything a room allows.

    name_length, text_length: in characters. message_size: in bytes, of a message on the wire;
    more is closed with 1009 (RFC 6455 §7.4.1). It is many times what a text may have, so that
    a text that is pasted by mistake is refused with a sentence. rate: messages a second of one
    member, None for any number; burst: so many at once. members: of all rooms of a server, None for
    any number. nameless: seconds that a connection has to say a name where members are limited;
    at most a quarter of them may be without one. rooms: of a server. history: messages that a room
    keeps for newcomers.
    backlog: bytes that may wait for one member, who is dropped when there are more. grace: seconds
    that one who is dropped has for reading the rest.
    """

    name_length: int = 30
    text_length: int = 2000
    message_size: int = 256 * 1024
    rate: float | None = 5.0
    burst: int = 20
    members: int | None = None
    nameless: float = 10.0
    rooms: int = 20
    history: int = 200
    backlog: int = 256 * 1024
    grace: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} is {value}, it must be positive")


class Disallowed(Exception):
    """What was sent is against the rules.

    code: a key of `texts.ERRORS`; details: for its text. fields: those of the message, if it has.
    """

    def __init__(
        self, code: str, *, fields: dict[str, Any] | None = None, **details: object
    ) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields or {}
        self.details = details


class Incoming(NamedTuple):
    """A message of the right form. type: one of `TYPES`, or `BEAT`; fields: all that was in it."""

    type: str
    text: str
    fields: dict[str, Any]


def parse_message(data: str | bytes) -> Incoming:
    """Read a message: JSON, an object, with a string as its text if its type wants one.

    Raises Disallowed for everything else.

    >>> parse_message('{"type":"chat","text":"Hello"}').text
    'Hello'
    """
    if not isinstance(data, str):
        raise Disallowed("binary")
    try:
        value = parsed(data)
    except ValueError:
        raise Disallowed("not_json", example=EXAMPLE) from None
    if not isinstance(value, dict):
        raise Disallowed("not_object", example=EXAMPLE)
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in (*TYPES, BEAT):
        raise Disallowed("bad_type", fields=value, types=", ".join(TYPES))
    if kind in ("resume", BEAT):
        return Incoming(kind, "", value)
    if "text" not in value:
        raise Disallowed("no_text", fields=value, example=EXAMPLE)
    if not isinstance(value["text"], str):
        raise Disallowed("bad_text", fields=value)
    return Incoming(kind, value["text"], value)


def check_text(text: str, rules: Rules) -> str:
    """Return what a member says, unchanged; line breaks and tabs are allowed. Raises Disallowed."""
    if len(text) > rules.text_length:
        raise Disallowed("long_text", size=len(text), limit=rules.text_length)
    if (found := unwanted(text)) is not None:
        raise Disallowed(f"{found[0]}_text", point=found[1])
    if not is_visible(text):
        raise Disallowed("empty_text")
    return text


def check_name(text: str, rules: Rules) -> str:
    """Return a name as it is shown: composed (NFC), spaces trimmed and single. Raises Disallowed.

    >>> check_name("  Ada   Lovelace ", Rules())
    'Ada Lovelace'
    """
    if (found := unwanted(text, in_name=True)) is not None:
        raise Disallowed(f"{found[0]}_name", point=found[1])
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > rules.name_length:
        raise Disallowed("long_name", size=len(name), limit=rules.name_length)
    if not is_visible(name):
        raise Disallowed("empty_name")
    if looks(name) & looks(SERVER):
        raise Disallowed("reserved_name")
    return name
