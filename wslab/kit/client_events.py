"""What a reconnecting client tells its application, and what it shows to a person."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from wslab.kit.resume import Gap
from wslab.kit.retry import Ending

__all__ = ["Change", "ClientEvent", "ClientState", "Failed", "Missed", "Received", "Refused"]


class ClientState(enum.Enum):
    """What to show to a person."""

    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class Change:
    """A change of a client's state.

    at: seconds since it was started. text: why, for a person. ending: how the connection before it
    ended, or the attempt.
    """

    at: float
    state: ClientState
    text: str
    ending: Ending | None = None


@dataclass(frozen=True)
class Received:
    """A message of the server: once, and in order. A JSON object, or what came without resume."""

    message: Any


@dataclass(frozen=True)
class Missed:
    """What cannot be made up for.

    gap: how many messages of the server are lost; "epoch" if it is another server, or one that has
    forgotten, and nobody can tell; None if it is only this client that it has forgotten.
    doubtful: the keys of own messages that are sent again and may take effect twice.
    """

    gap: Gap
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The server refused an own message for good. key: what `send` returned.

    error: what kind of mistake; "too_big" if the server closed the connection with 1009 (RFC 6455
    §7.4.1). text: why, for a person.
    """

    key: int
    error: str
    text: str


@dataclass(frozen=True)
class Failed:
    """The last event: no more attempts will be made. ending: why."""

    ending: Ending


ClientEvent = Received | Missed | Refused | Failed
