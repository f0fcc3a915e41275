"""Order books (订单簿) that follow a real exchange's messages: Binance's rules, and Kraken's.

A book has two sides. Bids (买单) offer to buy, and the best one has the highest price. Asks (卖单)
offer to sell, and the best one has the lowest. A level is a price and the quantity waiting there.

Prices and quantities stay the texts that came, because Kraken's checksum needs their zeros, and a
float cannot hold them. Only the order is by value, as `Decimal`, so "1.10" and "1.1" are one level.
Both books take a message as a whole or not at all. A message that is refused changes nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from zlib import crc32

__all__ = ["BinanceBook", "Gap", "KrakenBook", "Level", "checksum_text"]

Level = tuple[str, str]  # price and quantity, as they came
Change = tuple[Decimal, Level | None]  # a key of a side, and what is there now

CHECKED = 10  # levels of each side that Kraken's checksum covers
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class Gap(Exception):
    """Updates are missing between a book and an event: fetch a new snapshot and start again."""


def _changes(entries: object, side: str) -> list[Change]:
    """Read the entries of a message, `[price, quantity, …]`, and ignore the rest of each entry.

    Raises ValueError for anything else. The best key is the lowest, so those of bids are negative.
    """
    if not isinstance(entries, (list, tuple)):
        raise ValueError(f"{side} is {entries!r:.60}, expected a list of [price, quantity]")
    changes: list[Change] = []
    for entry in entries:
        match entry:
            case [str(price), str(quantity), *_] if _are_numbers(price, quantity):
                # copy_negate() is exact, and `-` would round to 28 digits.
                key = Decimal(price).copy_negate() if side[0] == "b" else Decimal(price)
                changes.append((key, (price, quantity) if Decimal(quantity) else None))
            case _:
                raise ValueError(
                    f"an entry of {side} is {entry!r:.80}, expected a price and a quantity as "
                    'texts, such as ["5541.30000", "2.50700000"]'
                )
    return changes


def _are_numbers(*texts: str) -> bool:
    return all(map(NUMBER.fullmatch, texts))


class _Side:
    """The levels of one side, by key, and the keys in order."""

    def __init__(self) -> None:
        self.levels: dict[Decimal, Level] = {}
        self.keys: list[Decimal] = []

    def apply(self, changes: Iterable[Change]) -> None:
        """Set levels, or remove them; one that is not there may be removed too."""
        for key, level in changes:
            is_there = key in self.levels
            if level is not None:
                self.levels[key] = level
                if not is_there:
                    insort(self.keys, key)
            elif is_there:
                del self.levels[key], self.keys[bisect_left(self.keys, key)]

    def copy(self) -> _Side:
        """Return the same levels, to be changed by themselves."""
        other = _Side()
        other.levels, other.keys = self.levels.copy(), self.keys.copy()
        return other

    def cut(self, depth: int) -> None:
        """Forget what is worse than the best `depth` levels."""
        for key in self.keys[depth:]:
            del self.levels[key]
        del self.keys[depth:]

    def best(self, count: int | None = None) -> list[Level]:
        """Return so many levels, the best first; all of them if left out."""
        return [self.levels[key] for key in self.keys[:count]]


class _Book:
    """The two sides, and the questions that both books answer."""

    def __init__(self) -> None:
        self._bids, self._asks = _Side(), _Side()

    @property
    def bids(self) -> list[Level]:
        """Offers to buy, (price, quantity), the highest price first."""
        return self._bids.best()

    @property
    def asks(self) -> list[Level]:
        """Offers to sell, (price, quantity), the lowest price first."""
        return self._asks.best()

    @property
    def best(self) -> tuple[Level | None, Level | None]:
        """The best bid and the best ask, each (price, quantity); None for a side that is empty."""
        bids, asks = self._bids.best(1), self._asks.best(1)
        return bids[0] if bids else None, asks[0] if asks else None


class BinanceBook(_Book):
    """A book from Binance's snapshot, kept true by its diff. depth events.

        book = BinanceBook(snapshot)        # GET /api/v3/depth
        for event in buffered: book.apply(event)

    snapshot: {"lastUpdateId": n, "bids": [[price, quantity], …], "asks": […]}.
    last: the number of the last update that is in the book.
    Raises ValueError for a snapshot of another form.
    Source: Binance's documentation, "How to manage a local order book correctly".
    """

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        super().__init__()
        (self.last,) = _numbers(snapshot, "lastUpdateId")
        self._has_begun = False
        self._bids.apply(_changes(snapshot.get("bids"), "bids"))
        self._asks.apply(_changes(snapshot.get("asks"), "asks"))

    def apply(self, event: Mapping[str, Any]) -> None:
        """Apply an event {"U": first, "u": last, "b": bids, "a": asks}; quantity 0 removes a price.

        An event that the book has already (`u` ≤ `last`) is ignored. Raises Gap if updates are
        missing. The first event must hold update `last`+1, and each later one must begin with it.
        An event of the futures names its predecessor in `pu`, because its numbers have holes.
        Raises ValueError for an event of another form. After either error, the book is as before.
        """
        if isinstance(event, Mapping):
            event = event.get("data", event)  # as the combined streams wrap it
        first, last = _numbers(event, "U", "u")
        if first > last:
            raise ValueError(f"U is {first} and u is {last}, expected no update after the last one")
        bids, asks = _changes(event.get("b"), "b"), _changes(event.get("a"), "a")
        if last <= self.last:
            return
        (before,) = _numbers(event, "pu") if "pu" in event else (first - 1,)
        if before > self.last or (self._has_begun and before < self.last):
            raise Gap(
                f"the book ends with update {self.last}, and the event continues after {before}: "
                "fetch a new snapshot and start again"
            )
        self._bids.apply(bids)
        self._asks.apply(asks)
        self.last, self._has_begun = last, True


def _numbers(message: object, *names: str) -> list[int]:
    """Return fields of an object that must be whole numbers."""
    if not isinstance(message, Mapping):
        raise ValueError(f"{message!r:.40} is not an object, expected one with {', '.join(names)}")
    for name in names:
        if type(message.get(name)) is not int:
            raise ValueError(f"{name} is {message.get(name)!r:.40}, expected a whole number")
    return [message[name] for name in names]


class KrakenBook(_Book):
    """A book of Kraken's WebSocket API v1, channel `book-DEPTH`, checked by its checksum.

        book = KrakenBook(10)
        book.apply(*message[1:-2])     # the one or two objects of a message

    depth: levels of each side, as subscribed to (10, 25, 100, 500 or 1000).
    Raises ValueError if depth is less than 1.
    Source: Kraken's documentation, "Spot WebSockets (v1) book checksum".
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth is {depth}, expected the number of levels of a side")
        self.depth = depth

    def apply(self, *parts: Mapping[str, Any]) -> None:
        """Apply a whole message, then cut the book to its depth, then compare the checksum.

        parts: {"as": asks, "bs": bids} for a snapshot, which replaces the book; {"a": asks}, or
        {"b": bids}, or both for an update, with the checksum "c" in the last one. An entry is
        [price, quantity, time], and "r" behind that if it is only repeated.
        Raises ValueError if the checksum disagrees, or for a message of another form. The book is
        then as it was before. It lacks this message, so subscribe again.
        """
        if wrong := [part for part in parts if not isinstance(part, Mapping)]:
            raise ValueError(f"{wrong[0]!r:.40} is not an object: pass those of a message")
        keys = {key for part in parts for key in part}
        is_new = bool(keys & {"as", "bs"})
        bids, asks = (_Side() if is_new else side.copy() for side in (self._bids, self._asks))
        for part in parts:
            for key, entries in part.items():
                if key in ("a", "as", "b", "bs"):
                    (bids if key[0] == "b" else asks).apply(_changes(entries, key))
        bids.cut(self.depth)
        asks.cut(self.depth)
        for part in parts:
            _compare(part.get("c"), bids, asks)
        self._bids, self._asks = bids, asks

    @property
    def checksum(self) -> int:
        """The CRC32 over the best ten levels of each side, or fewer; 0 for an empty book."""
        return _checksum(self._bids, self._asks)


def checksum_text(bids: Iterable[Level], asks: Iterable[Level]) -> str:
    """Return the text of Kraken's checksum, asks before bids, without points and leading zeros.

    bids, asks: at most ten each, the best first.

    >>> checksum_text([("0.05000", "0.00000500")], [("0.05005", "0.00000500")])
    '50055005000500'
    """
    return "".join(
        number.replace(".", "").lstrip("0") for level in (*asks, *bids) for number in level
    )


def _checksum(bids: _Side, asks: _Side) -> int:
    return crc32(checksum_text(bids.best(CHECKED), asks.best(CHECKED)).encode())


def _compare(stated: object, bids: _Side, asks: _Side) -> None:
    """Raise ValueError if a checksum is stated, and it is another one."""
    if stated is not None and str(stated) != str(found := _checksum(bids, asks)):
        raise ValueError(
            f"the checksum is {found}, the message says {stated!r:.40}: a message is missing or "
            "was changed; subscribe again"
        )
