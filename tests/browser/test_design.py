"""Widgets in JupyterLab, in both themes: nothing sticks out of its frame, and axe finds nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WIDTHS = (1280, 900, 700, 390)


@pytest.fixture
def widgets(page, driver) -> Locator:
    widgets = driver.open_widgets(page)
    page.keyboard.press("Control+b")  # without the side bar
    return widgets


def sticks_out(widget: Locator) -> list[str]:
    """Return what of a widget is not within it, but for a table that can be scrolled."""
    return widget.evaluate(
        """widget => {
            const edge = widget.getBoundingClientRect().right + 1;
            return [...widget.querySelectorAll("*")]
                .filter((one) => !one.closest(".wslab-scroll table"))
                .filter((one) => one.getBoundingClientRect().right > edge)
                .map((one) => one.outerHTML);
        }"""
    )


def test_at_every_width_in_both_themes(page: Page, driver, axe, widgets: Locator):
    for theme in ("light", "dark"):
        page.set_viewport_size({"width": 1280, "height": 2600})
        driver.set_theme(page, theme)
        assert axe(page, include=".wslab-widget") == []
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 2600})
            for widget in widgets.all():
                widget.scroll_into_view_if_needed()
                assert sticks_out(widget) == []
            widgets.first.scroll_into_view_if_needed()
            driver.screenshot(page, f"design_{theme}_{width}")
        looks = "e => { const s = getComputedStyle(e); return [s.backgroundColor, s.borderColor]; }"
        assert len({tuple(widget.evaluate(looks)) for widget in widgets.all()}) == 1


def test_a_lamp_has_a_word_and_a_colour(page: Page, widgets: Locator):
    """The same ones in the client and in the chat."""
    lamps = page.locator(".wslab-lamp")
    look = "e => [getComputedStyle(e, '::before').color, getComputedStyle(e, '::before').content]"
    client, room = [lamp.evaluate(look) for lamp in lamps.all()]
    assert client == room
    page.get_by_role("button", name="Close").click()
    expect(lamps.first).to_have_text("CLOSED (3)")
    assert all(a != b for a, b in zip(lamps.first.evaluate(look), client, strict=True))
