"""Those who say where couriers are: simulated riders, and phones that speak MQTT.

A `Fleet` of riders goes through streets, and each rider's `Reckoner` decides what is worth saying.
A `Bridge` answers phones that speak MQTT, and `MQTTDissector` explains them in transcripts. A
`Roster` is what the server knows of all of them.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from wslab.apps.location.places import (
    BINARY,
    DEGREE,
    HEARTBEAT,
    LOST,
    Fix,
    Form,
    Place,
    distance,
    geohash,
    read_fixes,
)
from wslab.kit.hub import Hub
from wslab.lab.wire.dissectors import Dissector
from wslab.protocol.mqtt import MQTTSession, Packet, describe_packets

__all__ = ["MAP", "Bridge", "Courier", "Fleet", "MQTTDissector", "Reckoner", "Rider", "Roster"]
__all__ += ["choose_mqtt", "on_map"]

MAP = {"lat": 31.23, "lon": 121.47, "block": 200, "blocks": 25}  # blocks: from the centre, each way
MANY = 10_000  # couriers of one connection
AHEAD, FASTEST = 5.0, 70.0  # seconds that a clock may be ahead; metres a second of a courier
WAIT = 10.0  # seconds in which CONNECT must come

Heard = Callable[[Hashable, "Courier"], None]


def on_map(x: float, y: float) -> Place:
    """Return the place so many metres east and north of the centre of our map."""
    wide = DEGREE * math.cos(math.radians(MAP["lat"]))
    return MAP["lat"] + y / DEGREE, MAP["lon"] + x / wide


class Rider:
    """A simulated courier, who rides along streets and decides at each corner.

    rng: decides everything. x, y: metres from the centre. course: 0, 90, 180 or 270 degrees.
    speed: metres a second, a new one from each corner on.
    """

    def __init__(self, rng: Random) -> None:
        self.rng, self.block = rng, MAP["block"]
        reach = int(MAP["blocks"]) - 1
        self.x, self.y = (float(self.block * rng.randint(-reach, reach)) for _ in "xy")
        self.course, self.left = 90 * rng.randrange(4), 0.0
        self._turn()

    def _turn(self) -> None:
        self.course = (self.course + self.rng.choice((0, 0, 0, 90, 270))) % 360
        border = self.block * MAP["blocks"]
        for side, there in ((90, self.x), (270, -self.x), (0, self.y), (180, -self.y)):
            if self.course == side and there > border - self.block:
                self.course = (side + 90) % 360  # turn right at the border of the map
        self.left, self.speed = float(self.block), self.rng.uniform(3, 9)

    def step(self, seconds: float) -> None:
        """Ride on."""
        while seconds > 0:
            part = min(seconds, self.left / self.speed)
            way = math.radians(self.course)
            self.x += part * self.speed * math.sin(way)
            self.y += part * self.speed * math.cos(way)
            self.left, seconds = self.left - part * self.speed, seconds - part
            if self.left < 1e-6:
                self._turn()

    def fix(self, time: float) -> Fix:
        """Return what its phone would say."""
        return Fix(time, *on_map(self.x, self.y), self.speed, float(self.course))


class Reckoner:
    """The sender's side of dead reckoning. It says when the receivers' model is not good enough.

    threshold: metres that the model may err; below zero, every fix is sent. heartbeat: seconds
    after which it sends in any case. form: decides what the receivers read, because the model
    starts from that. sent: what they have read.
    """

    def __init__(
        self, threshold: float = 20.0, heartbeat: float = HEARTBEAT, form: Form = BINARY
    ) -> None:
        self.threshold, self.heartbeat, self.form = threshold, heartbeat, form
        self.sent: Fix | None = None

    def is_due(self, fix: Fix) -> bool:
        """Tell whether to send this fix. A fix that is not newer than the last one is never due."""
        if self.sent is not None:
            if fix.time <= self.sent.time:
                return False
            error = distance(self.sent.at(fix.time), fix.place)
            if error <= self.threshold and fix.time - self.sent.time < self.heartbeat:
                return False
        self.sent = self.form.rounded(fix)
        return True


class Fleet:
    """Simulated couriers with a reckoner each. Options are the reckoners'.

    Each rider has a random number generator of its own, so one more changes nothing for the others.
    """

    def __init__(self, seed: int, count: int, **options: Any) -> None:
        self.riders = [Rider(Random(f"{seed} {number}")) for number in range(count)]
        self.reckoners, self.time = [Reckoner(**options) for _ in self.riders], 0.0

    def fixes(self, time: float) -> list[Fix]:
        """Return where everybody is."""
        return [rider.fix(time) for rider in self.riders]

    def step(self, time: float, seconds: float = 1.0) -> list[tuple[int, Fix]]:
        """Let everybody ride on until a time. Return pairs of number and fix that are due."""
        for rider in self.riders:
            rider.step(seconds)
        self.time, fixes = time, enumerate(self.fixes(time))
        return [(number, fix) for number, fix in fixes if self.reckoners[number].is_due(fix)]


class Courier:
    """A courier as the server knows it.

    fix: the last one. cell: its geohash. seen_by: those who have to hear when it moves or goes.
    """

    fix: Fix
    cell = ""

    def __init__(self) -> None:
        self.seen_by: dict[Any, None] = {}

    def take(self, fix: Fix) -> None:
        """Replace the fix."""
        self.fix, self.cell = fix, geohash(fix.place)
        self._views = dict[Form, Fix]()

    def view(self, form: Form) -> Fix:
        """Return the fix as receivers of a form read it."""
        if form not in self._views:
            self._views[form] = form.rounded(self.fix)
        return self._views[form]

    @property
    def cells(self) -> list[str]:
        """The cells around it, of all sizes."""
        return [self.cell[:end] for end in range(1, len(self.cell) + 1)]


class Roster:
    """All couriers, by the cells around them, of all sizes.

    clock: seconds since 1970. hear(key, courier): called after each fix. lose(key, courier): called
    when a courier has gone.
    """

    def __init__(self, clock: Callable[[], float], hear: Heard, lose: Heard) -> None:
        self.clock, self.hear, self.lose = clock, hear, lose
        self.couriers: dict[Hashable, Courier] = {}
        self._cells: dict[str, dict[Hashable, None]] = {}

    def inside(self, cells: Iterable[str]) -> list[Hashable]:
        """Return who is in these cells."""
        return [key for cell in cells for key in self._cells.get(cell, ())]

    def report(self, key: Hashable, fix: Fix | None) -> None:
        """Take a courier's fix, None if it has gone.

        A courier that is suddenly elsewhere is taken for a new one, so nobody sees it fly.
        Raises ValueError if the fix is older than the last one, or not of our time.
        """
        now, known = self.clock(), self.couriers.get(key)
        if fix is None:
            return self._forget(key)
        if not now - LOST <= fix.time <= now + AHEAD:
            raise ValueError(f"the time of the fix is {fix.time}, here it is {now:.0f}")
        if known is not None:
            seconds = fix.time - known.fix.time
            if seconds <= 0:
                raise ValueError(f"the time is {fix.time}, the last fix had {known.fix.time}")
            if distance(known.fix.place, fix.place) > FASTEST * (seconds + 1):
                self._forget(key)
        courier = self.couriers.setdefault(key, Courier())
        before = courier.cells
        courier.take(fix)
        self._move(key, before, courier.cells)
        self.hear(key, courier)

    def forget_silent(self) -> None:
        """Forget those who have said nothing for too long."""
        end = self.clock() - LOST
        for key in [key for key, each in self.couriers.items() if each.fix.time < end]:
            self._forget(key)

    def _forget(self, key: Hashable) -> None:
        if (courier := self.couriers.pop(key, None)) is not None:
            self._move(key, courier.cells, [])
            self.lose(key, courier)

    def _move(self, key: Hashable, before: list[str], after: list[str]) -> None:
        for cell in set(before).difference(after):
            del self._cells[cell][key]
            if not self._cells[cell]:
                del self._cells[cell]
        for cell in set(after).difference(before):
            self._cells.setdefault(cell, {})[key] = None

    async def listen(self, ws: Any, refuse: Callable[[ValueError], None]) -> None:
        """Take what a connection reports until it ends; then its couriers are gone."""
        names: dict[Any, None] = {}
        try:
            async for data in ws:
                try:
                    fixes = read_fixes(data)
                except ValueError as error:
                    refuse(error)
                    continue
                for name, fix in fixes:
                    try:
                        if len(names) >= MANY and name not in names:
                            raise ValueError(f"a connection speaks for {MANY} couriers at most")
                        self.report((ws, name), fix)
                        names[name] = None
                    except ValueError as error:
                        refuse(error)
        finally:
            for name in names:
                self._forget((ws, name))


class MQTTDissector(Dissector):
    """Explains MQTT in transcripts, as far as a message holds whole packets."""

    def recognises(self, request: bytes) -> bool:
        """Tell whether a handshake offers the subprotocol `mqtt`."""
        return re.search(rb"(?im)^sec-websocket-protocol:.*\bmqtt\b", request) is not None

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Name the packets of a message."""
        return f"MQTT: {describe_packets(payload)}"


