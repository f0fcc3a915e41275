"""Bilibili's packets can be read as they were written, and hostile ones get clear errors."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslab import lab
from wslab.apps.danmaku.bilibili import (
    DEEPEST,
    HEADER,
    LARGEST,
    PACKETS,
    BodyVersion,
    LiveOperation,
    LivePacket,
    LivePackets,
    PacketError,
    packed,
    read_packets,
    reply_to,
    wanted_version,
)
from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import trackers
from wslab.protocol.frames import Frame, Opcode

COMMENT = LivePacket(LiveOperation.MESSAGE, b'{"cmd":"DANMU_MSG"}', BodyVersion.JSON)
COUNT = LivePacket(LiveOperation.HEARTBEAT_REPLY, b"\x00\x00\x00\x2a")
WRITERS = {
    BodyVersion.ZLIB: zlib.compress,
    BodyVersion.BROTLI: brotli.compress,
}


def wrapped(run: bytes, version: BodyVersion) -> bytes:
    return LivePacket(LiveOperation.MESSAGE, WRITERS[version](run), version).serialize()


def test_the_bytes_of_a_packet() -> None:
    """An authentication of npm's client, and a reply, byte by byte."""
    ask = LivePacket(LiveOperation.AUTHENTICATION, b'{"roomid":42}')
    assert ask.serialize()[:16] == bytes.fromhex("0000001d 0010 0001 00000007 00000001")
    assert COUNT.serialize() == bytes.fromhex("00000014 0010 0001 00000003 00000001 0000002a")


def test_what_packets_mean() -> None:
    assert read_packets(COUNT.serialize())[0].value == 42
    assert read_packets(COMMENT.serialize())[0].value == {"cmd": "DANMU_MSG"}
    beat = LivePacket(LiveOperation.HEARTBEAT, b"[object Object]")
    assert read_packets(beat.serialize())[0].value is None


@pytest.mark.parametrize("beat", [b"{}", b"[object Object]", b"[object Object]" * 3])
def test_a_reply_repeats_the_heartbeat_and_does_not_count_it(beat: bytes) -> None:
    """So Bilibili's servers answer: the length is 20, whatever stands behind it."""
    data = COUNT.serialize() + beat
    assert read_packets(data) == [COUNT]
    assert read_packets(COMMENT.serialize() + data) == [COMMENT, COUNT]
    assert meanings("/sub", data) == ["version 1 · operation 3 heartbeat reply 42"]


packets = st.lists(
    st.builds(
        LivePacket,
        st.integers(0, 2**32 - 1),
        st.binary(max_size=60),
        st.sampled_from([BodyVersion.JSON, BodyVersion.PLAIN]),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(packets=packets, version=st.sampled_from(list(BodyVersion)))
def test_what_is_written_can_be_read(packets: list[LivePacket], version: BodyVersion) -> None:
    assert read_packets(packed(packets, version)) == packets


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80) | packets.map(lambda run: packed(run)[:-1]))
def test_any_bytes_are_packets_or_an_error(data: bytes) -> None:
    with suppress(PacketError):
        read = read_packets(data)
        behind = data.removeprefix(packed(read))
        assert not behind or read[-1].operation == LiveOperation.HEARTBEAT_REPLY


@settings(max_examples=60, deadline=None)
@given(
    version=st.sampled_from(list(WRITERS)),
    place=st.integers(16, 60),
    value=st.integers(0, 255),
)
def test_a_damaged_body_is_packets_or_an_error(
    version: BodyVersion, place: int, value: int
) -> None:
    data = bytearray(wrapped(COMMENT.serialize() * 3, version))
    data[min(place, len(data) - 1)] = value
    with suppress(PacketError):
        assert read_packets(bytes(data))


@pytest.mark.parametrize("version", WRITERS)
def test_a_compressed_run_stands_in_the_place_of_its_packet(version: BodyVersion) -> None:
    data = COUNT.serialize() + wrapped(COMMENT.serialize() * 3, version) + COUNT.serialize()
    assert read_packets(data) == [COUNT, COMMENT, COMMENT, COMMENT, COUNT]
    nested = wrapped(wrapped(COMMENT.serialize(), BodyVersion.ZLIB) + COUNT.serialize(), version)
    assert read_packets(nested) == [COMMENT, COUNT]


