"""Lesson 15: stock quotes (行情). Prices for everybody, at everybody's own pace.

    desk = quotes.Desk(Random(15))
    server = quotes.serve(desk)
    quotes.QuotesWidget(server)

A `Desk` follows the order books of two venues (`exchange`, `books`) and tells the best prices.
Prices are state, not history, because a newer quote of the same key makes the older one worthless.
So a slow viewer gets fewer quotes, but no older ones (`wslab.kit.hub`, `keep_latest`). This is
called conflation (合并).

    /paced        the latest quote of each key, in batches. {"type": "ready", "count": n} asks for
                  the next batch, where n is the number of messages received on this connection
    /latest       the same, as fast as the connection takes it
    /every        every quote
    /trades       every trade, because trades are history
    /ws/acmeusd@depth, and over HTTP /api/v3/depth?symbol=ACMEUSD    the venue North, as Binance
    /kraken       the venue South, as Kraken's WebSocket API v1, channel book
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs

from websockets.http11 import Request, Response

from wslab import lab
from wslab.apps.quotes.books import BinanceBook, Gap, KrakenBook, checksum_text
from wslab.apps.quotes.exchange import NORTH, SOUTH, Market, StockExchange, Update
from wslab.browser.widget import TargetWidget
from wslab.kit.hub import Hub, keep_latest
from wslab.kit.messages import ResumeError, decoded, encoded
from wslab.lab.servers.files import (
    PageFiles,
    body_response,
    is_upgrade,
    text_response,
)
from wslab.lab.servers.websocket import show_page
from wslab.net.clock import now
from wslab.protocol.close import CloseCode
from wslab.protocol.http import split_target

__all__ = ["BinanceBook", "Desk", "Gap", "KrakenBook", "Market", "QuotesWidget"]
__all__ += ["StockExchange", "checksum_text", "demo_quotes", "serve"]

PAGE = PageFiles(Path(__file__).parent / "page", {"title": "Two venues, three stocks"})
FEEDS = {"/every": "every", "/latest": "latest", "/paced": "latest", "/trades": "trades"}
REFUSED = dict.fromkeys((ResumeError, KeyError, TypeError), CloseCode.POLICY_VIOLATION)
TICK = 0.01  # seconds between two looks at what is due

Key = tuple[str, str]  # venue and symbol


class Desk:
    """The server's handler. The exchange trades while somebody is connected.

    rng: decides what the exchange does. rate: updates a second. If it is None, nothing happens
    until `step` is called. exchange: the venues. hub: the connections.
    latest: the newest quote by (venue, symbol), as it was sent. count: the number of quotes so far.
    seconds: the time that it has traded; `at` in a quote is such a time.
    """

    __name__ = "quotes"

    def __init__(self, rng: Random, *, rate: float | None = 2000) -> None:
        self.exchange, self.rate, self.count = StockExchange(rng), rate, 0
        self.hub = Hub(when_full=keep_latest, untouched=0, life=self._trade)
        self.latest: dict[Key, str] = {}
        self._north, self._south = self.exchange.north, self.exchange.south
        self._books: dict[Key, Any] = {}
        for name, north in self._north.items():
            self._books[NORTH, name] = BinanceBook(north.snapshot())
        for name, south in self._south.items():
            self._books[SOUTH, name] = KrakenBook(south.depth)
            self._books[SOUTH, name].apply(south.snapshot())
        self.seconds = 0.0

    @property
    def best(self) -> dict[Key, Any]:
        """The best bid and ask of each book, by (venue, symbol)."""
        return {key: book.best for key, book in self._books.items()}

    def step(self) -> Update:
        """Let something happen at a venue, and tell everybody who listens."""
        update = self.exchange.step()
        key, message = (update.venue, update.market.symbol), update.message
        book = self._books[key]
        if update.venue == NORTH:
            book.apply(message)
        else:
            book.apply(*message)
            message = self._channel(update.market.symbol, *message)
        self.hub.publish(encoded(message), key)
        self._publish(key, book.best)
        for trade in update.trades:
            self.hub.publish(
                encoded({"venue": key[0], "symbol": key[1], **trade._asdict()}), "trades"
            )
        return update

    def _publish(self, key: Key, best: Any) -> None:
        self.count += 1
        quote = {"n": self.count, "at": round(self.seconds, 4), "venue": key[0], "symbol": key[1]}
        text = self.latest[key] = encoded({**quote, "bid": best[0], "ask": best[1]})
        self.hub.publish(text, "latest", key=key)
        self.hub.publish(text, "every")

    def _channel(self, symbol: str, *parts: Any) -> list[Any]:
        number = list(self._south).index(symbol)
        return [number, *parts, f"book-{self._south[symbol].depth}", symbol]

    # Connections

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        path = split_target(ws.request.path)[0]
        stream = re.fullmatch(r"/ws/(\w+)@depth(@100ms)?", path)
        topics: list[Any] = []
        if path in FEEDS:
            topics = [FEEDS[path]]
        elif stream and (name := self._pair(stream[1])):
            topics = [(NORTH, name)]
        elif path != "/kraken":
            await ws.close(CloseCode.POLICY_VIOLATION, f"no such stream: {', '.join(FEEDS)}")
            return
        async with self.hub.hosting(ws, *topics, paced=path == "/paced", refuses=REFUSED):
            if topics[:1] in (["latest"], ["every"]):  # where everything stands, then what is new
                for key, text in self.latest.items():
                    self.hub.send(ws, text, key=key)
            async for data in ws:
                self._receive(ws, path, decoded(data))

    def _receive(self, ws: Any, path: str, message: dict[str, Any]) -> None:
        if path == "/paced" and message.get("type") == "ready":
            self.hub.ready(ws, message["count"])
        elif path == "/kraken" and message.get("event") == "subscribe":
            for name in dict.fromkeys(message["pair"]):  # once, however often it is named
                feed = self._south[name]
                status = {"event": "subscriptionStatus", "pair": name, "status": "subscribed"}
                status |= {"channelName": f"book-{feed.depth}"}
                self.hub.send(ws, encoded(status))
                self.hub.send(ws, encoded(self._channel(name, feed.snapshot())))
                self.hub.subscribe(ws, (SOUTH, name))

    async def _trade(self) -> None:
        """Keep to the rate while somebody is here. A busy machine leaves out some of it."""
        last, due = now(), 0.0
        while self.rate is not None:
            await asyncio.sleep(TICK)
            last, passed = now(), min(now() - last, 10 * TICK)
            self.seconds += passed
            due += passed * self.rate
            for _ in range(int(due)):
                self.step()
            due %= 1

    # HTTP

    def answer(self, connection: object, request: Request) -> Response | None:
        """Answer a request that asks for no WebSocket: the page, or Binance's snapshot."""
        path, query = split_target(request.path)
        if path != "/api/v3/depth" or is_upgrade(request):
            return PAGE.answer(connection, request)
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        name, limit = self._pair(asked.get("symbol", "")), asked.get("limit", "100")
        if name is None or not re.fullmatch("[0-9]{1,4}", limit):
            return text_response(HTTPStatus.BAD_REQUEST, '{"code":-1121,"msg":"Invalid symbol."}')
        snapshot = self._north[name].snapshot(int(limit))
        return body_response("application/json", encoded(snapshot).encode())

    def _pair(self, symbol: str) -> str | None:
        """Return our name for one of Binance's, None if there is no such market."""
        pairs = {feed.symbol: name for name, feed in self._north.items()}
        return pairs.get(symbol.upper())


def serve(desk: Desk | None = None, *, name: str = "quotes", **where: Any) -> lab.Server:
    """Start a desk beside the notebook, with its page at `/`; a seeded one if left out.

    name, where: as for `lab.serve`; running the cell again replaces the server of this name.
    """
    desk = desk or Desk(Random(15))
    return lab.serve(desk, name=name, process_request=desk.answer, **where)


class QuotesWidget(TargetWidget):
    """The page of a desk in a cell, with a table and a chart.

    It draws at most once per animation frame. The connection belongs to the page that shows the
    notebook, and not to the kernel.
    target: a desk's server, a cable to it, or a URL.
    """

    FILES = ("apps/quotes/page/app.css", "apps/quotes/page/app.js")


async def demo_quotes() -> None:
    """Serve the page until Ctrl-C; all traders are simulated."""
    await show_page(serve(), "Two venues, three stocks, 2,000 updates a second")
