"""The picture of a state machine has every state and every arrow of its table."""

from __future__ import annotations

from enum import Enum

import pytest
from matplotlib.colors import to_hex

from wslab.display.diagram import layers_of, state_diagram
from wslab.display.figure import BLACK, INK
from wslab.protocol.connection import TRANSITIONS, State


class Light(Enum):
    RED = "stop"
    GREEN = "go"


class Switch(Enum):
    ON = "turned on"
    OFF = "turned off"


def test_states_stand_in_the_order_of_the_longest_way():
    depth = layers_of(TRANSITIONS)
    assert depth[State.OPEN] == 0
    assert depth[State.CLOSED] == max(depth.values())
    assert set(depth) == set(State)
    assert all(depth[state] < depth[target] for (state, _), target in TRANSITIONS.items())


def test_each_state_that_nothing_leads_to_is_a_beginning():
    ends = {key: target for key, target in TRANSITIONS.items() if target is State.CLOSED}
    assert layers_of(ends) == {state: 0 for state, _ in ends} | {State.CLOSED: 1}
    assert {text.get_text() for text in state_diagram(ends).axes[0].texts} >= {"OPEN", "FAILED"}


def test_it_is_legible_on_any_background():
    axes = state_diagram(TRANSITIONS).axes[0]
    for text in axes.texts:
        assert to_hex(text.get_color()) == BLACK  # which the display turns into its ink
        for patch in (text.get_bbox_patch(), getattr(text, "arrow_patch", None)):
            if patch is not None:
                assert to_hex(patch.get_edgecolor()) == INK
                assert patch.get_facecolor()[3] == 0 or to_hex(patch.get_facecolor()) == INK


def test_its_label_is_the_table():
    label = state_diagram(TRANSITIONS).get_label()
    assert label.startswith("OPEN → CLOSE_SENT: we send Close; OPEN → CLOSE_RECEIVED: the peer")
    assert label.count("→") == len(TRANSITIONS)


def test_a_circle_has_no_order():
    circle = {(Light.RED, Switch.ON): Light.GREEN, (Light.GREEN, Switch.OFF): Light.RED}
    with pytest.raises(ValueError, match="the transitions have a circle"):
        layers_of(circle)


def test_every_state_and_every_step_is_drawn():
    texts = [text.get_text() for text in state_diagram(TRANSITIONS).axes[0].texts]
    arrows = {(state, target) for (state, _), target in TRANSITIONS.items()}
    assert {state.name for state in State} <= set(texts)
    drawn = [line for text in texts for line in text.split("\n")]
    for _, step in TRANSITIONS:
        assert drawn.count(step.value) == sum(one is step for _, one in TRANSITIONS)
    # An arrow is a text of its own without words.
    assert texts.count("") == len(arrows)


def test_steps_with_the_same_ends_share_an_arrow():
    both = {(Light.RED, Switch.ON): Light.GREEN, (Light.RED, Switch.OFF): Light.GREEN}
    texts = [text.get_text() for text in state_diagram(both).axes[0].texts]
    assert "turned on\nturned off" in texts
    assert texts.count("") == 1
