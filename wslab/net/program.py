"""A program in a simulation: what may crash, with all of its tasks and sockets at once."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque

__all__ = ["PROGRAM", "Program"]


class Program:
    """One life of a program. What runs in its context belongs to it.

    missed: what it would have run since it has crashed. kept: its tasks, which nobody else holds.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.missed: deque[asyncio.Handle] = deque()
        self.kept: list[object] = []


PROGRAM: contextvars.ContextVar[Program | None] = contextvars.ContextVar("PROGRAM", default=None)
