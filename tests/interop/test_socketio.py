"""Socket.IO with the implementations of others, and with what does not speak it.

npm's server and client, python-socketio's client, ours of a few lines, the chat and the server with
recovery; and, in both directions, plain WebSocket, which is refused in the ways that people meet.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from wslab import lab
from wslab.apps.socketio.chat import serve_chat
from wslab.apps.socketio.recovery import RecoveringChat
from wslab.apps.socketio.server import CLIENT_SCRIPT

from ..socketio_client import SocketIOChatClient
from .conftest import PATIENCE

HERE = Path(__file__).parent
TRANSPORTS = {"default": None, "polling": ["polling"], "websocket": ["websocket"]}
USED = {"default": "websocket", "polling": "polling", "websocket": "websocket"}


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def npm_server(node: Path, *, recovery: bool = False) -> AsyncIterator[str]:
    options = json.dumps({"recovery": recovery})
    with running(str(node), str(HERE / "socketio_server.js"), options) as process:
        assert process.stdout is not None
        yield (await asyncio.to_thread(process.stdout.readline)).strip()


async def npm_client(node: Path, url: str, **options: Any) -> dict[str, Any]:
    """Let npm's client do its work; return what it says about it."""
    command = (str(node), str(HERE / "socketio_client.js"), json.dumps({"url": url, **options}))
    with running(*command) as process:
        output, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert errors == ""
    said: dict[str, Any] = json.loads(output)
    return said


def websocket_url(url: str, query: str = "socket.io/?EIO=4&transport=websocket") -> str:
    return url.replace("http:", "ws:", 1) + query


@pytest.mark.parametrize("transports", TRANSPORTS)
class TestOnEveryTransport:
    async def test_our_server_with_npms_client(self, node, transports):
        async with serve_chat() as server:
            said = await npm_client(node, server.url, transports=TRANSPORTS[transports])
            assert said == {"heard": ["说：你好"], "transport": USED[transports]}
            await server.settle()
        assert server.errors == []
        assert not server.events.only("violation")

    async def test_our_client_with_npms_server(self, node, transports):
        chosen = TRANSPORTS[transports]
        async with npm_server(node) as url, SocketIOChatClient(url, transports=chosen) as client:
            await client.say("你好")
            assert await client.hear(within=PATIENCE) == "说：你好"
            assert client.sio.transport() == USED[transports]

    async def test_npms_both_through_our_cable(self, node, transports):
        """And the transcript finds nothing that is no packet."""
        async with npm_server(node) as url, lab.cable(url) as cable:
            said = await npm_client(node, cable.url, transports=TRANSPORTS[transports])
            assert said == {"heard": ["说：你好"], "transport": USED[transports]}
            meanings = [row.meaning for row in await cable.settle()]
        found = "\n".join(meanings)
        assert "no packet" not in found
        assert "not of Socket.IO" not in found
        if transports != "polling":
            return  # npm's client offers compression, and its server agrees
        for wanted in (" · open", " · message: CONNECT", '42["chat message","说：你好"]'):
            assert wanted in found


class TestNpmsServer:
    async def test_acknowledgements_and_attachments(self, node):
        client = socketio.AsyncClient(handle_sigint=False)
        async with npm_server(node) as url, lab.cable(url) as cable:
            await client.connect(cable.url, transports=["websocket"], wait_timeout=PATIENCE)
            answer = await client.call("echo", {"file": b"\x01\x02"}, timeout=PATIENCE)
            await client.disconnect()
            transcript = await cable.settle()
        assert answer == {"file": b"\x01\x02"}
        assert [row.meaning for row in transcript.frames][3:7] == [
            """'451-1["echo",{"file":{"_placeholder":true,"num":0}}]'"""
            " · message: BINARY_EVENT, wants ACK 1, attachment to follow",
            "2 bytes · message: attachment",
            """'461-1[{"file":{"_placeholder":true,"num":0}}]'"""
            " · message: BINARY_ACK 1, attachment to follow",
            "2 bytes · message: attachment",
        ]

    async def test_to_all_but_the_sender(self, node):
        async with (
            npm_server(node) as url,
            SocketIOChatClient(url) as one,
            SocketIOChatClient(url) as other,
        ):
            heard: asyncio.Queue[str] = asyncio.Queue()
            other.sio.on("shout", heard.put)
            one.sio.on("shout", one.heard.put)
            await one.sio.emit("shout", "hey")
            async with asyncio.timeout(PATIENCE):
                assert await heard.get() == "hey"
            await one.say("what did I hear?")
            assert await one.hear() == "说：what did I hear?"

    async def test_a_namespace_by_hand(self, node):
        async with (
            asyncio.timeout(PATIENCE),
            npm_server(node) as url,
            connect(websocket_url(url), proxy=None) as ws,
        ):
            assert str(await ws.recv())[0] == "0"
            await ws.send("40/admin,")
            assert str(await ws.recv()).startswith('40/admin,{"sid":"')
            assert await ws.recv() == '42/admin,["welcome","/admin"]'


