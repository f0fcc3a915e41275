"""A frame taken apart, valid or not, complete or not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslab import lab
from wslab.lab.wire.anatomy import describe_payload, opcode_name
from wslab.protocol.close import Close
from wslab.protocol.frames import Frame, Header, Opcode

MASK = bytes.fromhex("37fa213d")


def meanings(data):
    return {field.name: field.meaning for field in lab.dissect(data)}


def said(opcode, payload, *, rsv=0, kept=None):
    """Describe a payload, of which only so many bytes were kept."""
    data = Frame(opcode, payload, rsv=rsv).serialize()
    header = Header.parse(data)
    return describe_payload(header, payload[:kept])


def test_the_example_of_the_rfc():
    """RFC 6455 §5.7: a single-frame masked text message."""
    data = Frame(Opcode.TEXT, b"Hello", mask=MASK).serialize()
    assert repr(lab.dissect(data)).split("\n") == [
        "byte  bits              field           meaning",
        "0     1... ....         FIN             the last frame of its message",
        "0     .000 ....         RSV1-3          not used",
        "0     .... 0001         opcode          TEXT",
        "1     1... ....         MASK            masked, as from a client",
        "1     .000 0101         length code     5 bytes of payload",
        "2–5   [37 fa 21 3d]     masking key     random for each frame",
        "6–10  {7f 9f 4d 51 58}  masked payload  payload XOR masking key",
        '      48 65 6c 6c 6f    payload         "Hello"',
    ]


@pytest.mark.parametrize(
    ("size", "bits", "at", "length"),
    [
        (126, ".111 1110", "2–3", "00 7e"),
        (65535, ".111 1110", "2–3", "ff ff"),
        (65536, ".111 1111", "2–9", "00 00 00 00 00 01 00 00"),
    ],
)
def test_extended_lengths(size, bits, at, length):
    fields = {f.name: f for f in lab.dissect(Frame(Opcode.BINARY, bytes(size)).serialize())}
    assert fields["length code"].bits == bits
    count = 2 if at == "2–3" else 8
    assert fields["length code"].meaning == f"the length is in the next {count} bytes"
    assert fields["length"][:] == (at, "length", length, f"{size} bytes of payload")
    assert fields["payload"].bits.endswith(" …")


def test_flags_in_words():
    data = bytes([0b0101_0000, 0])
    assert meanings(data) == {
        "FIN": "more frames of this message follow",
        "RSV1-3": "in use: 101",
        "opcode": "CONTINUATION",
        "MASK": "not masked, as from a server",
        "length code": "0 bytes of payload",
    }
    assert meanings(b"\x83\x00")["opcode"] == "reserved 0x3"
    assert opcode_name(0xA) == "PONG"


@pytest.mark.parametrize(("data", "at"), [(b"", "0"), (b"\x81", "0"), (b"\x81\x85\x37", "0–2")])
def test_a_header_that_is_not_complete(data, at):
    (field,) = lab.dissect(data)
    assert field == (at, "header", data.hex(" "), "not complete yet")


def test_one_byte_of_payload():
    assert lab.dissect(b"\x81\x01x")[-1][:3] == ("2", "payload", "78")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", "no close code"),
        (Close(1000).serialize(), "1000 NORMAL_CLOSURE"),
        (Close(1001, "bye\n").serialize(), '1001 GOING_AWAY "bye\\n"'),
        (Close(4000, "mine").serialize(), '4000 "mine"'),
        (b"\x03", "CLOSE payload is 1 byte, not 0 or at least 2"),
        (b"\x03\xed", "close code 1005 may not be sent"),
        (b"\x03\xe8\xff", "the close reason is not UTF-8: invalid start byte at byte 0"),
    ],
)
def test_close_frames(payload, text):
    assert said(Opcode.CLOSE, payload) == text


@pytest.mark.parametrize(
    ("opcode", "payload", "options", "text"),
    [
        (Opcode.TEXT, b"", {}, ""),
        (Opcode.TEXT, "你好".encode(), {}, '"你好"'),
        (Opcode.TEXT, b"\xff\x00", {}, '"\\xff\\x00"'),
        (Opcode.TEXT, b"zip", {"rsv": 0b100}, "3 bytes, compressed"),
        (Opcode.BINARY, b"\0\1", {}, "2 bytes"),
        (Opcode.PING, b"are you there", {}, '"are you there"'),
        (Opcode.TEXT, b"a" * 61, {}, f'"{"a" * 60}" …'),
        (Opcode.TEXT, b"abc", {"kept": 2}, '"ab" …'),
        (Opcode.TEXT, "a你".encode(), {"kept": 2}, '"a" …'),  # cut inside a character: by us
        (Opcode.TEXT, b"a\xffb\xe4", {"kept": 3}, '"a\\xffb" …'),
        (Opcode.CLOSE, b"\x03\xe8bye", {"kept": 3}, '"\\x03\\xe8b" …'),
    ],
)
def test_payloads_in_words(opcode, payload, options, text):
    assert said(opcode, payload, **options) == text


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_taken_apart(data):
    assert repr(lab.dissect(data)).isprintable() or "\n" in repr(lab.dissect(data))
