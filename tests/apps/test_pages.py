"""The pages of applications and their widgets: one frame for all, and every file is found."""

from __future__ import annotations

import importlib
import re
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from wslab.apps.chat import ChatWidget
from wslab.apps.media import BackpressureWidget
from wslab.browser import Browser, FrameExplorer, ScriptPage
from wslab.browser.widget import CellWidget, TargetWidget, make_widget
from wslab.lab.servers.files import PageFiles

TITLES = {
    "danmaku": "Danmaku 弹幕",
    "media": "Media chat",
    "coediting": "One text, many writers",
    "location": "Couriers nearby",
    "scores": "Live score",
    "quotes": "Two venues, three stocks",
}
MODULES = re.compile(r'^(?:import|export) .* from "\./([\w.]+)";$', re.MULTILINE)
OTHERS: tuple[type[CellWidget], ...] = (Browser, FrameExplorer, ScriptPage)


def get(page: PageFiles, path: str) -> str:
    response = page.answer(None, Request(path, Headers()))
    assert response is not None
    assert response.status_code == HTTPStatus.OK, path
    return response.body.decode()


def widget_of(app: str) -> type[CellWidget]:
    members = vars(importlib.import_module(f"wslab.apps.{app}")).values()
    own = [each for each in members if isinstance(each, type) and issubclass(each, TargetWidget)]
    return next(each for each in own if each not in (TargetWidget, BackpressureWidget))


@pytest.mark.parametrize("app", TITLES)
def test_a_page_has_its_title_and_finds_its_files(app: str) -> None:
    page: PageFiles = importlib.import_module(f"wslab.apps.{app}").PAGE
    html = get(page, "/?room=a")
    assert f"<title>{TITLES[app]}</title>" in html
    assert f"<h1>{TITLES[app]}</h1>" in html
    names = re.findall(r'"static/([\w.]+)"', html)
    assert {"app.css", "page.js"} <= {*names}
    seen: list[str] = []
    while names:
        seen.append(names.pop())
        found = MODULES.findall(get(page, f"/static/{seen[-1]}"))
        names += [name for name in found if name not in (*seen, *names)]
    assert "app.js" in seen


@pytest.mark.parametrize(
    "widget",
    [*map(widget_of, TITLES), BackpressureWidget, ChatWidget, *OTHERS],
    ids=lambda widget: widget.__name__,
)
def test_a_widget_has_what_its_script_imports(widget: type[CellWidget]) -> None:
    """In a notebook nothing can be imported, so each file is there once, before its users."""
    script = make_widget(*widget.FILES, state={}, on_message=print)._esm
    assert MODULES.findall(script) == []
    assert len(re.findall(r"^export default ", script, re.MULTILINE)) == 1
    classes = re.findall(r"^(?:export )?class (\w+)(?: extends (\w+))?", script, re.MULTILINE)
    names = [name for name, _ in classes]
    assert len(names) == len({*names})
    for name, base in classes:
        assert base in ("", "Error") or names.index(base) < names.index(name)
    assert script.index("function el(") < script.index("export default ")


def test_a_page_of_its_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>$name</h1> ${location.host}", encoding="utf-8")
    page = PageFiles(tmp_path, {"name": "你好"})
    assert get(page, "/") == "<h1>你好</h1> ${location.host}"
