"""What the lessons say about Chromium and Node, measured, where a cell cannot show it by itself."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from playwright.sync_api import Page

from wslab import lab
from wslab.lab.servers.http import serve_app

pytestmark = pytest.mark.slow
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/net/tcp is Linux's")

HERE = Path(__file__).parent


# Opens a WebSocket and tells how it began or ended: "open", or the close code.
BEGIN = """(url) => new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("open");
    socket.onclose = ({ code }) => resolve(code);
})"""

# Reads events until one says "end" or the browser gives up for good; returns what came, and
# `readyState`: 2 is CLOSED, from which no EventSource comes back.
LISTEN = """() => new Promise(resolve => {
    const source = new EventSource("/events"), seen = [];
    source.onmessage = ({ data }) => {
        seen.push(data);
        if (data === "end") resolve([seen, source.readyState]);
    };
    source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) resolve([seen, source.readyState]);
    };
})"""


class News:
    """A stream of events that breaks after the first one; what comes next is `second`."""

    def __init__(self, second: int) -> None:
        self.second, self.asked = second, list[str | None]()

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>news</title>", content_type="text/html")

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Last-Event-ID"))
        again = len(self.asked) > 1
        if again and self.second != 200:
            return web.Response(status=self.second)
        text = "data: end\n\n" if again else "retry: 10\nid: 7\ndata: begin\n\n"
        return web.Response(text=text, content_type="text/event-stream")

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/", self.page), web.get("/events", self.events)])
        return app


class TestEventSource:
    """Lesson 01: it comes back when the network breaks, and gives up on an HTTP error."""

    def test_after_the_end_of_a_stream_it_asks_again(self, page: Page) -> None:
        news = News(second=200)
        server = serve_app(news.app(), name="news")
        page.goto(server.url)
        assert page.evaluate(LISTEN) == [["begin", "end"], 1]
        assert news.asked[:2] == [None, "7"]

    def test_after_one_503_it_gives_up(self, page: Page) -> None:
        news = News(second=503)
        server = serve_app(news.app(), name="news")
        page.goto(server.url)
        assert page.evaluate(LISTEN) == [["begin"], 2]
        assert news.asked == [None, "7"]


@pytest.fixture
def pem(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that Chromium does not trust, and its key."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    return chain, key


@pytest.fixture
def http2(node: Path, pem: tuple[Path, Path]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """An HTTPS server that speaks HTTP/2 and takes WebSocket; its address."""
    server = subprocess.Popen(
        [node, HERE / "http2_server.js", *pem], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield f"127.0.0.1:{server.stdout.readline().strip()}", server
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_failed_tls_is_1006(page: Page, http2: tuple[str, subprocess.Popen[str]]) -> None:
    """Lesson 04: not 1015, the code that RFC 6455 §7.4.1 reserves for it."""
    address, _ = http2
    assert page.evaluate(BEGIN, f"wss://{address}/") == 1006


def test_websocket_over_http2(page: Page, http2: tuple[str, subprocess.Popen[str]]) -> None:
    """Lesson 02: CONNECT with `:protocol`, no key, 200; the frames are masked as ever."""
    address, server = http2
    assert page.context.browser is not None
    with closing(page.context.browser.new_context(ignore_https_errors=True)) as context:
        trusting = context.new_page()
        trusting.goto(f"https://{address}/")
        assert trusting.evaluate(BEGIN, f"wss://{address}/chat") == "open"
    assert server.stdout is not None
    headers = json.loads(server.stdout.readline())
    asked = {name: headers[name] for name in (":method", ":protocol", ":path")}
    assert asked == {":method": "CONNECT", ":protocol": "websocket", ":path": "/chat"}
    assert headers["sec-websocket-version"] == "13"
    assert not {"sec-websocket-key", "upgrade", "connection", "host"} & set(headers)


def test_a_closed_port_answers_before_a_silent_one(page: Page) -> None:
    """Lesson 05: the events are alike, but not their times."""

    async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    silent, closed = lab.serve_tcp(mute), lab.serve(lab.echo, name="closed")
    url = closed.url
    closed.stop_now()
    state = """([silent, closed]) => new Promise(resolve => {
        const waiting = new WebSocket(silent);
        new WebSocket(closed).onclose = () => resolve(waiting.readyState);
    })"""
    assert page.evaluate(state, [f"ws://127.0.0.1:{silent.port}/", url]) == 0  # CONNECTING


def test_a_public_page_needs_permission_for_this_machine(page: Page, chromium: Path) -> None:
    """Lesson 05: Local Network Access. The flag makes Chromium take our page for a public one."""
    news, echo = serve_app(News(200).app(), name="public"), lab.serve(lab.echo)
    flags = ["--no-sandbox", f"--ip-address-space-overrides=127.0.0.1:{news.port}=public"]
    assert page.context.browser is not None
    kind = page.context.browser.browser_type
    with closing(kind.launch(executable_path=chromium, args=flags)) as browser:
        context = browser.new_context()
        public = context.new_page()
        public.goto(news.url)
        assert public.evaluate(BEGIN, echo.url) == 1006
        context.grant_permissions(["local-network-access"])
        assert public.evaluate(BEGIN, echo.url) == "open"


@on_linux
class TestTCPKeepalive:
    """Lesson 07: who probes a connection on which nothing passes, and after how long."""

    def test_of_chromium_after_45_seconds(self, page: Page) -> None:
        server = lab.serve(lab.echo)
        assert page.evaluate(BEGIN, server.url) == "open"
        assert 0 < seconds_to_probe(server.port) <= 45

    @pytest.mark.parametrize(("client", "limit"), [("undici", 60), ("ws", 0)])
    def test_of_node(self, node: Path, client: str, limit: int) -> None:
        server = lab.serve(lab.echo)
        made = "new WebSocket(url)" if client == "undici" else 'new (require("ws"))(url)'
        script = f"const url = process.argv[1]; {made}.onopen = () => console.log('open')"
        program = subprocess.Popen(
            [node, "--experimental-websocket", "-e", script, server.url],
            cwd=HERE.parent / "interop",
            stdout=subprocess.PIPE,
            text=True,
        )
        with program:
            assert program.stdout is not None
            assert program.stdout.readline() == "open\n"
            seconds = seconds_to_probe(server.port)
            program.kill()
        assert seconds <= limit
        assert (seconds > 0) == (limit > 0)


def seconds_to_probe(port: int) -> float:
    """How long until TCP probes the only connection to port; 0 if its keepalive is off."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, _, timer, *_ = line.split()
        if int(remote.split(":")[1], 16) == port and state == "01":  # 01: ESTABLISHED
            kind, ticks = timer.split(":")
            return int(ticks, 16) / os.sysconf("SC_CLK_TCK") if kind == "02" else 0.0
    raise LookupError(f"nobody is connected to {port}")
