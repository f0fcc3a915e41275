"""JSON Merge Patch: RFC 7396's own examples, and a diff that the patch undoes."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.kit.messages import merge_diff, merge_patch

# RFC 7396, Appendix A: ORIGINAL, PATCH, RESULT
APPENDIX = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize(("original", "patch", "result"), APPENDIX)
def test_the_appendix(original: str, patch: str, result: str) -> None:
    before = json.loads(original)
    assert json.dumps(merge_patch(before, json.loads(patch)), separators=(",", ":")) == result
    assert before == json.loads(original)


LEAVES = st.booleans() | st.integers(-2, 2) | st.floats(-1, 1).map(abs) | st.text("ab", max_size=2)
NAMES = st.text("abc", max_size=2)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner | st.none(), max_size=3)
    ),
    max_leaves=12,
)


def text(value: object) -> str:
    """Tell 1 from True and 1.0; the order of names does not matter (RFC 8259 §4)."""
    return json.dumps(value, sort_keys=True)


@given(VALUES, VALUES)
def test_a_diff_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    was = deepcopy(old)
    patch = merge_diff(old, new)
    assert text(merge_patch(old, patch)) == text(new)
    assert text(old) == text(was)


@given(VALUES.filter(lambda value: isinstance(value, dict)))
def test_nothing_changes_nothing(value: Any) -> None:
    assert merge_diff(value, deepcopy(value)) == {}


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, {"a": [1, 2, 3]}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": {}}, {"a": 0}, {"a": 0}),
        ({"a": 0}, {"a": {}}, {"a": {}}),
        ({"a": None}, {"a": 0}, {"a": 0}),
        ({}, {"a": [None]}, {"a": [None]}),
    ],
)
def test_it_is_as_small_as_can_be(old: Any, new: Any, patch: Any) -> None:
    assert text(merge_diff(old, new)) == text(patch)


@pytest.mark.parametrize("new", [{"a": None}, {"b": {"a": None}}, {"c": {"d": {"a": None}}}])
def test_null_cannot_be_set(new: Any) -> None:
    with pytest.raises(ValueError, match=r"'a' is null, which deletes in a merge patch"):
        merge_diff({"b": 1, "c": {}}, new)
