"""Books follow Binance's and Kraken's rules, and a message that is refused changes nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.apps.quotes.books import BinanceBook, Gap, KrakenBook, checksum_text
from wslab.apps.quotes.exchange import StockExchange

# Kraken's documentation, "Spot WebSockets (v1) book checksum"
ASKS = [[f"0.05{place:03}", "0.00000500", "1582905487.684110"] for place in range(5, 55, 5)]
BIDS = [
    [f"0.0{place}", "0.00000500", "1582905487.439814"]
    for place in (5000, 4995, 4990, 4980, 4975, 4970, 4965, 4960, 4955, 4950)
]
DOCUMENTED = 974947235

TIME = "1534614248.123678"


def kraken(depth: int = 10, **sides: Any) -> KrakenBook:
    book = KrakenBook(depth)
    book.apply({"as": [], "bs": []} | sides)
    return book


def binance(last: int = 160, **sides: Any) -> BinanceBook:
    return BinanceBook({"lastUpdateId": last, "bids": [], "asks": []} | sides)


def event(first: int, last: int, **fields: Any) -> dict[str, Any]:
    """Return an event in the form of Binance's documentation."""
    plain = {"e": "depthUpdate", "E": 1672515782136, "s": "BNBBTC", "U": first, "u": last}
    return {**plain, "b": [], "a": [], **fields}


def state(book: Any) -> object:
    return book.bids, book.asks, getattr(book, "last", None)


class TestBinance:
    def test_what_the_snapshot_has_is_ignored(self) -> None:
        book = binance()
        for first, last in ((100, 120), (150, 160), (160, 160)):
            book.apply(event(first, last, b=[["1.0", "1.0"]]))
        assert (book.last, book.best) == (160, (None, None))

    @pytest.mark.parametrize("first", [1, 160, 161])
    @pytest.mark.parametrize("last", [161, 170])
    def test_the_first_event_holds_the_next_update(self, first: int, last: int) -> None:
        book = binance()
        book.apply(event(first, last, b=[["1.0", "2.0"]]))
        assert (book.last, book.best) == (last, (("1.0", "2.0"), None))

    def test_a_snapshot_may_be_too_old(self) -> None:
        with pytest.raises(Gap, match=r"ends with update 160, .* after 161: fetch a new snapshot"):
            binance().apply(event(162, 170))

    @pytest.mark.parametrize("first", [1, 160, 169, 170, 172, 500])
    def test_later_events_begin_with_the_next_update(self, first: int) -> None:
        book = binance()
        book.apply(event(150, 170, a=[["3.0", "1.0"]]))
        before = state(book)
        with pytest.raises(Gap):
            book.apply(event(first, 600, a=[["3.0", "0.0"]], b=[["2.0", "1.0"]]))
        assert state(book) == before
        book.apply(event(min(first, 170), 170))  # an old one that comes again is no gap
        book.apply(event(171, 171, a=[["3.0", "0.0"]]))
        assert book.best == (None, None)

    def test_the_futures_name_the_predecessor(self) -> None:
        book = binance()
        book.apply(event(155, 159, pu=150))
        book.apply(event(158, 165, pu=157, b=[["1.0", "1.0"]]))
        book.apply(event(180, 190, pu=165, b=[["1.0", "2.0"]]))  # their numbers have holes
        assert book.best == (("1.0", "2.0"), None)
        for before in (189, 191):
            with pytest.raises(Gap):
                book.apply(event(191, 200, pu=before))

    def test_quantities_are_absolute_and_zero_removes(self) -> None:
        book = binance(bids=[["10.0", "5.0"], ["9.0", "1.0"], ["8.0", "0.00000000"]])
        book.apply(event(161, 161, b=[["10.0", "2.0"]]))
        assert book.bids == [("10.0", "2.0"), ("9.0", "1.0")]
        book.apply(event(162, 163, b=[["10.00", "0"], ["7.0", "0.00000000"]], a=[["1e9"[:1], "3"]]))
        assert (book.bids, book.asks) == ([("9.0", "1.0")], [("1", "3")])

    def test_a_combined_stream_wraps_its_events(self) -> None:
        book = binance()
        book.apply({"stream": "bnbbtc@depth", "data": event(161, 165)})
        assert book.last == 165

    def test_what_old_snapshots_have_behind_the_quantity(self) -> None:
        assert binance(bids=[["4.00000000", "431.00000000", []]]).best[0] == (
            "4.00000000",
            "431.00000000",
        )


class TestOrder:
    """Texts stay as they came, and are compared by value."""

    @pytest.mark.parametrize(
        ("prices", "bids"),
        [
            (["9.5", "10.0", "100.0"], ["100.0", "10.0", "9.5"]),
            (["0.00000010", "0.0000001", "0.00000009"], ["0.0000001", "0.00000009"]),
            (["1.10", "01.1", "1.100"], ["1.100"]),
            (
                ["1." + "0" * 30 + "1", "1." + "0" * 30 + "2", "1"],
                ["1." + "0" * 30 + "2", "1." + "0" * 30 + "1", "1"],
            ),
        ],
    )
    def test_by_value(self, prices: list[str], bids: list[str]) -> None:
        entries = [[price, "1.0"] for price in prices]
        for book in (binance(bids=entries, asks=entries), kraken(**{"as": entries, "bs": entries})):
            assert [price for price, _ in book.bids] == bids
            assert [price for price, _ in book.asks] == bids[::-1]

    def test_another_spelling_removes(self) -> None:
        book = kraken(**{"as": [["1.10", "2.0", TIME]]})
        book.apply({"a": [["1.1", "0.0", TIME]]})
        assert book.best == (None, None)


