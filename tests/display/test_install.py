"""What a shell learns when the lab is installed in it."""

from __future__ import annotations

import asyncio
import atexit
import io
import subprocess
import sys
import threading
from contextlib import redirect_stdout

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wslab import display, lab
from wslab.lab.loop import process_global
from wslab.lab.record import Events, HandlerError, Record
from wslab.lab.registry import registry
from wslab.lab.wire.tape import Tape


@pytest.fixture
def shell(monkeypatch):
    """A real shell; what the whole process keeps is put back afterwards."""
    for name in ("hooks", "wakeup"):
        monkeypatch.setitem(vars(sys.modules["_wslab_kept"]), name, {})
    made = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    yield made
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)


def hooks(shell):
    return [hook.__name__ for hook in shell.events.callbacks["post_run_cell"]]


@pytest.mark.parametrize(
    "value",
    [
        Events([Record(1, "open", "/")]),
        lab.dissect(b"\x81\x00"),
        lab.table(["a"], [["b"]]),
        lab.Transcript(Tape()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_shown_as_html_with_a_text_twin(shell, value):
    display.install(shell)
    shown, _ = shell.display_formatter.format(value)
    assert shown["text/html"].startswith('<table class="wslab ')
    assert shown["text/plain"] == repr(value)


def test_a_row_is_too(shell):
    display.install(shell)
    tape = Tape()
    tape.note(0, "cable", "cut (both)")
    shown, _ = shell.display_formatter.format(lab.Transcript(tape)[0])
    assert "cut (both)" in shown["text/html"]


def test_a_figure_is_shown_as_a_picture_without_pyplot(shell):
    from matplotlib.figure import Figure

    display.install(shell)
    shown, _ = shell.display_formatter.format(Figure(figsize=(1, 1)))
    assert shown["image/png"].startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules


def test_twice_changes_nothing(shell):
    before = hooks(shell)
    display.install(shell)
    display.install(shell)
    assert hooks(shell) == [*before, "show_new_errors"]


def run_a_cell(shell):
    out = io.StringIO()
    with redirect_stdout(out):
        shell.run_cell("pass")
    return out.getvalue()


def test_new_errors_appear_below_a_cell_once(shell):
    async def failing(connection):
        raise ValueError("broken")

    async def talk(url):
        async with connect(url) as ws:
            with pytest.raises(ConnectionClosed):
                await ws.recv()

    display.install(shell)
    server = lab.serve(failing)
    lab.cable(server)  # has no errors to show
    try:
        asyncio.run(talk(server.url))
        asyncio.run(server.settle(3))
        shown = run_a_cell(shell)
        assert shown.startswith("The handler of server 'failing' raised on connection 1:")
        assert shown.rstrip().endswith("ValueError: broken")
        assert run_a_cell(shell) == ""
    finally:
        for listener in registry().values():
            listener.stop_now()


def test_a_hostile_error_is_harmless(shell):
    try:
        raise ValueError("<script>\x1b[31m")
    except ValueError as error:
        shown, _ = shell.display_formatter.format(HandlerError.of("x", 1, error))
    assert shown == {"text/plain": shown["text/plain"]}
    assert shown["text/plain"].endswith("ValueError: <script>\\x1b[31m")


class TestStop:
    """Only in a kernel, on its main thread, while its loop runs, is there a loop to wake."""

    @pytest.fixture
    def woken(self, shell, monkeypatch):
        calls = []
        monkeypatch.setattr(display, "let_stop_reach_awaits", lambda: calls.append(True))
        shell.kernel = object()
        return calls

    async def test_in_a_kernel(self, shell, woken):
        display.install(shell)
        assert woken == [True]

    def test_where_no_loop_runs(self, shell, woken):
        display.install(shell)
        assert woken == []

    async def test_in_another_thread(self, shell, woken):
        thread = threading.Thread(target=display.install, args=[shell])
        thread.start()
        thread.join()
        assert woken == []

    async def test_without_a_kernel(self, shell, woken):
        del shell.kernel
        display.install(shell)
        assert woken == []


@pytest.mark.parametrize(
    ("before", "installed"),
    [
        ("", "False"),
        ("import IPython", "False"),
        ("from IPython.core.interactiveshell import InteractiveShell as S; S.instance()", "True"),
    ],
)
def test_importing_the_face_installs_where_a_shell_runs(before, installed, tmp_path):
    source = f"""
import sys
{before}
import wslab
print("wslab.display" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=30,
        env={"IPYTHONDIR": str(tmp_path), "PATH": ""},
    )
    assert (done.stdout.strip(), done.stderr) == (installed, "")


def test_what_is_kept_is_where_the_tests_expect_it():
    assert process_global("hooks", dict) is vars(sys.modules["_wslab_kept"])["hooks"]
