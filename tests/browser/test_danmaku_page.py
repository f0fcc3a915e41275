"""The danmaku page in Chromium: no overlaps on the canvas, and no more messages than pictures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps import danmaku
from wslab.lab.peers import page_url

from .conftest import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"

# Counts pictures and messages, and notes where each picture has its texts, before the page's
# scripts run. A picture begins with its sky, which is the first rectangle.
COUNT = """
    window.counted = { frames: 0, messages: 0, pictures: [] };
    window.drawn = (pictures, seconds) =>
      counted.pictures.length > pictures && performance.now() > 1000 * seconds;
    const later = requestAnimationFrame;
    const tick = () => { counted.frames += 1; later(tick); };
    later(tick);
    const { fillText, fillRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillRect = function (...area) {
      counted.pictures.push([]);
      fillRect.apply(this, area);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      counted.pictures.at(-1).push([x, y, this.measureText(text).width, text]);
      fillText.call(this, text, x, y);
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
def room() -> danmaku.LiveRoom:
    return danmaku.LiveRoom(Random(10), audience=danmaku.Audience(Random(10), rate=2000))


@pytest.fixture
def server(room: danmaku.LiveRoom) -> Iterator[lab.Server]:
    server = danmaku.serve(room, name="danmaku page")
    yield server
    server.stop_now()


def open_page(page: Page, server: lab.Server, *scripts: str) -> list[str]:
    """Open the page; return its complaints."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    for script in scripts:
        page.add_init_script(script)
    page.goto(page_url("http" + server.url.removeprefix("ws")))
    expect(page.get_by_role("status")).to_have_text("connected")
    return complaints


def overlaps(picture: list[Any]) -> list[Any]:
    """Return pairs of texts of one lane that overlap."""
    lanes: dict[float, list[Any]] = {}
    for x, y, width, text in picture:
        lanes.setdefault(y, []).append((x, x + width, text))
    pairs = [pair for members in lanes.values() for pair in combinations(members, 2)]
    return [(a, b) for a, b in pairs if min(a[1], b[1]) > max(a[0], b[0])]


@pytest.mark.timeout(300)  # it counts pictures, and a busy machine draws few
def test_nothing_overlaps_whatever_comes(page, server):
    page.set_viewport_size({"width": 700, "height": 600})
    complaints = open_page(page, server, COUNT)
    wait_until(page, "drawn(30, 2)")
    page.get_by_label("the comments").select_option("every")
    expect(page.get_by_role("status")).to_have_text("connected")
    wait_until(page, "drawn(90, 9)")  # comments cross the stage in six seconds
    pictures = page.evaluate("counted.pictures")
    assert max(len(picture) for picture in pictures) > 30
    assert [found for picture in pictures if (found := overlaps(picture))] == []
    assert complaints == []
    assert server.errors == []


# Draws a picture with and without a comment, in the middle of its way, and returns the rows that
# are different.
DRAWN_ROWS = """async (text) => {
    const { Flights } = await import("/static/danmaku.js");
    const pictures = [[{ text }], []].map((comments) => {
        const canvas = document.body.appendChild(document.createElement("canvas"));
        Object.assign(canvas.style, { width: "400px", height: "104px" });
        const flights = new Flights(canvas);
        flights.draw(1, [{ text: "a lane above" }]);
        flights.draw(1, comments);
        flights.draw(4, []);
        return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    });
    const rows = new Set();
    pictures[0].data.forEach((value, at) => {
        if (value !== pictures[1].data[at]) rows.add(Math.floor(at / 4 / pictures[0].width));
    });
    return [...rows];
}"""


def test_piled_up_accents_stay_in_their_lane(page, server):
    open_page(page, server)
    rows = page.evaluate(DRAWN_ROWS, "a" + "\u0301" * 20)
    assert rows
    assert 26 <= min(rows) <= max(rows) < 52


def test_a_message_per_picture_at_most(page, server):
    open_page(page, server, COUNT)
    wait_until(page, "counted.messages > 5")
    before = page.evaluate("({...counted, pictures: counted.pictures.length})")
    wait_until(page, f"counted.messages > {before['messages'] + 30}")
    after = page.evaluate("({...counted, pictures: counted.pictures.length})")
    messages, pictures, frames = (
        after[name] - before[name] for name in ("messages", "pictures", "frames")
    )
    assert 30 <= messages <= pictures + 1  # the last one may not be drawn yet
    assert pictures <= frames + 1


def test_a_hidden_or_paused_page_gets_nothing(page, server, room):
    open_page(page, server, COUNT)
    wait_until(page, "counted.messages > 5")
    page.get_by_role("button", name="Pause").click()
    paused = page.evaluate("counted.messages")
    hidden = page.context.new_page()
    open_page(hidden, server, FROZEN, COUNT)
    start = room.shown
    while room.shown < start + 40:
        page.wait_for_timeout(50)
    assert page.evaluate("counted.messages") <= paused + 1  # one may have been on its way
    assert hidden.evaluate("counted.messages") == 1  # the welcome
    page.get_by_role("button", name="Play").click()
    wait_until(page, f"counted.messages > {paused + 10}")


def test_who_wants_no_motion_gets_a_picture_that_stands_still(page, server):
    page.emulate_media(reduced_motion="reduce")
    open_page(page, server, COUNT)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("counted.pictures.length") == 0


def test_what_you_say_is_shown_to_you_once_and_to_others(page, server, room):
    room.audience.rate = lambda _seconds: 0
    open_page(page, server, COUNT)
    other = page.context.new_page()
    open_page(other, server, COUNT)
    page.get_by_label("your comment").fill("<b>你好</b>")
    page.get_by_role("button", name="Say it").click()
    for each in (page, other):  # in any picture, because it leaves the stage
        wait_until(each, "counted.pictures.flat().some((one) => one[3] === '<b>你好</b>')")
    texts = page.evaluate("counted.pictures.map((all) => all.length)")
    assert max(texts) == 1
    expect(page.get_by_role("img")).to_have_attribute(
        "aria-label", "a moving picture with comments, such as <b>你好</b>"
    )


def test_it_comes_back_by_itself(page, server, has_said):
    cable = lab.cable(server, name="danmaku cable")
    page.goto(cable.url.replace("ws", "http", 1))
    expect(page.get_by_role("status")).to_have_text("connected")
    cable.cut()
    has_said(", next attempt in")
    expect(page.get_by_role("status")).to_have_text("connected")
    cable.stop_now()


def test_the_widget_in_jupyterlab(page, driver):
    driver.lab.write_notebook(
        "danmaku.ipynb", "from wslab.apps import danmaku\ndanmaku.DanmakuWidget(danmaku.serve())"
    )
    driver.open_notebook(page, "danmaku.ipynb")
    driver.run_all(page)
    panel = page.get_by_role("group", name="Danmaku")
    expect(panel.get_by_role("status")).to_have_text("connected")
    expect(panel.locator(".danmaku-counts")).to_contain_text("comments shown")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"danmaku_widget_{theme}")
