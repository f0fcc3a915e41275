"""Our endpoint with other people's, in both roles, with and without compression.

Small messages go through a cable that cuts them up; large ones go straight.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wslab import lab
from wslab.protocol.deflate import Deflate
from wslab.protocol.messages import Limits
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.endpoint import ConnectionEnded, Endpoint
from wslab.scratch.server import serve_from_scratch

PATIENCE = 50  # seconds


async def echo(ws: Endpoint) -> None:
    async for message in ws:
        await ws.send(message)


def settings(deflate: bool) -> dict[str, Any]:
    return {
        "deflate": Deflate(client_max_window_bits=15) if deflate else None,
        "limits": Limits(message=1 << 24),
    }


async def talk(url: str, messages: list[str | bytes], deflate: bool, cut: Any = None) -> None:
    """Send messages, check that they come back, and ask the server to close."""
    async with asyncio.timeout(PATIENCE):
        ws = await connect_from_scratch(url, **settings(deflate))
        agreed = ws.response.headers.get("Sec-WebSocket-Extensions") if ws.response else None
        assert (agreed is not None) == deflate
        for message in messages:
            if cut:
                cut()
            half = len(message) // 2
            await ws.send([message[:half], message[half:]] if half % 2 else message)
            if await ws.recv() != message:
                pytest.fail(f"{type(message).__name__} of {len(message)} came back differently")
        assert await (await ws.ping()) > 0
        await ws.send("close 4002 enough")
        with pytest.raises(ConnectionEnded) as caught:
            await ws.recv()
        assert (caught.value.code, caught.value.reason, caught.value.clean) == (
            4002,
            "enough",
            True,
        )
        await ws.wait_closed()
        assert not ws.timed_out


class TestSmallMessagesCutUp:
    async def test_our_server(self, other, deflate, draw):
        server = serve_from_scratch(echo, **settings(deflate))
        cable = lab.cable(server)
        cable.split(draw.rng.randint(1, 100), gap=0)
        async with asyncio.timeout(PATIENCE):
            await other.client(cable.url, draw.small(), deflate)
        await server.settle(2)
        assert server.events[-1].text.startswith("4321 ")
        assert not server.events.only("violation")
        assert server.errors == []

    async def test_our_client(self, other, deflate, draw):
        async with other.server(deflate) as url, lab.cable(url) as cable:
            await talk(
                cable.url,
                draw.small(),
                deflate,
                lambda: cable.split(draw.rng.randint(1, 3000), gap=0),
            )


@pytest.mark.slow
class TestLargeMessages:
    async def test_our_server(self, other, deflate, draw):
        server = serve_from_scratch(echo, **settings(deflate))
        async with asyncio.timeout(PATIENCE):
            await other.client(server.url, draw.big(), deflate)
        await server.settle(2)
        assert server.events[-1].text.startswith("4321 ")

    async def test_our_client(self, other, deflate, draw):
        async with other.server(deflate) as url:
            await talk(url, draw.big(), deflate)
