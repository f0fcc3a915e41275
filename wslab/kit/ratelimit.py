"""Who sets the pace: a bucket limits how often, a budget goes to what is most urgent, and a pump
sends only what was asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from wslab.net.clock import News

__all__ = ["Budget", "Pump", "TokenBucket"]


class TokenBucket:
    """Lets through `burst` messages at once, then `rate` a second; the clock is an argument.

    rate: tokens a second; None means unlimited. burst: how many the bucket holds. now: seconds.
    """

    __slots__ = ("burst", "rate", "seen", "tokens")

    def __init__(self, *, rate: float | None, burst: int, now: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens = float(burst)
        self.seen = now

    def take(self, now: float, count: float = 1) -> float:
        """Take a token and return how many are left; below zero the message is one too many.

        count: the number of tokens to take, such as bytes; with 0 it only tells how many are left.

        Tokens taken too early are owed, up to a burst, so a sender that goes on flooding stays out.
        """
        if self.rate is None:
            return 0.0
        self.tokens = max(self._filled(now) - count, -float(self.burst))
        self.seen = now
        return self.tokens

    def wait(self, now: float, count: float = 1) -> float:
        """Return the seconds until there are so many tokens to take; 0 if there are now."""
        return 0.0 if self.rate is None else max(0.0, (count - self._filled(now)) / self.rate)

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
        self._news = News()

    def ask(self, number: int, offset: int) -> None:
        """Note that the peer has so many bytes of a file."""
        self._asked.pop(number, None)
        self._asked[number] = offset
        self._news.set()

    async def run(self) -> None:
        """Send for ever; cancel it when the connection has ended."""
        while True:
            await self._news.until(lambda: self._asked)
            number = next(iter(self._asked))
            if piece := self.read(number, self._asked.pop(number)):
                await self.send(piece)


class Budget:
    """Spends so many bytes a second on what is most urgent, and nothing waits for ever.

    Things wait under a key, and a newer one replaces the older. In each turn the priority of each
    grows by its weight. Those of the highest priority go out, as far as the bytes reach. Because
    the priorities of the others keep growing, each of them is the highest one day.
    rate: bytes a second. At most the bytes of one second are saved. reserve: how many of them are
    left for other messages, which take them from `bytes`. now: seconds.
    """

    def __init__(self, rate: int, *, now: float, reserve: int = 0) -> None:
        self.reserve = reserve
        self.bytes = TokenBucket(rate=rate, burst=rate, now=now)
        self.waiting: dict[Hashable, Any] = {}
        self._weights: dict[Hashable, float] = {}
        self._priorities: dict[Hashable, float] = {}

    def offer(self, key: Hashable, thing: Any, weight: float = 1.0) -> None:
        """Let a thing wait. It keeps the priority of the one that it replaces. weight: above 0."""
        self.waiting[key], self._weights[key] = thing, weight
        self._priorities.setdefault(key, 0.0)

    def withdraw(self, key: Hashable) -> None:
        """Take back what waits under a key, if anything does."""
        for each in (self.waiting, self._weights, self._priorities):
            each.pop(key, None)

    def spend(
        self, now: float, size: Callable[[Hashable, Any], int], *, head: int = 0
    ) -> list[tuple[Hashable, Any]]:
        """Take a turn. Return the pairs of key and thing that go out now, the most urgent first.

        size: tells the bytes of a thing. head: bytes that every message has beside them. The bytes
        are taken if anything goes out.
        """
        for key, weight in self._weights.items():
            self._priorities[key] += weight
        chosen, room = [], self.bytes.take(now, 0) - self.reserve - head
        for key in sorted(self.waiting, key=lambda key: -self._priorities[key]):
            cost = size(key, self.waiting[key])
            if cost > room:
                break
            chosen.append((key, self.waiting[key]))
            room, head = room - cost, head + cost
        if chosen:
            self.bytes.take(now, head)
        for key, _ in chosen:
            self.withdraw(key)
        return chosen
