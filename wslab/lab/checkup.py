"""The doctor tells what works on this machine and what to do about the rest.

`doctor()` reads versions and settings, and it sends one real message through a server and a cable.
It never raises, because a check that fails becomes a row that says so. Nothing leaves the machine.
The checks are in `wslab.lab.checks`.
"""

from __future__ import annotations

from wslab.lab.checks import CHECKS
from wslab.lab.finding import Finding
from wslab.lab.tables import text_table

__all__ = ["HEAD", "Checkup", "doctor"]

HEAD = ("what", "seen", "verdict", "what to do")


class Checkup(tuple[Finding, ...]):
    """The doctor's findings; they print as a table."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether nothing needs attention."""
        return all(finding.ok for finding in self)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return the table's cells, in the order of `HEAD`."""
        return [(what, seen, "ok" if ok else "!", advice) for what, seen, ok, advice in self]

    def __repr__(self) -> str:
        """Render as a table, the same every time as long as nothing changes."""
        return text_table(HEAD, self.rows())


def doctor() -> Checkup:
    """Look at everything that the lessons need.

    It works in a cell, in a script and in a terminal. If something hangs, it waits for some
    seconds, and nothing else runs on the caller's loop meanwhile.
    Returns a `Checkup`, which has a `Finding` for each thing, and `ok` for all of them together.
    """
    return Checkup(finding for check in CHECKS for finding in check.findings())
