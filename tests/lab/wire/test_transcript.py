"""What a tape says, decoded: exact text for exact bytes."""

from __future__ import annotations

import pytest

from wslab import lab
from wslab.lab.wire.row import Context, Row
from wslab.lab.wire.tape import Piece, Tape
from wslab.lab.wire.tracker import KEEP, trackers
from wslab.protocol.close import Close
from wslab.protocol.frames import Frame, Opcode

MASK = bytes.fromhex("37fa213d")
REQUEST = b"GET /chat HTTP/1.1\r\nHost: 127.0.0.1:8765\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
COMPRESSING = SWITCHING[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


class Recorder:
    """Both trackers of one connection, already in WebSocket unless told otherwise."""

    def __init__(self, *, upgraded=True, limit=100, deflate=False):
        self.tape = Tape(limit)
        self.client, self.server = trackers(self.tape, 1)
        if upgraded:
            self.client.feed(REQUEST)
            self.server.feed(COMPRESSING if deflate else SWITCHING)

    @property
    def transcript(self):
        return lab.Transcript(self.tape)

    def frame(self, side, *args, **options):
        """Feed one frame; return its row."""
        mask = MASK if side == "client" else None
        frame = Frame(*args, **{"mask": mask, **options}).serialize(check=False)
        getattr(self, side).feed(frame)
        return self.transcript[-1]


def conversation():
    seen = Recorder()
    seen.frame("client", Opcode.TEXT, b"Hello")
    seen.frame("server", Opcode.TEXT, "你好".encode())
    seen.frame("server", Opcode.BINARY, bytes(300))
    seen.frame("client", Opcode.TEXT, b"Hel", fin=False)
    seen.frame("client", Opcode.PING, b"")
    seen.frame("client", Opcode.CONTINUATION, b"lo")
    seen.tape.note(0, "cable", "frozen (both)")
    seen.frame("client", Opcode.CLOSE, Close(1000, "bye").serialize())
    seen.tape.note(1, "server", "closed its side (FIN)")
    return seen.transcript


def test_the_text_is_exact():
    assert repr(conversation()).split("\n") == [
        "#   who     kind          size   what",
        "0   client  HTTP          64 B   GET /chat HTTP/1.1",
        "                                 Host: 127.0.0.1:8765",
        "                                 Upgrade: websocket",
        "1   server  HTTP          56 B   HTTP/1.1 101 Switching Protocols",
        "                                 Upgrade: websocket",
        '2   client  TEXT          11 B   81 85 [37 fa 21 3d] {7f 9f 4d 51 58}   "Hello"',
        '3   server  TEXT          8 B    81 06 e4 bd a0 e5 a5 bd   "你好"',
        "4   server  BINARY        304 B  82 7e 01 2c" + " 00" * 16 + " …   300 bytes",
        '5   client  TEXT          9 B    01 83 [37 fa 21 3d] {7f 9f 4d}   "Hel", more follows',
        "6   client  PING          6 B    89 80 [37 fa 21 3d]",
        '7   client  CONTINUATION  8 B    80 82 [37 fa 21 3d] {5b 95}   "lo"',
        "8   cable   note                 frozen (both)",
        "9   client  CLOSE         11 B   88 85 [37 fa 21 3d] {34 12 43 44 52}   "
        '1000 NORMAL_CLOSURE "bye"',
        "10  server  note                 closed its side (FIN)",
    ]


def test_nothing_has_passed():
    empty = lab.Transcript(Tape())
    assert (repr(empty), len(empty), empty.size) == ("nothing has passed", 0, 0)


def test_it_is_a_sequence():
    transcript = conversation()
    assert len(transcript) == 11
    assert transcript[2].text == "Hello"
    assert transcript[-1].kind == "note"
    assert [row.number for row in transcript[2:4]] == [2, 3]
    assert isinstance(transcript[2:4], lab.Transcript)
    assert list(transcript) == transcript.rows
    with pytest.raises(IndexError):
        transcript[11]


def test_it_can_be_filtered():
    transcript = conversation()

    def numbers(found):
        return [row.number for row in found]

    assert numbers(transcript.client) == [0, 2, 5, 6, 7, 9]
    assert numbers(transcript.server) == [1, 3, 4]
    assert numbers(transcript.frames) == [2, 3, 4, 5, 6, 7, 9]
    assert numbers(transcript.http) == [0, 1]
    assert numbers(transcript.only("server")) == [1, 3, 4, 10]
    assert numbers(transcript.only(kind="TEXT")) == [2, 3, 5]
    assert numbers(transcript.only("client", "TEXT", where=lambda row: row.size > 9)) == [2]
    assert numbers(transcript.only(connection=0)) == [8]
    assert transcript.only(kind="TEXT").size == 28
    assert transcript.sent == {"client": 109, "server": 368}


def test_it_is_the_state_of_one_moment():
    seen = Recorder()
    before = seen.transcript
    seen.client.feed(b"\x81\x85")
    partial = seen.transcript[-1]
    seen.client.feed(MASK + b"\x7f")
    assert (len(before), len(seen.transcript)) == (2, 3)
    assert (partial.size, partial.wire) == (2, b"\x81\x85")


def test_the_dropped_rows_are_counted_and_the_numbers_go_on():
    seen = Recorder(limit=2)
    seen.frame("server", Opcode.TEXT, b"x")
    assert repr(seen.transcript).split("\n") == [
        "1 earlier rows were dropped: the tape keeps 2",
        "#  who     kind  size  what",
        "1  server  HTTP  56 B  HTTP/1.1 101 Switching Protocols",
        "                       Upgrade: websocket",
        '2  server  TEXT  3 B   81 01 78   "x"',
    ]
    assert seen.transcript[:1].dropped == seen.transcript.frames.dropped == 1


class TestRow:
    def test_of_a_frame(self):
        row = Recorder().frame("client", Opcode.TEXT, b"Hello")
        assert (row.who, row.kind, row.size, row.connection) == ("client", "TEXT", 11, 1)
        assert (row.payload, row.text) == (b"Hello", "Hello")
        assert row.wire == b"\x81\x85" + MASK + b"\x7f\x9f\x4d\x51\x58"
        assert row.is_complete
        assert row.seconds >= 0
        assert row.anatomy == lab.dissect(row.wire)
        table, empty, *anatomy = repr(row).split("\n\n")
        assert table.split("\n")[1].endswith('"Hello"')
        assert repr(row) == f"{table}\n\n{row.anatomy!r}"
        assert "masking key" in empty + "".join(anatomy)

    def test_of_something_else_has_no_anatomy(self):
        row = Recorder().transcript[0]
        assert row.payload == row.wire == REQUEST
        assert repr(row) == repr(Recorder().transcript[:1])
        with pytest.raises(ValueError, match="row 0 is HTTP, only frames have an anatomy"):
            row.anatomy  # noqa: B018

    @pytest.mark.parametrize(
        ("side", "args", "options", "problem"),
        [
            ("client", (Opcode.TEXT, b"x"), {"mask": None}, "a client's frame is not masked"),
            ("server", (Opcode.TEXT, b"x"), {"mask": MASK}, "a server's frame is masked"),
            ("server", (3, b"x"), {}, "opcode 0x3 is reserved"),
            (
                "server",
                (Opcode.TEXT, b"x"),
                {"rsv": 0b010},
                "RSV bits are 010, but extensions use 000",
            ),
            ("server", (Opcode.PING, bytes(126)), {}, "PING payload is 126 bytes, limit 125"),
            ("server", (Opcode.PING, b""), {"fin": False}, "PING is fragmented"),
        ],
    )
    def test_that_breaks_a_rule_names_it(self, side, args, options, problem):
        row = Recorder().frame(side, *args, **options)
        assert row.problem.startswith(f"{problem} (RFC 6455 §5.")
        assert f"\nnot allowed: {row.problem}" in row.meaning
        assert row.is_complete

    def test_with_a_reserved_opcode_has_a_kind(self):
        assert Recorder().frame("server", 0xB, b"").kind == "reserved 0xb"

    def test_of_a_compressed_frame(self):
        row = Recorder(deflate=True).frame("server", Opcode.TEXT, b"zip", rsv=0b100)
        assert (row.meaning, row.problem) == ("3 bytes, compressed", "")

    def test_of_a_compressed_frame_that_nobody_agreed_on(self):
        row = Recorder().frame("server", Opcode.TEXT, b"zip", rsv=0b100)
        assert row.problem == "RSV bits are 100, but extensions use 000 (RFC 6455 §5.2)"

    @pytest.mark.parametrize(
        "opcode", [Opcode.PING, Opcode.PONG, Opcode.CLOSE, Opcode.CONTINUATION]
    )
    def test_that_may_not_be_compressed(self, opcode):
        """RFC 7692 §6: no control frame, and of a message the first frame alone."""
        seen = Recorder(deflate=True)
        seen.frame("server", Opcode.TEXT, b"Hel", fin=False)
        row = seen.frame("server", opcode, b"\x03\xe8lo", rsv=0b100)
        assert "compressed" not in row.meaning
        assert row.problem == (
            f"RSV1 is set on {opcode.name}, only a message's first frame has it (RFC 7692 §6)"
        )
        assert "compressed" not in repr(row.anatomy)

    @pytest.mark.parametrize(
        ("field", "agreed"),
        [
            ("Sec-WebSocket-Extensions: permessage-deflate", True),
            (
                "sec-websocket-extensions: x; a=b, permessage-deflate; client_max_window_bits=9",
                True,
            ),
            ("Sec-WebSocket-Extensions: x-permessage-deflate", False),
            ("Sec-WebSocket-Extensions: x; a=permessage-deflate", False),
            ("Sec-WebSocket-Extensions: permessage-deflate-frame", False),
            ("Sec-WebSocket-Extensions: x, (", False),
            ("X-Offered: permessage-deflate", False),
            ("Link: </permessage-deflate>", False),
        ],
    )
    def test_compression_is_what_the_response_agrees_to(self, field, agreed):
        seen = Recorder(upgraded=False)
        seen.client.feed(REQUEST[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        seen.server.feed(SWITCHING[:-2] + f"{field}\r\n\r\n".encode())
        row = seen.frame("server", Opcode.TEXT, b"zip", rsv=0b100)
        assert (not row.problem, "compressed" in row.meaning) == (agreed, agreed)

    def test_of_one_that_nobody_agreed_to_compress_shows_its_text(self):
        assert (
            Recorder().frame("server", Opcode.TEXT, b"zip", rsv=0b100).meaning.startswith('"zip"')
        )

    @pytest.mark.parametrize(
        ("opcode", "rsv", "meaning"),
        [
            (Opcode.TEXT, 0, '"lo"'),
            (Opcode.BINARY, 0, "2 bytes"),
            (Opcode.TEXT, 0b100, "2 bytes, compressed"),
        ],
    )
    def test_of_a_continuation_goes_on_as_its_message_began(self, opcode, rsv, meaning):
        seen = Recorder(deflate=True)
        seen.frame("server", opcode, b"Hel", fin=False, rsv=rsv)
        seen.frame("client", Opcode.TEXT, b"another message, of the other side")
        seen.frame("server", Opcode.PING, b"")
        assert seen.frame("server", Opcode.CONTINUATION, b"lo").meaning == meaning

    @pytest.mark.parametrize(
        ("payload", "problem"),
        [
            (b"\x03", "CLOSE payload is 1 byte"),
            (b"\x03\xed", "close code 1005 may not be sent"),
            (b"\x03\xe8\xff", "the close reason is not UTF-8"),
        ],
    )
    def test_of_a_bad_close_names_the_rule(self, payload, problem):
        row = Recorder().frame("server", Opcode.CLOSE, payload)
        assert row.problem.startswith(problem)

    def test_of_several_connections_says_which(self):
        seen = Recorder()
        trackers(seen.tape, 2)[1].feed(b"\x00raw")
        assert [row.cells()[1] for row in seen.transcript] == ["client 1", "server 1", "server 2"]

    @pytest.mark.parametrize("size", [KEEP - 4, KEEP - 3, 100_000])
    def test_of_a_large_payload_is_shortened_and_says_so(self, size):
        row = Recorder().frame("server", Opcode.TEXT, b"a" * size)
        header = 4 if size < 65536 else 10
        assert (row.size, len(row.wire)) == (size + header, min(size + header, KEEP))
        assert row.is_complete
        assert row.meaning == f'"{"a" * 60}" …'
        assert row.bytes_shown.endswith(" 61 …")

    def test_of_bytes_that_are_no_text(self):
        assert Recorder().frame("server", Opcode.BINARY, b"\xff\x00").text == "\\xff\0"


class TestFragments:
    """A character may be cut in two by a frame's end: no fault of the sender's (RFC 6455 §5.6)."""

    @pytest.mark.parametrize("side", ["client", "server"])
    @pytest.mark.parametrize(
        ("fragments", "meanings"),
        [
            (
                [b"a\xe4\xbd", b"\xa0b"],
                [
                    '"a", then 2 bytes of a character that goes on, more follows',
                    '"你b", begun in the frame before',
                ],
            ),
            (
                [b"\xe4", b"\xbd", b"\xa0"],
                [
                    "1 byte of a character that goes on, more follows",
                    "2 bytes of a character that goes on, more follows",
                    '"你", begun in the frame before',
                ],
            ),
            ([b"a", b"b"], ['"a", more follows', '"b"']),
            (
                [b"\xe4", b"b"],
                [
                    "1 byte of a character that goes on, more follows",
                    '"\\xe4b", begun in the frame before',
                ],
            ),
            ([b"a", b"\xa0b"], ['"a", more follows', '"\\xa0b"']),
            ([b"\xf0\x9f", b"", b"\x99\x82\xe4"], None),
        ],
    )
    def test_of_a_text(self, side, fragments, meanings):
        seen, said = Recorder(), []
        for number, payload in enumerate(fragments):
            opcode = Opcode.CONTINUATION if number else Opcode.TEXT
            fin = payload is fragments[-1]
            seen.frame(side, Opcode.PING, b"\xe4")
            said.append(seen.frame(side, opcode, payload, fin=fin).meaning)
        assert said == (
            meanings
            or [
                "2 bytes of a character that goes on, more follows",
                "more follows",
                '"🙂\\xe4", begun in the frame before',
            ]
        )

    def test_after_one_that_was_not_kept_whole(self):
        seen = Recorder()
        seen.frame("server", Opcode.TEXT, b"a" * KEEP + b"\xe4", fin=False)
        row = seen.frame("server", Opcode.CONTINUATION, b"\xbd\xa0b")
        assert row.meaning == 'the last 2 bytes of a character, then "b"'

    def test_by_itself(self):
        assert '"b"' in repr(lab.dissect(b"\x80\x03\xbd\xa0b"))
        assert r"\xbd" not in repr(lab.dissect(b"\x80\x03\xbd\xa0b"))


class TestPartial:
    def test_http(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(REQUEST[:30])
        row = seen.transcript[0]
        assert not row.is_complete
        assert row.meaning == ("GET /chat HTTP/1.1\nHost: 127.\nnot complete: 30 B so far")

    def test_a_body(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1234")
        row = seen.transcript[1]
        assert (row.kind, row.is_complete) == ("body", False)
        assert row.meaning == '"1234"\nnot complete: 4 of 9 B so far'

    def test_a_body_without_length_is_never_known_to_be_complete(self):
        seen = Recorder(upgraded=False)
        seen.server.feed(b"HTTP/1.1 200 OK\r\n\r\nso far")
        row = seen.transcript[1]
        assert (row.kind, row.meaning, row.is_complete) == ("body", '"so far"', True)

    @pytest.mark.parametrize("size", [1, 4, 9])
    def test_a_tls_record(self, size):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"\x16\x03\x03\x00\x05hello"[:size])
        row = seen.transcript[0]
        assert (row.kind, row.size, row.is_complete) == ("TLS", size, False)

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_a_frames_header(self, count):
        seen = Recorder()
        seen.client.feed((b"\x81\x85" + MASK)[:count])
        row = seen.transcript[2]
        assert (row.kind, row.is_complete, row.problem) == ("frame", False, "")
        assert row.meaning == (f"part of a header\nnot complete: {count} B so far")

    def test_a_frames_payload(self):
        seen = Recorder()
        seen.client.feed(Frame(Opcode.TEXT, b"Hello", mask=MASK).serialize()[:-2])
        row = seen.transcript[2]
        assert (row.kind, row.is_complete, row.payload) == ("TEXT", False, b"Hel")
        assert row.meaning == '"Hel" …\nnot complete: 9 of 11 B so far'


class TestHostile:
    def test_headers(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"GET /\x1b[2J HTTP/1.1\r\nX: \x00\n<b>\xe4\r\n\r\n")
        assert seen.transcript[0].meaning == "GET /\\x1b[2J HTTP/1.1\nX: \\x00\\n<b>ä"

    def test_a_long_header_line_is_shortened(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"GET / HTTP/1.1\r\nX: " + b"a" * 300 + b"\r\n\r\n")
        assert seen.transcript[0].meaning == f"GET / HTTP/1.1\nX: {'a' * 197} …"

    @pytest.mark.parametrize("name", ["Cookie", "set-cookie", "Authorization"])
    def test_secrets_are_not_shown(self, name):
        seen = Recorder(upgraded=False)
        seen.client.feed(f"GET / HTTP/1.1\r\n{name}: _xsrf=secret\r\n\r\n".encode())
        row = seen.transcript[0]
        assert row.meaning == f"GET / HTTP/1.1\n{name}: (12 characters, not shown)"
        assert "secret" not in repr(seen.transcript)
        assert b"secret" in row.wire

    @pytest.mark.parametrize(
        "head",
        [
            "GET /chat?room=1&token=s3cret HTTP/1.1",
            "GET http://127.0.0.1:80/?token=s3cret HTTP/1.1",
            "GET / HTTP/1.1\r\nCookie:s3cret",
            "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: chat, bearer, s3cret",
        ],
    )
    def test_secrets_in_the_request_are_not_shown(self, head):
        seen = Recorder(upgraded=False)
        seen.client.feed(f"{head}\r\n\r\n".encode())
        shown = head.replace("\r\n", "\n").replace("s3cret", "(6 characters, not shown)")
        assert seen.transcript[0].meaning == shown

    @pytest.mark.parametrize(
        ("text", "meaning"),
        [
            ("a\nb", r'"a\nb"'),
            (r"a\nb", r'"a\\nb"'),
            ('Hi", more follows', """'Hi", more follows'"""),
            ("""Hi", 'more'""", r'''"Hi\", 'more'"'''),
        ],
    )
    def test_a_text_is_no_remark_of_ours(self, text, meaning):
        assert Recorder().frame("client", Opcode.TEXT, text.encode()).meaning == meaning

    def test_a_header_line_can_be_read_back(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"GET / HTTP/1.1\r\nX: a\\nb\r\nY: a\x00b\r\n\r\n")
        assert seen.transcript[0].meaning == "GET / HTTP/1.1\nX: a\\\\nb\nY: a\\x00b"

    def test_a_header_of_many_lines_is_shortened_and_says_so(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"GET / HTTP/1.1\r\n" + b"X:\r\n" * 99 + b"\r\n")
        *_, last, note = seen.transcript[0].meaning.split("\n")
        assert (last, note) == ("X:", "… 50 more lines, see the row's wire")

    def test_payloads_and_reasons(self):
        seen = Recorder()
        assert seen.frame("client", Opcode.TEXT, b"\x1b\n\xff").meaning == '"\\x1b\\n\\xff"'
        reason = Close(1000, "\x07\u202e").serialize()
        assert seen.frame("client", Opcode.CLOSE, reason).meaning == (
            '1000 NORMAL_CLOSURE "\\x07\\u202e"'
        )

    def test_raw_bytes(self):
        seen = Recorder(upgraded=False)
        seen.client.feed(b"\x1b[31m")
        assert seen.transcript[0].cells() == (
            *("0", "client", "raw", "5 B"),
            *("1b 5b 33 31 6d", '"\\x1b[31m"'),
        )


@pytest.mark.parametrize(
    ("first", "what"),
    [(20, "TLS change of keys"), (21, "TLS alert"), (22, "TLS handshake"), (23, "ciphertext")],
)
def test_a_tls_record_says_whether_it_is_readable(first, what):
    piece = Piece(1, "client", "tls", 0.0, bytes([first]) + b"\x03\x03\x00\x01x", 6, 6)
    assert Row(0, piece, 0.0, Context()).meaning == f"6 bytes of {what}"
