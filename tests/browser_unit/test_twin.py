"""The Python twin of a page's WebSocket: states, events, refusals (WHATWG WebSockets §3.1)."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection

from wslab import lab
from wslab.browser import CloseEvent, Event, MessageEvent, ScriptError, WebSocket
from wslab.protocol import Frame, Opcode, Request, answer

OPEN = Event(1, "open")
ERROR = Event(1, "error")


def close(code: int, reason: str = "", clean: bool = True) -> CloseEvent:
    return CloseEvent(1, "close", code, reason, clean)


def message(data: str | bytes) -> MessageEvent:
    return MessageEvent(1, "message", data, len(data))


async def test_four_events_in_order_and_their_callbacks() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        fired: list[Event] = []
        states: list[int] = []

        def note(event: Event) -> None:
            fired.append(event)
            states.append(socket.readyState)

        socket.onopen = socket.onmessage = socket.onerror = socket.onclose = note
        assert socket.readyState == WebSocket.CONNECTING
        await socket.settle("open")
        socket.send("Hello")
        socket.send(b"\x00\xff")
        await socket.settle(3)
        assert socket.bufferedAmount == 0
        socket.close(4000, "done")
        assert socket.readyState == WebSocket.CLOSING
        events = await socket.settle("close")
        assert list(events) == fired
        assert fired == [OPEN, message("Hello"), message(b"\x00\xff"), close(4000, "done")]
        assert states == [1, 1, 1, 3]
        assert repr(socket).endswith("CLOSED>")


async def test_refused_is_an_error_and_a_close_without_details() -> None:
    async with lab.serve(lab.echo) as server:
        url = server.url
    socket = WebSocket(url)
    assert list(await socket.settle("close")) == [ERROR, close(1006, clean=False)]


async def test_a_status_that_is_not_101_looks_like_refused() -> None:
    async with lab.serve(lab.echo, origins=["http://shop.example"]) as server:
        socket = WebSocket(server.url, origin="http://evil.example")
        assert list(await socket.settle("close")) == [ERROR, close(1006, clean=False)]
        same = WebSocket(server.url, origin="http://shop.example")
        await same.settle("open")
        same.close()
        assert (await same.settle("close"))[-1] == close(1005)


async def test_send_before_open_throws_and_after_the_end_is_lost() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        with pytest.raises(ScriptError, match="InvalidStateError"):
            socket.send("too early")
        await socket.settle("open")
        socket.close()
        socket.send("too late")
        socket.send("你")
        await socket.settle("close")
        assert not socket.events.only("message")
        assert socket.bufferedAmount == len("too late") + 3


async def test_what_was_sent_goes_out_before_the_close() -> None:
    heard: list[str | bytes] = []

    async def listen(connection: ServerConnection) -> None:
        heard.extend([data async for data in connection])

    async with lab.serve(listen) as server:
        socket = WebSocket(server.url)
        socket.onopen = lambda _: (socket.send("a"), socket.send("b"), socket.close(1000))
        await socket.settle("close")
        await server.settle(until=2)
        assert heard == ["a", "b"]


async def test_close_while_connecting() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        socket.close()
        socket.close()  # and again: nothing
        assert list(await socket.settle("close")) == [ERROR, close(1006, clean=False)]


@pytest.mark.parametrize("code", [999, 1001, 1005, 1006, 1011, 2999, 5000])
async def test_codes_that_a_page_may_not_use(code: int) -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        await socket.settle("open")
        with pytest.raises(ScriptError, match=f"InvalidAccessError: {code}"):
            socket.close(code)
        with pytest.raises(ScriptError, match="SyntaxError: the reason has 124 bytes"):
            socket.close(1000, "é" * 62)
        socket.close(1000, "é" * 61)
        assert (await socket.settle("close"))[-1] == close(1000, "é" * 61)


@pytest.mark.parametrize(("code", "shown"), [(None, 1005), (1001, 1001), (3000, 3000)])
async def test_closed_by_the_server(code: int | None, shown: int) -> None:
    async def leave(connection: ServerConnection) -> None:
        body = b"" if code is None else code.to_bytes(2) + b"bye"
        connection.transport.write(Frame(Opcode.CLOSE, body).serialize())
        await connection.wait_closed()

    async with lab.serve(leave) as server:
        socket = WebSocket(server.url)
        events = await socket.settle("close")
        assert list(events) == [OPEN, close(shown, "bye" if code else "")]


@pytest.mark.parametrize("data", ["83 00", "81 01 ff", "81 80 00 00 00 00"])
async def test_a_server_that_breaks_a_rule(data: str) -> None:
    async def break_it(connection: ServerConnection) -> None:
        connection.transport.write(bytes.fromhex(data))
        await connection.wait_closed()

    async with lab.serve(break_it) as server:
        socket = WebSocket(server.url)
        events = await socket.settle("close")
        assert list(events) == [OPEN, ERROR, close(1006, clean=False)]


async def test_the_cable_is_cut_or_reset() -> None:
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
        for fault in (cable.cut, cable.reset):
            cable.thaw()
            socket = WebSocket(cable.url)
            await socket.settle("open")
            fault()
            assert list(await socket.settle("close")) == [OPEN, close(1006, clean=False)]


async def test_a_dead_link_takes_the_closing_timeout() -> None:
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
        socket = WebSocket(cable.url, closing_timeout=0.1)
        await socket.settle("open")
        cable.freeze()
        socket.close(1000)
        events = await socket.settle("close")
        assert list(events) == [OPEN, close(1006, clean=False)]


async def test_handshake_subprotocol_origin_cookies() -> None:
    asked: list[dict[str, str]] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(dict(connection.request.headers.raw_items()))

    async with lab.serve(note, subprotocols=["chat"]) as server:
        cookies = {"session": "1", "theme": "dark"}
        socket = WebSocket(server.url, ["v2", "chat"], origin="http://a.example", cookies=cookies)
        await socket.settle("close")
        assert socket.protocol == "chat"
        assert asked[0]["Origin"] == "http://a.example"
        assert asked[0]["Cookie"] == "session=1; theme=dark"


@pytest.mark.parametrize(
    "url", ["ftp://x/", "ws://", "ws://x/#part", "ws://127.0.0.1:99999/", "ws://[::1/"], ids=repr
)
async def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ScriptError, match="SyntaxError"):
        WebSocket(url)


@pytest.mark.parametrize("url", ["/chat", "chat", "//{host}/chat", " ws://{host}/chat "])
async def test_urls_of_the_page(url: str) -> None:
    async with lab.serve(lab.echo) as server:
        host = server.url.removeprefix("ws://").rstrip("/")
        socket = WebSocket(url.format(host=host), origin=f"http://{host}")
        assert socket.url == f"{server.url}chat"
        await socket.settle("open")
        socket.close()
        await socket.settle("close")


async def test_a_name_in_the_url_is_not_sent() -> None:
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
        socket = WebSocket(cable.url.replace("ws://", "ws://ana:secret@"))
        await socket.settle("open")
        socket.close()
        await socket.settle("close")
        assert b"Authorization" not in cable.transcript[0].wire


@pytest.mark.parametrize("protocols", ["a b", ["a", "a"], ["é"], [""]], ids=repr)
async def test_subprotocols_that_are_none(protocols: str | list[str]) -> None:
    with pytest.raises(ScriptError, match="SyntaxError: subprotocol"):
        WebSocket("ws://127.0.0.1:9/", protocols)


async def test_http_urls_mean_ws() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url.replace("ws://", "http://").rstrip("/"))
        assert socket.url == server.url
        await socket.settle("open")
        socket.close()
        await socket.settle("close")


async def test_a_callback_that_raises_is_reported_and_harms_nothing() -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        socket.onopen = lambda event: event.data
        await socket.settle("open")
        socket.send("Hello")
        await socket.settle("message")
        socket.close()
        await socket.settle("close")
    assert [context["message"] for context in reported] == ["exception in onopen"]


async def test_length_is_counted_as_javascript_does() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        await socket.settle("open")
        socket.send("你好😀")
        assert (await socket.settle("message"))[-1] == MessageEvent(1, "message", "你好😀", 4)
        socket.close()
        await socket.settle("close")


async def test_half_a_surrogate_pair_is_replaced() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        await socket.settle("open")
        socket.send("a\ud800b")
        assert (await socket.settle("message"))[-1] == message("a\ufffdb")
        socket.close(1000, "\ud800")
        assert (await socket.settle("close"))[-1] == close(1000, "\ufffd")


@pytest.mark.parametrize("data", [5, None, ["a", "b"]], ids=repr)
async def test_what_is_no_message(data: object) -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        await socket.settle("open")
        with pytest.raises(TypeError, match="not text or bytes"):
            socket.send(data)  # type: ignore[arg-type]
        with pytest.raises(ScriptError, match="InvalidAccessError: a reason needs a code"):
            socket.close(None, "bye")
        socket.close()
        await socket.settle("close")


async def test_bytes_are_sent_as_they_were() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url)
        await socket.settle("open")
        data = bytearray(b"ab")
        socket.send(data)
        data[0] = 0
        assert (await socket.settle("message"))[-1] == message(b"ab")
        socket.close()
        await socket.settle("close")


async def test_no_subprotocol_in_common() -> None:
    async with lab.serve(lab.echo) as server:
        socket = WebSocket(server.url, ["chat"])
        assert list(await socket.settle("close")) == [ERROR, close(1006, clean=False)]


async def test_redirects_are_not_followed() -> None:
    def redirect(connection: ServerConnection, request: object) -> object:
        response = connection.respond(302, "")
        response.headers["Location"] = target.url
        return response

    async with (
        lab.serve(lab.echo, name="target") as target,
        lab.serve(lab.echo, name="moved", process_request=redirect) as moved,
    ):
        socket = WebSocket(moved.url)
        assert list(await socket.settle("close")) == [ERROR, close(1006, clean=False)]


async def test_five_thousand_fragments_are_one_message() -> None:
    async def fragments(connection: ServerConnection) -> None:
        await connection.send("x" for _ in range(5_000))

    async with lab.serve(fragments) as server:
        socket = WebSocket(server.url)
        events = await socket.settle("close")
        assert events[1] == message("x" * 5_000)


async def test_a_peer_that_says_goodbye_and_stays() -> None:
    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, _ = Request.parse(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(request).serialize() + Frame(Opcode.CLOSE, b"\x03\xe8").serialize())
        await reader.read()

    async with lab.serve_tcp(stay) as server:
        url = server.url.replace("tcp", "ws")
        socket = WebSocket(url)
        await socket.settle(lambda: socket.readyState == WebSocket.CLOSING)
        assert list(await socket.settle("close")) == [OPEN, close(1000)]
