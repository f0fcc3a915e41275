"""Frames, RFC 6455 §5: the RFC's examples, every boundary, every check, and two oracles.

The oracles are `websockets.frames.Frame` for what one frame means and the library's sans-I/O
connections (`ServerProtocol`, `ClientProtocol`) for what a whole peer makes of it.
"""

from __future__ import annotations

import importlib.util
import sys
from array import array
from collections.abc import Generator, Iterator
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets import exceptions as oracle_errors
from websockets import frames as oracle
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.uri import parse_uri
from websockets.utils import apply_mask as oracle_mask

from wslab.protocol import (
    RSV1,
    RSV2,
    RSV3,
    Close,
    CloseCode,
    Frame,
    Header,
    Opcode,
    PeerError,
    ProtocolError,
    apply_mask,
    check_header,
    frames,
    parse_hex,
)

MASK = bytes.fromhex("37fa213d")  # the masking key of the RFC's examples

# RFC 6455 §5.7: the frames, the bytes.
RFC_EXAMPLES = [
    # a single-frame unmasked text message
    ([Frame(Opcode.TEXT, b"Hello")], "81 05 48 65 6c 6c 6f"),
    # a single-frame masked text message
    ([Frame(Opcode.TEXT, b"Hello", mask=MASK)], "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
    # a fragmented unmasked text message
    (
        [Frame(Opcode.TEXT, b"Hel", fin=False), Frame(Opcode.CONTINUATION, b"lo")],
        "01 03 48 65 6c 80 02 6c 6f",
    ),
    # unmasked Ping request and masked Pong response
    ([Frame(Opcode.PING, b"Hello")], "89 05 48 65 6c 6c 6f"),
    ([Frame(Opcode.PONG, b"Hello", mask=MASK)], "8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
    # 256 bytes binary message in a single unmasked frame
    ([Frame(Opcode.BINARY, bytes(256))], "82 7e 01 00" + " 00" * 256),
    # 64KiB binary message in a single unmasked frame
    ([Frame(Opcode.BINARY, bytes(65536))], "82 7f 00 00 00 00 00 01 00 00" + " 00" * 65536),
]

# The payload lengths on either side of each change, and the bytes of a header without a mask.
BOUNDARIES = [
    (0, "82 00"),
    (1, "82 01"),
    (125, "82 7d"),
    (126, "82 7e 00 7e"),
    (127, "82 7e 00 7f"),
    (65535, "82 7e ff ff"),
    (65536, "82 7f 00 00 00 00 00 01 00 00"),
]

# Headers that no endpoint may send: bytes, `Frame.parse`'s arguments, close code, message.
KEY = " 37 fa 21 3d"
ZEROS = " 00" * 6
BAD_HEADERS: list[tuple[str, dict[str, Any], int, str]] = [
    # §5.2: reserved opcodes and bits
    *((f"8{code:x} 00", {}, 1002, f"opcode 0x{code:x} is reserved") for code in range(3, 8)),
    *((f"8{code:x} 00", {}, 1002, f"opcode 0x{code:x} is reserved") for code in range(11, 16)),
    ("c1 00", {}, 1002, "RSV bits are 100, but extensions use 000"),
    ("a1 00", {}, 1002, "RSV bits are 010, but extensions use 000"),
    ("91 00", {}, 1002, "RSV bits are 001, but extensions use 000"),
    ("f1 00", {"rsv": RSV1}, 1002, "RSV bits are 111, but extensions use 100"),
    # §5.5: control frames
    ("89 7e 00 7e", {}, 1002, "PING payload is 126 bytes, limit 125"),
    ("88 7e ff ff", {}, 1002, "CLOSE payload is 65535 bytes, limit 125"),
    ("0a 00", {}, 1002, "PONG is fragmented"),
    ("09 05", {}, 1002, "PING is fragmented"),
    # §5.1: who masks
    ("81 00", {"masked": True}, 1002, "a client's frame is not masked"),
    ("81 80" + KEY, {"masked": False}, 1002, "a server's frame is masked"),
    # §5.2: the fewest bytes, and 63 bits
    ("82 7e 00 00", {}, 1002, "length 0 is written in 2 extra bytes"),
    ("82 7e 00 7d", {}, 1002, "length 125 is written in 2 extra bytes"),
    ("82 fe 00 7d" + KEY, {}, 1002, "length 125 is written in 2 extra bytes"),
    ("82 7f" + ZEROS + " ff ff", {}, 1002, "length 65535 is written in 8 extra bytes"),
    ("82 ff" + ZEROS + " ff ff" + KEY, {}, 1002, "length 65535 is written in 8 extra bytes"),
    ("89 7e 00 05", {}, 1002, "length 5 is written in 2 extra bytes"),
    ("82 7f 80 00" + ZEROS, {}, 1002, "the top bit of the 64-bit length is set"),
    ("82 7f ff ff" + " ff" * 6, {"limit": 9}, 1002, "the top bit of the 64-bit length is set"),
    # §10.4: the limit holds before the payload is there
    ("82 7f 40 00" + ZEROS, {"limit": 1 << 20}, 1009, f"payload is {1 << 62} bytes, limit 1048576"),
    ("82 ff 40 00" + ZEROS + KEY, {"limit": 0}, 1009, f"payload is {1 << 62} bytes, limit 0"),
    ("82 11", {"limit": 16}, 1009, "payload is 17 bytes, limit 16"),
    ("89 7e 00 7e", {"limit": 9}, 1002, "PING payload is 126 bytes, limit 125"),
]
# Payload sizes around the pieces in which large payloads are masked without C.


@st.composite
def any_frame(draw: st.DrawFn) -> Frame:
    """A frame that obeys RFC 6455, with any reserved bits."""
    opcode = draw(st.sampled_from(Opcode))
    control = opcode >= Opcode.CLOSE
    size = draw(st.integers(0, 125) if control else st.sampled_from([0, 1, 5, 125, 126, 300]))
    payload = draw(st.binary(min_size=size, max_size=size))
    return Frame(
        opcode,
        payload,
        fin=control or draw(st.booleans()),
        rsv=draw(st.integers(0, 7)),
        mask=draw(st.none() | st.binary(min_size=4, max_size=4)),
    )


def read_all(chunks: Iterator[bytes] | list[bytes], **options: Any) -> list[Frame]:
    """Parse frames from a stream that arrives in these chunks, as a connection would."""
    buffer, found = bytearray(), []
    for chunk in chunks:
        buffer += chunk
        start = 0
        while (result := Frame.parse(buffer, start, **options)) is not None:
            frame, start = result
            found.append(frame)
        del buffer[:start]
    assert not buffer
    return found


def read_by_oracle(data: bytes, *, masked: bool, limit: int | None = None) -> oracle.Frame | None:
    """Let websockets parse one frame; None if it waits for more."""
    reader = StreamReader()
    reader.feed_data(data)
    parser = oracle.Frame.parse(reader.read_exact, mask=masked, max_size=limit)
    return run(parser)


def run(parser: Generator[None, None, oracle.Frame]) -> oracle.Frame | None:
    try:
        next(parser)
    except StopIteration as stop:
        frame: oracle.Frame = stop.value
        return frame
    return None


def open_peer(*, server: bool) -> ServerProtocol | ClientProtocol:
    """A connection of websockets' own, after its opening handshake."""
    if server:
        return ServerProtocol(state=State.OPEN, max_size=None)
    return ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)


class TestExamples:
    """RFC 6455 §5.7."""

    @pytest.mark.parametrize(("expected", "text"), RFC_EXAMPLES, ids=range(len(RFC_EXAMPLES)))
    def test_parse(self, expected: list[Frame], text: str) -> None:
        assert read_all([bytes.fromhex(text)]) == expected

    @pytest.mark.parametrize(("sent", "text"), RFC_EXAMPLES, ids=range(len(RFC_EXAMPLES)))
    def test_serialize(self, sent: list[Frame], text: str) -> None:
        assert b"".join(frame.serialize() for frame in sent) == bytes.fromhex(text)

    def test_fields(self) -> None:
        frame = Frame(Opcode.TEXT)
        assert frame == (Opcode.TEXT, b"", True, 0, None)


class TestRegistries:
    """The numbers are the RFC's (§5.2, §11.8), as the library has them too."""

    def test_opcodes(self) -> None:
        assert [int(opcode) for opcode in Opcode] == [int(opcode) for opcode in oracle.Opcode]
        assert [opcode.name for opcode in Opcode][1:] == [o.name for o in oracle.Opcode][1:]

    @pytest.mark.parametrize(("bit", "first"), [(RSV1, 0xC1), (RSV2, 0xA1), (RSV3, 0x91)])
    def test_reserved_bits(self, bit: int, first: int) -> None:
        data = Frame(Opcode.TEXT, rsv=bit).serialize()
        assert data == bytes([first, 0])
        assert Frame.parse(data, rsv=bit) == (Frame(Opcode.TEXT, rsv=bit), 2)
        with pytest.raises(ProtocolError, match="RSV"):
            Frame.parse(data, rsv=7 & ~bit)


class TestLength:
    """§5.2: the length is written in as few bytes as possible."""

    @pytest.mark.parametrize(("length", "header"), BOUNDARIES)
    @pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
    def test_boundaries(self, length: int, header: str, mask: bytes | None) -> None:
        frame = Frame(Opcode.BINARY, bytes(range(256)) * (length // 256 + 1), mask=mask)
        frame = frame._replace(payload=frame.payload[:length])
        data = frame.serialize()
        expected = bytearray.fromhex(header)
        if mask is not None:
            expected[1] |= 0x80
            expected += mask
        assert data.startswith(bytes(expected))
        assert len(data) == len(expected) + length
        assert Frame.parse(data) == (frame, len(data))
        assert Header.parse(data) == (True, 0, Opcode.BINARY, mask, length, len(expected))

    @pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
    def test_longest(self, mask: bytes | None) -> None:
        """A length of 2**63 - 1 is valid; its payload does not have to be there to read it."""
        data = b"\x82" + bytes([0x7F if mask is None else 0xFF]) + b"\x7f" + b"\xff" * 7
        data += mask or b""
        header = Header.parse(data)
        assert header is not None
        assert header.length == (1 << 63) - 1
        assert check_header(header, None) is Opcode.BINARY
        assert Frame.parse(data) is None

    @pytest.mark.parametrize("length", [0, 16, 17, 126, 65536])
    def test_limit_is_inclusive(self, length: int) -> None:
        data = Frame(Opcode.BINARY, bytes(length)).serialize()
        assert Frame.parse(data, limit=length) == (Frame(Opcode.BINARY, bytes(length)), len(data))
        with pytest.raises(ProtocolError) as caught:
            Frame.parse(data[: len(data) - length], limit=length - 1)
        assert caught.value.code == CloseCode.MESSAGE_TOO_BIG

    @pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG])
    def test_control_frames_have_a_limit_of_their_own(self, opcode: Opcode) -> None:
        """The limit is for messages (§10.4); 125 bytes are always welcome (§5.5)."""
        frame = Frame(opcode, bytes(100))
        assert Frame.parse(frame.serialize(), limit=50) == (frame, 102)
        assert Frame.parse(frame.serialize(), limit=0) == (frame, 102)


class TestChecks:
    """Every rule that one frame can break by itself (§5.1, §5.2, §5.5, §10.4)."""

    @pytest.mark.parametrize(("text", "options", "code", "message"), BAD_HEADERS)
    def test_refused_with_the_header_alone(
        self, text: str, options: dict[str, Any], code: int, message: str
    ) -> None:
        data = bytes.fromhex(text)
        with pytest.raises(ProtocolError) as caught:
            Frame.parse(data, **options)
        error = caught.value
        assert error.code == code
        assert message in str(error)
        assert error.section.startswith("RFC 6455 §")
        assert str(error) == f"{error.message} ({error.section})"
        assert all(Frame.parse(data[:size], **options) is None for size in range(len(data)))
        assert Header.parse(data) is not None  # a tool that shows traffic can still show it

    def test_errors_are_values_errors_of_one_tree(self) -> None:
        assert issubclass(ProtocolError, PeerError)
        assert issubclass(PeerError, ValueError)
        assert ProtocolError("seen", "RFC").code == CloseCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG])
    def test_control_frames_are_short_and_whole(self, opcode: Opcode) -> None:
        assert len(Frame(opcode, bytes(125)).serialize()) == 127
        for payload, fin in [(bytes(126), True), (b"", False)]:
            with pytest.raises(ProtocolError, match=opcode.name):
                Frame(opcode, payload, fin).serialize()
            broken = Frame(opcode, payload, fin).serialize(check=False)
            assert Header.parse(broken) is not None
            with pytest.raises(ProtocolError, match=opcode.name):
                Frame.parse(broken)

    @pytest.mark.parametrize("opcode", [3, 7, 11, 15])
    def test_reserved_opcodes_are_written_only_on_request(self, opcode: int) -> None:
        with pytest.raises(ProtocolError, match=rf"^opcode 0x{opcode:x} is reserved \(RFC 6455 §5"):
            Frame(opcode, b"x").serialize()
        assert Frame(opcode, b"x").serialize(check=False) == bytes([0x80 | opcode, 1, *b"x"])

    @pytest.mark.parametrize("check", [True, False])
    @pytest.mark.parametrize(
        ("opcode", "rsv"), [(16, 0), (-1, 0), (128, 0), (256, 4), (1, 8), (9, -1), (0, -8)]
    )
    def test_a_header_has_four_bits_and_three(self, opcode: int, rsv: int, check: bool) -> None:
        """A larger number would turn up in other fields."""
        message = rf"^opcode is {opcode}, at most 15; rsv is {rsv}, at most 7 \(RFC 6455 §5.2\)$"
        for fin in (True, False):
            with pytest.raises(ValueError, match=message):
                Frame(opcode, b"x", fin, rsv).serialize(check=check)

    @pytest.mark.parametrize("opcode", Opcode)
    @pytest.mark.parametrize("rsv", range(8))
    def test_an_extension_may_use_every_bit(self, opcode: Opcode, rsv: int) -> None:
        frame = Frame(opcode, b"x", rsv=rsv)
        assert Frame.parse(frame.serialize(), rsv=rsv) == (frame, 3)

    @pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
    @pytest.mark.parametrize("check", [True, False])
    def test_text_must_be_encoded(self, mask: bytes | None, check: bool) -> None:
        """The most likely mistake of all."""
        frame = Frame(Opcode.TEXT, cast(bytes, "Hello"), mask=mask)
        message = r"^payload is str, not bytes; encode text: text\.encode\(\)$"
        with pytest.raises(TypeError, match=message):
            frame.serialize(check=check)

    @pytest.mark.parametrize("payload", [5, None, [72, 105], array("I", [1])])
    def test_a_payload_is_bytes(self, payload: Any) -> None:
        name = type(payload).__name__
        with pytest.raises(TypeError, match=rf"^payload is {name}, not bytes; "):
            Frame(Opcode.BINARY, payload).serialize()

    @pytest.mark.parametrize("opcode", [Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY])
    def test_data_frames_may_be_long_and_fragments(self, opcode: Opcode) -> None:
        frame = Frame(opcode, bytes(126), fin=False)
        assert Frame.parse(frame.serialize()) == (frame, 130)

    @pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
    def test_mask_is_not_judged_without_a_role(self, mask: bytes | None) -> None:
        data = Frame(Opcode.TEXT, b"Hello", mask=mask).serialize()
        assert Frame.parse(data) == Frame.parse(data, masked=mask is not None)

    @pytest.mark.parametrize("size", [0, 3, 5])
    def test_mask_is_four_bytes(self, size: int) -> None:
        with pytest.raises(ValueError, match=f"4 bytes, this one is {size}"):
            Frame(Opcode.TEXT, b"Hello", mask=bytes(size)).serialize()

    @pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
    @pytest.mark.parametrize(
        "payload",
        [
            bytearray(b"abcdefgh"),
            memoryview(b"abcdefgh"),
            memoryview(b"abcdefgh").cast("I"),
            memoryview(b"abcdefgh").cast("B", (2, 4)),
            memoryview(b"a-b-c-d-e-f-g-h-")[::2],
        ],
    )
    def test_every_kind_of_bytes(self, payload: bytes, mask: bytes | None) -> None:
        """A memoryview has a length in items, a frame in bytes."""
        data = Frame(Opcode.BINARY, payload, mask=mask).serialize()
        assert data == Frame(Opcode.BINARY, b"abcdefgh", mask=mask).serialize()
        assert type(data) is bytes


