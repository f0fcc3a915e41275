"""permessage-deflate: the RFC's examples, both ways; windows, boundaries, and what zlib cannot.

What is negotiated is a table in conformance.py, and so are the rules for frames.
"""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.protocol import Extension, HandshakeError, Headers, ProtocolError
from wslab.protocol.connection import Connection, Role
from wslab.protocol.deflate import Deflate, Deflater, Inflater, agreed
from wslab.protocol.events import Binary, Text

ROOM = 1 << 20
PARAMETERS = st.builds(
    Deflate,
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.integers(9, 15)),
    st.one_of(st.none(), st.integers(9, 15)),
)

# RFC 7692 §7.2.3: the messages' payloads, and what they say.
RFC_EXAMPLES = [
    ("f2 48 cd c9 c9 07 00", b"Hello"),  # §7.2.3.1
    ("00 05 00 fa ff 48 65 6c 6c 6f 00", b"Hello"),  # §7.2.3.3, without compression
    ("f3 48 cd c9 c9 07 00 00", b"Hello"),  # §7.2.3.4, with a final block
    ("f2 48 05 00 00 00 ff ff ca c9 c9 07 00", b"Hello"),  # §7.2.3.5, two blocks
    ("00", b""),  # §7.2.3.6
]


@pytest.mark.parametrize(("payload", "message"), RFC_EXAMPLES)
def test_examples(payload: str, message: bytes) -> None:
    assert Inflater().inflate(bytes.fromhex(payload), ROOM) == message


@pytest.mark.parametrize(("payload", "message"), RFC_EXAMPLES)
def test_examples_byte_by_byte(payload: str, message: bytes) -> None:
    inflater, data = Inflater(), bytes.fromhex(payload)
    for _ in range(2):
        parts = [inflater.inflate(bytes([byte]), ROOM, end=False) for byte in data]
        assert b"".join(parts) + inflater.inflate(b"", ROOM) == message


def test_context_takeover() -> None:
    """§7.2.3.2: the second message refers to the first."""
    deflater, inflater = Deflater(), Inflater()
    payloads = [deflater.deflate(b"Hello") for _ in range(2)]
    assert [payload.hex(" ") for payload in payloads] == [
        "f2 48 cd c9 c9 07 00",
        "f2 00 11 00 00",
    ]
    assert [inflater.inflate(payload, ROOM) for payload in payloads] == [b"Hello"] * 2


def test_no_context_takeover() -> None:
    deflater = Deflater(takeover=False)
    assert deflater.deflate(b"Hello") == deflater.deflate(b"Hello")
    inflater = Inflater(takeover=False)
    inflater.inflate(bytes.fromhex("f248cdc9c90700"), ROOM)
    with pytest.raises(ProtocolError, match="too far back") as caught:
        inflater.inflate(bytes.fromhex("f200110000"), ROOM)
    assert caught.value.code == 1007


def test_empty_messages() -> None:
    """§7.2.3.6: one byte, whatever was sent before."""
    deflater, inflater = Deflater(), Inflater()
    messages = [b"", b"", b"Hello", b"", b""]
    payloads = [deflater.deflate(message) for message in messages]
    assert [payload.hex() for payload in payloads if len(payload) == 1] == ["00"] * 4
    assert [inflater.inflate(payload, ROOM) for payload in payloads] == messages


@given(
    messages=st.lists(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), max_size=6),
    bits=st.integers(9, 15),
    takeover=st.booleans(),
    size=st.integers(1, 300),
)
def test_round_trip(messages: list[list[bytes]], bits: int, takeover: bool, size: int) -> None:
    """Any messages, in any fragments, arriving in any pieces."""
    deflater, inflater = Deflater(bits, takeover), Inflater(bits, takeover)
    for fragments in messages:
        last = len(fragments) - 1
        parts = [deflater.deflate(data, end=i == last) for i, data in enumerate(fragments)]
        payload = b"".join(parts)
        pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
        found = [inflater.inflate(piece, ROOM, end=False) for piece in pieces]
        assert b"".join(found) + inflater.inflate(b"", ROOM) == b"".join(fragments)


@pytest.mark.parametrize("room", [0, 1, 99, 100])
def test_room(room: int) -> None:
    """Never more than a byte above; that byte tells."""
    for data in (bytes(100), bytes(range(100))):
        payload = Deflater().deflate(data)
        assert Inflater().inflate(payload, room) == data[: room + 1]


def test_room_with_a_final_block() -> None:
    """What follows a final block is held to the same room."""
    encoder = zlib.compressobj(wbits=-15)
    first = encoder.compress(bytes(60)) + encoder.flush()
    payload = first + Deflater().deflate(bytes(60))
    assert len(Inflater().inflate(payload, 100)) == 101
    assert len(Inflater().inflate(payload, 59)) == 60
    assert len(Inflater().inflate(payload, 120)) == 120


