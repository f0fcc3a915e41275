"""A member's connection: the library's, and it says when its peer cannot keep up."""

from __future__ import annotations

from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

__all__ = ["ChatConnection"]


class ChatConnection(ServerConnection):
    """The library's connection, which also tells its fan-out when it can no longer keep up.

    is_slow: more waits to be sent than `write_limit`, 32 KiB. is_closing: a close frame has come or
    was sent; nothing may follow it (RFC 6455 §5.5.1). on_change: called when one of them changes.
    credit: bytes that may wait beyond the usual bound, since the peer has asked for them: history.
    """

    is_slow = False
    is_closing = False
    credit = 0
    on_change: Callable[[ChatConnection], None] | None = None

    def pause_writing(self) -> None:
        """Note that bytes pile up (asyncio's callback)."""
        super().pause_writing()
        self.is_slow = True
        self._changed()

    def resume_writing(self) -> None:
        """Note that they have gone out (asyncio's callback)."""
        super().resume_writing()
        self.is_slow, self.credit = False, 0
        self._changed()

    def data_received(self, data: bytes) -> None:
        """See whether the peer has closed, or broken the protocol (asyncio's callback)."""
        super().data_received(data)
        if not self.is_closing and self.protocol.state is not State.OPEN and self.response:
            self.is_closing = True
            self._changed()

    def eof_received(self) -> None:
        """Note that the peer has gone without a goodbye (asyncio's callback)."""
        self.is_closing = True
        self._changed()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that there is nobody any more (asyncio's callback)."""
        self.is_closing = True
        self._changed()
        super().connection_lost(exc)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; see the library."""
        self.is_closing = True
        self._changed()
        await super().close(code, reason)

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change(self)
