"""Take pictures of the lessons' widgets, for the book: run it after a widget has changed.

    python book/pictures.py [03_framing …]       all lessons, unless some are named

Each lesson runs in JupyterLab in Chromium. A picture is a screenshot of what the widget shows then.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import lessons
from lessons import NOTEBOOKS, PICTURES, ROOT, WIDGET
from playwright.sync_api import Page, sync_playwright

from wslab.lab.checks import find_chromium

sys.path += [str(ROOT / "tests" / "notebooks"), str(ROOT / "tests" / "browser")]
import conftest  # what the tests drive JupyterLab with

MINE = ".wslab-widget:not(:has(.wslab-predict))"
HEIGHT = 30_000  # pixels: all of a lesson, so that JupyterLab draws every cell


def widget_cells(name: str) -> list[str]:
    """Return the ids of a lesson's cells that show a widget, predictions apart."""
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [
        cell["id"]
        for cell in cells
        for output in cell.get("outputs", [])
        if WIDGET in "".join(output.get("data", {}).get("text/plain", ""))
    ]


def take(page: Page, name: str, ids: list[str]) -> None:
    """Save a picture of each widget on the page."""
    widgets = page.locator(MINE)
    widgets.last.wait_for()
    if widgets.count() != len(ids):
        sys.exit(f"{name}: {widgets.count()} widgets for the cells {', '.join(ids)}")
    for number, id_ in enumerate(ids):
        path = PICTURES / f"{name}-{id_}.png"
        widgets.nth(number).screenshot(path=path)
        print(path.relative_to(ROOT))


def main(names: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        conftest.running_lab(Path(home)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=conftest.CHROMIUM_FLAGS
        )
        for name in names:
            if not (ids := widget_cells(name)):
                continue
            context = browser.new_context(viewport={"width": 1100, "height": HEIGHT})
            page = context.new_page()
            page.set_default_timeout(conftest.UI_TIMEOUT)
            driver = conftest.Driver(lab)
            driver.open_notebook(page, f"{name}.ipynb")
            driver.run_all(page)
            take(page, name, ids)
            context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:] or lessons.names())
