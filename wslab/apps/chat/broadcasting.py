"""Ways to send one message to many, and their costs. The chat room uses the last one.

A way is `async def way(members, text)`. In `measure_crowd`, a speaker talks to a crowd by one of
them. If you ask for it, the network of one member stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.net.clock import cpu_time
from wslab.protocol.frames import Frame, Opcode

__all__ = [
    "WAYS",
    "CrowdResult",
    "gathered",
    "measure_crowd",
    "one_by_one",
    "one_frame",
    "with_broadcast",
]

Way = Callable[[Collection[ServerConnection], str], Awaitable[None]]

STALLED = "/stalled"
SPEAKER = "/speaker"


async def one_by_one(members: Collection[ServerConnection], text: str) -> None:
    """Send to each in turn, and wait for each, so that a slow member holds up all the others."""
    for member in members:
        await member.send(text)


async def gathered(members: Collection[ServerConnection], text: str) -> None:
    """Send to all at once, and wait for all, so that the next message waits for the slowest."""
    await asyncio.gather(*(member.send(text) for member in members), return_exceptions=True)


async def with_broadcast(members: Collection[ServerConnection], text: str) -> None:
    """Let the library write to all without waiting; it makes a frame for each of them."""
    broadcast(members, text)


async def one_frame(members: Collection[ServerConnection], text: str) -> None:
    """Make the frame once, and hand it to every transport, as a server's frames are not masked.

    It goes past the library, so the connections must have no compression, and no other code may
    send fragments on them.
    """
    frame = Frame(Opcode.TEXT, text.encode()).serialize()
    for member in members:
        member.transport.write(frame)


WAYS: dict[str, Way] = {
    "await in a loop": one_by_one,
    "gather": gathered,
    "broadcast()": with_broadcast,
    "one frame": one_frame,
}


@dataclass(frozen=True)
class CrowdResult:
    """The fate of some messages to a crowd.

    delivered: the least number that a member who keeps up has got.
    waiting: bytes that wait in the server for the stalled member, 0 without one.
    cpu: seconds of CPU time of the server's thread for each delivery.
    """

    way: str
    members: int
    messages: int
    delivered: int
    waiting: int
    cpu: float = field(repr=False)

    @property
    def all_arrived(self) -> bool:
        """Whether everybody who keeps up got every message."""
        return self.delivered == self.messages


class _Crowd:
    """The server. It passes on its speaker's messages in one of the ways."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.members: dict[ServerConnection, None] = {}  # a set that keeps the order
        self.cpu = 0.0

    async def handler(self, connection: ServerConnection) -> None:
        assert connection.request is not None  # the handshake is done
        if connection.request.path != SPEAKER:
            self.members[connection] = None
            await connection.wait_closed()
            del self.members[connection]
            return
        async for text in connection:
            assert isinstance(text, str)  # because `measure_crowd` sends it
            before = cpu_time()
            try:
                await self.way(list(self.members), text)
            except ConnectionClosed:
                return  # the measurement is over
            finally:
                self.cpu += cpu_time() - before

    @property
    def waiting(self) -> int:
        stalled = [m for m in list(self.members) if m.request and m.request.path == STALLED]
        return sum(member.transport.get_write_buffer_size() for member in stalled)


async def _count(connection: ClientConnection, messages: int, got: list[int], place: int) -> None:
    while got[place] < messages:
        await connection.recv()
        got[place] += 1


async def measure_crowd(
    way: str,
    *,
    members: int = 10,
    messages: int = 20,
    size: int = 64,
    stalled: bool = False,
    within: float = 1.0,
) -> CrowdResult:
    """Say something to a crowd, and count the deliveries.

    way: one of `WAYS`. members: their number, without the stalled one. size: bytes of a message.
    stalled: True for one more member, whose cable is frozen. within: seconds to arrive in.
    Raises ValueError for an unknown way.
    """
    if way not in WAYS:
        raise ValueError(f"way is {way!r}, known are {', '.join(WAYS)}")
    crowd = _Crowd(WAYS[way])
    got = [0] * members
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            lab.serve(crowd.handler, name="measured crowd", ping_interval=None)
        )
        cable = await stack.enter_async_context(lab.cable(server, name="measured cable"))
        listeners = [await _join(stack, server.url) for _ in range(members)]
        if stalled:
            await _join(stack, cable.url.rstrip("/") + STALLED)
        await server.settle(lambda: len(crowd.members) == members + stalled)
        if stalled:
            cable.freeze()
        speaker = await _join(stack, server.url.rstrip("/") + SPEAKER)
        counting = [_count(each, messages, got, place) for place, each in enumerate(listeners)]
        reading = asyncio.gather(*counting)
        speaking = asyncio.create_task(_speak(speaker, "x" * size, messages))
        await asyncio.wait([reading], timeout=within)
        waiting = crowd.waiting
        for task in (reading, speaking):
            task.cancel()
        await asyncio.gather(reading, speaking, return_exceptions=True)
    return CrowdResult(way, members, messages, min(got), waiting, crowd.cpu / max(1, sum(got)))


async def _join(stack: AsyncExitStack, url: str) -> ClientConnection:
    """Connect until the measurement is over, and then leave without a closing handshake."""
    connection = await connect(
        url, proxy=None, compression=None, ping_interval=None, close_timeout=0.1
    )
    stack.callback(connection.transport.abort)
    return connection


async def _speak(speaker: ClientConnection, text: str, messages: int) -> None:
    for _ in range(messages):
        await speaker.send(text)
