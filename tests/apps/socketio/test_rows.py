"""Socket.IO in a transcript: packets where a request of Engine.IO announced them, nowhere else."""

from __future__ import annotations

import pytest

from wslab import lab
from wslab.apps.socketio.rows import EngineIO
from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import trackers
from wslab.protocol.frames import Frame, Opcode
from wslab.protocol.quoting import printable

MASK = bytes.fromhex("37fa213d")
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket&sid=x HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
)


class Seen:
    """What a cable would have seen of one connection."""

    def __init__(self, *exchanged: bytes) -> None:
        self.tape = Tape()
        self.client, self.server = trackers(self.tape, 1)
        for number, data in enumerate(exchanged):
            (self.server if number % 2 else self.client).feed(data)

    def frame(self, opcode: Opcode, payload: bytes, *, cut: int = 0, **options: object) -> str:
        wire = Frame(opcode, payload, mask=MASK, **options).serialize(check=False)
        self.client.feed(wire[: len(wire) - cut])
        return self.meaning

    @property
    def meaning(self) -> str:
        return lab.Transcript(self.tape)[-1].meaning


def post(body: bytes, query: str = "EIO=4&transport=polling&sid=x") -> bytes:
    line = f"POST /socket.io/?{query} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return line.encode() + body


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("packet", "names"),
    [
        ('0{"sid":"x"}', "open"),
        ("1", "close"),
        ("2", "ping"),
        ("2probe", "ping"),
        ("3probe", "pong"),
        ("5", "upgrade"),
        ("6", "noop"),
        ("40", "message: CONNECT"),
        ("40/admin,", "message: CONNECT, in /admin"),
        ("41", "message: DISCONNECT"),
        ('42["chat message","你好"]', "message: EVENT"),
        ('42/admin,7["add",1]', "message: EVENT, wants ACK 7, in /admin"),
        ("437[2]", "message: ACK 7"),
        ('44{"message":"no"}', "message: CONNECT_ERROR"),
        ('451-["x",{"_placeholder":true,"num":0}]', "message: BINARY_EVENT, attachment to follow"),
        ('462-7["x"]', "message: BINARY_ACK 7, 2 attachments to follow"),
        ("hello", "no packet: packet type is 'h', known are '0' to '6' (Engine.IO protocol 4)"),
        ("42{", "message, not of Socket.IO: not JSON: '{' (Socket.IO protocol 5)"),
        ("4Hello", "message, not of Socket.IO: packet type is 'H', known are '0' to '6'"),
    ],
)
class TestPacket:
    def test_in_a_frame(self, packet, names):
        said = Seen(*UPGRADE).frame(Opcode.TEXT, packet.encode())
        assert said.startswith(f"{printable(packet)} · {names}")

    def test_in_a_body(self, packet, names):
        assert Seen(post(packet.encode())).meaning.startswith(f"{printable(packet)} · {names}")


class TestBody:
    def test_of_several_packets(self):
        body = b'42["a"]\x1e2\x1ebAQID'
        assert Seen(post(b"40"), answer(body)).meaning.split("\n") == [
            "'42[\"a\"]' · message: EVENT",
            '\\x1e "2" · ping',
            '\\x1e "bAQID" · message: attachment, Base64',
        ]

    @pytest.mark.parametrize("body", ["ok", "OK"])  # npm's server, and python-engineio's
    def test_that_says_ok_is_no_packet(self, body):
        assert Seen(post(b"40"), answer(body.encode())).meaning == f'"{body}"'

    def test_after_an_interim_answer(self):
        seen = Seen(post(b"40"), b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(b"2"))
        assert seen.meaning == '"2" · ping'

    def test_of_a_refusal_is_no_packet(self):
        body = b'{"code":0,"message":"Transport unknown"}'
        seen = Seen(post(b"40"), answer(body, "400 Bad Request"))
        assert seen.meaning == f"'{body.decode()}'"

    def test_of_another_request_is_no_packet(self):
        assert Seen(post(b"40", "transport=polling")).meaning == '"40"'
        later = Seen(post(b"40"), answer(b"OK"), b"GET /page HTTP/1.1\r\n\r\n", answer(b"40"))
        assert later.meaning == '"40"'

    def test_that_is_not_complete(self):
        whole = '42["chat message","你好"]'.encode()
        seen = Seen(post(whole)[:-5])
        assert seen.meaning == (
            '\'42["chat message","你\' … · message: EVENT\nnot complete: 22 of 27 B so far'
        )

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", '"" … · no packet: a packet is empty'),
            (b"4", '"4" … · message: …'),
            (b"b", '"b" … · message: attachment, Base64'),
            (b"4\xe4", '"4" … · message: …'),
        ],
    )
    def test_of_which_little_is_there(self, body, said):
        assert EngineIO().body(body, is_complete=False).startswith(said)

    def test_that_is_long_is_shortened(self):
        body = ('42["' + "x" * 400 + '"]').encode()
        assert Seen(post(body)).meaning == f"'42[\"{'x' * 196}' … · message: EVENT"
        kept = ('42["' + "x" * 4000 + '"]').encode()  # more than the tape keeps
        assert Seen(post(kept)).meaning == f"'42[\"{'x' * 196}' … · message: EVENT"

    def test_of_hostile_bytes(self):
        assert Seen(post(b"\x1b\xff")).meaning.startswith(
            '"\\x1b\\xff" · no packet: packet type is'
        )


class TestFrame:
    def test_of_bytes_is_an_attachment(self):
        assert Seen(*UPGRADE).frame(Opcode.BINARY, b"abc") == "3 bytes · message: attachment"
        assert EngineIO().message(b"ab", is_text=False, is_complete=False) == (
            "2 bytes … · message: attachment"
        )

    def test_that_is_not_complete(self):
        said = Seen(*UPGRADE).frame(Opcode.TEXT, b'42["chat"]', cut=2)
        assert said == "'42[\"chat' … · message: EVENT\nnot complete: 14 of 16 B so far"

    @pytest.mark.parametrize(
        ("opcode", "options", "said"),
        [
            (Opcode.TEXT, {"fin": False}, '"40", more follows'),
            (Opcode.PING, {}, '"40"'),
            (Opcode.CONTINUATION, {}, '"40"'),
        ],
    )
    def test_of_another_kind_is_described_as_ever(self, opcode, options, said):
        assert Seen(*UPGRADE).frame(opcode, b"40", **options) == said

    def test_that_is_compressed(self):
        deflate = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        seen = Seen(UPGRADE[0], UPGRADE[1][:-2] + deflate)
        assert seen.frame(Opcode.TEXT, b"zip", rsv=0b100) == "3 bytes, compressed"

    def test_of_a_plain_websocket(self):
        request = UPGRADE[0].replace(b"EIO=4&", b"")
        assert Seen(request, UPGRADE[1]).frame(Opcode.TEXT, b"40") == '"40"'


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("GET /socket.io/?EIO=4&transport=polling", True),
        ("POST /any/path?transport=polling&EIO=4", True),
        ("GET /socket.io/socket.io.js", False),
        ("GET /?NOEIO=4", False),
        ("GET /?x=1 EIO=4", False),
        ("GET /EIO=4", False),
        ("GET /?EIO=x", False),
    ],
)
def test_which_requests_are_of_engineio(line, asked):
    assert EngineIO().recognises(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) == asked
