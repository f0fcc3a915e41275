"""A viewer at the end of a slow link, in virtual time, as a connection for a desk's handler."""

from __future__ import annotations

import asyncio
import json
from enum import Enum
from types import SimpleNamespace
from typing import Any

from wslab.protocol.frames import Frame


class State(Enum):
    OPEN = 1
    CLOSING = 2


class Viewer:
    """Reads what has come through its link, and says `ready` if it is paced.

    rate: bytes a second of the link. between: bytes that the link takes before it says that it is
    full. ages: for each quote that came, when, and how many seconds old it was.
    """

    state = State.OPEN

    def __init__(self, path: str, clock: Any, *, rate: float, between: int = 1 << 20) -> None:
        self.request = SimpleNamespace(path=path)
        self.clock, self.rate, self.between = clock, rate, between
        self.loop = asyncio.get_running_loop()
        self.said: asyncio.Queue[str | None] = asyncio.Queue()
        self.ages: list[tuple[float, float]] = []
        self.latest: dict[tuple[str, str], Any] = {}
        self.transport, self.protocol = self, self
        self.buffered, self.free_at, self.is_full, self.code = 0, 0.0, False, 0

    # What the handler uses

    def __aiter__(self) -> Viewer:
        return self

    async def __anext__(self) -> str:
        if (said := await self.said.get()) is None:
            raise StopAsyncIteration
        return said

    async def close(self, code: int, reason: str) -> None:
        self.code, self.state = code, State.CLOSING
        self.said.put_nowait(None)

    async def wait_closed(self) -> None:
        pass

    # The transport and its protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return max(0, self.buffered - self.between)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 0

    def abort(self) -> None:
        pass

    def pause_writing(self) -> None:
        pass

    resume_writing = pause_writing

    def write(self, data: bytes) -> None:
        if data:
            self.buffered += len(data)
            self.free_at = max(self.free_at, self.loop.time()) + len(data) / self.rate
            self.loop.call_at(self.free_at, self.arrive, data)
            self.look()

    def arrive(self, data: bytes) -> None:
        self.buffered -= len(data)
        start = 0
        while start < len(data):
            found = Frame.parse(data, start)
            assert found is not None
            frame, start = found
            quote = json.loads(frame.payload)
            self.ages.append((self.loop.time(), self.clock.seconds - quote["at"]))
            self.latest[quote["venue"], quote["symbol"]] = [quote["bid"], quote["ask"]]
        self.said.put_nowait(json.dumps({"type": "ready", "count": len(self.ages)}))
        self.look()

    def look(self) -> None:
        if (is_full := self.buffered > self.between) is not self.is_full:
            self.is_full = is_full
            self.protocol.pause_writing() if is_full else self.protocol.resume_writing()
