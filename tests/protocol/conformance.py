"""Every row of conformance: those that exercise 04 shows, and those about compression."""

from __future__ import annotations

from wslab.exercises.conformance import GROUPS
from wslab.exercises.conformance.row import Case

from .compression import COMPRESSION

__all__ = ["ROWS"]

ROWS: list[Case] = [*(row for rows in GROUPS.values() for row in rows), *COMPRESSION]
