"""The rules for a member's messages, which a room checks before it believes them.

All functions are pure. They take a message, and return a value or raise `Disallowed`. No object, no
number, no invisible name and no name like the room's own gets past them.
`wslab.apps.chat.characters` knows which characters are invisible or look alike.
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
BEAT = "beat"  # asks for a sign of life; see `wslab.kit.resume`


@dataclass(frozen=True)
class Rules:
    """The limits of a room.

    name_length, text_length: characters.
    message_size: bytes of a message on the wire. A longer one is closed with 1009 (RFC 6455
    §7.4.1). It is many times a text's limit, so a text pasted by mistake is refused in words.

    rate: messages a second of one member, None for any number. burst: so many at once.
    members: in all rooms of a server, None for any number. rooms: of a server.
    nameless: seconds to choose a name, if members are limited. At most a quarter may have none.

    history: messages that a room keeps for newcomers.
    backlog: bytes that may wait for one member. A member with more is dropped.
    grace: seconds that a dropped member has to read the rest.
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
    """A message breaks a rule.

    code: a key of `texts.ERRORS`. details: the values in its text. fields: the message's, if any.
    """

    def __init__(
        self, code: str, *, fields: dict[str, Any] | None = None, **details: object
    ) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields or {}
        self.details = details


class Incoming(NamedTuple):
    """A message of the right form. type: one of `TYPES`, or `BEAT`. fields: all its fields."""

    type: str
    text: str
    fields: dict[str, Any]


def parse_message(data: str | bytes) -> Incoming:
    """Read a message, a JSON object with a string as its text if its type needs one.

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
    """Return a member's text, unchanged; line breaks and tabs are allowed. Raises Disallowed."""
    if len(text) > rules.text_length:
        raise Disallowed("long_text", size=len(text), limit=rules.text_length)
    if (found := unwanted(text)) is not None:
        raise Disallowed(f"{found[0]}_text", point=found[1])
    if not is_visible(text):
        raise Disallowed("empty_text")
    return text


def check_name(text: str, rules: Rules) -> str:
    """Return a name composed (NFC), with single spaces and none at the ends. Raises Disallowed.

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
