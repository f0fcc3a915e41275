"""A client that comes back: it reconnects, resumes, and tells its application what it must know.

    async with ReconnectingClient("ws://127.0.0.1:9000/") as client:
        client.send({"type": "chat", "text": "Hello"})
        async for event in client:
            match event:
                case Received(message): …
                case Missed(): …
                case Failed(): …

What it stands on are values without sockets: `backoff` (when to try), `endings` (whether to try),
`heartbeat` (when to give up on a silent peer), `resume` and `mailbox` (what was missed). Here is
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

from wslab.apps.backoff import Attempts, Backoff, Policy
from wslab.apps.client_events import (
    Change,
    Event,
    Failed,
    Missed,
    Received,
    Refused,
    State,
)
from wslab.apps.endings import Ending
from wslab.apps.heartbeat import Heartbeat
from wslab.apps.mailbox import Inbox, Outbox
from wslab.apps.talk import Talk, library_connect

__all__ = [
    "Change",
    "Failed",
    "Missed",
    "Received",
    "ReconnectingClient",
    "Refused",
    "State",
]

LONGEST_WAIT = 3600.0  # seconds: what a server asks for beyond that is not heard
CHANGES = 1000  # how many changes of state a client remembers


class ReconnectingClient:
    """A connection that outlives its connections; `async with`, or `start` and `close`.

    url: the server's. connect: takes it and returns what to await for a connection, such as
    `websockets.connect` or `connect_from_scratch`; by default the library's, which uses no proxy
    on this machine.
    policy: how long to wait between attempts. attempts: how many in a row may fail, None for any
    number. settled: seconds after which a connection counts as a success.
    heartbeat: when to ask for a sign of life. beat: a text to ask with, for a server that answers
    it; None for Pings.
    resume: whether the server knows `wslab.apps.resume`; without it nothing is made up for.
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
        settled: float = 5.0,
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
            policy or Backoff(), rng=rng or random.Random(), limit=attempts, settled=settled
        )
        self.changes: deque[Change] = deque(maxlen=CHANGES)
        self.is_reading = True  # False while the application does not take its events
        self.to_send, self.settled_down = asyncio.Event(), asyncio.Event()
        self.settled_down.set()
        self._events: deque[Event] = deque()
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._start = 0.0

    # What an application does

    @property
    def state(self) -> State:
        """Where it is."""
        return self.changes[-1].state if self.changes else State.CLOSED

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
        self.settled_down.clear()
        self.to_send.set()
        return key

    async def delivered(self) -> None:
        """Wait until everything sent has taken effect, or was refused. Without resume: was sent.

        Raises RuntimeError if it closes or fails before that.
        """
        ended = asyncio.ensure_future(self.until(State.CLOSED, State.FAILED))
        settled = asyncio.ensure_future(self.settled_down.wait())
        try:
            await asyncio.wait([ended, settled], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            settled.cancel()
        if not self.settled_down.is_set():
            raise RuntimeError(f"{len(self.outbox)} messages are not delivered: {self.status}")

    async def until(self, *states: State) -> None:
        """Wait until it is in one of these states."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.state in states)

    def __aiter__(self) -> Self:
        """Iterate over the events, up to the end: `close`, or `Failed`."""
        return self

    async def __anext__(self) -> Event:
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
        self._note(State.CONNECTING, "first attempt")
        self._task = asyncio.create_task(self._run())
        return self

    async def close(self) -> None:
        """End it: there is no attempt after this, no connection and no task is left."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if self.state is not State.FAILED:
            await self.enter(State.CLOSED, "by this side")

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
                ending, lasted = await Talk(self).run()
                delay = self.attempts.ended(lasted) if ending.retry else None
                if delay is None:
                    await self._fail(ending)
                    return
                # On top of it, or all who were told the same would come at the same time.
                delay += min(ending.wait, LONGEST_WAIT)
                number = self.attempts.number
                text = f"attempt {number} in {delay:.1f} s; {ending.text}"
                await self.enter(State.WAITING, text, ending=ending)
                await asyncio.sleep(delay)
                await self.enter(State.CONNECTING, f"attempt {number}")
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a mistake in here must not look like a quiet network
            await self._fail(Ending("confused", f"{type(error).__name__}: {error}", retry=False))
            raise

    async def _fail(self, ending: Ending) -> None:
        text = ending.text if not ending.retry else f"gave up; {ending.text}"
        await self.enter(State.FAILED, text, Failed(ending), ending=ending)

    def _is_over(self) -> bool:
        return self._task is None or self.state in (State.CLOSED, State.FAILED)

    def _note(self, state: State, text: str, ending: Ending | None = None) -> None:
        at = asyncio.get_running_loop().time() - self._start
        self.changes.append(Change(at, state, text, ending))

    async def enter(
        self, state: State, text: str, *events: Event, ending: Ending | None = None
    ) -> None:
        """Change the state; what comes with it is the next thing that the application sees."""
        async with self._changed:
            self._events.extend(events)
            self._note(state, text, ending)
            self._changed.notify_all()

    async def tell(self, *events: Event) -> None:
        """Give events to the application; wait while it has not taken those before."""
        async with self._changed:
            self._events.extend(events)
            self._changed.notify_all()
            self.is_reading = False
            try:
                await self._changed.wait_for(lambda: len(self._events) < self.queue)
            finally:
                self.is_reading = True
