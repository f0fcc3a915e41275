"""Rooms for checks of a chatroom, and the view of their members."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import WebSocketException

from wslab.exercises.engine import wire
from wslab.exercises.engine.trial import Late, Trial, shown
from wslab.protocol.errors import quantity

__all__ = ["LIMIT", "SIZE", "Crowd", "Hall", "Measured", "at_once", "hears"]
__all__ += ["relay_day", "say_day"]

LIMIT = 64 * 1024  # bytes that may wait for one member
SIZE = 16 * 1024  # bytes of a long message
WAITING = 32 * 1024  # bytes that may wait until the library's `send` waits; its default
TURNS = 20  # turns of the loop that say() may take, because it must not wait


async def hears(trial: Trial, ws: Any, who: str, *expected: str | bytes) -> None:
    """Let a member hear these messages, in this order, and no others in between."""
    for message in expected:
        heard = await wire.heard(trial, ws, who)
        trial.same(heard, message, f"{who} hears a different message")


class Hall(wire.Guests):
    """A room that the learner's handler serves. members: shared."""

    def __init__(self, trial: Trial, relay: Any, stack: AsyncExitStack) -> None:
        super().__init__(trial)
        self.relay, self.stack = relay, stack
        self.members: set[ServerConnection] = set()

    async def serve(self, connection: ServerConnection) -> None:
        """Let the learner's handler serve a connection."""
        await self.relay(connection, self.members)

    async def open(self, *names: str) -> list[Any]:
        """Begin to serve, and let members come."""
        self.url = await self.stack.enter_async_context(wire.serving(self.trial, self))
        return [await self.enter(name) for name in names]

    async def enter(self, name: str) -> Any:
        """Connect as a member."""
        count = len(self.members)
        ws = await self.come(self.url, self.stack)
        missing = f"{name}, a newcomer, is not among `members`"
        await wire.until(self.trial, lambda: len(self.members) > count, missing)
        return ws

    async def come_meanwhile(self, ada: Any, bob: Any, eve: Any) -> Any:
        """Let Dan come while the handler has messages to send that Bob does not take."""
        bob.transport.pause_reading()
        texts = [f"{self.trial.rng.random()} ".ljust(SIZE, ".") for _ in range(10)]
        for text in texts:
            await ada.send(text)
        unread = self.arrived[1].transport.get_write_buffer_size
        await wire.until(self.trial, lambda: unread() > WAITING, "nothing is sent to Bob")
        dan = await self.enter("Dan")
        bob.transport.resume_reading()
        for ws, who in ((bob, "Bob"), (eve, "Eve")):
            await hears(self.trial, ws, who, *texts)
        return dan, texts


class Crowd(wire.Guests):
    """Two members who read, and one who does not, as the server sees them."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial)
        self.members: set[ServerConnection] = set()
        self.slow_is_out = False

    async def serve(self, connection: ServerConnection) -> None:
        """Take a member, and keep the connection open."""
        self.members.add(connection)
        await connection.wait_closed()

    def check_slow(self, before: int, size: int) -> None:
        """Refuse an answer that does not treat the slow member as the task says.

        before: bytes that waited when `say` was called. size: bytes of its message.
        """
        slow = self.arrived[-1]
        waits, trial = slow.transport.get_write_buffer_size(), self.trial
        if slow in self.members and not slow.transport.is_closing():
            bound = LIMIT + size + 100
            message = f"{waits} bytes wait for the slow member, so it has to go"
            trial.want(waits <= bound, message, expected=f"up to {LIMIT}, and one message more")
            return
        trial.want(slow not in self.members, "the slow one is cut off, but still in `members`")
        trial.want(
            slow.transport.is_closing(),
            "the slow one is out of `members`, but its connection is not cut off",
        )
        kept = "the slow one is out, but its bytes still wait; transport.close() waits for them"
        left = slow.transport.get_write_buffer_size()
        trial.want(left == 0, kept, got=quantity(left, "byte"))
        early = f"the slow one is out, although only {quantity(before, 'byte')} waited before say()"
        enough = self.slow_is_out or before > LIMIT
        trial.want(enough, early, expected=f"more than {LIMIT} bytes")
        self.slow_is_out = True


async def at_once(saying: Coroutine[Any, Any, object]) -> None:
    """Let say() end within a few turns of the loop, which are enough on a slow machine too."""
    task = asyncio.ensure_future(saying)
    for _ in range(TURNS):
        if task.done():
            task.result()
            return
        await asyncio.sleep(0)
    task.cancel()
    raise Late("say() waits")


class Measured:
    """A transport that claims so many waiting bytes, and otherwise is the real one."""

    def __init__(self, transport: Any, size: int) -> None:
        self.transport, self.get_write_buffer_size = transport, lambda: size

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


# On many networks


async def relay_day(trial: Trial, relay: Any) -> None:
    """Let three talk while the network fails, and then two others on a network that works."""
    members: set[ServerConnection] = set()

    async def handler(connection: ServerConnection) -> None:
        await relay(connection, members)

    async with wire.serving(trial, handler, ping_interval=1, ping_timeout=1) as url:
        talks = [asyncio.create_task(_talk(trial, url, name)) for name in ("Ada", "Bob", "Eve")]
        await asyncio.gather(*talks)
        await asyncio.sleep(10)
        gone = "members who are gone are still among `members`"
        trial.want(not members, gone, got=quantity(len(members), "member"))
        async with wire.client(url) as ada, wire.client(url) as bob:
            await asyncio.sleep(1)
            for speaker, listener, who in ((ada, bob, "Bob"), (bob, ada, "Ada")):
                await speaker.send("Hello")
                await hears(trial, listener, who, "Hello")


async def _talk(trial: Trial, url: str, name: str) -> None:
    """Say five things, one a second, and listen; the network may end that at any time."""
    with suppress(OSError, WebSocketException):
        async with asyncio.timeout(10), wire.client(url) as ws:
            for number in range(5):
                await ws.send(f"{name} {number}")
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        while not (heard := str(await ws.recv())).startswith(name):
                            pass
                        trial.wrong(f"{name} hears {name}'s own message", got=shown(heard))


async def say_day(trial: Trial, say: Any) -> None:
    """Talk to three members for six seconds, while the network fails in different ways."""
    crowd, loop = Crowd(trial), asyncio.get_running_loop()
    async with wire.serving(trial, crowd, max_size=None) as url:
        reading = [asyncio.create_task(_read(url)) for _ in range(3)]
        for number in range(60):
            await asyncio.sleep(0.1)
            waited = {one: one.transport.get_write_buffer_size() for one in crowd.members}
            ended = {one for one in crowd.members if one.transport.is_closing()}
            before = loop.time()
            await at_once(say(crowd.members, f"{number} ".ljust(SIZE, ".")))
            trial.want(loop.time() == before, "say() waits")
            for one, size in waited.items():
                is_in, left = one in crowd.members, one.transport.get_write_buffer_size()
                slow = f"{left} bytes wait for a slow member, so it has to go"
                trial.want(not is_in or left <= LIMIT + SIZE + 100, slow)
                early = f"a member is out, although only {size} bytes waited before say()"
                trial.want(is_in or one in ended or size > LIMIT, early)
        for task in reading:
            task.cancel()
        for one in crowd.arrived:
            one.transport.abort()


async def _read(url: str) -> None:
    """Read until the connection ends."""
    with suppress(OSError, WebSocketException):
        async with wire.client(url, max_size=None) as ws:
            async for _ in ws:
                pass
