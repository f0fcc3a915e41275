"""Run a notebook as JupyterLab's "Run All" does: hand the kernel every cell at once.

nbclient and nbval wait for each cell before they send the next, so they never see a kernel that
loses the messages which arrive while a cell runs. This does.

    python tests/notebooks/run_all.py notebooks/00_start_here.ipynb
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import nbformat
from jupyter_client import BlockingKernelClient, KernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

START_TIMEOUT = 180  # seconds until a kernel must answer; on a quiet machine it takes one


def once(nb: NotebookNode) -> list[int]:
    """Run All: the index of every code cell that is not empty, in order."""
    return [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code" and cell.source]


def twice(nb: NotebookNode) -> list[int]:
    """Run All, and again in the same kernel."""
    return once(nb) * 2


def each_cell_twice(nb: NotebookNode) -> list[int]:
    """Every cell is run, and at once run again."""
    return [i for i in once(nb) for _ in range(2)]


def as_a_learner(**own: str) -> dict[str, str]:
    """Return the environment of a program that learners run, which is not in Python's dev mode.

    On a busy machine asyncio's debug mode, a part of it, writes warnings that no learner sees.
    """
    return {**os.environ, **own, "PYTHONDEVMODE": ""}


def press_stop(client: NotebookClient, cell: NotebookNode) -> None:
    """Stop a cell that is to be run next, half a second after it has begun to run."""
    cell.source = f"print('runs', flush=True)\n{cell.source}"

    def press() -> None:
        while not cell.outputs:
            time.sleep(0.01)
        time.sleep(0.5)  # most probably it waits by now
        asyncio.run(client.km.interrupt_kernel())

    threading.Thread(target=press, daemon=True).start()


@contextmanager
def kernel(folder: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel of this interpreter's environment that works in a folder."""
    with tempfile.TemporaryDirectory() as sockets:
        manager = KernelManager(kernel_name="python3")
        if sys.platform != "win32":
            # TCP ports are chosen here and taken a second later by the kernel. It dies if another
            # test's connection has got one of them meanwhile; nobody else gets a file.
            manager.transport, manager.ip = "ipc", f"{sockets}/kernel"
        manager.start_kernel(cwd=str(folder), env=as_a_learner())
        client = manager.blocking_client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=START_TIMEOUT)
            yield manager, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def problems(path: Path, plan: Sequence[int], *, timeout: float = 60) -> list[str]:
    """Queue cells and report each that ended in an error or got no reply.

    path: the notebook; its folder is the kernel's working directory.
    plan: the indices of the cells in the order in which they are queued.
    timeout: seconds without any reply after which the rest is given up.
    An error in a cell tagged `raises-exception` is no problem.
    """
    nb = nbformat.read(path, as_version=4)
    with kernel(path.parent) as (manager, client):
        waiting: dict[str, int] = {}
        for index in plan:
            message = client.execute(
                nb.cells[index].source, store_history=True, allow_stdin=False, stop_on_error=False
            )
            waiting[message] = index
        found = []
        for message, content in replies(manager, client, timeout):
            if (index := waiting.pop(message, -1)) < 0:
                continue  # an answer to something else
            deliberate = "raises-exception" in nb.cells[index].metadata.get("tags", [])
            if content["status"] != "ok" and not deliberate:
                error = f"{content.get('ename', content['status'])}: {content.get('evalue', '')}"
                found.append(f"{path.name}, cell {index}: {error}")
            if not waiting:
                break
        state = "" if manager.is_alive() else ", the kernel died"
        return found + [f"{path.name}, cell {i}: no reply{state}" for i in waiting.values()]


def replies(
    manager: KernelManager, client: BlockingKernelClient, timeout: float
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (the request's id, the reply's content) until none comes for `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and manager.is_alive():
        try:
            reply = client.get_shell_msg(timeout=1)
        except Empty:
            continue
        deadline = time.monotonic() + timeout
        yield reply["parent_header"]["msg_id"], reply["content"]


if __name__ == "__main__":
    trouble = [
        problem
        for name in sys.argv[1:]
        for problem in problems(Path(name), twice(nbformat.read(name, as_version=4)))
    ]
    print(*trouble or ["every cell ran, twice"], sep="\n")
    sys.exit(1 if trouble else 0)
