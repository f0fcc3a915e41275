"""Cross-site hijacking: what the shop's server tells, and to whom."""

from __future__ import annotations

import aiohttp
import pytest

from wslab import lab
from wslab.apps.attacks.hijack import ACCOUNTS, COOKIE, account, evil_page, shop_page
from wslab.browser import WebSocket
from wslab.lab.servers.http import serve_app

COOKIES = {COOKIE: next(iter(ACCOUNTS))}
KNOWN = next(iter(ACCOUNTS.values()))


async def test_the_cookie_is_all_that_it_asks_for() -> None:
    async with lab.serve(account) as server:
        for origin in ("http://shop.example", "http://evil.example"):
            socket = WebSocket(server.url, origin=origin, cookies=COOKIES)
            assert (await socket.settle("message"))[-1].text == f'"{KNOWN}"'
            socket.close()
            await socket.settle("close")


@pytest.mark.parametrize("cookies", [{}, {COOKIE: "guess"}, {COOKIE: ""}, {"x": '"=;'}])
async def test_without_a_session_3000(cookies: dict[str, str]) -> None:
    async with lab.serve(account) as server:
        socket = WebSocket(server.url, cookies=cookies)
        assert [event.type for event in await socket.settle("close")] == ["open", "close"]
        assert socket.events[-1].text == 'code 3000, reason "no session", wasClean true'


async def test_other_cookies_of_this_machine_do_no_harm() -> None:
    async with lab.serve(account) as server:
        socket = WebSocket(server.url, cookies={"prefs": '{"a":1}', "a": "b c", **COOKIES})
        await socket.settle("message")
        socket.close()
        await socket.settle("close")


async def test_an_allow_list_of_origins_stops_it() -> None:
    async with lab.serve(account, origins=["http://shop.example"]) as server:
        evil = WebSocket(server.url, origin="http://evil.example", cookies=COOKIES)
        assert [event.type for event in await evil.settle("close")] == ["error", "close"]
        shop = WebSocket(server.url, origin="http://shop.example", cookies=COOKIES)
        await shop.settle("message")
        shop.close()
        await shop.settle("close")


async def test_pages() -> None:
    url = "ws://127.0.0.1:9/</script>"
    for app, has_cookie in ((shop_page(url), True), (evil_page(url), False)):
        async with (
            serve_app(app) as server,
            aiohttp.ClientSession() as session,
            session.get(server.url) as response,
        ):
            text = await response.text()
            assert (COOKIE in response.cookies) == has_cookie
            assert text.count("</script>") == 1  # what stands in the URL does not end the script
