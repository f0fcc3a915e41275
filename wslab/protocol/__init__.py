"""WebSocket from bytes to values and back, without sockets, asyncio, a clock or a display.

A connection needs `errors`, `http`, `handshake` (RFC 6455 §4), `close` and `frames` (§5), in this
order. Other modules have to be imported by name. They are `messages`, `connection` and `events`
(§5.4 to §8), and `deflate` (RFC 7692).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wslab.protocol import close, errors, frames, handshake, http
    from wslab.protocol.close import *
    from wslab.protocol.errors import *
    from wslab.protocol.frames import *
    from wslab.protocol.handshake import *
    from wslab.protocol.http import *

    __all__ = errors.__all__ + close.__all__ + frames.__all__ + handshake.__all__ + http.__all__
else:
    MODULES = ("errors", "close", "frames", "handshake", "http")

    def __getattr__(name: str) -> Any:
        """Load a module when it, or a name of it, is first used: the lab does without most."""
        if name in MODULES:
            return import_module(f"{__name__}.{name}")
        if name == "__all__":
            return __dir__()
        for module in map(__getattr__, MODULES):
            if name in module.__all__:
                return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return the public names of these modules."""
        return [name for module in MODULES for name in __getattr__(module).__all__]
