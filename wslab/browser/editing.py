"""Edit a frame by its fields, by its bits, or by its bytes, with pure functions.

The bytes are the truth, even if they are broken. The fields are those that a receiver would read.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

from wslab.lab.wire.anatomy import opcode_name
from wslab.protocol.close import Close, CloseCode
from wslab.protocol.errors import ProtocolError, quantity
from wslab.protocol.frames import Frame, Header, Opcode, apply_mask, broken_rules, parse_hex

__all__ = [
    "BITS",
    "EXAMPLE_KEY",
    "LIMIT",
    "Draft",
    "FrameVerdict",
    "check_draft",
    "flip",
    "limited_hex",
    "with_opcode",
]

LIMIT = 4096  # bytes of a frame that may be edited
EXAMPLE_KEY = bytes.fromhex("37fa213d")  # the masking key of RFC 6455 §5.7
BITS = (
    ("FIN", "RSV1", "RSV2", "RSV3", "opcode 8", "opcode 4", "opcode 2", "opcode 1"),
    ("MASK", *(f"length {1 << bit}" for bit in range(6, -1, -1))),
)


class Draft(Frame):
    """A frame that may break the rules; made by `read` or `edited`."""

    __slots__ = ()

    @classmethod
    def read(cls, data: bytes) -> Draft | None:
        """Read the fields of a frame that may be broken; None if its header is not complete."""
        header = Header.parse(data)
        if header is None:
            return None
        payload = data[header.size : header.size + header.length]
        if header.mask is not None:
            payload = apply_mask(payload, header.mask)
        return cls(header.opcode, payload, header.fin, header.rsv, header.mask)

    def edited(self, field: str, value: object) -> Draft:
        """Return a draft with one field changed; the page has the same names for fields.

        field: "masked", "key", "payload" (both in hex), or "text". The length follows.
        Raises ValueError if value does not fit.
        """
        match field:
            case "masked":
                return self._replace(mask=(self.mask or EXAMPLE_KEY) if value else None)
            case "key":
                key = limited_hex(str(value))
                if len(key) != 4:
                    raise ValueError(
                        f"a masking key is 4 bytes, this one is {len(key)} (RFC 6455 §5.3)"
                    )
                return self._replace(mask=key)
            case "payload":
                return self._replace(payload=limited_hex(str(value)))
            case "text":
                return self._replace(payload=str(value).encode("utf-8", "replace"))
        raise ValueError(f"a frame has no field {field!r}")


class FrameVerdict(NamedTuple):
    """A receiver's verdict on a frame.

    valid: True, False, or None while bytes are missing. lines: why, a line for each rule that it
    breaks, with its section; the last one says what a receiver does.
    """

    valid: bool | None
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one sentence."""
        return "; ".join(self.lines)


def limited_hex(data: bytes | str) -> bytes:
    """Return bytes, or read them from hexadecimal text; ValueError for more than `LIMIT`."""
    data = parse_hex(data) if isinstance(data, str) else bytes(data)
    if len(data) > LIMIT:
        raise ValueError(f"these are {len(data)} bytes, but the explorer takes at most {LIMIT}")
    return data


def flip(data: bytes, byte: int, bit: int) -> bytes:
    """Flip one bit of data; bit 0 is the leftmost, as the RFC draws them.

    Raises ValueError if there is no such bit.

    >>> flip(b"\\x81", 0, 0)
    b'\\x01'
    """
    if not (0 <= byte < len(data) and 0 <= bit < 8):
        raise ValueError(f"no such bit: byte {byte}, bit {bit} of {quantity(len(data), 'byte')}")
    changed = bytearray(data)
    changed[byte] ^= 0x80 >> bit
    return bytes(changed)


def with_opcode(data: bytes, opcode: int) -> bytes:
    """Return a frame with a different opcode, 0 to 15, and nothing else changed."""
    if not data or not 0 <= opcode <= 15:
        raise ValueError(f"opcode {opcode} in {quantity(len(data), 'byte')}: 0 to 15, in byte 0")
    return bytes([data[0] & 0xF0 | opcode]) + data[1:]


def check_draft(data: bytes, sender: str | None = None) -> FrameVerdict:
    """Judge the frame at the beginning of data as a receiver does; name every rule that it breaks.

    sender: "client", whose frames are masked, or "server", whose frames are not; None for either.
    No extension is in use, and no frames came before.

    >>> check_draft(bytes.fromhex("890548656c6c6f"))
    FrameVerdict(valid=True, lines=('a valid PING frame',))
    >>> print(*check_draft(bytes.fromhex("490548656c6c6f")).lines, sep="\\n")
    RSV bits are 100, but extensions use 000 (RFC 6455 §5.2)
    PING is fragmented (RFC 6455 §5.5)
    a receiver closes with 1002 PROTOCOL_ERROR
    """
    header = Header.parse(data)
    if header is None:
        said = "not complete: more bytes of the header must follow (RFC 6455 §5.2)"
        return FrameVerdict(None, (said,))
    missing = header.size + header.length - len(data)
    errors = list(broken_rules(header, {"client": True, "server": False}.get(sender or "")))
    draft = Draft.read(data)
    if draft is not None and missing <= 0:
        errors += _broken_by_payload(draft)
    if errors:
        code = CloseCode(errors[0].code)
        return FrameVerdict(
            False, (*map(str, errors), f"a receiver closes with {code} {code.name}")
        )
    if missing > 0:
        whole = quantity(header.length, "byte")
        said = f"not complete: payload {header.length - missing} of {whole}"
        return FrameVerdict(None, (said,))
    more = f"; {-missing} B after it belong to the next frame" if missing else ""
    return FrameVerdict(True, (f"a valid {opcode_name(header.opcode)} frame{more}",))


def _broken_by_payload(draft: Draft) -> Iterator[ProtocolError]:
    """Yield an error for each rule that a payload breaks."""
    if draft.opcode == Opcode.CLOSE:
        # A code that may not be sent hides a reason that is not UTF-8.
        code, reason = draft.payload[:2], draft.payload[2:]
        for payload in (code, CloseCode.NORMAL_CLOSURE.to_bytes(2) + reason):
            try:
                Close.parse(payload)
            except ProtocolError as error:
                yield error
    if draft.opcode == Opcode.TEXT:
        try:
            # A character may be cut by fragmentation, not by the end of the message.
            codecs.getincrementaldecoder("utf-8")().decode(draft.payload, draft.fin)
        except UnicodeDecodeError as error:
            seen = f"text is not UTF-8: {error.reason} at byte {error.start}"
            yield ProtocolError(seen, "RFC 6455 §8.1", CloseCode.INVALID_PAYLOAD)