@pytest.mark.parametrize("blocks", [1, 2, 3, 500])
@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_several_final_blocks(blocks: int, size: int) -> None:
    """§7.2.1 sets no limit to the blocks of a message, nor to which of them are final."""
    parts = [b"Hello %d " % number * 3 for number in range(blocks)]
    payload = b"".join(final_block(part) for part in parts) + b"\x00"
    inflater = Inflater()
    for _ in range(2):
        pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
        found = b"".join(inflater.inflate(piece, ROOM, end=False) for piece in pieces)
        assert found + inflater.inflate(b"", ROOM) == b"".join(parts)


def test_final_blocks_without_end_are_an_attack() -> None:
    """Each of them costs as much as many bytes, and holds none."""
    with pytest.raises(ProtocolError, match="final blocks, too many for its size") as caught:
        Inflater().inflate(b"\x03\x00" * 500_000, 1 << 20)
    assert caught.value.code == 1009


def final_block(data: bytes) -> bytes:
    """Deflate data as a whole stream."""
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


@pytest.mark.parametrize(
    ("wish", "offer", "answer"),
    [(12, 10, 10), (10, 12, 10), (12, None, None), (12, 15, 12), (None, 10, None), (9, 9, 9)],
)
def test_a_clients_window_is_never_wider_than_it_offers(
    wish: int | None, offer: int | None, answer: int | None
) -> None:
    """§7.1.2.2: the answer has an equal or smaller value; without an offer there is none."""
    agreed = Deflate(client_max_window_bits=wish).negotiate(
        Deflate(client_max_window_bits=offer).extension()
    )
    assert agreed is not None
    assert Deflate.parse(agreed).client_max_window_bits == answer


@pytest.mark.parametrize("payload", ["ff", "07", "00 05 00 00 00", "f2 00 11 00 00"])
def test_not_deflated(payload: str) -> None:
    with pytest.raises(ProtocolError, match="not deflated data") as caught:
        Inflater().inflate(bytes.fromhex(payload), ROOM)
    assert caught.value.code == 1007


@given(st.binary(max_size=400), st.integers(8, 15), st.booleans())
def test_random_bytes(data: bytes, bits: int, takeover: bool) -> None:
    inflater = Inflater(bits, takeover)
    with contextlib.suppress(ProtocolError):
        for _ in range(2):
            assert len(inflater.inflate(data, 1000)) <= 1001


@pytest.mark.parametrize("bits", [8, 16])
def test_windows_that_zlib_does_not_have(bits: int) -> None:
    with pytest.raises(ValueError, match=f"{bits} bits, but zlib needs 9 to 15"):
        Deflater(bits)


def test_a_peer_may_use_8_bits() -> None:
    payload = Deflater(9).deflate(b"Hello" * 40)
    assert Inflater(8).inflate(payload, ROOM) == b"Hello" * 40


class TestNegotiation:
    @given(PARAMETERS)
    def test_written_as_read(self, parameters: Deflate) -> None:
        extension = parameters.extension()
        assert Deflate.parse(extension) == parameters
        assert Deflate.parse(extension, offer=True) == parameters

    @given(wished=PARAMETERS, offered=PARAMETERS)
    def test_both_understand_the_same(self, wished: Deflate, offered: Deflate) -> None:
        """Whatever a server of ours answers, a client of ours takes; and they can talk."""
        answer = wished.negotiate(offered.extension())
        assert answer is not None
        headers = Headers([("Sec-WebSocket-Extensions", str(answer))])
        server = Connection(Role.SERVER, deflate=agreed(headers))
        client = Connection(Role.CLIENT, masks=lambda: b"mask", deflate=agreed(headers, offered))
        for _ in range(3):
            for one, other in ((client, server), (server, client)):
                one.send_text("Hello " * 300)
                one.send_binary(bytes(1000), fin=False)
                one.send_binary(b"")
                events = other.receive(one.data_to_send())
                assert events == [Text("Hello " * 300), Binary(bytes(1000))]

    def test_no_compression(self) -> None:
        assert agreed(Headers()) is None
        assert agreed(Headers([("Sec-WebSocket-Extensions", "x-other; y=1")]), Deflate()) is None

    def test_errors_tell_both_sides(self) -> None:
        with pytest.raises(HandshakeError) as caught:
            Deflate(server_max_window_bits=10).check(Deflate(server_max_window_bits=11))
        assert str(caught.value) == (
            "permessage-deflate; server_max_window_bits=11 does not fit the offer, "
            "permessage-deflate; server_max_window_bits=10 (RFC 7692 §7.1)"
        )

    def test_errors_tell_the_parameter(self) -> None:
        with pytest.raises(HandshakeError, match="cannot have server_max_window_bits=99"):
            Deflate.parse(Extension("permessage-deflate", (("server_max_window_bits", "99"),)))
