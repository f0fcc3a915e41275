"""The match follows the rules of its story, and a screen shows only what was true."""

from __future__ import annotations

import itertools
import json
from random import Random
from typing import Any

import pytest

from wslab.apps.scores import Match, Screen, Skipped
from wslab.kit.messages import merge_diff

SIDES = ("home", "away")


def whole(seed: int) -> list[Any]:
    """Play one match; return its states."""
    match = Match(Random(seed))
    states = [match.state]
    while match.state["period"] != "over":
        states.append(match.step())
    return states


def test_the_same_seed_gives_the_same_match() -> None:
    assert whole(3) == whole(3) != whole(4)


@pytest.mark.parametrize("seed", range(12))
def test_the_rules_of_the_game(seed: int) -> None:
    states = whole(seed)
    assert next(state["period"] for state in states) == "first half"
    assert states[-1]["clock"]["rate"] == 0
    for before, after in itertools.pairwise(states):
        assert merge_diff(before, after), "a version without a change"
        for side in SIDES:
            scored = [goal for goal in after["goals"] if goal["team"] == side]
            assert len(scored) == after[side]["goals"] <= after[side]["shots"]
            assert len(after["players"][side]) == 11
            change = after[side]["goals"] - before[side]["goals"]
            assert change in (-1, 0, 1)
            if change < 0:  # taken back, after a review, and only then
                assert before["review"] == {"team": side, "player": before["goals"][-1]["player"]}
                assert "review" not in after


def test_goals_are_taken_back_sometimes() -> None:
    falls = sum(
        after[side]["goals"] < before[side]["goals"]
        for seed in range(12)
        for states in [whole(seed)]
        for before, after in itertools.pairwise(states)
        for side in SIDES
    )
    assert falls > 3


def test_nobody_who_came_off_comes_back() -> None:
    for seed in range(12):
        states = whole(seed)
        for side in SIDES:
            gone: set[str] = set()
            for before, after in itertools.pairwise(states):
                assert not gone & after["players"][side].keys()
                gone |= before["players"][side].keys() - after["players"][side].keys()


def test_time_goes_on_and_the_next_match_follows() -> None:
    match = Match(Random(1), rate=30.0)
    times, kick_offs = [match.seconds], 0
    for _ in range(500):
        due = match.due
        match.step()
        assert match.seconds == due
        times.append(due)
        kick_offs += match.state["period"] == "first half" and match.state["clock"]["at"] == round(
            due, 2
        )
    assert times == sorted(times)
    assert kick_offs >= 2
    assert 170 < times[times.index(max(t for t in times if t < 230))] < 230  # seconds of a match


def state(version: int, now: float = 0.0, **fields: Any) -> dict[str, Any]:
    return {"state": {"n": version, **fields}, "version": version, "now": now}


def change(number: int, now: float = 0.0, **fields: Any) -> dict[str, Any]:
    return {"patch": {"n": number, **fields}, "seq": number, "now": now}


class TestScreen:
    def test_a_state_and_its_changes(self) -> None:
        screen = Screen()
        for message in (state(4), change(5, a=1), change(6, a=None)):
            screen.take(message)
        assert (screen.state, screen.version) == ({"n": 6}, 6)

    @pytest.mark.parametrize("number", [1, 4, 5])
    def test_what_it_has_is_ignored(self, number: int) -> None:
        screen = Screen()
        for message in (state(4), change(5), change(number, a="again")):
            screen.take(message)
        assert (screen.state, screen.version) == ({"n": 5}, 5)

    @pytest.mark.parametrize("number", [6, 7, 100])
    def test_a_gap_changes_nothing(self, number: int) -> None:
        screen = Screen()
        screen.take(state(4))
        with pytest.raises(Skipped, match=rf"change {number} .* has version 4: resume"):
            screen.take(change(number))
        assert (screen.state, screen.version) == ({"n": 4}, 4)
        screen.take(change(5))
        assert screen.version == 5

    def test_a_change_without_a_state(self) -> None:
        screen = Screen()
        with pytest.raises(Skipped, match="no state"):
            screen.take(change(1))
        assert (screen.score, screen.clock(0.0)) == ("- : -", "--:--")

    @pytest.mark.parametrize("version", [1, 4, 90])
    def test_a_state_replaces_everything(self, version: int) -> None:
        screen = Screen()
        screen.take(state(4, a=1))
        screen.take(state(version))
        assert (screen.state, screen.version) == ({"n": version}, version)

    def test_every_state_of_a_match(self) -> None:
        states = whole(14)
        screen = Screen()
        screen.take({"state": states[0], "version": 0, "now": 0.0})
        for number, (before, after) in enumerate(itertools.pairwise(states), 1):
            patch = json.loads(json.dumps(merge_diff(before, after)))
            screen.take({"patch": patch, "seq": number, "now": 0.0})
            assert screen.state == after


class TestClock:
    """The viewer's clock is 1000 s ahead of the server's."""

    CLOCK: dict[str, Any] = {"clock": {"seconds": 60, "at": 10.0, "rate": 30}}  # noqa: RUF012

    def shown(self, *arrivals: tuple[float, dict[str, Any]], at: float) -> str:
        screen = Screen()
        for now, message in arrivals:
            screen.take(message, now)
        return screen.clock(at)

    def test_it_runs_without_messages(self) -> None:
        arrival = (1020.0, state(1, 20.0, **self.CLOCK))
        assert self.shown(arrival, at=1020.0) == "06:00"
        assert self.shown(arrival, at=1021.0) == "06:30"
        assert self.shown(arrival, at=1120.9) == "56:27"

    def test_a_late_message_does_not_set_it_back(self) -> None:
        """It has waited in a tunnel for 40 s."""
        first = (1020.0, state(1, 20.0, **self.CLOCK))
        assert self.shown(first, (1070.0, change(2, 30.0)), at=1080.0) == "36:00"

    def test_a_fast_message_sets_it_right(self) -> None:
        first = (1023.0, state(1, 20.0, **self.CLOCK))  # 3 s on the way
        assert self.shown(first, at=1030.0) == "09:30"
        assert self.shown(first, (1030.0, change(2, 30.0)), at=1030.0) == "11:00"

    def test_it_stands_in_the_break(self) -> None:
        stands = change(2, 30.0, clock={"seconds": 2765, "at": 30.0, "rate": 0})
        first = (1020.0, state(1, 20.0, **self.CLOCK))
        assert self.shown(first, (1030.0, stands), at=2000.0) == "46:05"

    def test_a_new_server_has_a_new_time(self) -> None:
        first = (1020.0, state(1, 20.0, **self.CLOCK))
        again = (1030.0, state(1, 10.0, **self.CLOCK))
        assert self.shown(first, again, at=1031.0) == "01:30"
