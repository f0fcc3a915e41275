"""Where messages begin and end on the tape, however TCP has cut them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wslab import lab
from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import KEEP, trackers
from wslab.protocol.frames import Frame, Opcode
from wslab.protocol.http import HEAD_LIMIT

SIDES = ("client", "server")
UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
MASK = b"\x01\x02\x03\x04"


def connection():
    tape = Tape()
    return tape, dict(zip(SIDES, trackers(tape, 1), strict=True))


def pieces(tape, side):
    return [
        (piece.kind, piece.head, piece.size, piece.total)
        for piece in tape.pieces
        if piece.side == side
    ]


def record(*chunks):
    """Feed (side, bytes) in order; return what the tape has of each side."""
    tape, both = connection()
    for side, data in chunks:
        both[side].feed(data)
    return {side: pieces(tape, side) for side in SIDES}


def summary(*chunks):
    found = record(*chunks)
    return {side: [(kind, size) for kind, _, size, _ in found[side]] for side in SIDES}


def frames(mask, sizes=(0, 1, 5, 125, 126, 127, KEEP, 600, 65535, 65536)):
    return b"".join(
        Frame(Opcode.BINARY, bytes([size % 251]) * size, mask=mask).serialize() for size in sizes
    )


def response(body, status=b"200 OK"):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


STREAMS = {
    "websocket": (UPGRADE + frames(MASK), SWITCHING + frames(None)),
    "keep-alive": (
        GET + b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" + GET,
        response(b"x" * 700) + response(b"", b"304 Not Modified") + response(b"HTTP/1.1 200"),
    ),
    "interim": (
        UPGRADE + frames(MASK, (3,)),
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SWITCHING + frames(None, (4,)),
    ),
    "refused": (
        UPGRADE + GET,
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" + response(b"yes"),
    ),
    "endless": (GET, b"HTTP/1.0 200 OK\r\n\r\n" + b"HTTP/1.1 200 OK\r\n\r\n" * 40),
    "chunked": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
}
CUTS = st.lists(
    st.tuples(st.sampled_from(SIDES), st.integers(1, 20) | st.integers(1, 70_000)), max_size=60
)


def chunked(streams, cuts):
    """Cut both streams, in an order that can be: the request comes before the answer.

    Before the answer is complete, no more of the client is fed than the tape holds back.
    """
    request = streams["client"].find(b"\r\n\r\n") + 4
    answer = min(300, len(streams["server"]))
    done = dict.fromkeys(SIDES, 0)
    for side, size in [*cuts, *((side, 1 << 20) for side in ("client", *SIDES[::-1]))]:
        if done["client"] < request:
            side = "client"
        if side == "client" and done["server"] < answer:
            size = min(size, HEAD_LIMIT - done["client"])
        if data := streams[side][done[side] : done[side] + size]:
            done[side] += len(data)
            yield side, data


@pytest.mark.parametrize("name", STREAMS)
@settings(deadline=None, derandomize=True, max_examples=60)
@given(cuts=CUTS)
@example(cuts=[("client", 70_000)])  # the client's first frames before any answer
@example(cuts=[("client", len(UPGRADE)), ("server", 70_000)])
def test_every_chunking_gives_the_same_pieces(name, cuts):
    streams = dict(zip(SIDES, STREAMS[name], strict=True))
    in_turn = [("client", streams["client"][: len(UPGRADE)]), ("server", streams["server"])]
    whole = record(*in_turn, ("client", streams["client"][len(UPGRADE) :]))
    assert record(*chunked(streams, cuts)) == whole


def test_byte_by_byte():
    sizes = (0, 126, 600)
    tape, both = connection()
    streams = {
        "client": UPGRADE + frames(MASK, sizes),
        "server": SWITCHING + frames(None, sizes),
    }
    for side, data in streams.items():
        for byte in data:
            both[side].feed(bytes([byte]))
    assert [(p.side, p.kind, p.size, p.start) for p in tape.pieces] == [
        ("client", "http", len(UPGRADE), 0),
        ("client", "frame", 6, len(UPGRADE)),  # these waited for the answer
        ("server", "http", len(SWITCHING), 0),
        ("client", "frame", 134, len(UPGRADE) + 6),
        ("client", "frame", 608, len(UPGRADE) + 140),
        ("server", "frame", 2, len(SWITCHING)),
        ("server", "frame", 130, len(SWITCHING) + 2),
        ("server", "frame", 604, len(SWITCHING) + 132),
    ]
    assert tape.sent == {side: len(data) for side, data in streams.items()}


def test_only_the_beginning_of_a_payload_is_kept():
    found = record(("client", UPGRADE), ("server", SWITCHING + frames(None, (65536,))))
    kind, head, size, total = found["server"][1]
    assert (kind, len(head), size, total) == ("frame", KEEP, 65546, 65546)


def test_frames_glued_to_the_answer_and_to_the_request():
    assert summary(
        ("client", UPGRADE + frames(MASK, (1, 2))), ("server", SWITCHING + frames(None, (3, 4, 5)))
    ) == {
        "client": [("http", len(UPGRADE)), ("frame", 7), ("frame", 8)],
        "server": [("http", len(SWITCHING)), ("frame", 5), ("frame", 6), ("frame", 7)],
    }


def test_an_interim_answer_decides_nothing():
    hints = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n"
    assert summary(
        ("client", UPGRADE), ("server", hints + SWITCHING), ("client", frames(MASK, (1,)))
    ) == {
        "client": [("http", len(UPGRADE)), ("frame", 7)],
        "server": [("http", len(hints)), ("http", len(SWITCHING))],
    }


def test_a_refused_client_speaks_http_again():
    refused = response(b"no", b"403 Forbidden")
    assert summary(("client", UPGRADE), ("server", refused), ("client", GET)) == {
        "client": [("http", len(UPGRADE)), ("http", len(GET))],
        "server": [("http", len(refused) - 2), ("body", 2)],
    }


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_that_has_no_body_whatever_it_says(status):
    head = b"HTTP/1.1 %s\r\nContent-Length: 100\r\n\r\n" % status
    answer = response(b"yes")
    assert summary(("server", head + answer))["server"] == [
        ("http", len(head)),
        ("http", len(answer) - 3),
        ("body", 3),
    ]


@pytest.mark.parametrize("side", SIDES)
def test_a_body_in_chunks_is_followed_by_the_next_message(side):
    head, body = STREAMS["chunked"][SIDES.index(side)].split(b"\r\n\r\n", 1)
    assert summary((side, head + b"\r\n\r\n" + body), (side, b"HTTP"))[side] == [
        ("http", len(head) + 4),
        ("chunk", len(body) - 5),
        ("chunk", 5),
        ("http", 4),
    ]


@pytest.mark.parametrize("side", SIDES)
def test_a_body_in_another_coding_goes_up_to_the_end(side):
    head = (b"POST / HTTP/1.1", b"HTTP/1.1 200 OK")[SIDES.index(side)]
    head += b"\r\nTransfer-Encoding: gzip\r\n\r\n"
    found = summary((side, head + b"HTTP/1.1 200 OK\r\n\r\n"), (side, b"more"))[side]
    assert found == [("http", len(head)), ("body", 23)]


def test_too_much_to_hold():
    """A client may not send before the answer (RFC 6455 §4.1); so much of it stays raw."""
    early = frames(MASK, (HEAD_LIMIT,))
    assert summary(("client", UPGRADE + early), ("server", SWITCHING), ("client", b"more")) == {
        "client": [("http", len(UPGRADE)), ("raw", len(early)), ("raw", 4)],
        "server": [("http", len(SWITCHING))],
    }


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("data", [b"Hello", b"\x00\x01", "你好".encode(), b"HTTX", b"BREW / x"])
def test_what_is_no_http_is_raw(side, data):
    assert summary((side, data), (side, b"GET "))[side] == [("raw", len(data)), ("raw", 4)]


@pytest.mark.parametrize("side", SIDES)
def test_tls(side):
    record_ = b"\x16\x03\x01\x00\x05hello"
    assert summary((side, record_), (side, b"\x17\x03\x03\x00\x01x"))[side] == [
        ("tls", 10),
        ("tls", 6),
    ]


@pytest.mark.parametrize(
    ("side", "head"),
    [
        ("client", b"GET / HTTP/1.1\nHost: x\r\n\r\n"),
        ("client", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        ("client", b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n"),
        ("client", b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ("server", b"HTTP/1.1\r\n\r\n"),
        ("server", b"HTTP/1.1 OK\r\n\r\n"),
        ("server", b"HTTP/2 200\r\n\r\n"),
        ("server", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ],
)
def test_after_malformed_http_everything_is_raw(side, head):
    assert summary((side, head + b"rest"))[side] == [("http", len(head)), ("raw", 4)]


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_header_without_end(size):
    data = b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT
    chunks = [("client", data[i : i + size]) for i in range(0, len(data), size)]
    found = record(*chunks)["client"]
    assert (found[0][0], found[0][2], found[0][3]) == ("http", HEAD_LIMIT, None)
    assert {kind for kind, *_ in found[1:]} == {"raw"}
    assert sum(size for *_, size, _ in found) == len(data)


def test_a_response_without_a_request():
    """Some server answers at once: its frames are frames, and so are the client's."""
    assert summary(
        ("server", SWITCHING + frames(None, (1,))), ("client", UPGRADE + frames(MASK, (1,)))
    ) == {
        "client": [("http", len(UPGRADE)), ("frame", 7)],
        "server": [("http", len(SWITCHING)), ("frame", 3)],
    }


