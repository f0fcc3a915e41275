"""The opening handshake, RFC 6455 §4: every check, its status, and what `websockets` does there.

The oracles are `ServerProtocol` and `ClientProtocol`, the library's sans-I/O connections: bytes
go in, bytes come out. Where they decide otherwise than we do, a row of a table says so, and why.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.headers import parse_extension
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri
from websockets.utils import accept_key as oracle_accept_key

from wslab.protocol import (
    GUID,
    Extension,
    HandshakeError,
    Headers,
    Request,
    Response,
    accept_key,
    answer,
    check_request,
    check_response,
    parse_extensions,
    reject,
    upgrade_request,
)

NONCE = b"the sample nonce"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

DEFLATE = Extension("permessage-deflate", (("client_max_window_bits", None),))

Changes = Mapping[str, str | list[str] | None]


def request(line: str = "GET /chat HTTP/1.1", changes: Changes | None = None, *more: str) -> bytes:
    """The request of RFC 6455 §1.2 with another first line, other values, or further lines."""
    fields: dict[str, str | list[str] | None] = {
        "Host": "server.example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Origin": "http://example.com",
        "Sec-WebSocket-Version": "13",
    }
    return message(line, {**fields, **(changes or {})}, *more)


def response(line: str = "HTTP/1.1 101 ", changes: Changes | None = None) -> bytes:
    """The answer of RFC 6455 §1.2, changed in the same way."""
    fields: dict[str, str | list[str] | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": ACCEPT,
    }
    return message(line, {**fields, **(changes or {})})


def message(line: str, fields: Changes, *more: str) -> bytes:
    lines = [line]
    for name, value in fields.items():
        values = [value] if isinstance(value, str) else value or []
        lines += [f"{name}: {each}" for each in values]
    return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")


def our_answer(data: bytes, **options: Any) -> Response:
    """What a server built on `answer` replies to these bytes."""
    try:
        parsed = Request.parse(data)
    except HandshakeError as error:
        return reject(error)
    assert parsed is not None
    return answer(parsed[0], **options)


def their_status(data: bytes, **options: Any) -> int | None:
    """The status that `websockets` replies with; None if it closes without a word."""
    server = ServerProtocol(**options)
    server.receive_data(data)
    for event in events(server):
        server.send_response(server.accept(event))
    reply = b"".join(server.data_to_send())
    return int(reply.split()[1]) if reply else None


def events(peer: Protocol) -> list[Any]:
    """What the library has received: a Request or a Response here."""
    return list(peer.events_received())


def header(name: str, *values: str) -> bytes:
    return request(changes={name: list(values)})


# What a server is asked, our status, the status of websockets; None means that it just closes.
REQUESTS: dict[str, tuple[bytes, int, int | None]] = {
    "valid": (request(), 101, 101),
    # §4.2.1, item 1: a GET of HTTP/1.1 or higher, for a path or a URI
    "POST": (request("POST / HTTP/1.1"), 405, 405),
    "HEAD": (request("HEAD / HTTP/1.1"), 405, 405),
    "lower case": (request("get / HTTP/1.1"), 405, 405),
    "HTTP/1.0": (request("GET / HTTP/1.0"), 400, 505),  # 505 says more, the RFC leaves it open
    "HTTP/0.9": (request("GET / HTTP/0.9"), 400, None),
    "HTTP/1.2": (request("GET / HTTP/1.2"), 101, None),  # "or higher"
    "HTTP/2.0": (request("GET / HTTP/2.0"), 400, None),  # HTTP/2 looks different (RFC 8441)
    # RFC 9112 §3.2: the target, a path or a URI; it is the caller's in websockets
    "http URI": (request("GET http://a/chat HTTP/1.1"), 101, 101),
    "wss URI": (request("GET wss://a/chat HTTP/1.1"), 101, 101),
    "upper case URI": (request("GET HTTP://A/chat HTTP/1.1"), 101, 101),
    "URI without path": (request("GET http://a:80?b HTTP/1.1"), 101, 101),
    "URI with IPv6": (request("GET ws://[::1]:80/ HTTP/1.1"), 101, 101),
    "ftp URI": (request("GET ftp://a/chat HTTP/1.1"), 400, 101),
    "no host in the URI": (request("GET http:// HTTP/1.1"), 400, 101),
    "no host but a port": (request("GET http://:80/ HTTP/1.1"), 400, 101),
    "a path for a host": (request("GET http:///chat HTTP/1.1"), 400, 101),
    "user in the URI": (request("GET http://me@a/ HTTP/1.1"), 400, 101),  # RFC 9110 §4.2.4
    "bad port in the URI": (request("GET http://a:65536/ HTTP/1.1"), 400, 101),
    "fragment": (request("GET /chat#frag HTTP/1.1"), 400, 101),
    "fragment of a URI": (request("GET http://a/chat#frag HTTP/1.1"), 400, 101),
    "fragment of a host": (request("GET http://a#frag HTTP/1.1"), 400, 101),
    'target <>"{}|': (request('GET /<>"{}| HTTP/1.1'), 400, 101),
    "target %4g": (request("GET /%4g HTTP/1.1"), 101, 101),
    "target 100%": (request("GET /shop?discount=100% HTTP/1.1"), 101, 101),
    "target //[": (request("GET //[ HTTP/1.1"), 101, 101),
    "every character": (request("GET /aZ9-._~%7C!$&'()*+,;=:@/?/? HTTP/1.1"), 101, 101),
    "no path": (request("GET * HTTP/1.1"), 400, 101),
    "authority": (request("GET a:80 HTTP/1.1"), 400, 101),
    # item 2: Host; websockets leaves it to its caller
    "no Host": (header("Host"), 400, 101),
    "two Hosts": (header("Host", "a", "a"), 400, 101),
    "Host: empty": (header("Host", ""), 400, 101),
    "Host: port": (header("Host", ":80"), 400, 101),
    "Host: space": (header("Host", "a b"), 400, 101),
    "Host: comma": (header("Host", "a,b"), 400, 101),
    "Host: URI": (header("Host", "evil.com/x@y?#"), 400, 101),
    "Host: user": (header("Host", "me@a"), 400, 101),
    "Host: ä": (header("Host", "ä"), 400, 101),
    "Host: %41": (header("Host", "%41"), 400, 101),
    "Host: bad port": (header("Host", "a:99999999"), 400, 101),
    "Host: port 65536": (header("Host", "a:65536"), 400, 101),
    "Host: port 65535": (header("Host", "a:65535"), 101, 101),
    "Host: port x": (header("Host", "a:x"), 400, 101),
    "Host: no port": (header("Host", "a:"), 101, 101),  # RFC 3986 §6.2.3: as good as the default
    "Host: two ports": (header("Host", "a:80:80"), 400, 101),
    "Host: IPv4": (header("Host", "127.0.0.1:8765"), 101, 101),
    "Host: IPv6": (header("Host", "[::1]:80"), 101, 101),
    "Host: IPv6 with IPv4": (header("Host", "[::ffff:127.0.0.1]"), 101, 101),
    "Host: IPv6 without brackets": (header("Host", "::1"), 400, 101),
    "Host: brackets": (header("Host", "[]"), 400, 101),
    "Host: name in brackets": (header("Host", "[a.b]"), 400, 101),
    "Host: dot at the end": (header("Host", "example.com."), 101, 101),
    "Host: IDNA": (header("Host", "xn--bcher-kva.example"), 101, 101),
    "Host: underscore": (header("Host", "my_service"), 101, 101),
    # items 3 and 4: Upgrade and Connection
    "no Upgrade": (header("Upgrade"), 426, 426),
    "Upgrade: h2c": (header("Upgrade", "h2c"), 426, 426),
    "Upgrade: WebSocket": (header("Upgrade", "WebSocket"), 101, 101),
    "Upgrade: both": (header("Upgrade", "websocket, h2c"), 101, 426),  # one of a list is enough
    "Upgrade, twice": (header("Upgrade", "h2c", "websocket"), 101, 426),
    "Upgrade: websocket/13": (header("Upgrade", "websocket/13"), 426, 426),
    "Upgrade: no-break space": (header("Upgrade", "\xa0websocket"), 426, 400),  # no white space
    "no Connection": (header("Connection"), 426, 426),
    "Connection: keep-alive": (header("Connection", "keep-alive"), 426, 426),
    "Connection: both": (header("Connection", "keep-alive, uPgrade"), 101, 101),
    "Connection, twice": (header("Connection", "keep-alive", "Upgrade"), 101, 101),
    "Connection: part": (header("Connection", "Upgrade-Insecure"), 426, 426),
    # item 5: Sec-WebSocket-Key
    "no key": (header("Sec-WebSocket-Key"), 400, 400),
    "two keys": (header("Sec-WebSocket-Key", KEY, KEY), 400, 400),
    "key of 15 bytes": (header("Sec-WebSocket-Key", "A" * 20), 400, 400),
    "key of 17 bytes": (header("Sec-WebSocket-Key", "A" * 23 + "="), 400, 400),
    "key: not Base64": (header("Sec-WebSocket-Key", KEY.replace("N", "!")), 400, 400),
    # item 6: Sec-WebSocket-Version; §4.4 wants the versions named, websockets answers a bare 400
    "no version": (header("Sec-WebSocket-Version"), 426, 400),
    "version 8": (header("Sec-WebSocket-Version", "8"), 426, 400),
    "version 013": (header("Sec-WebSocket-Version", "013"), 426, 400),
    "versions 13, 8": (header("Sec-WebSocket-Version", "13, 8"), 426, 400),
    "version 13 twice": (header("Sec-WebSocket-Version", "13", "13"), 426, 400),
    # item 7: Origin (RFC 6454 §7.3)
    "no Origin": (header("Origin"), 101, 101),
    "two Origins": (header("Origin", "http://a", "http://a"), 400, 400),
    # item 8: subprotocols, distinct tokens
    "subprotocols": (header("Sec-WebSocket-Protocol", "chat, superchat"), 101, 101),
    "subprotocols in two fields": (header("Sec-WebSocket-Protocol", "a", "b"), 101, 101),
    "subprotocol twice": (header("Sec-WebSocket-Protocol", "a, a"), 400, 101),
    "subprotocol: space": (header("Sec-WebSocket-Protocol", "a b"), 400, 400),
    "subprotocol: @": (header("Sec-WebSocket-Protocol", "a@b"), 400, 400),
    "subprotocol: empty": (header("Sec-WebSocket-Protocol", ""), 101, 400),  # RFC 9110 §5.6.1.2
    # item 9: extensions; websockets does not look at them when it supports none
    "extensions": (header("Sec-WebSocket-Extensions", 'a; b="c"; d, e'), 101, 101),
    "extensions: no name": (header("Sec-WebSocket-Extensions", "a; =b"), 400, 101),
    "extensions: open quote": (header("Sec-WebSocket-Extensions", 'a; b="c'), 400, 101),
    # RFC 9110 §9.3.1: what follows a GET would be taken for frames
    "no body": (header("Content-Length", "0"), 101, 101),
    "body": (header("Content-Length", "5"), 400, None),
    "chunked body": (header("Transfer-Encoding", "chunked"), 400, None),
    "two lengths": (
        request(changes={"Transfer-Encoding": "chunked", "Content-Length": "5"}), 400, None,
    ),
    "Content-Length: x": (header("Content-Length", "x"), 400, None),
    # RFC 9112: not HTTP; websockets closes without an answer
    "bare LF": (request().replace(b"\r\n", b"\n"), 400, None),
    "one bare LF": (request("GET / HTTP/1.1", None, "A: b\nC: d"), 400, None),
    "lone CR": (request("GET / HTTP/1.1", None, "A: b\rC: d"), 400, None),
    "folded": (request("GET / HTTP/1.1", None, "A: b\r\n c"), 400, None),
    "space before colon": (request("GET / HTTP/1.1", None, "A : b"), 400, None),
    "no colon": (request("GET / HTTP/1.1", None, "A"), 400, None),
    "no name": (request("GET / HTTP/1.1", None, ": b"), 400, None),
    "NUL": (request("GET / HTTP/1.1", None, "A: \0"), 400, None),
    "ä in a name": (request("GET / HTTP/1.1", None, "ä: b"), 400, None),
    "ä in a value": (request("GET / HTTP/1.1", None, "A: ä"), 101, 101),
    "ä in the target": (request("GET /ä HTTP/1.1"), 400, None),
    "two spaces": (request("GET  / HTTP/1.1"), 400, None),
    "empty line first": (b"\r\n" + request(), 101, None),  # §2.2: SHOULD be ignored
    "two empty lines first": (b"\r\n\r\n" + request(), 400, None),
    # RFC 6585 §5, RFC 9112 §3: too large; websockets limits a line to 8 KiB, we all to 16 KiB
    # and the number of lines to 128, while for us it is the same whether they are few or many.
    "129 fields": (request("GET / HTTP/1.1", None, *["A: b"] * 123), 101, 431),
    "128 fields": (request("GET / HTTP/1.1", None, *["A: b"] * 122), 101, 101),
    "line of 17 KB": (request("GET / HTTP/1.1", None, "A: " + "x" * 17_000), 431, 431),
    "line of 9 KB": (request("GET / HTTP/1.1", None, "A: " + "x" * 9_000), 101, 431),
    "two lines of 8 KB": (request("GET / HTTP/1.1", None, *["A: " + "x" * 8_180] * 2), 431, 101),
    "target of 17 KB": (request("GET /" + "x" * 17_000 + " HTTP/1.1"), 414, 414),
}  # fmt: skip

# What a server may answer, a part of our reason to refuse it (None: accepted), and whether
# websockets accepts it.
RESPONSES: dict[str, tuple[bytes, str | None, bool]] = {
    "valid": (response(), None, True),
    "upper case": (response(changes={"Upgrade": "WebSocket", "Connection": "UPGRADE"}), None, True),
    "Connection: both": (response(changes={"Connection": "keep-alive, Upgrade"}), None, True),
    "200": (response("HTTP/1.1 200 OK"), "status is 200 OK, not 101", False),
    "403": (response("HTTP/1.1 403 Go away"), "status is 403 Go away, not 101", False),
    "no Upgrade": (response(changes={"Upgrade": None}), "Upgrade is None", False),
    "wrong Upgrade": (response(changes={"Upgrade": "h2c"}), "Upgrade is 'h2c'", False),
    "two Upgrades": (response(changes={"Upgrade": "websocket, h2c"}), "'websocket, h2c'", False),
    "no Connection": (response(changes={"Connection": None}), "Connection is None", False),
    "wrong Connection": (response(changes={"Connection": "close"}), "'close', not", False),
    "no accept": (response(changes={"Sec-WebSocket-Accept": None}), "Accept is '', not", False),
    "wrong accept": (response(changes={"Sec-WebSocket-Accept": KEY}), f"{KEY}', not", False),
    "accept in lower case": (
        response(changes={"Sec-WebSocket-Accept": ACCEPT.lower()}), "Accept is 's3pplm", False,
    ),
    "two accepts": (
        response(changes={"Sec-WebSocket-Accept": [ACCEPT, ACCEPT]}), "Accept is", False,
    ),
    "ä in the accept": (response(changes={"Sec-WebSocket-Accept": "ä"}), "'ä', not", False),
    "subprotocol": (response(changes={"Sec-WebSocket-Protocol": "chat"}), None, True),
    "other subprotocol": (
        response(changes={"Sec-WebSocket-Protocol": "video"}), "'video' was not requested", False,
    ),
    "subprotocol in upper case": (
        response(changes={"Sec-WebSocket-Protocol": "Chat"}), "'Chat' was not requested", False,
    ),
    "two subprotocols": (
        response(changes={"Sec-WebSocket-Protocol": "chat, superchat"}), "not requested", False,
    ),
    "two subprotocol fields": (
        response(changes={"Sec-WebSocket-Protocol": ["chat", "chat"]}), "not requested", False,
    ),
    "empty subprotocol": (
        response(changes={"Sec-WebSocket-Protocol": ""}), "'' was not requested", False,
    ),
    "extension": (
        response(changes={"Sec-WebSocket-Extensions": "permessage-deflate"}), None, True,
    ),
    "other extension": (
        response(changes={"Sec-WebSocket-Extensions": "x-zip"}), "'x-zip' was not", False,
    ),
    "malformed extension": (
        response(changes={"Sec-WebSocket-Extensions": "a; ="}), "not an extension", False,
    ),
    # RFC 9110 §7.8: Upgrade came with HTTP/1.1
    "HTTP/1.0": (response("HTTP/1.0 101 "), "version is HTTP/1.0, not HTTP/1.1", False),
    "HTTP/9.9": (response("HTTP/9.9 101 "), "version is HTTP/9.9, not HTTP/1.1", False),
    "HTTP/1.2": (response("HTTP/1.2 101 "), None, False),  # as on the server
    "100": (response("HTTP/1.1 100 "), "status is 100 Continue, not 101", False),
}  # fmt: skip


class TestAcceptKey:
    """§1.3, §4.2.2."""

    def test_example(self) -> None:
        assert base64.b64decode(KEY) == NONCE
        assert accept_key(KEY) == ACCEPT
        assert GUID == "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    @given(nonce=st.binary(min_size=16, max_size=16))
    def test_like_the_library(self, nonce: bytes) -> None:
        key = base64.b64encode(nonce).decode()
        assert accept_key(key) == oracle_accept_key(key)

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            ("", "is 0 bytes, not 16"),
            ("A" * 20, "is 15 bytes, not 16"),
            ("A" * 23 + "=", "is 17 bytes, not 16"),
            (KEY[:-1], "not Base64"),
            (KEY[:-2], "not Base64"),
            (KEY + "==", "not Base64"),
            (KEY + "\n", "not Base64"),
            (" " + KEY, "not Base64"),
            (KEY.replace("dG", "d G"), "not Base64"),
            (KEY.replace("d", "-"), "not Base64"),
            (KEY.replace("d", "é"), "not Base64"),
        ],
    )
    def test_refused(self, key: str, message: str) -> None:
        with pytest.raises(HandshakeError, match=message) as caught:
            accept_key(key)
        assert (caught.value.status, caught.value.section) == (400, "RFC 6455 §4.2.1")

    @pytest.mark.parametrize("key", [KEY.encode(), NONCE, None])
    def test_another_type(self, key: Any) -> None:
        with pytest.raises(TypeError, match=f"^key is {type(key).__name__}, not str$"):
            accept_key(key)

    @given(key=st.text(max_size=30) | st.text("Aa0+/=", min_size=20, max_size=28))
    @example(key=KEY)
    def test_any_text_is_sixteen_bytes_or_refused(self, key: str) -> None:
        try:
            accept_key(key)
        except HandshakeError:
            return
        assert len(key) == 24
        assert key.endswith("==")


class TestServer:
    """§4.2: what a server checks."""

    @pytest.mark.parametrize("name", REQUESTS)
    def test_status(self, name: str) -> None:
        data, ours, theirs = REQUESTS[name]
        reply = our_answer(data)
        assert reply.status == ours
        assert their_status(data) == theirs
        assert Response.parse(reply.serialize()) == (reply, len(reply.serialize()))

    @pytest.mark.parametrize("name", [name for name, row in REQUESTS.items() if row[1] != 101])
    def test_refusal_explains_itself(self, name: str) -> None:
        reply = our_answer(REQUESTS[name][0])
        assert "close" in reply.headers.tokens("Connection")
        assert reply.headers.get("Sec-WebSocket-Accept") is None
        if name == "HEAD":  # RFC 9110 §9.3.2; §8.6: no length either, a GET's would be another
            assert reply.body == b""
            assert reply.headers.get("Content-Length") is None
        else:
            assert reply.headers.get("Content-Length") == str(len(reply.body))
            assert b"(RFC " in reply.body
        if reply.status == 405:
            assert reply.headers.get("Allow") == "GET"
        if reply.status == 426:
            assert reply.headers.get("Sec-WebSocket-Version") == "13"  # §4.4
            assert reply.headers.get("Upgrade") == "websocket"
            assert "Upgrade" in reply.headers.tokens("Connection")  # RFC 9110 §7.8

    def test_refusal_in_full(self) -> None:
        data = header("Sec-WebSocket-Version", "8")
        assert our_answer(data).serialize() == (
            b"HTTP/1.1 426 Upgrade Required\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 56\r\n"
            b"Connection: close\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"\r\n" + "Sec-WebSocket-Version is '8', not '13' (RFC 6455 §4.4)\n".encode()
        )

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("POST", "method is POST, not GET (RFC 6455 §4.2.1)"),
            ("HTTP/1.0", "version is HTTP/1.0, not HTTP/1.1"),
            ("no path", "target '*' is not a valid path or URI (RFC 9112 §3.2)"),
            ("fragment", "target '/chat#frag' is not a valid path or URI (RFC 9112 §3.2)"),
            ("user in the URI", "'me@a' is not a host or host:port (RFC 9112 §3.2)"),
            ("no Host", "Host is missing, exactly one is needed (RFC 9112 §3.2)"),
            ("two Hosts", "Host is there 2 times, exactly one is needed"),
            ("Host: URI", "'evil.com/x@y?#' is not a host or host:port (RFC 9112 §3.2)"),
            ("two empty lines first", "an empty line is where the start line should be (RFC 9112"),
            ("target of 17 KB", "start line is over 16384 bytes (RFC 9112 §3)"),
            ("body", "a body is announced"),
            ("no Upgrade", "Upgrade is None, not 'websocket'"),
            ("Connection: keep-alive", "Connection is 'keep-alive', not 'upgrade'"),
            ("no version", "Sec-WebSocket-Version is None, not '13' (RFC 6455 §4.4)"),
            ("no key", "Sec-WebSocket-Key is missing, exactly one is needed (RFC 6455 §4.2.1)"),
            ("two keys", "Sec-WebSocket-Key is there 2 times, exactly one is needed"),
            ("two Origins", "Origin is there 2 times, exactly one is needed (RFC 6454 §7.3)"),
            ("subprotocol twice", "not a list of distinct subprotocols: ['a', 'a']"),
            ("extensions: no name", "not an extension: 'a; =b' (RFC 6455 §9.1)"),
        ],
    )
    def test_refusal_says_what_was_seen(self, name: str, message: str) -> None:
        assert our_answer(REQUESTS[name][0]).body.decode().startswith(message)

    @pytest.mark.parametrize(
        ("origin", "origins", "status"),
        [
            ("http://example.com", None, 101),
            (None, None, 101),
            ("http://example.com", ["https://a", "http://example.com"], 101),
            ("http://example.com", ["https://a", None], 403),
            ("http://example.com", [], 403),
            ("http://example.com:80", ["http://example.com"], 403),
            ("HTTP://EXAMPLE.COM", ["http://example.com"], 403),
            ("null", [None], 403),
            (None, ["http://example.com"], 403),
            (None, ["http://example.com", None], 101),
            (["http://a", "http://a"], ["http://a"], 400),
        ],
    )
    def test_origins(
        self, origin: str | list[str] | None, origins: list[Any] | None, status: int
    ) -> None:
        data = request(changes={"Origin": origin})
        assert our_answer(data, origins=origins).status == status
        assert their_status(data, origins=origins) == status

    @pytest.mark.parametrize("option", ["origins", "subprotocols"])
    @pytest.mark.parametrize("text", ["chat", b"chat"])
    def test_a_single_text_is_no_list(self, option: str, text: Any) -> None:
        """Its letters must not count as origins or subprotocols; a bad request hides nothing."""
        message = f"^{option} is {text!r}, not a list: write \\[{text!r}\\]$"
        for data in (request(), request("POST / HTTP/1.1")):
            with pytest.raises(TypeError, match=message):
                our_answer(data, **{option: text})

    def test_plain_pairs_are_headers_too(self) -> None:
        made = upgrade_request("example.com", nonce=NONCE)
        plain: Any = list(made.headers)
        assert answer(Request("/", plain)) == answer(made)

    def test_refusal_of_an_origin(self) -> None:
        reply = our_answer(request(), origins=["https://example.com"])
        assert reply.body.decode() == (
            "origin 'http://example.com' is not accepted (RFC 6455 §10.2)\n"
        )

    def test_check_request_returns_the_key(self) -> None:
        made = upgrade_request("example.com", nonce=NONCE)
        assert check_request(made) == KEY

    @given(data=st.binary(max_size=30), at=st.integers(0, 230))
    def test_damaged_requests_are_answered(self, data: bytes, at: int) -> None:
        good = request(changes={"Sec-WebSocket-Extensions": 'a; b="c"'})
        damaged = good[:at] + data + good[at + len(data) :]
        try:
            parsed = Request.parse(damaged)
        except HandshakeError as error:
            reply = reject(error)
        else:
            if parsed is None:
                return
            reply = answer(parsed[0], subprotocols=["chat"], origins=["http://example.com"])
        assert reply.status in (101, 400, 403, 405, 414, 426, 431)
        assert Response.parse(reply.serialize()) == (reply, len(reply.serialize()))


class TestSubprotocols:
    """§4.1, item 10, and §4.2.2, item 5."""

    @pytest.mark.parametrize(
        ("offered", "spoken", "agreed"),
        [
            (None, ["chat"], None),
            ("", ["chat"], None),
            ("chat", [], None),
            ("chat", ["chat"], "chat"),
            ("video", ["chat"], None),
            ("Chat", ["chat"], None),
            ("superchat, chat", ["chat", "superchat"], "superchat"),
            ("video, chat, superchat", ["superchat", "chat"], "chat"),
            (["video", "superchat, chat"], ["chat", "superchat"], "superchat"),
        ],
    )
    def test_the_clients_first_choice(
        self, offered: str | list[str] | None, spoken: list[str], agreed: str | None
    ) -> None:
        reply = our_answer(
            request(changes={"Sec-WebSocket-Protocol": offered}), subprotocols=spoken
        )
        assert reply.status == 101
        assert reply.headers.get("Sec-WebSocket-Protocol") == agreed

    def test_spoken_ones_may_come_from_an_iterator(self) -> None:
        data = header("Sec-WebSocket-Protocol", "b, a")
        reply = our_answer(data, subprotocols=iter(["a", "b"]))
        assert reply.headers.get("Sec-WebSocket-Protocol") == "b"

    @pytest.mark.parametrize("offered", [None, "video"])
    def test_the_library_refuses_a_client_without_a_common_one(self, offered: str | None) -> None:
        """A difference: RFC 6455 §4.2.2 lets the server go on without one, and so do we."""
        data = request(changes={"Sec-WebSocket-Protocol": offered})
        assert their_status(data, subprotocols=["chat"]) == 400
        assert our_answer(data, subprotocols=["chat"]).status == 101

    def test_the_library_takes_the_servers_first_choice(self) -> None:
        """A difference: §4.1 says that the client lists them by preference, so we follow it."""
        data = header("Sec-WebSocket-Protocol", "b, a")
        server = ServerProtocol(subprotocols=[Subprotocol("a"), Subprotocol("b")])
        server.receive_data(data)
        [event] = events(server)
        theirs = server.accept(event)
        assert theirs.headers["Sec-WebSocket-Protocol"] == "a"
        ours = our_answer(data, subprotocols=["a", "b"])
        assert ours.headers.get("Sec-WebSocket-Protocol") == "b"

    def test_a_single_text_is_no_list(self) -> None:
        message = r"^subprotocols is 'chat', not a list: write \['chat'\]$"
        with pytest.raises(TypeError, match=message):
            upgrade_request("example.com", nonce=NONCE, subprotocols="chat")

    @pytest.mark.parametrize("names", [["a", "a"], ["a b"], ["a, b"], [""], ["a\r\nX: y"], ["é"]])
    def test_a_client_offers_distinct_tokens(self, names: list[str]) -> None:
        with pytest.raises(ValueError, match="distinct subprotocols"):
            upgrade_request("example.com", nonce=NONCE, subprotocols=names)


class TestExtensions:
    """§9.1."""

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([], ()),
            ([""], ()),
            (["foo"], (Extension("foo"),)),
            (["foo, bar; baz=2"], (Extension("foo"), Extension("bar", (("baz", "2"),)))),
            (["foo", "bar"], (Extension("foo"), Extension("bar"))),
            (["a; b; b=1;b=2"], (Extension("a", (("b", None), ("b", "1"), ("b", "2"))),)),
            (['a ;\tb = "c" '], (Extension("a", (("b", "c"),)),)),
            ([r'a; b="\c\d"'], (Extension("a", (("b", "cd"),)),)),
            (["permessage-deflate; client_max_window_bits"], (DEFLATE,)),
        ],
    )
    def test_parse(self, values: list[str], expected: tuple[Extension, ...]) -> None:
        headers = Headers(("Sec-WebSocket-Extensions", value) for value in values)
        assert parse_extensions(headers) == expected
        theirs = [item for value in values if value for item in parse_extension(value)]
        assert theirs == [(extension.name, list(extension.parameters)) for extension in expected]

    @pytest.mark.parametrize(
        "text",
        ["a b", "a;", ";a", "a;;b", "a=b", "a; b=", "a; =b", 'a; b="', 'a; b=""', 'a; b="c d"',
         'a; b="c', 'a; b=c"', "a; b=c=d", "a; b c", 'a; "b"', '"a"', "ä", r"a; b=\c", r'a; b="c\"',
         "a\xa0", "\x85a", "a; b=\xa0c"],
    )  # fmt: skip
    def test_malformed(self, text: str) -> None:
        with pytest.raises(HandshakeError, match="not an extension") as caught:
            parse_extensions(Headers([("Sec-WebSocket-Extensions", text)]))
        assert (caught.value.status, caught.value.section) == (400, "RFC 6455 §9.1")

    @given(text=st.text('a;=," \t\\\xa0', max_size=12))
    def test_any_value_parses_or_raises_handshake_error(self, text: str) -> None:
        try:
            extensions = parse_extensions(Headers([("Sec-WebSocket-Extensions", text)]))
        except HandshakeError:
            return
        again = Headers([("Sec-WebSocket-Extensions", ", ".join(map(str, extensions)))])
        assert parse_extensions(again) == extensions

    def test_write(self) -> None:
        extension = Extension("x", (("a", None), ("b", "1")))
        assert str(extension) == "x; a; b=1"
        made = upgrade_request("example.com", nonce=NONCE, extensions=[extension, Extension("y")])
        assert made.headers.get("Sec-WebSocket-Extensions") == "x; a; b=1, y"

    @pytest.mark.parametrize(
        ("offers", "agreed"),
        [
            (None, None),
            ("z", None),
            ("x", "x; mine"),
            ("z, x, y", "x; mine, y"),
            ("y, x", "y, x; mine"),
            ("x; a, x; b", "x; a; mine"),
            ("no", None),
            ("y; bad, y", "y"),
        ],
    )
    def test_negotiation(self, offers: str | None, agreed: str | None) -> None:
        """The server decides offer by offer, in the client's order; the first it takes counts."""
        known: dict[str, Callable[[Extension], Extension | None]] = {
            "x": lambda offer: Extension("x", (*offer.parameters, ("mine", None))),
            "y": lambda offer: None if offer.parameters else offer,
            "no": lambda offer: None,
        }
        data = request(changes={"Sec-WebSocket-Extensions": offers})
        reply = our_answer(data, extensions=known)
        assert reply.status == 101
        assert reply.headers.get("Sec-WebSocket-Extensions") == agreed
        assert our_answer(data).headers.get("Sec-WebSocket-Extensions") is None


