"""A frame as the grid of RFC 6455 §5.2, with 32 bits a line and the values of this frame in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wslab.lab.wire.anatomy import PARTS, opcode_name
from wslab.protocol.frames import Header

__all__ = ["BITS", "BitGrid", "Cell"]

BITS = 32  # of a line
SHOWN = 20  # bytes of the payload that are drawn


class Cell(NamedTuple):
    """A run of bits in one line.

    kind: a key of `PARTS`. width: in bits. value: its bits, or its bytes in hexadecimal.
    name: the field's name; empty if the field goes on from the line above.
    """

    kind: str
    width: int
    name: str
    value: str


class BitGrid:
    """The frame at the beginning of data, whether it is valid or not.

    lines: its cells, line by line. left_out: how many bytes of payload are not drawn.
    Raises ValueError if the header is not complete.
    """

    def __init__(self, data: bytes) -> None:
        header = Header.parse(data)
        if header is None:
            raise ValueError(f"{len(data)} bytes are not a whole header of a frame")
        payload = data[header.size :][: header.length]
        self.left_out = max(0, len(payload) - SHOWN)
        self.lines = _lines([*_bits(data, header), *_bytes(data, header, payload[:SHOWN])])

    def __repr__(self) -> str:
        """Draw with characters, two for each bit, as the RFC does."""
        drawn = [" " + " ".join(str(bit % 10) for bit in range(BITS))]
        for line in self.lines:
            drawn.append("+" + "-+" * sum(cell.width for cell in line))
            for texts in ([cell.name for cell in line], [cell.value for cell in line]):
                sizes = [2 * cell.width - 1 for cell in line]
                parts = [f"{text[:size]:^{size}}" for text, size in zip(texts, sizes, strict=True)]
                drawn.append("|" + "|".join(parts) + "|")
        drawn.append("+" + "-+" * sum(cell.width for cell in self.lines[-1]))
        rest = [f"and {self.left_out} more bytes of payload"] * bool(self.left_out)
        return "\n".join(drawn + rest)


def _bits(data: bytes, header: Header) -> list[Cell]:
    """Return the fields of the first two bytes."""
    bits = f"{data[0]:08b}{data[1]:08b}"
    flags = [Cell("header", 1, name, bit) for name, bit in zip("F123", bits[:4], strict=True)]
    opcode = Cell("header", 4, opcode_name(header.opcode)[:7], bits[4:8])
    return [*flags, opcode, Cell("header", 1, "M", bits[8]), Cell("header", 7, "length", bits[9:])]


def _bytes(data: bytes, header: Header, payload: bytes) -> Iterator[Cell]:
    """Yield the other fields, a cell for each byte."""
    key = header.mask or b""
    fields = [
        ("header", "extended length", data[2 : header.size - len(key)]),
        ("key", "masking key", key),
        *[("masked", "masked payload", payload) if key else ("payload", "payload", payload)],
    ]
    for kind, name, part in fields:
        for number, byte in enumerate(part):
            yield Cell(kind, 8, "" if number else name, f"{byte:02x}")


def _lines(cells: list[Cell]) -> list[list[Cell]]:
    """Break into lines of 32 bits, and join the bytes of a field in one line, with its marks."""
    lines: list[list[Cell]] = []
    place = 0
    for cell in cells:
        if place % BITS == 0:
            lines.append([])
        line = lines[-1]
        if line and cell.width == 8 and not cell.name:
            kind, width, name, value = line[-1]
            line[-1] = Cell(kind, width + 8, name, f"{value} {cell.value}")
        else:
            line.append(cell)
        place += cell.width
    return [
        [cell._replace(value=PARTS[cell.kind].marked(cell.value)) for cell in line]
        for line in lines
    ]
