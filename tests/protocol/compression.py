"""Rows about compressed messages (RFC 7692 §6, §7.2)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from wslab.exercises.conformance.row import Case, fragment, raw
from wslab.protocol import RSV1, RSV2, RSV3, Frame, Opcode
from wslab.protocol.connection import Role
from wslab.protocol.deflate import Deflate
from wslab.protocol.events import Binary, Ping, Text

__all__ = ["COMPRESSION", "DEFLATE", "FORGET", "NARROW", "Compressed"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode

DEFLATE = Deflate()
FORGET = Deflate(server_no_context_takeover=True, client_no_context_takeover=True)
NARROW = Deflate(server_max_window_bits=9, client_max_window_bits=9)
HELLO = raw("f248cdc9c90700")


@dataclass(frozen=True)
class Compressed(Case):
    """A row for a connection that compresses, as agreed on in the opening handshake."""

    deflate: Deflate = DEFLATE

    def written(self, data: bytes, role: Role, *, rsv: int = RSV1) -> Iterator[Frame]:
        """Read what the endpoint wrote, decompressed: zlib, and the four bytes of §7.2.2."""
        bits, takeover = self.deflate.window(server=role is Role.SERVER)
        inflater, compressed = zlib.decompressobj(-bits), False
        for frame in super().written(data, role, rsv=rsv):
            if frame.opcode in (TEXT, BINARY):
                compressed = bool(frame.rsv)
                if not takeover:
                    inflater = zlib.decompressobj(-bits)
            if compressed and frame.opcode < CLOSE:
                tail = b"\x00\x00\xff\xff" if frame.fin else b""
                frame = frame._replace(payload=inflater.decompress(frame.payload + tail))
            yield frame


def squeezed(data: bytes, opcode: Opcode = TEXT, fin: bool = True) -> Frame:
    """Return a frame that begins a compressed message."""
    return Frame(opcode, data, fin, RSV1)


def deflated(data: bytes, bits: int = 15) -> bytes:
    """Return data compressed, in an encoder of its own."""
    encoder = zlib.compressobj(9, wbits=-bits)
    return (encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data: bytes) -> bytes:
    """Return data decompressed."""
    return zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff")


def _far_back() -> tuple[Frame, Frame]:
    """Return a message of 1024 bytes, and the same again as a reference back to it."""
    message = bytes(range(256)) + bytes(range(255, -1, -1))
    message += message[::2] + message[1::2]
    encoder = zlib.compressobj(9, wbits=-15)
    first, second = (
        (encoder.compress(message) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(2)
    )
    return squeezed(first, BINARY), squeezed(second, BINARY)


COMPRESSION = [
    # RSV1 on the first frame tells that the message is compressed.
    Compressed(
        "a compressed message",
        "RFC 7692 §7.2.3.1",
        sends=(squeezed(HELLO),),
        delivers=(Text("Hello"),),
    ),
    # Without RSV1 a message is taken as it is.
    Compressed(
        "a message that is not compressed",
        "RFC 7692 §6",
        sends=(Frame(TEXT, b"Hello"), squeezed(HELLO)),
        delivers=(Text("Hello"), Text("Hello")),
    ),
    # Only the first fragment has RSV1; control frames are not compressed.
    Compressed(
        "a compressed message in fragments, control frames between them",
        "RFC 7692 §6.1, §7.2.3.1",
        sends=(
            squeezed(HELLO[:3], fin=False),
            Frame(PING, b"1"),
            fragment(b"", CONTINUATION),
            Frame(CONTINUATION, HELLO[3:]),
        ),
        delivers=(Ping(b"1"), Text("Hello")),
        replies=(Frame(PONG, b"1"),),
    ),
    # RSV1 MUST NOT be set on later fragments.
    Compressed(
        "CONTINUATION with RSV1",
        "RFC 7692 §6.1",
        sends=(squeezed(HELLO[:3], fin=False), Frame(CONTINUATION, HELLO[3:], rsv=RSV1)),
        fails=1002,
    ),
    *(
        # An endpoint MUST NOT set RSV1 of control frames, a receiver MUST fail.
        Compressed(
            f"{opcode.name} with RSV1",
            "RFC 7692 §6",
            sends=(Frame(opcode, b"", rsv=RSV1),),
            fails=1002,
        )
        for opcode in (PING, PONG, CLOSE)
    ),
    *(
        # RSV MUST be 0 unless an extension is negotiated that defines meanings for it.
        Compressed(
            f"RSV bits {rsv:03b} with compression agreed on",
            "RFC 6455 §5.2",
            sends=(Frame(TEXT, HELLO, rsv=rsv),),
            fails=1002,
        )
        for rsv in (RSV2, RSV3, RSV1 | RSV2)
    ),
    # The window is kept between messages, unless the sender agreed to empty it.
    Compressed(
        "a message that refers to the one before",
        "RFC 7692 §7.2.3.2",
        sends=(squeezed(HELLO), squeezed(raw("f200110000"))),
        delivers=(Text("Hello"), Text("Hello")),
    ),
    # A message that is not compressed leaves the window alone.
    Compressed(
        "a message that refers to the one before the last, not compressed itself",
        "RFC 7692 §7.2.2",
        sends=(squeezed(HELLO), Frame(TEXT, b"between"), squeezed(raw("f200110000"))),
        delivers=(Text("Hello"), Text("between"), Text("Hello")),
    ),
    # A sender that agreed to *_no_context_takeover MUST NOT use the window again.
    Compressed(
        "a message that refers to the one before, against the agreement",
        "RFC 7692 §7.1.1",
        sends=(squeezed(HELLO), squeezed(raw("f200110000"))),
        delivers=(Text("Hello"),),
        fails=1007,
        deflate=FORGET,
        differs="the library answers 1002",
    ),
    # Any kind of DEFLATE block may be used.
    Compressed(
        "a message without compression in its blocks",
        "RFC 7692 §7.2.3.3",
        sends=(squeezed(raw("000500faff48656c6c6f00")),),
        delivers=(Text("Hello"),),
    ),
    # A sender may flush with a final block; the next message is decompressed as ever.
    Compressed(
        "messages with a final block",
        "RFC 7692 §7.2.3.4",
        sends=(
            squeezed(raw("f348cdc9c9070000")),
            squeezed(HELLO),
            squeezed(raw("f348cdc9c9070000")),
        ),
        delivers=(Text("Hello"),) * 3,
        differs="the library takes the first message, and from then on every one for empty",
    ),
    # A message may have any number of DEFLATE blocks.
    Compressed(
        "a message of two blocks",
        "RFC 7692 §7.2.3.5",
        sends=(squeezed(raw("f248050000 00ffffcac9c90700")),),
        delivers=(Text("Hello"),),
    ),
    # An empty message is one byte, 0x00.
    Compressed(
        "empty messages",
        "RFC 7692 §7.2.3.6",
        sends=(squeezed(b"\0"), squeezed(b"\0"), squeezed(HELLO)),
        delivers=(Text(""), Text(""), Text("Hello")),
    ),
    *(
        # What cannot be decompressed fails the connection: 1007, its type is not what it says.
        Compressed(
            f"not deflated data: {payload.hex(' ')}",
            "RFC 7692 §7.2.2; RFC 6455 §7.4.1",
            sends=(squeezed(payload),),
            fails=1007,
            differs="the library answers 1002; RFC 7692 names no code, wsproto and ws say 1007",
        )
        for payload in (raw("ffffffff"), raw("07"), raw("000500000048656c6c6f"))
    ),
    # Upon text that is not valid UTF-8, an endpoint MUST _Fail the Connection_.
    Compressed(
        "text that is not UTF-8 when decompressed",
        "RFC 6455 §8.1",
        sends=(squeezed(deflated(raw("ceba ff"))),),
        fails=1007,
    ),
    # Implementations MUST impose limits on the size after reassembly.
    Compressed(
        "a bomb: 1 KB that becomes 1 MB",
        "RFC 6455 §10.4",
        sends=(squeezed(deflated(bytes(1_000_000)), BINARY),),
        fails=1009,
    ),
    # Implementations MUST impose limits on the size after reassembly.
    Compressed(
        "a bomb in a frame that has not ended",
        "RFC 6455 §10.4",
        sends=(squeezed(deflated(bytes(1_000_000)), BINARY, fin=False),),
        fails=1009,
    ),
    # A sender MUST NOT use a larger window than agreed.
    Compressed(
        "a message that refers back further than the window",
        "RFC 7692 §7.1.2",
        sends=_far_back(),
        delivers=(Binary(inflated(_far_back()[0].payload)),),
        fails=1007,
        deflate=NARROW,
        differs="the library answers 1002",
    ),
    # RSV1 is set on the first fragment only.
    Compressed(
        "we send compressed fragments",
        "RFC 7692 §6.1",
        calls=(("send_text", "Hel", {"fin": False}), ("ping", b"1"), ("send_text", "lo")),
        replies=(squeezed(b"Hel", fin=False), Frame(PING, b"1"), Frame(CONTINUATION, b"lo")),
    ),
    *(
        # A sender keeps to the window that was agreed on.
        Compressed(
            f"we send messages, the last one empty: {name}",
            "RFC 7692 §7.1, §7.2.1",
            calls=(*(("send_binary", data) for data in messages),),
            replies=(*(squeezed(data, BINARY) for data in messages),),
            deflate=deflate,
        )
        for messages in ((b"Hello", b"Hello", bytes(range(256)) * 8, b"Hello", b"", b""),)
        for name, deflate in (("takeover", DEFLATE), ("no takeover", FORGET), ("9 bits", NARROW))
    ),
]
