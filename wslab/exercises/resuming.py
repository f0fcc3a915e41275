"""Servers for checks of resume, whose connections end at the worst moments, by a plan.

The messages are those of `wslab.kit.resume`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from websockets.asyncio.server import ServerConnection

from wslab.exercises.engine.trial import Late, Trial
from wslab.kit.resume import TAKEN_OVER, Log, ResumeError, Session

__all__ = ["Judge", "Newspaper", "Press", "SafeShop", "Shop"]

SERVICE_RESTART = 1012  # close code
PATIENCE = 9.0  # seconds that a client has for everything, with a pause after each connection
LULL = 0.3  # after so many seconds of silence a client is probably waiting for an answer


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
    """A server that publishes. Its connections fail one after the other.

    asked: the `resume` messages that it got.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    FAULTS = ("restart", "reset", "again", "gap", "refuse")

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection; the first ones have one fault each, and the others have none."""
        session = Session(self.log)
        message = json.loads(await connection.recv())
        self.asked.append(message)
        try:
            resumed, *missed = session.resume(message)
        except ResumeError as error:
            self.object_to(error)
            await connection.close(error.close_code, error.error)
            return
        number = len(self.asked)
        fault = self.FAULTS[number - 1] if number <= len(self.FAULTS) else ""
        if number > 1 and message.get("after") == 0:
            self.object_to("your client asks for everything again, and not only for the rest")
        if message.get("after") is None:
            self.object_to("`after` is null, so the client gets none of the earlier messages")
        after = resumed["after"]
        if fault == "again" and after:
            missed.insert(0, self.log.since(after - 1)[0])
        if fault == "gap":
            lost = ", ".join(str(message["seq"]) for message in missed[1:2])
            del missed[1:2]
            self.fate = f"connection {number} is open, but message {lost} did not come on it"
        elif fault:
            self.fate = f"connection {number} has ended, and nobody has connected again"
        else:
            self.fate = f"connection {number} got all the rest; two texts come twice on purpose"
        await connection.send(json.dumps(resumed))
        if fault != "refuse":
            await self.publish(connection, missed, fault)

    async def publish(self, connection: ServerConnection, missed: Any, fault: str) -> None:
        """Send some of the missed messages, and end; stay after a gap, and without a fault."""
        for message in missed if fault in ("", "gap") else missed[:3]:
            await connection.send(json.dumps(message))
        if fault == "reset":
            connection.transport.abort()
        elif fault in ("", "gap"):
            await connection.wait_closed()
        else:
            await connection.close(SERVICE_RESTART)


class Press(Judge):
    """A server that publishes, and only the network fails. Each answer repeats one message."""

    def __init__(self) -> None:
        super().__init__()
        self.fate = ""
        self.news = asyncio.Event()  # set when the next one is published

    def publish(self, text: str) -> None:
        """Publish a text to everybody."""
        self.log.publish({"text": text})
        self.news.set()
        self.news = asyncio.Event()

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection until it ends."""
        session = Session(self.log)
        try:
            resumed, *_ = session.resume(json.loads(await connection.recv()))
        except ResumeError as error:
            self.object_to(error)
            return
        await connection.send(json.dumps(resumed))
        last = max(0, resumed["after"] - 1)
        while True:
            for message in self.log.since(last):
                await connection.send(json.dumps(message))
                last = message["seq"]
            await self.news.wait()


class Shop(Judge):
    """A server that takes orders. Its connections end at the worst moments.

    orders: the texts that have taken effect.
    """

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[Any] = []
        self.connections = 0

    # Each pair is for one connection: the orders that take effect, and how many get an `ack`.
    PLAN: tuple[tuple[int, int], ...] = ((3, 1), (0, 0), (1, 0), (2, 2))

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection as far as the plan allows."""
        self.connections += 1
        number = self.connections
        planned = self.PLAN[number - 1 : number]
        effects, acks = planned[0] if planned else (1000, 1000)
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


class SafeShop(Shop):
    """The same server without a plan: only the network fails."""

    PLAN = ()
