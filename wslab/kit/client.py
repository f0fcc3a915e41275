"""A client that comes back. It reconnects, resumes, and tells its application what was lost.

    async with ReconnectingClient("ws://127.0.0.1:9000/") as client:
        client.send({"type": "chat", "text": "Hello"})
        async for event in client:
            match event:
                case Received(message): …
                case Missed(): …
                case Failed(): …

It stands on values without sockets. `backoff` says when to try, `retry` whether to try, `keepalive`
when to give up a silent peer, and `resume` and `outbox` what was missed. An `Attempt` is one
connection. The client is the task that makes one attempt after the other.

The library's own `async for ws in connect(…)` reconnects too, and takes a policy's delays as
`reconnect_delays=`. It does not know what was lost in between, never waits before the first attempt
after a connection that worked, and raises on a 429. So we build on single `connect` calls.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from wslab.kit.attempt import Attempt, ClientSettings, Online, Setup, library_connect
from wslab.kit.backoff import Attempts, Backoff, Policy
from wslab.kit.client_events import Change, ClientEvent, ClientState, Failed, Received
from wslab.kit.keepalive import Heartbeat
from wslab.kit.outbox import Inbox, Outbox
from wslab.kit.retry import Ending
from wslab.net.clock import News, unguessable

__all__ = ["NotDelivered", "ReconnectingClient"]

LONGEST_WAIT = 3600.0  # seconds; the longest wait that a server can ask for
CHANGES = 1000  # how many changes of state a client remembers
LINGER = 10.0  # seconds that the end of a block waits for acknowledgements

Renew = Callable[[Ending], Awaitable[str | None]]


class NotDelivered(RuntimeError):
    """Messages were not acknowledged, and no more attempts are made. keys: theirs, from `send`."""

    def __init__(self, keys: list[int], status: str) -> None:
        super().__init__(f"{len(keys)} messages are not delivered: {keys!s:.60}; {status}")
        self.keys = keys


class ReconnectingClient:
    """A connection that outlives its connections; use `async with`, or `start` and `close`.

    url: the server's. connect: takes it and returns an awaitable connection, such as
    `websockets.connect` or `connect_from_scratch`. By default it is the library's, without a proxy
    on this machine.
    policy: how long to wait between attempts. stable_after: seconds after which a connection
    counts as a success. rng: draws the delays.
    heartbeat: when to ask for a sign of life. open_timeout: seconds for one attempt, up to
    `resumed`.
    resume: True if the server knows `wslab.kit.resume`. Without it a message counts as delivered
    when it was sent, and messages that are lost on the way stay lost.
    history: True if a newcomer wants the messages that the server still has.
    setup: called on each connection with the server's `resumed`, or {} without resume. It returns
    messages that go before all others, without ids. Settings of a connection, such as the name in a
    chatroom, have to be sent again on each.
    renew: called when an answer is final, such as 401 or 4001; see `Ending.code`. It returns the
    URL to try next, perhaps with a new token, or None to give up.

    state, status: the state, and its reason for a person. changes: all changes, with times.
    settings: those of every attempt, with the client's secret. queue: how many events may wait
    before it stops reading.
    """

    def __init__(
        self,
        url: str,
        *,
        connect: Callable[[str], Awaitable[Any]] = library_connect,
        policy: Policy | None = None,
        stable_after: float = 5.0,
        rng: random.Random | None = None,
        heartbeat: Heartbeat | None = None,
        open_timeout: float = 10.0,
        resume: bool = True,
        history: bool = True,
        setup: Setup = lambda resumed: (),
        renew: Renew | None = None,
    ) -> None:
        self.url, self.renew = url, renew
        self.queue: float = 1000
        self.inbox, self.outbox = Inbox(history=history), Outbox()
        rng = rng or random.Random(random.random())
        self.attempts = Attempts(policy or Backoff(), rng=rng, stable_after=stable_after)
        self.changes: deque[Change] = deque(maxlen=CHANGES)
        self.settings = ClientSettings(
            connect=connect,
            client=unguessable(18) if resume else None,
            heartbeat=heartbeat or Heartbeat(20, timeout=10),
            open_timeout=open_timeout,
            setup=setup,
        )
        self._attempt: Attempt | None = None
        self._events: deque[ClientEvent] = deque()
        self._news = News()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._start = 0.0
        self._is_closed = False  # by `close`

    # For the application

    @property
    def state(self) -> ClientState:
        """The newest state."""
        return self.changes[-1].state if self.changes else ClientState.CLOSED

    @property
    def status(self) -> str:
        """The state and its reason, as one line for a person."""
        if not self.changes:
            return "closed: not started"
        return f"{self.state.value}: {self.changes[-1].text}"

    def send(self, fields: Mapping[str, Any]) -> int:
        """Take a message, a JSON object without `id`; return its key. It is sent when possible.

        It is encoded now, so a later change of `fields` has no effect.
        Raises OutboxFull if too many wait, and RuntimeError if the client is closed or has failed.
        Raises TypeError or ValueError if it is not JSON in UTF-8 (RFC 8259 §8.1), such as NaN.
        """
        if self._task is None or self._task.done():
            raise RuntimeError(f"nothing is sent any more: {self.status}")
        key = self.outbox.add(fields)
        if self._attempt is not None:
            self._attempt.to_send.set()
        return key

    async def delivered(self) -> None:
        """Wait until every message has taken effect or was refused; without resume, until sent.

        Raises NotDelivered if the client closes or fails before that.
        """
        await self._news.until(lambda: not self.outbox or self._is_over())
        if self.outbox:
            raise NotDelivered(self.outbox.keys, self.status)

    async def until(self, *states: ClientState) -> None:
        """Wait until it is in one of these states; ConnectionError if it ends before."""
        if not states or not all(isinstance(each, ClientState) for each in states):
            raise TypeError(f"states are {states!r:.60}; name at least one, ClientState.ONLINE")
        await self._news.until(lambda: self.state in states or self._has_ended())
        if self.state not in states:
            raise ConnectionError(self.status)

    def retry_now(self) -> None:
        """End the wait for the next attempt, for example when somebody has pressed "now"."""
        self._hurry.set()

    def __aiter__(self) -> Self:
        """Iterate over the events, until `close` or `Failed`."""
        return self

    async def __anext__(self) -> ClientEvent:
        """Return the next event."""
        await self._news.until(lambda: self._events or self._is_over())
        if not self._events:
            raise StopAsyncIteration
        event = self._events.popleft()
        self._news.set()
        return event

    async def start(self) -> Self:
        """Begin to connect; does not wait for it. RuntimeError if it was started before."""
        if self._task is not None:
            raise RuntimeError("a client can be started once: make a new one")
        self._start = asyncio.get_running_loop().time()
        self._note(ClientState.CONNECTING, "first attempt")
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)
        return self

    async def close(self) -> None:
        """End it now, with its connection and its task; no attempt is made after this.

        `outbox.keys` are the keys of undelivered messages; wait for `delivered` before.
        """
        if self._task is not None:
            self._is_closed = True
            self._task.cancel()
            await asyncio.wait([self._task])

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Wait until everything is delivered, for 10 s at most, then close.

        Raises NotDelivered if something was not. It does not wait after a block that raises or has
        closed the client itself.
        """
        try:
            if kind is None and not self._is_closed:
                self.queue = math.inf  # nobody takes events any more
                self._news.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINGER):
                        await self.delivered()
                if self.outbox:
                    raise NotDelivered(self.outbox.keys, self.status)
        finally:
            await self.close()

    # Its task

    async def _run(self) -> None:
        try:
            while True:
                self._attempt = Attempt(self.settings, self.inbox, self.outbox, self._emit)
                ending, lasted = await self._attempt.run(self.url)
                if not ending.retry and self.renew:
                    self._enter(ClientState.WAITING, ending.text, ending=ending)
                    if url := await self.renew(ending):
                        self.url, ending = url, replace(ending, retry=True)
                if not ending.retry:
                    self._fail(ending)
                    return
                # Added to it, because clients that were told the same would come at the same time.
                delay = self.attempts.ended(lasted) + min(ending.wait, LONGEST_WAIT)
                number = self.attempts.number
                text = f"attempt {number} in {delay:.1f} s; {ending.text}"
                self._hurry.clear()
                self._enter(ClientState.WAITING, text, ending=ending)
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._hurry.wait()
                self._enter(ClientState.CONNECTING, f"attempt {number}")
        except Exception as error:  # a bug in here must not look like a quiet network
            self._fail(Ending.of_bug(error))
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._enter(ClientState.CLOSED, "by this side")

    def _fail(self, ending: Ending) -> None:
        self._enter(ClientState.FAILED, ending.text, Failed(ending), ending=ending)

    def _is_over(self) -> bool:
        return self._task is None or self._has_ended()

    def _has_ended(self) -> bool:
        return bool(self.changes) and self.state in (ClientState.CLOSED, ClientState.FAILED)

    def _note(self, state: ClientState, text: str, ending: Ending | None = None) -> None:
        at = asyncio.get_running_loop().time() - self._start
        self.changes.append(Change(at, state, text, ending))

    def _enter(
        self, state: ClientState, text: str, *events: ClientEvent, ending: Ending | None = None
    ) -> None:
        """Change the state; the application sees the events that belong to it next."""
        self._events.extend(events)
        self._note(state, text, ending)
        self._news.set()

    async def _emit(self, *events: Online | ClientEvent) -> None:
        """Take an attempt's events; after a message, wait while too many events are waiting."""
        for event in events:
            if isinstance(event, Online):
                self._note(ClientState.ONLINE, event.text)
            else:
                self._events.append(event)
        self._news.set()
        if events and isinstance(events[-1], Received):
            await self._news.until(lambda: len(self._events) < self.queue)
