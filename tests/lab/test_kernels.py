"""The lab in real kernels: Stop, errors below the next cell, Run All with asyncio.run."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from run_all import kernel, once, problems

from wslab.lab.kernels import run_all

from .conftest import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

# While such a cell runs, the messages of the cells queued behind it arrive.
ASYNCIO_RUN = """
import asyncio
async def main():
    for _ in range(10):
        await asyncio.sleep(0.02)
asyncio.run(main())
"""
CELLS = 6


class Notebook:
    """A kernel to which one cell after the other is sent."""

    def __init__(self, manager, client) -> None:
        self.manager, self.client = manager, client

    def run(self, source, *, stop_when=None):
        """Run a cell; return its reply and its outputs as (type, content).

        stop_when: press Stop as soon as the cell has printed this.
        """
        sent = self.client.execute(source, allow_stdin=False)
        outputs = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            outputs.append((kind, content))
            if stop_when is not None and kind == "stream" and stop_when in content["text"]:
                self.manager.interrupt_kernel()
                stop_when = None
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"]["msg_id"] == sent:
                shown = [o for o in outputs if o[0] not in ("status", "execute_input")]
                return reply["content"], shown

    def value(self, source):
        """Run a cell and return the text of its result."""
        reply, outputs = self.run(source)
        assert reply["status"] == "ok", reply
        return next(c["data"]["text/plain"] for kind, c in outputs if kind == "execute_result")


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    with kernel(tmp_path_factory.mktemp("kernel")) as (manager, client):
        yield Notebook(manager, client)


SET_UP = """
import importlib, wslab, wslab.lab.loop
from websockets import connect
from wslab import lab, display

async def silent(connection):
    await connection.wait_closed()

async def failing(connection):
    await connection.recv()
    1 / 0

server = lab.serve(silent)
broken = lab.serve(failing)
"""
WAIT = """
async with connect(server.url, ping_interval=None) as ws:
    print("waiting")
    await ws.recv()
"""
AGAIN = "import wslab"
FRESH = "import sys; del sys.modules['wslab']; import wslab"
RELOADED = "importlib.reload(wslab.lab.loop); importlib.reload(display); importlib.reload(wslab)"


@pytest.mark.parametrize("before", ["", AGAIN, FRESH, RELOADED])
def test_stop_reaches_a_cell_that_awaits(notebook, before):
    assert notebook.run(SET_UP)[0]["status"] == "ok"
    assert notebook.run(before)[0]["status"] == "ok"
    reply, outputs = notebook.run(WAIT, stop_when="waiting")
    assert reply["status"] == "error"
    assert reply["ename"] in ("CancelledError", "KeyboardInterrupt")
    assert [c["name"] for kind, c in outputs if kind == "stream"] == ["stdout"]
    assert notebook.value("1 + 1") == "2"


def test_a_handlers_error_appears_below_the_next_cell(notebook):
    assert notebook.run(SET_UP)[0]["status"] == "ok"
    talk = """
async with connect(broken.url) as ws:
    await ws.send("x")
    await ws.wait_closed()
await broken.settle(3)
None
"""
    _, outputs = notebook.run(talk)
    outputs += notebook.run("pass")[1]
    outputs += notebook.run("pass")[1]
    ((kind, content),) = outputs  # once, and nothing on stderr
    assert kind == "display_data"
    text = content["data"]["text/plain"]
    assert text.startswith("The handler of server 'failing' raised on connection 1:\n")
    assert text.endswith("ZeroDivisionError: division by zero")
    assert 'File "a cell of this notebook", line ' in text
    assert "ipykernel" not in text


def test_reading_the_errors_hides_none(notebook):
    assert notebook.run(SET_UP)[0]["status"] == "ok"
    talk = """
async with connect(broken.url) as ws:
    await ws.send("x")
    await ws.wait_closed()
await broken.settle(3)
len(broken.errors)
"""
    reply, outputs = notebook.run(talk)
    assert reply["status"] == "ok"
    assert [kind for kind, _ in outputs] == ["execute_result", "display_data"]
    assert notebook.run("pass")[1] == []


def test_values_have_html_and_text(notebook):
    assert notebook.run(SET_UP)[0]["status"] == "ok"
    _, outputs = notebook.run("lab.dissect(b'\\x81\\x02Hi')")
    data = outputs[0][1]["data"]
    assert data["text/html"].startswith('<table class="wslab ')
    assert data["text/plain"].startswith("byte  bits")


def write(folder: Path, *cells: str) -> Path:
    path = folder / "made_up.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    return path


def test_run_all_with_asyncio_run_in_every_cell(tmp_path):
    allow = "from wslab import lab; lab.allow_asyncio_run()"
    path = write(tmp_path, allow, *[ASYNCIO_RUN] * CELLS, "await asyncio.sleep(0)", allow)
    assert problems(path, once(nbformat.read(path, as_version=4)), timeout=PATIENCE) == []


def test_the_archived_nest_asyncio_loses_cells(tmp_path):
    """The evidence for nest_asyncio2: with the original, what arrives meanwhile is lost."""
    path = write(tmp_path, "import nest_asyncio; nest_asyncio.apply()", *[ASYNCIO_RUN] * CELLS)
    lost = problems(path, once(nbformat.read(path, as_version=4)), timeout=3)
    assert [text for text in lost if text.endswith("no reply")], (
        "nest_asyncio loses no queued cell any more: is it maintained again? Then look at the "
        "choice of nest_asyncio2 in wslab/lab/loop.py, requirements.txt and notebook 90 once more"
    )


async def test_a_second_kernel_for_a_notebook():
    """What notebook 90 shows with, also that allow_asyncio_run() refuses where it is too late."""
    too_late = "from wslab import lab; lab.allow_asyncio_run()"
    apply = "import nest_asyncio; nest_asyncio.apply()"
    fates = await run_all(["1", "1 / 0", apply, too_late], patience=PATIENCE)
    assert fates == ["ran", "raised ZeroDivisionError", "ran", "raised RuntimeError"]


async def test_what_a_silent_kernel_never_answers_is_lost():
    fates = await run_all(["1", "import time; time.sleep(60)", "2"], patience=10)
    assert fates == ["ran", "lost", "lost"]
