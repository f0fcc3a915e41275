"""The Python side of the Browser widget; its page is played by a test."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from wslab import lab
from wslab.browser import (
    Browser,
    CloseEvent,
    DOMException,
    Event,
    MessageEvent,
    ScriptPage,
    client,
)
from wslab.browser.events import PageEvents, event_of

OPEN = {"connection": 1, "type": "open"}
CLOSE = {"connection": 1, "type": "close", "code": 1000, "reason": "bye", "wasClean": True}
HELLO = {"origin": "http://127.0.0.1:8888", "via": "ws://127.0.0.1:9/"}


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys; import wslab.browser as b; print('anywidget' in sys.modules);"
        "b.Browser('ws://127.0.0.1:9/'); print('anywidget' in sys.modules)"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"], result.stderr


def test_text_for_where_there_is_no_page(pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    text = "<Browser ws://127.0.0.1:9/ : run this cell in JupyterLab>"
    bundle = browser._repr_mimebundle_()
    assert bundle["text/plain"] == repr(browser) == text
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    pages[-1].says(HELLO)
    assert repr(browser) == text


@pytest.mark.usefixtures("memory")
async def test_a_server_in_memory_is_out_of_a_page_s_reach(pages: list[Any]) -> None:
    server = lab.serve(lab.echo)
    for widget in (Browser(server), Browser(server.url, name="url"), ScriptPage("", server)):
        bundle = widget._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/markdown"}
        assert "cannot reach a server that exists only in memory" in bundle["text/markdown"]
    elsewhere = Browser("wss://example.com/")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in elsewhere
    await server.stop()


@pytest.mark.parametrize("until", [None, "open", 2, lambda: False])
async def test_without_a_page_settle_says_what_to_do(until: object, pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    with pytest.raises(TimeoutError, match="JupyterLab or Notebook 7"):
        await browser.settle(until, within=0.05)  # type: ignore[arg-type]


@pytest.mark.parametrize("until", [None, "close", 2, lambda: True])
async def test_settle_returns_the_events(until: object, pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    pages[-1].says(HELLO)
    pages[-1].says({"events": [OPEN, CLOSE]})
    events = await browser.settle(until, quiet=0.01)  # type: ignore[arg-type]
    assert events == [Event(1, "open"), CloseEvent(1, "close", 1000, "bye", True)]
    assert (browser.origin, browser.via) == ("http://127.0.0.1:8888", "ws://127.0.0.1:9/")


async def test_settle_with_a_page_shows_what_there_is_so_far(pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    pages[-1].says({**HELLO, "events": [OPEN]})
    with pytest.raises(TimeoutError, match=r"(?s)not reached within.*So far.*open"):
        await browser.settle("close", within=0.05)


def test_commands_to_the_page(pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    pages[0].says({"events": [OPEN]})
    browser.connect()
    browser.send("Hi")
    browser.send(bytearray(b"\x00\xff"))  # type: ignore[arg-type]
    browser.close()
    browser.close(4000, "bye")
    assert pages[0].heard == [
        {"do": "connect"},
        {"do": "send", "text": "Hi"},
        {"do": "send", "hex": "00ff"},
        {"do": "close", "code": None, "reason": ""},
        {"do": "close", "code": 4000, "reason": "bye"},
    ]


def test_what_is_sent_too_early_waits_for_the_first_open(pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    browser.send("Hi")
    pages[0].says(HELLO)
    pages[0].says({"events": [CLOSE]})  # in vain: the next attempt goes through the proxy
    browser.send(b"\xff")
    assert pages[0].heard == []
    pages[0].says({"events": [OPEN]})
    assert pages[0].heard == [{"do": "send", "text": "Hi"}, {"do": "send", "hex": "ff"}]
    pages[0].says({"events": [CLOSE, OPEN]})
    assert len(pages[0].heard) == 2


def test_a_script_page_is_text_where_there_is_no_page(pages: list[Any]) -> None:
    page = ScriptPage("\nconst one = 1;\nshow(one);\n", "ws://127.0.0.1:9/")
    text = "<ScriptPage 2 lines for ws://127.0.0.1:9/ : run this cell in JupyterLab>"
    assert page._repr_mimebundle_()["text/plain"] == repr(page) == text


def test_a_cell_that_runs_again_replaces_its_browser(pages: list[Any]) -> None:
    for name in (None, "other", None):
        Browser("ws://127.0.0.1:9/", name=name)
    assert [page.state["replaced"] for page in pages] == [True, False, False]


def test_what_a_target_may_be(pages: list[Any]) -> None:
    server = lab.serve(lab.echo, name="target")
    cable = lab.cable(server)
    assert Browser(server).url == server.url
    assert Browser(cable).url == cable.url
    assert Browser("no url at all").url == "no url at all"  # for the browser to judge
    cable.stop_now()
    server.stop_now()
    with pytest.raises(RuntimeError, match="is stopped"):
        Browser(server)
    with pytest.raises(ValueError, match='it must be "auto"'):
        Browser("ws://127.0.0.1:9/", route="by air")  # type: ignore[arg-type]


async def test_the_proxy_is_used_if_our_server_runs_and_nobody_came(
    pages: list[Any],
) -> None:
    server = lab.serve(lab.echo, name="unreached")
    Browser(server)
    pages[-1].says({"unreached": True})
    assert pages[0].heard == [{"do": "connect", "route": "proxy"}]
    # It came and was refused, or the server is gone, or it is not ours: the proxy would not help.
    Browser(server)
    server.record(1, "refused", "403 Forbidden")
    pages[-1].says({"unreached": True})
    Browser("ws://127.0.0.1:9/")
    pages[-1].says({"unreached": True})
    Browser(server)
    await server.stop()
    pages[-1].says({"unreached": True})
    assert [len(page.heard) for page in pages] == [1, 0, 0, 0]


def test_only_the_first_page_connects_by_itself(pages: list[Any]) -> None:
    Browser("ws://127.0.0.1:9/")
    assert pages[-1].state["connect"] is True
    pages[-1].says(HELLO)
    assert pages[-1].state["connect"] is False


def test_events_are_bounded(pages: list[Any]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    message = {"connection": 1, "type": "message", "data": "x", "size": 1}
    pages[-1].says({"events": [OPEN] + [message] * client.EVENTS, "dropped": 5})
    assert len(browser.events) == client.EVENTS
    assert browser.events.dropped == 6
    assert browser.events.only("open") == []


def test_events_as_values_and_as_a_table() -> None:
    reports = [
        OPEN,
        {"connection": 1, "type": "message", "data": "<b>\u202ehi", "size": 6},
        {"connection": 1, "type": "message", "hex": "00ff", "size": 2},
        {"connection": 1, "type": "error"},
        {"connection": 0, "type": "exception", "name": "SyntaxError", "message": "no"},
        CLOSE,
    ]
    events = PageEvents(map(event_of, reports))
    assert events[1] == MessageEvent(1, "message", "<b>\u202ehi", 6)
    assert events[2] == MessageEvent(1, "message", b"\x00\xff", 2)
    assert events[4] == DOMException(0, "exception", "SyntaxError", "no")
    assert isinstance(events[2:], PageEvents)
    assert repr(events) == (
        "connection  event      says\n"
        "1           open\n"
        '1           message    "<b>\\u202ehi"\n'
        "1           message    2 bytes: 00 ff\n"
        "1           error\n"
        '            exception  SyntaxError: "no"\n'
        '1           close      code 1000, reason "bye", wasClean true'
    )
    assert repr(PageEvents()) == "no events"