class TestStream:
    """TCP delivers bytes, in pieces of its own choosing."""

    @given(frame=any_frame())
    def test_parse_undoes_serialize(self, frame: Frame) -> None:
        data = frame.serialize()
        options: dict[str, Any] = {"rsv": frame.rsv, "masked": frame.mask is not None}
        assert Frame.parse(data, **options) == (frame, len(data))
        assert all(Frame.parse(data[:n], **options) is None for n in range(len(data)))

    @given(frame=any_frame(), before=st.binary(max_size=20), after=st.binary(max_size=20))
    def test_start_and_end(self, frame: Frame, before: bytes, after: bytes) -> None:
        stream = before + frame.serialize() + after
        end = len(stream) - len(after)
        for data in (stream, bytearray(stream), memoryview(stream)):
            result = Frame.parse(data, len(before), rsv=7)
            assert result == (frame, end)
            assert result is not None
            assert isinstance(result[0].payload, bytes)

    @given(
        frames=st.lists(any_frame(), max_size=4),
        cuts=st.lists(st.integers(0, 2000), max_size=8),
    )
    def test_every_chunking(self, frames: list[Frame], cuts: list[int]) -> None:
        data = b"".join(frame.serialize() for frame in frames)
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        assert read_all([data[a:b] for a, b in pairwise(edges)], rsv=7) == frames

    def test_byte_by_byte(self) -> None:
        expected = [frame for frames, _ in RFC_EXAMPLES[:-1] for frame in frames]
        data = b"".join(frame.serialize() for frame in expected)
        assert read_all(bytes([byte]) for byte in data) == expected

    @given(data=st.binary(max_size=40), masked=st.sampled_from([True, False, None]))
    @example(data=b"\x82\xff" + b"\xff" * 12, masked=True)
    @example(data=b"\x88\x01\x00", masked=False)
    def test_any_bytes_parse_or_raise_protocol_error(
        self, data: bytes, masked: bool | None
    ) -> None:
        """And the verdict depends on the bytes, not on how they were cut."""

        def verdict(size: int) -> object:
            try:
                return Frame.parse(data[:size], masked=masked, limit=30)
            except ProtocolError as error:
                return str(error), error.code

        verdicts = [verdict(size) for size in range(len(data) + 1)]
        final = verdicts[-1]
        first = next((v for v in verdicts if v is not None), None)
        assert first == final
        if isinstance(final, tuple) and isinstance(final[0], Frame):
            frame, end = final
            assert frame.serialize() == data[:end]