class TestKraken:
    def test_the_documented_checksum(self) -> None:
        assert kraken(**{"as": ASKS, "bs": BIDS}).checksum == DOCUMENTED
        assert kraken(**{"as": ASKS[::-1], "bs": BIDS[::-1]}).checksum == DOCUMENTED

    def test_the_documented_update(self) -> None:
        """It is outside the best ten of the documented book."""
        book = kraken(1000, **{"as": ASKS, "bs": BIDS})
        asks = [["0.05120", "0.00000500", "1582905486.493008"], ["0.05275", "0.00000500", TIME]]
        bids = [["0.04765", "0.00000500", "1582905486.493008"], ["0.04940", "0.00000500", TIME]]
        book.apply({"a": asks}, {"b": bids, "c": str(DOCUMENTED)})
        assert len(book.asks) == len(book.bids) == 12
        assert book.checksum == DOCUMENTED

    @pytest.mark.parametrize("number", [Decimal, float])
    def test_numbers_break_it(self, number: Any) -> None:
        level, spoiled = (
            ("0.05000", "0.00000010"),
            (str(number("0.05000")), str(number("0.00000010"))),
        )
        assert checksum_text([], [level]) == "500010"
        assert checksum_text([], [spoiled]) != "500010"

    def test_over_as_many_levels_as_there_are(self) -> None:
        assert kraken().checksum == 0
        assert kraken(**{"bs": BIDS[:1]}).checksum == crc32(b"5000500")
        assert kraken(3, **{"as": ASKS, "bs": BIDS}).checksum == crc32(
            b"500550050105005015500" + b"500050049955004990500"
        )

    def test_the_book_is_cut_after_the_whole_message(self) -> None:
        book = kraken(2, **{"as": [["1.0", "1.0", TIME], ["2.0", "1.0", TIME]]})
        parts = {"a": [["0.5", "1.0", TIME], ["0.5", "0.0", TIME], ["3.0", "1.0", TIME, "r"]]}
        book.apply(parts)
        assert book.asks == [("1.0", "1.0"), ("2.0", "1.0")]
        book.apply({"a": [["1.0", "0.0", TIME], ["3.0", "1.0", TIME, "r"]]})
        assert book.asks == [("2.0", "1.0"), ("3.0", "1.0")]
        assert len(kraken(10, **{"as": [[f"{n}.0", "1.0"] for n in range(1, 30)]}).asks) == 10

    def test_a_snapshot_replaces_the_book(self) -> None:
        book = kraken(**{"as": ASKS, "bs": BIDS})
        book.apply({"as": ASKS[:1], "bs": []})
        assert (book.asks, book.bids) == ([("0.05005", "0.00000500")], [])
        book.apply({"as": []}, {"bs": BIDS[:1]})
        assert (book.asks, book.bids) == ([], [("0.05000", "0.00000500")])

    @pytest.mark.parametrize("parts", [(), ({},), ({"a": [], "b": []},), ({"a": []}, {"b": []})])
    def test_nothing_changes_nothing(self, parts: Any) -> None:
        book = kraken(**{"as": ASKS, "bs": BIDS})
        book.apply(*parts)
        book.apply({"a": [["9.9", "0.00000000", TIME]], "c": str(DOCUMENTED)})
        assert book.checksum == DOCUMENTED

    def test_a_checksum_that_disagrees(self) -> None:
        book = kraken(**{"as": ASKS, "bs": BIDS})
        before = state(book)
        for stated in ("974947236", "-1", "", 1, "x"):
            with pytest.raises(ValueError, match=r"the checksum is \d+, the message says"):
                book.apply({"a": [["0.05005", "1.0", TIME]]}, {"b": BIDS[:1], "c": stated})
            assert state(book) == before
        assert book.checksum == DOCUMENTED

    def test_a_depth_is_at_least_one(self) -> None:
        with pytest.raises(ValueError, match="depth is 0"):
            KrakenBook(0)


BAD_ENTRIES = [
    *(None, "12", {}, [[]], [["1.0"]], ["1.0", "2.0"], [[1.0, 2.0]], [["1.0", 2]], [[None, "1"]]),
    *(
        [["NaN", "1"]],
        [["1e3", "1"]],
        [["-1.0", "1"]],
        [["1.0", "-1"]],
        [["", "1"]],
        [["1,0", "1"]],
    ),
    *([["٣", "1"]], [["1.0", "Infinity"]], [["1.", "1"]], [["1.0\n", "1"]], [{"1.0": "2"}]),
]


