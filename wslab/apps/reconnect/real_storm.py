"""A reconnection storm with sockets, which shows whether the simulation in `storm` is right."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import numpy as np

from wslab import lab
from wslab.apps.reconnect.storm import Counter, Storm
from wslab.kit.attempt import library_connect
from wslab.kit.backoff import Policy, delays
from wslab.kit.retry import classify
from wslab.net.clock import now

__all__ = ["real_storm"]


async def real_storm(
    clients: int, policy: Policy, *, outage: float = 2.0, bin: float = 0.25, seed: int = 1
) -> Storm:
    """Stop a server of the lab, start it again on its port, and count the attempts over time.

    clients: a few hundred at most, because they share this machine with the server. The others are
    as for `storm`. The seconds are those of the running loop.
    """
    # However long a busy machine takes for a handshake, none is given up: that is another storm.
    serve = partial(lab.serve, _hold, name="storm", ping_interval=None, open_timeout=None)
    server = serve()
    url, port = server.url, server.port
    connections = [
        await library_connect(url, compression=None, open_timeout=None) for _ in range(clients)
    ]
    await server.stop(0.05)
    for connection in connections:
        await connection.wait_closed()
    crowd = [_Client(url, policy, random.Random(f"{seed} {n}")) for n in range(clients)]
    loss = now()
    try:
        async with asyncio.TaskGroup() as group:
            for client in crowd:
                group.create_task(client.come_back(loss))
            await asyncio.sleep(loss + outage - now())
            server = serve(port=port)
    finally:
        await server.stop(0.05)
        for client in crowd:
            await client.leave()
    attempts, connected = Counter(bin), Counter(bin)
    attempts.add(np.array([moment for client in crowd for moment in client.attempts]))
    connected.add(np.array([client.attempts[-1] for client in crowd]))
    return Storm.counted(policy, clients, outage, attempts, connected)


async def _hold(ws: object) -> None:
    """Serve a connection until it ends."""
    await asyncio.Event().wait()


class _Client:
    """One client of the crowd. attempts: their times, in seconds from the loss."""

    def __init__(self, url: str, policy: Policy, rng: random.Random) -> None:
        self.url, self.waits = url, delays(policy, rng=rng)
        self.attempts: list[float] = []
        self.ws: Any = None

    async def come_back(self, loss: float) -> None:
        due = loss
        while self.ws is None:
            due += next(self.waits)
            await asyncio.sleep(due - now())
            self.attempts.append(now() - loss)
            try:
                self.ws = await library_connect(self.url, compression=None, open_timeout=None)
            except Exception as error:
                if classify(error) is None:
                    raise

    async def leave(self) -> None:
        if self.ws is not None:
            await self.ws.wait_closed()
