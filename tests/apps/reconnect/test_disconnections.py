"""Every way of losing a connection, done: the lesson's table is the same each time."""

from __future__ import annotations

import asyncio

import pytest

from wslab.apps.reconnect.disconnections import WAYS, disconnect
from wslab.kit.attempt import library_connect
from wslab.scratch.client import connect_from_scratch

BROKEN = ("closed with 1006: the connection broke off", "1006 ABNORMAL_CLOSURE")
SILENT = ("no sign of life for 0.4 s", "1006 ABNORMAL_CLOSURE")
LEFT = ("closed with 1001: the server goes away, for a restart", "1001 GOING_AWAY")
BACK = "back, 'amid' took effect once"

SEEN = {
    "a box on the way closes the connection (FIN)": (*BROKEN, BACK),
    "a box on the way resets the connection (RST)": (*BROKEN, BACK),
    "no network, in both directions": (*SILENT, BACK),
    "no network, towards the server": (*SILENT, BACK),
    "no network, towards the client": (*SILENT, BACK),
    "half a frame arrives, then nothing": (*SILENT, BACK),
    "the server restarts, with its log": (*LEFT, BACK),
    "the server restarts, its log is lost": (*LEFT, f"told of a gap: epoch; {BACK}"),
    "the server has an error": (
        "closed with 1011: the server has an error",
        "1011 INTERNAL_ERROR",
        BACK,
    ),
    "the server is killed, and comes back": (*BROKEN, f"told of a gap: epoch; {BACK}"),
    "the server is replaced by one that refuses": (
        f"{LEFT[0]}, then refused with 403 Forbidden: it will be the same next time",
        "1001 GOING_AWAY",
        "told that it is final",
    ),
}


@pytest.mark.parametrize(
    "connect", [library_connect, connect_from_scratch], ids=["library", "from scratch"]
)
@pytest.mark.parametrize(("kind", "way"), WAYS, ids=[way for _, way in WAYS])
async def test_each_of_them(kind, way, connect):
    found = await disconnect(kind, way, connect=connect)
    assert (found.kind, found.way) == (kind, way)
    assert (found.client, found.server, found.outcome) == SEEN[way]
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_both_kinds_of_the_tutorial():
    assert {kind for kind, _ in WAYS} == {"front end", "back end"}
    assert {way for _, way in WAYS} == set(SEEN)


async def test_one_that_is_not_there():
    with pytest.raises(KeyError):
        await disconnect("front end", "bad luck")
