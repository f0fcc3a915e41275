"""simulate in a notebook: in cells that await and cells that do not, and Stop in both."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from run_all import as_a_learner, press_stop

SETUP = """
import asyncio
from wslab.net import simulate
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def echo(ws):
    async for message in ws:
        await ws.send(message)

async def talk():
    async with serve(echo, "server", 9000), connect("ws://server:9000/", proxy=None) as ws:
        await ws.send("Hello")
        return await ws.recv()

async def forever():
    while True:
        await asyncio.sleep(1)
"""
NEST = "import nest_asyncio2\nnest_asyncio2.apply()\nasyncio.run(asyncio.sleep(0))"
AWAIT = "await asyncio.sleep(0.01)\n"
TALK = "simulate(talk).result()"
FOREVER = "simulate(forever, within=1e12)"

CELLS = [
    (SETUP, []),
    (TALK, ["'Hello'"]),
    (AWAIT + TALK, ["'Hello'"]),
    (FOREVER, ["KeyboardInterrupt"]),
    (AWAIT + FOREVER, ["KeyboardInterrupt"]),
    (AWAIT + TALK, ["'Hello'"]),
    (NEST, []),
    (TALK, ["'Hello'"]),
    (AWAIT + TALK, ["'Hello'"]),
    (AWAIT + FOREVER, ["KeyboardInterrupt"]),
    (AWAIT + TALK, ["'Hello'"]),
]


@pytest.mark.slow
def test_in_a_kernel():
    cells = [nbformat.v4.new_code_cell(source) for source, _ in CELLS]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=50, allow_errors=True, kernel_name="python3"
    )

    with client.setup_kernel(env=as_a_learner()):
        for number, (cell, (source, expected)) in enumerate(zip(cells, CELLS, strict=True)):
            if FOREVER in source:
                press_stop(client, cell)
            client.execute_cell(cell, number)
            found = [
                output.get("ename") or output["data"]["text/plain"]
                for output in cell.outputs
                if output.output_type != "stream"
            ]
            assert found == expected, source
