"""The table, run against a learner's own endpoint, gives a grid of ✓ and ✗."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from wslab.exercises.conformance import GROUPS
from wslab.exercises.conformance.row import Case, Make, complaints
from wslab.lab.tables import text_table
from wslab.protocol.connection import Role

__all__ = ["Grid", "Result", "run_grid"]

SMALL = 1000  # bytes; a row that sends at most so many is also run byte by byte
WHOLE = 1 << 20  # bytes, more than any row sends
HOW = {None: "", WHOLE: "all at once: "}  # nothing for frame by frame, the usual way
SHOWN = 8  # failures in the text


@dataclass(frozen=True)
class Result:
    """One row, played with one role. complaint: the fault, "" if there is none."""

    group: str
    row: Case
    role: Role
    complaint: str

    @property
    def mark(self) -> str:
        """✓ kept, ✗ broken, – broken but not required, because the library breaks it too."""
        return "✓" if not self.complaint else "–" if self.row.differs else "✗"


@dataclass(frozen=True, repr=False)
class Grid:
    """The result of every row; prints as lines of signs."""

    results: tuple[Result, ...]

    HEAD = ("rule", "as", "what happened")

    @property
    def passed(self) -> bool:
        """Tell whether every rule that is required is kept."""
        return all(result.mark != "✗" for result in self.results)

    @property
    def caption(self) -> str:
        """The numbers of rows that are kept, broken, and broken but not required."""
        count = Counter(result.mark for result in self.results)
        text = f"Conformance: {count['✓']} of {len(self.results)} rows ✓, {count['✗']} ✗"
        return text + (f", {count['–']} – (not required)" if count["–"] else "")

    def lines(self) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """Return for each group and role the signs, each with the rule's name."""
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for one in self.results:
            found.setdefault((one.group, one.role.value), []).append((one.mark, str(one.row)))
        return [(group, role, cells) for (group, role), cells in found.items()]

    def failures(self, limit: int = SHOWN) -> list[list[str]]:
        """Return the first broken rules, as rows of a table."""
        broken = [result for result in self.results if result.mark == "✗"]
        rows = [[str(one.row), one.role.value, one.complaint] for one in broken[:limit]]
        more = len(broken) - limit
        return rows + ([["…", "", f"{more} more"]] if more > 0 else [])

    def __repr__(self) -> str:
        """Render as text."""
        rows = [[group, role, "".join(m for m, _ in cells)] for group, role, cells in self.lines()]
        text = f"{self.caption}\n{text_table(('rules', 'as', 'each'), rows)}"
        failures = self.failures()
        return text + (f"\n\n{text_table(self.HEAD, failures)}" if failures else "")


def run_grid(make: Make, note: Callable[[str], object] = lambda text: None) -> Grid:
    """Run the rows of RFC 6455 in both roles, with whole and with cut bytes.

    note: called with the name of each row before that is run.
    """
    results = []
    for group, rows in GROUPS.items():
        for row in rows:
            for role in row.roles:
                note(f"{row}, as {role.value}")
                results.append(Result(group, row, role, _complaint(row, role, make)))
    return Grid(tuple(results))


def _complaint(row: Case, role: Role, make: Make) -> str:
    size = sum(len(item) if isinstance(item, bytes) else len(item.payload) for item in row.sends)
    for chunk in (None, 1 if size <= SMALL else 4096, WHOLE):
        try:
            found = complaints(row, role, make, chunk=chunk)
        except NotImplementedError:
            raise
        except Exception as error:
            found = [f"raised {type(error).__name__}: {error}"]
        if found:
            return (HOW.get(chunk, "in pieces: ") + "; ".join(found))[:300]
    return ""