@pytest.mark.parametrize("bad", BAD_ENTRIES, ids=repr)
class TestMalformed:
    """ValueError, and the whole message has had no effect."""

    def test_binance(self, bad: Any) -> None:
        book = binance(bids=[["1.0", "1.0"]])
        before = state(book)
        with pytest.raises(ValueError, match="expected"):
            book.apply(event(161, 165, b=[["2.0", "1.0"]], a=bad))
        assert state(book) == before
        with pytest.raises(ValueError, match="expected"):
            binance(asks=bad)

    def test_kraken(self, bad: Any) -> None:
        book = kraken(**{"bs": [["1.0", "1.0"]]})
        before = state(book)
        for parts in [({"b": [["2.0", "1.0"]]}, {"a": bad}), ({"as": bad, "bs": []},)]:
            with pytest.raises(ValueError, match="expected"):
                book.apply(*parts)
            assert state(book) == before


@pytest.mark.parametrize("bad", [None, "160", 160.0, True, []], ids=repr)
def test_numbers_are_whole(bad: Any) -> None:
    for fields in ({"U": bad}, {"u": bad}, {"pu": bad}):
        with pytest.raises(ValueError, match="expected a whole number"):
            binance().apply(event(161, 165, **fields))
    with pytest.raises(ValueError, match="expected a whole number"):
        binance(last=bad)


@pytest.mark.parametrize("part", [336, "book-10", None, []], ids=repr)
def test_only_the_objects_of_a_message(part: Any) -> None:
    with pytest.raises(ValueError, match="is not an object"):
        kraken().apply({"a": []}, part)
    for bad in (part, {"stream": "bnbbtc@depth", "data": part}):
        with pytest.raises(ValueError, match="is not an object"):
            binance().apply(bad)
    with pytest.raises(ValueError, match="is not an object"):
        BinanceBook(part)


def test_no_first_update_is_after_the_last() -> None:
    book = binance()
    for fields in ({}, {"pu": 160}):
        with pytest.raises(ValueError, match="U is 166 and u is 165"):
            book.apply(event(166, 165, **fields))
    assert book.last == 160


# Against a model that sorts everything anew, and against the exchange

PRICES = st.sampled_from([f"{n / 10:.{d}f}" for n in range(8, 13) for d in (1, 2, 4)])
ENTRIES = st.lists(st.tuples(PRICES, st.sampled_from(["0.0", "0", "1.0", "2.50"])), max_size=8)


@given(st.lists(st.tuples(ENTRIES, ENTRIES), max_size=6), st.integers(1, 12))
def test_kraken_against_a_model(messages: list[Any], depth: int) -> None:
    book = KrakenBook(depth)
    sides: dict[str, dict[Decimal, tuple[str, str]]] = {"a": {}, "b": {}}
    for asks, bids in messages:
        book.apply({"a": asks}, {"b": bids})
        for name, entries in (("a", asks), ("b", bids)):
            for price, quantity in entries:
                sides[name].pop(Decimal(price), None)
                if Decimal(quantity):
                    sides[name][Decimal(price)] = (price, quantity)
            order = sorted(sides[name], reverse=name == "b")[:depth]
            sides[name] = {key: sides[name][key] for key in order}
        assert book.asks == list(sides["a"].values())
        assert book.bids == list(sides["b"].values())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("depth", [1, 3, 10, 25])
def test_both_books_follow_the_exchange(seed: int, depth: int) -> None:
    exchange = StockExchange(Random(seed), depth=depth)
    north = {name: BinanceBook(feed.snapshot(1000)) for name, feed in exchange.north.items()}
    south = {name: kraken(depth, **feed.snapshot()) for name, feed in exchange.south.items()}
    repeated = 0
    for _ in range(800):
        update = exchange.step()
        name, message = update.market.symbol, json.loads(json.dumps(update.message))
        if update.venue == "North":
            north[name].apply(message)
            assert north[name].bids == update.market.best("bids", 1000)
            assert north[name].asks == update.market.best("asks", 1000)
        else:
            assert 1 <= len(message) <= 2
            assert "c" in message[-1]
            south[name].apply(*message)
            assert south[name].bids == update.market.best("bids", depth)
            assert south[name].asks == update.market.best("asks", depth)
            repeated += json.dumps(message).count('"r"]')
    assert repeated or depth > 10


@pytest.mark.parametrize("seed", range(4))
def test_a_lost_message_is_noticed(seed: int) -> None:
    """Binance's next event says so; Kraken's, unless it has made the loss good."""
    exchange = StockExchange(Random(seed), symbols=("ACME",))
    (north,), (south,) = exchange.north.values(), exchange.south.values()
    first, second = BinanceBook(north.snapshot()), kraken(**south.snapshot())
    lost = set()
    for _ in range(60):
        update = exchange.step()
        if update.venue not in lost:
            lost.add(update.venue)
        elif update.venue == "North":
            with pytest.raises(Gap):
                first.apply(update.message)
        else:
            with suppress(ValueError):
                second.apply(*update.message)
                assert second.bids == south.market.best("bids", 10)
                assert second.asks == south.market.best("asks", 10)
