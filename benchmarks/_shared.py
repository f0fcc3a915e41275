"""What the parts of benchmarks/shared_things.py measure."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """What one version costs. cpu, wait: seconds; wait is that of a chat line, 0 if none waits."""

    bytes: float
    messages: float
    cpu: float
    wait: float = 0.0
