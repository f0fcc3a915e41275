"""Rows about frames, fragments and control frames (RFC 6455 §5.1 to §5.5)."""

from __future__ import annotations

from wslab.exercises.conformance.row import (
    BINARY,
    CLIENT,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    SERVER,
    TEXT,
    Case,
    closing,
    fragment,
    raw,
)
from wslab.protocol import RSV1, RSV2, RSV3, Frame
from wslab.protocol.connection import Role
from wslab.protocol.errors import quantity
from wslab.protocol.events import Binary, Ping, Pong, Text

__all__ = ["CONTROL", "FRAGMENTS", "FRAMING"]

FRAMING = [
    Case(
        "a client's frame is not masked",
        "RFC 6455 §5.1",
        "The server MUST close the connection upon receiving a frame that is not masked.",
        sends=(raw("81 05 48656c6c6f"),),
        fails=1002,
        roles=SERVER,
    ),
    Case(
        "a server's frame is masked",
        "RFC 6455 §5.1",
        "A client MUST close a connection if it detects a masked frame.",
        sends=(raw("81 85 37fa213d 7f9f4d5158"),),
        fails=1002,
        roles=CLIENT,
    ),
    Case(
        "we send text",
        "RFC 6455 §5.1",
        "A client MUST mask all frames that it sends, a server MUST NOT mask any.",
        calls=(("send_text", "Hello"),),
        replies=(Frame(TEXT, b"Hello"),),
    ),
    *(
        Case(
            f"RSV bits {rsv:03b} on {opcode.name}",
            "RFC 6455 §5.2",
            "RSV MUST be 0 unless an extension is negotiated that defines meanings for it.",
            sends=(Frame(opcode, b"", rsv=rsv),),
            fails=1002,
        )
        for rsv in (RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3)
        for opcode in (TEXT, BINARY, PING, CLOSE)
    ),
    *(
        Case(
            f"opcode {opcode:#x}",
            "RFC 6455 §5.2",
            "If an unknown opcode is received, the endpoint MUST _Fail the Connection_.",
            sends=(Frame(opcode, b"?"),),
            fails=1002,
        )
        for opcode in (*range(0x3, 0x8), *range(0xB, 0x10))
    ),
    *(
        Case(
            f"length {size}, written as {start}",
            "RFC 6455 §5.2",
            "The minimal number of bytes MUST be used to encode the length.",
            sends=(raw(start) + raw("00" * 4) * (role is Role.SERVER) + bytes(size),),
            fails=1002,
            roles=(role,),
            differs="the library takes any encoding; the rule binds the sender, and an endpoint "
            "that takes two encodings for one may be read differently by a firewall",
        )
        for role, size, start in (
            (Role.SERVER, 5, "82 fe 0005"),
            (Role.CLIENT, 5, "82 7e 0005"),
            (Role.SERVER, 125, "82 ff 000000000000007d"),
            (Role.CLIENT, 65535, "82 7f 000000000000ffff"),
        )
    ),
    *(
        Case(
            "a 64-bit length with its top bit set",
            "RFC 6455 §5.2",
            "The most significant bit of a 64-bit length MUST be 0.",
            sends=(raw(start),),
            fails=1002,
            roles=(role,),
            differs="the library answers 1009: too long it is as well",
        )
        for role, start in (
            (Role.SERVER, "82 ff 8000000000000000 37fa213d"),
            (Role.CLIENT, "82 7f 8000000000000000"),
        )
    ),
    *(
        Case(
            f"a payload of {quantity(size, 'byte')}",
            "RFC 6455 §5.2",
            "Every length is received and sent in its own encoding.",
            sends=(Frame(BINARY, bytes(size)),),
            calls=(("send_binary", bytes(size)),),
            delivers=(Binary(bytes(size)),),
            replies=(Frame(BINARY, bytes(size)),),
        )
        for size in (0, 1, 125, 126, 127, 65535, 65536)
    ),
]

