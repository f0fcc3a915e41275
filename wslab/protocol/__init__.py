"""WebSocket from bytes to values and back, without sockets, asyncio, a clock or a display.

A connection needs `errors`, `http`, `handshake` (RFC 6455 §4), `close` and `frames` (§5), in this
order. Other modules have to be imported by name. They are `messages`, `connection` and `events`
(§5.4 to §8), and `deflate` (RFC 7692).
"""

from wslab.protocol import close, errors, frames, handshake, http
from wslab.protocol.close import *
from wslab.protocol.errors import *
from wslab.protocol.frames import *
from wslab.protocol.handshake import *
from wslab.protocol.http import *

__all__ = errors.__all__ + close.__all__ + frames.__all__ + handshake.__all__ + http.__all__
