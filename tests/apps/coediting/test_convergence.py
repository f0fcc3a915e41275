"""Five writers on networks in memory: whatever happens, their copies converge and lose nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import serve

from wslab.apps.coediting import Rooms, Writer
from wslab.kit.log import Store
from wslab.net import Dice, Fault, Run, explore, launch, simulate

WRITERS, WORDS = 5, 6
OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": 5, "ping_timeout": 5}


async def main(tmp: str = "") -> tuple[list[str], list[str]]:
    """Let five people write in one room; return their copies, and all that they have written."""

    async def server(disk: dict[str, Any]) -> None:
        store = disk.setdefault("store", Store())
        async with serve(Rooms(store), "server", 9000, **OPTIONS) as listener:
            await listener.serve_forever()

    launch(server)
    written: list[str] = []

    async def write(writer: Writer, rng: Random) -> None:
        for number in range(WORDS):
            await asyncio.sleep(rng.uniform(0, 3))
            word = f"<{writer.name}{number}>"
            # Between words, so that nobody writes into somebody else's.
            ends = [0, *(n + 1 for n, letter in enumerate(str(writer.text)) if letter == ">")]
            writer.insert(rng.choice(ends), word)
            written.append(word)

    async with AsyncExitStack() as stack:
        writers = [
            Writer("ws://server:9000/poem", name="abcde"[n], client=n + 1, rng=Random(n))
            for n in range(WRITERS)
        ]
        for writer in writers:
            await stack.enter_async_context(writer)
        async with asyncio.TaskGroup() as group:
            for number, writer in enumerate(writers):
                group.create_task(write(writer, Random(number)))
        for writer in writers:
            await writer.saved(within=300)
        everything = sum(map(len, written))
        for writer in writers:
            await writer.until(lambda w=writer: len(str(w.text)) == everything, within=300)
        return [str(writer.text) for writer in writers], written


def converged(run: Run) -> None:
    copies, written = run.value
    assert len(set(copies)) == 1
    assert sorted(copies[0].replace(">", "> ").split()) == sorted(written)


def test_without_faults() -> None:
    run = simulate(main)
    run.result()
    converged(run)
    assert run.errors == ()


@pytest.mark.parametrize("seed", [0, 1000])
@pytest.mark.untraced
def test_under_every_schedule(seed: int) -> None:
    """The server crashes too, and keeps its disk."""
    found = explore(main, runs=60, check=converged, seed=seed)
    assert found.smallest is None, found


def test_a_run_can_be_repeated() -> None:
    faults = Dice(("cut", "freeze", "delay"))
    first, second = (simulate(main, seed=5, faults=faults, record=True) for _ in range(2))
    assert first.result() == second.result()
    assert first.seconds == second.seconds


def test_a_server_that_loses_its_disk_gets_it_all_from_the_writers() -> None:
    crash = Fault("crash", at=6, lasts=1, keeps=False)
    run = simulate(main, faults=[crash])
    run.result()
    converged(run)
