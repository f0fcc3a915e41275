"""Draw a state machine from its table, so that the picture always matches the code."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from math import atan2, cos, degrees, sin
from typing import TYPE_CHECKING

from wslab.display.figure import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["layers_of", "state_diagram"]

Transitions = Mapping[tuple[Enum, Enum], Enum]
Point = tuple[float, float]

INCHES = 0.62  # for a unit of the drawing
ROW = 1.7  # units between two states of a column


def layers_of(transitions: Transitions) -> dict[Enum, int]:
    """Give each state the length of the longest way to it; a state without a way to it has 0.

    Raises ValueError if the table has a circle, because a circle has no longest way.
    """
    longest = {state: 0 for state, _step in transitions}
    for _ in range(len(transitions) + 1):
        before = dict(longest)
        for (state, _step), target in transitions.items():
            longest[target] = max(longest.get(target, 0), longest[state] + 1)
        if longest == before:
            return longest
    raise ValueError("the transitions have a circle, so the states have no order to draw them in")


def state_diagram(transitions: Transitions) -> Figure:
    """Draw a table {(state, step): next state} as boxes and arrows.

    Boxes stand in columns by `layers_of`. Steps with the same ends share an arrow, with all labels.
    Nothing is filled, so that it is legible on any background. The figure's label is the table.
    """
    from matplotlib.figure import Figure

    places = _places(layers_of(transitions))
    labels: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, step), target in transitions.items():
        labels.setdefault((state, target), []).append(str(step.value))
    lines = [(places[state], places[target]) for state, target in labels]
    right = max(x for x, _ in places.values()) + 1.3
    top = max(_bulge(start, end) + max(start[1], end[1]) for start, end in lines) + 0.7
    figure = Figure(figsize=((right + 1.3) * INCHES, 2 * top * INCHES))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-1.3, right), ylim=(-top, top))
    axes.axis("off")
    box = {"boxstyle": "round,pad=0.5", "facecolor": "none", "edgecolor": INK}
    boxes = {
        state: axes.text(x, y, state.name, ha="center", va="center", fontsize=9, bbox=box)
        for state, (x, y) in places.items()
    }
    for ((state, target), steps), (start, end) in zip(labels.items(), lines, strict=True):
        arrow = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={_bend(start, end)}"}
        ends = {"patchA": boxes[state].get_bbox_patch(), "patchB": boxes[target].get_bbox_patch()}
        axes.annotate("", xy=end, xytext=start, arrowprops=arrow | ends | {"color": INK})
        x, y, angle = _along(start, end)
        label = axes.text(x, y, "\n".join(steps), fontsize=8, ha="center", va="bottom")
        label.set(rotation=angle, rotation_mode="anchor")
    said = [
        f"{state.name} → {to.name}: {', '.join(steps)}" for (state, to), steps in labels.items()
    ]
    figure.set_label("; ".join(said))
    return figure


def _places(depth: Mapping[Enum, int]) -> dict[Enum, Point]:
    """Stack the states of each layer, centred; layers go from left to right."""
    columns: dict[int, list[Enum]] = {}
    for state, column in depth.items():
        columns.setdefault(column, []).append(state)
    return {
        state: (column * 4.2, (len(states) - 1) * ROW / 2 - row * ROW)
        for column, states in columns.items()
        for row, state in enumerate(states)
    }


def _bend(start: Point, end: Point) -> float:
    """Let a long arrow bend around the boxes between its ends, upwards in the upper half."""
    span = end[0] - start[0]
    if span < 5:
        return 0.0
    return (0.03 if min(start[1], end[1]) < 0 else -0.03) * span


def _bulge(start: Point, end: Point) -> float:
    """Return how far a bent arrow goes beyond the line between its ends."""
    return abs(_bend(start, end)) * (end[0] - start[0]) / 2


def _along(start: Point, end: Point) -> tuple[float, float, float]:
    """Return the place of an arrow's label, a little above it, and its angle in degrees.

    The arrow is a quadratic Bézier curve, as arc3 draws it.
    """
    bend = _bend(start, end)
    t = 0.6 if bend else 0.42  # labels do not meet there
    dx, dy = end[0] - start[0], end[1] - start[1]
    middle = ((start[0] + end[0]) / 2 + bend * dy, (start[1] + end[1]) / 2 - bend * dx)
    weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
    slopes = (2 * (t - 1), 2 - 4 * t, 2 * t)
    (x, y), (right, up) = (
        [
            sum(w * p[axis] for w, p in zip(factors, (start, middle, end), strict=True))
            for axis in (0, 1)
        ]
        for factors in (weights, slopes)
    )
    angle = atan2(up, right)
    return x - 0.1 * sin(angle), y + 0.1 * cos(angle), degrees(angle)