class TestOracle:
    """The same bytes mean the same to `websockets`, in both directions."""

    @given(frame=any_frame())
    def test_the_library_reads_what_we_write(self, frame: Frame) -> None:
        frame = frame._replace(rsv=0)
        theirs = read_by_oracle(frame.serialize(), masked=frame.mask is not None)
        assert theirs == oracle.Frame(oracle.Opcode(frame.opcode), frame.payload, frame.fin)

    @given(frame=any_frame(), masked=st.booleans())
    def test_we_read_what_the_library_writes(self, frame: Frame, masked: bool) -> None:
        theirs = oracle.Frame(oracle.Opcode(frame.opcode), frame.payload, frame.fin)
        data = theirs.serialize(mask=masked)
        result = Frame.parse(data, masked=masked)
        assert result is not None
        ours, end = result
        assert end == len(data)
        assert ours == frame._replace(rsv=0, mask=ours.mask)
        assert ours.serialize() == data

    @given(
        first=st.integers(0, 255),
        length=st.sampled_from([0, 1, 5, 125, 126, 300]),
        masked=st.booleans(),
        expected=st.booleans(),
        limit=st.sampled_from([None, 125, 1000]),
    )
    def test_the_library_refuses_what_we_refuse(
        self, first: int, length: int, masked: bool, expected: bool, limit: int | None
    ) -> None:
        mask = MASK if masked else None
        plain = Frame(Opcode.BINARY, bytes(length), mask=mask).serialize()
        data = bytes([first]) + plain[1:]
        ours: object
        theirs: object
        try:
            ours = Frame.parse(data, masked=expected, limit=limit) is not None
        except ProtocolError as error:
            ours = error.code
        try:
            theirs = read_by_oracle(data, masked=expected, limit=limit) is not None
        except oracle_errors.ProtocolError:
            theirs = 1002
        except oracle_errors.PayloadTooBig:
            # It looks at the size before the reserved bits and the rules for control frames.
            theirs = ours if ours == 1002 and length > (limit or 0) else 1009
        assert ours == theirs

    @pytest.mark.parametrize("length", ["7e 00 05", "7f 00 00 00 00 00 00 00 05"])
    def test_the_library_accepts_a_length_in_too_many_bytes(self, length: str) -> None:
        """A difference: §5.2 says that the shortest form MUST be used; websockets lets it pass."""
        data = bytes.fromhex(f"82 {length}") + b"Hello"
        assert read_by_oracle(data, masked=False) == oracle.Frame(oracle.BINARY, b"Hello")
        with pytest.raises(ProtocolError, match="fewer suffice"):
            Frame.parse(data)

    @pytest.mark.parametrize("server", [True, False], ids=["server", "client"])
    def test_a_whole_connection_reads_us(self, server: bool) -> None:
        peer = open_peer(server=server)
        mask = MASK if server else None
        sent = [
            Frame(Opcode.TEXT, "Grüße, ".encode(), fin=False, mask=mask),
            Frame(Opcode.PING, b"there?", mask=mask),
            Frame(Opcode.CONTINUATION, "世界".encode(), mask=mask),
            Frame(Opcode.BINARY, bytes(70_000), mask=mask),
            Frame(Opcode.CLOSE, Close(1000, "bye").serialize(), mask=mask),
        ]
        peer.receive_data(b"".join(frame.serialize() for frame in sent))
        events: list[Any] = list(peer.events_received())
        assert [(event.opcode, event.data, event.fin) for event in events] == [
            (frame.opcode, frame.payload, frame.fin) for frame in sent
        ]
        assert peer.parser_exc is None
        replies = read_all([b"".join(peer.data_to_send())], masked=not server)
        assert [(reply.opcode, reply.payload) for reply in replies] == [
            (Opcode.PONG, b"there?"),
            (Opcode.CLOSE, Close(1000, "bye").serialize()),
        ]

    @pytest.mark.parametrize("server", [True, False], ids=["server", "client"])
    def test_we_read_a_whole_connection(self, server: bool) -> None:
        peer = open_peer(server=server)
        peer.send_text(b"Hel", fin=False)
        peer.send_ping(b"")
        peer.send_continuation(b"lo", fin=True)
        peer.send_binary(bytes(65_536))
        peer.send_close(4999, "done")
        got = read_all([b"".join(peer.data_to_send())], masked=not server)
        assert [frame._replace(mask=None) for frame in got] == [
            Frame(Opcode.TEXT, b"Hel", fin=False),
            Frame(Opcode.PING),
            Frame(Opcode.CONTINUATION, b"lo"),
            Frame(Opcode.BINARY, bytes(65_536)),
            Frame(Opcode.CLOSE, Close(4999, "done").serialize()),
        ]
        assert all((frame.mask is None) == server for frame in got)


