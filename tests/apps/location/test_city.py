"""What a viewer receives: its area and nothing else, within its budget, whatever others do."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from wslab.apps.location import BINARY, MARGIN, OWNTRACKS, TICK, Area, City, Fix, Fleet
from wslab.apps.location.places import LOST, geohash
from wslab.apps.location.senders import on_map
from wslab.net import now, simulate

from .town import EPOCH, at, box, fixes_of, joined, look, received, ride, town

HERE = box(0, 0, 500)


def tell(city: City, name: str, fix: Fix | None) -> None:
    city.roster.report(name, fix)


class TestArea:
    def test_only_what_lies_in_it(self) -> None:
        async def main() -> list[Any]:
            async with town() as city:
                riding = asyncio.create_task(ride(Fleet(13, 800), until=80))
                found = await asyncio.gather(
                    look(HERE, until=70), look(box(800, -300, 350), until=70)
                )
                await riding
                await asyncio.sleep(0.1)
                assert len(city.roster.couriers) == 0  # the company has left
            return found

        for area, messages in zip(
            (HERE, box(800, -300, 350)), simulate(main).result(), strict=True
        ):
            fixes = fixes_of(messages)
            assert len(fixes) > 5
            assert all(fix is None or Area(*area).contains(fix.place) for _, _, fix in fixes)

    @pytest.mark.parametrize("path", ["/area", "/area/json"])
    def test_traffic_does_not_depend_on_couriers_elsewhere(self, path: str) -> None:
        """All bytes and their times are the same, with and without them. They may be near, too."""

        async def main(others: int) -> list[Any]:
            async with town():
                fleets = [Fleet(13, 60), *(Fleet(seed, 150) for seed in range(others))]
                inside = Area(*box(0, 0, 1900))

                def near(fleet: Fleet) -> list[int]:
                    return [n for n, fix in enumerate(fleet.fixes(0)) if inside.contains(fix.place)]

                async def nervous() -> None:
                    """Jump about just outside the border, in the same cells, and farther off."""
                    async with joined("/courier") as ws:
                        for step in range(300):
                            await asyncio.sleep(0.1)
                            fix = at(1505 + step % 3 * 600, (-1) ** step * 300, 5, 90)
                            text = OWNTRACKS.record(step % 7, fix)
                            await ws.send(text)

                tasks = [asyncio.create_task(ride(fleets[0], until=40))]
                for fleet in fleets[1:]:
                    kept = set(range(150)) - set(near(fleet))
                    tasks.append(asyncio.create_task(ride(fleet, kept, until=40)))
                    tasks.append(asyncio.create_task(nervous()))
                    tasks.append(asyncio.create_task(look(box(3000, 0, 900), until=40)))
                await asyncio.sleep(0.55 - now())
                found = await look(box(0, 0, 1500), until=35, path=path)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return found

        alone, crowded = (simulate(lambda n=n: main(n)).result() for n in (0, 4))
        assert len(alone) > 5
        assert alone == crowded

    def test_names_are_the_viewers_own(self) -> None:
        async def main() -> list[set[int]]:
            async with town() as city:
                tell(city, "far", at(3000, 0))
                tell(city, "near", at(0, 0))
                tell(city, "far too", at(3000, 10))
                views = await asyncio.gather(look(HERE, until=1), look(box(3000, 0, 500), until=1))
            return [{name for _, name, _ in fixes_of(view)} for view in views]

        assert simulate(main).result() == [{1}, {1, 2}]

    def test_coming_going_and_the_border(self) -> None:
        """A courier appears well inside, stays to the border, and is then gone, each once."""

        async def main() -> list[Any]:
            async with town() as city:
                looking = asyncio.create_task(look(HERE, until=60))
                for second in range(1, 50):  # from 20 m outside to 40 m inside, and back, and so on
                    await asyncio.sleep(second - now())
                    depth = 60 * abs(math.sin(second / 4)) - 20
                    tell(city, "c", at(500 - depth, 0))
                return await looking

        fixes = fixes_of(simulate(main).result())
        names = Counter(fix is None for _, _, fix in fixes)
        last: dict[int, Any] = {}
        for _, name, fix in fixes:
            if name not in last:
                assert fix is not None
                assert Area(*HERE).contains(fix.place, MARGIN - 0.1)
            else:
                assert last[name] is not None, "it is said once that a courier has gone"
            last[name] = fix
        assert names[True] == len(last) - (last[max(last)] is not None)
        assert 2 <= len(last) <= 5

    def test_hysteresis_keeps_the_peace_at_a_border(self) -> None:
        async def main() -> list[Any]:
            async with town() as city:
                looking = asyncio.create_task(look(HERE, until=60))
                tell(city, "c", at(400, 0))
                for second in range(1, 55):
                    await asyncio.sleep(second - now())
                    tell(city, "c", at(500 + 8 * (-1) ** second, 0))
                return await looking

        fixes = fixes_of(simulate(main).result())
        assert [fix is None for _, _, fix in fixes] == [False, False, True]

    def test_a_viewer_moves(self) -> None:
        async def main() -> list[Any]:
            async with town() as city, joined("/area") as ws:
                for name, x in (("west", -600), ("middle", 0), ("east", 600)):
                    tell(city, name, at(x, 0))
                found = []
                for centre in (-400, 400, 400):
                    await ws.send(json.dumps({"area": box(centre, 0, 500)}))
                    found.append(await received(ws, now() + 1))
                return found

        first, second, third = map(fixes_of, simulate(main).result())
        assert sorted(name for _, name, _ in first) == [1, 2]
        gone = {name for _, name, fix in second if fix is None}
        assert gone == {name for _, name, fix in first if fix and fix.lon < on_map(-500, 0)[1]}
        assert [name for _, name, fix in second if fix] == [3]
        assert third == []

    def test_a_teleport_is_a_new_courier(self) -> None:
        async def main() -> list[Any]:
            async with town() as city:
                looking = asyncio.create_task(look(HERE, until=10))
                for x in (-300, -290, 300, 310, 5000, 0):
                    await asyncio.sleep(1)
                    tell(city, "c", at(x, 0))
                return await looking

        fixes = fixes_of(simulate(main).result())
        assert [(name, fix is None) for _, name, fix in fixes] == [
            *((1, False), (1, False), (1, True), (2, False), (2, False), (2, True), (3, False)),
        ]

    @pytest.mark.parametrize("how", ["silence", "goodbye", "cut"])
    def test_a_courier_vanishes(self, how: str) -> None:
        async def main() -> list[Any]:
            async with town():
                looking = asyncio.create_task(look(HERE, until=60))
                async with joined("/courier") as ws:
                    await ws.send(OWNTRACKS.record("c", at(0, 0)))
                    await asyncio.sleep(5)
                    if how == "goodbye":
                        await ws.send(OWNTRACKS.record("c", None))
                    elif how == "cut":
                        ws.transport.abort()
                    await asyncio.sleep(50)
                return await looking

        (appeared, _, fix), (gone, _, nothing) = fixes_of(simulate(main).result())
        assert (fix is None, nothing is None) == (False, True)
        expected = LOST if how == "silence" else 5
        assert gone - appeared == pytest.approx(expected, abs=2 * TICK)

    def test_poles_and_the_meridian(self) -> None:
        async def main() -> list[Any]:
            async with town(largest=1e6) as city:
                for name, lat, lon in [("n", 90, 77), ("s", -90, 0), ("e", 1, 180), ("w", 1, -179)]:
                    tell(city, name, Fix(EPOCH, lat, lon))
                areas = [
                    (89, -180, 90, 180),
                    (-90, -180, -89, 180),
                    (0, 178, 2, -178),
                    (0, 178, 2, 179.5),
                ]
                return await asyncio.gather(*(look(area, until=1) for area in areas))

        assert [len(fixes_of(view)) for view in simulate(main).result()] == [1, 1, 2, 0]

    def test_nothing_and_the_whole_world(self) -> None:
        async def main() -> list[Any]:
            async with town(largest=5.2e8) as city:
                for number in range(40):
                    tell(city, f"{number}", Fix(EPOCH, number * 4 - 79, number * 9 - 179))
                place = on_map(0, 0)
                tell(city, "c", at(0, 0))
                areas = [(*place, *place), (-90, -180, 90, 180)]
                return await asyncio.gather(*(look(area, until=3) for area in areas))

        nothing, world = simulate(main).result()
        assert len(fixes_of(world)) == 41
        assert len(fixes_of(nothing)) <= 1


class TestBudget:
    @pytest.mark.parametrize("path", ["/area", "/area/json"])
    @pytest.mark.parametrize("budget", [500, 2000])
    def test_holds_in_every_span(self, path: str, budget: int) -> None:
        async def main() -> list[Any]:
            async with town(budget=budget):
                riding = asyncio.create_task(ride(Fleet(13, 400, threshold=-1), until=25))
                async with joined(path) as ws:
                    looking = asyncio.create_task(received(ws, 20))
                    for step in range(20):  # areas change as well
                        await ws.send(json.dumps({"area": box(step * 10, 0, 1900)}))
                        await asyncio.sleep(1)
                    found = await looking
                riding.cancel()
                return found

        sizes = [
            (time, len(data) + (2 if len(data) < 126 else 4))
            for time, data in simulate(main).result()
        ]
        assert sum(size for _, size in sizes) > 0.3 * budget * 20  # and it is spent
        for start in range(len(sizes)):
            total = 0
            for time, size in sizes[start:]:
                total += size
                assert total <= budget + budget * (time - sizes[start][0]) + 1

    def test_nobody_starves(self) -> None:
        """Of 200 who all move, each is heard of again and again, though 20 a second fit."""

        async def main() -> list[Any]:
            async with town(budget=500) as city:
                looking = asyncio.create_task(look(box(0, 0, 1900), until=80))
                for second in range(1, 80):
                    await asyncio.sleep(second - now())
                    for number in range(200):
                        speed = 60 if number < 100 else 0.1  # half of them are much more urgent
                        x = (number % 20 - 10) * 150 + (second % 2) * speed
                        tell(city, f"{number}", at(x, (number // 20 - 5) * 150))
                return await looking

        times: dict[int, list[float]] = {}
        for time, name, _ in fixes_of(simulate(main).result()):
            times.setdefault(name, [0.0]).append(time)
        assert len(times) == 200
        waits = [b - a for each in times.values() for a, b in pairwise([*each, 80.0])]
        assert max(waits) < 4 * 200 / 20 + 2  # the weights differ by a factor of four at most

    def test_the_budget_is_large_enough_for_a_fix(self) -> None:
        with pytest.raises(
            ValueError, match="budget is 100 bytes a second, it must be 500 or more"
        ):
            City(budget=100)


class TestHostile:
    @pytest.mark.parametrize(
        ("said", "answer"),
        [
            ('{"area":[1,2,3]}', 'expected {"area"'),
            ('{"area":[NaN,0,1,1]}', "NaN"),
            ('{"area":["1",0,1,1]}', "south is '1', it must be a number from -90 to 90"),
            ('{"area":[0,0,91,1]}', "north is 91"),
            ('{"area":[1,0,0,1]}', "south is 1, it must not be above north"),
            ('{"area":[0,0,0.1,1]}', "km², at most 16 are allowed"),
            ('{"area":[-90,-180,90,180]}', "km², at most 16 are allowed"),
            ("[]", 'expected {"area"'),
            ("{", "Expecting"),
            (b"\xff", "utf-8"),
        ],
    )
    def test_a_wish_is_refused_with_a_sentence(self, said: Any, answer: str) -> None:
        async def main() -> list[Any]:
            async with town() as city, joined("/area") as ws:
                tell(city, "c", at(0, 0))
                await ws.send(json.dumps({"area": HERE}))
                await received(ws, 1)
                await ws.send(said)
                first = await ws.recv()
                await ws.send(json.dumps({"area": HERE}))  # goes on as before
                return [first, await ws.recv()]

        refused, accepted = map(json.loads, simulate(main).result())
        assert answer in refused["refused"]
        assert "area" in accepted

    def test_scanning_by_jumps_is_slow(self) -> None:
        """The map has 100 km². To see it in parts of 4 km² takes as long as the price says."""

        async def main() -> tuple[int, float]:
            async with town(largest=4.0), joined("/area") as ws:
                seen = 0
                for place in range(25):
                    x, y = place % 5 * 2000 - 4000, place // 5 * 2000 - 4000
                    while True:
                        await ws.send(json.dumps({"area": box(x, y, 995)}))
                        if "area" in json.loads(await ws.recv()):
                            break
                        await asyncio.sleep(1)
                    seen += 1
                return seen, now()

        seen, seconds = simulate(main).result()
        assert seen == 25
        assert seconds > (99 - 8) / (4 / 16) * 0.95

    def test_who_only_gets_refusals_is_put_out(self) -> None:
        async def main() -> int | None:
            async with town(), joined("/area") as ws:
                try:
                    for _ in range(100):
                        await ws.send("{}")
                        await ws.recv()
                except ConnectionClosed:
                    return ws.close_code
                return None

        assert simulate(main).result() == 1008

    @pytest.mark.parametrize(
        ("said", "answer"),
        [
            ('{"_type":"location","lat":NaN,"lon":0,"tst":1}', "NaN"),
            ('{"_type":"location","lat":91,"lon":0,"tst":1800000001}', "lat is 91"),
            ('{"_type":"location","lat":1,"lon":0,"tst":1}', "the time of the fix is 1"),
            ('{"_type":"location","lat":1,"lon":0,"tst":1800009999}', "the time of the fix is"),
            ('{"_type":"location","tid":"c","lat":0,"lon":0,"tst":1799999999}', "the last fix had"),
            ('{"_type":"location","tid":"c","lat":0,"lon":0,"tst":1800000001}', "the last fix had"),
            (b"\x01", "expected 01, 8 bytes"),
            ("hello", "Expecting"),
        ],
    )
    def test_a_fix_is_refused_with_a_sentence_and_changes_nothing(
        self, said: Any, answer: str
    ) -> None:
        async def main() -> tuple[str, list[Any]]:
            async with town(), joined("/courier") as ws:
                looking = asyncio.create_task(look(HERE, until=9))
                await ws.send(OWNTRACKS.record("c", at(0, 0, time=EPOCH + 1)))
                await asyncio.sleep(2)
                await ws.send(said)
                refused = await ws.recv()
                await ws.send(OWNTRACKS.record("c", at(5, 0, time=EPOCH + 3)))
                return refused, await looking

        refused, messages = simulate(main).result()
        assert answer in json.loads(refused)["refused"]
        assert [name for _, name, _ in fixes_of(messages)] == [1, 1]

    def test_one_bad_fix_does_not_spoil_a_company(self) -> None:
        async def main() -> int:
            async with town() as city, joined("/courier") as ws:
                now_, old = at(0, 0), at(0, 0, time=EPOCH - 999)
                records = [BINARY.record(n, old if n == 2 else now_) for n in range(5)]
                await ws.send(BINARY.message(EPOCH, records))
                await ws.recv()
                return len(city.roster.couriers)

        assert simulate(main).result() == 4

    def test_another_path(self) -> None:
        async def main() -> tuple[int | None, str | None]:
            async with town(), joined("/everything") as ws:
                await ws.wait_closed()
                return ws.close_code, ws.close_reason

        assert simulate(main).result() == (1008, "no such path: /courier, /area, /area/json")

    def test_nothing_is_left_behind(self) -> None:
        async def main() -> tuple[int, int, list[str]]:
            async with town() as city:
                await asyncio.gather(
                    *(look(HERE, until=2) for _ in range(3)), ride(Fleet(1, 9), until=3)
                )
                await asyncio.sleep(1)
                return (
                    len(city.hub),
                    len(city.viewers),
                    city.roster.inside([geohash(on_map(0, 0))[:1]]),
                )

        assert simulate(main).result() == (0, 0, [])


def test_a_slow_line_gets_the_newest() -> None:
    """Nothing is queued for a viewer whose line is full, so it never falls behind for long."""

    async def main() -> list[Any]:
        async with town(budget=20_000):
            riding = asyncio.create_task(ride(Fleet(13, 400, threshold=-1), until=25))
            found = await look(box(0, 0, 1900), until=24)
            riding.cancel()
            return found

    found = simulate(main, bandwidth=4000).result()
    ages = [EPOCH + time - fix.time for time, _, fix in fixes_of(found) if fix and time > 10]
    assert len(ages) > 300
    assert max(ages) < 20
