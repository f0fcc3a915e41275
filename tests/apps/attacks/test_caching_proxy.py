"""The naive proxy of lesson 03: it caches, it can be fooled, and it knows only its hosts."""

from __future__ import annotations

import asyncio

import pytest

from wslab import lab
from wslab.apps.attacks.caching_proxy import CachingProxy, find_request

REQUEST = b"GET /a.js HTTP/1.1\r\nHost: shop.example\r\n\r\n"


async def shop(reader, writer):
    count = 0
    while await reader.read(1000):
        count += 1
        body = f"answer {count}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def missing(reader, writer):
    await reader.read(1000)
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
async def proxy():
    async with (
        lab.serve_tcp(shop) as shop_server,
        lab.serve_tcp(missing) as missing_server,
    ):
        hosts = {"shop.example": shop_server.port, "missing.example": missing_server.port}
        handler = CachingProxy(hosts)
        async with lab.serve_tcp(handler, name="proxy") as server:
            yield handler, server


async def ask(server, *requests):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answers = []
    async with asyncio.timeout(45):
        for request in requests:
            writer.write(request)
            answers.append(await reader.read(1000))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_what_was_asked_before_comes_from_the_cache(proxy):
    handler, server = proxy
    first, second = await ask(server, REQUEST, REQUEST)
    (third,) = await ask(server, REQUEST)
    assert first == second == third
    assert first.endswith(b"answer 1")
    assert handler.cache[("shop.example", "/a.js")].body == b"answer 1"


async def test_the_story_tells_who_was_asked_and_what_was_kept(proxy):
    handler, server = proxy
    await ask(server, REQUEST, b"\x81\x05Hello", REQUEST)
    asked, noise = "GET shop.example/a.js · 42 B", "no request · 7 B"
    assert handler.story == [
        ("browser", "proxy", asked),
        ("proxy", "shop.example", asked),
        ("shop.example", "proxy", "answer 1 · 46 B"),
        ("proxy", "proxy", "keeps this as shop.example/a.js"),
        ("proxy", "browser", "answer 1 · 46 B"),
        ("browser", "proxy", noise),
        ("proxy", "shop.example", noise),
        ("shop.example", "proxy", "answer 2 · 46 B"),
        ("proxy", "browser", "answer 2 · 46 B"),
        ("browser", "proxy", asked),
        ("proxy", "browser", "answer 1 · 46 B"),
    ]


async def test_the_story_names_a_status_where_there_is_no_body(proxy):
    handler, server = proxy
    await ask(server, REQUEST.replace(b"shop", b"missing"))
    assert handler.story[-1] == ("proxy", "browser", "404 Not Found · 45 B")


async def test_what_looks_like_no_request_is_passed_on_and_not_kept(proxy):
    handler, server = proxy
    _, answer = await ask(server, REQUEST, b"\x81\x05Hello")
    assert answer.endswith(b"answer 2")
    assert len(handler.cache) == 1


async def test_only_success_is_kept(proxy):
    handler, server = proxy
    (answer,) = await ask(server, REQUEST.replace(b"shop", b"missing"))
    assert answer.startswith(b"HTTP/1.1 404")
    assert handler.cache == {}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (REQUEST, ("shop.example", "/a.js")),
        (b"\x81\x2b" + REQUEST, ("shop.example", "/a.js")),
        (b"GET /a.js HTTP/1.1\r\nAccept: *\r\nHost: shop.example\r\n\r\n", None),
        (b"", None),
    ],
)
def test_find_request(data, found):
    assert find_request(data) == found
