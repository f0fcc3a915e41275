"""Who sets the pace: a bucket limits how often, and a pump sends only what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Pump", "TokenBucket"]


class TokenBucket:
    """Lets through `burst` messages at once, then `rate` a second; the clock is an argument.

    rate: tokens a second; None means unlimited. burst: how many the bucket holds. now: seconds.
    """

    __slots__ = ("burst", "rate", "seen", "tokens")

    def __init__(self, *, rate: float | None, burst: int, now: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens = float(burst)
        self.seen = now

    def take(self, now: float) -> float:
        """Take a token and return how many are left; below zero the message is one too many.

        Tokens taken too early are owed, up to a burst, so a sender that goes on flooding stays out.
        """
        if self.rate is None:
            return 0.0
        self.tokens = max(self._filled(now) - 1, -float(self.burst))
        self.seen = now
        return self.tokens

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token to take; 0 if there is one now."""
        return 0.0 if self.rate is None else max(0.0, (1 - self._filled(now)) / self.rate)

    def _filled(self, now: float) -> float:
        assert self.rate is not None
        return min(self.burst, self.tokens + (now - self.seen) * self.rate)


class Pump:
    """Sends the pieces of files that a peer asks for, in turn, while reading goes on.

    If reading waited for sending at both ends, each could wait for the other for ever.
    read: returns the message with the piece of a file at an offset, b"" if there is none.
    send: a connection's `send`, which waits while too much is unsent.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.read, self.send = read, send
        self._asked: dict[int, int] = {}  # in order; the latest offset of each
        self._is_asked = asyncio.Event()

    def ask(self, number: int, offset: int) -> None:
        """Note that the peer has so many bytes of a file."""
        self._asked.pop(number, None)
        self._asked[number] = offset
        self._is_asked.set()

    async def run(self) -> None:
        """Send for ever; cancel it when the connection has ended."""
        while True:
            await self._is_asked.wait()
            number = next(iter(self._asked))
            piece = self.read(number, self._asked.pop(number))
            if not self._asked:
                self._is_asked.clear()
            if piece:
                await self.send(piece)
