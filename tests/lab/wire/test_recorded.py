"""What a simulation records makes the transcript that a cable makes of the same conversation."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.net import Fault, simulate

QUIET = {"proxy": None, "compression": None}


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def talk(url):
    async with connect(url, **QUIET) as ws:
        for text in ("one", "two"):
            await ws.send(text)
            await ws.recv()


async def on_the_network():
    async with serve(echo, "server", 9000, compression=None):
        await talk("ws://server:9000/")


def said(transcript):
    return [
        (row.who, row.kind, row.size, row.text)
        for row in transcript
        if row.kind != "HTTP" and not row.text.startswith("reset")
    ]


async def test_as_a_cable_records_it():
    async with lab.serve(echo) as server, lab.cable(server) as cable:
        await talk(cable.url)
        transcript = await cable.settle()
    assert said(simulate(on_the_network, record=True).transcript) == said(transcript)


def test_tables_bits_and_diagram():
    run = simulate(on_the_network, record=True)
    frame = run.transcript.frames[0]
    assert (frame.text, frame.seconds) == ("one", pytest.approx(0.004))
    assert "TEXT" in repr(frame.grid)
    assert 'TEXT "one"' in repr(run.diagram)
    assert [row.kind for row in run.transcript.http] == ["HTTP", "HTTP"]


def test_what_was_lost_is_marked():
    async def main():
        async with serve(echo, "server", 9000), connect("ws://server:9000/", **QUIET) as ws:
            await asyncio.sleep(0.1)
            await ws.send("Hello")
            with pytest.raises(ConnectionClosed):
                await ws.recv()

    faults = [Fault("drop_after", at=0.05, lasts=100, side="client", amount=5)]
    run = simulate(main, faults=faults, record=True)
    run.result()
    (text,) = run.transcript.only("TEXT")
    assert (text.lost, text.size) == (6, 11)
    assert "everything after 5 more bytes is lost" in repr(run.diagram)


def test_it_has_to_be_asked_for():
    run = simulate(on_the_network)
    with pytest.raises(RuntimeError, match="record=True"):
        run.transcript  # noqa: B018
