"""Exercises: write a piece of WebSocket, have it checked against peers of every kind.

    from wslab.exercises import check, progress

    check.handshake.accept_key(accept_key)     raises NotSolved if it is wrong
    check.handshake.accept_key.hint(1)         a nudge; hint(2) says more
    progress()                                 what you have solved
    grid(Endpoint)                             the conformance table, run against your own endpoint

A set is a module in `sets/`; the notebooks to write in are in notebooks/exercises.
"""

from wslab.exercises.engine.overview import check, grid, progress
from wslab.exercises.engine.verdict import NotAttempted, NotSolved, Outcome, Verdict

__all__ = [
    "NotAttempted",
    "NotSolved",
    "Outcome",
    "Verdict",
    "check",
    "grid",
    "progress",
]
