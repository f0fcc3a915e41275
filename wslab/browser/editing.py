"""Edit a frame by its fields, by its bits, or by its bytes, with pure functions.

The bytes are the truth, even if they are broken. The fields are those that a receiver would read.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from wslab.lab.wire.anatomy import opcode_name
from wslab.protocol.close import Close, CloseCode
from wslab.protocol.errors import ProtocolError, quantity
from wslab.protocol.frames import Frame, Header, Opcode, apply_mask, check_header, parse_hex

__all__ = [
    "BITS",
    "EXAMPLE_KEY",
    "LIMIT",
    "Draft",
    "FrameVerdict",
    "check_draft",
    "flip",
    "limited_hex",
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

        field: "opcode", "fin", "rsv" (0 to 7), "masked", "key", "payload" (both in hex), or "text".
        Raises ValueError if value does not fit.
        """
        match field:
            case "opcode":
                return self._replace(opcode=_number(value, 15))
            case "rsv":
                return self._replace(rsv=_number(value, 7))
            case "fin":
                return self._replace(fin=bool(value))
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

    valid: True, False, or None while bytes are missing. text: why, with the rule that it breaks.
    """

    valid: bool | None
    text: str


def _number(value: object, limit: int) -> int:
    number = int(str(value))
    if not 0 <= number <= limit:
        raise ValueError(f"{number} does not fit, give 0 to {limit}")
    return number


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


def check_draft(data: bytes, sender: str | None = None) -> FrameVerdict:
    """Judge the frame at the beginning of data as a receiver does.

    sender: "client", whose frames are masked, or "server", whose frames are not; None for either.
    No extension is in use, and no frames came before.

    >>> check_draft(bytes.fromhex("890548656c6c6f"))
    FrameVerdict(valid=True, text='a valid PING frame')
    >>> check_draft(bytes.fromhex("090548656c6c6f")).text
    'PING is fragmented (RFC 6455 §5.5): closed with 1002 PROTOCOL_ERROR'
    """
    header = Header.parse(data)
    if header is None:
        return FrameVerdict(
            None, "not complete: more bytes of the header must follow (RFC 6455 §5.2)"
        )
    try:
        check_header(header, {"client": True, "server": False}.get(sender or ""))
        missing = header.size + header.length - len(data)
        if missing > 0:
            whole = quantity(header.length, "byte")
            return FrameVerdict(None, f"not complete: payload {header.length - missing} of {whole}")
        draft = Draft.read(data)
        assert draft is not None  # its header is complete
        _check_payload(draft)
    except ProtocolError as error:
        code = CloseCode(error.code)
        return FrameVerdict(False, f"{error}: closed with {code} {code.name}")
    more = f"; {-missing} B after it belong to the next frame" if missing else ""
    return FrameVerdict(True, f"a valid {opcode_name(header.opcode)} frame{more}")


def _check_payload(draft: Draft) -> None:
    if draft.opcode == Opcode.CLOSE:
        Close.parse(draft.payload)
    if draft.opcode == Opcode.TEXT:
        try:
            # A character may be cut by fragmentation, not by the end of the message.
            codecs.getincrementaldecoder("utf-8")().decode(draft.payload, draft.fin)
        except UnicodeDecodeError as error:
            seen = f"text is not UTF-8: {error.reason} at byte {error.start}"
            raise ProtocolError(seen, "RFC 6455 §8.1", CloseCode.INVALID_PAYLOAD) from None
