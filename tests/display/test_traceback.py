"""A short traceback: the cell's lines and the last line; everything else is one word away."""

from __future__ import annotations

import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from wslab import display


@pytest.fixture
def run(capsys, monkeypatch):
    monkeypatch.setitem(vars(sys.modules["_wslab_kept"]), "hooks", {})  # those of another shell
    shell = InteractiveShell.instance()
    display.install(shell)

    def run(source: str) -> list[str]:
        capsys.readouterr()
        shell.run_cell(source)
        return [line.rstrip() for line in capsys.readouterr().out.strip().split("\n")]

    yield run
    InteractiveShell.clear_instance()


def test_the_lines_of_the_cell_and_the_last_line(run):
    assert run("import json\n\n\ntext = '{'\njson.loads(text)") == [
        "In the cell, line 5:",
        "      3",
        "      4 text = '{'",
        "----> 5 json.loads(text)",
        "      … and 3 calls deeper, in libraries: `%tb` shows everything",
        "",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
    ]


def test_a_function_of_another_cell(run):
    run("def divide(x):\n    return 1 / x")
    shown = run("divide(0)")
    assert shown[:2] == ["In the cell, line 1:", "----> 1 divide(0)"]
    assert shown[2] == "In the cell, line 2, in divide:"
    assert shown[-1] == "ZeroDivisionError: division by zero"
    assert "deeper" not in "".join(shown)


def test_a_peers_words_cannot_act_on_what_shows_them(run):
    shown = run("raise ConnectionError('reason: \\x1b]0;x\\x07\\x1b[31m\\u202e')")
    assert shown[-1] == r"ConnectionError: reason: \x1b]0;x\x07\x1b[31m\u202e"


def test_everything_is_still_there(run):
    run("import json\njson.loads('{')")
    assert "raw_decode" in "".join(run("%tb"))


def test_a_time_out_says_what_was_waited_for(run):
    shown = run("import asyncio\nasync with asyncio.timeout(0):\n    await asyncio.Event().wait()")
    assert shown[-1] == (
        "TimeoutError: the time was over while line 3 waited: await asyncio.Event().wait()"
    )


def test_a_time_out_with_words_of_its_own(run):
    assert run("raise TimeoutError('no answer')")[-1] == "TimeoutError: no answer"


def test_what_is_not_python(run):
    shown = run("1 +")
    assert shown[-1] == "SyntaxError: invalid syntax"
    assert "deeper" not in "".join(shown)


def test_an_exception_that_shows_itself(run):
    shown = run(
        "class E(Exception):\n    def _render_traceback_(self):\n        return ['mine']\nraise E"
    )
    assert shown == ["mine"]