HEADERS_ONLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
CONNECT = b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"


class TestTheAnswerDependsOnItsRequest:
    def test_head_has_no_body_in_whatever_order(self):
        yes = response(b"yes")
        found = summary(
            ("client", HEAD + GET + HEAD),
            ("server", HEADERS_ONLY + yes),
            ("server", HEADERS_ONLY + yes),
        )
        head = ("http", len(HEADERS_ONLY))
        assert found["server"] == [
            *(head, ("http", len(yes) - 3), ("body", 3)),
            *(head, ("http", len(yes) - 3), ("body", 3)),
        ]

    def test_an_interim_answer_does_not_count(self):
        hints = b"HTTP/1.1 103 Early Hints\r\n\r\n"
        found = summary(("client", HEAD + GET), ("server", hints + HEADERS_ONLY + response(b"yes")))
        assert [kind for kind, _ in found["server"]] == ["http", "http", "http", "body"]

    def test_a_request_that_nobody_sent_is_one_for_a_page(self):
        timeout = response(b"late", b"408 Request Timeout")
        assert summary(("server", timeout))["server"][1] == ("body", 4)

    @pytest.mark.parametrize("inside", ["websocket", "tls", "raw"])
    def test_a_tunnel_holds_what_its_first_bytes_say(self, inside):
        through = {
            "websocket": [
                (UPGRADE, ["http"]),
                (SWITCHING, ["http"]),
                (frames(MASK, (1,)), ["frame"]),
            ],
            "tls": [(b"\x16\x03\x01\0\1x", ["tls"])],
            "raw": [(b"SSH-2.0", ["raw"])],
        }[inside]
        tape, both = connection()
        both["client"].feed(CONNECT)
        both["server"].feed(HEADERS_ONLY)
        for number, (data, kinds) in enumerate(through):
            before = tape.count
            both[SIDES[number % 2]].feed(data)
            assert [piece.kind for piece in tape.pieces][before:] == kinds

    def test_a_refused_tunnel_is_none(self):
        refused = response(b"no", b"407 Proxy Authentication Required")
        found = summary(("client", CONNECT), ("server", refused), ("client", GET))
        assert [kind for kind, _ in found["client"]] == ["http", "http"]
        assert [kind for kind, _ in found["server"]] == ["http", "body"]

    @pytest.mark.parametrize("protocol", [b"h2c", b"TLS/1.0, HTTP/1.1", b"websocket2"])
    def test_a_101_to_something_else_begins_no_frames(self, protocol):
        found = summary(
            ("client", UPGRADE.replace(b"websocket", protocol)),
            ("server", SWITCHING.replace(b"websocket", protocol) + b"\0\0\0\4\0"),
            ("client", b"PRI * HTTP/2.0\r\n\r\n"),
        )
        assert [kind for kind, _ in found["server"]] == ["http", "raw"]
        assert [kind for kind, _ in found["client"]] == ["http", "raw"]

    def test_the_answers_protocol_counts(self):
        asked = UPGRADE.replace(b"websocket", b"h2c, WebSocket")
        found = summary(("client", asked), ("server", SWITCHING + frames(None, (1,))))
        assert [kind for kind, _ in found["server"]] == ["http", "frame"]

    def test_a_101_that_names_no_protocol_means_the_one_asked_for(self):
        answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        found = summary(("client", UPGRADE), ("server", answer + frames(None, (1,))))
        assert [kind for kind, _ in found["server"]] == ["http", "frame"]

    def test_requests_before_an_upgrade_are_answered_first(self):
        yes = response(b"yes")
        found = summary(
            ("client", GET + UPGRADE),
            ("server", yes),
            ("client", frames(MASK, (1,))),
            ("server", SWITCHING + frames(None, (2,))),
            ("client", frames(MASK, (3,))),
        )
        assert [kind for kind, _ in found["client"]] == ["http", "http", "frame", "frame"]
        assert [kind for kind, _ in found["server"]] == ["http", "body", "http", "frame"]

    @pytest.mark.parametrize("early", [True, False])
    @pytest.mark.parametrize(("answer", "then"), [(SWITCHING, "frame"), (None, "http")])
    def test_an_upgrade_may_have_a_body(self, early, answer, then):
        answer = answer or response(b"no", b"403 Forbidden")
        asked = UPGRADE.replace(b"Host: x", b"Content-Length: 5")
        rest = frames(MASK, (1,)) if then == "frame" else GET
        chunks = [("client", asked + b"he"), ("client", b"llo" + rest)]
        chunks.insert(1 if early else 2, ("server", answer))
        found = summary(*chunks)["client"]
        assert found == [("http", len(asked)), ("body", 5), (then, len(rest))]

    def test_an_empty_line_before_a_request_is_ignored(self):
        """As a server must (RFC 9112 §2.2)."""
        found = summary(
            ("client", GET + b"\r\n" + HEAD), ("server", response(b"yes") + HEADERS_ONLY)
        )
        assert found["client"] == [("http", len(GET)), ("http", len(HEAD) + 2)]
        assert found["server"][-1] == ("http", len(HEADERS_ONLY))


