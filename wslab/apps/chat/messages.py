"""What goes out: encoded once, framed once, whoever gets it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wslab.protocol.frames import Frame, Opcode

__all__ = ["Fields", "Said", "frame_of"]

Fields = dict[str, Any]  # a JSON object


def frame_of(fields: Fields) -> bytes:
    """Make the bytes of a message: JSON in one unmasked text frame (RFC 6455 §5.2).

    >>> frame_of({"text": "你好"})
    b'\\x81\\x11{"text":"\\xe4\\xbd\\xa0\\xe5\\xa5\\xbd"}'
    """
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return Frame(Opcode.TEXT, text.encode()).serialize()


@dataclass(frozen=True)
class Said:
    """Something that goes to everybody.

    plain: the document's two fields. full: with number, time and kind, for those who can resume.
    Each kind of frame is made when the first member needs it, and shared by all.
    """

    plain: Fields
    full: Fields

    @cached_property
    def plain_frame(self) -> bytes:
        """The bytes for those who know two fields."""
        return frame_of(self.plain)

    @cached_property
    def full_frame(self) -> bytes:
        """The bytes for those who know all."""
        return frame_of(self.full)