class TestRecovery:
    async def test_npms_client_recovers_on_our_server(self, node):
        async with lab.serve(RecoveringChat()) as server:
            url = server.url.replace("ws:", "http:", 1)
            said = await npm_client(node, url, transports=["websocket"], lose=True)
        assert said == {"heard": ["说：你好"], "recovered": True, "same": True}
        assert server.errors == []

    @pytest.mark.parametrize("ours", [False, True], ids=["npm", "ours"])
    async def test_our_packets_are_npms(self, node, ours):
        """The same client by hand, on both servers: the same packets in the same order."""
        async with asyncio.timeout(PATIENCE):
            if ours:
                async with lab.serve(RecoveringChat()) as server:
                    address = server.url + "socket.io/?EIO=4&transport=websocket"
                    kinds = await self.lose_and_return(address)
            else:
                async with npm_server(node, recovery=True) as url:
                    kinds = await self.lose_and_return(websocket_url(url))
        assert kinds == [
            ("EVENT", 3),  # what was missed, with its offset, comes before …
            ("CONNECT", "same"),  # … the session that is given back
            ("CONNECT", "new"),  # without an offset it is not
        ]

    async def lose_and_return(self, address: str) -> list[tuple[str, Any]]:
        async def join(ws: Any, **asked: str) -> tuple[list[Any], dict[str, str]]:
            await ws.recv()
            await ws.send("40" + json.dumps(asked))
            missed: list[Any] = []
            while not (text := str(await ws.recv())).startswith("40"):
                missed.append(json.loads(text[2:]))
            return missed, json.loads(text[2:])

        async with connect(address, proxy=None) as other:
            await join(other)
            async with connect(address, proxy=None) as ws:
                _, first = await join(ws)
                await ws.send('42["chat message","one"]')
                offset = json.loads(str(await ws.recv())[2:])[-1]
                ws.transport.abort()
            await other.recv()
            await other.send('42["chat message","two"]')
            await other.recv()
            async with connect(address, proxy=None) as ws:
                missed, again = await join(ws, pid=first["pid"], offset=offset)
                ws.transport.abort()
            async with connect(address, proxy=None) as ws:
                _, last = await join(ws, pid=first["pid"])
        found: list[tuple[str, Any]] = [("EVENT", len(event)) for event in missed]
        found += [("CONNECT", "same" if seen == first else "new") for seen in (again, last)]
        return found


class TestPlainWebSocketToSocketIO:
    """As a person would try it: with another address each time."""

    async def test_npm_drops_an_unknown_path(self, node):
        async with npm_server(node) as url:
            with pytest.raises(InvalidMessage, match="did not receive a valid HTTP response"):
                await connect(websocket_url(url, ""), proxy=None, open_timeout=PATIENCE)

    @pytest.mark.parametrize(
        ("ours", "said"), [(False, b"Transport unknown"), (True, b"unsupported version")]
    )
    async def test_the_path_without_the_query_is_refused(self, node, ours, said):
        async with serve_chat() as server, npm_server(node) as url:
            address = websocket_url(server.url if ours else url, "socket.io/")
            with pytest.raises(InvalidStatus) as refused:
                await connect(address, proxy=None)
        assert refused.value.response.status_code == 400
        assert said in refused.value.response.body

    @pytest.mark.parametrize("ours", [False, True], ids=["npm", "ours"])
    async def test_the_right_query_opens_and_the_first_json_ends_it(self, node, ours):
        async with (
            asyncio.timeout(PATIENCE),
            serve_chat() as server,
            npm_server(node) as url,
            connect(websocket_url(server.url if ours else url), proxy=None) as ws,
        ):
            assert str(await ws.recv()).startswith('0{"sid"')
            await ws.send('{"text":"小明","type":"setName"}')
            with pytest.raises(ConnectionClosed):
                await ws.recv()


class TestSocketIOToPlainWebSocket:
    async def test_npms_client_polls_first(self, node):
        async with lab.serve(lab.echo) as server:
            said = await npm_client(node, server.url.replace("ws:", "http:", 1))
        assert said == {"error": "xhr poll error", "status": 426}

    async def test_npms_client_on_websocket_waits_in_vain(self, node):
        """The HTTP 101 comes, the open packet never: 20 s by default, less here."""
        async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
            url = cable.url.replace("ws:", "http:", 1)
            said = await npm_client(node, url, transports=["websocket"], timeout=500)
            transcript = await cable.settle()
        assert said == {"error": "timeout"}
        assert "HTTP/1.1 101" in transcript.http[1].text

    async def test_python_socketio_polls_first(self):
        async with lab.serve(lab.echo) as server:
            client = SocketIOChatClient(server.url.replace("ws:", "http:", 1))
            with pytest.raises(socketio.exceptions.ConnectionError, match="426"):
                await client.__aenter__()

    async def test_python_socketio_on_websocket_waits_in_vain(self):
        """And without end: it has no time-out of its own for the open packet."""
        async with lab.serve(lab.echo) as server, aiohttp.ClientSession() as http:
            client = socketio.AsyncClient(handle_sigint=False, http_session=http)
            url = server.url.replace("ws:", "http:", 1)
            options = {"transports": ["websocket"], "wait_timeout": 0.1}
            connecting = asyncio.create_task(client.connect(url, **options))
            await server.settle(lambda: server.events.only("open"))
            done, _ = await asyncio.wait([connecting], timeout=0.5)
            assert not done
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting


def test_the_script_that_is_shipped_is_npms(node: Path) -> None:
    """Its version is written in package.json only."""
    theirs = HERE / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
    assert CLIENT_SCRIPT.read_bytes() == theirs.read_bytes()
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["socket.io-client"]
    assert f"Socket.IO v{wanted}\n" in CLIENT_SCRIPT.read_text(encoding="utf-8")[:100]
