"""A toy application: whoever says "roll" hears what the dice show."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from wslab import lab
from wslab.browser.widget import TargetWidget
from wslab.lab.servers.files import PageFiles
from wslab.lab.wire.dissectors import register

from .rows import DiceRows

__all__ = ["DiceWidget", "demo_dice", "serve", "start_dice"]

FOLDER = Path(__file__).parent / "page"
PAGE = PageFiles(FOLDER, {"title": "Dice"})

register("dice", DiceRows())


def serve(*, rng: random.Random, host: str = "127.0.0.1", port: int = 0) -> lab.Server:
    """Start the dice beside the notebook; rng: what they show."""

    async def roll(ws: Any) -> None:
        async for message in ws:
            await ws.send(str(rng.randint(1, 6)) if message == "roll" else 'say "roll"')

    return lab.serve(roll, name="dice", host=host, port=port, process_request=PAGE.answer)


class DiceWidget(TargetWidget):
    """The page of the dice in a cell. target: the server, a cable to it, or a URL."""

    FILES = (f"{FOLDER}/app.css", f"{FOLDER}/app.js")  # of wslab's own: "apps/dice/page/app.css"


def start_dice(**where: Any) -> lab.Server:
    """Start what the command line asks for; where: host and port."""
    return serve(rng=random.Random(), **where)


async def demo_dice() -> None:
    """Roll once, and show the bytes."""
    async with serve(rng=random.Random(6455)) as server, lab.cable(server) as cable:
        async with connect(f"{cable.url}dice", proxy=None) as ws:
            await ws.send("roll")
            await ws.recv()
        print(await cable.settle(until=lambda: cable.transcript.only(kind="CLOSE")[1:]))
