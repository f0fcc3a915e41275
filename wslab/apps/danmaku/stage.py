"""The comments of a flood, the choice of those that are shown, and their places on the stage.

`Stage` finds a lane for a comment. `capped` and `sampled` are two ways to show only a part of a
flood, and `unevenness` compares them. `FairChoice` chooses from the comments of one window, so that
nobody gets more room by shouting. `fair_shares` says what each person's room is. `newest_comments`
is the hub's policy for a viewer that is late. An `Audience` is simulated.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp, inf
from random import Random
from statistics import median
from typing import NamedTuple

from wslab.kit.hub import keep_latest
from wslab.kit.line import Outgoing
from wslab.kit.messages import encoded, parsed
from wslab.protocol.frames import Frame

__all__ = ["Audience", "Comment", "FairChoice", "Stage", "capped", "comment_rate"]
__all__ += ["fair_shares", "merged_batches", "newest_comments", "now_and_then"]
__all__ += ["sampled", "start_distance", "unevenness"]

MEMORY = 300  # windows after which the choice has nearly forgotten what it has shown
KEPT = 1.0  # seconds of which a viewer that was not ready still gets the comments
PHRASES = [
    "666",
    "哈哈哈",
    "前方高能",
    "awsl",
    "打卡",
    "第一!",
    "泪目",
    "好耶",
    "wow",
    "加油",
    "GOAL",
]


class Comment(NamedTuple):
    """The words of one person. at: seconds since the room opened. person: a number."""

    at: float
    person: int
    text: str


class Audience:
    """Simulated people in front of their screens; a few of them say much more than the others.

    rate: comments a second, or a function that returns it for the time since the room opened.
    """

    def __init__(
        self, rng: Random, *, rate: float | Callable[[float], float], people: int = 500
    ) -> None:
        self.rng, self.people = rng, people
        self.rate = rate if callable(rate) else lambda _seconds: rate
        self._due = 0.0
        self._loudness = [1 / (number + 1) for number in range(people)]

    def talk(self, seconds: float, passed: float) -> list[tuple[int, str]]:
        """Return who says what in the time that has passed; people have negative numbers."""
        self._due += self.rate(seconds) * passed
        number, self._due = int(self._due), self._due % 1
        people = self.rng.choices(range(self.people), self._loudness, k=number)
        return [(-1 - person, self.rng.choice(PHRASES)) for person in people]


def comment_rate(text: str) -> float:
    """Read a rate of comments for the command line."""
    try:
        rate = float(text)
    except ValueError:
        rate = -1
    if not 0 <= rate <= 100_000:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 100,000")
    return rate


def now_and_then(seconds: float) -> float:
    """Return the rate of a match: 15 comments a second, and 5,000 for 5 of every 20 seconds."""
    return 5_000 if seconds % 20 >= 15 else 15


# Lanes


def start_distance(first: float, second: float, *, stage: float, seconds: float) -> float:
    """Return the seconds between two starts in one lane, at least, so that they never collide.

    first, second: the widths of the earlier and the later comment. stage: the width of the stage,
    in the same unit. seconds: each comment's time from its start until it has left.

    A comment of width w has the speed (stage + w) / seconds. Its tail has passed the right edge
    after first / speed. The later one reaches the left edge after stage / speed, and by then the
    earlier one must have left. Both demands have the same form, so the wider comment decides.

    >>> start_distance(200, 100, stage=800, seconds=5)
    1.0
    >>> start_distance(100, 200, stage=800, seconds=5)
    1.0
    """
    wider = max(first, second)
    return seconds * wider / (stage + wider)


class Stage:
    """Lanes over a picture. Comments cross it from right to left, each in the same time.

    width: in any unit, such as pixels. seconds: a comment's time from its start until it has left.
    lanes: how many there are, counted from the top.
    """

    def __init__(self, width: float, *, seconds: float, lanes: int) -> None:
        if not (width > 0 and seconds > 0 and lanes > 0):
            raise ValueError(
                f"a stage of width {width} for {seconds} s with {lanes} lanes: all must be positive"
            )
        self.width, self.seconds = width, seconds
        self._lanes: list[tuple[float, float] | None] = [
            None
        ] * lanes  # start and width of the last
        self._latest = -inf  # the start of the last comment

    def place(self, start: float, width: float) -> int | None:
        """Put a comment into the first lane that is free at its start; None if there is none.

        Only the last comment of a lane matters, because its distance covers those before it.
        Raises ValueError if an earlier call had a later start, or if the width is negative.
        """
        if not (width >= 0 and start >= self._latest):  # not a number, perhaps
            raise ValueError(
                f"a comment of width {width} starts at {start} s, after one at {self._latest} s: "
                "no width is negative, and comments come in the order of their starts"
            )
        self._latest = start
        for lane, last in enumerate(self._lanes):
            if last is None or start - last[0] >= start_distance(
                last[1], width, stage=self.width, seconds=self.seconds
            ):
                self._lanes[lane] = (start, width)
                return lane
        return None

    def left_edge(self, start: float, width: float, now: float) -> float:
        """Return where a comment's left edge is: the stage's width at its start, -width at last."""
        return self.width - (self.width + width) * (now - start) / self.seconds


# A part of a flood


def capped(starts: Sequence[float], *, most: int, seconds: float) -> list[float]:
    """Show a comment only if fewer than `most` others are on the stage, for `seconds` each."""
    shown: list[float] = []
    for start in starts:
        if len(shown) < most or shown[-most] + seconds <= start:
            shown.append(start)
    return shown


def sampled(starts: Sequence[float], *, most: int, window: float, rng: Random) -> list[float]:
    """Show `most` comments of each window of so many seconds, drawn uniformly."""
    shown: list[float] = []
    begin = 0
    while begin < len(starts):
        end = bisect_left(starts, (starts[begin] // window + 1) * window, begin + 1)
        shown += sorted(rng.sample(starts[begin:end], min(most, end - begin)))
        begin = end
    return shown


def unevenness(shown: Sequence[float], *, window: float = 0.5) -> tuple[int, float]:
    """Return the most comments that start in one window, and the longest gap in seconds."""
    counts = Counter(start // window for start in shown)
    gaps = [later - earlier for earlier, later in pairwise(shown)]
    return max(counts.values(), default=0), max(gaps, default=0.0)


class FairChoice:
    """Chooses at most `most` comments of a window, so that shouting does not help.

    The comments of the person who was shown least come first, and chance decides between equals. A
    second comment of a person comes after the first ones of all others. A comment that was shown
    `MEMORY` windows ago counts e times less. A new person counts as one in the middle does, so a
    new number for each comment does not help either.

    A fair share is max-min fair: nobody can get more, except from a person who has no more. A place
    that nobody else of its window wants belongs to anybody, so a person who shouts may fill it.
    remembered: persons whose count it knows; the others are taken for new.
    """

    def __init__(self, rng: Random, *, most: int, remembered: int = 100_000) -> None:
        self.rng, self.most, self.remembered = rng, most, remembered
        self._weight = 1.0  # of a comment that is shown now; older ones keep theirs
        self._shown: dict[Hashable, float] = {}  # by person, the sum of these weights: a count
        self._usual = 0.0  # such a count, of a person in the middle of those who compete

    def choose(self, comments: Sequence[Comment]) -> list[Comment]:
        """Return those to show, in the order in which they were said."""
        people = dict.fromkeys(comment.person for comment in comments)
        known = [self._shown[person] for person in people if person in self._shown]
        if len(known) > self.most:
            self._usual = median(known)
        for person in people:
            self._shown.setdefault(person, self._usual)
        counts: Counter[Hashable] = Counter()
        ranked: list[tuple[int, float, int, int]] = []
        for number in self.rng.sample(range(len(comments)), len(comments)):
            person = comments[number].person
            counts[person] += 1
            ranked.append((counts[person], self._shown[person], len(ranked), number))
        chosen = [comments[number] for *_, number in sorted(ranked)[: self.most]]
        for comment in chosen:  # and each is now the last one to be forgotten
            self._shown[comment.person] = self._shown.pop(comment.person) + self._weight
        while len(self._shown) > self.remembered:
            del self._shown[next(iter(self._shown))]
        self._weight *= exp(1 / MEMORY)
        if self._weight > 1e9:
            self._shown = {person: count / self._weight for person, count in self._shown.items()}
            self._usual, self._weight = self._usual / self._weight, 1.0
        return sorted(chosen)


def fair_shares(said: Mapping[Hashable, float], room: float) -> dict[Hashable, float]:
    """Divide the room among persons: equal parts, but nobody gets more than was said.

    These are the shares in a flood, where every window has more people than places.
    said: how much each person said. room: how much can be shown.

    >>> fair_shares({"Ann": 1, "Ben": 50, "Cho": 900}, 11)
    {'Ann': 1, 'Ben': 5.0, 'Cho': 5.0}
    """
    shares: dict[Hashable, float] = {}
    for place, person in enumerate(sorted(said, key=lambda each: said[each])):
        shares[person] = min(said[person], room / (len(said) - place))
        room -= shares[person]
    return shares


# A viewer that is late


@lru_cache(64)  # viewers that wait for the same batches get the same bytes
def merged_batches(frames: tuple[bytes, ...]) -> bytes:
    """Return one frame with the newest comments of several batches: `KEPT` seconds of them."""
    batches = []
    for data in frames:
        found = Frame.parse(data)
        assert found is not None  # the hub has framed it
        batches.append(parsed(found[0].payload))
    newest = batches[-1]["comments"][-1]["at"]
    comments = [one for batch in batches for one in batch["comments"] if newest - one["at"] < KEPT]
    message = {"n": batches[-1]["n"], "comments": comments}
    return Outgoing.of(encoded(message)).frame


def newest_comments(waiting: list[Outgoing]) -> list[Outgoing]:
    """Merge the batches that wait for a viewer into one; of other keys, keep the latest message."""
    batches = [each for each in waiting if each.key == "thinned"]
    others = keep_latest([each for each in waiting if each.key != "thinned"])
    if len(batches) < 2:
        return others + batches
    frame = merged_batches(tuple(each.frame for each in batches))
    return [*others, Outgoing("thinned", frame)]
