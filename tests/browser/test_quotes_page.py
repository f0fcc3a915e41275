"""The page of the quotes in Chromium: it draws once per frame at most, and asks for no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps import quotes

from .conftest import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"

# Counts frames of the screen, pictures on canvases, and messages, before the page's scripts run.
COUNT = """
    window.counted = { frames: 0, pictures: 0, messages: 0 };
    const later = requestAnimationFrame;
    const tick = () => { counted.frames += 1; later(tick); };
    later(tick);
    const { clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...area) {
      counted.pictures += 1;
      clearRect.apply(this, area);
    };
    window.WebSocket = class extends WebSocket {
      constructor(url) {
        super(url);
        this.addEventListener("message", () => (counted.messages += 1));
      }
    };
"""
FROZEN = "window.requestAnimationFrame = () => 1;"  # as in a hidden tab


@pytest.fixture
def desk() -> quotes.Desk:
    return quotes.Desk(Random(15), rate=2000)


@pytest.fixture
def server(desk: quotes.Desk) -> Iterator[lab.Server]:
    server = quotes.serve(desk, name="quotes page")
    yield server
    server.stop_now()


def open_page(page: Page, server: lab.Server, *scripts: str) -> list[str]:
    """Open the page; return its complaints."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    for script in scripts:
        page.add_init_script(script)
    page.goto(server.page)
    expect(page.get_by_role("status")).to_have_text("connected")
    return complaints


@pytest.mark.parametrize("is_paced", [True, False], ids=["paced", "as it comes"])
def test_it_draws_once_per_frame_at_most(page, server, is_paced):
    complaints = open_page(page, server, COUNT)
    expect(page.locator("tbody tr")).to_have_count(6)
    if not is_paced:
        page.get_by_label("at this page's pace").uncheck()
    before = page.evaluate("({...counted})")
    # At its pace there are six for a picture, and a busy machine draws few.
    wait_until(page, f"counted.messages >= {before['messages'] + (300 if is_paced else 2000)}")
    after = page.evaluate("({...counted})")
    frames, pictures, messages = (after[name] - before[name] for name in before)
    assert 0 < pictures <= frames + 1  # the first one may belong to a frame that has begun
    if is_paced:
        assert messages <= 6 * (pictures + 2)  # the last batch may not be drawn yet
    assert complaints == []
    assert server.errors == []


def test_a_hidden_page_gets_one_batch(page, server, desk):
    page.add_init_script(FROZEN)
    open_page(page, server, COUNT)
    wait_until(page, "counted.messages > 0")
    start = desk.count
    other = page.context.new_page()  # sees the quotes that the hidden one does not
    open_page(other, server, COUNT)
    wait_until(other, "counted.messages > 200")
    assert desk.count > start + 200
    assert page.evaluate("counted.messages") <= 6


def test_it_shows_the_chosen_stock_in_both_themes(page, server):
    page.set_viewport_size({"width": 700, "height": 560})
    open_page(page, server, COUNT)
    wait_until(page, "counted.pictures > 20")
    ARTIFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=ARTIFACTS / f"quotes_page_{scheme}.png")
    heads = page.locator("tbody th[scope=row]").all_inner_texts()
    assert heads == sorted(heads)
    page.get_by_label("chart").select_option("CRUX/USD")
    expect(page.get_by_role("img")).to_have_attribute(
        "aria-label", "CRUX/USD: the middle between bid and ask at each venue"
    )


def test_it_comes_back_by_itself(page, server, has_said):
    cable = lab.cable(server, name="quotes cable")
    page.goto(cable.url.replace("ws", "http", 1))
    expect(page.get_by_role("status")).to_have_text("connected")
    cable.cut()
    has_said(", next attempt in")
    expect(page.get_by_role("status")).to_have_text("connected")
    cable.stop_now()


def test_the_widget_in_jupyterlab(page, driver):
    driver.lab.write_notebook(
        "quotes.ipynb", "from wslab.apps import quotes\nquotes.QuotesWidget(quotes.serve())"
    )
    driver.open_notebook(page, "quotes.ipynb")
    driver.run_all(page)
    panel = page.get_by_role("group", name="Quotes")
    expect(panel.get_by_role("status")).to_have_text("connected")
    expect(panel.locator("tbody tr")).to_have_count(6)
    expect(panel.locator(".quotes-counts")).to_contain_text("pictures were drawn")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"quotes_widget_{theme}")
