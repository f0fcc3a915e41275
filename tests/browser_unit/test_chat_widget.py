"""The Python side of the chat widget; its page is played by calls to `_on_message`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wslab import lab
from wslab.apps import chat
from wslab.apps.chat import widget
from wslab.browser import widget as browser_widget
from wslab.lab.loop import process_global
from wslab.lab.registry import registry

HUB = "https://hub.example"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    process_global("chat widgets", dict[str, chat.ChatWidget]).clear()
    yield
    for listener in list(registry().values()):
        listener.stop_now()
    registry().clear()


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

    monkeypatch.setattr(widget, "make_widget", lambda *_, state, on_message: Widget(state))
    return messages


def test_text_for_where_there_is_no_page() -> None:
    one = chat.ChatWidget("ws://127.0.0.1:9/")
    text = "<ChatWidget ws://127.0.0.1:9/ : run this cell in JupyterLab>"
    assert repr(one) == one._repr_mimebundle_()["text/plain"] == text
    assert set(one._repr_mimebundle_()) == {
        "text/plain",
        "application/vnd.jupyter.widget-view+json",
    }


def test_its_scripts_are_one_module() -> None:
    """What is pasted imports nothing, and exports one default."""
    script = chat.ChatWidget("ws://127.0.0.1:9/")._widget._esm
    text = str(script)
    assert "import " not in [line[:7] for line in text.splitlines()]
    assert text.count("export default") == 1
    for name in ("class ReconnectingWebSocket", "class Outbox", "class Chat ", "function el("):
        assert text.count(name) == 1


def test_styles_come_after_those_of_all_widgets() -> None:
    styles = str(chat.ChatWidget("ws://127.0.0.1:9/")._widget._css)
    assert styles.index(".wslab {") < styles.index(".chat {")


def test_an_import_is_dropped_only_if_it_is_ours() -> None:
    text = 'import { a } from "./a.js";\nimport b from "https://elsewhere/";\n'
    assert browser_widget.IMPORT.sub("", text) == 'import b from "https://elsewhere/";\n'


@pytest.mark.parametrize("way", ["server", "url", "cable"])
def test_the_room_welcomes_the_page(way: str, sent: list[dict[str, object]]) -> None:
    room = chat.serve()
    cable = lab.cable(room, name="to the room")
    target = {"server": room, "url": room.url, "cable": cable}[way]
    one = chat.ChatWidget(target)  # type: ignore[arg-type]
    assert HUB not in room.admission.origins
    one._on_message({"origin": HUB})
    assert HUB in room.admission.origins
    assert one.origin == HUB
    assert sent == [{"do": "connect"}]


def test_a_server_that_is_no_room_or_an_origin_that_is_none(sent: list[dict[str, object]]) -> None:
    chat.ChatWidget(lab.serve(lab.echo))._on_message({"origin": HUB})
    chat.ChatWidget("ws://elsewhere.example/")._on_message({"origin": HUB})
    room = chat.serve()
    chat.ChatWidget(room)._on_message({"origin": "null"})
    assert room.admission.origins == set()
    assert sent == [{"do": "connect"}] * 3


def test_a_cell_that_runs_again_replaces_its_widget(sent: object) -> None:
    first = chat.ChatWidget("ws://127.0.0.1:9/")
    other = chat.ChatWidget("ws://127.0.0.1:9/", name="other")
    second = chat.ChatWidget("ws://127.0.0.1:9/")
    assert [w._widget.state["replaced"] for w in (first, other, second)] == [True, False, False]


def test_the_proxy_is_used_if_our_server_runs_and_nobody_came(
    sent: list[dict[str, object]],
) -> None:
    room = chat.serve()
    chat.ChatWidget(room)._on_message({"unreached": True})
    assert sent == [{"do": "proxy"}]
    seen = chat.ChatWidget(room)
    room.record(1, "refused", "403 Forbidden")
    seen._on_message({"unreached": True})
    chat.ChatWidget("ws://127.0.0.1:9/")._on_message({"unreached": True})
    assert len(sent) == 1


def test_what_a_way_may_be() -> None:
    with pytest.raises(ValueError, match='it must be "auto"'):
        chat.ChatWidget("ws://127.0.0.1:9/", route="by air")  # type: ignore[arg-type]
