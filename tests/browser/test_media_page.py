"""The page of the media chat in Chromium: files appear, go on after a cut, and are not trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps import media
from wslab.apps.media import make_picture, make_sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture
def room() -> media.MediaRoom:
    return media.MediaRoom()


@pytest.fixture
def server(room: media.MediaRoom) -> Iterator[lab.Server]:
    server = media.serve(room, name="media page")
    yield server
    server.stop_now()


def open_page(page: Page, url: str, name: str = "Ann") -> list[str]:
    """Open the page as a guest; return its complaints."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{url.replace('ws', 'http', 1)}?name={name}")
    expect(page.get_by_role("status")).to_have_text("connected")
    return complaints


def drop(page: Page, name: str, data: bytes, kind: str = "image/png") -> None:
    """Choose a file."""
    file: Any = {"name": name, "mimeType": kind, "buffer": data}
    page.get_by_label("or a file").set_input_files(file)


def width_of(page: Page) -> int:
    """Wait for a picture, and return how wide it really is."""
    image = page.get_by_role("img")
    expect(image).to_be_visible()
    return int(image.evaluate("async (image) => (await image.decode(), image.naturalWidth)"))


def test_pictures_sounds_and_lines_appear_at_everybody(page, server):
    other = page.context.new_page()
    complaints = [open_page(page, server.url), open_page(other, server.url, "Ben")]
    page.get_by_label("line").fill("look")
    page.get_by_label("line").press("Enter")
    page.get_by_role("button", name="Send a picture").click()
    page.get_by_role("button", name="Send a sound").click()
    for each in (page, other):
        expect(each.get_by_role("log")).to_contain_text("Ann look")
        assert width_of(each) == 640
        expect(each.get_by_label("sound.wav").last).to_be_visible()
        assert each.locator("audio").evaluate(SECONDS) == 4
    ARTIFACTS.mkdir(exist_ok=True)
    other.set_viewport_size({"width": 500, "height": 620})
    for scheme in ("light", "dark"):
        other.emulate_media(color_scheme=scheme)
        other.screenshot(path=ARTIFACTS / f"media_page_{scheme}.png")
    assert complaints == [[], []]
    assert server.errors == []


def test_an_upload_goes_on_after_a_cut(page, server, room):
    cable = lab.cable(server, name="media page cable")
    cable.throttle(2_000_000, "client")
    open_page(page, cable.url)
    data = make_picture(Random(2), width=1300, height=900, noise=0.9)
    assert len(data) > 2_000_000
    page.evaluate(COUNT_CHUNKS)
    drop(page, "big.png", data)
    for part in (1, 2):
        while page.evaluate("offsets.length") < part * 8:
            page.wait_for_timeout(20)
        cable.cut()
    cable.throttle(None)
    assert width_of(page) == 1300
    offsets = page.evaluate("offsets")
    assert sorted(set(offsets)) == list(range(0, len(data), media.CHUNK))
    assert len(offsets) - len(set(offsets)) <= 2
    (item,) = room.uploads.items.values()
    assert item.path.read_bytes() == data
    cable.stop_now()


SECONDS = """async (audio) => {
    while (!(audio.duration > 0)) await new Promise((later) => setTimeout(later, 20));
    return audio.duration;
}"""
COUNT_CHUNKS = """
    window.offsets = [];
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      if (data instanceof Uint8Array)
        offsets.push(Number(new DataView(data.buffer).getBigUint64(4)));
      send.call(this, data);
    };
    null;
"""


def test_what_is_refused_is_said_and_not_shown(page, server, room):
    complaints = open_page(page, server.url)
    drop(
        page,
        "script.png",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    )
    log = page.get_by_role("log")
    expect(log).to_contain_text(
        "this was offered as image/png, and its content looks like image/svg"
    )
    drop(page, "con.png", make_picture(Random(1)))
    expect(log).to_contain_text("is a device on Windows")
    drop(page, "sound.png", make_sound(Random(1), seconds=1), "audio/wav")
    expect(page.locator("audio")).to_be_visible()  # the name does not matter
    page.get_by_label("line").fill("<img src=x onerror=alert(1)>")
    page.get_by_label("line").press("Enter")
    expect(log).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.get_by_role("img").count() == 0
    assert len(room.uploads.items) == 1
    assert room.uploads.open == {}
    assert complaints == []


def test_backpressure_in_a_page(page, server):
    """`bufferedAmount` and WebSocketStream bound what waits; nothing bounds `onmessage`."""
    cable = lab.cable(server, name="media flow cable")
    cable.throttle(8_000_000, "client")
    page.goto(cable.url.replace("ws", "http", 1))
    # The page reads five times as slowly as a person would wait for: a busy server is slow, too.
    measure = """async ([url, count]) => {
        const later = setTimeout;
        window.setTimeout = (what, time) => later(what, time === 50 ? 250 : time);
        const { WAYS } = await import("/static/flow.js");
        const found = {};
        for (const { name, run } of WAYS) found[name] = (await run(url, count)).most / 65536;
        return found;
    }"""
    found = page.evaluate(measure, [cable.url, 300])
    assert found["send, at once"] == 300
    assert found["send, when the last one is there"] == 1
    for way in ("send, while bufferedAmount is small", "WebSocketStream, writing"):
        assert 1 < found[way] < 300  # a third, unless the machine is busy
    assert found["WebSocketStream, reading slowly"] < found["onmessage, reading slowly"] <= 290
    cable.stop_now()


def test_the_widgets_in_jupyterlab(page, driver):
    driver.lab.write_notebook(
        "media.ipynb",
        "from wslab.apps import media\nserver = media.serve()\nmedia.MediaWidget(server)",
        "media.BackpressureWidget(server)",
    )
    driver.open_notebook(page, "media.ipynb")
    driver.run_all(page)
    panel = page.get_by_role("group", name="Media chat")
    expect(panel.get_by_role("status")).to_have_text("connected")
    panel.get_by_role("button", name="Send a picture").click()
    expect(panel.get_by_role("img")).to_be_visible()
    flow = page.get_by_role("group", name="Backpressure")
    flow.get_by_role("button", name="Measure").click()
    expect(flow.get_by_role("status")).to_have_text("finished", timeout=60_000)
    expect(flow.locator("tbody tr")).to_have_count(6)
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"media_widget_{theme}")
