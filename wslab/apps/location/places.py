"""Places on a sphere: fixes, the two forms in which they travel, cells, and areas.

A `Fix` (定位) says where a courier was, and how it moved. `Fix.at` is the model of its motion that
sender and receivers share (dead reckoning, 航位推算).
A form writes fixes: `OWNTRACKS` as JSON, `BINARY` in 18 bytes each. `page/fixes.js` does the same.
`geohash` names the cell of a place, and `Area` is the part of the map that somebody looks at.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from wslab.kit.messages import encoded, parsed

__all__ = ["BINARY", "FORMS", "OWNTRACKS", "Area", "BinaryForm", "Fix", "OwnTracksForm"]
__all__ += ["distance", "geohash", "moved", "nearest", "read_fixes"]

RADIUS = 6_371_008.8  # metres, the mean radius of the earth
DEGREE = math.radians(RADIUS)  # metres of one degree of latitude
DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz"  # of a geohash
FINEST, CELLS = 6, 64  # digits of the smallest cells, about 1.2 by 0.6 km; cells of an area at most
HEARTBEAT = 10  # seconds after which a courier says that it is still there
LOST = 3 * HEARTBEAT  # seconds of silence after which nobody believes it
LIMITS: dict[str, tuple[float, float]] = {
    "time": (0, 2**32 - 2),
    "lat": (-90, 90),
}
LIMITS |= {"lon": (-180, 180), "speed": (0, 63.75), "course": (0, 360)}

Place = tuple[float, float]  # latitude and longitude, degrees


def checked(name: str, value: object, low: float, high: float) -> float:
    """Return a number between two bounds. ValueError for anything else, such as NaN or True."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r:.40}, it must be a number from {low} to {high}")
    return value


def nearest(value: float) -> int:
    """Round to the nearest whole number, and a half up, as `Math.floor(value + 0.5)` does.

    Python's `round` takes a half to the even neighbour, and JavaScript's takes it up.

    >>> [nearest(value) for value in (0.5, 1.5, 2.5, -2.5)]
    [1, 2, 3, -2]
    """
    return math.floor(value + 0.5)


