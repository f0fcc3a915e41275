"""An application that is added by the rules of CONTRIBUTING.md: it is found, served and shown."""

from __future__ import annotations

import importlib
import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

import wslab.apps
from wslab import __main__ as cli
from wslab.browser.widget import make_widget
from wslab.lab.registry import registry
from wslab.lab.wire import dissectors

FOLDER = Path(__file__).parent / "dice"
# The one line in wslab/__main__.py.
ROW = cli.Service("rolls the dice", "wslab.apps.dice:start_dice", demo="wslab.apps.dice:demo_dice")


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add the application for one test."""
    known = dict(cli.SERVICES)
    monkeypatch.setattr(wslab.apps, "__path__", [*wslab.apps.__path__, str(FOLDER.parent)])
    monkeypatch.setattr(cli, "SERVICES", {**known, "dice": ROW})
    yield
    for name in [name for name in sys.modules if name.startswith("wslab.apps.dice")]:
        del sys.modules[name]
    vars(wslab.apps).pop("dice", None)


def test_serve_finds_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []

    def visit(_seconds: float) -> None:
        url = registry()["dice"].url
        with urllib.request.urlopen(url.replace("ws:", "http:")) as page:
            answers.append(page.read())
        with connect(f"{url}dice", proxy=None) as ws:
            ws.send("roll")
            answers.append(ws.recv())
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli.time, "sleep", visit)
    assert cli.main(["serve", "dice"]) == 0
    assert capsys.readouterr().out.startswith("ws://127.0.0.1:")
    page, number = answers
    assert b"<title>Dice</title>" in page
    assert number in "123456"


def test_a_cell_shows_what_the_page_shows() -> None:
    dice = importlib.import_module("wslab.apps.dice")
    script = make_widget(*dice.DiceWidget.FILES, state={}, on_message=print)._esm
    assert script.index("class RepeatedConnection") < script.index("class Dice extends")


def test_demo_shows_it_in_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "dice"]) == 0
    assert "the dice show " in capsys.readouterr().out


def test_it_stands_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "rolls the dice" in capsys.readouterr().out


def test_its_dissector_is_for_its_own_conversations() -> None:
    __import__("wslab.apps.dice")
    assert dissectors.dissector_of(b"GET /dice HTTP/1.1\r\n") is not None
    assert type(dissectors.dissector_of(b"GET /chat HTTP/1.1\r\n")).__name__ != "DiceRows"
