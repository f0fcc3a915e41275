"""Which characters leave a mark, which do harm, and which look alike: by Unicode's own properties.

The properties are those of the package `regex`, Unicode 17 at the time of writing; what looks alike
is the data of UTS #39 in confusables.json, which says its version, and how it was made.
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

# The flags of England, Scotland and others: a black flag and letters that are never seen (UTS #51)
FLAG = r"\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F"
IGNORED = r"\p{Default_Ignorable_Code_Point}"
# Two symbols without ink, which no property of Unicode tells from others: an empty Braille cell,
# and a note without a head
BLANK = r"\u2800\U0001D159"

_visible = regex.compile(rf"[^\p{{Z}}\p{{Cc}}\p{{Cs}}\p{{Mn}}\p{{Me}}{IGNORED}{BLANK}]")
_without_ink = regex.compile(rf"({FLAG})|[{IGNORED}\p{{Cc}}\p{{Cf}}{BLANK}]")
# Tab and line feed are part of a text. Half a surrogate pair can be written in JSON (\ud800), but
# not in UTF-8.
_unwanted_in_text = regex.compile(r"[\p{Cc}\p{Cs}--\t\n]", regex.V1)
# In a name also what only changes the look of its neighbours, such as U+202E; but joiners stand
# between letters of Persian or Hindi, and inside emoji.
_unwanted_in_name = regex.compile(
    rf"{FLAG}(*SKIP)(*FAIL)|[[\p{{Cc}}\p{{Cs}}\p{{Cf}}[{IGNORED}&&\p{{Cn}}]]--\u200c\u200d]",
    regex.V1,
)


def is_visible(text: str) -> bool:
    """Tell whether anything of a text can be seen."""
    return _visible.search(text) is not None


def unwanted(text: str, *, in_name: bool = False) -> tuple[str, int] | None:
    """Return the first character that does harm, as its kind and its code point, or None.

    The kind is a value of `KINDS`; one that is unassigned would never be seen either.

    >>> unwanted("A\\u200bda", in_name=True)
    ('format', 8203)
    """
    found = (_unwanted_in_name if in_name else _unwanted_in_text).search(text)
    if found is None:
        return None
    kind = next(kind for category, kind in KINDS.items() if regex.match(category, found[0]))
    return kind, ord(found[0])


def looks(name: str) -> frozenset[str]:
    """Return what names have in common that look alike: their skeletons (UTS #39 §4).

    Two names look alike if one of their skeletons is the same, whatever their width, case,
    alphabet and invisible characters. A letter's capital may look like another one where the small
    letter does not, so there are two: of the name as it is, and of its small letters.

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
    """Return by code point what a character looks like."""
    table = json.loads((Path(__file__).parent / "confusables.json").read_text(encoding="utf-8"))
    return {
        ord(letter): prototype
        for prototype, letters in table["similar"].items()
        for letter in letters
    }
