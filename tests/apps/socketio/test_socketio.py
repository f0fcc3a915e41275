"""The Socket.IO chat: what it passes on, what it withstands, what its record says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pkgutil
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import socketio
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from wslab import __main__ as cli
from wslab import lab
from wslab.apps.socketio import server as socketio_server
from wslab.apps.socketio.chat import (
    MAX_PAYLOAD,
    MAX_TEXT,
    make_chat,
    serve_chat,
)
from wslab.apps.socketio.server import CLIENT_SCRIPT, serve_socketio
from wslab.lab.servers.http import WebServer

from ...conftest import PATIENCE
from ...socketio_client import SocketIOChatClient

WEBSOCKET = "socket.io/?EIO=4&transport=websocket"
POLLING = "socket.io/?EIO=4&transport=polling"
TRANSPORTS = {"default": None, "polling": ["polling"], "websocket": ["websocket"]}

transports = pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serve_chat() as server:
        yield server


def address(server: WebServer, query: str = WEBSOCKET) -> str:
    return f"{server.url}{query}".replace("http:", "ws:", 1)


@asynccontextmanager
async def raw(server: WebServer, query: str = WEBSOCKET) -> AsyncIterator[ClientConnection]:
    """A client that writes its packets by hand."""
    async with asyncio.timeout(PATIENCE), connect(address(server, query), proxy=None) as ws:
        yield ws


async def join(ws: ClientConnection) -> None:
    assert str(await ws.recv())[0] == "0"
    await ws.send("40")
    while (answer := str(await ws.recv())) == "2":  # a ping that was quicker
        await ws.send("3")
    assert re.fullmatch(r'40\{"sid":"[\w-]{20}"\}', answer)


@asynccontextmanager
async def polling(server: WebServer) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A session on polling, by hand: give the HTTP client and the session's URL."""
    url = f"{server.url}{POLLING}"
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
        opened = await (await http.get(url)).text()
        url += f"&sid={json.loads(opened[1:])['sid']}"
        assert await (await http.post(url, data="40")).text() == "OK"
        assert (await (await http.get(url)).text()).startswith("40{")
        yield http, url


async def assert_others_are_served(server: WebServer) -> None:
    for chosen in TRANSPORTS.values():
        async with SocketIOChatClient(server.url, transports=chosen) as client:
            await client.say("还在吗")
            assert await client.hear() == "说：还在吗"


