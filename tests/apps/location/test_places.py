"""Places: cells against somebody else's package, areas at poles and at 180°, and both forms."""

from __future__ import annotations

import json
import math
import struct
import subprocess
from pathlib import Path
from typing import Any

import pygeohash
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.apps.location.places import (
    BINARY,
    CELLS,
    FORMS,
    LOST,
    OWNTRACKS,
    Area,
    Fix,
    distance,
    geohash,
    moved,
    nearest,
    read_fixes,
)
from wslab.apps.location.senders import MAP

PAGE = Path(__file__).resolve().parents[3] / "wslab/apps/location/page"
T = 1_800_000_000

LATS = st.floats(-90, 90) | st.sampled_from([-90.0, -1e-20, -0.0, 0.0, 45.0, 90.0])
LONS = st.floats(-180, 180) | st.sampled_from([-180.0, -1e-20, 0.0, 179.9999999999, 180.0])


class TestGeohash:
    @given(LATS, LONS, st.integers(1, 9))
    def test_is_that_of_pygeohash(self, lat: float, lon: float, digits: int) -> None:
        assert geohash((lat, lon), digits) == pygeohash.encode(lat, lon, digits)

    def test_a_shorter_one_is_a_larger_cell(self) -> None:
        assert geohash((31.23, 121.47), 9).startswith(geohash((31.23, 121.47), 4))


class TestSphere:
    @given(st.floats(-89, 89), LONS, st.floats(0, 360), st.floats(0, 5000))
    def test_moved_by_its_distance(
        self, lat: float, lon: float, course: float, metres: float
    ) -> None:
        place = moved((lat, lon), course, metres)
        assert distance((lat, lon), place) == pytest.approx(metres, abs=0.2)
        assert -90 <= place[0] <= 90
        assert -180 <= place[1] < 180

    def test_across_the_meridian_and_the_pole(self) -> None:
        assert moved((0, 179.999), 90, 1000)[1] == pytest.approx(-179.992, abs=1e-4)
        lat, lon = moved((89.999, 10), 0, 1000)
        assert (lat, lon) == (pytest.approx(89.992, abs=1e-3), pytest.approx(-170, abs=1e-6))
        assert distance((90, 0), moved((90, 0), 123, 1000)) == pytest.approx(1000, abs=0.2)
        assert distance((0, 180), (0, -180)) == pytest.approx(0, abs=1e-6)
        assert distance((0, 0), (0, 180)) == pytest.approx(math.pi * 6_371_008.8)


BAD_NUMBERS = [math.nan, math.inf, -math.inf, None, "1", True, [], 10**400]


class TestFix:
    @pytest.mark.parametrize("bad", BAD_NUMBERS, ids=repr)
    @pytest.mark.parametrize("field", ["time", "lat", "lon", "speed", "course"])
    def test_numbers_only(self, field: str, bad: Any) -> None:
        fields = {"time": T, "lat": 1.0, "lon": 1.0, "speed": 1.0, "course": 1.0, field: bad}
        with pytest.raises(ValueError, match=f"{field} is .*, it must be a number from"):
            Fix(**fields)

    @pytest.mark.parametrize(
        "fields",
        [(T, 90.1, 0), (T, 0, -180.1), (T, 0, 0, -1), (T, 0, 0, 64), (T, 0, 0, 0, 361), (-1, 0, 0)],
    )
    def test_within_bounds(self, fields: Any) -> None:
        with pytest.raises(ValueError, match="it must be a number from"):
            Fix(*fields)

    def test_a_place_has_one_spelling(self) -> None:
        assert Fix(T, 5, 180).place == (5, -180)
        assert Fix(T, -90, 77).place == (-90, 0)
        assert Fix(T, 0, 0, 1, 360).course == 0

    def test_goes_on_for_a_while(self) -> None:
        fix = Fix(T, 0, 0, 10, 90)
        metres = [distance(fix.place, fix.at(T + s)) for s in (-5, 0, 3, LOST, 10 * LOST)]
        assert metres == pytest.approx([0, 0, 30, 10 * LOST, 10 * LOST], abs=0.01)


FIXES = st.builds(Fix, st.floats(1, 2**32 - 3), LATS, LONS, st.floats(0, 63.75), st.floats(0, 360))


