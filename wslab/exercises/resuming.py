"""Servers for checks of resume, whose connections end at the worst moments, by a plan.

The messages are those of `wslab.kit.resume`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from websockets.asyncio.server import ServerConnection

from wslab.exercises.engine.trial import Late, Trial, shown
from wslab.kit.resume import TAKEN_OVER, Log, ResumeError, Session

__all__ = ["NEWS", "ORDERS", "Judge", "Newspaper", "Shop", "in_order"]

SERVICE_RESTART = 1012  # close code
PATIENCE = 9.0  # seconds that a client has for everything, with a pause after each connection
SENT = {"restart": 3, "reset": 3, "refuse": 0}  # messages, before a fault ends the connection
LULL = 0.3  # after so many seconds of silence a client is probably waiting for an answer

# What `in_order` says of a text that comes too often, of a missing one, and of a wrong order
NEWS = (
    "the list has a message twice",
    "a message is missing",
    "the messages are not in order, or the list has something else",
)
ORDERS = (
    "an order has taken effect too often",
    "an order has not taken effect",
    "the orders that took effect are wrong, or not in order",
)


def in_order(
    trial: Trial, got: list[Any], texts: list[str], messages: tuple[str, str, str]
) -> None:
    """Refuse other texts than these, in this order. messages: NEWS or ORDERS."""
    often, missing, wrong = messages
    for text in got:
        trial.want(got.count(text) <= max(1, texts.count(text)), often, got=shown(text))
    for text in texts:
        count = texts.count(text)
        expected = shown(text) + f", {count} times" * (count > 1)
        trial.want(got.count(text) >= count, missing, expected=expected)
    trial.same(got, texts, wrong)


class Judge:
    """A server that ends the check as soon as a client sends an impossible message.

    fate: the state of the newest connection, shown if no further connection comes in time.
    """

    def __init__(self) -> None:
        self.log = Log()
        self.problem = ""
        self.fate = "nobody has connected"
        self.appalled = asyncio.Event()

    def begin(self) -> None:
        """Start, or start again after a crash."""

    def object_to(self, problem: object) -> None:
        """Note a problem; only the first one counts."""
        self.problem = self.problem or str(problem)
        self.appalled.set()

    async def watch(
        self,
        trial: Trial,
        answer: Coroutine[Any, Any, Any],
        what: str,
        seconds: float = PATIENCE,
    ) -> Any:
        """Return the result of the learner's code, unless there is a problem first."""
        working = asyncio.create_task(answer)
        watching = asyncio.create_task(self.appalled.wait())
        try:
            async with trial.within(seconds, what):
                await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        except Late as late:
            raise Late("; ".join(filter(None, [str(late), self.fate]))) from None
        finally:
            watching.cancel()
            if not working.done():
                working.cancel()
        trial.want(not self.problem, self.problem)
        return await working


class Newspaper(Judge):
    """A server that publishes. Each answer repeats one message.

    faults: those of the first connections; the later ones have none.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__()
        self.faults, self.is_scripted = list(faults), bool(faults)
        self.connections = 0
        self.news = asyncio.Event()  # set when the next text is published

    def publish(self, text: str) -> None:
        """Publish a text to everybody."""
        self.log.publish({"text": text})
        self.news.set()
        self.news = asyncio.Event()

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection until it ends, perhaps with a fault."""
        message = json.loads(await connection.recv())
        try:
            resumed, *_ = Session(self.log).resume(message)
        except ResumeError as error:
            self.object_to(error)
            return
        self.connections += 1
        number, fault = self.connections, self.faults.pop(0) if self.faults else ""
        if number > 1 and self.is_scripted and message.get("after") == 0:
            self.object_to("your client asks for everything again, and not only for the rest")
        if message.get("after") is None:
            self.object_to("`after` is null, so the client gets none of the earlier messages")
        missed, last = self.log.since(max(0, resumed["after"] - 1)), self.log.last
        self.fate = f"connection {number} has ended, and nobody has connected again"
        if fault == "gap":
            lost = ", ".join(str(message["seq"]) for message in missed[1:2])
            del missed[1:2]
            self.fate = f"connection {number} is open, but message {lost} did not come on it"
        elif not fault:
            self.fate = f"connection {number} got all the rest; two texts come twice on purpose"
        await connection.send(json.dumps(resumed))
        await self._send(connection, missed[: SENT.get(fault)])
        if fault == "reset":
            connection.transport.abort()
        elif fault in SENT:
            await connection.close(SERVICE_RESTART)
        else:
            await self._go_on(connection, last)

    async def _send(self, connection: ServerConnection, messages: list[Any]) -> None:
        for message in messages:
            await connection.send(json.dumps(message))

    async def _go_on(self, connection: ServerConnection, last: int) -> None:
        """Send what is published after this number."""
        while True:
            while last == self.log.last:
                await self.news.wait()
            missed, last = self.log.since(last), self.log.last
            await self._send(connection, missed)


class Shop(Judge):
    """A server that takes orders. Its first connections end at the worst moments.

    plan: for each of them, the orders that take effect, and how many get an `ack`.
    orders: the texts that have taken effect.
    """

    def __init__(self, *plan: tuple[int, int]) -> None:
        super().__init__()
        self.plan = list(plan)
        self.orders: list[Any] = []
        self.connections = 0

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection as far as the plan allows."""
        self.connections += 1
        number = self.connections
        effects, acks = self.plan.pop(0) if self.plan else (1000, 1000)
        self.fate = f"connection {number} is open, but no `resume` has come on it"
        session = Session(self.log)
        try:
            resumed, *_ = session.resume(json.loads(await connection.recv()))
            await connection.send(json.dumps(resumed))
            self.fate = f"connection {number} is open and waits for messages"
            while effects:
                async with asyncio.timeout(None if acks else LULL):
                    message = json.loads(await connection.recv())
                reply = session.duplicate(message)
                if reply is None:
                    self.orders.append(message.get("text"))
                    reply = session.applied(message)
                    effects -= 1
                if acks and reply is not None:
                    acks -= 1
                    await connection.send(json.dumps(reply))
        except ResumeError as error:
            if error.close_code != TAKEN_OVER:  # that may happen to what was under way
                self.object_to(error)
            await connection.close(error.close_code, error.error)
            return
        except TimeoutError:
            pass  # a client that sends one order at a time waits for an `ack` that will not come
        self.fate = f"connection {number} has ended, and nobody has connected again"
        # The Close comes behind the acknowledgements, so that none of them is lost.
        await connection.close(SERVICE_RESTART)
