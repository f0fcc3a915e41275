"""The Socket.IO chat's page in Chromium: two tabs, the upgrade, a loss, and what is no markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps.socketio.chat import serve_chat
from wslab.lab.servers.http import WebServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture
def server() -> Iterator[WebServer]:
    server = serve_chat(name="page")
    yield server
    server.stop_now()


def open_tab(page: Page, url: str) -> Page:
    """Open the page, and wait until it is on WebSocket."""
    tab = page.context.new_page()
    tab.set_viewport_size({"width": 640, "height": 400})
    tab.goto(url)
    expect(tab.locator("#state")).to_have_text("websocket")
    return tab


def say(tab: Page, text: str) -> None:
    tab.get_by_label("Message").fill(text)
    tab.get_by_role("button").click()


def test_two_tabs_talk(page, server):
    complaints: list[str] = []
    page.context.on("weberror", lambda error: complaints.append(str(error.error)))
    page.context.on(
        "console", lambda said: complaints.append(said.text) if said.type == "error" else None
    )
    one, other = open_tab(page, server.url), open_tab(page, server.url)
    say(one, "你好")
    say(other, "你也好")
    say(one, "   ")  # says nothing
    say(one, "<img src=x onerror=alert(1)>")
    for tab in (one, other):
        expect(tab.locator("#messages li")).to_have_text(
            ["说：你好", "说：你也好", "说：<img src=x onerror=alert(1)>"]
        )
    assert other.locator("#messages img").count() == 0
    ARTIFACTS.mkdir(exist_ok=True)
    one.screenshot(path=ARTIFACTS / "socketio_page.png")
    one.emulate_media(color_scheme="dark")
    one.screenshot(path=ARTIFACTS / "socketio_page_dark.png")
    assert complaints == []
    assert server.errors == []
    assert not server.events.only("violation")


def test_polling_first_then_the_upgrade(page, server):
    cable = lab.cable(server, name="page cable")
    open_tab(page, cable.url)
    requests = [row.meaning.split("\n")[0] for row in cable.transcript.client.http]
    transports = [text for text in requests if "EIO=4" in text]
    assert "transport=polling" in transports[0]
    assert any("transport=websocket" in text for text in transports[1:])
    cable.stop_now()


def test_a_lost_connection_comes_back_by_itself(page, server, has_said):
    cable = lab.cable(server, name="page cable")
    tab = open_tab(page, cable.url)
    cable.cut()
    has_said("transport close", tab)
    expect(tab.locator("#state")).to_have_text("websocket")
    say(tab, "又来了")
    expect(tab.locator("#messages li")).to_have_text(["说：又来了"])
    cable.stop_now()


def test_through_the_proxy_of_a_hub(page, hub, drive):
    driver = drive(hub)
    driver.lab.write_notebook(
        "socketio.ipynb",
        "import os\nos.environ['JUPYTERHUB_SERVICE_PREFIX'] = '/user/learner/'\n"
        "from wslab.apps.socketio.chat import serve_chat\n"
        "from wslab.lab.peers import page_url\n"
        "page_url(serve_chat().url)",
    )
    driver.open_notebook(page, "socketio.ipynb")
    driver.run_all(page)
    path = page.locator(".jp-OutputArea-output").inner_text().strip("'")
    tab = open_tab(page, urljoin(hub.url, path))
    say(tab, "你好")
    expect(tab.locator("#messages li")).to_have_text(["说：你好"])


def test_its_policy(page, server):
    tab = open_tab(page, server.url)
    assert (
        tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<b onclick=seen=1>x</b>')")
        is None
    )
    tab.locator("b").click()
    assert tab.evaluate("typeof seen") == "undefined"


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "xhr poll error"), ({"transports": ["websocket"], "timeout": 500}, "timeout")],
    ids=["polling first", "websocket only"],
)
def test_what_a_person_sees_who_calls_a_plain_websocket(page, server, options, said):
    """The page's own script, told to connect to a server that does not speak its language."""
    plain = lab.serve(lab.echo, name="plain")
    context = page.context.browser.new_context(bypass_csp=True)  # it forbids other servers
    tab = open_tab(context.new_page(), server.url)
    message = tab.evaluate(
        """([url, options]) => new Promise((resolve) => {
            const socket = io(url, {...options, reconnection: false});
            socket.on('connect_error', (error) => resolve(error.message));
        })""",
        [plain.url.replace("ws:", "http:", 1), options],
    )
    context.close()
    plain.stop_now()
    assert message == said
