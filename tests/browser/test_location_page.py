"""The page of a city in Chromium: a part of the map, drawn here, with nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps import location
from wslab.lab.peers import page_url

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

COUNTS = re.compile(r"^[1-9]\d* couriers here, \d+ bytes a second$")
MAP = re.compile(r"^A map of 2000 metres with \d+ couriers$")
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture
def city() -> location.City:
    return location.City(fleet=location.Fleet(13, 300))


@pytest.fixture
def server(city: location.City) -> Iterator[lab.Server]:
    server = location.serve(city, name="location page")
    yield server
    server.stop_now()


def test_it_shows_its_part_and_loads_nothing_else(
    page: Page, server: lab.Server, city: location.City
) -> None:
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    address = page_url("http" + server.url.removeprefix("ws"))
    page.set_viewport_size({"width": 900, "height": 900})
    page.goto(address)
    expect(page.get_by_role("status").first).to_have_text("connected")
    expect(page.locator(".map-counts")).to_have_text(COUNTS)
    expect(page.get_by_role("img")).to_have_attribute("aria-label", MAP)
    (viewer,) = city.viewers.values()
    before = viewer.area
    assert before is not None
    assert before.km2() == pytest.approx(4.0, rel=0.01)

    page.get_by_role("button", name="east").click()
    while viewer.area is before:
        page.wait_for_timeout(50)
    after = viewer.area
    assert after is not None
    assert after.west > before.west
    assert after.south == pytest.approx(before.south)
    ARTIFACTS.mkdir(exist_ok=True)
    for scheme, width in (("light", 900), ("dark", 400)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        page.screenshot(path=ARTIFACTS / f"location-{scheme}-{width}.png")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
    assert hosts == {address.split("/")[2]}
    assert complaints == []
    assert server.errors == []