class TestChat:
    @transports
    async def test_a_message_goes_to_everybody(self, server, transports):
        async with (
            SocketIOChatClient(server.url, transports=transports) as one,
            SocketIOChatClient(server.url) as other,
        ):
            await one.say("你好")
            assert [await one.hear(), await other.hear()] == ["说：你好", "说：你好"]
        assert server.errors == []

    @pytest.mark.parametrize(
        "arguments", [[], [None], [{}], [["a"]], [7], ["a", "b"], ["x" * (MAX_TEXT + 1)]]
    )
    async def test_anything_but_a_text_is_not_passed_on(self, server, arguments):
        async with raw(server) as ws:
            await join(ws)
            await ws.send("42" + json.dumps(["chat message", *arguments]))
            await ws.send('42["chat message","text"]')
            assert json.loads(str(await ws.recv())[2:]) == ["chat message", "说：text"]
        refused = f"not passed on: chat message needs one text of up to {MAX_TEXT} characters"
        assert [event.text for event in server.events.only("print")[:2]] == ["connected", refused]
        assert server.errors == []

    async def test_the_longest_text_is_passed_on(self, server):
        async with SocketIOChatClient(server.url) as client:
            await client.say("x" * MAX_TEXT)
            assert await client.hear() == "说：" + "x" * MAX_TEXT

    async def test_the_page_and_its_script(self, server):
        async with aiohttp.ClientSession() as http:
            page = await (await http.get(server.url)).text()
            parts = re.findall(r'(?:src|href)="([^"]+)"', page)
            assert parts == ["data:,", "page/style.css", "socket.io/socket.io.js", "page/page.js"]
            for wanted in ('id="messages"', 'id="form"', 'id="input"'):
                assert wanted in page
            for part in parts[1:]:
                assert (await http.get(f"{server.url}{part}")).status == 200
            policy = (await http.get(server.url)).headers["Content-Security-Policy"].split("; ")
            assert {"script-src 'self'", "style-src 'self'", "frame-ancestors 'self'"} <= {*policy}
            script = await (await http.get(f"{server.url}socket.io/socket.io.js")).read()
        assert script == CLIENT_SCRIPT.read_bytes()
        assert b"Released under the MIT License" in script[:200]

    async def test_a_page_from_elsewhere_may_not_connect(self, server):
        with pytest.raises(InvalidStatus) as refused:
            await connect(address(server), origin="https://evil.example", proxy=None)
        assert refused.value.response.status_code == 403
        assert b"Pages from 'https://evil.example' are not welcome" in refused.value.response.body

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example", "Origin": "http://evil.example"},  # DNS rebinding
            {"Host": "evil.example"},  # likewise: a page's GET to where it came from has no Origin
            {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
            {"Origin": "https://a.example", "X-Forwarded-Proto": "https", "Host": "a.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},  # an <img> of a page of elsewhere
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    async def test_what_a_page_from_elsewhere_asks_for_leaves_no_session(self, server, headers):
        async with aiohttp.ClientSession() as http:
            answer = await http.get(f"{server.url}{POLLING}", headers=headers)
            assert answer.status == 403
            assert "sid" not in await answer.text()
        await server.settle()
        assert server.events.only("print") == []

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Host": "localhost"},
            {"Host": "[::1]:8000"},
            {"Host": "192.168.1.7:8000"},
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "http://localhost:3000"},
            {"Origin": "https://hub.example", "Sec-Fetch-Site": "cross-site"},
            {"Host": "hub.example"},
            {"Origin": "null"},
        ],
    )
    async def test_what_is_welcome(self, headers):
        async with (
            serve_chat(origins=["https://hub.example", "null"]) as server,
            aiohttp.ClientSession() as http,
        ):
            answer = await http.get(f"{server.url}{POLLING}", headers=headers)
            assert answer.status == 200
            assert answer.headers.get("Access-Control-Allow-Origin") == headers.get("Origin")

    async def test_a_session_of_a_page_from_elsewhere_cannot_be_used(self, server):
        """Also with its number, as when it was seen over somebody's shoulder."""
        async with polling(server) as (http, url):
            answer = await http.post(url, data="41", headers={"Origin": "https://evil.example"})
            assert answer.status == 400

    async def test_who_made_the_server_may_choose_the_origins(self):
        sio = socketio.AsyncServer(cors_allowed_origins=["https://only.example"])
        async with serve_socketio(sio) as server, aiohttp.ClientSession() as http:
            for origin, status in [("https://only.example", 200), ("http://localhost", 400)]:
                answer = await http.get(f"{server.url}{POLLING}", headers={"Origin": origin})
                assert answer.status == status

    @pytest.mark.parametrize("query", [POLLING, WEBSOCKET], ids=["polling", "websocket"])
    async def test_who_does_not_join_is_forgotten(self, monkeypatch, query):
        monkeypatch.setattr(socketio_server, "JOIN", 1.0)
        sio = make_chat()
        async with (
            asyncio.timeout(PATIENCE),
            serve_socketio(sio) as server,
            SocketIOChatClient(server.url) as client,
        ):
            if query == POLLING:
                async with aiohttp.ClientSession() as http:
                    opened = await (await http.get(f"{server.url}{query}")).text()
                session = json.loads(opened[1:])["sid"]
                await server.settle(until=lambda: session not in sio.eio.sockets)
            else:
                async with raw(server, query) as ws:
                    assert str(await ws.recv())[0] == "0"
                    await ws.wait_closed()
            await client.say("还在吗")  # who came before, and joined, stays
            assert await client.hear() == "说：还在吗"
            assert len(sio.eio.sockets) == 1
        assert server.errors == []

    async def test_a_crowd_that_does_not_join_has_a_bound(self, monkeypatch):
        monkeypatch.setattr(socketio_server, "WAITING", 5)
        sio = make_chat()
        async with serve_socketio(sio) as server, aiohttp.ClientSession() as http:
            for _ in range(20):
                await (await http.get(f"{server.url}{POLLING}")).text()
            await server.settle()
            assert len(sio.eio.sockets) == 5
            await assert_others_are_served(server)

    async def test_a_body_that_does_not_end_is_not_waited_for(self, monkeypatch, server):
        monkeypatch.setattr(socketio_server, "POSTED", 0.1)
        async with polling(server) as (_, url):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            target = url.removeprefix(server.url.rstrip("/"))
            head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            writer.write(head.encode())
            with contextlib.suppress(ConnectionResetError):
                await reader.read()  # until it is closed
            writer.close()
        assert server.errors == []

    async def test_a_client_that_hears_nothing_says_so(self, server):
        async with SocketIOChatClient(server.url) as client:
            with pytest.raises(TimeoutError):
                await client.hear(within=0.01)

    async def test_polling_ends_at_once(self, server):
        """The poll that is open when a client says goodbye is answered, with a noop."""
        cable = lab.cable(server)
        async with SocketIOChatClient(cable.url, transports=["polling"]):
            pass
        async with asyncio.timeout(PATIENCE):
            transcript = await cable.settle()
        assert transcript.server.only(kind="body")[-1].meaning == '"6" · noop'


