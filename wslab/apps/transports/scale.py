"""From one client to many: what events come to for a server, by multiplication."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Load", "scale"]


@dataclass(frozen=True)
class Load:
    """What many clients come to, both directions together."""

    bytes_per_second: float
    requests_per_second: float

    @property
    def megabits_per_second(self) -> float:
        """The bytes in the unit in which networks are sold."""
        return self.bytes_per_second * 8 / 1e6


def scale(
    bytes_per_event: float,
    requests_per_event: float,
    *,
    events_per_second: float,
    clients: int,
) -> Load:
    """Tell what it comes to if every client gets so many events in a second.

    bytes_per_event, requests_per_event: for one client, as measured. For polling they hold as long
    as the interval has the same relation to the period.

    >>> scale(35, 0, events_per_second=2, clients=1000)
    Load(bytes_per_second=70000, requests_per_second=0)
    """
    for name, value in (
        ("bytes_per_event", bytes_per_event),
        ("requests_per_event", requests_per_event),
        ("events_per_second", events_per_second),
        ("clients", clients),
    ):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} is {value}, it must not be negative")
    deliveries = events_per_second * clients
    return Load(bytes_per_event * deliveries, requests_per_event * deliveries)
