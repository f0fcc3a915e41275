"""The server and the client from scratch: the opening handshake, TLS, the record, and the end."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from wslab import lab
from wslab.kit.attempt import library_connect
from wslab.kit.retry import classify
from wslab.lab.record import Record
from wslab.lab.registry import LOOPBACK, registry
from wslab.protocol import Close, Frame, HandshakeError, Opcode, Request, Response, answer
from wslab.protocol.deflate import Deflate
from wslab.scratch.client import RESPONSE_LIMIT, ClientEndpoint, connect_from_scratch
from wslab.scratch.endpoint import ConnectionEnded, Endpoint, Settings
from wslab.scratch.server import ScratchServer, serve_from_scratch

PATIENCE = 45  # seconds after which a test gives up
SOON = 0.05  # seconds of a time-out that is to pass
MASK = bytes.fromhex("37fa213d")
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = (
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


async def echo(ws: Endpoint) -> None:
    async for message in ws:
        await ws.send(message)


async def hold(ws: Endpoint) -> None:
    await ws.wait_closed()


async def dial(server: ScratchServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(LOOPBACK, server.port)


async def ask(server: ScratchServer, data: bytes) -> bytes:
    """Send bytes; return all that comes back until the server ends the connection."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await dial(server)
        writer.write(data)
        answered = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answered


def change(old: str, new: str) -> bytes:
    assert old.encode() in REQUEST
    return REQUEST.replace(old.encode(), new.encode("latin-1"))


