"""Comments of a lane never overlap, in Python and in the page; the choice is even and fair."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import nan
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslab.apps.danmaku.stage import (
    Audience,
    Comment,
    FairChoice,
    Stage,
    capped,
    fair_shares,
    newest_comments,
    sampled,
    start_distance,
    unevenness,
)
from wslab.kit.line import Outgoing
from wslab.protocol.frames import Frame

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "wslab" / "apps" / "danmaku" / "page"
TABLE: dict[str, Any] = json.loads((HERE / "lanes.json").read_text(encoding="utf-8"))

# Lanes


def overlap(first: Any, second: Any, *, width: Any, seconds: Any) -> Any:
    """Return by how much two comments (start, width) overlap on the stage at most; 0 if not at all.

    All edges are linear in time, and so the overlap, min(right edges) - max(left edges), is largest
    where two of these lines cross, or at an end of the time that the comments share.
    """
    begin, end = max(first[0], second[0]), min(first[0], second[0]) + seconds
    if begin >= end:
        return 0
    lefts, rights = [(0, 0)], [(width, 0)]  # lines: the value at `begin`, and the speed
    for start, own in (first, second):
        speed = -(width + own) / seconds
        lefts.append((width + speed * (begin - start), speed))
        rights.append((lefts[-1][0] + own, speed))
    times = {0, end - begin}
    for lines in (lefts, rights):
        for (a, v), (b, w) in combinations(lines, 2):
            if v != w and 0 < (b - a) / (v - w) < end - begin:
                times.add((b - a) / (v - w))
    return max(
        0,
        *(min(a + v * t for a, v in rights) - max(a + v * t for a, v in lefts) for t in times),
    )


def play(case: Any) -> Any:
    options, comments = case
    try:
        stage = Stage(options["width"], seconds=options["seconds"], lanes=options["lanes"])
    except ValueError:
        return "error"
    lanes: list[Any] = []
    for start, width, *_ in comments:
        try:
            lanes.append(stage.place(start, width))
        except ValueError:
            return [*lanes, "error"]
    return lanes


def in_the_page(node: Path, cases: Sequence[Any]) -> Any:
    command = [node, HERE / "lanes.mjs", PAGE]
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def expected(case: Any) -> Any:
    return case[1] if case[1] == "error" else [lane for *_, lane in case[1]]


@pytest.mark.parametrize("name", TABLE)
def test_the_table_in_python(name: str) -> None:
    assert play(TABLE[name]) == expected(TABLE[name])


def test_the_table_in_the_page(node: Path) -> None:
    played = in_the_page(node, list(TABLE.values()))
    assert dict(zip(TABLE, played, strict=True)) == {
        name: expected(case) for name, case in TABLE.items()
    }


exact = st.fractions(min_value=0, max_value=20, max_denominator=50)


@settings(max_examples=80, deadline=None)
@given(
    width=st.integers(1, 30),
    seconds=st.integers(1, 9),
    comments=st.lists(st.tuples(exact, exact), min_size=2, max_size=8),
)
@pytest.mark.untraced
def test_no_two_comments_of_a_lane_ever_overlap(
    width: int, seconds: int, comments: list[tuple[Fraction, Fraction]]
) -> None:
    stage = Stage(Fraction(width), seconds=Fraction(seconds), lanes=2)
    lanes: dict[int | None, list[Any]] = {}
    for start, own in sorted(comments):
        lanes.setdefault(stage.place(start, own), []).append((start, own))
    for lane, members in lanes.items():
        if lane is not None:
            for pair in combinations(members, 2):
                assert overlap(*pair, width=width, seconds=seconds) == 0


@settings(max_examples=150, deadline=None)
@given(first=exact, second=exact, width=st.integers(1, 30), early=st.integers(1, 50))
def test_and_no_distance_is_longer_than_it_has_to_be(
    first: Fraction, second: Fraction, width: int, early: int
) -> None:
    """After a start that is a little too early, the comments overlap somewhere."""
    distance = start_distance(first, second, stage=Fraction(width), seconds=Fraction(6))
    start = distance * (1 - Fraction(1, early * 1000))
    if distance and min(first, second):
        assert overlap((Fraction(0), first), (start, second), width=width, seconds=6) > 0


def test_the_page_never_overlaps_either(node: Path) -> None:
    """The same floods on both stages: the same lanes, and no two comments overlap."""
    rng, cases, seen = Random(10), [], Counter[Any]()
    for _ in range(40):
        options = {
            "width": rng.randint(50, 1500),
            "seconds": rng.uniform(1, 10),
            "lanes": rng.randint(1, 6),
        }
        starts = sorted(rng.uniform(0, 30) for _ in range(60))
        cases.append([options, [(start, rng.uniform(0, 600)) for start in starts]])
    for (options, comments), lanes in zip(cases, in_the_page(node, cases), strict=True):
        assert lanes == play((options, comments))
        seen.update(lanes)
        for lane in range(options["lanes"]):
            members = [one for one, at in zip(comments, lanes, strict=True) if at == lane]
            for pair in combinations(members, 2):
                assert overlap(*pair, width=options["width"], seconds=options["seconds"]) < 1e-9
    assert seen[None] > 100


@pytest.mark.parametrize(("start", "width"), [(nan, 1), (0, nan), (0, -1)])
def test_what_is_not_a_place_is_refused(start: float, width: float) -> None:
    stage = Stage(800, seconds=5, lanes=1)
    with pytest.raises(ValueError, match="no width is negative"):
        stage.place(start, width)
    assert stage.place(0, 1) == 0


def test_where_a_comment_is() -> None:
    stage = Stage(800, seconds=5, lanes=1)
    assert [stage.left_edge(2, 200, now) for now in (2, 3, 7)] == [800, 600, -200]


# A part of a flood


def test_a_cap_makes_bursts_and_gaps_and_sampling_is_even() -> None:
    rng = Random(10)
    starts = [0.0]
    while starts[-1] < 60:
        starts.append(starts[-1] + rng.expovariate(500))
    cap = capped(starts, most=60, seconds=6)
    even = sampled(starts, most=1, window=0.1, rng=rng)
    assert abs(len(cap) - len(even)) < 0.1 * len(even)  # as many, but at other times
    burst, gap = unevenness(cap)
    assert burst == 60
    assert 5.5 < gap < 6
    assert unevenness(even)[0] <= 6
    assert unevenness(even)[1] < 0.2
    for start in cap:  # the cap itself holds
        assert sum(start - 6 < other <= start for other in cap) <= 60


def test_sampling_is_uniform_in_its_window() -> None:
    rng = Random(10)
    starts = [number / 100 for number in range(100)]
    counts = Counter(
        start for _ in range(2000) for start in sampled(starts, most=10, window=1, rng=rng)
    )
    assert len(counts) == 100
    assert max(counts.values()) < 1.6 * min(counts.values())


def test_little_is_shown_as_it_is() -> None:
    starts = [0.0, 0.5, 2.25, 2.5, 7.0]
    assert capped(starts, most=3, seconds=2) == starts
    assert sampled(starts, most=2, window=1, rng=Random(1)) == starts
    assert capped([], most=3, seconds=2) == sampled([], most=2, window=1, rng=Random(1)) == []
    assert unevenness([]) == (0, 0.0)


# Everybody's share


def flood(choice: FairChoice, windows: Sequence[Counter[int]]) -> Counter[int]:
    """Return how often each person was shown. windows: how much each person says in each."""
    rng, shown = Random(1), Counter[int]()
    for number, said in enumerate(windows):
        comments = [Comment(number, person, "666") for person in said.elements()]
        rng.shuffle(comments)
        chosen = choice.choose(comments)
        assert len(chosen) == min(choice.most, len(comments))
        shown.update(comment.person for comment in chosen)
    return shown


def spoken(rates: dict[int, float], *, windows: int) -> list[Counter[int]]:
    """Return what is said in each window. rates: each person's comments in a window."""
    rng = Random(1)
    return [
        Counter({each: int(rate) + (rng.random() < rate % 1) for each, rate in rates.items()})
        for _ in range(windows)
    ]


