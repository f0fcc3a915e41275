"""Tests of one process share its state. A test that leaves it changed decides how others end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

Shared = dict[str, dict[str, object]]  # the owner, a name, its value

# What the network in memory replaces.
LED: dict[type, tuple[str, ...]] = {
    asyncio.BaseEventLoop: (
        "create_server",
        "create_connection",
        "subprocess_exec",
        "subprocess_shell",
    ),
    socket.socket: ("connect", "connect_ex"),
}


def shared() -> Shared:
    """Return the names of the package's modules and of some others, and the environment."""
    ours = {name: one for name, one in sys.modules.items() if name.partition(".")[0] == "wslab"}
    owners = {"asyncio": asyncio, **{kind.__name__: kind for kind in LED}, **ours}
    state: Shared = {name: {**vars(one)} for name, one in owners.items()}
    state["os.environ"] = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    state["sys.modules"] = {**ours}
    state["os"] = {"getcwd()": os.getcwd()}
    return state


def changes(before: Shared) -> list[str]:
    """Return what is not as before. A module may get a name, such as a late import's."""
    after = shared()
    changed = [
        f"{owner}: {name}"
        for owner, values in before.items()
        if owner in after  # if not, sys.modules says so
        for name, value in values.items()
        if (now := after[owner].get(name)) is not value and now != value
    ]
    for owner in ("os.environ", "BaseEventLoop", "socket"):
        changed += [f"{owner}: {name}" for name in after[owner].keys() - before[owner].keys()]
    return changed
