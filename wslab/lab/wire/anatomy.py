"""Take a frame apart into its fields, their bits and their meaning (RFC 6455 §5.2)."""

from __future__ import annotations

from typing import NamedTuple

from wslab.lab.tables import hex_bytes, text_table
from wslab.protocol.close import Close, describe_close
from wslab.protocol.errors import ProtocolError
from wslab.protocol.frames import RSV1, Header, Opcode, apply_mask, parse_hex
from wslab.protocol.quoting import decoded_so_far, printable

__all__ = ["PARTS", "Anatomy", "Field", "Part", "describe_payload", "dissect", "opcode_name"]


class Part(NamedTuple):
    """The look of a part of a frame, the same wherever it is shown.

    name: the name of its field in an anatomy. marks: the brackets around its bytes, in text too.
    The sanitiser of the tests knows them.
    colour, line: the line below its bytes, in the words of CSS. You can read the colour on white
    and on black, and the kind of line says the same without it.
    """

    name: str
    marks: tuple[str, str]
    colour: str
    line: str

    def marked(self, text: str) -> str:
        """Write bytes with the marks around them."""
        return text.join(self.marks)


PARTS = {
    "header": Part("header", ("", ""), "#4f7fc4", "solid"),
    "key": Part("masking key", ("[", "]"), "#b87400", "double"),
    "masked": Part("masked payload", ("{", "}"), "#b0559b", "dashed"),
    "payload": Part("payload", ("", ""), "#2a8a5a", "dotted"),
}

_LATER = bytes(range(0x80, 0xC0))  # the bytes of a UTF-8 character after its first one


class Field(NamedTuple):
    """One field of a frame.

    at: the bytes that hold it, counted from 0, such as "0" or "2–5".
    bits: its bits, with a dot for each other bit of the byte. Longer fields have bytes in hex.
    """

    at: str
    name: str
    bits: str
    meaning: str

    @property
    def part(self) -> str:
        """The part of the frame that it belongs to, a key of `PARTS`."""
        return next((kind for kind, part in PARTS.items() if part.name == self.name), "header")


class Anatomy(tuple[Field, ...]):
    """The fields of one frame, in the order in which they travel; prints as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Render as a table, the same every time."""
        rows = [(field.at, field.bits, field.name, field.meaning) for field in self]
        return text_table(("byte", "bits", "field", "meaning"), rows)


def opcode_name(opcode: int) -> str:
    """Return an opcode's name, or "reserved 0x…" if it has none."""
    try:
        return Opcode(opcode).name
    except ValueError:
        return f"reserved {opcode:#x}"


def dissect(data: bytes | str) -> Anatomy:
    """Take the frame at the beginning of data apart, whether it is valid and complete or not.

    data: bytes, or hexadecimal text such as ``"81 05"``.

    >>> dissect(b"\\x81\\x02Hi")
    byte  bits       field        meaning
    0     1... ....  FIN          the last frame of its message
    0     .000 ....  RSV1-3       not used
    0     .... 0001  opcode       TEXT
    1     0... ....  MASK         not masked, as from a server
    1     .000 0010  length code  2 bytes of payload
    2–3   48 69      payload      "Hi"
    """
    if isinstance(data, str):
        data = parse_hex(data)
    header = Header.parse(data)
    if header is None:
        return Anatomy([Field(_at(0, len(data)), "header", hex_bytes(data), "not complete yet")])
    fields = _bit_fields(data[0], data[1], header)
    extended = {126: 2, 127: 8}.get(data[1] & 0x7F, 0)
    if extended:
        length = hex_bytes(data[2 : 2 + extended])
        fields.append(
            Field(_at(2, extended), "length", length, f"{_bytes(header.length)} of payload")
        )
    return Anatomy([*fields, *_payload_fields(data, header)])


