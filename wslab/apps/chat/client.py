"""A chat member that is a program. It speaks the tutorial's protocol from Python.

The tutorial is the Chinese article on WebSocket that the course started from.

    async with ChatClient(room.url, "Ada") as ada:
        await ada.say("Hello")
        print(await ada.until(lambda said: said.text == "Hello"))

It talks to the tutorial's Node server as well. It reads all the time, so the server never has to
wait for a client that nobody looks at.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wslab.kit.messages import encoded, parsed
from wslab.lab.tables import escaped

__all__ = ["ChatClient", "ChatMessage", "Heard"]


@dataclass(frozen=True)
class ChatMessage:
    """A message of the room. name: None if the server sent none, as the tutorial's may.

    fields: all fields, such as `seq`, `time`, `kind` and `error`.
    """

    name: str | None
    text: str
    fields: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: str | bytes) -> ChatMessage:
        """Read a message; one of a different form becomes a text without a name."""
        try:
            value = parsed(data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            return cls(None, data if isinstance(data, str) else data.hex(" "), {})
        name, text = value.get("name"), value.get("text")
        return cls(
            name if isinstance(name, str) else None,
            text if isinstance(text, str) else "" if text is None else json.dumps(text),
            value,
        )

    def __str__(self) -> str:
        """Write it as a line of a transcript."""
        return f"{'?' if self.name is None else escaped(self.name)}: {escaped(self.text)}"


class Heard(list[ChatMessage]):
    """The messages that a client has heard, in order; prints as a transcript."""

    def __repr__(self) -> str:
        """Render as one line for each."""
        return "\n".join(map(str, self)) if self else "nothing heard"


class ChatClient:
    """A member of a room; an asynchronous context manager, connected inside.

    url: the room's. name: sent on arrival; None to listen only.
    history: True to ask for earlier messages; the tutorial's server ignores that.
    connect_options: passed on to `websockets.connect`.

    heard: all messages so far. resumed: the server's answer to `history`, or None.
    closed: the close code and reason after the connection has ended, None before.
    """

    def __init__(
        self,
        url: str,
        name: str | None = None,
        *,
        history: bool = False,
        **connect_options: Any,
    ) -> None:
        self.url = url
        self.name = name
        self.history = history
        self.heard = Heard()
        self.resumed: dict[str, Any] | None = None
        self.closed: tuple[int, str] | None = None
        self._options = {"proxy": None, "compression": None, **connect_options}
        self._connection: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Connect, and send the name. Raises the errors of `websockets.connect`."""
        return await self.open()

    async def open(self) -> Self:
        """Connect for longer than a block of `async with`; call `close` yourself."""
        self._connection = await connect(self.url, **self._options)
        self._reading = asyncio.create_task(self._read(self._connection))
        try:
            if self.history:
                await self.send({"type": "resume", "epoch": None, "after": 0, "client": None})
            if self.name is not None:
                await self.rename(self.name)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Leave."""
        await self.close()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Leave the room; a second call does nothing."""
        if self._connection is not None and self._reading is not None:
            await self._connection.close(code, reason)
            await self._reading

    # Sending

    async def rename(self, name: str) -> None:
        """Choose a name, the first one or a new one."""
        await self.send({"type": "setName", "text": name})

    async def say(self, text: str) -> None:
        """Say something to everybody, yourself included."""
        await self.send({"type": "chat", "text": text})

    async def send(self, message: dict[str, Any] | str | bytes) -> None:
        """Send any message, an object as JSON, a text or bytes as they are."""
        if self._connection is None:
            raise RuntimeError("not connected; use it in `async with ChatClient(…) as client:`")
        if isinstance(message, dict):
            message = encoded(message)
        await self._connection.send(message)

    # Hearing

    async def until(
        self,
        wanted: Callable[[ChatMessage], object] | str | int,
        *,
        within: float = 5.0,
    ) -> ChatMessage:
        """Wait until a message has been heard, and return it; earlier messages count too.

        wanted: a condition, a text, or a number of messages, at least 1. within: seconds to wait.
        Raises TimeoutError after that, with the messages so far, ConnectionError if the connection
        ends before, ValueError for a number below 1, and TypeError
        for anything else, such as a condition's result.
        """
        if isinstance(wanted, bool) or not (isinstance(wanted, (int, str)) or callable(wanted)):
            raise TypeError(f"wanted is {wanted!r:.60}; give a number, a text or a function")
        if isinstance(wanted, int) and wanted < 1:
            raise ValueError(f"wanted is {wanted} messages; until() needs at least 1")
        try:
            async with asyncio.timeout(within):
                while (found := self._find(wanted)) is None:
                    if self.closed is not None:
                        raise ConnectionError(f"closed with {self.closed} before the message came")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"not heard within {within:g} s. So far:\n{self.heard!r}") from None
        return found

    def _find(self, wanted: Callable[[ChatMessage], object] | str | int) -> ChatMessage | None:
        if isinstance(wanted, int):
            return self.heard[wanted - 1] if len(self.heard) >= wanted else None
        if isinstance(wanted, str):
            return next((said for said in self.heard if said.text == wanted), None)
        return next((said for said in self.heard if wanted(said)), None)

    async def _read(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in connection:
                self._take(ChatMessage.read(data))
        self.closed = (connection.close_code or 1006, connection.close_reason or "")
        self._changed.set()

    def _take(self, message: ChatMessage) -> None:
        kind = message.fields.get("type")
        if kind == "resumed":
            self.resumed = message.fields
            self.heard.clear()  # the earlier messages come again, with numbers
        elif kind != "ack":
            self.heard.append(message)
        self._changed.set()