FRAGMENTS = [
    Case(
        "a message in three fragments, one of them empty",
        "RFC 6455 §5.4",
        "A fragmented message is equivalent to one frame with the payloads joined in order.",
        sends=(fragment(b"Hel"), fragment(b"", CONTINUATION), Frame(CONTINUATION, b"lo")),
        delivers=(Text("Hello"),),
    ),
    Case(
        "control frames between fragments",
        "RFC 6455 §5.4",
        "Endpoints MUST be capable of handling control frames amid a fragmented message.",
        sends=(fragment(b"Hel"), Frame(PING, b"1"), Frame(PONG, b"2"), Frame(CONTINUATION, b"lo")),
        delivers=(Ping(b"1"), Pong(b"2"), Text("Hello")),
        replies=(Frame(PONG, b"1"),),
    ),
    Case(
        "CONTINUATION without a message",
        "RFC 6455 §5.4",
        "A continuation has to follow a frame that began a message and did not end it.",
        sends=(Frame(CONTINUATION, b"Hello"),),
        fails=1002,
    ),
    Case(
        "CONTINUATION after the last fragment",
        "RFC 6455 §5.4",
        "A continuation has to follow a frame that began a message and did not end it.",
        sends=(fragment(b"Hel"), Frame(CONTINUATION, b"lo"), Frame(CONTINUATION, b"!")),
        delivers=(Text("Hello"),),
        fails=1002,
    ),
    *(
        Case(
            f"{opcode.name} amid a fragmented message, FIN {fin:d}",
            "RFC 6455 §5.4",
            "The fragments of one message MUST NOT be interleaved with those of another.",
            sends=(fragment(b"Hel"), Frame(opcode, b"new", fin=fin)),
            fails=1002,
        )
        for opcode in (TEXT, BINARY)
        for fin in (True, False)
    ),
    Case(
        "we send fragments and a Ping",
        "RFC 6455 §5.4",
        "The fragments MUST be delivered in the order sent; only the last one has FIN.",
        calls=(
            ("send_text", "Hel", {"fin": False}),
            ("ping", b"1"),
            ("send_text", "l", {"fin": False}),
            ("send_text", "o"),
        ),
        replies=(
            fragment(b"Hel"),
            Frame(PING, b"1"),
            fragment(b"l", CONTINUATION),
            Frame(CONTINUATION, b"o"),
        ),
    ),
    Case(
        "we would send binary amid a text message",
        "RFC 6455 §5.4",
        "The fragments of one message MUST NOT be interleaved with those of another.",
        calls=(("send_text", "Hel", {"fin": False}), ("send_binary", b"new")),
        refused=True,
        replies=(fragment(b"Hel"),),
    ),
]

CONTROL = [
    *(
        Case(
            f"{opcode.name} with 126 bytes",
            "RFC 6455 §5.5",
            "All control frames MUST have a payload length of 125 bytes or less.",
            sends=(Frame(opcode, b"\x03\xe8" + bytes(124)),),
            fails=1002,
        )
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        Case(
            f"{opcode.name} with FIN clear",
            "RFC 6455 §5.5",
            "All control frames MUST NOT be fragmented.",
            sends=(fragment(b"\x03\xe8", opcode),),
            fails=1002,
        )
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        Case(
            f"we would send {name} with 126 bytes",
            "RFC 6455 §5.5",
            "All control frames MUST have a payload length of 125 bytes or less.",
            calls=((name, *arguments),),
            refused=True,
        )
        for name, arguments in (
            ("ping", (bytes(126),)),
            ("pong", (bytes(126),)),
            ("close", (1000, "r" * 124)),
        )
    ),
    *(
        Case(
            f"PING with {size} bytes",
            "RFC 6455 §5.5.2, §5.5.3",
            "Upon a Ping an endpoint MUST send a Pong, with identical application data.",
            sends=(Frame(PING, b"\xff" * size),),
            delivers=(Ping(b"\xff" * size),),
            replies=(Frame(PONG, b"\xff" * size),),
        )
        for size in (0, 1, 125)
    ),
    Case(
        "PING after our Close",
        "RFC 6455 §5.5.2",
        "A Ping is answered unless the peer's Close was received; ours does not matter.",
        calls=(("close", 1000),),
        sends=(Frame(PING, b"1"),),
        delivers=(Ping(b"1"),),
        replies=(closing(1000), Frame(PONG, b"1")),
    ),
    Case(
        "PONG out of the blue",
        "RFC 6455 §5.5.3",
        "A response to an unsolicited Pong is not expected.",
        sends=(Frame(PONG, b"1"),),
        delivers=(Pong(b"1"),),
    ),
]