BAD_REQUESTS = {
    "method": (change("GET", "POST"), 405),
    "HTTP version": (change("HTTP/1.1", "HTTP/1.0"), 400),
    "target": (change("/chat", "chat"), 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
    "WebSocket version": (change("Version: 13", "Version: 8"), 426),
    "two versions": (change("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"), 426),
    "no upgrade": (change("Upgrade: websocket\r\n", ""), 426),
    "other upgrade": (change("Upgrade: websocket", "Upgrade: h2c"), 426),
    "no connection": (change("Connection: Upgrade", "Connection: keep-alive"), 426),
    "no host": (change("Host: example.com\r\n", ""), 400),
    "two hosts": (change("Host: example.com", "Host: a\r\nHost: b"), 400),
    "no key": (change(f"Sec-WebSocket-Key: {KEY}\r\n", ""), 400),
    "two keys": (change(KEY, f"{KEY}\r\nSec-WebSocket-Key: {KEY}"), 400),
    "short key": (change(KEY, "AAAA"), 400),
    "key not Base64": (change(KEY, "!" * 24), 400),
    "large header": (change("Host:", "X: " + "x" * 17_000 + "\r\nHost:"), 431),
    "many fields": (change("Host: example.com", "Host: a" + "\r\nX: y" * 5_000), 431),
    "folding": (change("example.com", "example.com\r\n folded"), 400),
    "bare LF": (change("example.com\r\n", "example.com\n"), 400),
    "non-ASCII name": (change("Host: example.com", "Host: a\r\nHöst: b"), 400),
    "space before colon": (change("Host:", "Host :"), 400),
    "body": (change("Host:", "Content-Length: 5\r\nHost:"), 400),
    "chunked body": (change("Host:", "Transfer-Encoding: chunked\r\nHost:"), 400),
    "subprotocol": (change("Host:", "Sec-WebSocket-Protocol: a b\r\nHost:"), 400),
    "extension": (change("Host:", "Sec-WebSocket-Extensions: a; =\r\nHost:"), 400),
}


class TestTheServersHandshake:
    async def test_a_good_request(self):
        server = serve_from_scratch(echo)
        goodbye = Frame(Opcode.CLOSE, Close(1000).serialize(), mask=MASK).serialize()
        answered = await ask(server, REQUEST + goodbye)
        assert answered.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answered
        assert answered.endswith(b"\r\n\r\n\x88\x02\x03\xe8")

    async def test_frames_glued_to_the_request(self):
        server = serve_from_scratch(echo)
        frames = [Frame(Opcode.TEXT, b"Hello"), Frame(Opcode.CLOSE, b"\x03\xe8")]
        data = b"".join(frame._replace(mask=MASK).serialize() for frame in frames)
        reader, writer = await dial(server)
        writer.write(REQUEST + data[:-8])
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(7) == b"\x81\x05Hello"
            writer.write(data[-8:])
            assert await reader.read() == b"\x88\x02\x03\xe8"
        writer.close()
        await server.settle(2)
        assert server.events.rows() == [
            ("1", "open", "/chat"),
            ("1", "close", "1000 NORMAL_CLOSURE"),
        ]

    @pytest.mark.parametrize(("request_", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
    async def test_a_bad_request_gets_its_status_and_the_end(self, request_, status):
        server = serve_from_scratch(echo)
        answered = await ask(server, request_)
        response, end = Response.parse(answered) or pytest.fail("no response")
        assert (response.status, end) == (status, len(answered))
        assert b"RFC " in response.body
        assert ("Connection", "close") in response.headers
        await server.settle(1)
        assert server.events.rows() == [("1", "refused", f"{status} {response.reason}")]

    async def test_a_bad_request_that_does_not_end_gets_its_status_once(self, caplog):
        server = serve_from_scratch(echo)
        answered = await ask(server, b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20))
        assert answered.startswith(b"HTTP/1.1 431 ")
        assert answered.count(b"HTTP/1.1") == 1
        await server.settle(1)
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    async def test_origins(self):
        server = serve_from_scratch(echo, origins=["https://example.com"])
        async with connect_from_scratch(server.url, origin="https://example.com") as ws:
            assert ("Origin", "https://example.com") in ws.request.headers
        for origin in (None, "https://evil.example"):
            with pytest.raises(HandshakeError) as caught:
                await connect_from_scratch(server.url, origin=origin)
            assert caught.value.status == 403

    async def test_subprotocols(self):
        server = serve_from_scratch(echo, subprotocols=["chat", "sums"])
        for offered, agreed in ((["sums", "chat"], "sums"), (["other"], None), ([], None)):
            async with connect_from_scratch(server.url, subprotocols=offered) as ws:
                assert ws.subprotocol == agreed

    @pytest.mark.parametrize("ours", [None, Deflate(), Deflate(server_max_window_bits=9)])
    @pytest.mark.parametrize("theirs", [None, Deflate(), Deflate(client_max_window_bits=10)])
    async def test_deflate(self, ours, theirs):
        server = serve_from_scratch(echo, deflate=ours)
        async with connect_from_scratch(server.url, deflate=theirs) as ws:
            agreed = ws.response.headers.get("Sec-WebSocket-Extensions")
            assert (agreed is not None) == bool(ours and theirs)
            for message in ("Hello" * 50, b"\0" * 5000, ["in ", "fragments"]):
                await ws.send(message)
                assert await ws.recv() == ("in fragments" if isinstance(message, list) else message)

    async def test_a_silent_client(self):
        server = serve_from_scratch(echo, open_timeout=SOON)
        assert await ask(server, b"") == b""
        await server.settle(1)
        text = "the opening handshake was not done within 0.05 s"
        assert server.events.rows() == [("1", "gone", text)]

    async def test_a_client_that_sends_byte_by_byte(self):
        server = serve_from_scratch(echo, open_timeout=SOON)
        reader, writer = await dial(server)
        gone = asyncio.ensure_future(reader.read())
        for byte in REQUEST * 100:
            writer.write(bytes([byte]))
            await asyncio.wait([gone], timeout=0.005)
            if gone.done():
                break
        assert gone.done()  # long before all of it was sent
        assert isinstance(gone.exception(), ConnectionError) or gone.result() == b""
        writer.close()
        await server.settle(1)
        assert server.events[0].kind == "gone"

    async def test_byte_by_byte_but_in_time(self):
        server = serve_from_scratch(echo)
        reader, writer = await dial(server)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in REQUEST:
            writer.write(bytes([byte]))
            await writer.drain()
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.close()
        await writer.wait_closed()

    async def test_a_client_that_leaves_early(self):
        server = serve_from_scratch(echo)
        socket.create_connection((LOOPBACK, server.port)).close()
        await server.settle(1)
        text = "left before the opening handshake was done"
        assert server.events.rows() == [("1", "gone", text)]


# The client's handshake: against a server that says what a test wants it to


@asynccontextmanager
async def server_that(
    answers: Callable[[Request], bytes | None],
) -> AsyncIterator[str]:
    """Serve an answer to every request, then wait for the client to leave; None: at once."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, _ = Request.parse(await reader.readuntil(b"\r\n\r\n")) or pytest.fail("none")
        data = answers(request)
        writer.write(data or b"")
        if data is not None:
            await reader.read()
        writer.close()

    server = lab.serve_tcp(handle)
    yield f"ws://{LOOPBACK}:{server.port}/"
    await server.stop()


def good(request: Request, **changes: str) -> bytes:
    """Answer with 101, header fields replaced, added, or, with "", left out."""
    response = answer(request)
    fields = {name: changes.pop(name.replace("-", "_"), value) for name, value in response.headers}
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value]
    return f"HTTP/1.1 101 Switching Protocols\r\n{''.join(lines)}\r\n".encode()


BAD_RESPONSES: dict[str, tuple[Callable[[Request], bytes], str]] = {
    "accept": (
        lambda request: good(request, Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "Sec-WebSocket-Accept is 's3pPLMBiTxaQ9kYGzzhZRbK",
    ),
    "no accept": (lambda request: good(request, Sec_WebSocket_Accept=""), "Accept is '', not"),
    "upgrade": (lambda request: good(request, Upgrade="h2c"), "Upgrade is 'h2c'"),
    "connection": (lambda request: good(request, Connection=""), "Connection is None"),
    "subprotocol": (
        lambda request: good(request, Sec_WebSocket_Protocol="chat"),
        "subprotocol 'chat' was not requested",
    ),
    "extension": (
        lambda request: good(request, Sec_WebSocket_Extensions="permessage-deflate"),
        "extension 'permessage-deflate' was not requested",
    ),
    "status with a body": (
        lambda request: b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nNo!\r\n",
        "status is 404 Not Found, not 101",
    ),
    "status with a chunked body": (
        lambda request: b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello",
        "status is 503 Busy, not 101",
    ),
    "redirect": (
        lambda request: b"HTTP/1.1 302 Found\r\nLocation: ws://example.com/\r\n\r\n",
        "status is 302 Found",
    ),
    "no HTTP": (lambda request: b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "not with HTTP/"),
    "bare LF": (lambda request: b"HTTP/1.1 101 OK\n\n", "a line does not end in CR LF"),
    "endless header": (
        lambda request: b"HTTP/1.1 101 OK\r\nX: " + b"x" * (1 << 20),
        "header is over 16384 bytes",
    ),
    "endless body": (
        lambda request: b"HTTP/1.1 404 Oh\r\nContent-Length: 99999999\r\n\r\n" + bytes(1 << 20),
        f"response is over {RESPONSE_LIMIT} bytes, it begins b'HTTP/1.1 404 Oh",
    ),
}


class TestTheClientsHandshake:
    @pytest.mark.parametrize(("answers", "text"), BAD_RESPONSES.values(), ids=BAD_RESPONSES)
    async def test_a_bad_response_is_refused(self, answers, text):
        async with server_that(answers) as url:
            with pytest.raises(HandshakeError) as caught:
                await connect_from_scratch(url)
        assert text in str(caught.value)

    async def test_deflate_other_than_offered(self):
        extension = "permessage-deflate; client_max_window_bits=9"
        async with server_that(lambda r: good(r, Sec_WebSocket_Extensions=extension)) as url:
            with pytest.raises(HandshakeError, match="fit the offer, permessage-deflate "):
                await connect_from_scratch(url, deflate=Deflate())

    async def test_frames_glued_to_the_response(self):
        frames = Frame(Opcode.TEXT, b"Hello").serialize() + b"\x88\x02\x03\xe8"
        async with server_that(lambda request: good(request) + frames) as url:
            ws = await connect_from_scratch(url, close_timeout=SOON)
            assert [message async for message in ws] == ["Hello"]

    async def test_a_message_and_a_violation_glued_to_the_response(self):
        frames = Frame(Opcode.TEXT, b"Hello").serialize() + b"\x83\x00"
        received = bytearray()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request, _ = Request.parse(await reader.readuntil(b"\r\n\r\n")) or pytest.fail("none")
            writer.write(good(request) + frames)
            received.extend(await reader.readexactly(11))

        server = lab.serve_tcp(talk)
        async with connect_from_scratch(f"ws://{LOOPBACK}:{server.port}") as ws:
            await ws.send(await ws.recv())  # in time, before what follows is looked at
            with pytest.raises(ConnectionEnded):
                await ws.recv()
            assert ws.violation.code == 1002
        frame, _ = Frame.parse(bytes(received)) or pytest.fail("none")
        assert frame.payload == b"Hello"

    async def test_a_server_that_leaves(self):
        async with server_that(lambda request: None) as url:
            with pytest.raises(ConnectionError, match="during the opening handshake"):
                await connect_from_scratch(url)

    async def test_a_silent_server(self):
        async with server_that(lambda request: b"") as url:
            with pytest.raises(TimeoutError, match=r"no connection within 0\.05 s"):
                await connect_from_scratch(url, open_timeout=SOON)

    async def test_a_server_that_sends_byte_by_byte(self):
        async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            gone = asyncio.ensure_future(reader.read())
            writer.write(b"HTTP/1.1 101 ")
            while not gone.done():
                writer.write(b"x")
                await asyncio.wait([gone], timeout=0.005)

        server = lab.serve_tcp(slowly)
        with pytest.raises(TimeoutError):
            await connect_from_scratch(f"ws://{LOOPBACK}:{server.port}", open_timeout=SOON)

    async def test_cancelled_it_leaves_nothing_behind(self):
        left = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            loop.call_soon_threadsafe(connecting.cancel)
            await reader.read()
            loop.call_soon_threadsafe(left.set)

        server = lab.serve_tcp(silent)

        async def connect() -> None:
            await connect_from_scratch(f"ws://{LOOPBACK}:{server.port}")

        connecting = asyncio.ensure_future(connect())
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        async with asyncio.timeout(PATIENCE):
            await left.wait()

    async def test_an_answer_that_comes_in_the_moment_of_giving_up(self):
        class Transport(asyncio.Transport):
            def write(self, data: object) -> None:
                pass

        request = connect_from_scratch("ws://127.0.0.1").request
        endpoint = ClientEndpoint(request, Settings())
        endpoint.connection_made(Transport())
        endpoint.opened.cancel()
        endpoint.data_received(answer(request).serialize())
        assert endpoint.connection is not None
        assert endpoint.opened.cancelled()

    async def test_nobody_there(self):
        server = serve_from_scratch(echo)
        url = server.url
        await server.stop()
        with pytest.raises(ConnectionRefusedError):
            await connect_from_scratch(url)

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1", "ws:///path", "ws://127.0.0.1/#fragment", "127.0.0.1:80"]
    )
    def test_no_url(self, url):
        with pytest.raises(ValueError, match=r"has a fragment|does not begin with ws:// or"):
            connect_from_scratch(url)

    @pytest.mark.parametrize(
        "options",
        [
            {"headers": [("X-Evil", "a\r\nb")]},
            {"subprotocols": ["a b"]},
            {"queue": 0},
        ],
        ids=str,
    )
    def test_what_may_not_be_sent(self, options):
        with pytest.raises(ValueError, match=r"header field|subprotocols|queue"):
            connect_from_scratch("ws://127.0.0.1/", **options)

    def test_where_it_leads(self):
        for url, address, host, target in (
            ("ws://a", ("a", 80), "a", "/"),
            ("wss://a", ("a", 443), "a", "/"),
            ("ws://u:p@a:81/b?c=d", ("a", 81), "a:81", "/b?c=d"),
            ("ws://[::1]:82?c", ("::1", 82), "[::1]:82", "/?c"),
        ):
            connecting = connect_from_scratch(url)
            assert connecting.address == address
            assert connecting.request.headers.get("Host") == host
            assert connecting.request.target == target

    async def test_further_fields(self):
        async with (
            serve_from_scratch(hold) as server,
            connect_from_scratch(server.url, headers=[("Cookie", "a=b")]) as ws,
        ):
            await server.settle(1)
            (endpoint,) = server.connections
            assert endpoint.request.headers.get("Cookie") == "a=b"
            assert ws.response.status == 101


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class TestTls:
    async def test_wss(self, server_tls, client_tls):
        server = serve_from_scratch(echo, ssl=server_tls, deflate=Deflate())
        assert server.url.startswith("wss://")
        for deflate in (None, Deflate()):
            async with connect_from_scratch(server.url, ssl=client_tls, deflate=deflate) as ws:
                for message in ("握手", bytes(1 << 20)):
                    await ws.send(message)
                    assert await ws.recv() == message
        assert ws.close_code == 1000
        await server.settle(4)
        assert [event.kind for event in server.events] == ["open", "close"] * 2

    async def test_a_violation_gets_its_code(self, server_tls, client_tls):
        server = serve_from_scratch(echo, ssl=server_tls)
        reader, writer = await asyncio.open_connection(LOOPBACK, server.port, ssl=client_tls)
        writer.write(REQUEST + b"\x83\x80" + MASK)
        async with asyncio.timeout(PATIENCE):
            answered = await reader.read()
        frame, _ = Frame.parse(answered, answered.index(b"\r\n\r\n") + 4) or pytest.fail("none")
        assert Close.parse(frame.payload).code == 1002
        writer.close()

    async def test_a_certificate_that_nobody_vouches_for(self, server_tls):
        server = serve_from_scratch(echo, ssl=server_tls)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect_from_scratch(server.url)

    async def test_a_certificate_for_another_name(self, authority, client_tls):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("example.com").configure_cert(context)
        server = serve_from_scratch(echo, ssl=context)
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            await connect_from_scratch(server.url, ssl=client_tls)

    async def test_a_server_without_tls(self, client_tls):
        server = serve_from_scratch(echo)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect_from_scratch(server.url.replace("ws:", "wss:"), ssl=client_tls)

    async def test_a_client_that_is_silent_or_speaks_no_tls(self, server_tls):
        server = serve_from_scratch(echo, ssl=server_tls, open_timeout=SOON)
        assert await ask(server, b"") == b""
        assert b"HTTP" not in await ask(server, REQUEST)

    async def test_a_silent_server(self, client_tls):
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        url = f"wss://{LOOPBACK}:{lab.serve_tcp(silent).port}"
        with pytest.raises(TimeoutError):
            await connect_from_scratch(url, ssl=client_tls, open_timeout=SOON)

    async def test_a_peer_that_reads_nothing(self, server_tls, client_tls):
        async def flood(ws: Endpoint) -> None:
            while True:
                await ws.send(bytes(1 << 16))

        server = serve_from_scratch(flood, ssl=server_tls, close_timeout=SOON)
        ws = await connect_from_scratch(server.url, ssl=client_tls, queue=1)
        ws.transport.pause_reading()
        await server.settle(1)
        await server.stop(grace=SOON)
        assert server.events[-1] == Record(1, "close", "1006 ABNORMAL_CLOSURE")
        ws.transport.abort()
        await ws.wait_closed()


# The server's record, and its end


class TestTheRecord:
    async def test_of_a_handler_that_raises(self):
        async def divide(ws: Endpoint) -> None:
            async for message in ws:
                print("got", message)
                await ws.send(str(1 / int(message)))

        server = serve_from_scratch(divide)
        async with connect_from_scratch(server.url) as ws:
            await ws.send("0")
            with pytest.raises(ConnectionEnded, match="ended with code 1011"):
                await ws.recv()
        await server.settle(4)
        assert server.events.rows() == [
            ("1", "open", "/"),
            ("1", "print", "got 0"),
            ("1", "error", "ZeroDivisionError: division by zero"),
            ("1", "close", "1011 INTERNAL_ERROR"),
        ]
        assert "1 / int(message)" in repr(server.errors[0])
        assert "1 error:" in repr(server)

    async def test_of_a_handler_that_returns(self):
        async def once(ws: Endpoint) -> None:
            await ws.send(await ws.recv())

        server = serve_from_scratch(once)
        async with connect_from_scratch(server.url + "room?a=b&token=c") as ws:
            await ws.send("x")
            assert [message async for message in ws] == ["x"]
        await server.settle(2)
        assert server.events.rows() == [
            ("1", "open", "/room?a=b&token=(1 character, not shown)"),
            ("1", "close", "1000 NORMAL_CLOSURE"),
        ]

    @pytest.mark.parametrize("code", [1000, 4321])
    async def test_of_a_client_that_leaves(self, code):
        async def wait(ws: Endpoint) -> None:
            await ws.recv()

        server = serve_from_scratch(wait)
        ws = await connect_from_scratch(server.url)
        await ws.close(code, "bye")
        await server.settle(2)
        name = " NORMAL_CLOSURE" if code == 1000 else ""
        assert server.events[-1].text == f'{code}{name} "bye"'
        assert server.errors == []

    async def test_of_a_violation(self):
        server = serve_from_scratch(echo)
        await ask(server, REQUEST + b"\xc1\x80" + MASK)
        await server.settle(3)
        assert server.events.rows() == [
            ("1", "open", "/chat"),
            (
                "1",
                "violation",
                "1002 PROTOCOL_ERROR: RSV bits are 100, but extensions use 000 (RFC 6455 §5.2)",
            ),
            ("1", "close", "1006 ABNORMAL_CLOSURE"),
        ]
        assert server.errors == []


class TestStop:
    async def test_tells_the_clients(self):
        server = serve_from_scratch(hold)
        async with connect_from_scratch(server.url) as ws:
            await server.stop()
            assert [message async for message in ws] == []
            assert ws.close_code == 1001
        assert server.connections == {}
        assert not server.is_running

    async def test_is_bounded_whatever_the_clients_do(self, until):
        async def flood(ws: Endpoint) -> None:
            while True:
                await ws.send(bytes(100_000))

        server = serve_from_scratch(flood)
        async with asyncio.timeout(PATIENCE):
            silent = [await dial(server) for _ in range(2)]
            silent[1][1].write(REQUEST)  # and reads none of what it gets
            await until(lambda: len(server.connections) == 2)
            await server.settle(1)
            async with asyncio.timeout(30):  # half of what a handler sleeps
                await server.stop(grace=SOON)
        assert server.connections == {}
        for _, writer in silent:
            writer.close()

    async def test_is_bounded_whatever_the_handlers_do(self):
        async def stubborn(ws: Endpoint) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

        server = serve_from_scratch(stubborn)
        async with connect_from_scratch(server.url):
            await server.settle(1)
            async with asyncio.timeout(30):  # half of what a handler sleeps
                await server.stop(grace=SOON)

    async def test_the_same_name_takes_the_place(self):
        first = serve_from_scratch(echo, name="demo")
        port = first.port
        ws = await connect_from_scratch(first.url)
        second = lab.serve(lab.echo, name="demo")
        assert (second.port, second.replaced, first.is_running) == (port, True, False)
        await ws.wait_closed()
        assert [*registry()] == ["demo"]

    async def test_in_a_block_and_nothing_is_left(self):
        async with serve_from_scratch(echo) as server:
            ws = await connect_from_scratch(server.url)
            await ws.send("x")
            assert await ws.recv() == "x"
        await ws.wait_closed()
        del ws
        gc.collect()  # an unclosed transport would warn


async def test_a_wrong_setting_is_told_before_anything_starts():
    with pytest.raises(TypeError, match="nonsense"):
        serve_from_scratch(echo, nonsense=1)
    with pytest.raises(TypeError, match="nonsense"):
        connect_from_scratch("ws://127.0.0.1", nonsense=1)
    assert registry() == {}


async def test_the_endpoints_of_both_roles_understand_each_other_in_pieces():
    server = serve_from_scratch(echo, deflate=Deflate())
    async with lab.cable(server) as cable:
        cable.split(3, gap=0)
        async with connect_from_scratch(cable.url, deflate=Deflate()) as ws:
            for message in ("握手" * 100, bytes(range(256))):
                await ws.send([message[:50], message[50:]])
                assert await ws.recv() == message
            await (await ws.ping())


async def test_interim_responses_before_the_101_are_passed_over():
    async def early_hints(reader, writer):
        request = Request.parse(await reader.readuntil(b"\r\n\r\n"))
        assert request is not None
        for status in (b"100 Continue", b"103 Early Hints"):
            writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            await writer.drain()
        writer.write(answer(request[0]).serialize() + b"\x81\x05Hello")
        await reader.read()

    async with lab.serve_tcp(early_hints) as server:
        async with asyncio.timeout(45):
            ws = await connect_from_scratch(f"ws://127.0.0.1:{server.port}/")
            assert await ws.recv() == "Hello"
            ws.transport.abort()
            await ws.wait_closed()


@pytest.mark.parametrize("option", ["subprotocols", "origins"])
def test_a_text_is_no_list(option):
    with pytest.raises(TypeError, match=f"{option} is 'chat', not a list"):
        serve_from_scratch(lab.echo, name="never", **{option: "chat"})
    assert "never" not in registry()


class TestWhatTheRequestSays:
    async def asked(self, url, **options):
        """Return the headers of a request, as the library's server sees them."""
        seen = []

        async def handler(connection):
            seen.append((connection.request.path, connection.request.headers))

        async with lab.serve(handler) as server:
            async with connect_from_scratch(url.format(server.port), **options):
                pass
            return server.port, *seen[0]

    async def test_user_path_and_one_host(self):
        url = "ws://ada:secret@LOCALHOST:{}/a%20b/房间?x=100%"
        port, path, headers = await self.asked(url)
        assert path == "/a%20b/%E6%88%BF%E9%97%B4?x=100%"
        assert headers.get_all("Host") == [f"localhost:{port}"]
        assert headers["Authorization"] == "Basic YWRhOnNlY3JldA=="

    async def test_a_header_of_the_callers_comes_before_the_user(self):
        _, _, headers = await self.asked("ws://a:b@127.0.0.1:{}", headers=[("authorization", "x")])
        assert headers.get_all("Authorization") == ["x"]


class TestTlsToAPlainServer:
    """It has words, and another attempt makes no sense."""

    @staticmethod
    async def hang_up(reader, writer):
        await reader.read(1)

    @staticmethod
    async def talk(reader, writer):
        writer.write(b"220 not TLS\r\n")
        await reader.read()

    @pytest.mark.parametrize("opener", [library_connect, connect_from_scratch])
    @pytest.mark.parametrize("kind", ["library", "scratch", "hangs up", "talks"])
    async def test_is_classified(self, opener, kind):
        server = {
            "library": lambda: lab.serve(lab.echo),
            "scratch": lambda: serve_from_scratch(lab.echo),
            "hangs up": lambda: lab.serve_tcp(self.hang_up),
            "talks": lambda: lab.serve_tcp(self.talk),
        }[kind]()
        async with server:
            with pytest.raises((ssl.SSLError, ConnectionResetError)) as caught:
                await opener(f"wss://127.0.0.1:{server.port}/")
        ending = classify(caught.value)
        assert (ending.way, ending.retry) == ("handshake", False)
        assert ending.text.startswith("TLS failed, perhaps the server speaks ws:// there")
        assert not ending.text.endswith(": ")