def fairest(windows: Sequence[Counter[int]], most: int) -> Counter[int]:
    """Return the max-min fair shares: nobody can get more, except from a person who has no more.

    Each place goes to the person of its window who has the least. This is repeated with all other
    places as they are, until it makes no difference.
    """
    shown, places = Counter[int](), [Counter[int]() for _ in windows]
    for _ in range(4):
        for number, said in enumerate(windows):
            shown -= places[number]
            places[number].clear()
            for _ in range(min(most, said.total())):
                left = [each for each in said if said[each] > places[number][each]]
                person = min(left, key=lambda each: shown[each])
                places[number][person] += 1
                shown[person] += 1
    return shown


RATES = {
    "all alike": dict.fromkeys(range(100), 1.0),
    "one shouts": {**dict.fromkeys(range(1, 100), 0.2), 0: 100.0},
    "each louder than the next": {person: 50 / (person + 1) for person in range(100)},
    "half of them say next to nothing": {p: 0.02 if p % 2 else 5.0 for p in range(100)},
    "one shouts where windows are nearly full": {**dict.fromkeys(range(1, 100), 0.02), 0: 100.0},
    "a few talk where windows are nearly full": {p: 0.5 / (p + 1) for p in range(100)},
}


@pytest.mark.parametrize("name", RATES)
@pytest.mark.untraced
def test_a_share_is_fair_within_a_factor_of_two(name: str) -> None:
    windows = spoken(RATES[name], windows=4000 if "talk" in name else 1500)
    shown = flood(FairChoice(Random(2), most=2), windows)
    shares = fairest(windows, 2)
    assert shown.total() == shares.total()
    for person, share in shares.items():
        if share >= 8:  # chance decides about less
            assert share / 2 <= shown[person] <= share * 2, (name, person)
    least = sorted(shares, key=lambda each: shares[each])[: len(shares) // 2]
    assert sum(shown[each] for each in least) > 0.85 * sum(shares[each] for each in least)


def test_a_stream_may_be_long() -> None:
    windows = spoken({1: 1, 2: 5, 3: 1}, windows=7000)
    shown = flood(FairChoice(Random(1), most=1), windows)
    assert max(shown.values()) - min(shown.values()) <= 1


def test_in_a_flood_the_fair_shares_are_simple() -> None:
    """Where every window is full of several people, only the sums count."""
    windows = spoken({0: 10, 1: 10, 2: 10, 3: 0.25}, windows=400)
    simple = fair_shares(sum(windows, Counter()), 800)
    assert fairest(windows, 2) == pytest.approx(simple, abs=1)


@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_a_new_person_gets_what_the_others_get(rate: float) -> None:
    """And a new number for each window, as somebody has who always reconnects, helps nobody."""
    before = spoken(dict.fromkeys(range(1, 50), rate), windows=800)
    for numbers in ([0] * 400, range(-1, -401, -1)):
        choice = FairChoice(Random(2), most=2)
        flood(choice, before[:400])
        after = [said + Counter({n: 3}) for said, n in zip(before[400:], numbers, strict=True)]
        shown = flood(choice, after)
        loud = sum(shown[number] for number in set(numbers))
        assert loud < 2 * 800 / 50
        if numbers == [0] * 400:
            assert loud > 800 / 50 / 2


def test_with_room_for_all_everything_is_shown() -> None:
    comments = [Comment(0.1, 1, "a"), Comment(0.2, 1, "b"), Comment(0.3, 2, "c")]
    choice = FairChoice(Random(1), most=5)
    assert choice.choose(comments) == comments
    assert choice.choose([]) == []


def test_a_second_comment_waits_for_everybodys_first() -> None:
    comments = [Comment(0.1, 1, text) for text in "abcdefgh"] + [Comment(0.2, 2, "x")]
    for seed in range(20):
        chosen = FairChoice(Random(seed), most=2).choose(comments)
        assert [one.person for one in chosen] == [1, 2]
        assert FairChoice(Random(seed), most=9).choose(comments) == comments


def test_it_remembers_a_bounded_number_of_persons() -> None:
    """A person who was shown and is not remembered has the same chance as one who is new."""
    choices = {}
    for remembered in (2, 3):
        choices[remembered] = set()
        for seed in range(20):
            choice = FairChoice(Random(seed), most=1, remembered=remembered)
            for person in (1, 2, 3):
                choice.choose([Comment(0, person, "a")])
            choices[remembered].add(choice.choose([Comment(1, 1, "b"), Comment(1, 5, "c")])[0][1])
    assert choices == {2: {1, 5}, 3: {5}}


def test_fair_shares_leave_no_room_unused() -> None:
    shares = fair_shares({"a": 1, "b": 2, "c": 100, "d": 100}, 43)
    assert shares == {"a": 1, "b": 2, "c": 20, "d": 20}
    assert fair_shares({"a": 1, "b": 2}, 43) == {"a": 1, "b": 2}
    assert fair_shares({}, 43) == {}


# A viewer that is late, and the audience


def batch(*ats: float) -> Outgoing:
    comments = [{"at": at, "person": 1, "text": "666"} for at in ats]
    return Outgoing.of(json.dumps({"n": len(ats), "comments": comments}), "thinned")


def times(message: Outgoing) -> list[float]:
    found = Frame.parse(message.frame)
    assert found is not None
    return [comment["at"] for comment in json.loads(found[0].payload)["comments"]]


def test_a_late_viewer_gets_one_batch_of_the_last_second() -> None:
    welcome = Outgoing.of('{"person": 1}')
    kept = newest_comments([welcome, batch(1.0, 1.5), batch(1.75), batch(2.25, 2.5)])
    assert kept[0] == welcome
    assert [times(message) for message in kept[1:]] == [[1.75, 2.25, 2.5]]
    assert newest_comments(kept) == kept


def test_what_is_not_a_batch_is_left_as_it_is() -> None:
    packets = [Outgoing.of(b"old", 2), Outgoing.of(b"other", 3), Outgoing.of(b"new", 2)]
    every = [Outgoing.of("a"), Outgoing.of("b")]
    assert newest_comments([*packets, *every]) == [*packets[1:], *every]


def test_the_audience_keeps_to_its_rate_and_repeats_with_its_seed() -> None:
    days = []
    for seed in (1, 1, 2):
        audience = Audience(Random(seed), rate=lambda seconds: 100 if seconds < 5 else 1000)
        days.append([audience.talk(tick / 100, 0.01) for tick in range(1000)])
    assert days[0] == days[1] != days[2]
    counts = [sum(map(len, days[0][:500])), sum(map(len, days[0][500:]))]
    assert counts == [pytest.approx(500, abs=1), pytest.approx(5000, abs=1)]
    people = Counter(person for said in days[0] for person, _ in said)
    assert people[-1] > 50 * people[-500]
