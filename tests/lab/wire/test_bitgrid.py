"""The bit grid: the RFC's own examples, and every bit of a frame in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.lab.wire.bitgrid import BITS, SHOWN, BitGrid
from wslab.protocol.frames import Frame, Opcode

MASKED = bytes.fromhex("818537fa213d7f9f4d5158")  # RFC 6455 §5.7


def test_a_masked_hello():
    assert repr(BitGrid(MASKED)).split("\n")[1:7] == [
        "+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+",
        "|F|1|2|3| TEXT  |M|   length    |          masking key          |",
        "|1|0|0|0| 0001  |1|   0000101   |            [37 fa]            |",
        "+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+",
        "|                               |        masked payload         |",
        "|            [21 3d]            |            {7f 9f}            |",
    ]


@given(
    payload=st.binary(max_size=300),
    mask=st.none() | st.binary(min_size=4, max_size=4),
    opcode=st.sampled_from([Opcode.TEXT, Opcode.BINARY]),
)
def test_every_bit_is_there_in_order(payload, mask, opcode):
    wire = Frame(opcode, payload, mask=mask).serialize()
    grid = BitGrid(wire)
    drawn = wire[: len(wire) - grid.left_out]
    assert grid.left_out == max(0, len(payload) - SHOWN)
    values = [cell.value for line in grid.lines for cell in line]
    bits = "".join(values[:7])
    assert bits == f"{wire[0]:08b}{wire[1]:08b}"
    assert bytes.fromhex("".join(values[7:]).translate(str.maketrans("", "", "[]{} "))) == drawn[2:]
    assert {sum(cell.width for cell in line) for line in grid.lines[:-1]} <= {BITS}


def test_a_reserved_opcode_and_a_payload_that_has_not_come():
    grid = BitGrid(b"\x83\x05H")
    assert [cell.name for cell in grid.lines[0]] == [
        "F",
        "1",
        "2",
        "3",
        "reserve",
        "M",
        "length",
        "payload",
    ]


@pytest.mark.parametrize("data", [b"", b"\x81", b"\x81\x85\x00", b"\x81\x7e\x00"])
def test_half_a_header_has_no_grid(data):
    with pytest.raises(ValueError, match=f"{len(data)} bytes are not a whole header"):
        BitGrid(data)
