"""A client that comes back: it reconnects, resumes, and tells its application what it must know.

    async with ReconnectingClient("ws://127.0.0.1:9000/") as client:
        client.send({"type": "chat", "text": "Hello"})
        async for event in client:
            match event:
                case Received(message): …
                case Missed(): …
                case Failed(): …

What it stands on are values without sockets: `backoff` (when to try), `retry` (whether to try),
`keepalive` (when to give up on a silent peer), `resume` and `outbox` (what was missed). Here is
what runs them: one connection after the other, in one task.

The library's own `async for ws in connect(…)` reconnects too, and takes a policy's delays as
`reconnect_delays=`. It does not know what was lost in between, never waits before the first attempt
after a connection that worked, and raises on a 429; so this is built on single `connect` calls.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from wslab.kit.attempt import Attempt, library_connect
from wslab.kit.backoff import Attempts, Backoff, Policy
from wslab.kit.client_events import (
    Change,
    ClientEvent,
    ClientState,
    Failed,
    Missed,
    Received,
    Refused,
)
from wslab.kit.keepalive import Heartbeat
from wslab.kit.outbox import Inbox, Outbox
from wslab.kit.retry import Ending

__all__ = [
    "Change",
    "ClientState",
    "Failed",
    "Missed",
    "Received",
    "ReconnectingClient",
    "Refused",
]

LONGEST_WAIT = 3600.0  # seconds: what a server asks for beyond that is not heard
CHANGES = 1000  # how many changes of state a client remembers


class ReconnectingClient:
    """A connection that outlives its connections; `async with`, or `start` and `close`.

    url: the server's. connect: takes it and returns what to await for a connection, such as
    `websockets.connect` or `connect_from_scratch`; by default the library's, which uses no proxy
    on this machine.
    policy: how long to wait between attempts. attempts: how many in a row may fail, None for any
    number. stable_after: seconds after which a connection counts as a success.
    heartbeat: when to ask for a sign of life. beat: a text to ask with, for a server that answers
    it; None for Pings.
    resume: whether the server knows `wslab.kit.resume`; without it nothing is made up for.
    history: whether a newcomer wants what the server still has. client: the secret of this life.
    open_timeout: seconds for one attempt, `resumed` included. outbox: how many messages may wait.
    queue: how many events may wait before it stops reading. rng: draws the delays.

    state, status: where it is, and why, for a person. changes: all of that, with times.
    """

    def __init__(
        self,
        url: str,
        *,
        connect: Callable[[str], Awaitable[Any]] | None = None,
        policy: Policy | None = None,
        attempts: int | None = None,
        stable_after: float = 5.0,
        heartbeat: Heartbeat | None = None,
        beat: str | None = None,
        resume: bool = True,
        history: bool = True,
        client: str | None = None,
        open_timeout: float = 10.0,
        outbox: int = 1000,
        queue: int = 1000,
        rng: random.Random | None = None,
    ) -> None:
        self.url, self.connect = url, connect or library_connect
        self.heartbeat, self.beat = heartbeat or Heartbeat(20, timeout=10), beat
        self.resume, self.open_timeout, self.queue = resume, open_timeout, queue
        self.client = secrets.token_urlsafe(18) if client is None else client
        self.inbox, self.outbox = Inbox(history=history), Outbox(outbox)
        self.attempts = Attempts(
            policy or Backoff(),
            rng=rng or random.Random(),
            limit=attempts,
            stable_after=stable_after,
        )
        self.changes: deque[Change] = deque(maxlen=CHANGES)
        self.is_reading = True  # False while the application does not take its events
        self.to_send, self.all_acked = asyncio.Event(), asyncio.Event()
        self.all_acked.set()
        self._events: deque[ClientEvent] = deque()
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._start = 0.0

    # What an application does

    @property
    def state(self) -> ClientState:
        """Where it is."""
        return self.changes[-1].state if self.changes else ClientState.CLOSED

    @property
    def status(self) -> str:
        """The state and its reason, as one line for a person."""
        if not self.changes:
            return "closed: not started"
        return f"{self.state.value}: {self.changes[-1].text}"

    def send(self, fields: Mapping[str, Any]) -> int:
        """Take a message, a JSON object without `id`; return its key. It goes out when it can.

        Raises OutboxFull if too many wait, RuntimeError if it is closed or has failed, TypeError
        or ValueError for what is not JSON in UTF-8 (RFC 8259 §8.1), such as NaN.
        """
        if self._task is None or self._task.done():
            raise RuntimeError(f"nothing is sent any more: {self.status}")
        # Raises here, and not later in a task.
        json.dumps(fields, allow_nan=False, ensure_ascii=False).encode()
        key = self.outbox.add(fields)
        self.all_acked.clear()
        self.to_send.set()
        return key

    async def delivered(self) -> None:
        """Wait until everything sent has taken effect, or was refused. Without resume: was sent.

        Raises RuntimeError if it closes or fails before that.
        """
        ended = asyncio.ensure_future(self.until(ClientState.CLOSED, ClientState.FAILED))
        acked = asyncio.ensure_future(self.all_acked.wait())
        try:
            await asyncio.wait([ended, acked], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            acked.cancel()
        if not self.all_acked.is_set():
            raise RuntimeError(f"{len(self.outbox)} messages are not delivered: {self.status}")

    async def until(self, *states: ClientState) -> None:
        """Wait until it is in one of these states."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.state in states)

    def __aiter__(self) -> Self:
        """Iterate over the events, up to the end: `close`, or `Failed`."""
        return self

    async def __anext__(self) -> ClientEvent:
        """Return the next event."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._events or self._is_over())
            if not self._events:
                raise StopAsyncIteration
            event = self._events.popleft()
            self._changed.notify_all()
        return event

    async def start(self) -> Self:
        """Begin to connect; does not wait for it. RuntimeError if it was started before."""
        if self._task is not None:
            raise RuntimeError("a client is started once: make another one")
        self._start = asyncio.get_running_loop().time()
        self._note(ClientState.CONNECTING, "first attempt")
        self._task = asyncio.create_task(self._run())
        return self

    async def close(self) -> None:
        """End it: there is no attempt after this, no connection and no task is left."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if self.state is not ClientState.FAILED:
            await self.enter(ClientState.CLOSED, "by this side")

    async def __aenter__(self) -> Self:
        """Start."""
        return await self.start()

    async def __aexit__(self, *exception: object) -> None:
        """Close."""
        await self.close()

    # What its task does

    async def _run(self) -> None:
        try:
            while True:
                ending, lasted = await Attempt(self).run()
                delay = self.attempts.ended(lasted) if ending.retry else None
                if delay is None:
                    await self._fail(ending)
                    return
                # On top of it, or all who were told the same would come at the same time.
                delay += min(ending.wait, LONGEST_WAIT)
                number = self.attempts.number
                text = f"attempt {number} in {delay:.1f} s; {ending.text}"
                await self.enter(ClientState.WAITING, text, ending=ending)
                await asyncio.sleep(delay)
                await self.enter(ClientState.CONNECTING, f"attempt {number}")
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a mistake in here must not look like a quiet network
            await self._fail(Ending("confused", f"{type(error).__name__}: {error}", retry=False))
            raise

    async def _fail(self, ending: Ending) -> None:
        text = ending.text if not ending.retry else f"gave up; {ending.text}"
        await self.enter(ClientState.FAILED, text, Failed(ending), ending=ending)

    def _is_over(self) -> bool:
        return self._task is None or self.state in (ClientState.CLOSED, ClientState.FAILED)

    def _note(self, state: ClientState, text: str, ending: Ending | None = None) -> None:
        at = asyncio.get_running_loop().time() - self._start
        self.changes.append(Change(at, state, text, ending))

    async def enter(
        self, state: ClientState, text: str, *events: ClientEvent, ending: Ending | None = None
    ) -> None:
        """Change the state; what comes with it is the next thing that the application sees."""
        async with self._changed:
            self._events.extend(events)
            self._note(state, text, ending)
            self._changed.notify_all()

    async def tell(self, *events: ClientEvent) -> None:
        """Give events to the application; wait while it has not taken those before."""
        async with self._changed:
            self._events.extend(events)
            self._changed.notify_all()
            self.is_reading = False
            try:
                await self._changed.wait_for(lambda: len(self._events) < self.queue)
            finally:
                self.is_reading = True
