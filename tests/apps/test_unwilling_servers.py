"""Servers that do not open a WebSocket: each of our clients ends, or says why it tries again."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import serve

from wslab.apps.chat.client import ChatClient
from wslab.apps.coediting import Writer
from wslab.apps.media import Guest
from wslab.apps.scores import Screen, follow
from wslab.apps.transports.listeners import websocket
from wslab.browser.twin import WebSocket
from wslab.kit.attempt import library_connect
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import ClientState
from wslab.net import simulate
from wslab.net.clock import time_limit
from wslab.scratch import connect_from_scratch

URL = "ws://server:9000/"
DIRECT = partial(library_connect, proxy=None)
PATIENCE = 3600.0  # virtual seconds; nothing here may take so long


class Unwilling:
    """A server that answers every request with the same bytes; None: it never answers."""

    def __init__(self, answer: bytes | None, *, is_asked: bool = True) -> None:
        self.answer, self.is_asked = answer, is_asked
        self.requests = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        try:
            if self.is_asked:
                await reader.readuntil(b"\r\n\r\n")
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def refusal(status: int) -> Unwilling:
    """Return a server that refuses the handshake."""
    fields = "Content-Length: 0\r\nConnection: close"
    return Unwilling(f"HTTP/1.1 {status} Because\r\n{fields}\r\n\r\n".encode())


SERVERS: dict[str, Callable[[], Unwilling]] = {
    **{str(status): partial(refusal, status) for status in (200, 401, 403, 404, 429, 500, 503)},
    "closes at once": lambda: Unwilling(b"", is_asked=False),
    "closes when asked": lambda: Unwilling(b""),
    "speaks no HTTP": lambda: Unwilling(b"220 mail.example ESMTP\r\n", is_asked=False),
    "a bare 101": lambda: Unwilling(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "never answers": lambda: Unwilling(None),
}
PASSING = ("429", "500", "503", "closes at once", "closes when asked", "never answers")
HUNG_UP = (
    r"hung up|did not receive a valid HTTP response|during the opening handshake|[Bb]roken pipe"
)
WORDS = {
    "closes at once": HUNG_UP,
    "closes when asked": HUNG_UP,
    "speaks no HTTP": r"not HTTP|did not receive a valid HTTP response|220 mail",
    "a bare 101": r"101|missing Connection header|Upgrade is None",
    "never answers": r"no answer|timed out|no connection within|not within",
}


async def library(url: str) -> None:
    await DIRECT(url, open_timeout=10)


async def scratch(url: str) -> None:
    await connect_from_scratch(url)


async def chatting(url: str) -> None:
    async with ChatClient(url, "Ann"):
        pass


async def news(url: str) -> None:
    async for _ in websocket(url):
        pass


async def visiting(url: str) -> None:
    async with Guest(f"{url}media", "Ann"):
        pass


async def writing(url: str) -> None:
    async with Writer(f"{url}room", connect=DIRECT, rng=Random(1)) as writer:
        writer.insert(0, "Hello")
        await writer.saved()


async def reconnecting(url: str, connect: Any = DIRECT) -> None:
    client = ReconnectingClient(url, connect=connect, rng=Random(1))
    async with client, time_limit(60, lambda: client.status):
        await client.until(ClientState.ONLINE)


async def following(url: str) -> None:
    client = ReconnectingClient(url, connect=DIRECT, rng=Random(1))
    async with client, time_limit(60, lambda: client.status):
        await follow(client, Screen())


CLIENTS: dict[str, Callable[[str], Awaitable[None]]] = {
    "the library's connect": library,
    "from scratch": scratch,
    "ReconnectingClient": reconnecting,
    "ReconnectingClient, from scratch": partial(reconnecting, connect=connect_from_scratch),
    "ChatClient": chatting,
    "the news": news,
    "Guest": visiting,
    "Writer": writing,
    "follow": following,
}


def meet(client: Callable[[str], Awaitable[Any]], server: Unwilling) -> Any:
    """Let a client try in virtual time, and return what it raises or returns."""

    async def main() -> Any:
        async with await asyncio.start_server(server, "server", 9000), asyncio.timeout(PATIENCE):
            try:
                return await client(URL)
            except Exception as error:
                return error

    run = simulate(main)
    assert run.errors == ()
    assert run.seconds < PATIENCE
    return run.result()


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_says_what_was_wrong(client: str, name: str) -> None:
    error = meet(CLIENTS[client], SERVERS[name]())
    assert isinstance(error, Exception)
    assert re.search(WORDS.get(name, rf"\b{name}\b"), str(error)), error


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("client", ["ReconnectingClient", "Guest", "Writer", "follow"])
def test_it_tries_again_where_that_may_help(client: str, name: str) -> None:
    server = SERVERS[name]()
    error = meet(CLIENTS[client], server)
    assert (server.requests > 1) is (name in PASSING)
    assert isinstance(error, TimeoutError) is (name in PASSING)


@pytest.mark.parametrize("name", SERVERS)
def test_a_page_gets_its_close_event(name: str) -> None:
    async def page(url: str) -> str:
        closed = asyncio.get_running_loop().create_future()
        WebSocket(url).onclose = closed.set_result
        return repr(await closed)

    assert "code=1006" in meet(page, SERVERS[name]())


async def dies(self: Any, ws: Any) -> None:
    raise LookupError("a bug")


@pytest.mark.parametrize("kind", [Guest, Writer])
def test_nobody_waits_for_a_client_that_has_died_of_a_bug(monkeypatch: Any, kind: Any) -> None:
    async def main() -> Any:
        async with serve(lambda ws: ws.wait_closed(), "server", 9000):
            client = kind(URL, name="Ann") if kind is Guest else kind(URL, connect=DIRECT)
            running = asyncio.create_task(client.run())
            with pytest.raises(ConnectionRefusedError, match="LookupError: a bug"):
                await client.until(lambda: False)
            with pytest.raises(LookupError):
                await running

    monkeypatch.setattr(kind, "talk", dies)
    simulate(main).result()


def test_a_file_that_was_offered_hears_of_it() -> None:
    async def offering(url: str) -> None:
        guest = Guest(f"{url}media", "Ann")
        running = asyncio.create_task(guest.run())
        sending = await guest.offer(io.BytesIO(bytes(10)), "sound.wav", "audio/wav")
        await running
        await sending.done

    assert "403" in str(meet(offering, refusal(403)))


def test_a_room_that_never_says_welcome() -> None:
    async def main() -> Any:
        async with serve(lambda ws: ws.wait_closed(), "server", 9000):
            with pytest.raises(TimeoutError, match="no answer in time"):
                async with Guest(f"{URL}media", "Ann"):
                    pass

    simulate(main).result()
