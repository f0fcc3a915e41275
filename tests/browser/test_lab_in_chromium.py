"""A learner opens JupyterLab, runs the first lesson by the menu, and sees the transcript."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from record import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIRST_LESSON = "00_start_here.ipynb"


def test_the_first_lesson_shows_its_transcript(page, driver):
    driver.open_notebook(page, FIRST_LESSON)
    driver.run_all(page)

    # 81 85: a text frame, masked, of five bytes: the client's "Hello"
    transcript = page.locator(".jp-OutputArea-output table", has_text="81 85").first
    expect(transcript).to_be_attached()
    transcript.scroll_into_view_if_needed()
    expect(transcript).to_be_visible()
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        transcript.scroll_into_view_if_needed()
        driver.screenshot(page, f"lesson_00_{theme}")

    # On the page as in the file: no traceback but those that the lesson shows on purpose.
    cells = read(driver.lab.folder / FIRST_LESSON).cells
    deliberate = sum("raises-exception" in cell.metadata.get("tags", []) for cell in cells)
    errors = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
    expect(errors).to_have_count(deliberate)
