"""Beats: what a program asks that cannot ping, and what a room and a feed answer."""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.apps import chat
from wslab.apps.reconnect.feed import Feed

BEAT = '{"type":"beat"}'
RESUME = '{"type":"resume","epoch":null,"after":0,"client":"0123456789abcdef"}'


@pytest.mark.parametrize("make", [chat.serve, lambda: lab.serve(Feed(), name="feed")])
async def test_a_beat_is_answered_and_is_no_message(make):
    server = make()
    async with connect(server.url) as ws:
        await ws.send(RESUME)
        assert json.loads(await ws.recv())["type"] == "resumed"
        await ws.send(BEAT)
        assert json.loads(await ws.recv()) == {"type": "beat"}
        await ws.send(BEAT)
        assert json.loads(await ws.recv()) == {"type": "beat"}
    assert not server.errors


async def test_it_counts_as_no_error_and_is_not_logged():
    room = chat.serve()
    async with connect(room.url) as ws:
        await ws.send(BEAT)
        assert json.loads(await ws.recv()) == {"type": "beat"}
    assert (room.refused, room.history) == ({}, [])


async def test_a_classic_room_does_not_know_it():
    room = chat.serve(classic=True)
    async with connect(room.url) as ws:
        await ws.send(BEAT)
        await ws.send('{"type":"setName","text":"Ada"}')
        assert json.loads(await ws.recv()) == {"name": "Server", "text": "Ada加入了房间"}
