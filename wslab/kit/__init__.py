"""The mechanisms that every real-time application needs, each once.

    from wslab import kit

    async with kit.ReconnectingClient(url) as client: ...

`log` numbers a server's messages. `hub` sends them to everybody, over a `line` for each member.
`ratelimit` limits how often somebody may send, and `keepalive` finds dead peers. `backoff`,
`retry`, `outbox`, `resume`, `attempt` and `client` make a client that comes back. `messages` reads
and writes JSON. `js/` has the same for a page.
"""

from wslab.kit.backoff import Backoff, Decorrelated, Fixed, LibraryDefault, delays
from wslab.kit.client import NotDelivered, ReconnectingClient
from wslab.kit.client_events import (
    ClientState,
    Failed,
    Missed,
    Presence,
    PresenceEntry,
    Received,
    Refused,
)
from wslab.kit.hub import Hub, drop_member, keep_latest, thin_out
from wslab.kit.keepalive import Heartbeat, Watchdog, library_bounds, watched
from wslab.kit.line import Outgoing
from wslab.kit.log import Log, Store
from wslab.kit.messages import encoded, merge_diff, merge_patch
from wslab.kit.ratelimit import Budget, Pump, TokenBucket
from wslab.kit.resume import Session
from wslab.kit.retry import CLOSE_CODES, of_status

__all__ = [
    "CLOSE_CODES",
    "Backoff",
    "Budget",
    "ClientState",
    "Decorrelated",
    "Failed",
    "Fixed",
    "Heartbeat",
    "Hub",
    "LibraryDefault",
    "Log",
    "Missed",
    "NotDelivered",
    "Outgoing",
    "Presence",
    "PresenceEntry",
    "Pump",
    "Received",
    "ReconnectingClient",
    "Refused",
    "Session",
    "Store",
    "TokenBucket",
    "Watchdog",
    "delays",
    "drop_member",
    "encoded",
    "keep_latest",
    "library_bounds",
    "merge_diff",
    "merge_patch",
    "of_status",
    "thin_out",
    "watched",
]
