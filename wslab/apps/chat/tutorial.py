"""The tutorial's chat server, translated line by line, with its faults. Break it, do not use it.

The tutorial is the Chinese article on WebSocket that the course started from.

    python -m wslab.apps.chat.tutorial        prints its URL and runs until something kills it

Node ends the whole process when nobody catches an exception. Python does not, so `main` does it
here. As in Node, a missing field is `undefined` and not an error. We do not imitate how JavaScript
turns other values into text. `wslab.apps.chat` is a server of the same protocol that trusts nobody.
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

UNDEFINED: Any = object()

members: dict[ServerConnection, Any] = {}  # `wss.clients`, with each one's `nickname`


def tell_all(value: dict[str, Any]) -> None:
    """`broadcast(JSON.stringify(…))`, which leaves out undefined values."""
    known = {key: each for key, each in value.items() if each is not UNDEFINED}
    broadcast(members, json.dumps(known, ensure_ascii=False, separators=(",", ":")))


def field(data: Any, key: str) -> Any:
    """`data.key`. For null that is an error; any other value without the key gives undefined."""
    if data is None:
        raise TypeError(f"Cannot read properties of null (reading {key!r})")
    return data.get(key, UNDEFINED) if isinstance(data, dict) else UNDEFINED


def shown_by_node(value: Any) -> str:
    """Return the text with which `value + "…"` begins."""
    return "undefined" if value is UNDEFINED else str(value)


async def handler(connection: ServerConnection) -> None:
    """`wss.on('connection', …)`. It believes every message."""
    members[connection] = UNDEFINED
    try:
        async for message in connection:
            data = json.loads(message)
            text = field(data, "text")
            match field(data, "type"):
                case "setName":
                    members[connection] = text
                    tell_all({"name": "Server", "text": f"{shown_by_node(text)}加入了房间"})
                case "chat":
                    tell_all({"name": members[connection], "text": text})
    finally:
        name = members.pop(connection)
        tell_all({"name": "Server", "text": f"{shown_by_node(name)}离开了房间"})


async def main() -> None:
    """Run it as Node would, where an exception that nobody catches ends the process."""

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
