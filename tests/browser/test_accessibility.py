"""axe-core looks at the pages and at exported lessons, and finds nothing that is ours."""

from __future__ import annotations

import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect
from record import notebooks

from wslab.apps import chat, coediting, danmaku, location, media, quotes, scores

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# What must be on each page before axe-core looks at it.
PAGES = {
    danmaku: "connected",
    media: "connected",
    coediting: "connected",
    location: "connected",
    scores: "online",
    quotes: "connected",
}
TOO_WIDE = """all => all
    .filter((one) => getComputedStyle(one).overflowX === "auto")
    .filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => one.outerHTML)"""
COURSE = [path for path in notebooks() if path.stem != "glossary"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_chat_page(page: Page, axe, language, scheme):
    """Before a name is given, in the room, with a problem, and without a connection."""
    server = chat.serve(language=language)
    page.emulate_media(color_scheme=scheme)
    page.goto(server.page)
    lamp = page.locator(".wslab-lamp")
    expect(lamp).to_have_attribute("data-look", "good")
    assert axe(page) == []
    page.locator("input").fill("Ada")
    page.locator("input").press("Enter")
    message = page.locator("textarea")
    for text in ("Hello", "x" * 2001):
        message.fill(text)
        message.press("Enter")
    expect(page.get_by_role("alert")).not_to_be_empty()
    assert axe(page) == []
    server.stop_now()
    expect(lamp).to_have_attribute("data-look", "busy")
    message.press("Enter")
    expect(page.locator(".chat-waiting li")).to_have_count(1)
    assert axe(page) == []


@pytest.mark.parametrize("app", PAGES, ids=lambda app: app.__name__.rpartition(".")[2])
def test_the_page_of_an_application(page: Page, axe, app):
    """In both colour schemes, and on a phone, where nothing may have to be scrolled sideways."""
    server = app.serve()
    query = "?trains=2" if app is scores else ""
    page.goto(f"http{server.url.removeprefix('ws')}{query}")
    expect(page.get_by_role("status").first).to_contain_text(PAGES[app])
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("main, main *").evaluate_all(TOO_WIDE) == []


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_an_exported_lesson(page: Page, axe, path):
    text, _ = HTMLExporter(exclude_input=True).from_filename(str(path))  # the code is not ours
    page.route("**/*", lambda route: route.abort())  # nothing from elsewhere, such as MathJax
    page.set_content(text)
    # nbconvert's theme draws no line below links.
    assert axe(page, off=["link-in-text-block"]) == []
