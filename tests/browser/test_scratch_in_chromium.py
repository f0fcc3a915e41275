"""A page in Chromium, with the browser's own WebSocket, talks to the server from scratch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from wslab.protocol.deflate import Deflate
from wslab.protocol.messages import Limits
from wslab.scratch.endpoint import Endpoint
from wslab.scratch.server import ScratchServer, serve_from_scratch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 45  # seconds

# Opens a connection; sends a text and a binary message of each size, and checks what comes back;
# sends the other messages and gathers what comes back; closes, or, without a code to close with,
# waits for the server to do it.
TALK = """
async ({url, sizes, messages, subprotocols, code, reason}) => {
    const ws = new WebSocket(url, subprotocols);
    ws.binaryType = 'arraybuffer';
    const next = (name) => new Promise((resolve, reject) => {
        ws.addEventListener(name, resolve, {once: true});
        if (name !== 'close') ws.addEventListener('close', reject, {once: true});
    });
    const ask = async (message) => {
        const answer = next('message');
        ws.send(message);
        return (await answer).data;
    };
    const closed = next('close');
    await next('open');
    const wrong = [];
    for (const size of sizes) {
        const text = '\u63e1'.repeat(size / 3) + 'a'.repeat(size % 3);
        const bytes = Uint8Array.from({length: size}, (_, i) => i * i);
        if (await ask(text) !== text) wrong.push(`text of ${size}`);
        const got = new Uint8Array(await ask(bytes));
        if (got.length !== size || got.some((byte, i) => byte !== bytes[i])) {
            wrong.push(`binary of ${size}`);
        }
    }
    const answers = [];
    for (const message of messages) answers.push(await ask(message));
    if (code) ws.close(code, reason);
    const {code: got, reason: why, wasClean} = await closed;
    const {extensions, protocol} = ws;
    return {wrong, answers, extensions, protocol, code: got, reason: why, wasClean};
}
"""


async def echo(ws: Endpoint) -> None:
    """Send every message back; "close" makes the server close."""
    async for message in ws:
        await ws.send(message)
        if message == "close":
            await ws.close(4002, "enough")


@pytest.fixture
def serve() -> Iterator[Callable[..., ScratchServer]]:
    servers: list[ScratchServer] = []

    def start(**options: Any) -> ScratchServer:
        servers.append(serve_from_scratch(echo, name="chromium", **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop_now()


def talk(page: Page, server: ScratchServer, messages: list[object], **options: Any) -> Any:
    defaults = {"sizes": [], "subprotocols": [], "code": 4001, "reason": "那就再见"}
    return page.evaluate(TALK, {"url": server.url, "messages": messages, **defaults, **options})


def last_event(server: ScratchServer, kind: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while not (found := server.events.only(kind)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found[-1].text


@pytest.mark.parametrize("deflate", [None, Deflate(), Deflate(True, True, 9, 9)], ids=str)
def test_text_and_binary_come_back_and_the_close_code_arrives(page, serve, deflate):
    server = serve(deflate=deflate, limits=Limits(message=1 << 22))
    sizes = [0, 1, 125, 126, 65535, 65536, 3_000_000]
    said = talk(page, server, ["握手\0🎆"], sizes=sizes)
    assert (said["wrong"], said["answers"]) == ([], ["握手\0🎆"])
    assert said["extensions"].startswith("permessage-deflate") == bool(deflate)
    assert (said["code"], said["reason"], said["wasClean"]) == (4001, "那就再见", True)
    assert last_event(server, "close") == '4001 "那就再见"'


def test_the_server_closes(page, serve):
    said = talk(page, serve(), ["close"], code=None)
    assert (said["code"], said["reason"], said["wasClean"]) == (4002, "enough", True)


def test_a_message_that_is_too_big(page, serve):
    server = serve(limits=Limits(message=1000), deflate=Deflate())
    said = page.evaluate(
        """(url) => new Promise((resolve) => {
            const ws = new WebSocket(url);
            ws.onopen = () => ws.send('x'.repeat(2000000));
            ws.onclose = ({code, reason}) => resolve([code, reason]);
        })""",
        server.url,
    )
    assert said[0] == 1009
    assert "(RFC 6455 §10.4)" in said[1]
    assert last_event(server, "violation").startswith("1009 MESSAGE_TOO_BIG: ")


def test_a_subprotocol(page, serve):
    server = serve(subprotocols=["chat"])
    assert talk(page, server, [], subprotocols=["sums", "chat"])["protocol"] == "chat"


def test_an_origin_that_is_not_accepted(page, serve):
    server = serve(origins=["https://example.com"])
    code = page.evaluate(
        "(url) => new Promise((r) => { new WebSocket(url).onclose = ({code}) => r(code); })",
        server.url,
    )
    assert code == 1006
    assert last_event(server, "refused") == "403 Forbidden"


def test_a_page_that_goes_away(page, serve):
    server = serve()
    page.evaluate(
        "(url) => new Promise((resolve) => { (window.ws = new WebSocket(url)).onopen = resolve; })",
        server.url,
    )
    page.close()
    assert last_event(server, "close").split()[0] in ("1001", "1006")
