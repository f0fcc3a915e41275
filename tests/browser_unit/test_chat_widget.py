"""The Python side of the chat widget; its page is played by a test."""

from __future__ import annotations

from typing import Any

import pytest

from wslab import lab
from wslab.apps import chat
from wslab.browser import widget
from wslab.lab.loop import process_global

HUB = "https://hub.example"


@pytest.fixture(autouse=True)
def _clean() -> None:
    process_global("ChatWidgets", dict[str, chat.ChatWidget]).clear()


def test_text_for_where_there_is_no_page() -> None:
    one = chat.ChatWidget("ws://127.0.0.1:9/")
    text = "<ChatWidget ws://127.0.0.1:9/ : run this cell in JupyterLab>"
    assert repr(one) == one._repr_mimebundle_()["text/plain"] == text
    assert set(one._repr_mimebundle_()) == {
        "text/plain",
        "application/vnd.jupyter.widget-view+json",
    }


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's part of a chat widget, as anywidget has it."""
    made, make = [], widget.make_widget

    def noted(*files: str, **options: Any) -> Any:
        made.append(make(*files, **options))
        return made[-1]

    monkeypatch.setattr(widget, "make_widget", noted)
    chat.ChatWidget("ws://127.0.0.1:9/")
    return made[0]


def test_its_scripts_are_one_module(real: Any) -> None:
    """What is pasted imports nothing, and exports one default."""
    text = str(real._esm)
    assert "import " not in [line[:7] for line in text.splitlines()]
    assert text.count("export default") == 1
    for name in ("class ReconnectingWebSocket", "class Outbox", "class Chat ", "function el("):
        assert text.count(name) == 1


def test_styles_come_after_those_of_all_widgets(real: Any) -> None:
    styles = str(real._css)
    order = [styles.index(rule) for rule in ("--ws-ink:", ".wslab-widget p {", ".chat {")]
    assert order == sorted(order)


def test_an_import_is_dropped_only_if_it_is_ours() -> None:
    text = 'import { a } from "./a.js";\nimport b from "https://elsewhere/";\n'
    assert widget.IMPORT.sub("", text) == 'import b from "https://elsewhere/";\n'


@pytest.mark.parametrize("way", ["server", "url", "cable"])
def test_the_room_welcomes_the_page(way: str, pages: list[Any]) -> None:
    room = chat.serve()
    cable = lab.cable(room, name="to the room")
    target = {"server": room, "url": room.url, "cable": cable}[way]
    one = chat.ChatWidget(target)  # type: ignore[arg-type]
    assert HUB not in room.admission.origins
    pages[0].says({"origin": HUB})
    assert HUB in room.admission.origins
    assert one.origin == HUB
    assert pages[0].heard == [{"do": "connect"}]


def test_a_server_that_is_no_room_or_an_origin_that_is_none(pages: list[Any]) -> None:
    chat.ChatWidget(lab.serve(lab.echo))
    pages[-1].says({"origin": HUB})
    chat.ChatWidget("ws://elsewhere.example/")
    pages[-1].says({"origin": HUB})
    room = chat.serve()
    chat.ChatWidget(room)
    pages[-1].says({"origin": "null"})
    assert room.admission.origins == set()
    assert [page.heard for page in pages] == [[{"do": "connect"}]] * 3


def test_a_cell_that_runs_again_replaces_its_widget(pages: list[Any]) -> None:
    for name in (None, "other", None):
        chat.ChatWidget("ws://127.0.0.1:9/", name=name)
    assert [page.state["replaced"] for page in pages] == [True, False, False]


def test_the_proxy_is_used_if_our_server_runs_and_nobody_came(
    pages: list[Any],
) -> None:
    room = chat.serve()
    chat.ChatWidget(room)
    pages[-1].says({"unreached": True})
    assert pages[0].heard == [{"do": "proxy"}]
    chat.ChatWidget(room)
    room.record(1, "refused", "403 Forbidden")
    pages[-1].says({"unreached": True})
    chat.ChatWidget("ws://127.0.0.1:9/")
    pages[-1].says({"unreached": True})
    assert [len(page.heard) for page in pages] == [1, 0, 0]


def test_it_speaks_the_rooms_language(pages: list[Any]) -> None:
    room = chat.serve(language="zh")
    for target in (room, lab.cable(room, name="to the room"), "ws://127.0.0.1:9/"):
        chat.ChatWidget(target)
    assert [page.state["language"] for page in pages] == ["zh", "zh", "en"]


def test_what_a_way_may_be() -> None:
    with pytest.raises(ValueError, match='it must be "auto"'):
        chat.ChatWidget("ws://127.0.0.1:9/", route="by air")  # type: ignore[arg-type]
