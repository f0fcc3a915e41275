"""Beats between ours and the tutorial's: its page against our server, our client against its.

The tutorial is the Chinese article on WebSocket that the course started from.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.apps.heartbeat.server import ANSWER, heartbeat_handler, serve_heartbeat
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.client_events import ClientState, Received
from wslab.kit.keepalive import Heartbeat
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.server import serve_from_scratch

HERE = Path(__file__).parent
PATIENCE = 45  # seconds
BEAT = "123456789"
SERVES: dict[str, Callable[..., Any]] = {
    "library": lambda handler: lab.serve(handler, ping_interval=None),
    "from scratch": serve_from_scratch,
    "command line": lambda handler: serve_heartbeat(host="127.0.0.1", port=0),
}


@contextmanager
def tutorial_server(node: Path) -> Iterator[str]:
    """Run the tutorial's server in Node; gives its URL."""
    command = (str(node), str(HERE / "heartbeat_server.js"))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("variant", ["1", "2"])
@pytest.mark.parametrize("name", SERVES)
async def test_the_tutorials_page_against_our_server(node: Path, name: str, variant: str) -> None:
    async with SERVES[name](heartbeat_handler()) as server:
        command = (str(node), str(HERE / "heartbeat_client.js"), server.url, variant)
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        assert json.loads(done.stdout) == {
            "answers": [ANSWER] * 5,
            "pings": 0,  # who speaks is not asked
            "gaveUp": False,
            "code": 1005,
        }
        assert server.errors == []


async def test_our_server_pings_who_is_silent() -> None:
    handler = heartbeat_handler(Heartbeat(0.05, timeout=5))
    async with (
        lab.serve(handler, ping_interval=None) as server,
        lab.cable(server) as cable,
        connect(cable.url, proxy=None, ping_interval=None) as ws,
    ):
        await cable.settle(lambda: len(cable.transcript.only(kind="PING")) > 2)
        await ws.send("any text")
        assert await ws.recv() == ANSWER


@pytest.mark.parametrize("connect", [library_connect, connect_from_scratch])
async def test_our_client_against_the_tutorials_server(node: Path, connect: Any) -> None:
    """Through a cut cable, and a frozen one; Node's library answers its Pings."""
    heartbeat = Heartbeat(0.1, misses=3)
    with tutorial_server(node) as url:
        async with lab.cable(url) as cable:
            client = ReconnectingClient(
                cable.url,
                connect=connect,
                resume=False,
                heartbeat=heartbeat,
                policy=Backoff(first=0.05, limit=0.1),
                rng=random.Random(1),
            )

            async def answered() -> None:
                client.send({"text": "no beat"})
                await client.delivered()
                assert await anext(client) == Received(ANSWER)

            async with asyncio.timeout(PATIENCE), client:
                await answered()
                cable.cut()
                await client.until(ClientState.WAITING)
                await answered()
                cable.freeze()
                await client.until(ClientState.WAITING)
                cable.thaw()
                await answered()
