"""Every row of conformance: those that exercise 04 shows, and those about compression."""

from __future__ import annotations

from wslab.exercises.conformance import GROUPS
from wslab.exercises.conformance.row import Case

from .compression import COMPRESSION

__all__ = ["ALL_GROUPS", "ROWS"]

ALL_GROUPS = {**GROUPS, "compression, RFC 7692": COMPRESSION}
ROWS: list[Case] = [row for rows in ALL_GROUPS.values() for row in rows]
