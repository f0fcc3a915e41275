"""Exercises of lesson 14: live scores."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

from wslab.apps.scores import Match
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.kit.messages import encoded, merge_diff, merge_patch

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

# RFC 7396, Appendix A: what was there, and the patch
APPENDIX: list[tuple[Any, Any]] = [
    ({"a": "b"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}),
    ({"a": "b"}, {"a": None}),
    ({"a": "b", "b": "c"}, {"a": None}),
    ({"a": ["b"]}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}),
    (["a", "b"], ["c", "d"]),
    ({"a": "b"}, ["c"]),
    ({"a": "foo"}, None),
    ({"a": "foo"}, "bar"),
    ({"e": None}, {"a": 1}),
    ([1, 2], {"a": "b", "c": None}),
    ({}, {"a": {"bb": {"ccc": None}}}),
]


def _as_text(value: object) -> str:
    """Write a value so that 1, 1.0 and True differ, and the order of the names does not matter."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{name!r}: {_as_text(it)}' for name, it in value.items()))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_text, value))}]"
    return repr(value)


def _same(trial: Trial, got: object, expected: object, message: str) -> None:
    """Compare two JSON values."""
    is_same = _as_text(got) == _as_text(expected)
    trial.want(is_same, message, expected=shown(expected), got=shown(got))


# ★ Apply a merge patch


@SET.task()
def merge(trial: Trial, merge: Any) -> None:
    """Try the RFC's examples, and the changes of a match."""
    states = _states(trial.rng, 40)
    cases = [*APPENDIX, ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": None}}})]
    nothings: tuple[Any, ...] = (0, False, "", [], {})
    cases += [({"a": 1, "b": [1]}, {"a": nothing}) for nothing in nothings]
    cases += [(old, merge_diff(old, new)) for old, new in itertools.pairwise(states)]
    for target, patch in cases:
        got = trial.result(merge, target, patch)
        _same(trial, got, merge_patch(target, patch), "this is not the patched value")


def _states(rng: Random, count: int) -> list[dict[str, Any]]:
    match = Match(Random(rng.randrange(10**6)))
    return [match.state, *(match.step() for _ in range(count))]


# ★★ Find the merge patch

PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"a": 1}, {"a": 1}),
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, {}),
    ({}, {"a": {"b": {}}}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}),
    ({"a": {"b": 1}}, {"a": {}}),
    ({"a": {"b": 1}}, {"a": [1]}),
    ({"a": [1]}, {"a": {"b": 1}}),
    ({"a": 0}, {"a": {}}),
    ({"a": [1, 2, 3]}, {"a": [1, 2]}),
    ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}),
]


@SET.task()
def diff(trial: Trial, diff: Any) -> None:
    """Try small objects, and the states of a match."""
    states = _states(trial.rng, 60)
    skips = [(states[n], states[n + 17]) for n in range(0, 40, 7)]
    for old, new in [*PAIRS, *itertools.pairwise(states), *skips]:
        patch = trial.result(diff, old, new)
        message = "the old value with this patch is not the new one"
        _same(trial, merge_patch(old, patch), new, message)
        least = merge_diff(old, new)
        message = "the patch says things that have not changed"
        size, limit = len(encoded(patch)), len(encoded(least))
        trial.want(size <= limit, message, expected=shown(least), got=shown(patch))


# ★★★ Never a false state


def _evening(rng: Random) -> list[dict[str, Any]]:
    """Return what a viewer has received: lost, doubled and late changes, and two servers.

    The second server counts from 1 again, so its numbers go on where the first one's ended.
    """
    states, received = _states(rng, 30), list[dict[str, Any]]()

    def snapshot(epoch: str, version: int, state: dict[str, Any]) -> dict[str, Any]:
        return {"epoch": epoch, "version": version, "state": state}

    for epoch, first, version in (("E1", 0, 0), ("E2", 16, 10)):
        if epoch == "E1" or rng.random() < 0.5:
            received.append(snapshot(epoch, version, states[first]))
        for place in range(first + 1, first + 13):
            version += 1
            patch = merge_diff(states[place - 1], states[place])
            chance = rng.random()
            if chance < 0.9:
                received += [{"epoch": epoch, "seq": version, "patch": patch}]
            if chance < 0.3:
                received.append(received[rng.randrange(len(received))])
            if chance > 0.95:
                received.append(snapshot(epoch, version, states[place]))
    return received


def _shown(messages: list[dict[str, Any]]) -> list[Any]:
    """Return what the screen shows after each message: epoch, version and state."""
    screen: list[Any] = [None, 0, None]
    after = []
    for message in messages:
        if "state" in message:
            screen = [message["epoch"], message["version"], message["state"]]
        elif (message["epoch"], message["seq"]) == (screen[0], screen[1] + 1):
            screen = [screen[0], message["seq"], merge_patch(screen[2], message["patch"])]
        after.append(screen)
    return after


FIRST = {"epoch": "A", "version": 4, "state": {"goals": 1, "review": "Gao"}}
STORIES: dict[str, list[dict[str, Any]]] = {
    "a change before the first state": [{"epoch": "A", "seq": 1, "patch": {"goals": 1}}],
    "a state and its change": [FIRST, {"epoch": "A", "seq": 5, "patch": {"review": None}}],
    "a change that comes twice": [
        FIRST,
        {"epoch": "A", "seq": 5, "patch": {"goals": 2}},
        {"epoch": "A", "seq": 6, "patch": {"goals": 1}},
        {"epoch": "A", "seq": 5, "patch": {"goals": 2}},
    ],
    "a gap": [FIRST, {"epoch": "A", "seq": 6, "patch": {"goals": 0}}],
    "a gap that is closed": [
        FIRST,
        {"epoch": "A", "seq": 6, "patch": {"goals": 3}},
        {"epoch": "A", "seq": 5, "patch": {"goals": 2}},
        {"epoch": "A", "seq": 6, "patch": {"goals": 3}},
    ],
    "the next number of a different epoch": [
        FIRST,
        {"epoch": "B", "seq": 5, "patch": {"goals": 9}},
    ],
    "a state with a lower number, of a new epoch": [
        FIRST,
        {"epoch": "B", "version": 2, "state": {"goals": 0}},
        {"epoch": "A", "seq": 3, "patch": {"goals": 9}},
        {"epoch": "B", "seq": 3, "patch": {"goals": 1}},
    ],
}


@SET.task()
def follow(trial: Trial, follow: Any) -> None:
    """Try short stories, and evenings with lost and doubled changes and two servers."""
    evenings = (("an evening with two servers", _evening(trial.rng)) for _ in range(12))
    for what, messages in itertools.chain(STORIES.items(), evenings):
        got = trial.result(follow, messages)
        epoch, version, state = _shown(messages)[-1]
        if state is None:
            trial.want(got is None, f"{what}: there is nothing to show", expected="None")
            continue
        trial.want(got is not None, f"{what}: there is a state to show", got="None")
        position = (epoch, version)
        trial.same(got[:2], position, f"{what}: this is not the version that is shown")
        _same(trial, got[2], state, f"{what}: this state is false")