def _bit_fields(first: int, second: int, header: Header) -> list[Field]:
    """Take the first two bytes apart."""
    one, two, code = f"{first:08b}", f"{second:08b}", second & 0x7F
    fin = "the last frame of its message" if header.fin else "more frames of this message follow"
    rsv = f"in use: {header.rsv:03b}" if header.rsv else "not used"
    mask = "not masked, as from a server" if header.mask is None else "masked, as from a client"
    codes = {126: "the length is in the next 2 bytes", 127: "the length is in the next 8 bytes"}
    length = codes.get(code, f"{_bytes(code)} of payload")
    return [
        Field("0", "FIN", f"{one[0]}... ....", fin),
        Field("0", "RSV1-3", f".{one[1:4]} ....", rsv),
        Field("0", "opcode", f".... {one[4:]}", opcode_name(header.opcode)),
        Field("1", "MASK", f"{two[0]}... ....", mask),
        Field("1", "length code", f".{two[1:4]} {two[4:]}", length),
    ]


def _payload_fields(data: bytes, header: Header) -> list[Field]:
    fields = []
    wire = data[header.size : header.size + header.length]
    payload = wire
    if header.mask is not None:
        payload = apply_mask(wire, header.mask)
        key = PARTS["key"].marked(header.mask.hex(" "))
        at = _at(header.size - 4, 4)
        fields.append(Field(at, "masking key", key, "random for each frame"))
    if not header.length:
        return fields
    at = _at(header.size, header.length)
    lead = None if header.opcode == Opcode.CONTINUATION else b""
    meaning = describe_payload(header, payload, lead)
    if header.mask is None:
        return [*fields, Field(at, "payload", hex_bytes(payload), meaning)]
    masked = PARTS["masked"].marked(hex_bytes(wire))
    fields.append(Field(at, "masked payload", masked, "payload XOR masking key"))
    return [*fields, Field("", "payload", hex_bytes(payload), meaning)]


def _at(start: int, size: int) -> str:
    return str(start) if size < 2 else f"{start}–{start + size - 1}"


def describe_payload(header: Header, payload: bytes, lead: bytes | None = b"") -> str:
    """Say in words what a frame's payload, or the beginning of it, means.

    payload: unmasked; shorter than header.length if the rest was not kept or has not come.
    lead: the first bytes of a character that the frame before this one left incomplete; None if
    unknown.
    """
    has_all = len(payload) == header.length
    if header.opcode == Opcode.CLOSE and has_all:
        return _describe_close(payload)
    if header.rsv & RSV1 and header.opcode in (Opcode.TEXT, Opcode.BINARY):
        return f"{_bytes(header.length)}, compressed"
    if not payload:
        return ""
    if header.opcode == Opcode.BINARY:
        return _bytes(header.length)
    ends = has_all and (header.fin or header.opcode not in (Opcode.TEXT, Opcode.CONTINUATION))
    return _describe_text(payload, lead, has_all=has_all, ends=ends)


def _bytes(count: int) -> str:
    return f"{count} byte{'s' * (count != 1)}"


def _describe_text(payload: bytes, lead: bytes | None, *, has_all: bool, ends: bool) -> str:
    """Quote a fragment of a text; a character that is cut in two counts where it ends."""
    said = []
    if lead is None:  # then bytes that can only end a character are taken for its end
        rest = payload.lstrip(_LATER)
        if size := len(payload) - len(rest):
            said, payload = [f"the last {_bytes(size)} of a character"], rest
    text, begun = decoded_so_far((lead or b"") + payload, is_complete=ends)
    if text:
        more = " …" if not has_all and len(text) <= 60 else ""
        said.append(printable(text) + more + ", begun in the frame before" * bool(lead))
    if begun and has_all:
        said.append(f"{_bytes(len(begun))} of a character that goes on")
    return ", then ".join(said)


def _describe_close(payload: bytes) -> str:
    try:
        code, reason = Close.parse(payload)
    except ProtocolError as error:
        return error.message
    return describe_close(code, reason) if payload else "no close code"
