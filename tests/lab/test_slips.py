"""Likely slips: they work, or a sentence says what to write."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.browser import FrameExplorer
from wslab.protocol import Frame


async def test_connect_to_a_thing_instead_of_its_url():
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable:
        for thing, said in ((server, "server.url"), (cable, "cable.url")):
            with pytest.raises(TypeError, match=rf"connect\(\) takes a URL.*connect\({said}\)"):
                await connect(thing)


async def test_a_cable_to_a_port_and_a_kind_in_any_case():
    async with lab.serve(lab.echo) as server, lab.cable(server.port) as cable, asyncio.timeout(45):
        async with connect(cable.url, proxy=None) as ws:
            await ws.send("Hello")
            await ws.recv()
        transcript = await cable.settle()
    assert [row.text for row in transcript.only(kind="text")] == ["Hello", "Hello"]
    assert len(transcript.only("text")) == len(transcript.only(kind="TEXT")) == 2


@pytest.mark.parametrize("text", ["81 05 48 65 6c 6c 6f", "810548656c6c6f", "81:05:48:65:6C:6C:6F"])
def test_a_frame_in_hexadecimal(text):
    assert Frame.parse(text)[0].payload == b"Hello"
    assert lab.dissect(text) == lab.dissect(bytes.fromhex("810548656c6c6f"))
    assert FrameExplorer(text).data == bytes.fromhex("810548656c6c6f")


def test_text_that_is_not_hexadecimal():
    for read in (Frame.parse, lab.dissect, FrameExplorer):
        with pytest.raises(ValueError, match="hex"):
            read("Hello")
