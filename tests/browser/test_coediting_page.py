"""The page of a room in Chromium: two windows write one text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps import coediting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture
def server() -> Iterator[lab.Server]:
    server = coediting.serve(
        coediting.Rooms(members={"a": "Ada", "b": "Bo"}), name="coediting page"
    )
    yield server
    server.stop_now()


def open_page(page: Page, url: str, query: str = "") -> list[str]:
    """Open a room; return the page's complaints."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{url}{query}")
    expect(page.get_by_role("status")).to_have_text("connected")
    return complaints


def text_of(page: Page) -> Any:
    return page.get_by_role("textbox", name="shared text of")


WITHOUT_CURSORS = """element => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll(".cm-ySelectionCaret").forEach((caret) => caret.remove());
    return copy.textContent;
}"""


def wait_for(editor: Any, *texts: str) -> None:
    """Wait until an editor shows one of these, the names on cursors left out."""
    while (shown := editor.evaluate(WITHOUT_CURSORS)) not in texts:
        editor.page.wait_for_timeout(50)
    assert shown in texts


def test_two_windows_write_one_text(page, server):
    url = coediting.room_page(server, "诗 1/2")
    cable = lab.cable(server, name="coediting cable")
    other = page.context.new_page()
    complaints = open_page(page, url, "&token=a&name=Ada")
    through = coediting.room_page(cable, "诗 1/2")
    complaints += open_page(other, through, "&token=b&name=Bo")
    ada, bo = text_of(page), text_of(other)
    ada.press_sequentially("你好 from Ada. ")
    wait_for(bo, "你好 from Ada. ")
    expect(other.locator(".cm-ySelectionCaret")).to_have_count(1)
    expect(other.get_by_text("Here: Ada, Bo")).to_be_visible()
    cable.freeze()  # until both have written, however slowly
    bo.press("Control+End")
    bo.press_sequentially("And Bo, offline.")
    ada.focus()
    page.keyboard.insert_text("More. ")  # at once, so that it is undone at once
    cable.cut()
    cable.thaw()
    expect(other.get_by_role("status")).to_have_text("connected")
    whole = "你好 from Ada. More. And Bo, offline.", "你好 from Ada. And Bo, offline.More. "
    wait_for(ada, *whole)
    wait_for(bo, ada.evaluate(WITHOUT_CURSORS))
    ada.press("Control+z")  # only what Ada has written
    wait_for(bo, "And Bo, offline.", "你好 from Ada. And Bo, offline.")
    ARTIFACTS.mkdir(exist_ok=True)
    for scheme, width in (("light", 800), ("dark", 390)):
        other.set_viewport_size({"width": width, "height": 500})
        other.emulate_media(color_scheme=scheme)
        other.screenshot(path=ARTIFACTS / f"coediting_page_{scheme}.png")
    cable.stop_now()
    assert complaints == [] or all("ERR_CONNECTION" in each for each in complaints)
    assert server.errors == []


def test_a_guest_cannot_type(page, server):
    complaints = open_page(page, coediting.room_page(server, "r"))
    expect(page.get_by_text("you are a guest")).to_be_visible()
    text_of(page).press_sequentially("forged")
    expect(text_of(page)).not_to_contain_text("forged")
    assert complaints == []


def test_the_widget_in_jupyterlab(page, driver):
    driver.lab.write_notebook(
        "coediting.ipynb",
        "from wslab.apps import coediting\nserver = coediting.serve()\n"
        "ada = coediting.Writer(server.url + 'lesson', name='Ada')\nawait ada.__aenter__()\n"
        "ada.insert(0, 'Hello')\ncoediting.EditorWidget(server)",
    )
    driver.open_notebook(page, "coediting.ipynb")
    driver.run_all(page)
    panel = page.get_by_role("group", name="Editor")
    expect(panel.get_by_role("status")).to_have_text("connected")
    wait_for(text_of(page), "Hello")
    expect(panel.get_by_text("Here: Ada, You")).to_be_visible()
    text_of(page).press("Control+End")
    text_of(page).press_sequentially(" dd")  # two d delete a cell if JupyterLab gets them
    wait_for(text_of(page), "Hello dd")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"coediting_widget_{theme}")
