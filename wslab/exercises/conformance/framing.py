"""Rows about frames, fragments and control frames (RFC 6455 §5.1 to §5.5)."""

from __future__ import annotations

from wslab.exercises.conformance.row import CLIENT, SERVER, Case, breach, closing, fragment, raw
from wslab.protocol import RSV1, RSV2, RSV3, Frame, Opcode
from wslab.protocol.connection import Role
from wslab.protocol.errors import quantity
from wslab.protocol.events import Binary, Ping, Pong, Text

__all__ = ["CONTROL", "FRAGMENTS", "FRAMING"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode
MASKED, BASE, FRAGMENTED, CONTROLS = (f"RFC 6455 §5.{number}" for number in (1, 2, 4, 5))

_TWO_ENCODINGS = (
    "the library takes any encoding, because the rule binds the sender; but a firewall might read "
    "the second encoding differently"
)

FRAMING = [
    # A client masks all its frames, and a server none. If not, the other side closes.
    breach("a client's frame is not masked", MASKED, raw("81 05 48656c6c6f"), roles=SERVER),
    breach("a server's frame is masked", MASKED, raw("81 85 37fa213d 7f9f4d5158"), roles=CLIENT),
    Case(
        "we send text",
        MASKED,
        calls=(("send_text", "Hello"),),
        replies=(Frame(TEXT, b"Hello"),),
    ),
    # RSV bits are 0 unless an extension that defines them was negotiated.
    *(
        breach(f"RSV bits {rsv:03b} on {opcode.name}", BASE, Frame(opcode, b"", rsv=rsv))
        for rsv in (RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3)
        for opcode in (TEXT, BINARY, PING, CLOSE)
    ),
    # An unknown opcode fails the connection.
    *(
        breach(f"opcode {opcode:#x}", BASE, Frame(opcode, b"?"))
        for opcode in (*range(0x3, 0x8), *range(0xB, 0x10))
    ),
    # The minimal number of bytes encodes the length, and the top bit of a 64-bit length is 0.
    *(
        breach(
            f"length {size}, written as {start}",
            BASE,
            raw(start) + raw("00" * 4) * (role is Role.SERVER) + bytes(size),
            roles=(role,),
            differs=_TWO_ENCODINGS,
        )
        for role, size, start in (
            (Role.SERVER, 5, "82 fe 0005"),
            (Role.CLIENT, 5, "82 7e 0005"),
            (Role.SERVER, 125, "82 ff 000000000000007d"),
            (Role.CLIENT, 65535, "82 7f 000000000000ffff"),
        )
    ),
    *(
        breach(
            "a 64-bit length with its top bit set",
            BASE,
            raw(start),
            roles=roles,
            differs="the library answers 1009, because the length is also over the limit",
        )
        for roles, start in (
            (SERVER, "82 ff 8000000000000000 37fa213d"),
            (CLIENT, "82 7f 8000000000000000"),
        )
    ),
    # Each length is received and sent in its own encoding.
    *(
        Case(
            f"a payload of {quantity(size, 'byte')}",
            BASE,
            (Frame(BINARY, bytes(size)),),
            calls=(("send_binary", bytes(size)),),
            delivers=(Binary(bytes(size)),),
            replies=(Frame(BINARY, bytes(size)),),
        )
        for size in (0, 1, 125, 126, 127, 65535, 65536)
    ),
]

FRAGMENTS = [
    # A fragmented message is equivalent to one frame with the payloads joined in order.
    Case(
        "a message in three fragments, one of them empty",
        FRAGMENTED,
        (fragment(b"Hel"), fragment(b"", CONTINUATION), Frame(CONTINUATION, b"lo")),
        delivers=(Text("Hello"),),
    ),
    Case(
        "control frames between fragments",
        FRAGMENTED,
        (fragment(b"Hel"), Frame(PING, b"1"), Frame(PONG, b"2"), Frame(CONTINUATION, b"lo")),
        delivers=(Ping(b"1"), Pong(b"2"), Text("Hello")),
        replies=(Frame(PONG, b"1"),),
    ),
    # A continuation follows a frame that began a message and did not end it.
    breach("CONTINUATION without a message", FRAGMENTED, Frame(CONTINUATION, b"Hello")),
    breach(
        "CONTINUATION after the last fragment",
        FRAGMENTED,
        *(fragment(b"Hel"), Frame(CONTINUATION, b"lo"), Frame(CONTINUATION, b"!")),
        delivers=(Text("Hello"),),
    ),
    # The fragments of one message are not interleaved with those of another.
    *(
        breach(
            f"{opcode.name} inside a fragmented message, FIN {fin:d}",
            FRAGMENTED,
            *(fragment(b"Hel"), Frame(opcode, b"new", fin=fin)),
        )
        for opcode in (TEXT, BINARY)
        for fin in (True, False)
    ),
    Case(
        "we send fragments and a Ping",
        FRAGMENTED,
        calls=(
            ("send_text", "Hel", {"fin": False}),
            ("ping", b"1"),
            ("send_text", "l", {"fin": False}),
            ("send_text", "o"),
        ),
        replies=(
            *(fragment(b"Hel"), Frame(PING, b"1")),
            *(fragment(b"l", CONTINUATION), Frame(CONTINUATION, b"o")),
        ),
    ),
    Case(
        "we would send binary inside a text message",
        FRAGMENTED,
        calls=(("send_text", "Hel", {"fin": False}), ("send_binary", b"new")),
        refused=True,
        replies=(fragment(b"Hel"),),
    ),
]

CONTROL = [
    # Control frames have 125 bytes or less, and are not fragmented.
    *(
        breach(f"{opcode.name} with 126 bytes", CONTROLS, Frame(opcode, b"\x03\xe8" + bytes(124)))
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        breach(f"{opcode.name} with FIN clear", CONTROLS, fragment(b"\x03\xe8", opcode))
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        Case(f"we would send {call[0]} with 126 bytes", CONTROLS, calls=(call,), refused=True)
        for call in (("ping", bytes(126)), ("pong", bytes(126)), ("close", 1000, "r" * 124))
    ),
    # A Ping is answered with a Pong of the same data, unless the peer's Close was received.
    *(
        Case(
            f"PING with {size} bytes",
            "RFC 6455 §5.5.2, §5.5.3",
            (Frame(PING, b"\xff" * size),),
            delivers=(Ping(b"\xff" * size),),
            replies=(Frame(PONG, b"\xff" * size),),
        )
        for size in (0, 1, 125)
    ),
    Case(
        "PING after our Close",
        "RFC 6455 §5.5.2",
        (Frame(PING, b"1"),),
        calls=(("close", 1000),),
        delivers=(Ping(b"1"),),
        replies=(closing(1000), Frame(PONG, b"1")),
    ),
    Case(
        "a PONG that nobody asked for",
        "RFC 6455 §5.5.3",
        (Frame(PONG, b"1"),),
        delivers=(Pong(b"1"),),
    ),
]
