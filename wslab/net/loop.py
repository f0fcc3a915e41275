"""An event loop in virtual time: its clock jumps to whatever is next.

Time passes only when nothing else is left to do, and then all at once. When nothing is left that
could ever happen, it says so.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import math
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from threading import get_ident
from typing import Any, TypeVar

from wslab.net.errors import Deadlock, Livelock, NotSimulated, OutOfTime, SimulationError, waiting
from wslab.net.launch import PROGRAM, Program
from wslab.net.memory_loop import MemoryLoop
from wslab.net.network import MemoryNetwork
from wslab.net.stop import Button, own_stop, step_aside

__all__ = ["SimulatedLoop"]

STEPS = 200_000  # so many while no time passes are a livelock
LEAVE = 60.0  # virtual seconds that tasks have to end after they were cancelled,
ROUNDS = 3  # each time that they are
MOMENT = 1e-4  # seconds: less than this is no time
COLLECT = 10_000  # turns after which garbage is collected, so that finalizers run at fixed times

T = TypeVar("T")


class SimulatedTask(asyncio.Task[Any]):
    """A task whose place in a set is the same in every process: its hash is a number in order."""

    def __init__(self, coroutine: Any, *, loop: SimulatedLoop, **options: Any) -> None:
        self._number = next(loop.numbers)
        if options.get("name") is None:  # asyncio counts the tasks of the whole process
            options["name"] = f"Task-{self._number}"
        super().__init__(coroutine, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


def _make_task(loop: Any, coroutine: Any, **options: Any) -> SimulatedTask:
    return SimulatedTask(coroutine, loop=loop, **options)


class _Delivery:
    """Something that the network will do. It belongs to no program, so it is not a callback."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        self.function = None


