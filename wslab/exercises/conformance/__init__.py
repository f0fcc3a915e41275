"""The conformance table has one row for each MUST of RFC 6455 that an endpoint can break.

It has the rules for an open connection, §5 to §8 and §10.4. Exercise 04 runs it against a learner's
endpoint. The tests run it against the course's own implementation and against its oracle, the
`websockets` library. The tests also have the rows for compression and negotiation.
"""

from __future__ import annotations

from wslab.exercises.conformance.closing import CLOSING, TOO_MUCH, UTF8
from wslab.exercises.conformance.framing import CONTROL, FRAGMENTS, FRAMING

__all__ = ["GROUPS"]

# The order is that in which a learner meets them.
GROUPS = {
    "frames, §5.1 and §5.2": FRAMING,
    "fragments, §5.4": FRAGMENTS,
    "control frames, §5.5": CONTROL,
    "closing, §5.5.1 and §7.4": CLOSING,
    "text, §8.1": UTF8,
    "limits, §10.4": TOO_MUCH,
}
