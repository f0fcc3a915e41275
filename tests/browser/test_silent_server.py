"""Pages whose server never answers the handshake: they say so, and try again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from wslab.apps import coediting, media

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

# A WebSocket as a page sees it, if nothing ever comes.
SILENT = """
window.sockets = 0;
window.WebSocket = class {
    static OPEN = 1;
    constructor() { this.readyState = 0; window.sockets += 1; }
    close() { this.readyState = 3; this.onclose?.({ code: 1006, reason: "" }); }
};
"""
MEASURE = """() => {
    window.ended = import("/static/flow.js").then(({ WAYS }) => Promise.all(
        WAYS.filter(({ isStream }) => !isStream)
            .map(({ run }) => run(location.href, 300).catch((error) => error.message))));
}"""


@pytest.fixture
def silent(page: Page) -> Page:
    page.clock.install()
    page.add_init_script(SILENT)
    return page


def test_a_connection_that_is_made_again(silent):
    server = media.serve(name="silent media")
    try:
        silent.goto(server.url.replace("ws", "http", 1))
        status = silent.get_by_role("status")
        expect(status).to_have_text("connecting")
        silent.clock.run_for(10_100)
        expect(status).to_have_text(re.compile("no answer, next attempt in|connecting"))
        silent.clock.run_for(10_000)
        assert silent.evaluate("sockets") > 1
        silent.evaluate(MEASURE)
        silent.clock.run_for(21_000)
        assert silent.evaluate("ended") == ["no answer in 20 s"] * 4
    finally:
        server.stop_now()


def test_an_editor(silent):
    server = coediting.serve(name="silent editor")
    try:
        silent.goto(server.url.replace("ws", "http", 1))
        silent.clock.run_for(30_000)
        assert silent.evaluate("sockets") > 1
    finally:
        server.stop_now()
