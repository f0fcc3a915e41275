"""The other end of a connection, played by a check, and waiting that says what is late."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["Late", "Peer", "within"]


class Late(Exception):
    """Something did not happen in time, as the message says."""


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Wait at most this long; what: names the thing that is missing then."""
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
        raise Late(f"{what} within {seconds:g} s") from None


class Peer:
    """The other end of a connection, played by the check; trial: the `Trial` that it belongs to."""

    def __init__(
        self, trial: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.trial, self.reader, self.writer = trial, reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each in its own TCP segment as far as possible."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def read(self, until: bytes, what: str, seconds: float = 1.0) -> bytes:
        """Return the bytes up to this mark, or up to the end; Late if neither comes."""
        async with within(seconds, f"no {what}"):
            try:
                return await self.reader.readuntil(until)
            except asyncio.IncompleteReadError as error:
                return error.partial
            except ConnectionError:
                return b""

    async def read_to_end(self, what: str, seconds: float = 1.0) -> bytes:
        """Return all bytes until the other side closes; Late if it does not."""
        data = b""
        async with within(seconds, f"no {what}"):
            with contextlib.suppress(ConnectionError):
                while piece := await self.reader.read(65536):
                    data += piece
        return data
