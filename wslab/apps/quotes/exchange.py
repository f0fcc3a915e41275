"""A seeded exchange, where people place, take and cancel orders at two venues.

`Market` is one instrument at one venue. It keeps the quantity at each price, and matches orders.
`BinanceFeed` and `KrakenFeed` tell the changes there in the messages of these two exchanges.
An `StockExchange` trades the same instruments at two venues, one for each kind of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any, Literal, NamedTuple

from wslab.apps.quotes.books import KrakenBook, Level

__all__ = ["SYMBOLS", "BinanceFeed", "KrakenFeed", "Market", "StockExchange", "Trade", "Update"]

SideName = Literal["bids", "asks"]
Levels = dict[int, int]  # quantity by price, in the smallest units of each

SYMBOLS = ("ACME", "BOLT", "CRUX")
SIDES: tuple[SideName, SideName] = ("bids", "asks")
NORTH, SOUTH = "North", "South"
NOTHING = "0.00000000"
TIME = "1534614248.123678"  # that Kraken gives an entry; nobody here looks at it
MILLISECONDS = 1534614248123  # that Binance gives an event
CENT, LOT = 2, 8  # decimals of a price, and of a quantity
ORDERS = 200  # actions at each market before the day begins
REACH = 30  # cents around the fair price in which orders come


@lru_cache(4096)
def _decimal(number: int, places: int) -> str:
    """Write a number of smallest units: 554130 with 2 places is "5541.30"."""
    whole, rest = divmod(number, 10**places)
    return f"{whole}.{rest:0{places}}"


class Trade(NamedTuple):
    """One order met another. taker: "buy" or "sell", as the order that came later did."""

    price: str
    quantity: str
    taker: str


class Market:
    """The orders for one instrument at one venue. `step()` lets somebody do something.

    fair: the worth that people see in it, in cents. It wanders.
    """

    def __init__(self, symbol: str, rng: Random, *, fair: int = 10_000) -> None:
        self.symbol, self.rng, self.fair = symbol, rng, fair
        self.levels: dict[SideName, Levels] = {"bids": {}, "asks": {}}
        self._listeners: list[list[tuple[SideName, int]]] = []

    def listen(self) -> list[tuple[SideName, int]]:
        """Return a list to which every change adds its level; its reader clears it."""
        self._listeners.append([])
        return self._listeners[-1]

    def step(self) -> list[Trade]:
        """Let somebody place an order, take what is there, or cancel; return the trades."""
        self.fair += self.rng.choice((-1, 0, 0, 0, 1))
        side: SideName = self.rng.choice(("bids", "asks"))
        what, is_thin = self.rng.random(), min(map(len, self.levels.values())) < 6
        lots = self.rng.randrange(1, 500) * 10**6
        if what < 0.3 and not is_thin:
            price = self.rng.choice(list(self.levels[side]))
            self._set(side, price, max(0, self.levels[side][price] - lots))
            return []
        distance = int(REACH * self.rng.random() ** 2) if what < 0.92 or is_thin else -REACH
        return self.place(side, self.fair + (-distance if side == "bids" else distance), lots)

    def place(self, side: SideName, price: int, quantity: int) -> list[Trade]:
        """Place an order; it takes what is offered at this price or a better one, and then waits.

        price, quantity: in cents and smallest lots.
        """
        buys = side == "bids"
        other: SideName = "asks" if buys else "bids"
        trades = []
        while quantity and self.levels[other]:
            best = min(self.levels[other]) if buys else max(self.levels[other])
            if (best > price) if buys else (best < price):
                break
            taken = min(quantity, self.levels[other][best])
            self._set(other, best, self.levels[other][best] - taken)
            quantity -= taken
            taker = "buy" if buys else "sell"
            trades.append(Trade(_decimal(best, CENT), _decimal(taken, LOT), taker))
        if quantity:
            self._set(side, price, self.levels[side].get(price, 0) + quantity)
        return trades

    def _set(self, side: SideName, price: int, quantity: int) -> None:
        self.levels[side][price] = quantity
        if not quantity:
            del self.levels[side][price]
        for changed in self._listeners:
            changed.append((side, price))

    def level(self, side: SideName, price: int) -> Level:
        """Return a level as texts; its quantity is 0.00000000 if nothing waits there."""
        return _decimal(price, CENT), _decimal(self.levels[side].get(price, 0), LOT)

    def best(self, side: SideName, depth: int) -> list[Level]:
        """Return so many levels of a side, the best first."""
        prices = sorted(self.levels[side], reverse=side == "bids")[:depth]
        return [self.level(side, price) for price in prices]


class BinanceFeed:
    """A market in Binance's words, as a snapshot over HTTP and as events with numbers.

    symbol: as Binance writes it, such as ACMEUSD.
    last: the number of the last update that was in an event. Updates are numbered as they happen.
    """

    def __init__(self, market: Market) -> None:
        self.market, self._changed, self.last = market, market.listen(), 1000
        self.symbol = market.symbol.replace("/", "")

    def snapshot(self, limit: int = 100) -> dict[str, Any]:
        """Return {"lastUpdateId", "bids", "asks"} with so many levels of each side."""
        bids, asks = (self.market.best(side, limit) for side in SIDES)
        return {"lastUpdateId": self.last + len(self._changed), "bids": bids, "asks": asks}

    def event(self) -> dict[str, Any] | None:
        """Return what has changed since the last event; None if nothing has."""
        if not self._changed:
            return None
        first, self.last = self.last + 1, self.last + len(self._changed)
        event: dict[str, Any] = {"e": "depthUpdate", "E": MILLISECONDS, "s": self.symbol}
        event |= {"U": first, "u": self.last, "b": [], "a": []}
        for side, price in dict.fromkeys(self._changed):
            event[side[0]].append(self.market.level(side, price))
        self._changed.clear()
        return event


class KrakenFeed:
    """A market in Kraken's words, as the objects of the messages of its channel `book-DEPTH`."""

    def __init__(self, market: Market, depth: int = 10) -> None:
        self.market, self.depth, self._changed = market, depth, market.listen()
        self._book = KrakenBook(depth)
        self._book.apply(self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """Return {"as", "bs"} for a new subscriber, who then gets the updates from now on."""
        bids, asks = (self.market.best(side, self.depth) for side in SIDES)
        return {"as": [[*level, TIME] for level in asks], "bs": [[*level, TIME] for level in bids]}

    def update(self) -> list[dict[str, Any]]:
        """Return the one or two objects of the next message; none if nobody would see a change.

        A level that comes into sight because a better one has gone is repeated: "r".
        """
        parts: list[dict[str, Any]] = []
        for side in reversed(SIDES):
            entries = self._entries(side)
            if entries:
                parts.append({side[0]: entries})
        self._changed.clear()
        if parts:
            self._book.apply(*parts)
            parts[-1]["c"] = str(self._book.checksum)
        return parts

    def _entries(self, side: SideName) -> list[list[str]]:
        seen = dict(self._book.bids if side == "bids" else self._book.asks)
        now = dict(self.market.best(side, self.depth))
        changed = {self.market.level(side, price) for name, price in self._changed if name == side}
        gone = [price for price in seen if price not in now]
        entries = [[*level, TIME] for level in changed if level[0] in gone and level[1] == NOTHING]
        for price, quantity in now.items():
            if seen.get(price) != quantity:
                is_old = (price, quantity) not in changed
                entries.append([price, quantity, TIME, *["r"] * is_old])
        return sorted(entries)


class Update(NamedTuple):
    """One message of a venue, and the trades behind it. market: the place where they happened."""

    venue: str
    market: Market
    message: Any
    trades: list[Trade]


class StockExchange:
    """The same instruments at two venues. North speaks like Binance, and South like Kraken.

    rng: decides everything, so the same seed gives the same day. depth: levels of South's books.
    north, south: the feeds by symbol.
    """

    def __init__(self, rng: Random, *, symbols: Sequence[str] = SYMBOLS, depth: int = 10) -> None:
        self.rng = rng
        markets = [
            Market(f"{name}/USD", rng, fair=5000 + 2500 * n) for n, name in enumerate(symbols)
        ]
        twins = [Market(market.symbol, rng, fair=market.fair) for market in markets]
        for market in (*markets, *twins):
            for _ in range(ORDERS):
                market.step()
        self.north = {market.symbol: BinanceFeed(market) for market in markets}
        self.south = {market.symbol: KrakenFeed(market, depth) for market in twins}
        self._feeds: list[BinanceFeed | KrakenFeed] = [*self.north.values(), *self.south.values()]

    def step(self) -> Update:
        """Let somebody do something somewhere, until one of the venues has something to say."""
        while True:
            feed = self.rng.choice(self._feeds)
            trades = feed.market.step()
            message = feed.event() if isinstance(feed, BinanceFeed) else feed.update()
            if message:
                venue = NORTH if isinstance(feed, BinanceFeed) else SOUTH
                return Update(venue, feed.market, message, trades)
