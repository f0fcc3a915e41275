"""Lesson 15: prices for everybody at their own pace, and order books that stay true."""

from wslab.apps.quotes.books import BinanceBook, Gap, KrakenBook

__all__ = ["BinanceBook", "Gap", "KrakenBook"]
