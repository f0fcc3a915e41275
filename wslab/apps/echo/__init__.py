"""Lesson 00 in a terminal, by `python -m wslab serve echo` and `python -m wslab demo`."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from wslab import lab
from wslab.lab.servers.base import BaseServer
from wslab.scratch import serve_from_scratch

__all__ = ["add_echo_options", "demo_echo", "start_echo"]


def start_echo(*, from_scratch: bool, **where: Any) -> BaseServer:
    """Start the server of lesson 00, or its twin from scratch of lesson 04."""
    echo: Any = lab.echo  # takes both kinds of connections, because they have the same methods
    serve: Any = serve_from_scratch if from_scratch else lab.serve
    server: BaseServer = serve(echo, **where)
    return server


def add_echo_options(parser: argparse.ArgumentParser) -> None:
    """Add --from-scratch."""
    parser.add_argument(
        "--from-scratch",
        action="store_true",
        help="use the course's own implementation of the protocol, not the library's",
    )


async def demo_echo() -> None:
    """Send "Hello" through a cable, show its transcript, cut the cable, and show the effect."""
    async with (
        asyncio.timeout(10),
        lab.serve(lab.echo) as server,
        lab.cable(server) as cable,
    ):
        print(f"A server that sends every message back:\n  {server!r}")
        print(f"A cable that leads to it and can be watched:\n  {cable!r}\n")
        async with connect(cable.url, proxy=None) as ws:
            await ws.send("Hello")
            print(f'The client sends "Hello" through the cable and gets {await ws.recv()!r}.')
        print("What has passed, with both goodbyes:\n")
        print(await cable.settle(until=lambda: cable.transcript.only(kind="CLOSE")[1:]))

        async with connect(cable.url, proxy=None) as ws:
            cable.cut()
            print("\nA second connection, and now the cable is cut. The client sees:\n")
            try:
                await ws.recv()
            except ConnectionClosedError as error:
                print(f"  {type(error).__name__}: {error}")
        print(f"\nThe server saw:\n\n{await server.settle(until=4)!r}")
    print("\nThe same and much more, step by step: python -m wslab lab")
