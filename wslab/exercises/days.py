"""Days on many networks, for the exercises of lessons 07 and 08."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from websockets.exceptions import WebSocketException

from wslab.exercises.engine import wire
from wslab.exercises.engine.networks import Weather
from wslab.exercises.engine.trial import Trial
from wslab.exercises.resuming import NEWS, ORDERS, Newspaper, Shop, in_order
from wslab.exercises.till import Till
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.keepalive import Heartbeat
from wslab.net import launch

__all__ = ["SECRET", "SUDDEN", "WEATHER", "WITHIN"]
__all__ += ["half_open_day", "news_day", "orders_day", "till_day"]

SECRET = "an example of a secret"
BEAT = {"ping_interval": 1, "ping_timeout": 1}
WEATHER = Weather(within=4, longest=2, outage=0.3, most=3)
SUDDEN = replace(WEATHER, within=0.7)  # while everything is said
WITHIN = 1.5  # seconds in which an answer has to find the dead
CALM = 80.0  # virtual seconds that an answer may take; the library notices a death after 50


def _open(trial: Trial, handler: Newspaper | Shop | Till) -> str:
    """Serve on the network in memory, also after crashes; return the URL."""

    async def server(disk: Any) -> None:
        handler.begin()
        async with wire.serving(trial, handler, port=9000, **BEAT):
            await asyncio.Event().wait()

    launch(server)
    return "ws://127.0.0.1:9000/"


async def news_day(trial: Trial, follow: Any) -> None:
    """Publish eight texts, two of them twice, to an answer that has to return them."""
    paper = Newspaper()
    answer = follow(_open(trial, paper), 8)
    following = asyncio.create_task(paper.watch(trial, answer, "your code has not returned", CALM))
    texts = [f"news {number}" for number in (1, 2, 2, 3, 4, 5, 6, 6)]
    for text in texts:
        await asyncio.sleep(0.5)
        paper.publish(text)
    in_order(trial, await following, texts, NEWS)


async def orders_day(trial: Trial, deliver: Any) -> None:
    """Let the answer give eight orders, two of them twice."""
    shop = Shop()
    texts = [f"Buy {number}" for number in (1, 2, 2, 3, 4, 5, 6, 6)]
    answer = deliver(_open(trial, shop), list(texts), SECRET)
    await shop.watch(trial, answer, "your code has not returned", CALM)
    in_order(trial, shop.orders, texts, ORDERS)


async def till_day(trial: Trial, remember: Any) -> None:
    """Let the course's client give eight orders to a server that the answer serves."""
    till = Till(remember)
    texts = [f"Buy {number}" for number in (1, 2, 2, 3, 4, 5, 6, 6)]
    client = ReconnectingClient(
        _open(trial, till),
        connect=partial(library_connect, proxy=None, compression=None),
        policy=Backoff(first=0.1, limit=0.5),
        heartbeat=Heartbeat(1, timeout=1),
        history=False,
    )
    async with client:
        for text in texts:
            client.send({"type": "say", "text": text})
            await asyncio.sleep(0.4)
        async with trial.within(CALM, "the client does not get all acknowledgements"):
            await client.delivered()
    in_order(trial, till.orders, texts, ORDERS)


async def half_open_day(trial: Trial, half_open: Any) -> None:
    """Let connections end before and while the answer asks them; two of five are dead."""
    peers = wire.Guests(trial)
    async with wire.serving(trial, peers) as url, AsyncExitStack() as stack:
        try:
            ends = [(await peers.come(url, stack), peers.arrived[-1]) for _ in range(5)]
        except (OSError, WebSocketException):
            return  # on this day nobody could connect
        for _, server in ends[:2]:
            server.transport.pause_reading()
        closed = [client for client, _ in ends if client.close_code is not None]
        async with trial.within(WITHIN, "your code has not returned"):
            got = await half_open([client for client, _ in ends])
        trial.of_type(got, list)
        for number, (client, server) in enumerate(ends):
            is_in, is_dead = client in got, number < 2
            well = "a connection that is well was taken for half-open"
            trial.want(is_dead or not is_in or server.close_code is not None, well)
            over = "a connection that had ended before was taken for half-open"
            trial.want(not is_in or client not in closed, over)
            missed = "a half-open connection was not found"
            trial.want(is_in or not is_dead or client.close_code is not None, missed)
