"""The tests of the media chat share these files, offers, and a room on the network in memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from websockets.asyncio.server import serve

from wslab.apps.media import Guest, MediaRoom, make_picture, make_sound
from wslab.apps.media.uploads import Person

PICTURE = make_picture(Random(11))
SOUND = make_sound(Random(11), seconds=0.5)
ANN = Person("a secret of Ann's", "Ann")
BEN = Person("a secret of Ben's", "Ben")


def offer_of(data: bytes, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an honest offer of a picture, but for some changes."""
    digest = hashlib.sha256(data).hexdigest()
    fields = {"type": "offer", "id": number, "name": "sunset.png", "media": "image/png"}
    return {**fields, "size": len(data), "sha256": digest, **changes}


def png(*chunks: tuple[bytes, bytes], end: bytes = b"") -> bytes:
    """Return a PNG of these chunks, with the right checksums, and whatever follows."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in chunks:
        parts.append(struct.pack(">I", len(body)) + name + body)
        parts.append(struct.pack(">I", zlib.crc32(name + body)))
    return b"".join(parts) + end


def header(width: int, height: int) -> tuple[bytes, bytes]:
    """Return the first chunk of a PNG, for a grey picture."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG with very many pixels; they are really there."""
    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png(header(width, height), (b"IDAT", rows), (b"IEND", b""))


@asynccontextmanager
async def at(room: MediaRoom, *guests: Guest) -> AsyncIterator[None]:
    """Serve a room at ws://room:9000/media, with guests in it."""
    async with serve(room, "room", 9000, compression=None, max_size=1 << 19):
        tasks = [asyncio.create_task(guest.run()) for guest in guests]
        try:
            for each in guests:
                await each.until(lambda each=each: each.ws is not None)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def guest(name: str, **options: Any) -> Guest:
    """Make a guest of that room."""
    return Guest("ws://room:9000/media", name, **options)


def files_in(folder: Path) -> list[str]:
    """Return the names of all that lies in a folder, however deep."""
    return sorted(path.name for path in folder.rglob("*"))


def reader(data: bytes) -> io.BytesIO:
    """Return a file with these bytes."""
    return io.BytesIO(data)
