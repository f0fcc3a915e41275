"""Cross-site hijacking in a real browser: its own cookies, its own Origin."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps.attacks.hijack import ACCOUNTS, account, evil_page, shop_page
from wslab.lab.servers.http import serve_app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KNOWN = next(iter(ACCOUNTS.values()))


def test_the_shop_behind_a_hub(page: Page, hub, monkeypatch) -> None:
    """The page and its WebSocket go through the proxy of the user's JupyterLab."""
    home = "/user/learner/"
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", home)
    server = lab.serve(account, name="account")
    shop = serve_app(shop_page(server.url), name="shop")
    assert shop.page == f"{home}proxy/{shop.port}/"
    try:
        page.goto(f"{hub.url}lab?token={hub.token}")  # logs in
        page.goto(f"{hub.url}proxy/{shop.port}/")
        expect(page.locator("output")).to_contain_text(KNOWN)
    finally:
        shop.stop_now()
        server.stop_now()


def test_hijacked_and_stopped(page: Page, remote_host: str) -> None:
    server = lab.serve(account, name="account")
    url = server.url
    shop = serve_app(shop_page(url), name="shop")
    evil = serve_app(evil_page(url), name="evil")
    try:
        page.goto(shop.url)
        expect(page.locator("output")).to_contain_text(KNOWN)
        page.goto(evil.url)
        expect(page.locator("output")).to_contain_text(KNOWN)

        # Another site than the cookie's: Chromium does not send it (SameSite=Lax).
        page.goto(evil.url.replace("127.0.0.1", remote_host))
        expect(page.locator("output")).to_have_text("[closed: 3000]")

        # The same port, now with the shop's origin as the only one: the pages need no change.
        server = lab.serve(account, name="account", origins=[shop.url.rstrip("/")])
        assert server.url == url
        page.goto(shop.url)
        expect(page.locator("output")).to_contain_text(KNOWN)
        page.goto(evil.url)
        expect(page.locator("output")).to_have_text("[closed: 1006]")
    finally:
        for running in (shop, evil, server):
            running.stop_now()
