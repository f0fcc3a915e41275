"""The exchange: orders match at the better price, and a seed decides everything."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from wslab.apps.quotes.exchange import BinanceFeed, KrakenFeed, Market, StockExchange, Trade

LOT = 10**8


def test_an_order_takes_the_best_and_the_rest_waits() -> None:
    market = Market("ACME/USD", Random(1))
    for price, quantity in ((1003, 2), (1001, 1), (1005, 4)):
        assert market.place("asks", price, quantity * LOT) == []
    assert market.place("bids", 1004, 5 * LOT) == [
        Trade("10.01", "1.00000000", "buy"),
        Trade("10.03", "2.00000000", "buy"),
    ]
    assert market.best("bids", 9) == [("10.04", "2.00000000")]
    assert market.best("asks", 9) == [("10.05", "4.00000000")]
    assert market.place("asks", 1004, LOT) == [Trade("10.04", "1.00000000", "sell")]
    assert market.best("bids", 9) == [("10.04", "1.00000000")]


def test_books_never_cross_and_never_run_dry() -> None:
    for seed in range(5):
        market = Market("ACME/USD", Random(seed))
        for number in range(3000):
            for trade in market.step():
                assert Decimal(trade.quantity) > 0
            if number > 100:
                (bid,), (ask,) = market.best("bids", 1), market.best("asks", 1)
                assert Decimal(bid[0]) < Decimal(ask[0])


def test_the_same_seed_gives_the_same_day() -> None:
    days = []
    for seed in (7, 7, 8):
        exchange = StockExchange(Random(seed))
        days.append([(u.venue, u.message, u.trades) for u in (exchange.step() for _ in range(99))])
    assert days[0] == days[1] != days[2]


def test_a_snapshot_may_fall_into_the_middle_of_an_event() -> None:
    market = Market("ACME/USD", Random(1))
    feed = BinanceFeed(market)
    market.place("bids", 1000, LOT)
    snapshot = feed.snapshot()
    market.place("bids", 1001, LOT)
    event = feed.event()
    assert event is not None
    assert event["U"] <= snapshot["lastUpdateId"] < event["u"]
    assert feed.event() is None


def test_a_level_that_comes_into_sight_is_repeated() -> None:
    market = Market("ACME/USD", Random(1))
    for price in (1001, 1002, 1003):
        market.place("asks", price, LOT)
    feed = KrakenFeed(market, 2)
    market.place("bids", 1001, LOT)
    gone, repeated = feed.update()[0]["a"]
    assert gone[:2] == ["10.01", "0.00000000"]
    assert (repeated[:2], repeated[3:]) == (["10.03", "1.00000000"], ["r"])
    market.place("asks", 1009, LOT)
    assert feed.update() == []  # out of sight
