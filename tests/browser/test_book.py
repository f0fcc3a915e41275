"""The book of `make site`: its pages in Chromium, its links, and what it keeps folded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from wslab.exercises.predictions.question import questions

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
SAMPLE = ("index", "notebooks/03_framing", "notebooks/exercises/03_framing", "package/kit")
SAMPLE += ("cheat_sheet", "notebooks/06_chatroom", "notebooks/exercises/TEACHING", "CHANGELOG")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book with buttons for everything; the edition in a page is only its first file."""
    folder = tmp_path_factory.mktemp("site")
    lite = tmp_path_factory.mktemp("lite")
    (lite / "lab").mkdir()
    (lite / "lab" / "index.html").write_text("the lab")
    script = (
        "import sys, pathlib; sys.path.insert(0, 'book'); import build; "
        "build.build(pathlib.Path(sys.argv[1]), lite=pathlib.Path(sys.argv[2]), "
        "repository='somebody/wslab', work=pathlib.Path(sys.argv[3]))"
    )
    work = tmp_path_factory.mktemp("work")
    command = [sys.executable, "-c", script, str(folder / "site"), str(lite), str(work)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def opened(page: Page, site: Path, name: str) -> Page:
    page.goto((site / f"{name}.html").as_uri())
    return page


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_in_three_ways(site, name):
    text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    assert f'href="../lite/lab/index.html?path={name}.ipynb"' in text
    assert f"somebody/wslab/main?urlpath=lab%2Ftree%2Fnotebooks%2F{name}.ipynb" in text
    copy = json.loads((site / "downloads" / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert f'href="../downloads/{name}.ipynb" download' in text
    assert not any(cell.get("outputs") for cell in copy["cells"])


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_question_comes_before_its_answer(browser: Browser, site, scripts):
    """What the next cell prints is not seen before the reader opens it."""
    context = browser.new_context(java_script_enabled=scripts)
    page = opened(context.new_page(), site, "notebooks/03_framing")
    asked = [one for one in questions().values() if one.lesson == "03"]
    boxes = page.locator(".wslab-question")
    assert boxes.count() == len(asked)
    for number in range(boxes.count()):
        answer = boxes.nth(number).locator("xpath=following::details[contains(@class,'hide')][1]")
        assert answer.locator("summary").is_visible()
        assert not answer.locator(".cell_output").is_visible()
        answer.locator("summary").click()
        assert answer.locator(".cell_output").is_visible()
    why = boxes.first.locator("details").nth(1)
    assert "returned what had arrived" not in page.locator("article").inner_text()
    why.locator("summary").click()
    assert "returned what had arrived" in page.locator("article").inner_text()
    context.close()


def test_every_answer_is_folded(site):
    """In each lesson, a cell that follows a question has no output outside of a fold."""
    for name in LESSONS:
        text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        parts = text.split('<div class="wslab-question">')[1:]
        assert len(parts) == sum(one.lesson == name[:2] for one in questions().values()), name
        for part in parts:
            shown = part.partition('<div class="cell_output')[0]
            assert re.search(r'<details class="[^"]*hide', shown), part[:300]


def test_widgets_are_pictures_that_say_how_to_use_them(page: Page, site):
    opened(page, site, "notebooks/03_framing")
    note = page.locator(".wslab-note")
    assert note.inner_text() == "This is a picture of it. Run the lesson to use it."
    picture = page.locator("img[alt^='FrameExplorer']")
    assert picture.evaluate("image => image.naturalWidth") > 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_fetched(page: Page, axe, site, scheme):
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.emulate_media(color_scheme=scheme)
    for name in SAMPLE:
        opened(page, site, name)
        assert axe(page, "article") == [], name
    assert [url for url in outside if not url.startswith(("file:", "data:"))] == []


def test_no_page_is_wider_than_a_phone(page: Page, site):
    page.set_viewport_size({"width": 390, "height": 800})
    files = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] != "_static"]
    own = [path for path in files if path.name != "cheatsheet.html"]  # it is for paper
    wide = []
    for path in own:
        page.goto(path.as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        wide += [f"{path.relative_to(site)}: {width}"] * (width > 390)
    assert len(own) > 60
    assert wide == []


def test_on_paper_the_answers_are_there(page: Page, site):
    opened(page, site, "notebooks/03_framing")
    page.emulate_media(media="print")
    assert page.locator("details .cell_output").first.is_visible()
    assert not page.locator(".wslab-buttons").is_visible()


def test_the_search_finds_a_word(page: Page, site):
    page.goto((site / "search.html").as_uri() + "?q=masking")
    page.locator("#search-results li").first.wait_for()
    assert "Framing" in page.locator("#search-results").inner_text()


def test_a_link_to_nowhere_is_found(site, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book")
    import check

    copy = tmp_path / "site"
    (copy / "notebooks").mkdir(parents=True)
    shutil.copy(site / "index.html", copy)
    (copy / "index.html").write_text('<p id="here"><a href="#here">a</a><a href="x.html">b</a>')
    (copy / "notebooks" / "a.html").write_text('<a href="../index.html#there">c</a><img src="d">')
    assert check.broken_links(copy) == [
        "index.html: x.html: no such file",
        "notebooks/a.html: ../index.html#there: no such place",
        "notebooks/a.html: d: no such file",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cell: cell.update(id="new"), "no picture 03_framing-new.png of a widget"),
    ],
)
def test_a_widget_without_a_picture_is_an_error(monkeypatch, change, said):
    monkeypatch.syspath_prepend(ROOT / "book")
    import lessons

    notebook = json.loads((ROOT / "notebooks" / "03_framing.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if "".join(cell["source"]).startswith("FrameExplorer("):
            change(cell)
    with pytest.raises(FileNotFoundError, match=said):
        lessons.page_cells(notebook["cells"], "03_framing")


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").iterdir()), ids=str)
def test_the_workflows_follow_the_schema(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.github-workflows", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
