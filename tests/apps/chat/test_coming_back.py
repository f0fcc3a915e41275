"""The reconnecting client in the course's own chatroom: the name is part of what comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from wslab import kit, lab
from wslab.apps import chat
from wslab.kit.attempt import library_connect
from wslab.scratch.client import connect_from_scratch

QUICK = kit.Backoff(first=0.02, limit=0.1, quick=1)


def say_name(resumed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Say the name, unless the room still knows it."""
    if resumed["you"] != "Ada":
        yield {"type": "setName", "text": "Ada"}


def texts(room: chat.ChatServer) -> list[str]:
    return [said["text"] for said in room.history if said["kind"] == "chat"]


@pytest.mark.parametrize("connect", [library_connect, connect_from_scratch])
@pytest.mark.parametrize("fault", ["cut", "reset", "restart"])
async def test_what_waits_is_said_under_the_name(connect: Any, fault: str) -> None:
    room = chat.serve()
    cable = lab.cable(room)
    options = {"policy": QUICK, "rng": random.Random(1), "stable_after": 0, "connect": connect}
    async with (
        asyncio.timeout(30),
        kit.ReconnectingClient(cable.url, setup=say_name, **options) as ada,
    ):
        ada.send({"type": "chat", "text": "1"})
        await ada.delivered()
        for number in range(2, 5):
            if fault == "restart":
                port, log = room.port, room.log
                await room.stop()
                room = chat.serve(port=port, log=log)
            else:
                getattr(cable, fault)()
            ada.send({"type": "chat", "text": f"{number}"})
            await ada.delivered()
        await ada.close()
        refused = [event async for event in ada if isinstance(event, kit.Refused)]
    assert texts(room) == ["1", "2", "3", "4"]
    assert refused == []
    assert room.refused == {}
    assert {said["name"] for said in room.history if said["kind"] == "chat"} == {"Ada"}


async def test_a_name_that_somebody_took_meanwhile() -> None:
    """What waits is refused with the reason, and what follows under another name is said."""
    room = chat.serve()
    cable = lab.cable(room)
    name = "Ada"

    def setup(resumed: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if resumed["you"] == name else [{"type": "setName", "text": name}]

    options = {"policy": QUICK, "rng": random.Random(1), "stable_after": 0}
    async with (
        asyncio.timeout(30),
        kit.ReconnectingClient(cable.url, setup=setup, history=False, **options) as ada,
    ):
        await ada.until(kit.ClientState.ONLINE)
        await room.settle(lambda: room.members == ["Ada"])
        port = room.port
        await room.stop()
        key = ada.send({"type": "chat", "text": "lost"})
        await ada.until(kit.ClientState.WAITING)
        room = chat.serve()  # on another port, so that the impostor is there first
        async with chat.ChatClient(room.url, "Ada") as impostor:
            await impostor.until("Ada joined the room")
            ada.url = room.url
            async for event in ada:
                if isinstance(event, kit.Refused):
                    break
            assert (event.key, event.error) == (key, "no_name")
            assert port != room.port
            name = "Ada 2"
            ada.send({"type": "setName", "text": name})
            ada.send({"type": "chat", "text": "here"})
            await ada.delivered()
    assert texts(room) == ["here"]


async def test_a_message_that_is_too_big_for_the_room() -> None:
    room = chat.serve(rules=chat.Rules(message_size=1000))
    options = {"policy": QUICK, "rng": random.Random(1), "stable_after": 0}
    async with (
        asyncio.timeout(30),
        kit.ReconnectingClient(room.url, setup=say_name, **options) as ada,
    ):
        ada.send({"type": "chat", "text": "before"})
        key = ada.send({"type": "chat", "text": "x" * 1500})
        ada.send({"type": "chat", "text": "after"})
        await ada.delivered()
        await ada.close()
        refused = [event async for event in ada if isinstance(event, kit.Refused)]
    assert [(event.key, event.error) for event in refused] == [(key, "too_big")]
    assert texts(room) == ["before", "after"]
