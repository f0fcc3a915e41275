"""What an endpoint must do, as data: one row for each MUST of RFC 6455 and RFC 7692.

Of the rules for an open connection, those that an endpoint can break: §5 to §8 and §10.4 of
RFC 6455, §6 and §7.2 of RFC 7692. A `Row` says what the peer sends, or what the application
calls, and how the endpoint must react. `complaints` runs one against anything that has `receive`
and `data_to_send`, as `wslab.protocol.connection.Connection` does; learners' own endpoints too.
The opening handshake has its tests in test_handshake.py; the offers and answers of
permessage-deflate are in `OFFERS` and `ANSWERS` below.

`differs` says where the `websockets` library reacts otherwise, and who is right.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from wslab.protocol import RSV1, RSV2, RSV3, Close, Frame, Opcode
from wslab.protocol.connection import Role
from wslab.protocol.deflate import Deflate
from wslab.protocol.events import Binary, Ping, Pong, Text
from wslab.protocol.messages import Limits

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode

MASK = bytes.fromhex("37fa213d")
BOTH, SERVER, CLIENT = (Role.SERVER, Role.CLIENT), (Role.SERVER,), (Role.CLIENT,)

# Enough for every row, small enough to test: an endpoint is made with these.
LIMITS = Limits(frame=70_000, message=70_000, fragments=10)


class Endpoint(Protocol):
    """What is tested; rows with `calls` also need the methods that they name."""

    def receive(self, data: bytes, /) -> Iterable[object]:
        """Take bytes from the peer; return what happened: Text, Binary, Ping, Pong, …."""
        ...

    def data_to_send(self) -> bytes:
        """Return what is to be written."""
        ...


@dataclass(frozen=True)
class Row:
    """One rule and how to try it.

    name: what happens. section: where the rule is written. rule: what it says.
    sends: what the peer sends: frames, masked by the runner if the peer is a client, or raw bytes.
    calls: what the application does first: names of methods and their arguments.
    refused: True if the last of these calls must raise and write nothing.
    delivers: the events for the application, of the kinds Text, Binary, Ping and Pong.
    replies: the frames that the endpoint writes, without masks; of a Close only the code counts.
    fails: the close code if the rule is broken by the peer. Whatever follows must be ignored.
    roles: of the endpoint. deflate: as agreed on in the opening handshake.
    """

    name: str
    section: str
    rule: str
    sends: tuple[Frame | bytes, ...] = ()
    calls: tuple[tuple[Any, ...], ...] = ()
    refused: bool = False
    delivers: tuple[object, ...] = ()
    replies: tuple[Frame, ...] = ()
    fails: int | None = None
    roles: tuple[Role, ...] = BOTH
    deflate: Deflate | None = None
    differs: str = ""

    def __str__(self) -> str:
        return f"{self.section} {self.name}"


Make = Callable[[Role, Row], Endpoint]


def complaints(row: Row, role: Role, make: Make, *, chunk: int | None = None) -> list[str]:
    """Run a row against an endpoint; return what is wrong with the reaction, at best nothing.

    make: makes the endpoint, with LIMITS, for a role and the row's deflate.
    chunk: bytes to give it at once; None for one frame at a time.
    """
    endpoint = make(role, row)
    found = _call(row, endpoint)
    events: list[object] = []
    for data in _chunks([_wire(item, role) for item in row.sends], chunk):
        events += endpoint.receive(data)
    written = list(_frames(endpoint.data_to_send(), role, row, found))
    delivered = tuple(event for event in events if type(event) in (Text, Binary, Ping, Pong))
    expected = row.replies
    if row.fails is not None and not any(call[0] == "close" for call in row.calls):
        expected += (Frame(CLOSE, Close(row.fails).serialize()),)
    if delivered != row.delivers:
        found.append(f"delivered {delivered}, not {row.delivers}")
    if written != list(map(_essence, expected)):
        found.append(f"wrote {written}, not {list(map(_essence, expected))}")
    if row.fails is not None or any(frame[0] == CLOSE for frame in written):
        found += _still_alive(row, role, endpoint)
    return found


def _call(row: Row, endpoint: Any) -> list[str]:
    for index, (name, *arguments) in enumerate(row.calls, 1):
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        try:
            getattr(endpoint, name)(*arguments, **options)
        except Exception as error:
            if not (row.refused and index == len(row.calls)):
                return [f"{name}{tuple(arguments)} raised {error!r}"]
        else:
            if row.refused and index == len(row.calls):
                return [f"{name}{tuple(arguments)} was not refused"]
    return []


def _still_alive(row: Row, role: Role, endpoint: Endpoint) -> list[str]:
    """After a violation, and after both Close frames, nothing is read and nothing written."""
    if row.fails is None and not any(
        isinstance(item, Frame) and item.opcode == CLOSE for item in row.sends
    ):
        return []
    late = (Frame(TEXT, b"late"), Frame(PING, b"late"), Frame(CLOSE))
    events = [event for frame in late for event in endpoint.receive(_wire(frame, role))]
    written = endpoint.data_to_send()
    return [f"afterwards: {events}, {written!r}"] if events or written else []


def _wire(item: Frame | bytes, role: Role) -> bytes:
    if isinstance(item, bytes):
        return item
    mask = MASK if role is Role.SERVER and item.mask is None else None
    return item._replace(mask=mask).serialize(check=False)


def _chunks(frames: list[bytes], size: int | None) -> Iterator[bytes]:
    if size is None:
        yield from frames
    else:
        data = b"".join(frames)
        yield from (data[i : i + size] for i in range(0, len(data), size))


def _frames(data: bytes, role: Role, row: Row, found: list[str]) -> Iterator[tuple[object, ...]]:
    """Read what the endpoint wrote: frames, decompressed, without what may vary."""
    index, inflater = 0, _Window(row.deflate, role) if row.deflate else None
    while index < len(data):
        parsed = Frame.parse(data, index, rsv=RSV1 if row.deflate else 0)
        if parsed is None:
            found.append(f"wrote a part of a frame: {data[index:]!r}")
            return
        frame, index = parsed
        if (frame.mask is not None) != (role is Role.CLIENT):
            found.append(f"wrote {frame.opcode.name} with mask {frame.mask!r} (§5.1)")
        if inflater is not None:
            frame = inflater.read(frame)
        yield _essence(frame)


class _Window:
    """The least that decompresses an endpoint's messages: zlib, and the four bytes of §7.2.2."""

    def __init__(self, deflate: Deflate, role: Role) -> None:
        self.bits, self.takeover = deflate.window(server=role is Role.SERVER)
        self.zlib = zlib.decompressobj(-self.bits)
        self.compressed = False

    def read(self, frame: Frame) -> Frame:
        if frame.opcode in (TEXT, BINARY):
            self.compressed = bool(frame.rsv)
            if not self.takeover:
                self.zlib = zlib.decompressobj(-self.bits)
        if not self.compressed or frame.opcode & 0x8:
            return frame
        tail = b"\x00\x00\xff\xff" if frame.fin else b""
        return frame._replace(payload=self.zlib.decompress(frame.payload + tail))