def choose_mqtt(_connection: object, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Take the subprotocol `mqtt` if a client offers it, and otherwise none."""
    return next((each for each in offered if each == "mqtt"), None)


class Bridge:
    """A server's handler for MQTT. publish(ws, topic, payload) is called for each publication."""

    def __init__(self, publish: Callable[[Any, str, bytes], None]) -> None:
        self.publish, self.hub = publish, Hub()

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        session, topics = MQTTSession(), set[str]()
        self.hub.add(ws, ("only", ws))
        try:
            while not session.is_over:
                # Without a packet for 1.5 times the keep alive, the client is gone (§3.1.2.10).
                patience = WAIT if session.keepalive is None else 1.5 * session.keepalive
                async with asyncio.timeout(patience or None):
                    answers, published = session.receive(await ws.recv())
                self.hub.subscribe(ws, *session.topics)
                self.hub.unsubscribe(ws, *topics.difference(session.topics))
                topics = set(session.topics)
                for packet in answers:
                    self.hub.send(ws, packet.serialize())
                for topic, payload in published:
                    self.hub.publish(Packet.publish(topic, payload).serialize(), topic)
                    self.publish(ws, topic, payload)
            self.hub.close(ws)
        except (ValueError, TimeoutError) as error:
            self.hub.close(ws, 1002, f"{error or 'no packet came in time'}")
            await ws.wait_closed()
        except ConnectionClosed:
            pass
        finally:
            self.hub.remove(ws)
