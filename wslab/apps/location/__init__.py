"""Lesson 13: location (基于位置的应用). Couriers move on a map, and viewers look at parts of it.

    city = location.City(fleet=location.Fleet(13, 300))
    server = location.serve(city)
    location.MapWidget(server)

A viewer gets what lies in its area of interest (关注区域), within its budget of bytes, and nothing
else. Its traffic does not depend on couriers elsewhere.

    /courier     a courier says where it is, or a company says it for many. Text is OwnTracks' JSON,
                 bytes are the binary form (`places`)
    /area        {"area": [south, west, north, east]} asks for a part of the map; the answer has the
                 same form, or is {"refused": "…"}. Fixes come in the binary form
    /area/json   the same with OwnTracks' JSON
    any path, with the subprotocol mqtt: phones that publish OwnTracks' JSON (`senders`)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

from wslab import lab
from wslab.apps.location.places import BINARY, OWNTRACKS, Area, Fix, Form, distance
from wslab.apps.location.senders import Bridge, Courier, Fleet, MQTTDissector, Roster, choose_mqtt
from wslab.browser.widget import TargetWidget
from wslab.kit.hub import Hub
from wslab.kit.messages import encoded, parsed
from wslab.kit.ratelimit import Budget, TokenBucket
from wslab.lab.servers.files import PageFiles
from wslab.lab.servers.websocket import show_page
from wslab.lab.wire.dissectors import register
from wslab.net import now
from wslab.protocol.close import CloseCode
from wslab.protocol.http import split_target

__all__ = ["BINARY", "OWNTRACKS", "Area", "City", "Fix", "Fleet", "MapWidget"]
__all__ += ["demo_location", "serve"]

PAGE = PageFiles(Path(__file__).parent / "page", {"title": "Couriers nearby"})
TICK = 0.2  # seconds between two messages to a viewer
MARGIN = 30.0  # metres that a courier must be inside an area before it appears there
PATIENCE = 20  # bad messages that a connection may send, and then one a second
LEAST = 0.1  # km² that each wish for an area costs at least
FRAME = 10  # bytes of a frame's header, at most (RFC 6455 §5.2)
RESERVE, SMALLEST = 256, 500  # bytes for an answer; bytes a second that a viewer needs
METRES = 20.0  # an error that doubles the weight of a fix
PATHS: dict[str, Form | None] = {"/courier": None, "/area": BINARY, "/area/json": OWNTRACKS}

register("MQTT", MQTTDissector())


class Viewer:
    """Somebody who looks at an area.

    told: number and last fix of each courier that the viewer knows. The numbers count those whom
    this viewer sees, because numbers of the whole city would tell how many others there are.
    budget: holds the fixes that wait, and None for a courier that has gone.
    """

    def __init__(self, form: Form, city: City) -> None:
        self.form, self.budget = form, Budget(city.budget, now=now(), reserve=RESERVE)
        self.km2 = TokenBucket(rate=city.largest / 16, burst=int(2 * city.largest), now=now())
        self.area: Area | None = None
        self.cells: list[str] = []
        self.told: dict[Hashable, tuple[Any, Fix | None]] = {}
        self._count = 0

    def look(self, key: Hashable, courier: Courier) -> None:
        """Take note of a courier's fix, or that it is not in the area."""
        fix, is_known = courier.view(self.form), key in self.told
        if not self.area or not self.area.contains(fix.place, 0.0 if is_known else MARGIN):
            self.lose(key, courier)
            return
        if not is_known:
            self._count += 1
            self.told[key] = self._count, None
            courier.seen_by[self] = None
        number, before = self.told[key]
        error = distance(before.at(fix.time), fix.place) / METRES if before else 3.0
        self.budget.offer(number, (key, fix), 1 + min(error, 3.0))

    def lose(self, key: Hashable, courier: Courier) -> None:
        """Forget a courier, and say so if the viewer has heard of it."""
        if key in self.told:
            number, fix = self.told.pop(key)
            courier.seen_by.pop(self)
            self.budget.withdraw(number)
            if fix:
                self.budget.offer(number, (key, None), 8.0)

    def batch(self, stamp: float) -> str | bytes | None:
        """Return the next message; None if there is none. stamp: the time for the fixes."""
        form: Any = self.form
        records: dict[Hashable, Any] = {}

        def size(number: Hashable, thing: Any) -> int:
            records[number] = form.record(number, thing[1])
            return len(records[number]) + 1

        chosen = self.budget.spend(now(), size, head=FRAME + 9)
        self.told |= {key: (number, fix) for number, (key, fix) in chosen if fix}
        return form.message(stamp, [records[number] for number, _ in chosen]) if chosen else None


