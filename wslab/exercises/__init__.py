"""In the exercises you write pieces of WebSocket, which are checked on peers of every kind.

    from wslab.exercises import check, progress

    check.handshake.accept_key(accept_key)     raises NotSolved if it is wrong
    check.handshake.accept_key.hint(1)         a nudge; hint(2) says more
    progress()                                 your solved tasks
    grid(Endpoint)                             the conformance table, run against your own endpoint

A set is a module in `sets/`. You write your answers in the notebooks of notebooks/exercises.
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
