"""The document's chat server, translated line by line, with its faults: to be broken, not used.

    python -m wslab.apps.seed_chat        prints its URL and runs until something kills it

Node ends the whole process when nobody catches an exception; a Python program has to ask for that,
so `main` does. What a server makes of the same protocol that believes nobody: `wslab.apps.chat`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve

__all__ = ["handler"]

members: dict[ServerConnection, Any] = {}  # `wss.clients`, with each one's `nickname`


def tell_all(value: dict[str, Any]) -> None:
    """`broadcast(JSON.stringify(…))`; what is undefined is left out, as JSON.stringify does."""
    known = {key: each for key, each in value.items() if each is not None}
    broadcast(members, json.dumps(known, ensure_ascii=False, separators=(",", ":")))


async def handler(connection: ServerConnection) -> None:
    """`wss.on('connection', …)`: believes whatever it is sent."""
    members[connection] = None
    try:
        async for message in connection:
            data = json.loads(message)
            match data["type"]:
                case "setName":
                    members[connection] = data["text"]
                    tell_all({"name": "Server", "text": f"{data['text']}加入了房间"})
                case "chat":
                    tell_all({"name": members[connection], "text": data["text"]})
    finally:
        name = members.pop(connection)
        tell_all({"name": "Server", "text": f"{'undefined' if name is None else name}离开了房间"})


async def main() -> None:
    """Run it as Node would: an exception that nobody catches is the end of the process."""

    async def as_in_node(connection: ServerConnection) -> None:
        try:
            await handler(connection)
        except Exception:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    async with serve(as_in_node, "127.0.0.1", 0) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
