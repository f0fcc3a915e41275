"""Whether the lab works in memory: always in a page, and elsewhere if WSLAB_NETWORK says so."""

from __future__ import annotations

import os
import sys

__all__ = ["NeedsSystem", "is_chosen"]

NETWORKS = {"": False, "sockets": False, "memory": True}


class NeedsSystem(RuntimeError):
    """The program uses something that a process without sockets and threads does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this needs {what}. This course runs on one thread and a network in memory here, as "
            "in a web page: leave this out, or run it in a JupyterLab of your own, without "
            "WSLAB_NETWORK=memory"
        )


def is_chosen() -> bool:
    """Tell whether the lab works in memory; ValueError for an unknown network."""
    if sys.platform == "emscripten":
        return True
    name = os.environ.get("WSLAB_NETWORK", "")
    if name not in NETWORKS:
        raise ValueError(f'WSLAB_NETWORK is {name!r}, it must be "memory" or "sockets"')
    return NETWORKS[name]
