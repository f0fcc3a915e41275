"""Rows about closing, text and limits (RFC 6455 §5.5.1, §7.4, §8.1, §10.4)."""

from __future__ import annotations

from wslab.exercises.conformance.row import CLIENT, SERVER, Case, breach, closing, fragment, raw
from wslab.protocol import Frame, Opcode
from wslab.protocol.errors import quantity
from wslab.protocol.events import Binary, Text

__all__ = ["CLOSING", "TOO_MUCH", "UTF8"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, _ = Opcode
END, CODES, UTF_8, LIMIT = (f"RFC 6455 §{number}" for number in ("5.5.1", "7.4", "8.1", "10.4"))

CLOSING = [
    # A Close is answered with a Close that echoes its code. A Close that answers ours gets none.
    *(
        Case(
            f"CLOSE with {quantity(len(payload), 'byte')}",
            END,
            (Frame(CLOSE, payload),),
            replies=(Frame(CLOSE, payload[:2]),),
        )
        for payload in (
            *(b"", raw("03e8"), raw("03e9") + "\u2713 bye".encode(), raw("0fa0") + b"r" * 123),
        )
    ),
    Case(
        "CLOSE in reply to ours",
        END,
        (closing(1001),),
        calls=(("close", 1001, "away"),),
        replies=(closing(1001),),
    ),
    Case(
        "a message between our Close and the peer's",
        "RFC 6455 §5.5.1, §7.1.2",
        (Frame(TEXT, b"last words"), closing(1000)),
        calls=(("close",),),
        delivers=(Text("last words"),),
        replies=(closing(1000),),
    ),
    Case(
        "CLOSE inside a fragmented message",
        "RFC 6455 §5.4, §5.5.1",
        (fragment(b"Hel"), closing(1000)),
        replies=(closing(1000),),
        differs="the library fails with 1002; §5.4 lets control frames in between, and no rule "
        "makes an exception of Close",
    ),
    # After a Close, a peer does not send any more data. If data comes all the same, it is dropped.
    Case(
        "frames after CLOSE",
        "RFC 6455 §5.5.1, §1.4",
        (closing(1000), Frame(TEXT, b"late"), Frame(PING, b"late"), raw("ffff")),
        replies=(closing(1000),),
    ),
    # The first two bytes of the payload are the code. 0 to 999 are not used, 1004 to 1006 and 1015
    # are not sent, 1016 to 2999 are undefined, and the range ends with 4999.
    breach("CLOSE with one byte", END, Frame(CLOSE, b"\x03")),
    *(
        breach(f"CLOSE with code {code}", CODES, closing(code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    ),
    *(
        Case(f"CLOSE with code {code}", CODES, (closing(code),), replies=(closing(code),))
        for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
    ),
    *(
        Case(
            f"we would close with code {code}", CODES, calls=(("close", code, "why"),), refused=True
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)
    ),
    # The application does not send any more data frames after sending a Close frame.
    *(
        Case(
            f"we would call {call[0]} after {after}",
            END,
            calls=(*calls, call),
            refused=True,
            replies=(*replies, closing(1000)),
        )
        for after, calls, replies in (
            ("our Close", (("close", 1000),), ()),
            (
                "our Close inside a message",
                (("send_text", "Hel", {"fin": False}), ("close", 1000)),
                (fragment(b"Hel"),),
            ),
        )
        for call in (("send_text", "x"), ("send_binary", b"x"), ("close", 1000))
    ),
]

# Text that is not valid UTF-8 fails the connection at once, and not only when the text has ended.
UTF8 = [
    *(
        breach(f"text {payload.hex(' ')}", UTF_8, Frame(TEXT, payload), code=1007)
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
        (
            *(fragment(raw("f0")), fragment(raw("9f"), CONTINUATION)),
            *(fragment(raw("98"), CONTINUATION), Frame(CONTINUATION, raw("80"))),
        ),
        delivers=(Text("😀"),),
    ),
    breach(
        "text whose last fragment ends within a character",
        UTF_8,
        *(fragment(raw("ce")), Frame(CONTINUATION, raw("bae2"))),
        code=1007,
    ),
    breach(
        "a bad byte in a fragment",
        UTF_8,
        *(fragment(raw("ceba")), fragment(raw("ff"), CONTINUATION)),
        code=1007,
        differs="the library decodes whole messages; the RFC leaves the moment open, and sooner is "
        "safer",
    ),
    *(
        breach(
            "a bad byte in a frame that has not ended",
            UTF_8,
            start,
            code=1007,
            roles=roles,
            differs="the library decodes whole messages; see above",
        )
        for roles, start in (
            (SERVER, raw("81 fe 0100 00000000 ff")),
            (CLIENT, raw("81 7e 0100 ff")),
        )
    ),
    Case(
        "binary that is not UTF-8",
        "RFC 6455 §5.6",
        (fragment(raw("ff"), BINARY), Frame(CONTINUATION, raw("c080"))),
        delivers=(Binary(raw("ffc080")),),
    ),
    breach(
        "a close reason that is not UTF-8",
        "RFC 6455 §5.5.1, §8.1",
        closing(1000, raw("ff")),
        code=1007,
    ),
]

# Frames, and messages after reassembly, have limits in size. The code for too much is 1009.
TOO_MUCH = [
    *(
        breach("a frame over the limit, announced", LIMIT, start, code=1009, roles=roles)
        for roles, start in (
            (SERVER, raw("82 ff 0000000000011171 37fa213d")),
            (CLIENT, raw("82 7f 0000000000011171")),
        )
    ),
    breach(
        "a message over the limit",
        LIMIT,
        *(fragment(bytes(40_000), BINARY), Frame(CONTINUATION, bytes(30_001))),
        code=1009,
    ),
    Case(
        "a message of just the limit",
        LIMIT,
        (fragment(bytes(40_000), BINARY), Frame(CONTINUATION, bytes(30_000))),
        delivers=(Binary(bytes(70_000)),),
    ),
    breach(
        "a message of too many fragments",
        LIMIT,
        *(fragment(b""), *(fragment(b"", CONTINUATION) for _ in range(10))),
        code=1009,
        differs="the library counts bytes only",
    ),
]
