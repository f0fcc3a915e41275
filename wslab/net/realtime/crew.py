"""The lab's loops in real time, which take turns on one thread.

None of them ever runs by itself. While another loop runs, as in a notebook or a page, it calls
`Crew.pump` whenever one of them has something to do. While nothing else runs, or a function blocks
until a coroutine is done, they run each other.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from heapq import heappop
from typing import Any, TypeVar

from wslab.net.errors import Deadlock, waiting
from wslab.net.memory_loop import MemoryLoop
from wslab.net.realtime.choice import NeedsSystem
from wslab.net.realtime.network import SharedNetwork
from wslab.net.stop import Button, own_stop, step_aside

__all__ = ["Crew", "RealtimeLoop"]

NAP = 0.02  # seconds to sleep at most before looking whether Stop was pressed
ROUNDS = 8  # turns of the crew for one of the loop that hosts it

T = TypeVar("T")


class RealtimeLoop(MemoryLoop):
    """A loop on real time and the network in memory, which others of its crew let run."""

    lacks = NeedsSystem

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        super().__init__(crew.network)
        self._selector.touched, self._selector.wake = {}, crew.wake
        crew.loops.append(self)

    def close(self) -> None:
        """Close the loop and its sockets; the network goes on."""
        if not self.is_closed():
            self.crew.loops.remove(self)
            for number in list(self._selector.get_map()):
                if (sock := self.network.sockets.get(number)) is not None:
                    sock.close()
            super(MemoryLoop, self).close()

    def set_default_executor(self, executor: object) -> None:
        """Do nothing: there are no threads, and `run_in_executor` says so."""

    def call_soon(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> asyncio.Handle:
        """Call soon, and wake the crew."""
        handle = super().call_soon(*arguments, **options)
        self.crew.wake()
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> asyncio.Handle:
        """Call soon; NeedsSystem on a different thread."""
        self.crew.check_thread()
        return self.call_soon(*arguments, **options)

    def call_at(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """Call at a time, and tell the crew."""
        handle = super().call_at(*arguments, **options)
        self.crew.wake()
        return handle

    @property
    def due(self) -> float:
        """Seconds until it has something to do, 0 for now; infinite if there is nothing."""
        if self._ready or self._selector.touched:
            return 0.0
        self._drop_cancelled()
        return max(0.0, self._scheduled[0]._when - self.time()) if self._scheduled else math.inf

    def turn(self) -> None:
        """Run everything that is ready, once. No other loop may be running."""
        self.stop()
        self.run_forever()

    def _run_once(self) -> None:
        with self.crew.button.arm():
            if self._selector.touched:
                self._process_events(self._selector.select())
            timers, ready = self._scheduled, self._ready
            self._drop_cancelled()
            while timers and timers[0]._when <= self.time():
                timer = heappop(timers)
                timer._scheduled = False
                ready.append(timer)
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
        if not self._stopping:
            self.crew.rest(self)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end while the caller waits, and the crew with it.

        It may be called while another loop runs on this thread; that one stands still.
        Raises what the coroutine raises, Deadlock, and KeyboardInterrupt; the last two cancel it.
        """
        try:
            with self.crew.stage():
                task = self.create_task(main)
                try:
                    return self.run_until_complete(task)
                finally:
                    task.cancel()
        finally:
            self.crew.wake()


class Crew:
    """The loops of one thread, and the network that connects them.

    button: the one that Stop presses while one of them runs.
    """

    def __init__(self) -> None:
        self.network = SharedNetwork()
        self.loops: list[RealtimeLoop] = []
        self.thread = threading.get_ident()
        self.button, self.began = Button(), time.monotonic()
        self._is_busy = False  # one of them runs, and sees to the others
        self._host: asyncio.AbstractEventLoop | None = None  # calls `pump` next,
        self._when = math.inf  # at this time
        self._call: asyncio.Handle | None = None

    def check_thread(self) -> None:
        """Raise NeedsSystem on a different thread than the one on which the lab began."""
        if threading.get_ident() != self.thread:
            raise NeedsSystem("a second thread for the lab")

    def wake(self) -> None:
        """Let the loop that runs here call `pump` when something is due, unless one runs itself."""
        host = asyncio._get_running_loop()
        if not self._is_busy and host is not None and not isinstance(host, MemoryLoop):
            self._plan(host)

    def _plan(self, host: asyncio.AbstractEventLoop) -> None:
        due = min((loop.due for loop in self.loops), default=math.inf)
        when = time.monotonic() + due if due else 0.0
        if self._host is host and self._when <= when:
            return
        if self._call is not None:
            self._call.cancel()
        self._host, self._when, self._call = host, when, None
        context = contextvars.Context()  # nobody's
        if not due:
            self._call = host.call_soon(self.pump, context=context)
        elif due < math.inf:
            self._call = host.call_later(due, self.pump, context=context)

    def pump(self) -> None:
        """Run what is ready; called by the loop that hosts the crew."""
        host, self._host, self._call = asyncio.get_running_loop(), None, None
        is_stopped = False
        try:
            with self.busy():
                for _ in range(ROUNDS):
                    if not self._turns():
                        break
        except KeyboardInterrupt:
            is_stopped = True
        self._plan(host)
        if is_stopped and callable(handler := signal.getsignal(signal.SIGINT)):
            handler(signal.SIGINT, None)  # the host's way to stop what runs on it

    def rest(self, loop: RealtimeLoop) -> None:
        """Let the other loops run while this one does; sleep while nothing is due."""
        self._turns()
        awake = [each for each in self.loops if each is loop or not each.is_running()]
        due = min(each.due for each in awake)
        if due == math.inf:
            raise Deadlock(time.monotonic() - self.began, waiting(loop))
        if due:
            time.sleep(min(due, NAP))

    def _turns(self) -> bool:
        """Run a turn of each loop that has something to do; tell whether there was one."""
        ready = [loop for loop in self.loops if not loop.is_running() and not loop.due]
        for loop in ready:
            with step_aside(), suppress(SystemExit):  # a task that calls exit() ends only itself
                loop.turn()
        return bool(ready)

    @contextmanager
    def stage(self) -> Iterator[Callable[[], RealtimeLoop]]:
        """Let other loops of the crew run in this block; gives the function that makes one."""
        self.check_thread()
        with self.busy(), step_aside():
            yield lambda: RealtimeLoop(self)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark a block in which one of the loops runs, and take Stop over for it."""
        before, self._is_busy = (self.button, self._is_busy), True
        try:
            with own_stop() as self.button:
                yield
        finally:
            self.button, self._is_busy = before