class TestForms:
    @given(FIXES)
    def test_rounding_stays_near_and_does_not_go_on(self, fix: Fix) -> None:
        for form, metres in zip(FORMS, (0.16, 0.02), strict=True):
            rounded = form.rounded(fix)
            assert form.rounded(rounded) == rounded
            assert distance(rounded.place, fix.place) < metres
            assert abs(rounded.time - fix.time) <= 0.5
            assert abs(rounded.speed - fix.speed) <= 0.14
            aside = abs(rounded.course - fix.course)
            assert min(aside, 360 - aside) <= 0.71

    def test_a_half_is_rounded_up(self) -> None:
        assert [nearest(value) for value in (-1.5, -0.5, 0.5, 1.5, 2.5)] == [-1, 0, 1, 2, 3]

    def test_bytes(self) -> None:
        record = BINARY.record(7, Fix(T, 45, -90, 8.1, 90))
        assert record == struct.pack(">IIiiBB", 7, T, 2**29, -(2**30), 32, 64)
        assert BINARY.record(0, Fix(T, 0, 179.99999999))[8:16] == struct.pack(">ii", 0, -(2**31))
        message = BINARY.message(T + 0.5, [record, BINARY.record(8, None)])
        assert message == struct.pack(">Bd", 1, T + 0.5) + record + struct.pack(">I", 8) + bytes(14)
        assert read_fixes(message) == [(7, Fix(T, 45, -90, 8, 90)), (8, None)]

    def test_owntracks(self) -> None:
        text = OWNTRACKS.record("aa", Fix(T, 31.23, 121.47, 8.1, 359.7))
        assert json.loads(text) == {
            **{"_type": "location", "tid": "aa", "lat": 31.23, "lon": 121.47},
            **{"tst": T, "vel": 29, "cog": 0},
        }
        both = OWNTRACKS.message(T, [text, OWNTRACKS.record("bb", None)])
        assert [name for name, _ in read_fixes(both)] == ["aa", "bb"]
        assert read_fixes(both)[1][1] is None

    def test_what_a_phone_leaves_out(self) -> None:
        said = {"_type": "location", "lat": 1, "lon": 2, "tst": T, "batt": 55, "vel": -1}
        assert read_fixes(json.dumps(said)) == [("", Fix(T, 1, 2))]

    @pytest.mark.parametrize(
        "bad",
        [
            *("", "{", "1", "[1]", "null", '{"_type":"waypoint"}', '{"_type":"location"}'),
            *('{"_type":"location","lat":NaN,"lon":0,"tst":1}', "[" * 100_000),
            *('{"_type":"location","lat":91,"lon":0,"tst":1}',),
            *('{"_type":"location","lat":1,"lon":0,"tst":1,"vel":"fast"}',),
            *(b"", b"\x01", b"\x02" + bytes(8), b"\x01" + bytes(9), b"\x01" + bytes(27)),
            BINARY.message(0, [struct.pack(">IIiiBB", 1, 1, 2**30 + 1, 0, 0, 0)]),
        ],
        ids=lambda bad: repr(bad)[:40],
    )
    def test_refused_with_a_sentence(self, bad: Any) -> None:
        with pytest.raises(ValueError, match=r"expected|must be|JSON|Expecting|NaN"):
            read_fixes(bad)


# One table for both languages: fixes, their bytes, and what is read of them.
TABLE = [
    Fix(T + 0.5, lat, lon, speed, course)
    for lat, lon in [
        *((0, 0), (90, 5), (-90, 5), (31.23, 121.47), (-1e-9, 1e-9), (0, 180), (0, 179.99999999)),
        *((0, -179.99999999), (0.5 * 360 / 2**32, -0.5 * 360 / 2**32), (4.19e-8, -4.19e-8)),
        *((2.5 * 360 / 2**32, -2.5 * 360 / 2**32),),
    ]
    for speed, course in [(0, 0), (0.125, 0.703125), (0.375, 359.9), (63.75, 360), (8.1, 90)]
]

SCRIPT = """
import { MAP, at, readFixes, record } from "%s";
import { readFileSync } from "node:fs";
const table = JSON.parse(readFileSync(0, "utf8"));
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const written = table.fixes.map((fix) => hex(record(7, fix)));
const { now, fixes } = readFixes(Uint8Array.from(table.message).buffer);
const places = fixes.map(({ fix }) => fix && at(fix, fix.time + 7));
console.log(JSON.stringify({ written, now, fixes, map: MAP, places }));
"""


