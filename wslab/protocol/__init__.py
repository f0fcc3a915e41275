"""WebSocket from bytes to values and back: no sockets, no asyncio, no clock, no display.

The rooms, in the order in which a connection needs them: `errors` (what can be wrong), `http` and
`handshake` (RFC 6455 §4), `close` and `frames` (§5), and, imported only by those who need them,
`messages` and `connection` with their `events` (§5.4 to §8) and `deflate` (RFC 7692).
"""

from wslab.protocol import close, errors, frames, handshake, http
from wslab.protocol.close import *
from wslab.protocol.errors import *
from wslab.protocol.frames import *
from wslab.protocol.handshake import *
from wslab.protocol.http import *

__all__ = errors.__all__ + close.__all__ + frames.__all__ + handshake.__all__ + http.__all__
