"""Help for the loop of a notebook's own kernel: Stop in a cell that awaits, and asyncio.run."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

from wslab.lab.loop import process_global

__all__ = ["allow_asyncio_run", "let_stop_reach_awaits"]


def let_stop_reach_awaits() -> None:
    """Make the Stop button end a cell that awaits.

    ipykernel turns SIGINT into a cancellation. But while the loop waits for a socket, nothing wakes
    it up to notice. With this function, the signal itself writes a byte to a socket that the loop
    watches. Call it on the kernel's main thread while its loop runs.
    """
    loop = asyncio.get_running_loop()
    if process_global("wakeup", dict[str, object]).get("loop") is loop:
        return
    if sys.platform == "emscripten":  # a page has no sockets, and its Stop sends no signal
        return
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    try:
        loop.add_reader(reader, reader.recv, 4096)
    except NotImplementedError:  # Windows: the loop watches no sockets, and Stop sends no signal
        reader.close()
        writer.close()
        return
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    process_global("wakeup", dict[str, object]).update(loop=loop, sockets=(reader, writer))


def allow_asyncio_run() -> None:
    """Let pasted scripts call `asyncio.run(main())` in a cell.

    The kernel's loop is running already, so a plain `asyncio.run` in a cell raises. This function
    applies nest_asyncio2, the maintained fork. The archived nest_asyncio 1.6.0 loses cells that are
    queued during such a call (notebook 90 shows it).
    Raises RuntimeError if nest_asyncio was applied in this kernel; only a restart undoes that.
    """
    import nest_asyncio2  # type: ignore[import-untyped]

    if asyncio.run.__module__ == "nest_asyncio":
        raise RuntimeError(
            "nest_asyncio 1.6.0 is already applied in this kernel and loses queued cells: "
            "restart the kernel, then call allow_asyncio_run() instead"
        )
    nest_asyncio2.apply()