class SimulatedLoop(MemoryLoop):
    """A loop with a virtual clock; `run` runs a program on it. network: connects its sockets.

    start: the time at which its clock begins. limit: the time at which it gives up, OutOfTime.
    """

    is_simulated = True

    _thread_id: int | None  # asyncio's

    def __init__(
        self, network: MemoryNetwork | None = None, *, start: float = 0.0, limit: float = math.inf
    ) -> None:
        self.now = self.counted_from = self.ended_at = start
        self.limit = limit
        self.steps = self.turns = 0  # steps: callbacks since counted_from
        self.button = Button()
        self.launched: list[Any] = []  # what `launch` has started
        self.crashed: list[Program] = []
        self.numbers = itertools.count(1)  # of tasks
        self._deliveries: list[tuple[float, int, _Delivery]] = []  # a heap
        self._delivered = itertools.count()
        super().__init__(network or MemoryNetwork())
        self.network.call_at = self._deliver_at
        self.set_debug(False)  # `python -X dev` turns it on: that takes ten times as long
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.now

    def _deliver_at(self, when: float, function: Callable[[], None]) -> _Delivery:
        delivery = _Delivery(function)
        heapq.heappush(self._deliveries, (when, next(self._delivered), delivery))
        return delivery

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call soon, as asyncio does. Another thread may not, because nobody could say when."""
        if self._closed:
            self._check_closed()
        if get_ident() != self._thread_id:
            self._check_thread()
        handle = asyncio.Handle(callback, arguments, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *arguments: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """Call at a time; ValueError for NaN, which no clock reaches. Another thread may not."""
        if math.isnan(when):
            raise ValueError("a time to wait for is not a number (NaN)")
        self._check_thread()
        return super().call_at(when, callback, *arguments, **options)

    def _check_thread(self) -> None:
        if self._thread_id not in (None, get_ident()):
            raise NotSimulated("a call from another thread")

    # One turn

    def _run_once(self) -> None:
        button = self.button
        before, button.armed = button.armed, True  # as `button.arm()` does, in less time
        try:
            if button.pressed:
                raise KeyboardInterrupt
            if self.network.touched:
                self._process_events(self._selector.select())
            if not self._ready and not self._stopping:
                self._let_time_pass()
            self._run_ready()
        finally:
            button.armed = before

    def _run_ready(self) -> None:
        ready, timers = self._ready, self._scheduled
        while timers and timers[0]._when <= self.now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        self.steps += len(ready)
        self.turns += 1
        if not self.turns % COLLECT:
            gc.collect()
        if self.steps > STEPS:
            raise Livelock(STEPS, self.now, waiting(self))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self.crashed and (program := handle._context.get(PROGRAM)) in self.crashed:
                program.missed.append(handle)
            else:
                handle._run()

    def _let_time_pass(self) -> None:
        """Jump to whatever is next. The network comes first, and programs find what it has done."""
        self._drop_cancelled()
        timers, deliveries = self._scheduled, self._deliveries
        while deliveries and deliveries[0][2].function is None:
            heapq.heappop(deliveries)
        if not timers and not deliveries:
            raise Deadlock(self.now, waiting(self))
        due = deliveries[0][0] if deliveries else math.inf
        if timers and timers[0]._when < due:
            due = timers[0]._when
        if due > self.limit:
            self.now = self.limit
            raise OutOfTime(self.limit, waiting(self))
        self.now = max(self.now, due)
        if due > self.counted_from + MOMENT:
            self.counted_from, self.steps = due, 0
        while deliveries and deliveries[0][0] <= self.now:
            if (function := heapq.heappop(deliveries)[2].function) is not None:
                function()
        if self.network.touched:
            self._process_events(self._selector.select())

    # From the first step to the last

    def run(self, main: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end, then end what it has left behind; return its result.

        main: the coroutine, or a function without arguments that returns it.
        It may be called while another loop runs on this thread, as in a notebook's cell.
        Raises what the coroutine raises; Deadlock, Livelock or OutOfTime; and KeyboardInterrupt.
        """
        with own_stop() as self.button, step_aside():
            try:
                return self.run_until_complete(main() if callable(main) else main)
            except KeyboardInterrupt:
                self.button.pressed = False  # this is the answer to it
                raise
            finally:
                self.ended_at = self.now
                try:
                    self._clean_up()
                except KeyboardInterrupt:
                    self.button.pressed = False
                    self._clean_up()  # quicker now: it has been begun
                    raise
                finally:
                    self.close()

    def crash(self, program: Program) -> None:
        """Let a program do nothing any more: its sockets are closed, its callbacks wait."""
        program.kept = list(asyncio.all_tasks(self))
        self.crashed.append(program)
        self.network.crash(program)

    def _clean_up(self) -> None:
        """Cancel what is left, of crashed programs too: else it would end as garbage, in a mess."""
        self.launched.clear()  # faults that are still to come crash and start nothing any more
        for program in self.crashed:
            self._ready.extend(program.missed)
        kept, self.crashed = self.crashed, []
        for number in range(ROUNDS):
            were_open = self._abort_transports(only_closed=number == 0)
            tasks = sorted(asyncio.all_tasks(self), key=hash)
            if number and not tasks and not were_open:
                break
            self.limit, self.steps = self.now + LEAVE, 0
            ending = self.create_task(self._end([task for task in tasks if self._cancel(task)]))
            with suppress(SimulationError):
                while not ending.done():  # Ctrl+C may have left a stop() that was not meant for it
                    self.run_forever()
            self._give_up(ending)
        for task in sorted(asyncio.all_tasks(self), key=hash):
            message = f"{task.get_name()} went on after it was cancelled at the end"
            self.call_exception_handler({"message": message})
            self._give_up(task)
        kept.clear()

    def _cancel(self, task: asyncio.Task[Any]) -> bool:
        """Cancel a task; return False where tasks wait for each other, which asyncio cannot end."""
        try:
            return task.cancel()
        except RecursionError:
            self._give_up(task)
            return False

    def _give_up(self, task: Any) -> None:
        """End the coroutine of a task that is not done, and let asyncio forget the task."""
        task._log_destroy_pending = False
        with self.button.arm(), suppress(Exception):
            task.get_coro().close()
        asyncio._unregister_task(task)

    def _abort_transports(self, *, only_closed: bool) -> bool:
        """Abort them, or those alone whose socket was closed in a crash, without their knowing.

        Return whether there were any.
        """
        left = [each for each in self._transports.items() if each[1]._loop is not None]
        for number, transport in left:
            if not (only_closed and number in self.network.sockets):
                transport.abort()
        return bool(left)

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.call_exception_handler(
                    {"message": "raised when it was cancelled at the end", "exception": result}
                )
        await self.shutdown_asyncgens()
        await asyncio.sleep(0)  # connections that were aborted hear of it
        self.stop()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error of a callback, but not Ctrl+C, which is raised anyway, or a cancellation.

        Python 3.11 reports that of a stream's handler.
        """
        if not isinstance(context.get("exception"), KeyboardInterrupt | asyncio.CancelledError):
            super().call_exception_handler(context)