def _essence(frame: Frame) -> tuple[object, ...]:
    payload = frame.payload[:2] if frame.opcode == CLOSE else frame.payload
    return frame.opcode, payload, frame.fin, frame.rsv


# ------------------------------------------------------------------------------- RFC 6455


def raw(text: str) -> bytes:
    """Return the bytes that are written as hexadecimal numbers."""
    return bytes.fromhex(text)


def fragment(data: bytes, opcode: Opcode = TEXT) -> Frame:
    """Return a frame that is not its message's last."""
    return Frame(opcode, data, fin=False)


def closing(code: int, reason: bytes = b"") -> Frame:
    """Return a Close frame with any code whatever."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)


FRAMING = [
    Row(
        "a client's frame is not masked",
        "RFC 6455 §5.1",
        "The server MUST close the connection upon receiving a frame that is not masked.",
        sends=(raw("81 05 48656c6c6f"),),
        fails=1002,
        roles=SERVER,
    ),
    Row(
        "a server's frame is masked",
        "RFC 6455 §5.1",
        "A client MUST close a connection if it detects a masked frame.",
        sends=(raw("81 85 37fa213d 7f9f4d5158"),),
        fails=1002,
        roles=CLIENT,
    ),
    Row(
        "we send text",
        "RFC 6455 §5.1",
        "A client MUST mask all frames that it sends, a server MUST NOT mask any.",
        calls=(("send_text", "Hello"),),
        replies=(Frame(TEXT, b"Hello"),),
    ),
    *(
        Row(
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
        Row(
            f"opcode {opcode:#x}",
            "RFC 6455 §5.2",
            "If an unknown opcode is received, the endpoint MUST _Fail the Connection_.",
            sends=(Frame(opcode, b"?"),),  # type: ignore[arg-type]
            fails=1002,
        )
        for opcode in (*range(0x3, 0x8), *range(0xB, 0x10))
    ),
    *(
        Row(
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
        Row(
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
        Row(
            f"a payload of {size} bytes",
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
    Row(
        "a message in three fragments, one of them empty",
        "RFC 6455 §5.4",
        "A fragmented message is equivalent to one frame with the payloads joined in order.",
        sends=(fragment(b"Hel"), fragment(b"", CONTINUATION), Frame(CONTINUATION, b"lo")),
        delivers=(Text("Hello"),),
    ),
    Row(
        "control frames between fragments",
        "RFC 6455 §5.4",
        "Endpoints MUST be capable of handling control frames amid a fragmented message.",
        sends=(fragment(b"Hel"), Frame(PING, b"1"), Frame(PONG, b"2"), Frame(CONTINUATION, b"lo")),
        delivers=(Ping(b"1"), Pong(b"2"), Text("Hello")),
        replies=(Frame(PONG, b"1"),),
    ),
    Row(
        "CONTINUATION without a message",
        "RFC 6455 §5.4",
        "A continuation has to follow a frame that began a message and did not end it.",
        sends=(Frame(CONTINUATION, b"Hello"),),
        fails=1002,
    ),
    Row(
        "CONTINUATION after the last fragment",
        "RFC 6455 §5.4",
        "A continuation has to follow a frame that began a message and did not end it.",
        sends=(fragment(b"Hel"), Frame(CONTINUATION, b"lo"), Frame(CONTINUATION, b"!")),
        delivers=(Text("Hello"),),
        fails=1002,
    ),
    *(
        Row(
            f"{opcode.name} amid a fragmented message, FIN {fin:d}",
            "RFC 6455 §5.4",
            "The fragments of one message MUST NOT be interleaved with those of another.",
            sends=(fragment(b"Hel"), Frame(opcode, b"new", fin=fin)),
            fails=1002,
        )
        for opcode in (TEXT, BINARY)
        for fin in (True, False)
    ),
    Row(
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
    Row(
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
        Row(
            f"{opcode.name} with 126 bytes",
            "RFC 6455 §5.5",
            "All control frames MUST have a payload length of 125 bytes or less.",
            sends=(Frame(opcode, b"\x03\xe8" + bytes(124)),),
            fails=1002,
        )
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        Row(
            f"{opcode.name} with FIN clear",
            "RFC 6455 §5.5",
            "All control frames MUST NOT be fragmented.",
            sends=(fragment(b"\x03\xe8", opcode),),
            fails=1002,
        )
        for opcode in (CLOSE, PING, PONG)
    ),
    *(
        Row(
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
        Row(
            f"PING with {size} bytes",
            "RFC 6455 §5.5.2, §5.5.3",
            "Upon a Ping an endpoint MUST send a Pong, with identical application data.",
            sends=(Frame(PING, b"\xff" * size),),
            delivers=(Ping(b"\xff" * size),),
            replies=(Frame(PONG, b"\xff" * size),),
        )
        for size in (0, 1, 125)
    ),
    Row(
        "PING after our Close",
        "RFC 6455 §5.5.2",
        "A Ping is answered unless the peer's Close was received; ours does not matter.",
        calls=(("close", 1000),),
        sends=(Frame(PING, b"1"),),
        delivers=(Ping(b"1"),),
        replies=(closing(1000), Frame(PONG, b"1")),
    ),
    Row(
        "PONG out of the blue",
        "RFC 6455 §5.5.3",
        "A response to an unsolicited Pong is not expected.",
        sends=(Frame(PONG, b"1"),),
        delivers=(Pong(b"1"),),
    ),
]

CLOSING = [
    *(
        Row(
            f"CLOSE with {len(payload)} bytes",
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
    Row(
        "CLOSE in reply to ours",
        "RFC 6455 §5.5.1",
        "A Close that replies to ours is not replied to.",
        calls=(("close", 1001, "away"),),
        sends=(closing(1001),),
        replies=(closing(1001),),
    ),
    Row(
        "a message between our Close and the peer's",
        "RFC 6455 §5.5.1, §7.1.2",
        "Until the peer's Close arrives, what it sends counts.",
        calls=(("close",),),
        sends=(Frame(TEXT, b"last words"), closing(1000)),
        delivers=(Text("last words"),),
        replies=(closing(1000),),
    ),
    Row(
        "CLOSE amid a fragmented message",
        "RFC 6455 §5.4, §5.5.1",
        "Control frames MAY be injected in the middle of a fragmented message; Close is one.",
        sends=(fragment(b"Hel"), closing(1000)),
        replies=(closing(1000),),
        differs="the library fails with 1002; §5.4 lets control frames in between, and no rule "
        "makes an exception of Close",
    ),
    Row(
        "frames after CLOSE",
        "RFC 6455 §5.5.1, §1.4",
        "After a Close, a peer does not send any more data; what comes all the same is discarded.",
        sends=(closing(1000), Frame(TEXT, b"late"), Frame(PING, b"late"), raw("ffff")),
        replies=(closing(1000),),
    ),
    Row(
        "CLOSE with one byte",
        "RFC 6455 §5.5.1",
        "If there is a body, its first two bytes MUST be the code.",
        sends=(Frame(CLOSE, b"\x03"),),
        fails=1002,
    ),
    *(
        Row(
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
        Row(
            f"CLOSE with code {code}",
            "RFC 6455 §7.4",
            "Defined codes, and those of libraries and applications, are received.",
            sends=(closing(code),),
            replies=(closing(code),),
        )
        for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
    ),
    *(
        Row(
            f"we would close with code {code}",
            "RFC 6455 §7.4",
            "1004 to 1006 and 1015 MUST NOT be set as a code in a Close frame.",
            calls=(("close", code, "why"),),
            refused=True,
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)
    ),
    *(
        Row(
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
        Row(
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
    Row(
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
    Row(
        "text whose last fragment ends within a character",
        "RFC 6455 §8.1",
        "Upon text that is not valid UTF-8, an endpoint MUST _Fail the Connection_.",
        sends=(fragment(raw("ce")), Frame(CONTINUATION, raw("bae2"))),
        fails=1007,
    ),
    Row(
        "a bad byte in a fragment",
        "RFC 6455 §8.1",
        "The connection fails when it is known that the text is not UTF-8, not at its end.",
        sends=(fragment(raw("ceba")), fragment(raw("ff"), CONTINUATION)),
        fails=1007,
        differs="the library decodes whole messages; when to notice is left open, sooner is safer",
    ),
    *(
        Row(
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
    Row(
        "binary that is not UTF-8",
        "RFC 6455 §5.6",
        "Binary data is arbitrary.",
        sends=(fragment(raw("ff"), BINARY), Frame(CONTINUATION, raw("c080"))),
        delivers=(Binary(raw("ffc080")),),
    ),
    Row(
        "a close reason that is not UTF-8",
        "RFC 6455 §5.5.1, §8.1",
        "The reason MUST be UTF-8.",
        sends=(closing(1000, raw("ff")),),
        fails=1007,
    ),
]

TOO_MUCH = [
    *(
        Row(
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
    Row(
        "a message over the limit",
        "RFC 6455 §10.4",
        "Implementations MUST impose limits on the size after reassembly.",
        sends=(fragment(bytes(40_000), BINARY), Frame(CONTINUATION, bytes(30_001))),
        fails=1009,
    ),
    Row(
        "a message of just the limit",
        "RFC 6455 §10.4",
        "What is within the limits is received.",
        sends=(fragment(bytes(40_000), BINARY), Frame(CONTINUATION, bytes(30_000))),
        delivers=(Binary(bytes(70_000)),),
    ),
    Row(
        "a message of too many fragments",
        "RFC 6455 §10.4",
        "A message of endless empty fragments is an attack as well.",
        sends=(fragment(b""), *(fragment(b"", CONTINUATION) for _ in range(10))),
        fails=1009,
        differs="the library counts bytes only",
    ),
]

# ------------------------------------------------------------------------------- RFC 7692

DEFLATE = Deflate()
FORGET = Deflate(server_no_context_takeover=True, client_no_context_takeover=True)
NARROW = Deflate(server_max_window_bits=9, client_max_window_bits=9)
HELLO = raw("f248cdc9c90700")


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
    Row(
        "a compressed message",
        "RFC 7692 §7.2.3.1",
        "RSV1 on the first frame tells that the message is compressed.",
        sends=(squeezed(HELLO),),
        delivers=(Text("Hello"),),
    ),
    Row(
        "a message that is not compressed",
        "RFC 7692 §6",
        "Without RSV1 a message is taken as it is.",
        sends=(Frame(TEXT, b"Hello"), squeezed(HELLO)),
        delivers=(Text("Hello"), Text("Hello")),
    ),
    Row(
        "a compressed message in fragments, control frames between them",
        "RFC 7692 §6.1, §7.2.3.1",
        "Only the first fragment has RSV1; control frames are not compressed.",
        sends=(
            squeezed(HELLO[:3], fin=False),
            Frame(PING, b"1"),
            fragment(b"", CONTINUATION),
            Frame(CONTINUATION, HELLO[3:]),
        ),
        delivers=(Ping(b"1"), Text("Hello")),
        replies=(Frame(PONG, b"1"),),
    ),
    Row(
        "CONTINUATION with RSV1",
        "RFC 7692 §6.1",
        "RSV1 MUST NOT be set on later fragments.",
        sends=(squeezed(HELLO[:3], fin=False), Frame(CONTINUATION, HELLO[3:], rsv=RSV1)),
        fails=1002,
    ),
    *(
        Row(
            f"{opcode.name} with RSV1",
            "RFC 7692 §6",
            "An endpoint MUST NOT set RSV1 of control frames, a receiver MUST fail.",
            sends=(Frame(opcode, b"", rsv=RSV1),),
            fails=1002,
        )
        for opcode in (PING, PONG, CLOSE)
    ),
    *(
        Row(
            f"RSV bits {rsv:03b} with compression agreed on",
            "RFC 6455 §5.2",
            "RSV MUST be 0 unless an extension is negotiated that defines meanings for it.",
            sends=(Frame(TEXT, HELLO, rsv=rsv),),
            fails=1002,
        )
        for rsv in (RSV2, RSV3, RSV1 | RSV2)
    ),
    Row(
        "a message that refers to the one before",
        "RFC 7692 §7.2.3.2",
        "The window is kept between messages, unless the sender agreed to empty it.",
        sends=(squeezed(HELLO), squeezed(raw("f200110000"))),
        delivers=(Text("Hello"), Text("Hello")),
    ),
    Row(
        "a message that refers to the one before the last, not compressed itself",
        "RFC 7692 §7.2.2",
        "A message that is not compressed leaves the window alone.",
        sends=(squeezed(HELLO), Frame(TEXT, b"between"), squeezed(raw("f200110000"))),
        delivers=(Text("Hello"), Text("between"), Text("Hello")),
    ),
    Row(
        "a message that refers to the one before, against the agreement",
        "RFC 7692 §7.1.1",
        "A sender that agreed to *_no_context_takeover MUST NOT use the window again.",
        sends=(squeezed(HELLO), squeezed(raw("f200110000"))),
        delivers=(Text("Hello"),),
        fails=1007,
        deflate=FORGET,
        differs="the library answers 1002",
    ),
    Row(
        "a message without compression in its blocks",
        "RFC 7692 §7.2.3.3",
        "Any kind of DEFLATE block may be used.",
        sends=(squeezed(raw("000500faff48656c6c6f00")),),
        delivers=(Text("Hello"),),
    ),
    Row(
        "messages with a final block",
        "RFC 7692 §7.2.3.4",
        "A sender may flush with a final block; the next message is decompressed as ever.",
        sends=(
            squeezed(raw("f348cdc9c9070000")),
            squeezed(HELLO),
            squeezed(raw("f348cdc9c9070000")),
        ),
        delivers=(Text("Hello"),) * 3,
        differs="the library takes the first message, and from then on every one for empty",
    ),
    Row(
        "a message of two blocks",
        "RFC 7692 §7.2.3.5",
        "A message may have any number of DEFLATE blocks.",
        sends=(squeezed(raw("f248050000 00ffffcac9c90700")),),
        delivers=(Text("Hello"),),
    ),
    Row(
        "empty messages",
        "RFC 7692 §7.2.3.6",
        "An empty message is one byte, 0x00.",
        sends=(squeezed(b"\0"), squeezed(b"\0"), squeezed(HELLO)),
        delivers=(Text(""), Text(""), Text("Hello")),
    ),
    *(
        Row(
            f"not deflated data: {payload.hex(' ')}",
            "RFC 7692 §7.2.2; RFC 6455 §7.4.1",
            "What cannot be decompressed fails the connection: 1007, its type is not what it says.",
            sends=(squeezed(payload),),
            fails=1007,
            differs="the library answers 1002; RFC 7692 names no code, wsproto and ws say 1007",
        )
        for payload in (raw("ffffffff"), raw("07"), raw("000500000048656c6c6f"))
    ),
    Row(
        "text that is not UTF-8 when decompressed",
        "RFC 6455 §8.1",
        "Upon text that is not valid UTF-8, an endpoint MUST _Fail the Connection_.",
        sends=(squeezed(deflated(raw("ceba ff"))),),
        fails=1007,
    ),
    Row(
        "a bomb: 1 KB that becomes 1 MB",
        "RFC 6455 §10.4",
        "Implementations MUST impose limits on the size after reassembly.",
        sends=(squeezed(deflated(bytes(1_000_000)), BINARY),),
        fails=1009,
    ),
    Row(
        "a bomb in a frame that has not ended",
        "RFC 6455 §10.4",
        "Implementations MUST impose limits on the size after reassembly.",
        sends=(squeezed(deflated(bytes(1_000_000)), BINARY, fin=False),),
        fails=1009,
    ),
    Row(
        "a message that refers back further than the window",
        "RFC 7692 §7.1.2",
        "A sender MUST NOT use a larger window than agreed.",
        sends=_far_back(),
        delivers=(Binary(inflated(_far_back()[0].payload)),),
        fails=1007,
        deflate=NARROW,
        differs="the library answers 1002",
    ),
    Row(
        "we send compressed fragments",
        "RFC 7692 §6.1",
        "RSV1 is set on the first fragment only.",
        calls=(("send_text", "Hel", {"fin": False}), ("ping", b"1"), ("send_text", "lo")),
        replies=(squeezed(b"Hel", fin=False), Frame(PING, b"1"), Frame(CONTINUATION, b"lo")),
    ),
    *(
        Row(
            f"we send messages, the last one empty: {name}",
            "RFC 7692 §7.1, §7.2.1",
            "A sender keeps to the window that was agreed on.",
            calls=(*(("send_binary", data) for data in messages),),
            replies=(*(squeezed(data, BINARY) for data in messages),),
            deflate=deflate,
        )
        for messages in ((b"Hello", b"Hello", bytes(range(256)) * 8, b"Hello", b"", b""),)
        for name, deflate in (("takeover", DEFLATE), ("no takeover", FORGET), ("9 bits", NARROW))
    ),
]

ROWS: list[Row] = [
    *(FRAMING + FRAGMENTS + CONTROL + CLOSING + UTF8 + TOO_MUCH),
    *(replace(row, deflate=row.deflate or DEFLATE) for row in COMPRESSION),
]


@dataclass(frozen=True)
class Offer:
    """A client's offer of permessage-deflate, and what a server with these wishes answers.

    answer: the value of Sec-WebSocket-Extensions, None if the offer is declined.
    """

    rule: str
    offer: str
    answer: str | None
    wished: Deflate = field(default_factory=Deflate)
    section: str = "RFC 7692 §7.1"
    differs: str = ""


@dataclass(frozen=True)
class Answer:
    """A server's answer to an offer: None if the client MUST fail, else what they agreed on."""

    rule: str
    offered: Deflate
    answer: str
    agreed: Deflate | None
    section: str = "RFC 7692 §7.1"
    differs: str = ""


