"""Days on many networks, for the exercises of lesson 08."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from wslab.exercises.engine import wire
from wslab.exercises.engine.networks import Weather
from wslab.exercises.engine.trial import Trial, shown
from wslab.exercises.resuming import Press, SafeShop
from wslab.exercises.till import Till, took_effect
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Backoff
from wslab.kit.client import ReconnectingClient
from wslab.kit.keepalive import Heartbeat
from wslab.net import launch

__all__ = ["SECRET", "SUDDEN", "WEATHER", "compare", "news_day", "orders_day", "till_day"]

SECRET = "an example of a secret"
BEAT = {"ping_interval": 1, "ping_timeout": 1}
WEATHER = Weather(within=4, longest=2, outage=0.3, most=3)
SUDDEN = replace(WEATHER, within=0.7)  # while everything is said
CALM = 80.0  # virtual seconds that an answer may take; the library notices a death after 50


def _open(trial: Trial, handler: Press | SafeShop | Till) -> str:
    """Serve on the network in memory, also after crashes; return the URL."""

    async def server(disk: Any) -> None:
        handler.begin()
        async with wire.serving(trial, handler, port=9000, **BEAT):
            await asyncio.Event().wait()

    launch(server)
    return "ws://127.0.0.1:9000/"


async def news_day(trial: Trial, follow: Any) -> None:
    """Publish eight texts, two of them twice, to an answer that has to return them."""
    press = Press()
    answer = follow(_open(trial, press), 8)
    following = asyncio.create_task(press.watch(trial, answer, "your code has not returned", CALM))
    texts = [f"news {number}" for number in (1, 2, 2, 3, 4, 5, 6, 6)]
    for text in texts:
        await asyncio.sleep(0.5)
        press.publish(text)
    compare(trial, await following, texts)


async def orders_day(trial: Trial, deliver: Any) -> None:
    """Let the answer give eight orders, two of them twice."""
    shop = SafeShop()
    texts = [f"Buy {number}" for number in (1, 2, 2, 3, 4, 5, 6, 6)]
    answer = deliver(_open(trial, shop), list(texts), SECRET)
    await shop.watch(trial, answer, "your code has not returned", CALM)
    took_effect(trial, shop.orders, texts)


def compare(trial: Trial, got: list[Any], texts: list[str]) -> None:
    """Refuse a list that differs, and say how it differs."""
    if got == texts:
        return
    doubled = next((text for text in got if got.count(text) > max(1, texts.count(text))), None)
    trial.want(doubled is None, "the list has a message twice", got=shown(doubled))
    missing = next((text for text in texts if got.count(text) < texts.count(text)), None)
    count = texts.count(missing or "")
    times = f", {count} times" if count > 1 else ""
    trial.want(missing is None, "a message is missing", expected=f"{missing!r}{times}")
    wrong = "the messages are not in order, or the list has something else"
    trial.wrong(wrong, expected=texts[:3], got=got)


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
    took_effect(trial, till.orders, texts)
