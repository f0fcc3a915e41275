"""The events of a reconnecting client for its application, and its states for a person."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from wslab.kit.resume import Gap
from wslab.kit.retry import Ending

__all__ = ["Change", "ClientEvent", "ClientState", "Failed", "Missed", "Received", "Refused"]


class ClientState(enum.Enum):
    """The states to show to a person."""

    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class Change:
    """A change of a client's state.

    at: seconds since it was started. text: why, for a person. ending: the ending of the connection
    or attempt before it.
    """

    at: float
    state: ClientState
    text: str
    ending: Ending | None = None


@dataclass(frozen=True)
class Received:
    """A message of the server, once and in order; a JSON object, or any data without resume.

    A `resumed` is one of them if it has a `state`.
    """

    message: Any


@dataclass(frozen=True)
class Missed:
    """Messages that are lost, or may count twice.

    gap: how many messages of the server are lost. It is "epoch" if that is unknown, because this is
    a different server, or one that has forgotten. It is None if it has only forgotten this client.
    doubtful: the keys of our messages that are sent again and may take effect twice.
    """

    gap: Gap
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True)
class Refused:
    """The server refused one of our messages for good. key: the one that `send` returned.

    error: the kind of mistake; "too_big" if the server closed the connection with 1009 (RFC 6455
    §7.4.1). text: why, for a person.
    """

    key: int
    error: str
    text: str


@dataclass(frozen=True)
class Failed:
    """The last event, after which no more attempts are made. ending: why."""

    ending: Ending


ClientEvent = Received | Missed | Refused | Failed