class TestEarlyBytes:
    """What a client sends after it has asked, and before the server has answered."""

    def test_are_there_at_once(self):
        early = frames(MASK, (1,))
        assert record(("client", UPGRADE + early), ("client", early))["client"][1] == (
            "early",
            early * 2,
            14,
            None,
        )

    def test_keep_their_place_and_their_time(self):
        tape, both = connection()
        both["client"].feed(UPGRADE + frames(MASK, (1,)))
        both["client"].feed(frames(MASK, (2, 3)))
        both["server"].feed(SWITCHING)
        rows = list(lab.Transcript(tape))
        assert [(row.who, row.kind, row.size) for row in rows] == [
            ("client", "HTTP", len(UPGRADE)),
            *(("client", "BINARY", size) for size in (7, 8, 9)),
            ("server", "HTTP", len(SWITCHING)),
        ]
        assert [row.number for row in rows] == [0, 1, 2, 3, 4]
        assert rows[0].seconds == rows[1].seconds < rows[2].seconds == rows[3].seconds


class TestRecords:
    """TLS: a piece per record, however TCP has cut them (RFC 8446 §5.1)."""

    def test_whole_and_in_parts(self):
        stream = (
            b"\x16\x03\x01\0\5hello"
            + b"\x14\x03\x03\0\1\1"
            + b"\x17\x03\x03\x40\0"
            + bytes(1 << 14)
        )
        whole = record(("client", stream))["client"]
        assert [(kind, size) for kind, _, size, _ in whole] == [
            *(("tls", 10), ("tls", 6), ("tls", 5 + (1 << 14))),
        ]
        for size in (1, 4, 5, 6, 1000):
            cut = [("client", stream[i : i + size]) for i in range(0, len(stream), size)]
            assert record(*cut)["client"] == whole

    def test_a_server_may_begin_with_an_alert(self):
        alert = b"\x15\x03\x03\0\2\2\x28"
        assert summary(("client", GET), ("server", alert))["server"] == [("tls", 7)]

    def test_what_is_none_is_raw_from_there_on(self):
        stream = b"\x16\x03\x01\0\1x" + b"GET / HTTP/1.1\r\n"
        assert summary(("client", stream), ("client", b"\x16\x03"))["client"] == [
            *(("tls", 6), ("raw", 16), ("raw", 2)),
        ]


def test_the_ring():
    tape = Tape(limit=2)
    for text in "abc":
        tape.note(0, "cable", text)
    assert [piece.head for piece in tape.pieces] == [b"b", b"c"]
    assert (tape.count, tape.dropped, tape.activity()) == (3, 1, 3)