class TestClient:
    """§4.1: what a client sends and checks."""

    def test_request(self) -> None:
        made = upgrade_request(
            "server.example.com",
            "/chat",
            nonce=NONCE,
            subprotocols=("chat", "superchat"),
            origin="http://example.com",
            extensions=[DEFLATE],
            headers=[("Cookie", "a=b")],
        )
        assert made.serialize() == (
            b"GET /chat HTTP/1.1\r\n"
            b"Host: server.example.com\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Origin: http://example.com\r\n"
            b"Sec-WebSocket-Protocol: chat, superchat\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"Cookie: a=b\r\n"
            b"\r\n"
        )

    def test_shortest_request(self) -> None:
        made = upgrade_request("example.com", nonce=NONCE)
        assert made.target == "/"
        assert [name for name, _ in made.headers] == [
            "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        ]  # fmt: skip

    @pytest.mark.parametrize("size", [0, 15, 17])
    def test_nonce(self, size: int) -> None:
        with pytest.raises(ValueError, match=f"nonce is {size} bytes, not 16"):
            upgrade_request("example.com", nonce=bytes(size))

    @pytest.mark.parametrize(
        "options",
        [
            {"host": "a\r\nX: y"},
            {"target": "/ HTTP/1.1\r\nX: y"},
            {"target": "/a b"},
            {"target": "/世界"},
            {"target": "/chat#frag"},
            {"host": "bücher.example"},
            {"host": "http://a"},
            {"host": ""},
            {"origin": "http://a\r\nX: y"},
            {"extensions": [Extension("a\r\nX: y")]},
            {"headers": [("X", "y\r\nZ: 1")]},
            {"headers": [("X: y\r\nZ", "1")]},
            {"headers": [("X", "€")]},
        ],
    )
    def test_nothing_can_be_injected(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="not a "):
            upgrade_request(**{"host": "a", "nonce": NONCE, **options}).serialize()

    @pytest.mark.parametrize("name", RESPONSES)
    def test_check_response(self, name: str) -> None:
        data, ours, theirs = RESPONSES[name]
        made = upgrade_request(
            "localhost", nonce=NONCE, subprotocols=["chat", "superchat"], extensions=[DEFLATE]
        )
        parsed = Response.parse(data)
        assert parsed is not None
        if ours is None:
            check_response(parsed[0], made)
        else:
            with pytest.raises(HandshakeError) as caught:
                check_response(parsed[0], made)
            assert ours in str(caught.value)
            assert caught.value.status == parsed[0].status
            assert caught.value.section == "RFC 6455 §4.1"
        assert (their_client(data).state is State.OPEN) == theirs

    @pytest.mark.parametrize("name", ["subprotocol", "extension"])
    def test_nothing_requested_nothing_accepted(self, name: str) -> None:
        parsed = Response.parse(RESPONSES[name][0])
        assert parsed is not None
        with pytest.raises(HandshakeError, match=f"{name} '.*' was not requested"):
            check_response(parsed[0], upgrade_request("localhost", nonce=NONCE))

    @pytest.mark.parametrize("keys", [[], [KEY, KEY]])
    def test_a_request_without_its_key_has_no_answer(self, keys: Iterable[str]) -> None:
        parsed = Response.parse(response())
        assert parsed is not None
        made = Request("/", Headers(("Sec-WebSocket-Key", key) for key in keys))
        with pytest.raises(HandshakeError, match="Sec-WebSocket-Key is"):
            check_response(parsed[0], made)

    @given(data=st.binary(max_size=30), at=st.integers(0, 130))
    def test_damaged_responses_are_accepted_or_refused(self, data: bytes, at: int) -> None:
        good = response(changes={"Sec-WebSocket-Extensions": "permessage-deflate"})
        made = upgrade_request("localhost", nonce=NONCE, extensions=[DEFLATE])
        damaged = good[:at] + data + good[at + len(data) :]
        try:
            parsed = Response.parse(damaged)
            if parsed is not None:
                check_response(parsed[0], made)
        except HandshakeError:
            return


def their_client(data: bytes) -> ClientProtocol:
    """The library's client after this answer to the RFC's key."""
    client = ClientProtocol(
        parse_uri("ws://localhost/"),
        subprotocols=[Subprotocol("chat"), Subprotocol("superchat")],
        extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=True)],
    )
    client.key = KEY
    client.send_request(client.connect())
    client.receive_data(data)
    return client


