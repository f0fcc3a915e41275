"""Slides are made by rule, need no network, and show everything at 1280 by 720."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import sync_playwright

from .tools import KIT, NOTEBOOKS

import slides  # isort: skip

LESSONS = sorted(path.stem for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def test_a_heading_begins_a_slide_and_navigation_is_left_out() -> None:
    cells = slides.divided([
        new_markdown_cell("# 03 · Framing\n\nProse with a [link](04_connection.ipynb#x)."),
        new_code_cell("import asyncio\nfrom wslab import lab"),
        new_markdown_cell("The end of a section.\n\n## 2. The next\n\nIts [RFC](https://a.example)."),
        new_code_cell("await lab.x()"),
        new_markdown_cell("**Further reading:** …\n\n**Next:** [04](04_connection.ipynb)"),
    ])  # fmt: skip
    assert [cell.source for cell in cells] == [
        "# 03 · Framing\n\nProse with a link.",
        "The end of a section.",
        "## 2. The next\n\nIts [RFC](https://a.example).",
        "await lab.x()",
    ]


def test_code_stays_with_a_short_introduction() -> None:
    short, long, code = new_markdown_cell("Look."), new_markdown_cell("x" * 999), new_code_cell("1")
    found = slides.begins_slide([short, code, code, long, code, short])
    assert found == [True, False, True, True, True, True]


def test_an_output_is_hidden_at_first_and_nothing_is_fetched() -> None:
    code = new_code_cell("1 + 1", outputs=[nbformat.v4.new_output("stream", text="2")])
    html = slides.deck(new_notebook(cells=[code], metadata={"language_info": {"name": "python"}}))
    assert 'classList.add("later")' in html
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"http", html)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LESSONS)
def test_nothing_is_cut_off(name: str, chromium: Path, tmp_path: Path) -> None:
    """A slide fits, or at worst scrolls; what a cell prints comes with the next step."""
    path = tmp_path / "lesson.html"
    slides.main(name, str(path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720}, offline=True)
        page.goto(path.as_uri())
        count = page.evaluate("slides.length")
        assert count > 15
        for number in range(count):
            page.evaluate("number => show(number, true)", number)
            high, seen, wide, room = page.evaluate(
                "[slides[at].scrollHeight, slides[at].clientHeight,"
                " slides[at].scrollWidth, slides[at].clientWidth]"
            )
            text = page.evaluate("slides[at].innerText")
            assert high <= seen, text
            assert wide <= room, text
            assert text.strip() or page.evaluate("!!slides[at].querySelector('img, svg')")
        page.evaluate("show(slides.findIndex((s) => s.querySelector('.jp-OutputArea')), false)")
        first, hidden = page.evaluate("[at, slides[at].querySelectorAll('.later').length]")
        assert hidden > 0
        for _ in range(hidden):
            page.keyboard.press("ArrowRight")
        assert page.evaluate("[at, slides[at].querySelectorAll('.later').length]") == [first, 0]
        page.keyboard.press("ArrowRight")
        assert page.evaluate("at") == first + 1
        browser.close()


def test_its_command_is_in_the_guide() -> None:
    guide = (KIT.parent / "TEACHING.md").read_text(encoding="utf-8")
    assert "`make slides LESSON=03_framing`" in guide
    makefile = (KIT.parents[2] / "Makefile").read_text(encoding="utf-8")
    assert "notebooks/exercises/slides.py $(LESSON)" in makefile.partition("\nslides:")[2]
