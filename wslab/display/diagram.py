"""A state machine drawn from its table: nobody has to keep a picture and the code in step."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["layers_of", "state_diagram"]

Transitions = Mapping[tuple[Enum, Enum], Enum]
Point = tuple[float, float]


def layers_of(transitions: Transitions) -> dict[Enum, int]:
    """Give each state the length of the longest way to it; the first state of the table has 0.

    Raises ValueError if the table has a circle, for then there is no longest way.
    """
    longest = {next(iter(transitions))[0]: 0}
    for _ in range(len(transitions) + 1):
        before = dict(longest)
        for (state, _step), target in transitions.items():
            if state in longest:
                longest[target] = max(longest.get(target, 0), longest[state] + 1)
        if longest == before:
            return longest
    raise ValueError("the transitions have a circle, so the states have no order to draw them in")


def state_diagram(transitions: Transitions) -> Figure:
    """Draw a table {(state, what happens): next state} as boxes and arrows.

    Boxes stand in columns by `layers_of`; arrows with the same ends share one, with both labels.
    """
    from matplotlib.figure import Figure

    places = _places(layers_of(transitions))
    figure = Figure(figsize=(11, 4.6), layout="tight")
    axes = figure.add_subplot(aspect="equal")
    axes.axis("off")
    axes.set_xlim(-1.2, max(x for x, _ in places.values()) + 1.2)
    axes.set_ylim(-2.3, 2.6)
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "black"}
    boxes = {
        state: axes.text(x, y, state.name, ha="center", va="center", fontsize=9, bbox=box)
        for state, (x, y) in places.items()
    }
    labels: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, step), target in transitions.items():
        labels.setdefault((state, target), []).append(str(step.value))
    for (state, target), steps in labels.items():
        start, end = places[state], places[target]
        arrow = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={_bend(start, end)}"}
        ends = {"patchA": boxes[state].get_bbox_patch(), "patchB": boxes[target].get_bbox_patch()}
        axes.annotate("", xy=end, xytext=start, arrowprops=arrow | ends | {"color": "black"})
        plain = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.9}
        x, y = _along(start, end)
        axes.text(x, y, "\n".join(steps), ha="center", va="center", fontsize=8, bbox=plain)
    return figure


def _places(depth: Mapping[Enum, int]) -> dict[Enum, Point]:
    """Stack the states of each layer, centred; layers go from left to right."""
    columns: dict[int, list[Enum]] = {}
    for state, column in depth.items():
        columns.setdefault(column, []).append(state)
    return {
        state: (column * 3.6, (len(states) - 1) * 1.5 - row * 3.0)
        for column, states in columns.items()
        for row, state in enumerate(states)
    }


def _bend(start: Point, end: Point) -> float:
    """Let a long arrow bend around the boxes between its ends: up in the upper half."""
    span = end[0] - start[0]
    if span < 4:
        return 0.0
    return (0.045 if min(start[1], end[1]) < 0 else -0.045) * span


def _along(start: Point, end: Point) -> Point:
    """Return a point of the arrow, a quadratic Bézier curve as arc3 draws it, for its label."""
    bend = _bend(start, end)
    t = 0.6 if bend else 0.4  # where labels do not meet
    dx, dy = end[0] - start[0], end[1] - start[1]
    middle = ((start[0] + end[0]) / 2 + bend * dy, (start[1] + end[1]) / 2 - bend * dx)
    weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
    x, y = (
        sum(w * p[axis] for w, p in zip(weights, (start, middle, end), strict=True))
        for axis in (0, 1)
    )
    return x, y
