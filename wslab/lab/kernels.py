"""A second kernel, for cells that would spoil the kernel that a notebook runs in."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Sequence
from queue import Empty

from wslab.net.realtime.choice import NeedsSystem, is_chosen

__all__ = ["run_all"]


async def run_all(cells: Sequence[str], *, patience: float = 3.0) -> list[str]:
    """Hand a new kernel all cells at once, as the menu's "Run All" does.

    cells: Python sources, run in order.
    patience: seconds without any reply after which the remaining cells count as lost.
    Returns the fate of each: "ran", "raised …", or "lost" if the kernel never answered.
    Raises NeedsSystem where there is no second process.
    """
    if is_chosen():
        raise NeedsSystem("a second kernel")
    return await asyncio.to_thread(_run_all, list(cells), patience)


def _run_all(cells: list[str], patience: float) -> list[str]:
    from jupyter_client.manager import start_new_kernel

    # It inherits stderr from this process, so its own remarks would land in this notebook.
    manager, client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
    try:
        requests = {client.execute(cell, stop_on_error=False): i for i, cell in enumerate(cells)}
        fate = ["lost"] * len(cells)
        end = time.monotonic() + patience
        while time.monotonic() < end and "lost" in fate:
            try:
                reply = client.get_shell_msg(timeout=0.2)
            except Empty:
                continue
            end = time.monotonic() + patience
            place = requests.get(reply["parent_header"]["msg_id"])
            if place is not None:
                content = reply["content"]
                ran = content["status"] == "ok"
                fate[place] = "ran" if ran else f"raised {content.get('ename')}"
        return fate
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
