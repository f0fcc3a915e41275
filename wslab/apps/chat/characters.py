"""Tests for characters that can be seen, do harm or look alike, by Unicode's own properties.

The properties are those of the package `regex`, Unicode 17 at the time of writing. Characters look
alike by UTS #39. Its data is in confusables.json, which also says its version and its origin.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from pathlib import Path

import regex

__all__ = ["KINDS", "is_visible", "looks", "unwanted"]

# By general category
KINDS = {
    r"\p{Cc}": "control",
    r"\p{Cf}": "format",
    r"\p{Cs}": "surrogate",
    r"\p{Cn}": "unassigned",
}

# The flags of England, Scotland and others are a black flag and invisible letters (UTS #51)
FLAG = r"\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F"
IGNORED = r"\p{Default_Ignorable_Code_Point}"
# Two symbols have no ink, although no property of Unicode says so: an empty Braille cell, and a
# note without a head
BLANK = r"\u2800\U0001D159"

_visible = regex.compile(rf"[^\p{{Z}}\p{{Cc}}\p{{Cs}}\p{{Mn}}\p{{Me}}{IGNORED}{BLANK}]")
_without_ink = regex.compile(rf"({FLAG})|[{IGNORED}\p{{Cc}}\p{{Cf}}{BLANK}]")
# Tab and line feed may be part of a text. Half a surrogate pair can be written in JSON (\ud800),
# but not in UTF-8.
_unwanted_in_text = regex.compile(r"[\p{Cc}\p{Cs}--\t\n]", regex.V1)
# A name must not have characters that only change the look of their neighbours either, such as
# U+202E. Joiners are allowed, because Persian, Hindi and emoji need them.
_unwanted_in_name = regex.compile(
    rf"{FLAG}(*SKIP)(*FAIL)|[[\p{{Cc}}\p{{Cs}}\p{{Cf}}[{IGNORED}&&\p{{Cn}}]]--\u200c\u200d]",
    regex.V1,
)


def is_visible(text: str) -> bool:
    """Tell whether a text has a character that can be seen."""
    return _visible.search(text) is not None


def unwanted(text: str, *, in_name: bool = False) -> tuple[str, int] | None:
    """Return the first character that does harm, as its kind and its code point, or None.

    The kind is a value of `KINDS`. An unassigned character counts, because it is never seen.

    >>> unwanted("A\\u200bda", in_name=True)
    ('format', 8203)
    """
    found = (_unwanted_in_name if in_name else _unwanted_in_text).search(text)
    if found is None:
        return None
    kind = next(kind for category, kind in KINDS.items() if regex.match(category, found[0]))
    return kind, ord(found[0])


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
    shown = _without_ink.sub(r"\1", unicodedata.normalize("NFD", text))
    similar = unicodedata.normalize("NFD", shown.translate(_prototypes()))
    return " ".join(similar.split())


@functools.cache
def _prototypes() -> dict[int, str]:
    """Return the character that each character looks like, by code point."""
    table = json.loads((Path(__file__).parent / "confusables.json").read_text(encoding="utf-8"))
    return {
        ord(letter): prototype
        for prototype, letters in table["similar"].items()
        for letter in letters
    }