PMD = "permessage-deflate"
_S_NO, _C_NO = "server_no_context_takeover", "client_no_context_takeover"
_S_BITS, _C_BITS = "server_max_window_bits", "client_max_window_bits"
_NO_8 = "zlib cannot compress with 8 bits: not supported"

OFFERS = [
    Offer("a plain offer is accepted", PMD, PMD),
    Offer("a flag is answered with itself", f"{PMD}; {_S_NO}", f"{PMD}; {_S_NO}"),
    Offer("a hint may be answered with itself", f"{PMD}; {_C_NO}", f"{PMD}; {_C_NO}"),
    Offer("a server may add a flag", PMD, f"{PMD}; {_S_NO}; {_C_NO}", FORGET),
    Offer("bits are answered with as many", f"{PMD}; {_S_BITS}=10", f"{PMD}; {_S_BITS}=10"),
    Offer("15 bits too", f"{PMD}; {_S_BITS}=15", f"{PMD}; {_S_BITS}=15"),
    Offer("or fewer", f"{PMD}; {_S_BITS}=10", f"{PMD}; {_S_BITS}=9", Deflate(False, False, 9)),
    Offer("never more", f"{PMD}; {_S_BITS}=10", f"{PMD}; {_S_BITS}=10", Deflate(False, False, 12)),
    Offer("a server may limit itself", PMD, f"{PMD}; {_S_BITS}=12", Deflate(False, False, 12)),
    Offer(
        "a client that lets it is limited",
        f"{PMD}; {_C_BITS}",
        f"{PMD}; {_C_BITS}=9",
        replace(NARROW, server_max_window_bits=None),
    ),
    Offer("a client that does not is not", PMD, f"{PMD}; {_S_BITS}=9", NARROW),
    Offer("quoted values are values", f'{PMD}; {_S_BITS}="10"', f"{PMD}; {_S_BITS}=10"),
    Offer(
        "the first acceptable offer counts", f"{PMD}; x, {PMD}; {_S_NO}, {PMD}", f"{PMD}; {_S_NO}"
    ),
    Offer("8 bits fall back to the next offer", f"{PMD}; {_S_BITS}=8, {PMD}", PMD),
    Offer(_NO_8, f"{PMD}; {_S_BITS}=8", None),
    Offer(
        "a hint of 8 bits obliges nobody",
        f"{PMD}; {_C_BITS}=8",
        PMD,
        differs="the library repeats the hint; it MAY",
    ),
    *(
        Offer(rule, f"{PMD}; {parameter}", None, section="RFC 7692 §7")
        for rule, parameter in (
            ("an unknown parameter is declined", "x"),
            ("a flag has no value", f"{_S_NO}=1"),
            ("a flag has no value", f"{_C_NO}=true"),
            ("twice is declined", f"{_S_NO}; {_S_NO}"),
            ("twice is declined", f"{_C_BITS}; {_C_BITS}=10"),
            ("bits need a value", _S_BITS),
            ("7 is too small", f"{_S_BITS}=7"),
            ("16 is too large", f"{_C_BITS}=16"),
            ("no leading zero", f"{_S_BITS}=010"),
            ("a decimal number", f"{_S_BITS}=ten"),
        )
    ),
]