class TestMask:
    """§5.3, with the C helper and without it."""

    @pytest.fixture(params=["C", "Python"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        if request.param == "Python":
            monkeypatch.setattr(frames, "xor", frames.xor_in_python)
        elif frames.xor is frames.xor_in_python:
            pytest.skip("this platform's wheel of websockets has no C extension")
        return str(request.param)

    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("masked", [b"\x7f\x9f\x4d\x51\x58"])
    def test_example(self, masked: bytes) -> None:
        assert apply_mask(b"Hello", MASK) == masked
        assert apply_mask(masked, MASK) == b"Hello"

    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("size", [*range(10), 125, 126, 200_001])
    def test_like_the_definition(self, size: int) -> None:
        """octet i of the payload meets octet i modulo 4 of the key."""
        data = bytes(i * 7 & 0xFF for i in range(size))
        expected = bytes(byte ^ MASK[i % 4] for i, byte in enumerate(data))
        for form in (data, bytearray(data), memoryview(data)):
            masked = apply_mask(form, MASK)
            assert masked == expected
            assert type(masked) is bytes
        assert apply_mask(expected, MASK) == data

    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("mask", [b"", b"abc", b"abcde"])
    def test_wrong_key(self, mask: bytes) -> None:
        with pytest.raises(ValueError, match=f"4 bytes, this one is {len(mask)}"):
            apply_mask(b"Hello", mask)

    @given(data=st.binary(max_size=300), mask=st.binary(min_size=4, max_size=4))
    def test_both_ways_like_the_library(self, data: bytes, mask: bytes) -> None:
        ours = frames.xor_in_python(data, mask)
        assert ours == apply_mask(data, mask) == oracle_mask(data, mask)

    def test_a_platform_without_the_c_helper(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "websockets.speedups", None)
        spec = importlib.util.spec_from_file_location("frames_without_c", frames.__file__)
        assert spec is not None
        assert spec.loader is not None
        without_c = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(without_c)
        assert without_c.xor is without_c.xor_in_python
        assert without_c.apply_mask(b"Hello", MASK) == apply_mask(b"Hello", MASK)

    @pytest.mark.usefixtures("way")
    def test_a_large_payload_in_a_frame(self) -> None:
        frame = Frame(Opcode.BINARY, bytes(range(256)) * 600, mask=MASK)
        assert Frame.parse(frame.serialize()) == (frame, 256 * 600 + 14)


class TestHexadecimalText:
    """Wherever bytes of a frame are expected, text as tables write it will do."""

    @pytest.mark.parametrize(
        "text",
        [
            "8185 37fa213d 7f9f4d5158",
            "81 85 37 fa 21 3d 7f 9f 4d 51 58",
            "81:85:37:FA:21:3D:7F:9F:4D:51:58",
            "0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58",
            "81 85 [37 fa 21 3d] {7f 9f 4d 51 58}",
            r"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        ],
    )
    def test_as_people_write_it(self, text: str) -> None:
        data = parse_hex(text)
        assert Frame.parse(text) == Frame.parse(data) == (Frame(1, b"Hello", mask=MASK), 11)
        assert Header.parse(text) == Header.parse(data)

    @pytest.mark.parametrize(
        ("text", "message"),
        [("Hello", "^'H' is not a hexadecimal digit: "), ("81 0", ", but 3 is an odd number$")],
    )
    def test_other_text_says_what_is_wrong(self, text: str, message: str) -> None:
        for read in (parse_hex, Header.parse, Frame.parse):
            with pytest.raises(ValueError, match=message):
                cast(Any, read)(text)
