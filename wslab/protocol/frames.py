"""Frames, the units that WebSocket sends over TCP (RFC 6455 §5).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-------+-+-------------+-------------------------------+
    |F|R|R|R| opcode|M| length code |  length, 2 bytes if code 126, |
    |I|S|S|S|  (4)  |A|     (7)     |          8 bytes if code 127  |
    |N|V|V|V|       |S|             |                               |
    | |1|2|3|       |K|             |                               |
    +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
    |  mask, 4 bytes if MASK is set |  payload, masked or plain ... |
    +-------------------------------+-------------------------------+

`Header` is the layout alone. It also reads frames that break the rules, because a tool that
shows traffic has to show those too. `check_header` holds the rules that one frame can break
by itself. `Frame` is a header's meaning together with the payload.

The C helper of the `websockets` library applies the masks, where its wheel has one. Elsewhere
`xor_in_python` does the same.
"""

import contextlib
import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, Self

from wslab.protocol.errors import ProtocolError, quantity

__all__ = ["RSV1", "RSV2", "RSV3", "Frame", "Header", "Opcode", "apply_mask", "check_header"]
__all__ += ["broken_rules", "parse_hex"]

BYTES = (bytes, bytearray, memoryview)
Data = bytes | bytearray | memoryview
Key = bytes | None  # a masking key, 4 bytes; None where nothing is masked
Masked = bool | None  # True if the sender is a client, False if a server, None to accept both
Limit = int | None  # bytes of a payload to accept at most; None for any number

# The three reserved bits, as `rsv` numbers them. An extension may give them a meaning (§5.2).
RSV1, RSV2, RSV3 = 0b100, 0b010, 0b001


class Opcode(IntEnum):
    """The purpose of a frame (RFC 6455 §5.2, registry in §11.8)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


# Python 3.11 takes long to find a member of an enumeration, and messages need these all the time.
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode
_BYTES = [bytes([number]) for number in range(256)]  # looking one up is faster than making it
_OPCODES = {int(opcode): opcode for opcode in Opcode}


def parse_hex(text: str) -> bytes:
    """Read bytes written in hexadecimal, two digits each, as tables and tools write them.

    Spaces, ``:`` and ``,`` may separate bytes, ``0x`` may stand before them, and brackets around
    them. Wherever this package takes the bytes of a frame, it also takes such a text.
    Raises ValueError for any other character, and for half a byte.

    >>> parse_hex("81 05 0x48")
    b'\\x81\\x05H'
    """
    digits = re.sub(r"0[xX]|\\x|[\s:,;_\[\]{}-]", "", text)
    if wrong := re.search(r"[^0-9A-Fa-f]", digits):
        seen = f"{wrong[0]!r} is not a hexadecimal digit"
        raise ValueError(f"{seen}: a byte is two of 0-9 and a-f, such as '81 05'")
    if len(digits) % 2:
        raise ValueError(f"a byte is two hexadecimal digits, but {len(digits)} is an odd number")
    return bytes.fromhex(digits)


def apply_mask(data: Data, mask: bytes) -> bytes:
    """Mask a payload, or unmask it: XOR undoes itself.

    data: the payload, any number of bytes.
    mask: the masking key, 4 bytes; byte i of data is XORed with byte i modulo 4 of the key.
    Returns as many bytes as data has.
    Raises ValueError if mask is not 4 bytes long.
    Source: RFC 6455 §5.3.

    >>> apply_mask(b"Hello", bytes.fromhex("37fa213d")).hex(" ")
    '7f 9f 4d 51 58'
    """
    if len(mask) != 4:
        raise ValueError(f"a masking key is 4 bytes, this one is {len(mask)} (RFC 6455 §5.3)")
    return xor(data, mask)


def xor_in_python(data: Data, mask: bytes) -> bytes:
    """Do as `apply_mask` does; XOR of two long integers is faster than a loop over the bytes."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    number = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
    return number.to_bytes(size, "little")


xor = xor_in_python
with contextlib.suppress(ImportError):  # the library's C helper, where its wheel has it
    from websockets.speedups import apply_mask as xor


class Header(NamedTuple):
    """The header of one frame, read but not judged.

    fin: True on the last frame of a message.
    rsv: the bits RSV1 RSV2 RSV3 as a number from 0 to 7.
    opcode: 0 to 15. Not every number is an `Opcode`.
    mask: the masking key, 4 bytes; None if the frame is not masked.
    length: the payload's length in bytes.
    size: the header's own length. It is 2, 4 or 10 bytes, and 4 more with a mask.
    """

    fin: bool
    rsv: int
    opcode: int
    mask: Key
    length: int
    size: int

    @classmethod
    def parse(cls, data: Data | str, start: int = 0) -> Self | None:
        """Read the header that begins at data[start]; None means that more bytes are needed.

        data: bytes, or hexadecimal text. Source: RFC 6455 §5.2.
        """
        if isinstance(data, str):
            data = parse_hex(data)
        if len(data) < start + 2:
            return None
        first, second = data[start], data[start + 1]
        is_masked, length = second >= 0x80, second & 0x7F
        body = start + (2 if length < 126 else 4 if length == 126 else 10)
        end = body + 4 if is_masked else body
        if len(data) < end:
            return None
        mask = bytes(data[body:end]) if is_masked else None
        if length > 125:
            length = int.from_bytes(data[start + 2 : body])
        return cls(first >= 0x80, first >> 4 & 0b111, first & 0xF, mask, length, end - start)


def check_header(header: Header, masked: Masked, rsv: int = 0, limit: Limit = None) -> Opcode:
    """Raise ProtocolError if a frame breaks a rule by itself; return its opcode.

    It raises the first error of `broken_rules`.
    """
    for error in broken_rules(header, masked, rsv, limit):
        raise error
    return _OPCODES[header.opcode]


