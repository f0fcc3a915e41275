"""An HTTP server of the lab: the same surface, with an application of aiohttp."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import types

import aiohttp
import pytest
from aiohttp import web

from wslab import lab
from wslab.lab.registry import LOOPBACK, registry
from wslab.lab.servers import http
from wslab.lab.servers.http import serve_app

SOON = 45  # seconds; generous, for a busy machine, and below a handler's minute


async def hello(request):
    print("from", request.query.get("name"))
    return web.Response(text="Hello")


def application(**handlers):
    app = web.Application()
    for name, handler in {"hello": hello, **handlers}.items():
        app.router.add_get(f"/{name}", handler)
    return app


async def ask(url, path="hello"):
    """Return status and text of an answer."""
    async with (
        asyncio.timeout(SOON),
        aiohttp.ClientSession() as session,
        session.get(url + path) as response,
    ):
        return response.status, await response.text()


async def raw(server, data):
    """Send bytes; return all that comes back until the server closes."""
    async with asyncio.timeout(SOON):
        reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
        writer.write(data)
        try:
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


async def test_serves_and_records():
    async with serve_app(application()) as server:
        assert server.url == f"http://{LOOPBACK}:{server.port}/"
        assert repr(server) == f"<Server 'web' {server.url}>"
        assert await ask(server.url, "hello?name=Ann") == (200, "Hello")
        assert (await ask(server.url, "nothing"))[0] == 404
        assert (await server.settle(3)).rows() == [
            ("1", "print", "from Ann"),
            ("1", "request", "GET /hello 200"),
            ("2", "request", "GET /nothing 404"),
        ]
    assert server.errors == []
    assert server.connections == {}
    assert repr(server) == "<Server 'web' stopped>"


@pytest.mark.parametrize("head", [b"", b"GET /hello HT", b"GET /hello HTTP/1.1\r\nHost: x\r\n"])
async def test_a_request_that_does_not_end_is_not_waited_for(monkeypatch, head):
    monkeypatch.setattr(http, "IDLE", 0.1)
    async with serve_app(application()) as server:
        assert await raw(server, head) == b""
        whole = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await raw(server, whole + head)).startswith(b"HTTP/1.1 200 ")


async def test_requests_of_one_connection_have_its_number():
    server = serve_app(application())
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(f"{server.url}hello") as response:
                await response.read()
    assert [event.connection for event in (await server.settle(6)).only("request")] == [1, 1, 1]


async def test_answers_while_the_callers_loop_is_busy():
    server = serve_app(application())
    answers = []

    def get():
        answers.append(asyncio.run(ask(server.url)))

    thread = threading.Thread(target=get)
    thread.start()
    thread.join(SOON)  # this loop stands still meanwhile
    assert answers == [(200, "Hello")]


async def test_the_same_name_takes_the_place_and_the_port():
    first = serve_app(application(), name="demo")
    port = first.port
    second = serve_app(application(), name="demo")
    assert (first.is_running, second.replaced, second.port) == (False, True, port)
    assert await ask(second.url) == (200, "Hello")
    assert registry() == {"demo": second}
    third = lab.serve(lab.echo, name="demo")  # a WebSocket server is a server as well
    assert third.replaced


async def test_an_application_can_be_served_again():
    """The cell that serves it runs twice, the one that makes it once."""
    app = application()
    for _ in range(3):
        server = serve_app(app)
        assert await ask(server.url) == (200, "Hello")
        assert len((await server.settle(2)).only("request")) == 1
    await server.stop()
    other = serve_app(app, name="other")
    assert await ask(other.url) == (200, "Hello")
    with pytest.raises(ValueError, match="this application is served by 'other' already: stop"):
        serve_app(app, name="third")


async def test_an_error_is_kept_and_answered_with_500(capfd):
    async def divide(request):
        return web.Response(text=str(1 / 0))

    server = serve_app(application(divide=divide))
    assert (await ask(server.url, "divide"))[0] == 500
    assert (await server.settle(2)).rows() == [
        ("1", "error", "ZeroDivisionError: division by zero"),
        ("1", "request", "GET /divide 500"),
    ]
    (error,) = server.errors
    assert repr(error).endswith("ZeroDivisionError: division by zero")
    assert "in divide" in repr(error)
    assert "aiohttp" not in repr(error)
    assert await ask(server.url) == (200, "Hello")  # it goes on
    assert capfd.readouterr() == ("", "")
    assert not logging.getLogger("wslab.web").propagate


async def test_a_handler_must_answer():
    async def forgetful(request):
        pass

    server = serve_app(application(forgetful=forgetful))
    assert (await ask(server.url, "forgetful"))[0] == 500
    assert str(server.errors[0].exception) == (
        "a handler returns a web.Response, but this one returned None"
    )


async def test_an_error_in_the_middle_of_an_answer_ends_the_connection():
    async def breaks(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise ValueError("no more")

    server = serve_app(application(breaks=breaks))
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(server.url, "breaks")
    assert str(server.errors[0].exception) == "no more"


async def test_an_answer_may_be_raised():
    async def elsewhere(request):
        raise web.HTTPFound("/hello")

    server = serve_app(application(elsewhere=elsewhere))
    assert await ask(server.url, "elsewhere") == (200, "Hello")
    assert [event.text for event in (await server.settle(3)).only("request")] == [
        "GET /elsewhere 302",
        "GET /hello 200",
    ]
    assert server.errors == []


async def test_a_handler_ends_when_its_client_leaves():
    async def waits(request):
        print("waiting")
        await asyncio.sleep(60)

    server = serve_app(application(waits=waits))
    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(session.get(f"{server.url}waits").__aenter__())
        await server.settle(1)
        assert len(server.connections) == 1
        task.cancel()
        await asyncio.wait([task])
    assert (await server.settle(2)).rows()[1] == ("1", "request", "GET /waits cut short")
    assert (server.errors, server.connections) == ([], {})


async def test_a_client_that_leaves_while_it_is_written_to_is_no_error():
    async def floods(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            try:
                await response.write(bytes(100_000))
            except asyncio.CancelledError:
                print("goes on")  # until it notices that nobody is there

    server = serve_app(application(floods=floods))
    _, writer = await asyncio.open_connection(LOOPBACK, server.port)
    writer.write(b"GET /floods HTTP/1.1\r\nHost: x\r\n\r\n")
    await server.settle(lambda: server.connections)
    writer.transport.abort()
    await server.settle(lambda: server.events.only("request"))
    assert server.events.rows() == [
        ("1", "print", "goes on"),
        ("1", "request", "GET /floods cut short"),
    ]
    assert server.errors == []


async def test_another_connection_that_breaks_is_an_error():
    async def relays(request):
        raise ConnectionResetError("of somebody else")

    server = serve_app(application(relays=relays))
    assert (await ask(server.url, "relays"))[0] == 500
    assert str(server.errors[0].exception) == "of somebody else"


async def test_a_handler_that_sees_its_client_leave():
    async def notices(request):
        request.transport.abort()
        raise ConnectionResetError

    server = serve_app(application(notices=notices))
    assert await raw(server, b"GET /notices HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    assert (await server.settle(1)).rows() == [("1", "request", "GET /notices cut short")]
    assert server.errors == []


async def test_a_client_that_has_left_already():
    server = serve_app(application())
    gone = types.SimpleNamespace(protocol=None, transport=None)
    with pytest.raises(ConnectionResetError, match="the client left before"):
        await server.answer(gone, hello)
    assert server.events == []


async def test_an_application_keeps_its_own_middlewares():
    @web.middleware
    async def closed(request, handler):
        raise web.HTTPServiceUnavailable(text="closed")

    app = application()
    app.middlewares.append(closed)
    for _ in range(2):
        server = serve_app(app)
        assert await ask(server.url) == (503, "closed")
        assert (await server.settle(1)).rows() == [("1", "request", "GET /hello 503")]
    frozen = application()
    frozen.middlewares.append(closed)
    frozen.freeze()
    with pytest.raises(RuntimeError, match="frozen"):
        serve_app(frozen)
    assert list(registry()) == ["web"]


async def test_stop_ends_a_handler_that_waits():
    async def waits(request):
        print("waiting")
        await asyncio.sleep(60)

    server = serve_app(application(waits=waits))
    task = asyncio.create_task(raw(server, b"GET /waits HTTP/1.1\r\nHost: x\r\n\r\n"))
    await server.settle(1)
    async with asyncio.timeout(30):  # half of what a handler sleeps
        await server.stop()
    assert await task == b""


async def test_stop_ends_a_handler_that_swallows_a_cancellation():
    async def stubborn(request):
        for _ in range(3):
            try:
                print("waiting")
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
        return web.Response()

    server = serve_app(application(stubborn=stubborn))
    task = asyncio.create_task(raw(server, b"GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n"))
    await server.settle(1)
    await server.stop(grace=0.05)
    assert not server.is_running
    await task


async def test_stop_gives_a_blocked_loop_up():
    gate = threading.Event()

    async def blocks(request):
        gate.wait(60)
        return web.Response()

    server = serve_app(application(blocks=blocks))
    task = asyncio.create_task(raw(server, b"GET /blocks HTTP/1.1\r\nHost: x\r\n\r\n"))
    try:
        with pytest.raises(lab.LoopStalled, match=r"gate\.wait"):
            await server.settle(1, within=0.1)
        await server.stop(grace=0.01)
        assert server.events[-1].kind == "stalled"
    finally:
        gate.set()
    await task
    assert await ask(serve_app(application()).url) == (200, "Hello")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(data, capfd):
    server = serve_app(application())
    assert (await raw(server, data)).startswith(b"HTTP/1.")
    assert await ask(server.url) == (200, "Hello")
    assert server.errors == []
    assert capfd.readouterr() == ("", "")


async def test_a_hostile_path_is_shown_escaped_and_short():
    server = serve_app(application())
    path = b"/%1b%5b31m" + b"a" * 200
    request = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path
    assert b" 404 " in await raw(server, request)
    (event,) = await server.settle(1)
    assert event.text == "GET /\x1b[31m" + "a" * 54 + " 404"
    assert "\x1b" not in repr(server.events)


@pytest.mark.parametrize("app", [None, "app", web.Application, hello])
def test_nothing_else_is_an_application(app):
    with pytest.raises(
        TypeError, match=r"an application is an aiohttp\.web\.Application, but this is"
    ):
        serve_app(app)


def test_a_busy_port_says_whose():
    server = serve_app(application())
    with pytest.raises(OSError, match=f"port {server.port} is in use by the lab's server 'web'"):
        serve_app(application(), name="other", port=server.port)


def test_an_application_that_does_not_start():
    async def fails(app):
        raise ValueError("no data base")

    app = application()
    app.on_startup.append(fails)
    with pytest.raises(ValueError, match="no data base"):
        serve_app(app)
    assert registry() == {}


async def test_startup_and_cleanup_run():
    seen = []

    async def note(app, word):
        seen.append(word)

    app = application()
    app.on_startup.append(lambda app: note(app, "startup"))
    app.on_cleanup.append(lambda app: note(app, "cleanup"))
    async with serve_app(app):
        assert seen == ["startup"]
    assert seen == ["startup", "cleanup"]


def test_aiohttp_is_imported_when_first_used():
    code = "import sys, wslab, wslab.lab.servers.http; print('aiohttp' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
