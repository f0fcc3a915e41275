"""Read and write messages, in the same way for every application: JSON (RFC 8259) and numbers.

`merge_diff` tells what has changed in a JSON value, and `merge_patch` applies it (RFC 7396).

Binary protocols write numbers as varUints: seven bits a byte, the lowest first, and the top bit
says that more follow. Texts, and bytes of any length, stand behind their length.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

__all__ = ["OUT_OF_ORDER", "ByteReader", "Malformed", "Message", "ResumeError", "decoded"]
__all__ += ["encoded", "encoded_object", "merge_diff", "merge_patch", "parsed", "sized", "varuint"]

Message = dict[str, Any]  # a JSON object

MAX_UINT = 2**53 - 1  # that JavaScript can count to
OUT_OF_ORDER = 4002  # close code for a peer that said something impossible
NESTING = 500  # levels of lists and objects; the stack of Python has room for about 900


class ResumeError(ValueError):
    """A peer said something impossible; close the connection with `close_code`.

    error: its kind, for programs. text: for people; it tells what was seen and what is allowed.
    """

    def __init__(self, error: str, text: str, close_code: int = OUT_OF_ORDER) -> None:
        super().__init__(f"{error}: {text}")
        self.error, self.text, self.close_code = error, text, close_code

    @property
    def message(self) -> Message:
        """The message that a server sends before it closes."""
        return {"name": "Server", "text": self.text, "error": self.error}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is Python's, not JSON (RFC 8259 §6)")


# Made once: json.dumps and json.loads would make a new one for every message.
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_no_bracket = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[^][{}"]+', re.DOTALL)  # or one within a text


def encoded(message: Any) -> str:
    """Return a message as compact JSON for the wire, a copy that nobody can change.

    Raises TypeError for a value that JSON does not have, such as a set. Raises ValueError for NaN,
    a list within itself, more than 500 levels, and half of a surrogate pair (RFC 8259 §8.1).

    >>> encoded({"text": "你好"})
    '{"text":"你好"}'
    """
    try:
        text = _encoder.encode(message)
    except RecursionError:
        text = "[" * (NESTING + 1)  # deeper than that, in any case
    text.encode()  # raises for half of a surrogate pair
    _check_depth(text)
    return text


def encoded_object(fields: Any) -> str:
    """Return an object without an `id` as JSON; raises as `encoded` does for anything else."""
    if not isinstance(fields, dict):
        raise TypeError(f"a message is a dict, for a JSON object, not a {type(fields).__name__}")
    if "id" in fields:
        raise ValueError("a message gets its id from the outbox: leave out the field id")
    return encoded(fields)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= NESTING:
        return
    depth = 0
    for bracket in _no_bracket.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if depth > NESTING:
            raise ValueError(f"the JSON text has more than {NESTING} levels of lists and objects")


def parsed(data: str | bytes) -> Any:
    """Read any JSON value; ValueError if it is not JSON in UTF-8, or has more than 500 levels.

    >>> parsed("[1, 2]")
    [1, 2]
    """
    text = data if isinstance(data, str) else data.decode()
    _check_depth(text)
    return _decoder.decode(text)


def decoded(data: str | bytes) -> Message:
    """Read a message that came over the wire; ResumeError if it is not a JSON object in UTF-8.

    JSON can write half of a surrogate pair, such as "\\ud800", but UTF-8 cannot. A client that got
    it would be cut off, so it is refused.
    """
    try:
        message = parsed(data)
        encoded(message)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ResumeError("bad message", f"{data[:40]!r} is not a JSON object")
    return message


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch; return the new value, and leave the old one as it is.

    In the patch null deletes a member, an object is merged, and anything else replaces what was
    there, an array as a whole. Source: RFC 7396 §2.

    >>> merge_patch({"goals": 1, "review": "goal?"}, {"goals": 0, "review": None})
    {'goals': 0}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def merge_diff(old: Any, new: Any) -> Any:
    """Return the smallest merge patch that makes `new` of `old`; {} if they are the same object.

    Raises ValueError if an object in `new` has a member that is null, because a patch cannot set
    one (RFC 7396 §1). Within an array it may be null.

    >>> merge_diff({"goals": 1, "review": "goal?"}, {"goals": 0})
    {'review': None, 'goals': 0}
    """
    if not isinstance(new, dict):
        return new
    before = old if isinstance(old, dict) else {}
    patch: Message = dict.fromkeys(name for name in before if name not in new)
    for name, value in new.items():
        if value is None:
            raise ValueError(f"{name!r:.40} is null, which deletes in a merge patch (RFC 7396 §1)")
        known = before.get(name)
        change = merge_diff(known, value)
        both_are_objects = isinstance(known, dict) and isinstance(value, dict)
        if change if both_are_objects else encoded(known) != encoded(value):
            patch[name] = change
    return patch


# Bytes


class Malformed(ValueError):
    """A binary message is not what it should be. The text says where, and what was expected."""


def varuint(number: int) -> bytes:
    """Write a number as a varUint.

    >>> varuint(5).hex(), varuint(300).hex()
    ('05', 'ac02')
    """
    low = []
    while number > 127:
        low.append(number & 127 | 128)
        number >>= 7
    return bytes([*low, number])


def sized(data: bytes) -> bytes:
    """Write bytes behind their length."""
    return varuint(len(data)) + data


class ByteReader:
    """Reads numbers and bytes one after the other; Malformed if they are not all there.

    at: how many bytes it has read.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        """Read one byte."""
        if self.at == len(self.data):
            raise Malformed(f"byte {self.at}: the message ends too early")
        self.at += 1
        return self.data[self.at - 1]

    def uint(self) -> int:
        """Read a varUint of up to 53 bits."""
        number = 0
        for shift in range(0, 56, 7):
            byte = self.byte()
            number |= (byte & 127) << shift
            if byte < 128 and number <= MAX_UINT:
                return number
        raise Malformed(f"byte {self.at}: a number of more than 53 bits")

    def chunk(self) -> bytes:
        """Read a length, and so many bytes."""
        size = self.uint()
        data = self.data[self.at : self.at + size]
        if len(data) < size:
            raise Malformed(f"byte {self.at}: expected {size} bytes, there are {len(data)}")
        self.at += size
        return data

    def text(self) -> str:
        """Read a chunk of UTF-8."""
        try:
            return self.chunk().decode()
        except UnicodeDecodeError:
            raise Malformed(f"the text before byte {self.at} is not UTF-8") from None

    def end(self) -> None:
        """Check that nothing is left."""
        if self.at < len(self.data):
            raise Malformed(f"byte {self.at}: {len(self.data) - self.at} bytes too many")
