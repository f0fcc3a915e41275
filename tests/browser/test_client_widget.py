"""The learner's browser as a WebSocket peer: the widget, used as a person would, and by cells."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTEBOOK = "scratch_client.ipynb"
FROM_ANYWHERE = "--ServerApp.allow_remote_access=True"
WITHOUT_PROXY = "--ServerApp.jpserver_extensions={'jupyter_server_proxy': False}"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"

# What a browser writes to its console by itself: a connection or a request failed, or a message
# was sent after the end.
NOT_OURS = re.compile(
    r"^WebSocket connection to .* failed|^Failed to load resource: .* 404"
    r"|^WebSocket is already in CLOSING or CLOSED state"
)

PEER = """
import asyncio, itertools, sys
from websockets.asyncio.server import serve

async def handler(ws):
    async for message in ws:
        if message == "flood":
            count = itertools.count()
            for _ in range(10):
                for _ in range(2_000):
                    await ws.send(f"message {next(count)}")
                shown = asyncio.ensure_future(ws.recv())
                while not shown.done():  # there is no pause in which the page could catch up
                    await ws.send(f"message {next(count)}")
                    await asyncio.sleep(0.01)
            message = "the end"
        await ws.send(message)

async def main():
    async with serve(handler, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.wait_closed()

asyncio.run(main())
"""


class Peer:
    """An echo server in a process of its own, so that it can be killed."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start, again on the same port."""
        command = [sys.executable, "-c", PEER, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.kill()


@pytest.fixture(autouse=True)
def console(page: Page) -> Iterator[list[str]]:
    """No error on the console, whatever a test does."""
    errors: list[str] = []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield errors
    assert [error for error in errors if not NOT_OURS.match(error)] == []


class Widget:
    """A Browser widget on the page, and what a person does with it."""

    def __init__(self, page: Page) -> None:
        self.root = page.get_by_role("group", name="WebSocket in this page")
        self.state = self.root.get_by_label("readyState")
        self.log = self.root.get_by_role("log")
        self.problem = self.root.get_by_role("alert")

    def field(self, label: str) -> Locator:
        return self.root.get_by_label(label, exact=True)

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()

    def type(self, label: str, text: str) -> None:
        self.field(label).fill(text)
        self.field(label).press("Enter")

    def expect(self, state: str, *lines: str) -> None:
        expect(self.state).to_have_text(state)
        for line in lines:
            expect(self.log).to_contain_text(line)


def cells_for(url: str, options: str = "") -> tuple[str, ...]:
    return (f"from wslab import browser, lab\npage = browser.Browser({url!r}{options})\npage",)


def open_widget(page, driver, *cells: str) -> Widget:
    driver.lab.write_notebook(NOTEBOOK, *cells)
    driver.open_notebook(page, NOTEBOOK)
    driver.run_all(page)
    return Widget(page)


def output(page: Page, cell: int) -> Locator:
    return page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")


def test_a_person_connects_sends_closes_and_connects_again(page, driver, peer):
    widget = open_widget(page, driver, *cells_for(peer.url))
    widget.expect("OPEN (1)", f'#1 new WebSocket("{peer.url}")', "#1 open")

    widget.type("Text", "你好, Hello")
    widget.type("Bytes in hex", "00 01feFF")
    widget.type("Text", HOSTILE)
    widget.expect("OPEN (1)", '#1 message "你好, Hello"', "#1 message 4 bytes: 00 01 fe ff")
    # What a peer sent is text, and nothing in it comes to life.
    expect(widget.log).to_contain_text(f"#1 message {json_text(HOSTILE)}")
    expect(widget.root.locator("img")).to_have_count(0)
    assert "hacked" not in page.title()

    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"browser_client_{theme}")

    widget.field("Close code").fill("4000")
    widget.field("Reason").fill("bye")
    widget.press("Close")
    widget.expect("CLOSED (3)", '#1 close code 4000, reason "bye", wasClean true')
    widget.type("Text", "too late")
    widget.expect("CLOSED (3)", 'never sent, the connection is closed: "too late"')
    expect(widget.field("bufferedAmount")).not_to_have_text("0 bytes")

    widget.press("Reconnect")
    widget.expect("OPEN (1)", "#2 open")
    widget.type("Text", "here again")
    widget.expect("OPEN (1)", '#2 message "here again"')
    expect(widget.problem).to_be_empty()


def json_text(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def test_bad_input_is_explained_and_does_no_harm(page, driver, peer):
    widget = open_widget(page, driver, *cells_for(peer.url))
    widget.expect("OPEN (1)")
    for label, text, problem in [
        ("Bytes in hex", "4", "a byte has two hex digits, but 1 is an odd number"),
        ("Bytes in hex", "0x41", '"x" is not a hex digit'),
        ("Close code", "1001", "code 1000 or 3000 to 4999, no other. (InvalidAccessError)"),
        ("Close code", "five", "code 1000 or 3000 to 4999, no other. (InvalidAccessError)"),
        ("URL", "ftp://127.0.0.1/", "begins with ws:// or wss:// and has no #"),
        ("URL", "ws://127.0.0.1:0/#a", "begins with ws:// or wss:// and has no #"),
    ]:
        widget.type(label, text)
        expect(widget.problem).to_contain_text(problem)
        expect(widget.state).to_have_text("OPEN (1)")
    widget.field("Close code").fill("3000")
    widget.type("Reason", "é" * 62)
    expect(widget.problem).to_contain_text("at most 123 bytes in UTF-8")
    widget.field("Close code").fill("")
    widget.type("Reason", "why")
    expect(widget.problem).to_contain_text("A close reason needs a code")
    widget.type("Text", "still here")
    widget.expect("OPEN (1)", '#1 message "still here"')
    expect(widget.problem).to_be_empty()


def test_it_can_be_used_without_a_mouse(page, driver, peer):
    widget = open_widget(page, driver, *cells_for(peer.url))
    widget.expect("OPEN (1)")
    names = ["URL", "Way", "Reconnect", "Text", "Send text", "Bytes in hex", "Send bytes"]
    names += ["Close code", "Reason", "Close"]
    widget.field("URL").focus()
    for name in names:
        label = "(e => e.labels?.[0]?.innerText.split('\\n')[0].trim() || e.textContent)"
        assert page.evaluate(f"{label}(document.activeElement)") == name
        if name == "Text":
            page.keyboard.type("typed")
        if name == "Send text":
            page.keyboard.press("Enter")
            page.keyboard.press("d")  # twice, it would delete the cell
            page.keyboard.press("d")
        page.keyboard.press("Tab")
    widget.expect("OPEN (1)", '#1 message "typed"')
    assert page.evaluate("document.activeElement.getAttribute('role')") == "log"
    expect(page.locator(".jp-CodeCell")).to_have_count(1)


def test_a_server_that_is_killed(page, driver, peer):
    widget = open_widget(page, driver, *cells_for(peer.url))
    widget.expect("OPEN (1)")
    peer.kill()
    widget.expect("CLOSED (3)", '#1 close code 1006, reason "", wasClean false')
    widget.press("Reconnect")
    widget.expect("CLOSED (3)", "#2 error no details", "#2 close code 1006")
    expect(widget.problem).to_contain_text("Is the server running?")
    driver.screenshot(page, "browser_client_killed")
    peer.start()
    widget.press("Reconnect")
    widget.expect("OPEN (1)", "#3 open")
    widget.type("Text", "again")
    widget.expect("OPEN (1)", '#3 message "again"')


def test_a_flood_does_not_freeze_the_page(page, driver, peer):
    """The flood goes on until the page has shown something new ten times."""
    page.add_init_script(
        f"""window.WebSocket = class extends WebSocket {{
            constructor(url, protocols) {{
                super(url, protocols);
                if (url === {peer.url!r}) window.flooded = this;
            }}
        }}"""
    )
    opened = 'await page.settle(until="open", within=60)'
    cells = (*cells_for(peer.url), opened, "len(page.events), page.events.dropped")
    widget = open_widget(page, driver, *cells)
    widget.expect("OPEN (1)")
    # Whenever the page's own timer gets its turn, it tells the peer what is new.
    widget.log.evaluate(
        """(log) => {
            let last;
            setInterval(() => {
                const text = log.querySelector('li:last-child').textContent;
                if (text !== last && text.includes('"message ')) flooded.send("shown");
                last = text;
            }, 10);
        }"""
    )
    widget.type("Text", "flood")
    widget.expect("OPEN (1)", '#1 message "the end"')
    assert widget.log.locator("li").count() <= 200
    expect(widget.root).to_contain_text(re.compile(r"\d+ earlier lines are not shown"))
    widget.type("Text", "and on")
    widget.expect("OPEN (1)", '#1 message "and on"')

    driver.menu(page, "Run", "Run All Cells")  # the first cell anew, so the events begin anew
    expect(output(page, 2)).to_contain_text("(1, 0)")


def test_cells_drive_it_while_they_wait(page, driver):
    widget = open_widget(
        page,
        driver,
        "from wslab import browser, lab\nserver = lab.serve(lab.echo)\nserver",
        "page = browser.Browser(server)\npage",
        'await page.settle(until="open", within=60)\npage.send("Hello")\npage.send(bytes([1, 2]))\n'
        "await page.settle(until=3, within=60)",
        'page.close(1001)\npage.close(4001, "done")\nawait page.settle(until="close", within=60)\n'
        "[event.text for event in page.events[3:]]",
        "page.origin, page.via == server.url",
        "page = browser.Browser(server)\nawait page.settle(until='open', within=60)\n"
        "again = browser.Browser(server)\nawait again.settle(until='open', within=60)\n"
        "await page.settle(until='close', within=60)",
        "await server.settle()",
    )
    expect(output(page, 2)).to_contain_text(re.compile(r'message\s*"Hello"'))
    expect(output(page, 2)).to_contain_text(re.compile(r"message\s*2 bytes: 01 02"))
    expect(output(page, 3)).to_contain_text("InvalidAccessError")
    expect(output(page, 3)).to_contain_text('code 4001, reason "done", wasClean true')
    origin = driver.lab.url.rstrip("/")
    expect(output(page, 4)).to_contain_text(f"('{origin}', True)")
    # Another Browser of the same name took over.
    expect(output(page, 5)).to_contain_text('code 1000, reason "replaced", wasClean true')
    expect(output(page, 6)).to_contain_text('4001 "done"')
    expect(widget.problem).to_contain_text("Another Browser of the same name")


def test_before_the_connection_is_open(page, driver, peer):
    widget = open_widget(page, driver, *cells_for(peer.url, ", connect=False"))
    widget.expect("no socket yet")
    widget.type("Text", "too early")
    expect(widget.problem).to_contain_text("There is no socket yet: press Connect")
    widget.press("Connect")
    widget.expect("OPEN (1)", "#1 open")


def test_a_page_that_is_loaded_again_waits_to_be_asked(page, driver, peer):
    widget = open_widget(page, driver, *cells_for(peer.url))
    widget.expect("OPEN (1)", "#1 open")
    driver.menu(page, "File", "Save Notebook")
    expect(page.locator("#jp-main-dock-panel .lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    page.reload()
    widget.expect("no socket yet")
    widget.press("Connect")
    widget.expect("OPEN (1)", "#1 open")


def test_nobody_listens(page, driver, closed_port):
    url = f"ws://127.0.0.1:{closed_port}/"
    widget = open_widget(page, driver, *cells_for(url))
    widget.expect("CLOSED (3)", "#1 error no details", "#1 close code 1006")
    expect(widget.problem).to_contain_text("Nothing there accepted the connection.")
    assert "#2" not in widget.log.inner_text()


def test_a_port_of_another_machine(page, driver, closed_port):
    """As through ssh: the page is at 127.0.0.1, but the kernel's 127.0.0.1 is elsewhere."""
    elsewhere = f"ws://127.0.0.1:{closed_port}/"
    page.add_init_script(
        f"""window.WebSocket = class extends WebSocket {{
            constructor(url, protocols) {{
                super(new URL(url).pathname === "/" ? {elsewhere!r} : url, protocols);
            }}
        }}"""
    )
    widget = open_widget(
        page,
        driver,
        "from wslab import browser, lab\nserver = lab.serve(lab.echo)",
        "page = browser.Browser(server)\npage",
    )
    widget.expect("OPEN (1)", "#1 close code 1006", "/proxy/", "#2 open")
    widget.type("Text", "far away")
    widget.expect("OPEN (1)", '#2 message "far away"')


def test_notebook_7(page, driver, peer, console):
    driver.lab.write_notebook(NOTEBOOK, *cells_for(peer.url))
    page.goto(f"{driver.lab.url}notebooks/notebooks/{NOTEBOOK}?token={driver.lab.token}")
    cell = page.locator(".jp-CodeCell").first
    cell.locator(".cm-content").click()
    expect(
        page.locator(".jp-NotebookKernelStatus, .jp-Notebook-ExecutionIndicator").first
    ).to_be_attached()
    widget = Widget(page)
    console.clear()  # its own start is not ours to judge
    page.keyboard.press("Shift+Enter")
    widget.expect("OPEN (1)", "#1 open")
    widget.type("Text", "in Notebook 7")
    widget.expect("OPEN (1)", '#1 message "in Notebook 7"')
    driver.screenshot(page, "browser_client_notebook7")


class TestBehindAHub:
    """JupyterLab at /user/learner/, with its token."""

    @pytest.mark.parametrize("place", ["here", "elsewhere"])
    def test_through_the_proxy(self, page, hub, drive, place, peer):
        driver = drive(hub if place == "here" else hub.from_elsewhere())
        options = ', route="proxy"' if place == "here" else ""
        widget = open_widget(page, driver, *cells_for(f"{peer.url}chat?room=1", options))
        way = driver.lab.url.replace("http", "ws")
        widget.expect("OPEN (1)", f'"{way}proxy/{peer.port}/chat?room=1"', "#1 open")
        widget.type("Text", HOSTILE)
        widget.type("Bytes in hex", "c0ffee")
        widget.expect("OPEN (1)", "#1 message 3 bytes: c0 ff ee")
        expect(widget.log).to_contain_text(f"#1 message {json_text(HOSTILE)}")
        for theme in ("light", "dark"):
            driver.set_theme(page, theme)
            driver.screenshot(page, f"browser_client_proxy_{place}_{theme}")
        widget.type("Close code", "4000")
        widget.expect("CLOSED (3)", "#1 close code 4000")
        widget.press("Reconnect")
        widget.expect("OPEN (1)", "#2 open")
        peer.kill()
        # The proxy ends it by itself, with code 1005 or, seldom, 1006: nobody learns why.
        widget.expect("CLOSED (3)", "#2 close code 100", "The proxy passes no close codes on")
        widget.press("Reconnect")
        widget.expect("CLOSED (3)", "#3 close code 1006")
        expect(widget.problem).to_contain_text("JupyterLab's proxy is there")
        peer.start()
        widget.press("Reconnect")
        widget.expect("OPEN (1)", "#4 open")
        expect(widget.problem).to_be_empty()

    def test_directly_from_the_same_machine(self, page, hub, drive, peer):
        driver = drive(hub)
        widget = open_widget(page, driver, *cells_for(peer.url))
        widget.expect("OPEN (1)", f'#1 new WebSocket("{peer.url}")', "#1 open")

    def test_cells_drive_it_through_the_proxy(self, page, hub, drive):
        driver = drive(hub.from_elsewhere())
        open_widget(
            page,
            driver,
            "from wslab import browser, lab\nserver = lab.serve(lab.echo)",
            "page = browser.Browser(server)\nawait page.settle(until='open', within=60)",
            "page.send('Hello')\nawait page.settle(until='message', within=60)",
            "page.origin, page.via.startswith(page.origin.replace('http', 'ws'))",
        )
        expect(output(page, 2)).to_contain_text(re.compile(r'message\s*"Hello"'))
        expect(output(page, 3)).to_contain_text(f"('{driver.lab.url[:-14]}', True)")


def test_without_the_proxy_it_says_what_to_install(page, tmp_path, start_lab, drive, peer):
    with start_lab(tmp_path, FROM_ANYWHERE, WITHOUT_PROXY) as lab:
        driver = drive(lab.from_elsewhere())
        widget = open_widget(page, driver, *cells_for(peer.url))
        widget.expect("CLOSED (3)", "#1 close code 1006")
        expect(widget.problem).to_contain_text("pip install jupyter-server-proxy")
        driver.screenshot(page, "browser_client_no_proxy")
        widget.root.get_by_role("combobox", name="Way").select_option("direct")
        widget.field("URL").fill("ws://127.0.0.1:9/")  # nothing of this page's machine is meant
        widget.press("Reconnect")
        expect(widget.problem).to_contain_text("This page came from hub.test")


# In the lessons, as they are. That they run is proven elsewhere, and direct connections are above


def test_lesson_05_behind_a_hub(page, hub, drive):
    """Run the lesson by the menu, then use its first widget as a person would."""
    driver = drive(hub.from_elsewhere())
    driver.open_notebook(page, "05_browser_api.ipynb")
    driver.run_all(page)
    widget = Widget(page)
    widget.root.first.scroll_into_view_if_needed()
    # Run All may have closed it already: a learner presses the button.
    widget.press("Reconnect")
    widget.expect("OPEN (1)", "open")
    widget.type("Text", "from the lesson")
    widget.expect("OPEN (1)", 'message "from the lesson"')
    widget.field("Close code").fill("4000")
    widget.press("Close")
    widget.expect("CLOSED (3)", "close code")
    widget.press("Reconnect")
    widget.expect("OPEN (1)")
    expect(widget.log).to_contain_text("/user/learner/proxy/")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"lesson_05_hub_{theme}")


def test_lesson_01_shows_its_plots(page, driver):
    driver.open_notebook(page, "01_why_websocket.ipynb")
    plots = page.locator(".jp-OutputArea-output img")
    expect(plots).to_have_count(4)
    plots.first.scroll_into_view_if_needed()
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"lesson_01_{theme}")