def test_python_and_javascript_round_alike(node: Path) -> None:
    message = BINARY.message(
        T + 0.25, [*(BINARY.record(7, f) for f in TABLE), BINARY.record(9, None)]
    )
    fields = [{name: getattr(f, name) for name in Fix.__dataclass_fields__} for f in TABLE]
    script = SCRIPT % (PAGE / "fixes.js").as_uri()
    run = subprocess.run(
        [str(node), "--input-type=module", "-e", script],
        input=json.dumps({"fixes": fields, "message": list(message)}),
        **{"capture_output": True, "text": True, "check": True},
    )
    said = json.loads(run.stdout)
    assert said["written"] == [BINARY.record(7, fix).hex() for fix in TABLE]
    assert said["now"] == T + 0.25
    assert said["map"] == MAP
    read = [(each["name"], each["fix"] and Fix(**each["fix"])) for each in said["fixes"]]
    assert read == read_fixes(message)
    for place, (_, fix) in zip(said["places"], read, strict=True):
        if fix is not None:
            assert distance(tuple(place), fix.at(fix.time + 7)) < 0.001


class TestArea:
    @given(LATS, LATS, LONS, st.floats(0, 360), LATS, LONS)
    def test_cells_cover_it(
        self, one: float, two: float, west: float, width: float, lat: float, lon: float
    ) -> None:
        east = (west + width + 180) % 360 - 180
        area, place = Area(min(one, two), west, max(one, two), east), Fix(T, lat, lon).place
        cells = area.cells()
        assert 0 < len(cells) <= CELLS
        assert len(set(cells)) == len(cells)
        if area.contains(place):
            assert any(geohash(place).startswith(cell) for cell in cells)

    @pytest.mark.parametrize(
        ("box", "inside", "outside"),
        [
            ((10, 20, 11, 21), [(10, 20), (11, 21), (10.5, 20.5)], [(9.99, 20), (10.5, 21.01)]),
            ((-1, 170, 1, -170), [(0, 180), (0, -175), (0, 170)], [(0, 0), (0, 169.9)]),
            ((-1, 170, 1, 180), [(0, 180), (0, 175)], [(0, -179.9)]),
            ((-1, 180, 1, -170), [(0, 180), (0, -175)], [(0, 179.9)]),
            ((-90, -180, 90, 180), [(90, 5), (-90, 5), (0, 180), (31, 121)], []),
            ((80, -180, 90, 180), [(90, 77), (85, -180)], [(79, 0)]),
            ((5, 5, 5, 5), [(5, 5)], [(5, 5.0001), (0, 0)]),
        ],
    )
    def test_contains(self, box: Any, inside: Any, outside: Any) -> None:
        area = Area(*box)
        for lat, lon in inside:
            assert area.contains(Fix(T, lat, lon).place)
            assert any(geohash(Fix(T, lat, lon).place).startswith(cell) for cell in area.cells())
        for lat, lon in outside:
            assert not area.contains(Fix(T, lat, lon).place)

    def test_margin(self) -> None:
        area = Area(0, 0, 1, 1)
        assert [area.contains((0.0005, 0.5), margin) for margin in (0, 50, 60)] == [
            True,
            True,
            False,
        ]
        assert [area.contains((0.5, 0.0005), margin) for margin in (50, 60)] == [True, False]
        tiny = Area(0, 0, 0.0001, 0.0001)
        assert tiny.contains((0.00005, 0.00005), 1000)
        assert Area(0, -180, 90, 180).contains((89.9999, 5), 1000)

    def test_km2(self) -> None:
        assert Area(-90, -180, 90, 180).km2() == pytest.approx(510.07e6, rel=1e-4)
        assert Area(0, 179.5, 1, -179.5).km2() == pytest.approx(Area(0, 0, 1, 1).km2())
        assert Area(5, 5, 5, 5).km2() == 0
        area = Area(0, 0, 1, 1)
        assert area.km2(Area(0, 0.5, 1, 1.5)) == pytest.approx(area.km2() / 2)
        assert area.km2(Area(0, 2, 1, 3)) == area.km2(Area(2, 0, 3, 1)) == 0
        world = Area(-90, -180, 90, 180)
        assert world.km2(area) == pytest.approx(area.km2(world)) == pytest.approx(area.km2())

    @pytest.mark.parametrize("bad", [*BAD_NUMBERS, 91], ids=repr)
    def test_refused(self, bad: Any) -> None:
        with pytest.raises(ValueError, match="must be a number from"):
            Area(bad, 0, 1, 1)
        with pytest.raises(ValueError, match="south is 2, it must not be above north, 1"):
            Area(2, 0, 1, 1)
