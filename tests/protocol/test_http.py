"""HTTP messages, as far as the opening handshake needs them: RFC 9112, read strictly."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from wslab.protocol import HandshakeError, Headers, PeerError, Request, Response, parse_extensions
from wslab.protocol.http import HEAD_LIMIT, check_target, content_length

# The handshake of RFC 6455 §1.2, in both directions.
REQUEST = Request(
    "/chat",
    Headers(
        [
            ("Host", "server.example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Origin", "http://example.com"),
            ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Sec-WebSocket-Version", "13"),
        ]
    ),
)
REQUEST_BYTES = b"""\
GET /chat HTTP/1.1\r
Host: server.example.com\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Origin: http://example.com\r
Sec-WebSocket-Protocol: chat, superchat\r
Sec-WebSocket-Version: 13\r
\r
"""
RESPONSE = Response(
    101,
    Headers(
        [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("Sec-WebSocket-Protocol", "chat"),
        ]
    ),
)
RESPONSE_BYTES = b"""\
HTTP/1.1 101 Switching Protocols\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
Sec-WebSocket-Protocol: chat\r
\r
"""

# Heads that are no HTTP, and a part of the message each is refused with.
BAD_START_LINES = [
    b"GET /",
    b"GET  / HTTP/1.1",
    b" GET / HTTP/1.1",
    b"GET / HTTP/1.1 ",
    b"GET /a b HTTP/1.1",
    b"GET / http/1.1",
    b"GET / HTTP/11",
    b"GET / HTTP/1.\xb2",
    b"GET / HTTP/1.1.1",
    b"G\xc9T / HTTP/1.1",
    b"GET /\xe9 HTTP/1.1",
    b"GET /\x00 HTTP/1.1",
    b"G(T / HTTP/1.1",
]
BAD_STATUS_LINES = [
    b"HTTP/1.1",
    b"HTTP/1.1 20",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 200OK",
    b"HTTP/1.1  200 OK",
    b"HTTP/1.1 2\xb20 OK",
    b"HTTP/1.1 abc OK",
    b"HTTP/1.1 200 O\x00K",
    b"HTTP/1 200 OK",
    b"HTTP/1.1 200",  # §4 wants the space also where there is no reason
    b"HTTP/1.1 099 x",  # RFC 9110 §15: 100 to 599
    b"HTTP/1.1 600 x",
    b"HTTP/1.1 999 x",
]
BAD_FIELDS = [
    (b"Host", "not a header field"),
    (b": x", "not a header field"),
    (b"Ho st: x", "not a header field"),
    (b"Host : x", "not a header field"),
    (b"H\xf6st: x", "not a header field"),
    (b"Ho(st: x", "not a header field"),
    (b"Host: a\x00b", "not a header field"),
    (b"Host: a\x7fb", "not a header field"),
    (b"Host: a\x1bb", "not a header field"),
    (b"A: b\r\n folded", "folded header line"),
    (b"A: b\r\n\tfolded", "folded header line"),
    (b" A: b", "folded header line"),
    (b"A: b\nC: d", "does not end in CR LF"),
    (b"A: b\rC: d", "does not end in CR LF"),
    (b"A: b\r\r\nC: d", "does not end in CR LF"),
]

token = st.text("!#$%&'*+-.^_`|~019AZaz", min_size=1, max_size=8)
value = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
    | st.sampled_from("\t\x80\x85\xa0"),
    max_size=12,
).map(lambda text: text.strip("\t "))
names = token.filter(lambda name: name.lower() not in ("content-length", "transfer-encoding"))
header_lists = st.lists(st.tuples(names, value), max_size=5).map(Headers)
requests = st.builds(
    Request,
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20),
    header_lists,
    token,
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9"]),
)


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """A response that announces its body, if it can have one."""
    status = draw(st.sampled_from([100, 101, 200, 204, 299, 304, 400, 426, 599]))
    body = draw(st.binary(max_size=20)) if status not in (100, 101, 204, 304) else b""
    length = [("Content-Length", str(len(body)))] if body else []
    reason = draw(value)
    return Response(status, Headers([*draw(header_lists), *length]), reason, body)


def request_with(*fields: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *fields, b"", b""])


def events(peer: Protocol) -> list[Any]:
    """What the library has received: a Request or a Response here."""
    return list(peer.events_received())


class TestExamples:
    """RFC 6455 §1.2, in both directions."""

    def test_request(self) -> None:
        assert REQUEST.serialize() == REQUEST_BYTES
        assert Request.parse(REQUEST_BYTES) == (REQUEST, len(REQUEST_BYTES))

    def test_response(self) -> None:
        assert RESPONSE.serialize() == RESPONSE_BYTES
        assert Response.parse(RESPONSE_BYTES) == (RESPONSE, len(RESPONSE_BYTES))

    def test_white_space_around_a_value_is_not_part_of_it(self) -> None:
        data = b"GET / HTTP/1.1\r\nA:b\r\nB: \t c d\t \r\nC:\r\nD:  \r\n\r\n"
        result = Request.parse(data)
        assert result is not None
        assert result[0].headers == (("A", "b"), ("B", "c d"), ("C", ""), ("D", ""))

    def test_bytes_outside_ascii_in_a_value_are_kept(self) -> None:
        """RFC 9110 §5.5 calls them obs-text; NEL and no-break space are no white space in HTTP."""
        data = b"GET / HTTP/1.1\r\nA: \xa0\xe9\x85\r\n\r\n"
        result = Request.parse(data)
        assert result is not None
        assert result[0].headers.all("a") == ["\xa0é\x85"]
        assert result[0].headers.tokens("a") == ["\xa0é\x85"]
        assert result[0].serialize() == data

    @pytest.mark.parametrize(
        ("line", "status", "reason"),
        [
            (b"HTTP/1.1 200 OK", 200, "OK"),
            (b"HTTP/1.1 200 ", 200, "OK"),
            (b"HTTP/1.0 404 Gone\xe9 fishing", 404, "Goneé fishing"),
            (b"HTTP/1.1 299 ", 299, ""),
            (b"HTTP/1.1 599 ", 599, ""),
        ],
    )
    def test_status_line(self, line: bytes, status: int, reason: str) -> None:
        result = Response.parse(line + b"\r\n\r\n")
        assert result is not None
        response, end = result
        assert (response.status, response.reason, end) == (status, reason, len(line) + 4)
        assert response.version.encode() == line[:8]


class TestHeaders:
    """Names compare without regard to case, values in the order of their lines."""

    HEADERS = Headers([("Accept", "a, b"), ("X", "1"), ("ACCEPT", " ,c,, d ")])

    def test_lookup(self) -> None:
        assert self.HEADERS.all("accept") == ["a, b", " ,c,, d "]
        assert self.HEADERS.get("aCCept") == "a, b,  ,c,, d "
        assert self.HEADERS.tokens("Accept") == ["a", "b", "c", "d"]
        assert self.HEADERS.one("x", "RFC") == "1"

    def test_absent(self) -> None:
        assert self.HEADERS.all("Y") == []
        assert self.HEADERS.get("Y") is None
        assert self.HEADERS.tokens("Y") == []

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("Y", r"^Y is missing, exactly one is needed \(RFC 0 §0\)$"),
            ("Accept", "^Accept is there 2 times, exactly one is needed"),
        ],
    )
    def test_not_exactly_one(self, name: str, message: str) -> None:
        with pytest.raises(HandshakeError, match=message) as caught:
            self.HEADERS.one(name, "RFC 0 §0")
        assert caught.value.status == 400
        assert isinstance(caught.value, PeerError)

    @pytest.mark.parametrize(
        ("values", "expected"), [([], 0), (["0"], 0), (["42"], 42), (["9" * 18], 10**18 - 1)]
    )
    def test_content_length(self, values: list[str], expected: int) -> None:
        assert content_length(Headers(("Content-Length", value) for value in values)) == expected

    @pytest.mark.parametrize(
        "values",
        [["1", "1"], ["1, 1"], [""], ["-1"], ["+1"], ["0x1"], ["1_0"], ["²"], ["٣"], ["9" * 19]],
    )
    def test_content_length_malformed(self, values: list[str]) -> None:
        with pytest.raises(HandshakeError, match="Content-Length"):
            content_length(Headers(("Content-Length", value) for value in values))


class TestMalformed:
    """Whatever two programs might read differently is refused (RFC 9112 §2.2, §3, §5)."""

    @pytest.mark.parametrize("line", BAD_START_LINES)
    def test_request_line(self, line: bytes) -> None:
        with pytest.raises(HandshakeError, match="not a request line") as caught:
            Request.parse(request_with(b"Host: x", line=line))
        assert (caught.value.status, caught.value.section) == (400, "RFC 9112 §3")

    @pytest.mark.parametrize("line", BAD_STATUS_LINES)
    def test_status_line(self, line: bytes) -> None:
        with pytest.raises(HandshakeError, match="not a status line") as caught:
            Response.parse(line + b"\r\n\r\n")
        assert (caught.value.status, caught.value.section) == (400, "RFC 9112 §4")

    @pytest.mark.parametrize(("field", "message"), BAD_FIELDS)
    def test_field(self, field: bytes, message: str) -> None:
        for parse, line in ((Request.parse, b"GET / HTTP/1.1"), (Response.parse, b"HTTP/1.1 200 ")):
            with pytest.raises(HandshakeError, match=message) as caught:
                parse(request_with(field, b"Host: x", line=line))
            assert caught.value.status == 400

    def test_a_bare_line_feed_is_refused_at_once(self) -> None:
        with pytest.raises(HandshakeError, match="CR LF"):
            Request.parse(b"GET / HTTP/1.1\nHost: x\n\n")
        with pytest.raises(HandshakeError, match="CR LF"):
            Request.parse(b"G\n")
        with pytest.raises(HandshakeError, match="CR LF"):
            Request.parse(b"G\rE")
        assert Request.parse(b"G\r") is None

    def test_one_empty_line_before_the_request_is_ignored(self) -> None:
        """Some clients end a body with one too many (§2.2)."""
        data = b"\r\n" + REQUEST_BYTES
        assert Request.parse(data) == (REQUEST, len(data))
        assert Request.parse(b"before" + data, 6) == (REQUEST, len(data) + 6)
        assert all(Request.parse(data[:size]) is None for size in range(len(data)))

    @pytest.mark.parametrize(
        ("parse", "data"),
        [
            (Request.parse, b"\r\n\r\n" + REQUEST_BYTES),
            (Request.parse, b"\r\n\r\n"),
            (Response.parse, b"\r\n" + RESPONSE_BYTES),
            (Response.parse, b"\r\n"),
        ],
    )
    def test_more_empty_lines_are_refused(self, parse: Callable[[bytes], Any], data: bytes) -> None:
        with pytest.raises(HandshakeError, match=r"^an empty line is where the start") as caught:
            parse(data)
        assert (caught.value.status, caught.value.section) == (400, "RFC 9112 §2.2")


class TestTarget:
    """RFC 9112 §3.2: where a request goes; test_handshake.py has every form of both."""

    @pytest.mark.parametrize(
        ("target", "host"),
        [("/", "a"), ("/a?b", "a:80"), ("HTTP://b:1/", "a"), ("ws://[::1]", "a")],
    )
    def test_valid(self, target: str, host: str) -> None:
        check_target(target, host)

    @pytest.mark.parametrize(
        ("target", "host", "message"),
        [
            ("/#", "a", "target '/#' is not a valid path or URI"),
            ("http://", "a", "target 'http://' is not a valid path or URI"),
            ("/", "a b", "'a b' is not a host or host:port"),
            ("/", "", "'' is not a host or host:port"),
            ("/", "a:65536", "'a:65536' is not a host or host:port"),
            ("http://b,c/", "a", "'b,c' is not a host or host:port"),
            ("http://b/", "a,b", "'a,b' is not a host or host:port"),
        ],
    )
    def test_refused(self, target: str, host: str, message: str) -> None:
        with pytest.raises(HandshakeError) as caught:
            check_target(target, host)
        assert str(caught.value) == f"{message} (RFC 9112 §3.2)"
        assert caught.value.status == 400

    @pytest.mark.parametrize(
        ("target", "host"),
        [
            ("http://" + "a" * 16_000 + "#", "a"),
            ("http://a" + "/a" * 8_000 + "#", "a"),
            ("http://a/?" + "%" * 16_000, "a"),
            ("/" + "%7C" * 5_000 + "#", "a"),
            ("/", "a" * 16_000 + ":"),
            ("/", "[" + ":" * 16_000),
            ("/", "[" + "a" * 16_000),
        ],
        ids=range(7),
    )
    def test_hostile_ones_cost_no_more_than_honest_ones(self, target: str, host: str) -> None:
        def cost(target: str, host: str) -> float:
            least = float("inf")
            for _ in range(5):
                begin = time.perf_counter()
                with suppress(HandshakeError):
                    check_target(target, host)
                least = min(least, time.perf_counter() - begin)
            return least

        # One that is quadratic costs a thousand times as much.
        assert cost(target, host) < 60 * cost("/" + "a" * 16_000, "a")


class TestLimits:
    """414 and 431 are decided without reading on (RFC 9112 §3, RFC 6585 §5)."""

    def test_head(self) -> None:
        room = HEAD_LIMIT - len(request_with(b"A: "))
        fits = request_with(b"A: " + b"x" * room)
        assert len(fits) == HEAD_LIMIT
        assert Request.parse(fits + b"more") is not None
        assert Request.parse(b"before" + fits, 6) is not None
        for data, status in (
            (request_with(b"A: " + b"x" * (room + 1)), 431),
            (b"GET / HTTP/1.1\r\n" + b"x" * HEAD_LIMIT, 431),
            (b"GET /" + b"x" * HEAD_LIMIT, 414),
            (b"\r\nGET /" + b"x" * HEAD_LIMIT, 414),
            (b"\r\n" * 20_000, 400),
        ):
            with pytest.raises(HandshakeError) as caught:
                Request.parse(data)
            assert caught.value.status == status
        assert Request.parse(b"x" * (HEAD_LIMIT - 1)) is None

    def test_message_says_the_limit(self) -> None:
        with pytest.raises(HandshakeError, match=r"header is over 16384 bytes \(RFC 6585 §5\)"):
            Response.parse(b"HTTP/1.1 200 \r\n" + bytes(HEAD_LIMIT))
        with pytest.raises(HandshakeError, match=r"start line is over 16384 bytes \(RFC 9112 §3\)"):
            Request.parse(bytes(HEAD_LIMIT))

    def test_fields(self) -> None:
        """Their number is limited by the size of the header."""
        many = (HEAD_LIMIT - len(request_with())) // len(b"A:\r\n")
        result = Request.parse(request_with(*[b"A:"] * many))
        assert result is not None
        assert len(result[0].headers) == many

    @pytest.mark.parametrize(
        "line",
        [
            "A:" + " " * 16_000 + "\x01",
            "A:" + "\t " * 8_000 + "\x01",
            "A:" + " x" * 8_000 + "\x01",
            "A:" + "x" + " " * 16_000 + "\x01",
            "A:" + " " * 8_000 + "x" + " " * 8_000 + "\x01",
            "a" * 16_000,
            "a" * 16_000 + "\x01:",
            "Sec-WebSocket-Extensions: " + "a" * 16_000 + "\x80",
            "Sec-WebSocket-Extensions: a" + " " * 16_000 + "=",
            "Sec-WebSocket-Extensions: a=" + '"' * 16_000,
            "Sec-WebSocket-Extensions: a" + ";a" * 8_000 + ";=",
            "Sec-WebSocket-Extensions: " + "a," * 8_000 + "=",
        ],
        ids=lambda line: f"{line[:32]!r}",
    )
    def test_hostile_lines_cost_no_more_than_honest_ones(self, line: str) -> None:
        """A pattern that backtracks took thousands of times as long on the first of these."""

        def cost(line: str) -> float:
            data, least = request_with(line.encode("latin-1")), float("inf")
            for _ in range(3):
                begin = time.perf_counter()
                try:
                    result = Request.parse(data)
                    assert result is not None
                    parse_extensions(result[0].headers)
                except HandshakeError:
                    pass
                least = min(least, time.perf_counter() - begin)
            return least

        honest = "Sec-WebSocket-Extensions: " + ", ".join(["a; b=c"] * 2_000)
        assert cost(line) < 25 * cost(honest)


class TestBody:
    """A response's body is as long as Content-Length says (RFC 9112 §6.3)."""

    def test_body(self) -> None:
        data = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nsorry"
        response = Response(404, Headers([("Content-Length", "5")]), body=b"sorry")
        assert Response.parse(data + b"next") == (response, len(data))
        assert response.serialize() == data
        assert all(Response.parse(data[:size]) is None for size in range(len(data)))

    @pytest.mark.parametrize("status", [100, 101, 199, 204, 304])
    def test_statuses_without_body(self, status: int) -> None:
        data = b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\n" % status
        result = Response.parse(data + b"hello")
        assert result is not None
        assert (result[0].body, result[1]) == (b"", len(data))
        assert result[0].serialize() == data

    @pytest.mark.parametrize("status", [200, 203, 205, 303, 305])
    def test_statuses_with_body(self, status: int) -> None:
        result = Response.parse(b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\nhello" % status)
        assert result is not None
        assert result[0].body == b"hello"

    def test_an_unannounced_body_is_left_unread(self) -> None:
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        result = Response.parse(data + b"5\r\nhello\r\n0\r\n\r\n")
        assert result is not None
        assert (result[0].body, result[1]) == (b"", len(data))

    def test_two_announcements_are_refused(self) -> None:
        """Who believes the one looks for the next message elsewhere than who believes the other."""
        fields = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
        for headers in (Headers(fields), Headers(fields[::-1])):
            data = b"HTTP/1.1 200 OK\r\n" + headers.serialize() + b"\r\nhello"
            with pytest.raises(HandshakeError, match="are both there") as caught:
                Response.parse(data)
            assert (caught.value.status, caught.value.section) == (400, "RFC 9112 §6.3")
            with pytest.raises(ValueError, match="are both there"):
                Response(200, headers, body=b"hello").serialize()

    @pytest.mark.parametrize(
        ("length", "body"), [(None, b"x"), ("2", b"x"), ("1", b""), ("0", b"x")]
    )
    def test_a_body_of_another_length_is_not_written(self, length: str | None, body: bytes) -> None:
        headers = Headers([] if length is None else [("Content-Length", length)])
        with pytest.raises(ValueError, match=f"body is {len(body)} bytes?, but "):
            Response(200, headers, body=body).serialize()

    def test_a_body_is_not_written_where_there_can_be_none(self) -> None:
        with pytest.raises(ValueError, match="body is 1 byte, but 0 are announced"):
            Response(101, Headers([("Content-Length", "1")]), body=b"x").serialize()


class TestInterim:
    """RFC 9110 §15.2: any number of 1xx responses may come before the final one."""

    @pytest.mark.parametrize(
        ("status", "interim"),
        [(99, False), (100, True), (101, False), (102, True), (103, True), (199, True),
         (200, False), (426, False)],
    )  # fmt: skip
    def test_statuses(self, status: int, interim: bool) -> None:
        assert Response(status, Headers()).is_interim == interim

    def test_a_client_skips_them(self) -> None:
        data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n" + RESPONSE_BYTES
        start = 0
        while (parsed := Response.parse(data, start)) is not None and parsed[0].is_interim:
            start = parsed[1]
        assert parsed == (RESPONSE, len(data))


class TestPlainPairs:
    """A list of pairs is as good as `Headers`."""

    @pytest.mark.parametrize("pairs", [[("Host", "a"), ("X", "b")], (("Host", "a"), ("X", "b"))])
    def test_they_become_headers(self, pairs: Any) -> None:
        for message in (Request("/", pairs), Response(404, pairs)):
            assert type(message.headers) is Headers
            assert message.headers == Headers(pairs)
            assert message.headers.get("x") == "b"
            assert hash(message) == hash(dataclasses.replace(message, headers=Headers(pairs)))


class TestStream:
    """parse undoes serialize, and chunks make no difference."""

    @given(request=requests, before=st.binary(max_size=9), after=st.binary(max_size=9))
    def test_request(self, request: Request, before: bytes, after: bytes) -> None:
        data = before + request.serialize()
        assert Request.parse(data + after, len(before)) == (request, len(data))
        assert Request.parse(bytearray(data + after), len(before)) == (request, len(data))
        assert all(Request.parse(data[:n], len(before)) is None for n in range(len(data)))

    @given(response=responses(), before=st.binary(max_size=9), after=st.binary(max_size=9))
    def test_response(self, response: Response, before: bytes, after: bytes) -> None:
        data = before + response.serialize()
        assert Response.parse(data + after, len(before)) == (response, len(data))
        assert Response.parse(bytearray(data + after), len(before)) == (response, len(data))
        assert all(Response.parse(data[:n], len(before)) is None for n in range(len(data)))

    @given(data=st.lists(st.sampled_from([*b"\r\n: \tA/1"]), max_size=40).map(bytes))
    @example(data=b"\r\n\r\n")
    @example(data=b"A A HTTP/1.1\r\nA:A\r\n\r\n")
    @example(data=b"HTTP/1.1 200\r\nContent-Length: A\r\n\r\n")
    @example(data=b"A A HTTP/1.1\r\nA:A\r\n\r\r\n\r\n")
    def test_any_bytes_parse_or_raise_handshake_error(self, data: bytes) -> None:
        """And the verdict depends on the bytes, not on how they were cut."""
        for parse in (Request.parse, Response.parse):
            verdicts: list[object] = []
            for size in range(len(data) + 1):
                try:
                    verdicts.append(parse(data[:size]))
                except HandshakeError as error:
                    verdicts.append((str(error), error.status))
            decided = [verdict for verdict in verdicts if verdict is not None]
            assert all(a == b for a, b in pairwise(decided))
            assert (verdicts[-1] is None) == (not decided)

    @given(data=st.binary(max_size=60), good=st.sampled_from([REQUEST_BYTES, RESPONSE_BYTES]),
           at=st.integers(0, 200))  # fmt: skip
    def test_damaged_messages_parse_or_raise_handshake_error(
        self, data: bytes, good: bytes, at: int
    ) -> None:
        damaged = good[:at] + data + good[at + len(data) :]
        for parse in (Request.parse, Response.parse):
            try:
                result = parse(damaged)
            except HandshakeError:
                continue
            if result is not None:
                message, end = result
                again = parse(message.serialize())
                assert again is not None
                assert again[0] == message
                assert end <= len(damaged)


class TestInjection:
    """What would not read back the same is not written (RFC 9112 §11.1)."""

    BAD = ("a\r\nX: y", "a\nb", "a\rb", "a\x00b", "\x7f", "€")

    @pytest.mark.parametrize("text", [*BAD, " a", "a ", "\ta"])
    def test_value(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"not a header field: 'A'"):
            Headers([("A", text)]).serialize()

    @pytest.mark.parametrize("text", [*BAD, "", "a b", "a:", "é", " a", "a "])
    def test_name(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a header field"):
            Headers([("Fine", "1"), (text, "b: c")]).serialize()

    @pytest.mark.parametrize("text", [*BAD, "", "/a b", "/é", "/ HTTP/1.1\r\nX: y\r\n\r\nGET /"])
    def test_target(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a request line"):
            Request(text, Headers()).serialize()

    @pytest.mark.parametrize("text", [*BAD, "", "GET /", "GÉT"])
    def test_method(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a request line"):
            Request("/", Headers(), text).serialize()

    @pytest.mark.parametrize("text", ["", "HTTP/1", "HTTP/1.1\r\nX: y", "HTTP/1.\u0661"])
    def test_version(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a request line"):
            Request("/", Headers(), version=text).serialize()
        with pytest.raises(ValueError, match="not a status line"):
            Response(200, Headers(), version=text).serialize()

    @pytest.mark.parametrize("text", BAD)
    def test_reason(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a status line"):
            Response(200, Headers(), text).serialize()

    @pytest.mark.parametrize("status", [0, 20, 99, 600, 999, 2000, -10])
    def test_status(self, status: int) -> None:
        with pytest.raises(ValueError, match="not a status line"):
            Response(status, Headers()).serialize()


class TestOracle:
    """`websockets` reads what we write."""

    @given(headers=header_lists)
    def test_request(self, headers: Headers) -> None:
        server = ServerProtocol()
        server.receive_data(Request("/chat?room=1", headers).serialize())
        [theirs] = events(server)
        assert list(theirs.headers.raw_items()) == list(headers)
        assert theirs.path == "/chat?room=1"

    @given(response=responses())
    def test_response(self, response: Response) -> None:
        client = ClientProtocol(parse_uri("ws://localhost/"))
        client.receive_data(response.serialize())
        client.receive_eof()
        [theirs] = events(client)
        assert theirs.status_code == response.status
        assert theirs.reason_phrase == response.reason
        assert theirs.body == response.body
        assert list(theirs.headers.raw_items()) == list(response.headers)
