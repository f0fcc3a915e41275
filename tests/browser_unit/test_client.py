"""The Python side of the Browser widget; its page is played by calls to `_on_message`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wslab import lab
from wslab.browser import Browser, CloseEvent, DOMException, Event, MessageEvent, client
from wslab.browser.events import PageEvents, event_of
from wslab.lab.loop import process_global

OPEN = {"connection": 1, "type": "open"}
CLOSE = {"connection": 1, "type": "close", "code": 1000, "reason": "bye", "wasClean": True}
HELLO = {"origin": "http://127.0.0.1:8888", "via": "ws://127.0.0.1:9/"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What goes to the page, of a widget that has none."""
    messages: list[dict[str, object]] = []

    class Widget:
        model_id = "0"

        def __init__(self, state: dict[str, object]) -> None:
            self.state = state

        def send(self, message: dict[str, object]) -> None:
            messages.append(message)

    monkeypatch.setattr(client, "make_widget", lambda *_, state, on_message: Widget(state))
    process_global("browsers", dict[str, Browser]).clear()
    return messages


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys; import wslab.browser as b; print('anywidget' in sys.modules);"
        "b.Browser('ws://127.0.0.1:9/'); print('anywidget' in sys.modules)"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"], result.stderr


def test_text_for_where_there_is_no_page() -> None:
    browser = Browser("ws://127.0.0.1:9/")
    text = "<Browser ws://127.0.0.1:9/ : run this cell in JupyterLab>"
    bundle = browser._repr_mimebundle_()
    assert bundle["text/plain"] == repr(browser) == text
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    browser._on_message(HELLO)
    assert repr(browser) == text


@pytest.mark.parametrize("until", [None, "open", 2, lambda: False])
async def test_without_a_page_settle_says_what_to_do(until: object, sent: object) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    with pytest.raises(TimeoutError, match="JupyterLab or Notebook 7"):
        await browser.settle(until, within=0.05)  # type: ignore[arg-type]


@pytest.mark.parametrize("until", [None, "close", 2, lambda: True])
async def test_settle_returns_the_events(until: object, sent: object) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    browser._on_message(HELLO)
    browser._on_message({"events": [OPEN, CLOSE]})
    events = await browser.settle(until, quiet=0.01)  # type: ignore[arg-type]
    assert events == [Event(1, "open"), CloseEvent(1, "close", 1000, "bye", True)]
    assert (browser.origin, browser.via) == ("http://127.0.0.1:8888", "ws://127.0.0.1:9/")


async def test_settle_with_a_page_shows_what_there_is_so_far(sent: object) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    browser._on_message({**HELLO, "events": [OPEN]})
    with pytest.raises(TimeoutError, match=r"(?s)not reached within.*So far.*open"):
        await browser.settle("close", within=0.05)


def test_commands_to_the_page(sent: list[dict[str, object]]) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    browser.connect()
    browser.send("Hi")
    browser.send(bytearray(b"\x00\xff"))  # type: ignore[arg-type]
    browser.close()
    browser.close(4000, "bye")
    assert sent == [
        {"do": "connect"},
        {"do": "send", "text": "Hi"},
        {"do": "send", "hex": "00ff"},
        {"do": "close", "code": None, "reason": ""},
        {"do": "close", "code": 4000, "reason": "bye"},
    ]


def test_a_cell_that_runs_again_replaces_its_browser(sent: object) -> None:
    first = Browser("ws://127.0.0.1:9/")
    other = Browser("ws://127.0.0.1:9/", name="other")
    second = Browser("ws://127.0.0.1:9/")
    assert [b._widget.state["replaced"] for b in (first, other, second)] == [True, False, False]


def test_what_a_target_may_be(sent: object) -> None:
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
    sent: list[dict[str, object]],
) -> None:
    server = lab.serve(lab.echo, name="unreached")
    Browser(server)._on_message({"unreached": True})
    assert sent == [{"do": "connect", "route": "proxy"}]
    # It came and was refused, or the server is gone, or it is not ours: the proxy would not help.
    seen = Browser(server)
    server.record(1, "refused", "403 Forbidden")
    seen._on_message({"unreached": True})
    Browser("ws://127.0.0.1:9/")._on_message({"unreached": True})
    gone = Browser(server)
    await server.stop()
    gone._on_message({"unreached": True})
    assert len(sent) == 1


def test_only_the_first_page_connects_by_itself(sent: object) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    assert browser._widget.state["connect"] is True
    browser._on_message(HELLO)
    assert browser._widget.state["connect"] is False


def test_events_are_bounded(sent: object) -> None:
    browser = Browser("ws://127.0.0.1:9/")
    message = {"connection": 1, "type": "message", "data": "x", "size": 1}
    browser._on_message({"events": [OPEN] + [message] * client.EVENTS, "dropped": 5})
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
