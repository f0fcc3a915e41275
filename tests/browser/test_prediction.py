"""A prediction in JupyterLab: by keyboard, before and after the next cell."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTEBOOK = "scratch_prediction.ipynb"


@pytest.fixture
def widget(page, driver):
    driver.lab.write_notebook(NOTEBOOK, "from wslab import predict\npredict('00.length')", "85")
    driver.open_notebook(page, NOTEBOOK)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    widget = page.get_by_role("group", name="Prediction")
    expect(widget.get_by_role("status")).to_have_text("Choose, then run the next cell.")
    return widget


def run_next(page):
    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-CodeCell").nth(1)).to_contain_text(re.compile(r"\[\d+\]: *85"))


def test_chosen_by_keyboard_and_answered_by_the_next_cell(page, driver, widget):
    widget.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    expect(widget.get_by_role("status")).to_have_text("Noted. Run the next cell.")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(widget.get_by_role("radio").nth(2)).to_be_checked()
    expect(widget).not_to_contain_text("another meaning")
    run_next(page)
    expect(widget.get_by_role("status")).to_contain_text("✗ It came out differently.")
    expect(widget).to_contain_text("The first bit does not belong to the length.")
    expect(widget).to_contain_text("✓ in the last seven bits")
    expect(widget.get_by_role("radio").first).to_be_disabled()
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"prediction_{theme}")
    page.set_viewport_size({"width": 390, "height": 800})
    driver.screenshot(page, "prediction_narrow")


def test_without_a_choice_nothing_is_revealed(page, widget):
    run_next(page)
    expect(widget.get_by_role("status")).to_have_text("Choose, then run the next cell.")
    expect(widget).not_to_contain_text("✓")
    widget.get_by_role("radio").nth(1).check()  # late, but a choice
    expect(widget.get_by_role("status")).to_have_text("✓ As you said.")