class TestServer:
    async def test_handlers_errors_and_prints_are_recorded(self):
        sio = socketio.AsyncServer()

        @sio.event
        async def divide(sid: str, number: int) -> float:
            print("dividing by", number)
            return 1 / number

        async with serve_socketio(sio, name="numbers") as server:
            client = socketio.AsyncClient(handle_sigint=False)
            await client.connect(server.url, transports=["websocket"], wait_timeout=PATIENCE)
            assert await client.call("divide", 4, timeout=PATIENCE) == 0.25
            await client.emit("divide", 0)
            await server.settle(lambda: server.events.only("error"))
            assert await client.call("divide", 2, timeout=PATIENCE) == 0.5
            await client.disconnect()
        assert [event.text for event in server.events.only("print")] == [
            *("dividing by 4", "dividing by 0", "dividing by 2")
        ]
        (error,) = server.errors
        assert repr(error).startswith("The handler of server 'numbers' raised on connection 1:")
        assert isinstance(error.exception, ZeroDivisionError)

    async def test_an_error_in_connect_refuses_the_client(self):
        sio = socketio.AsyncServer()

        @sio.event
        async def connect(sid: str, environ: object) -> None:
            raise LookupError("nobody home")

        async with serve_socketio(sio) as server:
            async with raw(server) as ws:
                await ws.recv()
                await ws.send("40")
                await server.settle(lambda: server.events.only("error"))
            assert [str(error.exception) for error in server.errors] == ["nobody home"]

    async def test_it_can_be_served_again(self):
        sio = make_chat(monitor_clients=True)
        for _ in range(2):
            async with (
                serve_socketio(sio, name="twice") as server,
                SocketIOChatClient(server.url) as client,
            ):
                await client.say("again")
                assert await client.hear() == "说：again"
            assert sio.eio.start_service_task is True

    @transports
    async def test_stopping_says_goodbye(self, transports):
        server = serve_chat()
        gone = asyncio.Event()
        client = SocketIOChatClient(server.url, transports=transports, reconnection=False)
        client.sio.on("disconnect", lambda reason: gone.set())
        async with client:
            await server.stop()
            async with asyncio.timeout(PATIENCE):
                await gone.wait()
        assert server.events.only("print")[-1].text == "disconnected: server disconnect"

    async def test_other_pages_stand_beside_it(self):
        async def about(_request: web.Request) -> web.Response:
            return web.Response(text="about")

        app = web.Application()
        app.router.add_get("/about", about)
        async with serve_socketio(make_chat(), app=app) as server, aiohttp.ClientSession() as http:
            assert await (await http.get(f"{server.url}about")).text() == "about"
            await assert_others_are_served(server)

    @pytest.mark.parametrize(
        "sio",
        [socketio.Server(), socketio.AsyncServer(async_mode="asgi"), None],
        ids=["sync", "asgi", "None"],
    )
    def test_anything_else_than_its_server_is_refused(self, sio):
        with pytest.raises(TypeError, match=r"it must be a socketio\.AsyncServer on aiohttp$"):
            serve_socketio(sio)

    async def test_from_the_command_line(self):
        start = pkgutil.resolve_name(cli.SERVICES["socketio"].start)
        server = start(host="127.0.0.1", port=0, origins=[])
        async with SocketIOChatClient(server.url) as client:
            await client.say("你好")
            assert await client.hear() == "说：你好"

    async def test_it_pings(self):
        pinging = serve_chat(ping_interval=0.01, ping_timeout=PATIENCE)
        async with pinging as server, raw(server) as ws:
            await join(ws)
            for _ in range(2):
                assert await ws.recv() == "2"
                await ws.send("3")

    async def test_who_does_not_answer_is_disconnected(self):
        async with serve_chat(ping_interval=0.01, ping_timeout=0.1) as server:
            async with raw(server) as ws:
                await join(ws)
                assert await ws.recv() == "2"
                await ws.wait_closed()
            await server.settle(lambda: "disconnected" in str(server.events.only("print")))
        assert server.events.only("print")[-1].text == "disconnected: ping timeout"


