"""axe-core looks at the chat page and at exported lessons, and finds nothing that is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect
from record import notebooks

from wslab.apps import chat
from wslab.lab.registry import registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COURSE = [path for path in notebooks() if path.stem != "glossary"]


@pytest.fixture
def room() -> Iterator[Callable[..., chat.ChatServer]]:
    yield chat.serve
    for listener in list(registry().values()):
        listener.stop_now()
    registry().clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_chat_page(page: Page, axe, room, language, scheme):
    """Before a name is given, in the room, with a problem, and without a connection."""
    server = room(language=language)
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


@pytest.mark.parametrize("path", COURSE, ids=lambda path: path.stem)
def test_an_exported_lesson(page: Page, axe, path):
    text, _ = HTMLExporter(exclude_input=True).from_filename(str(path))  # the code is not ours
    page.route("**/*", lambda route: route.abort())  # nothing from elsewhere, such as MathJax
    page.set_content(text)
    # nbconvert's theme draws no line below links.
    assert axe(page, off=["link-in-text-block"]) == []
