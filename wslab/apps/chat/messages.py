"""What goes out: encoded once, framed once, whoever gets it."""

from __future__ import annotations

import json
from typing import Any

from wslab.protocol.frames import Frame, Opcode

__all__ = ["Fields", "Said", "frame_of"]

Fields = dict[str, Any]  # a JSON object

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # made once, used often


def frame_of(fields: Fields) -> bytes:
    """Make the bytes of a message: JSON in one unmasked text frame (RFC 6455 §5.2).

    >>> frame_of({"text": "你好"})
    b'\\x81\\x11{"text":"\\xe4\\xbd\\xa0\\xe5\\xa5\\xbd"}'
    """
    return Frame(Opcode.TEXT, _encoder.encode(fields).encode()).serialize()


class Said:
    """Something that goes to everybody.

    plain: the two fields of the tutorial, the Chinese article that the course started from.
    full: with number, time and kind, for those who can resume.
    Each kind of frame is made when the first member needs it, and shared by all.
    """

    __slots__ = ("_full_frame", "_plain_frame", "full", "plain")

    def __init__(self, plain: Fields, full: Fields) -> None:
        self.plain, self.full = plain, full
        self._plain_frame: bytes | None = None
        self._full_frame: bytes | None = None

    @property
    def plain_frame(self) -> bytes:
        """The bytes for those who know two fields."""
        if self._plain_frame is None:
            self._plain_frame = frame_of(self.plain)
        return self._plain_frame

    @property
    def full_frame(self) -> bytes:
        """The bytes for those who know all."""
        if self._full_frame is None:
            self._full_frame = frame_of(self.full)
        return self._full_frame
