"""The tools of a check while it tries an answer, which are calls, comparisons and a network."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import copy
import inspect
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn

from wslab.exercises.engine.bounded import TimeUp
from wslab.exercises.engine.peer import Late, Peer, within
from wslab.exercises.engine.verdict import Wrong
from wslab.lab.tables import hex_bytes
from wslab.net.address import LOOPBACK
from wslab.net.errors import Deadlock, Livelock, OutOfTime
from wslab.net.simulation import simulate
from wslab.net.stop import Button
from wslab.protocol.errors import quantity

__all__ = ["Late", "Peer", "Trial", "shown"]

SHOWN = 60  # characters of a value in a verdict
SHOWN_BYTES = 16


def shown(value: object) -> str:
    """Write a value so that it can be pasted into a cell; of a long one only the beginning.

    >>> print(shown(b"\\x81\\x05Hello"))
    bytes.fromhex("81 05 48 65 6c 6c 6f")
    """
    if isinstance(value, bytes | bytearray):
        if len(value) > SHOWN_BYTES:
            return f"{len(value)} bytes ({hex_bytes(bytes(value[:SHOWN_BYTES]))} …)"
        return f'bytes.fromhex("{value.hex(" ")}")' if value else 'b""'
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"


class Trial:
    """One run of one check.

    name: the task's name, for messages. rng: draws the cases, the same ones for the same seed.
    within: waits at most some seconds.
    returns, values, pure: as in `Task`.
    """

    returns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    pure = False
    within = staticmethod(within)

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self.rng = rng
        self._doing, self._over, self._button = "", False, Button()
        self.raised: list[BaseException] = []  # by handlers, which run beside the check

    @property
    def doing(self) -> str:
        """The case that is being tried, as the verdict will show it."""
        return self._doing

    @doing.setter
    def doing(self, what: str) -> None:
        """Note it. Raises TimeUp if a call that blocked returns after the trial is over."""
        if self._over:
            raise TimeUp
        self._doing = what

    # Calls

    def call(self, function: Callable[..., Any], *arguments: object, **options: object) -> Any:
        """Call the learner's function, and note the call in case it goes wrong."""
        given = [shown(value) for value in arguments]
        given += [f"{name}={shown(value)}" for name, value in options.items()]
        name = getattr(function, "__name__", self.name)
        self.doing = f"{name}({', '.join(given)})"
        return function(*arguments, **options)

    def result(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call the learner's function; refuse a result that is not as the task says."""
        given = copy.deepcopy(arguments) if self.pure else arguments
        got = self.call(function, *given)
        self.want(given == arguments, "the value that was given has changed")
        if self.returns:
            self.of_type(
                got, *(type(None) if one == "None" else vars(builtins)[one] for one in self.returns)
            )
        if self.values and got is not None:
            names = f"{len(self.values)}: {', '.join(self.values)}"
            many = f"the result has {quantity(len(got), 'value')}, not {names}"
            self.want(len(got) == len(self.values), many, got=got)
        return got

    def must_take(self, answer: object, takes: tuple[str, ...], *, form: str) -> None:
        """Refuse an answer that cannot be called as the task says; form: as in `Task`."""
        wanted, awaitable = f"{form} {self.name}({', '.join(takes)})", form == "async def"
        if not callable(answer):
            self.wrong(f"the answer is {shown(answer)}; give the check the thing itself: {wanted}")
        if inspect.iscoroutinefunction(answer) != awaitable:
            self.wrong(f"the answer has to be {wanted}, {'with' if awaitable else 'without'} async")
        try:
            inspect.signature(answer).bind(*takes)
        except TypeError as error:
            self.wrong(f"the answer has to be {wanted}; Python says of yours: {error}")
        except ValueError:
            pass  # a built-in function that does not name its parameters

    # Comparisons

    def wrong(self, message: str, section: str = "", **details: object) -> NoReturn:
        """End the check, because the answer is wrong.

        details: more to show, such as got=…; a text as it is, any other value by `shown`.
        """
        pairs = [("tried", self.doing)] if self.doing else []
        pairs += [(k, v if isinstance(v, str) else shown(v)) for k, v in details.items()]
        raise Wrong(message, section, *pairs)

    def want(self, condition: object, message: str, section: str = "", **details: object) -> None:
        """Go on if the condition holds; if not, the answer is wrong."""
        if not condition:
            self.wrong(message, section, **details)

    def of_type(
        self, got: object, *types: type, message: str = "the result is", section: str = ""
    ) -> None:
        """Refuse a value of a different type; message: how the sentence about it begins."""
        if not isinstance(got, types) or (isinstance(got, bool) and bool not in types):
            names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in types)
            self.wrong(f"{message} {type(got).__name__}, not {names}", section, got=shown(got))

    def same(self, got: object, expected: object, message: str, section: str = "") -> None:
        """Refuse a value that is not the expected one, or not of its type."""
        if type(expected) in (bytes, bytearray) and isinstance(got, bytes | bytearray):
            self.same_bytes(bytes(got), bytes(expected), message, section)  # type: ignore[call-overload]
        elif got != expected:
            if expected is not None:
                self.of_type(got, type(expected), message=f"{message}:", section=section)
            self.wrong(message, section, expected=shown(expected), got=shown(got))

    def same_bytes(self, got: object, expected: bytes, message: str, section: str = "") -> None:
        """Refuse bytes that are not the expected ones, and show the first that differs."""
        self.of_type(got, bytes, bytearray, message=f"{message}:", section=section)
        assert isinstance(got, bytes | bytearray)
        if got == expected:
            return
        at = next(
            (i for i, pair in enumerate(zip(got, expected, strict=False)) if pair[0] != pair[1]),
            min(len(got), len(expected)),
        )

        def around(data: bytes | bytearray) -> str:
            if not data:
                return "no bytes"
            one = f"{data[at]:02x}" if at < len(data) else "nothing"
            rest = data[max(0, at - 4) : at + 8]
            return f"{one} at byte {at} (… {rest.hex(' ')} …), {quantity(len(data), 'byte')} in all"

        self.wrong(message, section, expected=around(expected), got=around(got))

    @contextmanager
    def must_raise(self, kind: type[Exception], message: str, section: str) -> Iterator[list[Any]]:
        """Refuse code that does not raise an exception of this kind; the list gets it."""
        caught: list[Any] = []
        try:
            yield caught
        except kind as error:
            caught.append(error)
        except Exception:
            self.doing += f", which has to raise {kind.__name__}"
            raise
        if not caught:
            self.wrong(message, section, expected=kind.__name__, got="no exception")

    # A network

    def run(self, scenario: Coroutine[Any, Any, object], *, latency: float = 0.001) -> None:
        """Run a scenario in virtual time, on a network in memory.

        latency: seconds from one end to the other. Raises Late if the scenario would never end.
        """
        try:
            simulate(self.watched(scenario), latency=latency).result()
        except (Deadlock, Livelock, OutOfTime) as error:
            raise Late(str(error).partition("\n")[0]) from None

    async def watched(self, scenario: Coroutine[Any, Any, object]) -> None:
        """Run a scenario on a simulated loop; an exception of a handler beside it counts first."""
        loop: Any = asyncio.get_running_loop()
        self._button = loop.button
        try:
            await scenario
        except Exception:
            self.raise_first()
            raise
        self.raise_first()

    def raise_first(self) -> None:
        """Raise a handler's first exception, if there is one, because it explains the rest."""
        if self.raised:
            raise self.raised[0]

    def stop(self) -> None:
        """End the trial, from any thread."""
        self._over = self._button.pressed = True

    @asynccontextmanager
    async def serving(self, handler: Callable[..., Any]) -> AsyncIterator[int]:
        """Serve TCP with the learner's handler; gives the port."""

        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except Exception as error:
                self.raised.append(error)
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, LOOPBACK, 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    @asynccontextmanager
    async def peer(self, port: int) -> AsyncIterator[Peer]:
        """Connect to a port as a scripted peer."""
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            yield Peer(self, reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
