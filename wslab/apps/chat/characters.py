"""Tests for characters that can be seen, do harm or look alike, by Unicode's own properties.

Categories are those of Python's `unicodedata`. Characters look alike by UTS #39. Its data is in
confusables.json, which also says its version and its origin.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from pathlib import Path
from unicodedata import category

__all__ = ["KINDS", "is_visible", "looks", "unwanted"]

# By general category
KINDS = {"Cc": "control", "Cf": "format", "Cs": "surrogate", "Cn": "unassigned"}

# The flags of England, Scotland and others are a black flag and invisible letters (UTS #51)
FLAG = r"(\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F)"
# Nothing is shown for these, assigned or not (Default_Ignorable_Code_Point of Unicode 17)
IGNORED = (
    r"\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E"
    r"\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8\U0001BCA0-\U0001BCA3"
    r"\U0001D173-\U0001D17A\U000E0000-\U000E0FFF"
)
# Two symbols have no ink, although no property of Unicode says so: an empty Braille cell, and a
# note without a head
BLANK = r"\u2800\U0001D159"
JOINERS = "\u200c\u200d"  # names may have them, because Persian, Hindi and emoji need them

_flag = re.compile(FLAG)
_without_ink = re.compile(f"[{IGNORED}{BLANK}]")
# Tab and line feed may be part of a text. Half a surrogate pair can be written in JSON (\ud800),
# but not in UTF-8.
_unwanted_in_text = re.compile(r"[\0-\x08\x0B-\x1F\x7F-\x9F\uD800-\uDFFF]")


def is_visible(text: str) -> bool:
    """Tell whether a text has a character that can be seen."""
    return any(
        category(char)[0] != "Z"
        and category(char) not in ("Cc", "Cs", "Mn", "Me")
        and not _without_ink.match(char)
        for char in text
    )


def unwanted(text: str, *, in_name: bool = False) -> tuple[str, int] | None:
    """Return the first character that does harm, as its kind and its code point, or None.

    The kind is a value of `KINDS`. An unassigned character counts if it would never be seen.

    >>> unwanted("A\\u200bda", in_name=True)
    ('format', 8203)
    """
    if in_name:
        found = next(filter(_is_unwanted_in_name, _flag.sub("", text)), None)
    else:
        match = _unwanted_in_text.search(text)
        found = match and match[0]
    return (KINDS[category(found)], ord(found)) if found else None


def _is_unwanted_in_name(char: str) -> bool:
    """Refuse also what only changes the look of its neighbours, such as U+202E."""
    kind = category(char)
    never_seen = kind == "Cn" and _without_ink.match(char)
    return bool(kind in ("Cc", "Cs", "Cf") or never_seen) and char not in JOINERS


def looks(name: str) -> frozenset[str]:
    """Return the two skeletons of a name (UTS #39 §4).

    Two names look alike if they share a skeleton. Width, case, alphabet and invisible characters do
    not matter. A capital may look like another letter when the small letter does not, so one
    skeleton is of the name as it is, and the other of its small letters.

    >>> looks("Ａda") & looks("\\u0410DA") != frozenset()
    True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return frozenset(_skeleton(each).casefold() for each in (folded, name))


def _skeleton(text: str) -> str:
    parts = _flag.split(unicodedata.normalize("NFD", text))
    parts[::2] = ["".join(filter(_has_ink, part)) for part in parts[::2]]  # the others are flags
    similar = unicodedata.normalize("NFD", "".join(parts).translate(_prototypes()))
    return " ".join(similar.split())


def _has_ink(char: str) -> bool:
    return category(char) not in ("Cc", "Cf") and not _without_ink.match(char)


@functools.cache
def _prototypes() -> dict[int, str]:
    """Return the character that each character looks like, by code point."""
    table = json.loads((Path(__file__).parent / "confusables.json").read_text(encoding="utf-8"))
    return {
        ord(letter): prototype
        for prototype, letters in table["similar"].items()
        for letter in letters
    }
