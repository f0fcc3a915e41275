"""Whatever stands in a request line, a server answers with what it means, never with 500."""

from __future__ import annotations

import asyncio

import pytest

from wslab import lab
from wslab.apps import chat
from wslab.apps.transports import NewsFeed, application, websocket_handler
from wslab.scratch import serve_from_scratch

SERVERS = {
    "echo": lambda: lab.serve(lab.echo, name="echo"),
    "scratch": lambda: serve_from_scratch(lab.echo, name="scratch"),
    "chat": chat.serve,
    "news": lambda: lab.serve(websocket_handler(NewsFeed()), name="news"),
    "pages": lambda: lab.serve_app(application(NewsFeed()), name="pages"),
}
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def status(port: int, target: str, fields: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n".encode())
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


@pytest.mark.parametrize(
    "target", ["//[", "/shop?discount=100%", "/%zz", "http://[/", "*", "/?=&;"]
)
@pytest.mark.parametrize("name", SERVERS)
async def test_an_odd_target_is_no_error_of_the_server(name: str, target: str) -> None:
    async with asyncio.timeout(45), SERVERS[name]() as server:
        answers = [await status(server.port, target, fields) for fields in (UPGRADE, "")]
        assert 500 not in answers
        if target == "/shop?discount=100%" and name != "pages":
            assert answers[0] == 101  # as from browsers
        assert server.errors == []