_OFFERED = Deflate(client_max_window_bits=15)

ANSWERS = [
    Answer("a plain answer", Deflate(), PMD, Deflate()),
    Answer("a flag asked for", FORGET, f"{PMD}; {_S_NO}; {_C_NO}", FORGET),
    Answer("a flag not asked for", Deflate(), f"{PMD}; {_S_NO}; {_C_NO}", FORGET),
    Answer("what a client said of itself holds", FORGET, f"{PMD}; {_S_NO}", FORGET),
    Answer("a flag that was asked for is missing", FORGET, f"{PMD}; {_C_NO}", None),
    Answer(
        "fewer bits", Deflate(False, False, 12), f"{PMD}; {_S_BITS}=10", Deflate(False, False, 10)
    ),
    Answer("8 bits from the server", Deflate(), f"{PMD}; {_S_BITS}=8", Deflate(False, False, 8)),
    Answer("more bits", Deflate(False, False, 12), f"{PMD}; {_S_BITS}=13", None),
    Answer("no bits", Deflate(False, False, 12), PMD, None),
    Answer("no bits", Deflate(False, False, 15), PMD, None),
    Answer(
        "a limit to a client that lets it",
        _OFFERED,
        f"{PMD}; {_C_BITS}=10",
        Deflate(client_max_window_bits=10),
    ),
    Answer("a limit to a client that does not", Deflate(), f"{PMD}; {_C_BITS}=10", None),
    Answer(
        "a hint holds", Deflate(client_max_window_bits=10), PMD, Deflate(client_max_window_bits=10)
    ),
    Answer(
        "a hint holds against a wider limit",
        Deflate(client_max_window_bits=10),
        f"{PMD}; {_C_BITS}=12",
        Deflate(client_max_window_bits=10),
        differs="the library refuses; §7.1.2.2 calls the client's number a hint, so any answers it",
    ),
    Answer(_NO_8, _OFFERED, f"{PMD}; {_C_BITS}=8", None),
    Answer("twice the extension", Deflate(), f"{PMD}, {PMD}", None, "RFC 7692 §5.1"),
    *(
        Answer(rule, _OFFERED, f"{PMD}; {parameter}", None, "RFC 7692 §7")
        for rule, parameter in (
            ("an unknown parameter", "x"),
            ("a flag with a value", f"{_S_NO}=1"),
            ("a parameter twice", f"{_C_NO}; {_C_NO}"),
            ("bits without a value", _C_BITS),
            ("bits without a value", _S_BITS),
            ("too large", f"{_S_BITS}=16"),
            ("leading zero", f"{_S_BITS}=09"),
        )
    ),
]