def broken_rules(
    header: Header, masked: Masked, rsv: int = 0, limit: Limit = None
) -> Iterator[ProtocolError]:
    """Yield an error for each rule that a frame breaks by itself.

    masked: True if the sender is a client, False if it is a server. None accepts both.
    rsv: the reserved bits that a negotiated extension uses.
    limit: the longest payload of a data frame, in bytes. A control frame's limit is always 125.
    Source: RFC 6455 §5.1, §5.2, §5.5, §10.4.
    """
    fin, bits, number, mask, length, size = header
    if number not in _OPCODES:
        yield ProtocolError(f"opcode {number:#x} is reserved", "RFC 6455 §5.2")
    if bits and bits & ~rsv:
        seen = f"RSV bits are {bits:03b}, but extensions use {rsv:03b}"
        yield ProtocolError(seen, "RFC 6455 §5.2")
    if masked is (mask is None):  # masked=None is neither, so it accepts both
        seen = "a client's frame is not masked" if masked else "a server's frame is masked"
        yield ProtocolError(seen, "RFC 6455 §5.1")
    if size > 6 or size == 4:
        length_bytes = size - (2 if mask is None else 6)
        if length >= 1 << 63:
            yield ProtocolError("the top bit of the 64-bit length is set", "RFC 6455 §5.2")
        if length < (1 << 16 if length_bytes == 8 else 126):
            seen = f"length {length} is written in {length_bytes} extra bytes, fewer suffice"
            yield ProtocolError(seen, "RFC 6455 §5.2")
    if number >= 0x8 and not (fin and length <= 125):  # a reserved opcode's, too
        name = _OPCODES[number].name if number in _OPCODES else f"control opcode {number:#x}"
        if length > 125:
            seen = f"{name} payload is {length} bytes, limit 125"
            yield ProtocolError(seen, "RFC 6455 §5.5")
        if not fin:
            yield ProtocolError(f"{name} is fragmented", "RFC 6455 §5.5")
    if limit is not None and length > limit and number < 0x8:
        seen = f"payload is {quantity(length, 'byte')}, limit {limit}"
        yield ProtocolError(seen, "RFC 6455 §10.4", 1009)


class Frame(NamedTuple):
    """One frame, with its purpose, its payload, and the way it travels.

    opcode: an `Opcode`. With check=False, `serialize` also writes a reserved number.
    payload: the bytes to carry. They are never masked here.
    fin: True on a message's last frame.
    rsv: the bits RSV1 RSV2 RSV3 as a number from 0 to 7.
    mask: the masking key, 4 bytes. A client has one for every frame, a server has None.

    >>> Frame(Opcode.TEXT, b"Hello").serialize().hex(" ")
    '81 05 48 65 6c 6c 6f'
    """

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    mask: Key = None

    @classmethod
    def parse(
        cls,
        data: Data | str,
        start: int = 0,
        *,
        masked: Masked = None,
        rsv: int = 0,
        limit: Limit = None,
    ) -> tuple[Self, int] | None:
        """Read the frame that begins at data[start].

        data: bytes, or hexadecimal text.
        masked, rsv, limit: the rules of `check_header`. They are checked as soon as the header
        is there, so that nobody waits for a payload that is refused anyway.
        Returns the frame and the index of the byte after it, or None if more bytes are needed.
        Raises ProtocolError, with the close code to answer.
        Source: RFC 6455 §5.2.
        """
        if isinstance(data, str):
            data = parse_hex(data)
        header = Header.parse(data, start)
        if header is None:
            return None
        opcode = check_header(header, masked, rsv, limit)
        begin = start + header.size
        end = begin + header.length
        if end > len(data):
            return None
        payload = bytes(data[begin:end])
        if header.mask is not None:
            payload = apply_mask(payload, header.mask)
        return cls(opcode, payload, header.fin, header.rsv, header.mask), end

    def serialize(self, check: bool = True) -> bytes:
        """Write the frame as bytes, in the fewest length bytes.

        check: True raises ProtocolError for a reserved opcode, and for a control frame that is too
        long or fragmented. False writes them, because some tests and lessons break the rules.
        Raises ValueError for a number that does not fit its bits and for a mask that is not 4
        bytes long, and TypeError for a payload that is not bytes.
        Source: RFC 6455 §5.2.
        """
        opcode, payload, fin, rsv, mask = self
        if type(payload) is not bytes:
            if not isinstance(payload, BYTES):
                seen = type(payload).__name__
                raise TypeError(f"payload is {seen}, not bytes; encode text: text.encode()")
            payload = bytes(payload)  # a memoryview's items may be larger than a byte
        length = len(payload)
        first = rsv << 4 | opcode
        if first > 2 or first < 0:  # plain data may have any size, and be fragmented
            if not (0 <= opcode <= 15 and 0 <= rsv <= 7):
                seen = f"opcode is {opcode}, at most 15; rsv is {rsv}, at most 7"
                raise ValueError(f"{seen} (RFC 6455 §5.2)")
            if check:
                check_header(Header(fin, rsv, opcode, mask, length, 0), None, rsv)
        if fin:
            first |= 0x80
        second = 0
        if mask is not None:
            second, payload = 0x80, mask + apply_mask(payload, mask)
        if length < 126:
            return _BYTES[first] + _BYTES[second | length] + payload
        if length < 1 << 16:
            return _BYTES[first] + _BYTES[second | 126] + length.to_bytes(2) + payload
        return _BYTES[first] + _BYTES[second | 127] + length.to_bytes(8) + payload