class TestBadInput:
    """Whatever one client sends, the server stays up and serves others."""

    @pytest.mark.parametrize(
        "sent",
        [
            "9",  # no such type
            "0{}",  # a type that only servers send
            "6",
            "5",  # an upgrade of what needs none
            "3",  # a pong to no ping
            "42{bad",
            "42[]",
            '42"text"',
            "42{}",
            "42[7]",
            "47",  # no such Socket.IO type
            "4",
            "43[]",
            "4312345[]",
            '44{"message":"no"}',
            '451-["chat message",{"_placeholder":true,"num":5}]',
            '4599999999999-["chat message"]',
            b"nobody announced this",
            '42["no such event",1]',
            '42["connect"]',
            '42["disconnect"]',
            "42/elsewhere,[1]",
            "40/elsewhere,",
            "2" + "x" * 1000,
        ],
        ids=lambda sent: repr(sent)[:30],
    )
    @pytest.mark.parametrize("before_joining", [False, True])
    async def test_a_strange_packet(self, server, sent, before_joining):
        async with SocketIOChatClient(server.url) as bystander:
            async with raw(server) as ws:
                await (ws.recv() if before_joining else join(ws))
                await ws.send(sent)
                await ws.send('42["chat message","still here"]')
                # Whether it is still served is not said; the next one is.
                await server.settle()
            await bystander.say("我在")
            while await bystander.hear() != "说：我在":
                pass
        await assert_others_are_served(server)
        assert server.errors == []

    @pytest.mark.parametrize("sent", ["hello", '{"text":"hi","type":"chat"}', "", "²"])
    async def test_what_is_no_packet_ends_its_connection(self, server, sent):
        async with raw(server) as ws:
            await join(ws)
            await ws.send(sent)
            with pytest.raises(ConnectionClosed):
                await ws.recv()
        await server.settle(lambda: server.events.only("violation"))
        assert server.events.only("print")[-1].text == "disconnected: transport error"
        assert server.errors == []
        await assert_others_are_served(server)

    async def test_a_malformed_packet_is_a_violation(self, server):
        async with raw(server) as ws:
            await join(ws)
            await ws.send("42{bad")
            await server.settle(lambda: server.events.only("violation"))
        violation = server.events.only("violation")[0]
        assert violation.text.startswith("JSONDecodeError: ")
        assert violation.connection == 1

    async def test_a_message_that_is_too_large(self, server):
        async with raw(server) as ws:
            await join(ws)
            await ws.send("42" + json.dumps(["chat message", "x" * MAX_PAYLOAD]))
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        await assert_others_are_served(server)

    @pytest.mark.parametrize(
        "sent",
        [
            "9",
            "hello",
            "42{bad",
            "",
            "\x1e".join(["2"] * 17),
            b"\xff\xfe",
        ],
        ids=lambda value: repr(value)[:20],
    )
    async def test_a_strange_body(self, server, sent):
        async with polling(server) as (http, url):
            answer = await http.post(url, data=sent)
            assert answer.status == 200  # the library's way; what matters is that it answers
        await assert_others_are_served(server)
        assert server.errors == []

    @pytest.mark.parametrize("sent", ["2", "x" * (MAX_PAYLOAD + 1)], ids=["ping", "too large"])
    async def test_a_body_that_ends_its_session(self, server, sent):
        async with polling(server) as (http, url), asyncio.TaskGroup() as group:
            poll = group.create_task(http.get(url))
            await server.settle()
            answer = await http.post(url, data=sent)
            assert (answer.status, await (await poll).text()) == (400, "1")
        await assert_others_are_served(server)

    @pytest.mark.parametrize(
        ("method", "query", "status"),
        [
            ("GET", "socket.io/", 400),
            ("GET", "socket.io/?EIO=3&transport=polling", 400),
            ("GET", "socket.io/?EIO=4&transport=pigeon", 400),
            ("GET", "socket.io/?EIO=4&transport=websocket", 400),
            ("GET", f"{POLLING}&sid=unknown", 400),
            ("POST", f"{POLLING}&sid=unknown", 400),
            ("POST", POLLING, 400),
            ("PUT", POLLING, 405),
        ],
    )
    async def test_a_strange_request(self, server, method, query, status):
        async with aiohttp.ClientSession() as http:
            answer = await http.request(method, f"{server.url}{query}")
            assert answer.status == status
        await assert_others_are_served(server)

    @pytest.mark.parametrize(
        "packets", [["hello"], ["2"], ["5"], ["2probe", "4hello"], ["2probe", "x"], [b"2probe"], []]
    )
    async def test_a_broken_upgrade(self, server, packets):
        async with polling(server) as (_, url):
            query = url.removeprefix(server.url).replace("transport=polling", "transport=websocket")
            async with raw(server, query) as ws:
                for packet in packets:
                    await ws.send(packet)
                if packets:
                    await ws.wait_closed()
            await assert_others_are_served(server)

    async def test_a_client_that_vanishes(self, server):
        async with SocketIOChatClient(server.url) as bystander:
            async with raw(server) as ws:
                await join(ws)
                ws.transport.abort()
            await server.settle(lambda: "disconnected" in str(server.events.only("print")))
            await bystander.say("我在")
            assert await bystander.hear() == "说：我在"
