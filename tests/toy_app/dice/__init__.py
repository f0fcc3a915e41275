"""A toy application: whoever says "roll" hears what the dice show."""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.http11 import Response

from wslab import lab
from wslab.lab.wire.dissectors import register

from .rows import DiceRows

__all__ = ["demo_dice", "serve", "start_dice"]

PAGE = Path(__file__).parent / "page" / "index.html"

register("dice", DiceRows())


def serve(*, rng: random.Random, host: str = "127.0.0.1", port: int = 0) -> lab.Server:
    """Start the dice beside the notebook; rng: what they show."""

    async def roll(ws: Any) -> None:
        async for message in ws:
            await ws.send(str(rng.randint(1, 6)) if message == "roll" else 'say "roll"')

    def page(_connection: object, request: Any) -> Response | None:
        if request.headers.get("Upgrade"):
            return None
        body = PAGE.read_bytes()
        headers = {"Content-Type": "text/html", "Content-Length": str(len(body))}
        return Response(200, "OK", Headers(headers), body)

    return lab.serve(roll, name="dice", host=host, port=port, process_request=page)


def start_dice(options: argparse.Namespace) -> lab.Server:
    """Start what the command line asks for."""
    return serve(rng=random.Random(), host=options.host, port=options.port)


async def demo_dice() -> None:
    """Roll once, and show the bytes."""
    async with serve(rng=random.Random(6455)) as server, lab.cable(server) as cable:
        async with connect(f"{cable.url}dice", proxy=None) as ws:
            await ws.send("roll")
            await ws.recv()
        print(await cable.settle(until=lambda: cable.transcript.only(kind="CLOSE")[1:]))
