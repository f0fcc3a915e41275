"""The events of a reconnecting client for its application, its states, and who else is present."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from wslab.kit.messages import parsed
from wslab.kit.resume import Gap
from wslab.kit.retry import Ending

__all__ = ["EXPIRES", "Change", "ClientEvent", "ClientState", "Failed", "Missed", "Presence"]
__all__ += ["PresenceEntry", "Received", "Refused"]

EXPIRES = 30.0  # seconds after which somebody who says nothing is no longer present


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


class PresenceEntry(NamedTuple):
    """What a client says of itself. clock: grows with each. state: JSON; "null" if it has left."""

    client: int
    clock: int
    state: str


class Presence:
    """Who is present. The greater clock wins, and an entry expires 30 s after its last one.

    owner: who sends an entry. An owner speaks for the first client that it names, and nobody else
    does so meanwhile. With None as the owner nothing is checked: anybody can speak for anybody.
    refused: how many entries would have changed somebody else's.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._own: dict[Hashable, int] = {}
        self._entries: dict[int, tuple[PresenceEntry, Hashable, float]] = {}

    @property
    def entries(self) -> list[PresenceEntry]:
        """The newest of each client that is present."""
        return [entry for entry, _, _ in self._entries.values()]

    @property
    def states(self) -> dict[int, Any]:
        """What each client that is present says of itself, such as its name and cursor."""
        return {entry.client: parsed(entry.state) for entry in self.entries}

    def take(
        self, entries: Iterable[PresenceEntry], owner: Hashable, now: float
    ) -> list[PresenceEntry]:
        """Take what somebody says, and return what is news. now: seconds."""
        news = []
        for entry in entries:
            known, of, _ = self._entries.get(entry.client, (None, owner, now))
            is_gone, clock = entry.state == "null", known.clock if known else -1
            if of != owner or self._own.get(owner, entry.client) != entry.client:
                # Every client repeats what it hears, so only a greater clock is an attempt.
                self.refused += known is not None and entry.clock > clock
            elif is_gone and known and entry.clock >= clock:
                del self._entries[entry.client]
                news.append(entry)
            elif not is_gone and entry.clock > clock:
                self._entries[entry.client] = entry, owner, now
                if owner is not None:
                    self._own[owner] = entry.client
                news.append(entry)
        return news

    def leave(self, owner: Hashable) -> list[PresenceEntry]:
        """Forget the entries of an owner; return what others have to be told."""
        self._own.pop(owner, None)
        return self._forget([e.client for e, of, _ in self._entries.values() if of == owner])

    def expire(self, now: float) -> list[PresenceEntry]:
        """Forget those who have said nothing for 30 s; return what others have to be told."""
        entries = self._entries.values()
        return self._forget([e.client for e, _, at in entries if now - at >= EXPIRES])

    def _forget(self, clients: list[int]) -> list[PresenceEntry]:
        return [self._entries.pop(client)[0]._replace(state="null") for client in clients]
