"""Event loops for the lab's servers and cables, beside the kernel's loop.

A server on the kernel's own loop stands still while any cell is busy. So the lab keeps two
daemon threads with a loop each, one for servers, one for cables. A handler that blocks stops
every server, but the cable that shows it goes on. In a simulation, and in a process without
threads, other classes stand for the threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import traceback
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from functools import partial
from types import FrameType, ModuleType
from typing import Any, TypeVar, cast

from wslab.net.realtime.choice import NeedsSystem
from wslab.net.realtime.crew import Crew, RealtimeLoop

__all__ = ["LabThread", "LoopStalled", "NoThread", "SharedThread", "process_global"]

T = TypeVar("T")
LOOK = 0.01  # seconds between two looks at what a loop is doing


class LoopStalled(RuntimeError):
    """A lab loop does not answer, because something on it blocks. The message shows where."""


def process_global(name: str, make: Callable[[], T]) -> T:
    """Return the process's one value of this name; it outlives a reload of this package.

    Autoreload and importlib.reload run modules again. A registry in a module would then forget
    the servers that are still listening.
    """
    module = sys.modules.setdefault("_wslab_kept", ModuleType("_wslab_kept"))
    if name not in vars(module):
        vars(module).setdefault(name, make())  # atomic, so two threads get the same value
    return cast(T, vars(module)[name])


class LabThread:
    """A daemon thread that runs one event loop until the process ends.

    name: "servers" or "cables"; also the thread's name, for stack dumps.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.retired = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._main, name=f"wslab-{name}", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.retired:
            with contextlib.suppress(SystemExit):  # a task that calls exit() ends only itself
                self.loop.run_forever()
        self.loop.run_until_complete(self._finish())
        self.loop.close()

    async def _finish(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        await asyncio.sleep(0)  # aborted connections get their last callback

    def is_here(self) -> bool:
        """Tell whether this is called on this loop."""
        return threading.current_thread() is self.thread

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on this loop, from any other thread."""
        if self.is_here():
            coroutine.close()
            raise RuntimeError(
                f"called on the lab's {self.name} thread, which would wait for itself: "
                "inside a handler, await the coroutine instead"
            )
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run a coroutine on this loop while the caller waits; TimeoutError if it takes longer."""
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], Coroutine[Any, Any, T]], timeout: float = 5.0) -> T:
        """Run a coroutine function on this loop and return its result.

        Raises LoopStalled if that takes more than timeout seconds.
        """
        future = self.submit(function())
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():  # the function's own TimeoutError
                raise
            future.cancel()
            raise LoopStalled(self.stall_report(timeout)) from None

    def answers(self, timeout: float = 1.0) -> bool:
        """Tell whether this loop answers within timeout seconds; call it on a different thread."""
        try:
            self.call(lambda: asyncio.sleep(0), timeout)
        except LoopStalled:
            return False
        return True

    async def stalled(self, grace: float = 0.5) -> str | None:
        """Return a report if one callback keeps this loop from answering for grace seconds.

        A loop with much to do is not stalled, because it goes from one callback to the next.
        """
        answered = threading.Event()
        self.loop.call_soon_threadsafe(answered.set)
        callback, looks = None, 0
        while not answered.is_set():
            # We count looks, not time, because this coroutine pauses too when the machine does.
            if looks * LOOK >= grace:
                return self.stall_report(grace)
            await asyncio.sleep(LOOK)
            if (now := self._callback()) is callback:
                looks += 1
            else:
                callback, looks = now, 0
        return None

    def _callback(self) -> FrameType | None:
        """The frame of the callback that the loop is running now, if it is in one."""
        for frame, _ in traceback.walk_stack(sys._current_frames().get(self.thread.ident or 0)):
            if frame.f_back is not None and frame.f_back.f_code is asyncio.Handle._run.__code__:
                return frame
        return None

    def stall_report(self, seconds: float) -> str:
        """Describe what the thread is doing at this moment, innermost call last."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)[-4:]) if frame else "  the thread has ended\n"
        return (
            f"the loop of the lab's {self.name} has not answered for {seconds:g} s: something on "
            f"it blocks instead of awaiting. It is here:\n{stack}"
        )

    def retire(self) -> None:
        """Give up a stalled loop; the next use gets a new thread, and this one ends when it can."""
        self.retired = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        threads: dict[str, LabThread] = process_global("threads", dict)
        if threads.get(self.name) is self:
            del threads[self.name]


class NoThread(LabThread):
    """Stands for a thread of the lab in a simulation, and uses the loop that runs here."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name, self.loop, self.retired = name, loop, False

    def is_here(self) -> bool:
        """Tell that it does not matter: nothing waits here."""
        return False

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Refuse: it would block the only thread."""
        coroutine.close()
        raise RuntimeError("lab.run() blocks its thread: in a simulation, await the coroutine")

    def call(self, function: Callable[[], Coroutine[Any, Any, T]], timeout: float = 5.0) -> T:
        """Run a coroutine function as far as it goes without waiting; the rest becomes a task."""
        coroutine = function()
        try:
            while (awaited := coroutine.send(None)) is None:
                pass  # it only lets others go first
        except StopIteration as ended:
            return cast(T, ended.value)
        self.submit(_go_on(coroutine, awaited))
        return cast(T, None)

    def answers(self, timeout: float = 1.0) -> bool:
        """Tell that it does: the question is asked on it."""
        return True

    async def stalled(self, grace: float = 0.5) -> str | None:
        """Tell that it is not, because its caller would stand still too."""
        return None

    def retire(self) -> None:
        """Go on: there is no other."""


class SharedThread(NoThread):
    """Stands for a thread of the lab where there is only one; a loop of its own takes turns."""

    loop: RealtimeLoop

    def __init__(self, name: str, crew: Crew) -> None:
        super().__init__(name, RealtimeLoop(crew))
        self.crew = crew

    def is_here(self) -> bool:
        """Tell whether this is called on this loop."""
        return self.loop.is_running()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run a coroutine on this loop while the caller waits; TimeoutError if it takes longer."""
        try:
            self.crew.check_thread()
        except NeedsSystem:
            coroutine.close()
            raise
        if self.is_here():
            self.submit(coroutine)  # raises
        return self.loop.run(asyncio.wait_for(coroutine, timeout))

    def call(self, function: Callable[[], Coroutine[Any, Any, T]], timeout: float = 5.0) -> T:
        """Run a coroutine function on this loop and return its result."""
        return self.run(function(), None)

    def answers(self, timeout: float = 1.0) -> bool:
        """Tell whether it can be called from here."""
        return not self.is_here()


async def _go_on(coroutine: Coroutine[Any, Any, T], awaited: Any) -> T:
    """Await what a coroutine waits for already, and then the rest of it."""

    @types.coroutine
    def rest() -> Generator[Any, Any, T]:
        step = partial(coroutine.send, None)
        future = awaited
        while True:
            try:
                yield future
                step = partial(coroutine.send, None)
            except BaseException as error:
                step = partial(coroutine.throw, error)
            try:
                future = step()
            except StopIteration as ended:
                return cast(T, ended.value)

    return await rest()
