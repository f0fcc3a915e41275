"""The bench in memory in a notebook: Stop in each kind of cell, after which all goes on."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from run_all import as_a_learner, press_stop

SETUP = """
import asyncio
from websockets import connect
from wslab import check, lab

async def answer(ws):
    async for message in ws:
        while message == "spin":
            pass
        await ws.send(message)

async def talk(message="Hello"):
    async with asyncio.timeout(45), connect(cable.url) as ws:
        await ws.send(message)
        return await ws.recv()

def endless(first, second):
    while True:
        pass

server = lab.serve(answer)
cable = lab.cable(server)
"""
TALK = "await talk()"
STOPPED = [
    "async with connect(server.url) as ws:\n    await ws.recv()",
    "await talk('spin')",
    "lab.run(asyncio.sleep(3600))",
    "await asyncio.sleep(0.01)\nlab.run(asyncio.sleep(3600))",
    "lab.run(talk('spin'))",
]
CELLS = [
    (SETUP, []),
    *(pair for source in STOPPED for pair in ((source, None), (TALK, ["'Hello'"]))),
    ("server = lab.serve(answer)\nserver.replaced", ["True"]),
    ("lab.run(talk())", ["'Hello'"]),
    ("lab.allow_asyncio_run()\nasyncio.run(talk())", ["'Hello'"]),
    (TALK, ["'Hello'"]),
    ("check.framing.mask.judge(endless, seconds=0.2).outcome.name", ["'TIMED_OUT'"]),
    ("await cable.stop()\nawait server.stop()\ncable.is_running, server.is_running", None),
    ("server.is_running, cable.is_running", ["(False, False)"]),
]


@pytest.mark.slow
def test_in_a_kernel():
    cells = [nbformat.v4.new_code_cell(source) for source, _ in CELLS]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=50, allow_errors=True, kernel_name="python3"
    )

    with client.setup_kernel(env=as_a_learner(WSLAB_NETWORK="memory")):
        for number, (cell, (source, expected)) in enumerate(zip(cells, CELLS, strict=True)):
            if source in STOPPED:
                press_stop(client, cell)
            client.execute_cell(cell, number)
            errors = {output.get("ename") for output in cell.outputs} - {None}
            if source in STOPPED:
                assert errors <= {"CancelledError", "KeyboardInterrupt"}, source
                assert errors, source
            elif expected is not None:
                assert errors == set(), source
                shown = [o["data"]["text/plain"] for o in cell.outputs if "data" in o]
                assert shown == expected, source
