"""Programs that may crash in a simulation, and start again."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["PROGRAM", "Launched", "Program", "launch"]

Start = Callable[[dict[str, Any]], Coroutine[Any, Any, object]]


class Program:
    """One life of a program. All callbacks with its context belong to it.

    missed: the callbacks that have not run because it has crashed.
    kept: the tasks at that time, because asyncio alone does not keep them alive.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.missed: deque[asyncio.Handle] = deque()
        self.kept: list[object] = []


PROGRAM: contextvars.ContextVar[Program | None] = contextvars.ContextVar("PROGRAM", default=None)


class Launched:
    """A program that was started with `launch`. disk: its values that outlive a crash."""

    def __init__(self, begin: Start, name: str, loop: Any) -> None:
        self.begin, self.name, self.loop = begin, name, loop
        self.disk: dict[str, Any] = {}
        self._life: Program | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not crashed, or has started again since."""
        return self._life is not None

    def start(self) -> None:
        """Start for the first time, or after a crash. A program that runs goes on."""
        if self._life is not None:
            return
        self._life = Program(self.name)
        context = contextvars.copy_context()
        context.run(PROGRAM.set, self._life)
        task = self.loop.create_task(self.begin(self.disk), name=self.name, context=context)
        task.add_done_callback(self._report)

    def crash(self, *, keeps: bool = True) -> None:
        """Crash: all its tasks stop where they are, and its connections are reset.

        keeps: whether the disk keeps what is on it.
        """
        if self._life is not None:
            self.loop.crash(self._life)
            self._life = None
        if not keeps:
            self.disk = {}

    def _report(self, task: asyncio.Task[object]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            message = f"the program {self.name!r} has ended"
            self.loop.call_exception_handler({"message": message, "exception": error})


def launch(begin: Start, name: str | None = None) -> Launched:
    """Start a program beside the one that calls this, in a simulation; faults may crash it.

        async def server(disk):
            log = disk.setdefault("log", Log())
            async with serve(Feed(log), "server", 9000) as listener:
                await listener.serve_forever()

        launch(server)

    begin: called at each start with the program's disk, a dict that outlives a crash. Tasks that
    it starts, and connections that it accepts or opens, are its own and end in a crash.
    Python runs the `finally` blocks of what has crashed when the simulation is over.
    Raises RuntimeError outside a simulation, because nothing can crash there and be left behind
    safely, and inside a program that was launched, because a crash would start it twice.
    """
    loop: Any = asyncio.get_running_loop()
    if PROGRAM.get() is not None:
        raise RuntimeError("launch() starts a program beside yours: call it outside of the others")
    if not hasattr(loop, "launched"):
        raise RuntimeError("launch() starts a program in a simulation: call it inside simulate()")
    launched = Launched(begin, name or str(getattr(begin, "__name__", "program")), loop)
    loop.launched.append(launched)
    launched.start()
    return launched
