"""The conformance table: one row for each MUST of RFC 6455 and RFC 7692 that an endpoint can break.

Of the rules for an open connection: §5 to §8 and §10.4 of RFC 6455, §6 and §7.2 of RFC 7692. The
course's own implementation is tested with it, the `websockets` library is its oracle, and
exercise 04 runs it against a learner's. The opening handshake is not in it.
"""

from __future__ import annotations

from dataclasses import replace

from wslab.exercises.conformance.closing import CLOSING, TOO_MUCH, UTF8
from wslab.exercises.conformance.compression import COMPRESSION, DEFLATE
from wslab.exercises.conformance.framing import CONTROL, FRAGMENTS, FRAMING
from wslab.exercises.conformance.negotiation import ANSWERS, OFFERS, Answer, Offer
from wslab.exercises.conformance.row import LIMITS, MASK, Case, TestedEndpoint, complaints

__all__ = [
    "ANSWERS",
    "GROUPS",
    "LIMITS",
    "MASK",
    "OFFERS",
    "ROWS",
    "Answer",
    "Case",
    "Offer",
    "TestedEndpoint",
    "complaints",
]

# The rows of RFC 6455, in the order in which one meets them.
GROUPS: dict[str, list[Case]] = {
    "frames, §5.1 and §5.2": FRAMING,
    "fragments, §5.4": FRAGMENTS,
    "control frames, §5.5": CONTROL,
    "closing, §5.5.1 and §7.4": CLOSING,
    "text, §8.1": UTF8,
    "limits, §10.4": TOO_MUCH,
}

ROWS: list[Case] = [
    *(FRAMING + FRAGMENTS + CONTROL + CLOSING + UTF8 + TOO_MUCH),
    *(replace(row, deflate=row.deflate or DEFLATE) for row in COMPRESSION),
]
