"""Rows about the end, about text, and about too much (RFC 6455 §5.5.1, §7.4, §8.1, §10.4)."""

from __future__ import annotations

from wslab.exercises.conformance.row import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Case,
    closing,
    fragment,
    raw,
)
from wslab.protocol import Frame
from wslab.protocol.connection import Role
from wslab.protocol.errors import quantity
from wslab.protocol.events import Binary, Text

__all__ = ["CLOSING", "TOO_MUCH", "UTF8"]

CLOSING = [
    *(
        Case(
            f"CLOSE with {quantity(len(payload), 'byte')}",
            "RFC 6455 §5.5.1",
            "An endpoint that did not send a Close MUST reply with one; the code is echoed.",
            sends=(Frame(CLOSE, payload),),
            replies=(Frame(CLOSE, payload[:2]),),
        )
        for payload in (
            b"",
            raw("03e8"),
            raw("03e9") + "\u2713 bye".encode(),
            raw("0fa0") + b"r" * 123,
        )
    ),
    Case(
        "CLOSE in reply to ours",
        "RFC 6455 §5.5.1",
        "A Close that replies to ours is not replied to.",
        calls=(("close", 1001, "away"),),
        sends=(closing(1001),),
        replies=(closing(1001),),
    ),
    Case(
        "a message between our Close and the peer's",
        "RFC 6455 §5.5.1, §7.1.2",
        "Until the peer's Close arrives, what it sends counts.",
        calls=(("close",),),
        sends=(Frame(TEXT, b"last words"), closing(1000)),
        delivers=(Text("last words"),),
        replies=(closing(1000),),
    ),
    Case(
        "CLOSE amid a fragmented message",
        "RFC 6455 §5.4, §5.5.1",
        "Control frames MAY be injected in the middle of a fragmented message; Close is one.",
        sends=(fragment(b"Hel"), closing(1000)),
        replies=(closing(1000),),
        differs="the library fails with 1002; §5.4 lets control frames in between, and no rule "
        "makes an exception of Close",
    ),
    Case(
        "frames after CLOSE",
        "RFC 6455 §5.5.1, §1.4",
        "After a Close, a peer does not send any more data; what comes all the same is discarded.",
        sends=(closing(1000), Frame(TEXT, b"late"), Frame(PING, b"late"), raw("ffff")),
        replies=(closing(1000),),
    ),
    Case(
        "CLOSE with one byte",
        "RFC 6455 §5.5.1",
        "If there is a body, its first two bytes MUST be the code.",
        sends=(Frame(CLOSE, b"\x03"),),
        fails=1002,
    ),
    *(
        Case(
            f"CLOSE with code {code}",
            "RFC 6455 §7.4",
            "0 to 999 are not used; 1004 to 1006 and 1015 MUST NOT be set; 1016 to 2999 are "
            "undefined; the range ends with 4999.",
            sends=(closing(code),),
            fails=1002,
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    ),
    *(
        Case(
            f"CLOSE with code {code}",
            "RFC 6455 §7.4",
            "Defined codes, and those of libraries and applications, are received.",
            sends=(closing(code),),
            replies=(closing(code),),
        )
        for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
    ),
    *(
        Case(
            f"we would close with code {code}",
            "RFC 6455 §7.4",
            "1004 to 1006 and 1015 MUST NOT be set as a code in a Close frame.",
            calls=(("close", code, "why"),),
            refused=True,
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)
    ),
    *(
        Case(
            f"we would call {name} after {after}",
            "RFC 6455 §5.5.1",
            "The application MUST NOT send any more data frames after sending a Close frame.",
            calls=(*calls, (name, *arguments)),
            refused=True,
            replies=(*replies, closing(1000)),
        )
        for after, calls, replies in (
            ("our Close", (("close", 1000),), ()),
            (
                "our Close amid a message",
                (("send_text", "Hel", {"fin": False}), ("close", 1000)),
                (fragment(b"Hel"),),
            ),
        )
        for name, arguments in (("send_text", ("x",)), ("send_binary", (b"x",)), ("close", (1000,)))
    ),
]

UTF8 = [
    *(
        Case(
            f"text {payload.hex(' ')}",
            "RFC 6455 §8.1",
            "Upon text that is not valid UTF-8, an endpoint MUST _Fail the Connection_.",
            sends=(Frame(TEXT, payload),),
            fails=1007,
        )
        for payload in (
            raw("ff"),
            raw("c080"),  # overlong
            raw("e08080"),
            raw("eda080"),  # a surrogate
            raw("f4908080"),  # above U+10FFFF
            raw("cebae2"),  # ends within a character
            raw("80"),
        )
    ),
    Case(
        "a character in four fragments",
        "RFC 6455 §5.6, §8.1",
        "A fragment may end within a character; the whole message is valid UTF-8.",
        sends=(
            fragment(raw("f0")),
            fragment(raw("9f"), CONTINUATION),
            fragment(raw("98"), CONTINUATION),
            Frame(CONTINUATION, raw("80")),
        ),
        delivers=(Text("😀"),),
    ),
    Case(
        "text whose last fragment ends within a character",
        "RFC 6455 §8.1",
        "Upon text that is not valid UTF-8, an endpoint MUST _Fail the Connection_.",
        sends=(fragment(raw("ce")), Frame(CONTINUATION, raw("bae2"))),
        fails=1007,
    ),
    Case(
        "a bad byte in a fragment",
        "RFC 6455 §8.1",
        "The connection fails when it is known that the text is not UTF-8, not at its end.",
        sends=(fragment(raw("ceba")), fragment(raw("ff"), CONTINUATION)),
        fails=1007,
        differs="the library decodes whole messages; when to notice is left open, sooner is safer",
    ),
    *(
        Case(
            "a bad byte in a frame that has not ended",
            "RFC 6455 §8.1",
            "The connection fails when it is known that the text is not UTF-8, not at its end.",
            sends=(start,),
            fails=1007,
            roles=(role,),
            differs="the library decodes whole messages; see above",
        )
        for role, start in (
            (Role.SERVER, raw("81 fe 0100 00000000 ff")),
            (Role.CLIENT, raw("81 7e 0100 ff")),
        )
    ),
    Case(
        "binary that is not UTF-8",
        "RFC 6455 §5.6",
        "Binary data is arbitrary.",
        sends=(fragment(raw("ff"), BINARY), Frame(CONTINUATION, raw("c080"))),
        delivers=(Binary(raw("ffc080")),),
    ),
    Case(
        "a close reason that is not UTF-8",
        "RFC 6455 §5.5.1, §8.1",
        "The reason MUST be UTF-8.",
        sends=(closing(1000, raw("ff")),),
        fails=1007,
    ),
]

TOO_MUCH = [
    *(
        Case(
            "a frame over the limit, announced",
            "RFC 6455 §10.4",
            "Implementations MUST impose limits on frame and message sizes; 1009 says so.",
            sends=(start,),
            fails=1009,
            roles=(role,),
        )
        for role, start in (
            (Role.SERVER, raw("82 ff 0000000000011171 37fa213d")),
            (Role.CLIENT, raw("82 7f 0000000000011171")),
        )
    ),
    Case(
        "a message over the limit",
        "RFC 6455 §10.4",
        "Implementations MUST impose limits on the size after reassembly.",
        sends=(fragment(bytes(40_000), BINARY), Frame(CONTINUATION, bytes(30_001))),
        fails=1009,
    ),
    Case(
        "a message of just the limit",
        "RFC 6455 §10.4",
        "What is within the limits is received.",
        sends=(fragment(bytes(40_000), BINARY), Frame(CONTINUATION, bytes(30_000))),
        delivers=(Binary(bytes(70_000)),),
    ),
    Case(
        "a message of too many fragments",
        "RFC 6455 §10.4",
        "A message of endless empty fragments is an attack as well.",
        sends=(fragment(b""), *(fragment(b"", CONTINUATION) for _ in range(10))),
        fails=1009,
        differs="the library counts bytes only",
    ),
]
