"""A shop whose server is the learner's: what each of its layers has to do, one after the other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from wslab.exercises.engine import wire
from wslab.exercises.engine.trial import Trial
from wslab.exercises.resuming import ORDERS, Judge, in_order
from wslab.kit.resume import OUT_OF_ORDER, TAKEN_OVER

__all__ = ["Till", "remember_scenario"]

NORMAL = 1000  # close code


class Till(Judge):
    """A server whose connections are served by the learner's code.

    seen: the number of each client's last order. online: by client, its newest connection.
    orders: the texts that have taken effect.
    """

    def __init__(self, remember: Callable[..., Awaitable[object]]) -> None:
        super().__init__()
        self.remember = remember
        self.seen: dict[str, int] = {}
        self.online: dict[str, ServerConnection] = {}
        self.orders: list[Any] = []

    def begin(self) -> None:
        """Start; only `seen` outlives a crash."""
        self.online = {}

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection."""
        await self.remember(connection, self.seen, self.online, self.orders.append)


class Customer:
    """A client of such a server, on one connection."""

    def __init__(self, trial: Trial, ws: Any) -> None:
        self.trial, self.ws = trial, ws

    async def resume(self, client: str) -> None:
        """Say who it is."""
        await self._send({"type": "resume", "client": client})

    async def resumed(self, seen: int) -> None:
        """Take the answer, which has to name the last order that the server knows."""
        await self._hear({"type": "resumed", "epoch": "shop", "after": 0, "seen": seen})

    async def order(self, id: int, text: str) -> None:
        """Give an order."""
        await self._send({"type": "say", "id": id, "text": text})

    async def acked(self, *ids: int) -> None:
        """Take acknowledgements."""
        for id in ids:
            await self._hear({"type": "ack", "id": id})

    async def closed(self, why: str, *codes: int) -> None:
        """Wait until the server closes the connection with one of these codes.

        why: what it has to do that for.
        """
        async with self.trial.within(1, f"{why}, but its connection did not end"):
            await self.ws.wait_closed()
        wrong, code = f"{why}, but the close code is wrong", self.ws.close_code
        self.trial.want(code in codes, wrong, expected=str(codes[0]), got=str(code))

    async def _send(self, message: dict[str, Any]) -> None:
        with suppress(ConnectionClosed):  # waiting for the answer shows it
            await self.ws.send(json.dumps(message))

    async def _hear(self, expected: dict[str, Any]) -> None:
        got = await wire.heard(self.trial, self.ws, "the client")
        self.trial.same(json.loads(got), expected, "the client hears a different message")


async def remember_scenario(trial: Trial, remember: Any) -> None:
    """Try each layer by itself, because layers hide each other."""
    till = Till(remember)
    async with wire.serving(trial, till) as url, AsyncExitStack() as stack:

        async def come() -> Customer:
            return Customer(trial, await stack.enter_async_context(wire.client(url)))

        trial.doing = "three orders; then the last two come again, and two of them at once"
        ada = await come()
        await ada.resume("Ada's secret")
        await ada.resumed(0)
        for id, text in ((1, "A"), (2, "B"), (3, "C"), (2, "B"), (3, "C"), (3, "C"), (4, "B")):
            await ada.order(id, text)
        await ada.acked(1, 2, 3, 2, 3, 3, 4)
        in_order(trial, till.orders, ["A", "B", "C", "B"], ORDERS)
        trial.doing = "a second client, who gives the same order"
        bob = await come()
        await bob.resume("Bob's secret")
        await bob.resumed(0)
        await bob.order(1, "A")
        await bob.acked(1)
        in_order(trial, till.orders, ["A", "B", "C", "B", "A"], ORDERS)
        trial.doing = "an order 3 from Bob, although 2 has not come"
        await bob.order(3, "too early")
        await bob.closed("an order has skipped one", OUT_OF_ORDER)
        await _take_over(trial, till, ada, [await come(), await come()])
        trial.doing = "a restart of the server, after which only `seen` is left"
        till.begin()
        back = await come()
        await back.resume("Ada's secret")
        await back.resumed(6)


async def _take_over(trial: Trial, till: Till, old: Customer, newer: list[Customer]) -> None:
    """Let the same client come twice more, each time while its last connection is still open."""
    before, (new, newest) = list(till.orders), newer
    trial.doing = "the same client on a new connection, and an order that still comes on the old"
    await new.resume("Ada's secret")
    await old.order(5, "old")
    await new.resumed(4)
    await new.order(5, "new")
    await new.acked(5)
    in_order(trial, till.orders, [*before, "new"], ORDERS)
    again = "the same client has come on a newer connection"
    await old.closed(again, TAKEN_OVER, NORMAL)  # its handler might have returned first
    trial.doing = "the same client on a third connection"
    await newest.resume("Ada's secret")
    await newest.resumed(5)
    await newest.order(6, "newest")
    await newest.acked(6)
    in_order(trial, till.orders, [*before, "new", "newest"], ORDERS)
    await new.closed(again, TAKEN_OVER)
