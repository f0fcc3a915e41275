"""What a member may send: everything that a room checks before it believes it.

All of this is pure: a message in, a value or `Disallowed` out. Nothing that a peer sends gets past
here as an object, a number or an invisible name. Letters of other alphabets that look like Latin
ones, such as a Cyrillic А, are different letters here (Unicode calls them confusables, UTS #39).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

from wslab.apps.chat.texts import SERVER
from wslab.kit.messages import parsed

__all__ = [
    "Disallowed",
    "Incoming",
    "Rules",
    "check_name",
    "check_text",
    "name_key",
    "parse_message",
]

EXAMPLE = '{"type":"chat","text":"Hello"}'
TYPES = ("setName", "chat", "resume")
BEAT = "beat"  # a sign of life is asked for; see `wslab.kit.resume`

# Letters and symbols by category, but nothing to be seen: fillers of Hangul, the empty Braille cell
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
NO_MARK = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Zs", "Zl", "Zp"})  # categories, likewise
JOINERS = "\u200c\u200d"  # between letters of Persian or Hindi, and inside emoji
# Marks that are never seen: joiners and selectors that only say how to draw their neighbours
IGNORED = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# What no text needs: control characters but tab and line feed, and halves of surrogate pairs,
# which JSON can write (\ud800) and UTF-8 cannot.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Rules:
    """How much of everything a room allows.

    name_length, text_length: in characters. message_size: in bytes, of a message on the wire;
    more is closed with 1009 (RFC 6455 §7.4.1). rate: messages a second of one member, None for any
    number; burst: so many at once. members: of all rooms of a server, None for any number.
    rooms: of a server. history: messages that a room keeps for newcomers.
    backlog: bytes that may wait for one member, who is dropped when there are more. grace: seconds
    that one who is dropped has for reading the rest.
    """

    name_length: int = 30
    text_length: int = 2000
    message_size: int = 32 * 1024
    rate: float | None = 5.0
    burst: int = 20
    members: int | None = None
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

    code: a key of `words.ERRORS`; details: for its text. fields: those of the message, if it has.
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
    if (found := CONTROL.search(text)) is not None:
        raise Disallowed("control_text", point=ord(found[0]))
    if not any(map(_is_visible, text)):
        raise Disallowed("empty_text")
    return text


def check_name(text: str, rules: Rules) -> str:
    """Return a name as it is shown: composed (NFC), spaces trimmed and single. Raises Disallowed.

    >>> check_name("  Ada   Lovelace ", Rules())
    'Ada Lovelace'
    """
    for letter in text:
        # also what only changes the look of its neighbours, such as U+202E
        if letter not in JOINERS and unicodedata.category(letter) in ("Cc", "Cs", "Cf"):
            raise Disallowed("control_name", point=ord(letter))
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if len(name) > rules.name_length:
        raise Disallowed("long_name", size=len(name), limit=rules.name_length)
    if not any(map(_is_visible, name)):
        raise Disallowed("empty_name")
    if name_key(name) == name_key(SERVER):
        raise Disallowed("reserved_name")
    return name


def _is_visible(letter: str) -> bool:
    """Tell whether a letter leaves a mark; one that Unicode does not know yet might (Cn)."""
    return letter not in BLANK and unicodedata.category(letter) not in NO_MARK


def name_key(name: str) -> str:
    """Return what names have in common that differ in width, case or invisible letters.

    >>> name_key("ＡＤＡ") == name_key("Ada")
    True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    shown = (c for c in folded if c not in BLANK and unicodedata.category(c) not in ("Cc", "Cf"))
    return " ".join(IGNORED.sub("", "".join(shown)).split())
