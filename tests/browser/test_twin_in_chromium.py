"""The Python twin of a page's WebSocket is held to what Chromium reports, scenario by scenario."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page
from websockets.asyncio.server import ServerConnection

from wslab import lab
from wslab.browser import ScriptError, WebSocket
from wslab.browser.events import PageEvents, event_of
from wslab.protocol import Frame, Opcode

pytestmark = pytest.mark.slow

PATIENCE = 60  # seconds

# Runs a script on a socket `s` and returns what happened to it, as the widget would report it.
IN_THE_PAGE = """([url, protocols, script]) => new Promise(resolve => {
    const reports = [];
    const note = (type, more = {}) => reports.push({ connection: 1, type, ...more });
    const call = (action) => {
        try { action(); } catch (error) { note("exception", { name: error.name, message: "" }); }
    };
    const s = new WebSocket(url, protocols);
    s.onopen = () => note("open");
    s.onerror = () => note("error");
    s.onmessage = ({ data }) => note("message", { data, size: data.length });
    s.onclose = ({ code, reason, wasClean }) => {
        note("close", { code, reason, wasClean });
        setTimeout(() => resolve(reports), 200); // nothing may follow
    };
    new Function("s", "call", script)(s, call);
})"""


class Scenario(NamedTuple):
    """What a script does, in JavaScript and with the twin, and what its server does."""

    script: str
    twin: Callable[[WebSocket, Callable[[Callable[[], object]], None]], object]
    handler: Callable[[ServerConnection], Any] = lab.echo
    options: Mapping[str, Any] = MappingProxyType({})
    protocols: tuple[str, ...] = ()


def nothing(_socket: WebSocket, _call: object) -> None:
    pass


def writes(data: str) -> Callable[[ServerConnection], Any]:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.write(bytes.fromhex(data))
        await connection.wait_closed()

    return handler


def closes(code: int | None, reason: str = "") -> Callable[[ServerConnection], Any]:
    async def handler(connection: Any) -> None:
        await connection.close(code, reason)  # None: a Close frame without a code

    return handler


async def vanish(connection: ServerConnection) -> None:
    connection.transport.abort()


async def half_way(connection: ServerConnection) -> None:
    """Close in the middle of a message, without a Close frame."""
    connection.transport.write(Frame(Opcode.TEXT, b"Hello").serialize()[:4])
    connection.transport.close()


def talk(socket: WebSocket, call: Callable[[Callable[[], object]], None]) -> None:
    socket.onopen = lambda _: socket.send("Hello 你好")
    socket.onmessage = lambda _: socket.close(4000, "done")


def send_early(socket: WebSocket, call: Callable[[Callable[[], object]], None]) -> None:
    call(lambda: socket.send("x"))
    socket.onopen = lambda _: socket.close()


def wrong_closes(socket: WebSocket, call: Callable[[Callable[[], object]], None]) -> None:
    def tries(_event: object) -> None:
        call(lambda: socket.close(1001))
        call(lambda: socket.close(1000, "x" * 124))
        call(lambda: socket.close(3000, "ok"))

    socket.onopen = tries


def redirect(connection: ServerConnection, _request: object) -> Any:
    response = connection.respond(302, "")
    response.headers["Location"] = "/elsewhere"
    return response


async def in_pieces(connection: ServerConnection) -> None:
    await connection.send("x" for _ in range(5_000))


def half_a_pair(socket: WebSocket, call: Callable[[Callable[[], object]], None]) -> None:
    socket.onopen = lambda _: socket.send("a\ud800b")
    socket.onmessage = lambda _: socket.close(1000, "\ud800")


ADD = "s.addEventListener"
SCENARIOS = {
    "a word and a goodbye": Scenario(
        f"{ADD}('open', () => s.send('Hello 你好')); {ADD}('message', () => s.close(4000, 'done'))",
        talk,
    ),
    "sent too early": Scenario(
        f"call(() => s.send('x')); {ADD}('open', () => s.close())", send_early
    ),
    "closed too early": Scenario("s.close()", lambda socket, _: socket.close()),
    "codes and reasons that a page may not use": Scenario(
        f"{ADD}('open', () => {{ call(() => s.close(1001)); "
        "call(() => s.close(1000, 'x'.repeat(124))); call(() => s.close(3000, 'ok')); })",
        wrong_closes,
    ),
    "another origin": Scenario("", nothing, options={"origins": ["http://shop.example"]}),
    "no subprotocol in common": Scenario("", nothing, protocols=("chat",)),
    "moved": Scenario("", nothing, options={"process_request": redirect}),
    "half a surrogate pair": Scenario(
        f"{ADD}('open', () => s.send('a\\ud800b')); "
        f"{ADD}('message', () => s.close(1000, '\\ud800'))",
        half_a_pair,
    ),
    "five thousand fragments": Scenario("", nothing, in_pieces),
    "closed with 1001": Scenario("", nothing, closes(1001, "bye")),
    "closed without a code": Scenario("", nothing, closes(None)),
    "an opcode that does not exist": Scenario("", nothing, writes("83 00")),
    "a masked frame": Scenario("", nothing, writes("81 80 00 00 00 00")),
    "text that is not UTF-8": Scenario("", nothing, writes("81 01 ff")),
    "reset": Scenario("", nothing, vanish),
    "ended within a frame": Scenario("", nothing, half_way),
}


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """A thread without a loop: Playwright's counts as running in this one."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def in_python(url: str, scenario: Scenario) -> PageEvents:
    socket = WebSocket(url, scenario.protocols)

    def call(action: Callable[[], object]) -> None:
        try:
            action()
        except ScriptError as error:
            report = {"connection": 1, "type": "exception", "name": error.name, "message": ""}
            socket.events.append(event_of(report))

    scenario.twin(socket, call)
    await socket.settle("close", within=PATIENCE, quiet=0.2)
    return socket.events


@pytest.mark.parametrize("name", SCENARIOS)
def test_twin_and_browser_agree(page: Page, aside: ThreadPoolExecutor, name: str) -> None:
    scenario = SCENARIOS[name]
    server = lab.serve(scenario.handler, name="twins", **scenario.options)
    try:
        theirs = page.evaluate(IN_THE_PAGE, [server.url, list(scenario.protocols), scenario.script])
        ours = aside.submit(asyncio.run, in_python(server.url, scenario)).result(PATIENCE)
        assert ours == PageEvents(event_of(report) for report in theirs)
    finally:
        server.stop_now()


def test_refused(page: Page, aside: ThreadPoolExecutor) -> None:
    server = lab.serve(lab.echo, name="twins")
    url = server.url
    server.stop_now()
    theirs = page.evaluate(IN_THE_PAGE, [url, [], ""])
    ours = aside.submit(asyncio.run, in_python(url, Scenario("", nothing))).result(PATIENCE)
    assert ours == PageEvents(event_of(report) for report in theirs)
    assert [event.type for event in ours] == ["error", "close"]