def header(size: int, head: int = 16, version: int = 0, operation: int = 5) -> bytes:
    return HEADER.pack(size, head, version, operation, 1)


BAD = {
    "nothing": (b"", "a message of 0 bytes, expected at least one packet"),
    "half a header": (b"\x00" * 15, "15 bytes at byte 0, expected a header of 16"),
    "half a second header": (COMMENT.serialize() + b"\x00" * 3, "3 bytes at byte 35"),
    "half a packet behind a reply": (COUNT.serialize() + COMMENT.serialize()[:-1], "length is 35"),
    "a length of zero": (header(0), "the packet length is 0 at byte 0, expected 16 to 16"),
    "a length below the header": (header(15), "the packet length is 15"),
    "a length beyond the message": (header(17), "the packet length is 17"),
    "the longest length": (header(2**32 - 1) + b"{}", "the packet length is 4294967295"),
    "a header of another length": (
        header(16, 18),
        "the header length is 18 at byte 0, expected 16",
    ),
    "an unknown version": (header(16, version=4), "the version is 4 at byte 0, expected 0 to 3"),
    "no zlib": (header(20, version=2) + b"abcd", "the body is not zlib's"),
    "no brotli": (header(20, version=3) + b"\xff" * 4, "the body is not brotli's"),
    "an empty zlib body": (header(16, version=2), "a zlib body of 0 bytes does not end"),
    "an empty brotli body": (header(16, version=3), "a brotli body of 0 bytes does not end"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_packet(name: str) -> None:
    data, said = BAD[name]
    with pytest.raises(PacketError) as raised:
        read_packets(data)
    assert said in str(raised.value)


@pytest.mark.parametrize("version", WRITERS)
def test_a_body_ends_where_its_stream_ends(version: BodyVersion) -> None:
    body = WRITERS[version](COMMENT.serialize())
    for changed in (body[:-1], body + b"\x00"):
        with pytest.raises(PacketError):
            read_packets(LivePacket(5, changed, version).serialize())


@pytest.mark.parametrize("version", WRITERS)
def test_a_bomb_does_not_go_off(version: BodyVersion) -> None:
    """16 MiB of zeros in a few kilobytes: read no further than the limit."""
    run = LivePacket(5, bytes(16 << 20)).serialize()
    body = zlib.compress(run) if version == BodyVersion.ZLIB else brotli.compress(run, quality=1)
    data = LivePacket(5, body, version).serialize()
    assert len(data) < 20_000
    with pytest.raises(PacketError, match=f"more than {LARGEST} bytes"):
        read_packets(data)


@pytest.mark.parametrize("version", WRITERS)
def test_the_limit_is_for_the_whole_message(version: BodyVersion) -> None:
    half = wrapped(LivePacket(5, bytes(LARGEST // 2 - 16)).serialize(), version)
    assert len(read_packets(half + half)) == 2
    with pytest.raises(PacketError, match="more than"):
        read_packets(half + half + wrapped(COUNT.serialize(), version))
    inside = wrapped(half + half, version)  # its own bytes count as well
    with pytest.raises(PacketError, match="more than"):
        read_packets(inside)


@pytest.mark.parametrize("version", BodyVersion)
def test_the_packets_of_a_message_are_counted(version: BodyVersion) -> None:
    """Otherwise a message of 2 KB could ask for 65,000 answers to heartbeats."""
    beats = [LivePacket(LiveOperation.HEARTBEAT)] * PACKETS
    is_wrapped = version in WRITERS  # whose own packet counts as well
    assert len(read_packets(packed(beats[is_wrapped:], version))) == PACKETS - is_wrapped
    with pytest.raises(PacketError, match=f"more than {PACKETS} packets"):
        read_packets(packed([*beats, COUNT], version))


@pytest.mark.parametrize("version", WRITERS)
def test_nesting_has_an_end(version: BodyVersion) -> None:
    data = COMMENT.serialize()
    for _ in range(DEEPEST):
        data = wrapped(data, version)
    assert read_packets(data) == [COMMENT]
    for _ in range(20):
        data = wrapped(data, version)
    with pytest.raises(PacketError, match="within each other"):
        read_packets(data)


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"[" * 5000, b"NaN", b"1" * 5000],
    ids=lambda body: body[:4].decode("latin1"),
)
def test_a_body_that_is_not_json(body: bytes) -> None:
    with pytest.raises(PacketError, match="is not JSON in UTF-8"):
        _ = LivePacket(5, body, 0).value


def test_a_reply_without_a_number() -> None:
    with pytest.raises(PacketError, match="3 bytes, expected 4"):
        _ = LivePacket(LiveOperation.HEARTBEAT_REPLY, b"abc").value


# A server's answers


@pytest.mark.parametrize(
    ("asked", "version"),
    [({}, 2), ({"protover": 0}, 0), ({"protover": 1}, 0), ({"protover": 3}, 3)],
)
def test_what_a_client_wants(asked: object, version: int) -> None:
    packet = LivePacket(LiveOperation.AUTHENTICATION, json.dumps(asked).encode())
    assert wanted_version(packet) == version
    assert reply_to(packet, is_known=False, viewers=1).value == {"code": 0}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"protover":4}', b'{"protover":"2"}', b'{"protover":[]}']
)
def test_what_no_client_wants(body: bytes) -> None:
    with pytest.raises(PacketError, match="expected a JSON object with a protover of 0 to 3"):
        wanted_version(LivePacket(LiveOperation.AUTHENTICATION, body))


def test_whose_turn_it_is() -> None:
    beat, ask = LivePacket(LiveOperation.HEARTBEAT), LivePacket(LiveOperation.AUTHENTICATION, b"{}")
    assert reply_to(beat, is_known=True, viewers=7).value == 7
    for packet, is_known, said in ((beat, False, "expected 7"), (ask, True, "expected 2")):
        with pytest.raises(PacketError, match=said):
            reply_to(packet, is_known=is_known, viewers=7)


# In a transcript


def meanings(path: str, *payloads: bytes, opcode: Opcode = Opcode.BINARY) -> list[str]:
    tape = Tape()
    client, server = trackers(tape, 1)
    client.feed(f"GET {path} HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".encode())
    server.feed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    for payload in payloads:
        server.feed(Frame(opcode, payload).serialize())
    return [row.meaning for row in lab.Transcript(tape)[2:]]


def test_a_transcript_shows_packets() -> None:
    data = wrapped(COMMENT.serialize() * 2, BodyVersion.BROTLI)
    whole, count, bad = meanings("/sub", data, COUNT.serialize(), b"abc")
    line = """version 0 · operation 5 message '{"cmd":"DANMU_MSG"}'"""
    assert whole == (
        f"{len(data)} bytes · version 3 brotli · operation 5 message\n  {line}\n  {line}"
    )
    assert count == "version 1 · operation 3 heartbeat reply 42"
    assert bad.startswith("not a packet: 3 bytes at byte 0, expected a header of 16")
    assert "operation" not in meanings("/chat", data)[0]
    assert meanings("/sub?x=1", b"hello", opcode=Opcode.TEXT)[0].startswith("not a packet: a text")


def test_a_part_of_a_message_is_described_by_its_header() -> None:
    rows = LivePackets()
    data = wrapped(COMMENT.serialize(), BodyVersion.ZLIB)
    described = rows.message(data[:20], is_text=False, is_complete=False)
    assert described == f"{len(data)} bytes · version 2 zlib · operation 5 message …"
    assert rows.message(data[:9], is_text=False, is_complete=False) == "9 bytes of a header …"
    odd = LivePacket(99, b"\x1b[31m", 1).serialize()
    assert rows.message(odd, is_text=False, is_complete=True) == (
        r"version 1 · operation 99 unknown " + repr("\x1b[31m").replace("'", '"')
    )
    assert rows.body(b"x", is_complete=True) == ""
