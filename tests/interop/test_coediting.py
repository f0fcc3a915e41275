"""Somebody else's clients in our rooms: npm's yjs and y-websocket."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pycrdt
import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.apps.coediting import Rooms, Writer, protocol
from wslab.apps.coediting import serve as serve_rooms
from wslab.apps.coediting.protocol import STEP1, STEP2, UPDATE, read_y, sync
from wslab.kit.log import Store

from .conftest import HERE, PATIENCE, running

RECORDING = str(HERE / "yjs_recording.mjs")


class Person:
    """A client in Node."""

    def __init__(self, process: Any) -> None:
        self.process, self.shown = process, dict[str, Any]()

    def tell(self, **command: Any) -> None:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    async def until(self, condition: Callable[[dict[str, Any]], object]) -> None:
        while not self.shown or not condition(self.shown):
            line = await asyncio.to_thread(self.process.stdout.readline)
            assert line, self.process.stderr.read()
            self.shown = json.loads(line)


def client(node: Path, url: str, **options: Any) -> Any:
    settings = json.dumps({"url": url.rstrip("/"), **options})
    return running(str(node), str(HERE / "yjs_client.mjs"), settings)


async def test_two_of_them_and_python_converge_across_reconnects(node: Path) -> None:
    async with serve_rooms() as server, lab.cable(server) as cable, asyncio.timeout(PATIENCE):
        room = "诗 & song"
        with (
            client(node, cable.url, room="%E8%AF%97%20%26%20song", name="Ada") as one,
            client(node, cable.url, room=room, name="Bo") as two,
        ):
            ada, bo = Person(one), Person(two)
            url = f"{server.url}%E8%AF%97%20%26%20song"
            async with Writer(url, name="Cai", rng=Random(1)) as cai:
                for person in (ada, bo):
                    await person.until(lambda shown: shown["names"] == ["Ada", "Bo", "Cai"])
                ada.tell(insert=[0, "one😀 "])
                bo.tell(insert=[0, "two "])
                cai.insert(0, "三 ")
                for _ in range(2):
                    cable.cut()
                    ada.tell(insert=[0, "(offline a) "])
                    bo.tell(insert=[0, "(offline b) "])
                    await ada.until(lambda shown: shown["status"] == "synced")
                    await bo.until(lambda shown: shown["status"] == "synced")
                size = len("one😀 two 三 ") + 4 * len("(offline a) ")
                await cai.until(lambda: len(str(cai.text)) == size)
                for person in (ada, bo):
                    await person.until(lambda shown: shown["text"] == str(cai.text))
                    await person.until(lambda shown: shown["names"] == ["Ada", "Bo", "Cai"])
                for part in ("one😀 ", "two ", "三 ", "(offline a) ", "(offline b) "):
                    assert part in str(cai.text)
        assert server.errors == []


async def test_a_guest_is_told_once_and_stays(node: Path) -> None:
    rooms = Rooms(members={"secret": "Ada"})
    async with serve_rooms(rooms) as server, asyncio.timeout(PATIENCE):
        with client(node, server.url, room="r", name="Ada") as process:
            guest = Person(process)
            await guest.until(lambda shown: shown["status"] == "synced")
            async with Writer(f"{server.url}r?token=secret") as ada:
                ada.insert(0, "read this")
                await guest.until(lambda shown: shown["text"] == "read this")
                guest.tell(insert=[0, "forged "])
                await guest.until(lambda shown: "forged" in shown["text"])
                ada.insert(0, "please ")
                await guest.until(lambda shown: "please" in shown["text"])
                await ada.saved()
                assert str(ada.text) == "please read this"
        assert (guest.shown["denied"], guest.shown["status"]) == (1, "synced")
        events = [event.kind for event in server.events if event.kind == "open"]
        assert len(events) == 2  # it has never come again


def record(node: Path, seed: int) -> list[bytes]:
    """Return the updates of three people who edit all kinds of types."""
    command = (str(node), RECORDING, "make", str(seed), "250")
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    return [base64.b64decode(line) for line in made[:-2]]


def read(node: Path, *updates: bytes) -> str:
    """Return what npm's yjs sees in these updates."""
    lines = "".join(base64.b64encode(update).decode() + "\n" for update in updates)
    command = (str(node), RECORDING, "read")
    return subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_recording_of_all_types_is_served_faithfully(
    node: Path, seed: int, tmp_path: Path
) -> None:
    """It is replayed by several connections; then the server starts anew."""
    updates = record(node, seed)
    wanted = read(node, *updates)
    path = str(tmp_path / "rooms.sqlite")

    async def answer(url: str, state: bytes) -> bytes:
        async with connect(url, proxy=None, max_size=None) as ws:
            await ws.send(sync(STEP1, state))
            while True:
                kind, body = read_y(await ws.recv())
                if kind == STEP2:
                    return body

    async with asyncio.timeout(PATIENCE), serve_rooms(Rooms(Store(path))) as server:
        url = f"{server.url}recorded"
        order = Random(seed).sample(updates, len(updates)) if seed == 3 else updates
        async with connect(url, proxy=None) as one, connect(url, proxy=None) as two:
            relayed = []
            for number, update in enumerate(order):
                await (one if number % 3 else two).send(sync(UPDATE, update))
                if number == len(order) // 2:
                    early = await answer(url, protocol.NOTHING)
            for ws in (two, one):  # an answer comes after all that was sent before
                await ws.send(sync(STEP1, protocol.NOTHING))
                kind = b""
                while kind != STEP2:
                    kind, body = read_y(await ws.recv())
                    relayed += [body] if kind == UPDATE and ws is one else []
        assert read(node, *relayed) == wanted
        late = await answer(url, protocol.NOTHING)
        assert read(node, late) == wanted
        assert read(node, late, early) == wanted
        state = await state_of(url)
    async with asyncio.timeout(PATIENCE), serve_rooms(Rooms(Store(path))) as server:
        url = f"{server.url}recorded"
        assert read(node, await answer(url, protocol.NOTHING)) == wanted
        assert await state_of(url) == state
        assert await answer(url, state) == bytes([0]) + (await answer(url, state))[1:]
        assert read(node, early, await answer(url, pycrdt.get_state(early))) == wanted


async def state_of(url: str) -> bytes:
    async with connect(url, proxy=None) as ws:
        kind, body = read_y(await ws.recv())
        assert kind == STEP1
        return body