def distance(one: Place, other: Place) -> float:
    """Return the metres between two places, along a great circle."""
    (lat, lon), (lat2, lon2) = (map(math.radians, place) for place in (one, other))
    half = math.sin((lat2 - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(lat2) * math.sin((lon2 - lon) / 2) ** 2
    return 2 * RADIUS * math.asin(math.sqrt(min(1.0, half)))


def moved(place: Place, course: float, metres: float) -> Place:
    """Return the place so many metres further. course: degrees, clockwise from north."""
    lat, lon, way = map(math.radians, (*place, course))
    angle = metres / RADIUS
    sine = math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(way)
    sine = max(-1.0, min(1.0, sine))
    east = math.sin(way) * math.sin(angle) * math.cos(lat)
    turned = math.degrees(lon + math.atan2(east, math.cos(angle) - math.sin(lat) * sine))
    return math.degrees(math.asin(sine)), (turned + 540) % 360 - 180


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a courier was, and how it moved.

    time: seconds since 1970. lat, lon: degrees. speed: metres a second, at most 63.75. course:
    degrees, clockwise from north. The meridian of 180° is that of -180°, and a pole has longitude
    0, so a place has one spelling. Raises ValueError for anything that is not such a number.
    """

    time: float
    lat: float
    lon: float
    speed: float = 0.0
    course: float = 0.0

    def __post_init__(self) -> None:
        for name, limits in LIMITS.items():
            checked(name, getattr(self, name), *limits)
        if self.lon == 180 or abs(self.lat) == 90:
            object.__setattr__(self, "lon", 0.0 if abs(self.lat) == 90 else -180.0)
        if self.course == 360:
            object.__setattr__(self, "course", 0.0)

    @property
    def place(self) -> Place:
        """Latitude and longitude."""
        return self.lat, self.lon

    def at(self, now: float) -> Place:
        """Return where it is at a time, if it goes on as it did. It does so for `LOST` seconds."""
        seconds = max(0.0, min(now - self.time, LOST))
        return moved(self.place, self.course, self.speed * seconds) if seconds else self.place


class OwnTracksForm:
    """Fixes as OwnTracks' JSON, in whole km/h and degrees and millionths of a degree of place."""

    name = "OwnTracks"
    head = 2  # bytes of a message without fixes

    def record(self, name: object, fix: Fix | None) -> str:
        """Write a fix of a courier; None says that it is gone."""
        if fix is None:
            return encoded({"_type": "lwt", "tid": str(name)})
        lat, lon = (nearest(degrees * 1e6) / 1e6 for degrees in fix.place)
        fields = {"_type": "location", "tid": str(name), "lat": lat, "lon": lon}
        fields |= {"tst": nearest(fix.time), "vel": nearest(fix.speed * 3.6)}
        return encoded({**fields, "cog": nearest(fix.course) % 360})

    def message(self, _now: float, records: Iterable[str]) -> str:
        """Join records to a message."""
        return f"[{','.join(records)}]"

    def read(self, text: str | bytes) -> list[tuple[Any, Fix | None]]:
        """Return pairs of name and fix. Raises ValueError if it is not such a message.

        A message is an object or a list of objects. OwnTracks leaves out `vel` and `cog`, or says
        -1, if the phone does not know them.
        """
        objects = parsed(text)
        return [self._one(each) for each in (objects if isinstance(objects, list) else [objects])]

    def _one(self, each: Any) -> tuple[str, Fix | None]:
        if not isinstance(each, dict) or each.get("_type") not in ("location", "lwt"):
            raise ValueError(f'expected {{"_type": "location", …}}, this is {each!r:.60}')
        name = str(each.get("tid", ""))[:40]
        if each["_type"] == "lwt":
            return name, None
        vel, cog = (0 if each.get(key, -1) == -1 else each[key] for key in ("vel", "cog"))
        speed = min(checked("vel", vel, 0, 230) / 3.6, 63.75)
        return name, Fix(each.get("tst"), each.get("lat"), each.get("lon"), speed, cog)  # type: ignore[arg-type]

    def rounded(self, fix: Fix) -> Fix:
        """Return what a receiver reads."""
        return self.read(self.record("", fix))[0][1] or fix


class BinaryForm:
    """Fixes as 18 bytes each, after 9 bytes of kind (1) and the sender's time (float64).

    A fix is a name (uint32), seconds (uint32; 0 says that the courier is gone), latitude and
    longitude (int32, in 360/2³² degrees), speed (uint8, in 0.25 m/s), course (uint8, in 360/256
    degrees), all big-endian. Longitudes wrap at the meridian of 180° as the integers do.
    """

    name = "binary"
    head = 9
    HEAD, RECORD = struct.Struct(">Bd"), struct.Struct(">IIiiBB")
    PER_DEGREE = 2**32 / 360

    def record(self, name: Any, fix: Fix | None) -> bytes:
        """Write a fix of a courier, whose name is a number; None says that it is gone."""
        if fix is None:
            return self.RECORD.pack(name, 0, 0, 0, 0, 0)
        lat, lon = (nearest(degrees * self.PER_DEGREE) for degrees in fix.place)
        lon = (lon + 2**31) % 2**32 - 2**31
        course = nearest(fix.course * 256 / 360) % 256
        return self.RECORD.pack(name, nearest(fix.time), lat, lon, nearest(fix.speed * 4), course)

    def message(self, now: float, records: Iterable[bytes]) -> bytes:
        """Join records to a message."""
        return self.HEAD.pack(1, now) + b"".join(records)

    def read(self, data: bytes) -> list[tuple[Any, Fix | None]]:
        """Return pairs of name and fix. Raises ValueError if it is not such a message."""
        fixes = len(data) - self.head
        if fixes < 0 or fixes % self.RECORD.size or data[0] != 1:
            said = f"{len(data)} bytes, the first {data[:1].hex() or 'missing'}"
            raise ValueError(f"expected 01, 8 bytes, and 18 bytes for each fix; these are {said}")
        return [self._one(*each) for each in self.RECORD.iter_unpack(data[self.head :])]

    def _one(
        self, name: int, time: int, lat: int, lon: int, speed: int, course: int
    ) -> tuple[int, Fix | None]:
        if not time:
            return name, None
        place = lat / self.PER_DEGREE, lon / self.PER_DEGREE
        return name, Fix(time, *place, speed / 4, course * 360 / 256)

    def rounded(self, fix: Fix) -> Fix:
        """Return what a receiver reads."""
        return self._one(*self.RECORD.unpack(self.record(0, fix)))[1] or fix


OWNTRACKS, BINARY = OwnTracksForm(), BinaryForm()
FORMS = (OWNTRACKS, BINARY)
Form = OwnTracksForm | BinaryForm


def read_fixes(data: str | bytes) -> list[tuple[Any, Fix | None]]:
    """Read a message in either form; text is OwnTracks'. Raises ValueError if it is neither."""
    return OWNTRACKS.read(data) if isinstance(data, str) else BINARY.read(data)


def _halved(value: float, low: float, high: float, times: int) -> int:
    number = 0
    for _ in range(times):
        middle = (low + high) / 2
        number = 2 * number + (value >= middle)
        low, high = (middle, high) if value >= middle else (low, middle)
    return number


def _spelled(x: int, y: int, digits: int) -> str:
    """Spell a column and a row as a geohash. Their bits alternate, that of the column first."""
    rows = 5 * digits // 2
    pairs = zip_longest(f"{x:0{5 * digits - rows}b}", f"{y:0{rows}b}", fillvalue="")
    bits = "".join(chain.from_iterable(pairs))
    return "".join(DIGITS[int(bits[start : start + 5], 2)] for start in range(0, len(bits), 5))


def geohash(place: Place, digits: int = FINEST) -> str:
    """Return the name of the cell that has this place; a shorter name is a larger cell.

    >>> geohash((31.23, 121.47))
    'wtw3sj'
    """
    rows = 5 * digits // 2
    x = _halved(place[1], -180, 180, 5 * digits - rows)
    return _spelled(x, _halved(place[0], -90, 90, rows), digits)


@dataclass(frozen=True)
class Area:
    """A part of the map, from west to east, also across the meridian of 180°. Degrees.

    Raises ValueError unless these are such numbers, and the south is not north of the north.
    """

    south: float
    west: float
    north: float
    east: float

    def __post_init__(self) -> None:
        for name, high in (("south", 90), ("west", 180), ("north", 90), ("east", 180)):
            checked(name, getattr(self, name), -high, high)
        if self.south > self.north:
            raise ValueError(f"south is {self.south}, it must not be above north, {self.north}")

    @property
    def width(self) -> float:
        """Degrees from west to east."""
        return 360 if self.east - self.west == 360 else (self.east - self.west) % 360

    def contains(self, place: Place, margin: float = 0.0) -> bool:
        """Tell whether a place is here, and so many metres from the border.

        The margin is at most a quarter of the area's height or width. A pole has no border.
        """
        lat, lon = place
        up = min(margin / DEGREE, (self.north - self.south) / 4)
        low, top = (0 if abs(edge) == 90 else up for edge in (self.south, self.north))
        if not self.south + low <= lat <= self.north - top:
            return False
        aside = margin / DEGREE / max(math.cos(math.radians(lat)), 1e-9)
        aside = min(aside, self.width / 4) if self.width < 360 else 0
        return aside <= (lon - self.west) % 360 <= self.width - aside

    def km2(self, other: Area | None = None) -> float:
        """Return its size in km², or the size of what it shares with a different area."""
        other = other or self
        south, north = max(self.south, other.south), min(self.north, other.north)
        shift = (other.west - self.west) % 360
        ends = ((start, start + other.width) for start in (shift, shift - 360))
        wide = sum(max(0.0, min(self.width, end) - max(0.0, start)) for start, end in ends)
        wide = min(wide, self.width, other.width)
        sines = math.sin(math.radians(north)) - math.sin(math.radians(south))
        return max(0.0, sines) * math.radians(wide) * (RADIUS / 1000) ** 2

    def cells(self) -> list[str]:
        """Return geohashes that cover it, of the smallest cells of which `CELLS` are enough."""
        # The place at 180° is spelled -180, in the first column.
        east = -180 if self.east == 180 and self.width < 360 else self.east
        for digits in range(FINEST, 0, -1):
            rows = 5 * digits // 2
            columns = 2 ** (5 * digits - rows)
            bottom, top = (_halved(lat, -90, 90, rows) for lat in (self.south, self.north))
            left, right = (_halved(lon, -180, 180, 5 * digits - rows) for lon in (self.west, east))
            count = (right - left) % columns + 1
            if self.width > 180 and count < columns // 2:  # both ends are in the same column
                count = columns
            if count * (top - bottom + 1) <= CELLS:
                break
        across = [(left + step) % columns for step in range(count)]
        return [_spelled(x, y, digits) for y in range(bottom, top + 1) for x in across]
