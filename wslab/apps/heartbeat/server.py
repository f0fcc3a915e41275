"""The server for the tutorial's heartbeat page, which also notices dead clients.

The tutorial is the Chinese article on WebSocket that the course started from.

It answers any message with the tutorial's sentence. `python -m wslab serve heartbeat` runs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from wslab import lab
from wslab.kit.keepalive import Heartbeat, watched

__all__ = ["ANSWER", "heartbeat_handler", "serve_heartbeat"]

ANSWER = "我是服务端，已收到信息"  # "I am the server, the message has arrived"


def heartbeat_handler(heartbeat: Heartbeat | None = None) -> Callable[[Any], Awaitable[None]]:
    """Make the handler, for `lab.serve` or `serve_from_scratch`.

    heartbeat: the times to ping a silent client and to cut it off; 20 s and 20 s if left out.
    """
    pulse = heartbeat or Heartbeat(20)

    async def answer_beats(ws: Any) -> None:
        async with watched(ws, pulse):
            async for _ in ws:
                await ws.send(ANSWER)

    return answer_beats


def serve_heartbeat(*, host: str = "127.0.0.1", port: int = 0) -> lab.Server:
    """Start the server; the tutorial's page expects it on port 9000."""
    # the library's own keepalive would only ping a second time
    return lab.serve(
        heartbeat_handler(), name="heartbeat", host=host, port=port, ping_interval=None
    )