class City:
    """The server's handler.

    fleet: simulated couriers, who ride while somebody is connected. budget: bytes a second of each
    viewer. largest: km² of an area; 5.2e8 allows the whole earth. clock: seconds since 1970.
    """

    def __init__(
        self,
        *,
        fleet: Fleet | None = None,
        budget: int = 2000,
        largest: float = 16.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if budget < SMALLEST:
            raise ValueError(f"budget is {budget} bytes a second, it must be {SMALLEST} or more")
        self.fleet, self.budget, self.largest, self.clock = fleet, budget, largest, clock
        self.roster = Roster(clock, self._heard, self._lost)
        self.hub = Hub(backlog=64 * 1024, life=self._run)
        self.bridge = Bridge(self._published)
        self.viewers: dict[Any, Viewer] = {}
        self._watching: dict[str, dict[Viewer, None]] = {}
        self._refused: dict[Any, TokenBucket] = {}

    def _heard(self, key: Hashable, courier: Courier) -> None:
        viewers = dict(courier.seen_by)
        for cell in courier.cells:
            viewers.update(self._watching.get(cell, {}))
        for viewer in viewers:
            viewer.look(key, courier)

    def _lost(self, key: Hashable, courier: Courier) -> None:
        for viewer in list(courier.seen_by):
            viewer.lose(key, courier)

    def _published(self, ws: Any, topic: str, payload: bytes) -> None:
        with suppress(ValueError):  # other topics carry other things
            for _, fix in OWNTRACKS.read(payload):
                self.roster.report(ws, fix)

    async def _show(self, ws: Any, form: Form) -> None:
        viewer = self.viewers[ws] = Viewer(form, self)
        try:
            async for data in ws:
                try:
                    area = self._wish(viewer, data)
                except ValueError as error:
                    text = self._refusal(ws, error)
                else:
                    self._move(viewer, area)
                    text = encoded({"area": [area.south, area.west, area.north, area.east]})
                size = len(text.encode()) + FRAME
                await asyncio.sleep(viewer.budget.bytes.wait(now(), size))  # answers cost as well
                viewer.budget.bytes.take(now(), size)
                self.hub.send(ws, text)
        finally:
            del self.viewers[ws]
            self._move(viewer, None)

    def _refusal(self, ws: Any, error: ValueError) -> str:
        bucket = self._refused.setdefault(ws, TokenBucket(rate=1, burst=PATIENCE, now=now()))
        if bucket.take(now()) < 0:
            self.hub.close(ws, CloseCode.POLICY_VIOLATION, "too many messages were refused")
        return encoded({"refused": f"{error}"[:150]})

    def _wish(self, viewer: Viewer, data: str | bytes) -> Area:
        """Read the area that a viewer asks for, and let it pay for what is new, in km²."""
        wish = parsed(data)
        box = wish.get("area") if isinstance(wish, dict) else None
        if not isinstance(box, list) or len(box) != 4:
            raise ValueError(f'expected {{"area": [s, w, n, e]}}, in degrees, got {wish!a:.60}')
        area = Area(*box)
        if (size := area.km2()) > self.largest:
            raise ValueError(f"the area has {size:.1f} km², at most {self.largest:g} are allowed")
        fresh = max(LEAST, size - (viewer.area.km2(area) if viewer.area else 0))
        if (left := viewer.km2.take(now(), 0)) < fresh:
            raise ValueError(f"{fresh:.1f} km² are new, and {left:.1f} are left: wait")
        viewer.km2.take(now(), fresh)
        return area

    def _move(self, viewer: Viewer, area: Area | None) -> None:
        """Let a viewer look at a part of the map; None is nowhere."""
        for cell in viewer.cells:
            del self._watching[cell][viewer]
            if not self._watching[cell]:
                del self._watching[cell]
        viewer.area, viewer.cells = area, area.cells() if area else []
        for cell in viewer.cells:
            self._watching.setdefault(cell, {})[viewer] = None
        known = dict.fromkeys(viewer.told)
        for key in known:
            courier = self.roster.couriers[key]
            if not area or not area.contains(courier.view(viewer.form).place):
                viewer.lose(key, courier)
        for key in self.roster.inside(viewer.cells):
            if key not in known:
                viewer.look(key, self.roster.couriers[key])

    def tick(self) -> None:
        """Send each viewer what is most urgent, and forget couriers who say nothing."""
        self.roster.forget_silent()
        for ws, viewer in self.viewers.items():
            is_free = ws.transport.get_write_buffer_size() == 0
            if is_free and (found := viewer.batch(self.clock())):
                self.hub.send(ws, found)

    async def _run(self) -> None:
        """Tick at multiples of `TICK`, so that its phase tells nothing about who came when."""
        tick = 0
        while True:
            tick = max(tick, int(now() / TICK)) + 1
            await asyncio.sleep(tick * TICK - now())
            second = self.clock() // 1
            if self.fleet and second > self.fleet.time:
                for number, fix in self.fleet.step(second, min(second - self.fleet.time, 2.0)):
                    self.roster.report(("fleet", number), fix)
            self.tick()

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        path = split_target(ws.request.path)[0]
        if ws.subprotocol == "mqtt":
            await self.bridge(ws)
            return
        if path not in PATHS:
            await ws.close(CloseCode.POLICY_VIOLATION, f"no such path: {', '.join(PATHS)}")
            return
        try:
            async with self.hub.hosting(ws):
                if (form := PATHS[path]) is None:
                    await self.roster.listen(ws, lambda e: self.hub.send(ws, self._refusal(ws, e)))
                else:
                    await self._show(ws, form)
        finally:
            self._refused.pop(ws, None)


def serve(city: City | None = None, *, name: str = "location", **where: Any) -> lab.Server:
    """Start a city beside the notebook, with its page at `/`; one of 300 couriers if left out.

    name, where: as for `lab.serve`; running the cell again replaces the server of this name.
    """
    city = city or City(fleet=Fleet(13, 300))
    where |= {"process_request": PAGE.answer, "select_subprotocol": choose_mqtt}
    return lab.serve(city, name=name, **where)


class MapWidget(TargetWidget):
    """The page of a city in a cell: a part of the map, with the couriers there.

    target: a city's server, a cable to it, or a URL.
    """

    FILES = ("apps/location/page/app.css", "apps/location/page/app.js")


async def demo_location() -> None:
    """Serve the page until Ctrl-C; all couriers are simulated."""
    await show_page(serve(), "300 couriers, and a part of their map")