names = st.lists(st.sampled_from(["chat", "superchat", "mqtt", "v1.x"]), unique=True, max_size=4)


class TestOracle:
    """Both handshakes, each with the library at one end."""

    @given(offered=names, origin=st.sampled_from([None, "null", "https://example.com"]))
    def test_our_client_their_server(self, offered: list[str], origin: str | None) -> None:
        made = upgrade_request(
            "localhost:8765",
            "/chat?room=1",
            nonce=NONCE,
            subprotocols=offered,
            origin=origin,
            extensions=[DEFLATE],
        )
        server = ServerProtocol(
            subprotocols=[Subprotocol(name) for name in offered[::-1]],
            extensions=[ServerPerMessageDeflateFactory()],
            origins=[None if origin is None else Origin(origin)],
        )
        server.receive_data(made.serialize())
        [event] = events(server)
        server.send_response(server.accept(event))
        assert server.state is State.OPEN
        parsed = Response.parse(b"".join(server.data_to_send()))
        assert parsed is not None
        check_response(parsed[0], made)
        assert parsed[0].headers.get("Sec-WebSocket-Protocol") == (offered[-1] if offered else None)
        assert [e.name for e in parse_extensions(parsed[0].headers)] == ["permessage-deflate"]

    @given(offered=names, spoken=names)
    def test_their_client_our_server(self, offered: list[str], spoken: list[str]) -> None:
        client = ClientProtocol(
            parse_uri("ws://localhost:8765/chat?room=1"),
            subprotocols=[Subprotocol(name) for name in offered] or None,
            extensions=[ClientPerMessageDeflateFactory()],
        )
        client.send_request(client.connect())
        reply = our_answer(
            b"".join(client.data_to_send()),
            subprotocols=spoken,
            origins=[None],
            extensions={"permessage-deflate": lambda offer: Extension(offer.name)},
        )
        client.receive_data(reply.serialize())
        assert client.handshake_exc is None
        assert client.state is State.OPEN
        assert client.subprotocol == next((name for name in offered if name in spoken), None)
        assert [extension.name for extension in client.extensions] == ["permessage-deflate"]

    def test_their_client_reads_our_refusal(self) -> None:
        reply = our_answer(request(), origins=[None]).serialize()
        client = their_client(reply)
        [event] = events(client)
        assert event.status_code == 403
        assert (
            event.body == b"origin 'http://example.com' is not accepted (RFC 6455 \xc2\xa710.2)\n"
        )


def test_what_browsers_send_unescaped_in_a_target_is_welcome():
    # By the URL standard of the WHATWG these stay as they are, whatever RFC 3986 says.
    request = Request.parse(
        b"GET /a[1]|b^c?x={y}|z`\\ HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )
    assert request is not None
    assert answer(request[0]).status == 101
