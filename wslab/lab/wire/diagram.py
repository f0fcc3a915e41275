"""Sequence diagrams with lifelines for participants, arrows for messages, and time downwards.

`transcript.diagram` draws the traffic of a cable. `sequence` draws steps that a lesson has at hand:

    lab.sequence(("client", "server", "say 1"), ("server", "client", "ack 1"))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from wslab.lab.tables import ROWS
from wslab.lab.wire.row import Row

__all__ = ["Arrow", "SequenceDiagram", "sequence"]

LABEL = 42  # characters that an arrow of a transcript carries
GAP = 3  # characters between two connections, in text


class Arrow(NamedTuple):
    """One message, or one event.

    start, end: the lifelines' places, from sender to receiver. They are equal if the event concerns
    one participant. label: the text. kind: as in a transcript. It is "note" if no message passed,
    and "fault" for a fault of the network. seconds: since the beginning; None if not known.
    """

    start: int
    end: int
    label: str
    kind: str = "TEXT"
    seconds: float | None = None


@dataclass(frozen=True, repr=False)
class SequenceDiagram:
    """names: the participants, from left to right. steps: from top to bottom.

    pairs: True if lifelines come in pairs, the two ends of a connection, with gaps in between.
    """

    names: tuple[str, ...]
    steps: tuple[Arrow, ...]
    pairs: bool = False

    def is_gap(self, lane: int) -> bool:
        """Tell whether nothing is ever drawn between lifelines `lane` and `lane + 1`."""
        return self.pairs and lane % 2 == 1

    def __repr__(self) -> str:
        """Draw with characters, without times, so that it is the same every time."""
        width = max([LABEL * self.pairs, *(len(step.label) for step in self.steps), 8]) + 6
        places = [0]
        for lane in range(len(self.names) - 1):
            places.append(places[-1] + 1 + (GAP if self.is_gap(lane) else width))
        end = places[-1] + width if self._ends_with_a_note() else places[-1]
        head = [" "] * (end + len(self.names[-1]))
        for place, name in zip(places, self.names, strict=True):
            # The right one of a pair, and the last one, end at their lifelines.
            is_right = place and (place == places[-1] or self.is_gap(places.index(place)))
            at = place + 1 - len(name) if is_right else place
            head[at : at + len(name)] = name
        lines = [_line(places, end, step) for step in self.steps]
        return "\n".join(["".join(head).rstrip(), *lines])

    def _ends_with_a_note(self) -> bool:
        return any(step.start == step.end == len(self.names) - 1 for step in self.steps)


def _line(places: list[int], end: int, step: Arrow) -> str:
    """Draw one step across the lifelines."""
    line = ["│" if place in places else " " for place in range(end + 1)]
    left, right = sorted((places[step.start], places[step.end]))
    label = f" {step.label} "
    if left == right:
        line[left + 1 : left + 1 + len(label)] = label
    else:
        inside = right - left - 1
        dash = "─" if step.kind not in ("note", "fault") else "╌"
        if step.kind == "fault":
            drawn = f"{f' ✂{label}':{dash}^{inside}}"
        elif step.start < step.end:
            drawn = f" {label:{dash}^{inside - 3}}▶ "
        else:
            drawn = f" ◀{label:{dash}^{inside - 3}} "
        line[left + 1 : right] = drawn
    return "".join(line).rstrip()


def sequence(*steps: tuple[str, str, str]) -> SequenceDiagram:
    """Draw (from, to, label) steps; participants stand in the order in which they appear.

    With the same name twice, a step is an event of this participant. If the label begins with
    "✂ ", the step is a fault and drawn across, without an arrow.
    """
    names = list(dict.fromkeys(name for start, end, _ in steps for name in (start, end)))
    return SequenceDiagram(
        tuple(names),
        tuple(
            Arrow(
                *(names.index(start), names.index(end), label.removeprefix("✂ ")),
                kind="fault" if label.startswith("✂ ") else "TEXT",
            )
            for start, end, label in steps
        ),
    )


def of_rows(rows: Iterable[Row]) -> SequenceDiagram:
    """Draw the rows of a transcript, several connections side by side."""
    rows = list(rows)
    connections = sorted({row.connection for row in rows} - {0}) or [1]
    several = len(connections) > 1
    names = [
        f"{side} {number}" if several else side
        for number in connections
        for side in ("client", "server")
    ]
    steps = [_step(row, connections) for row in rows[:ROWS]]
    if more := len(rows) - len(steps):
        steps.append(Arrow(0, 0, f"… {more:,} rows are left out: draw a slice", "note"))
    return SequenceDiagram(tuple(names), tuple(steps), pairs=True)


def _step(row: Row, connections: list[int]) -> Arrow:
    if row.connection:
        client = 2 * connections.index(row.connection)
        server = client + 1
    else:  # it happened to the whole cable
        client, server = 0, 2 * len(connections) - 1
    start, end = (server, client) if row.who == "server" else (client, server)
    said, size, kind = row.meaning.partition("\n")[0], "", row.kind
    if kind == "note":
        kind = "fault" if row.who == "cable" else "note"
    else:
        said = said.replace(" HTTP/1.1", "").removeprefix("HTTP/1.1 ")
        said = said if kind == "HTTP" else f"{kind} {said}".rstrip()
        size = f" · {row.size} B" + ("" if row.is_complete else ", not complete")
        size += ", lost" * (row.lost > 0)
    room = LABEL - len(size)
    said = said if len(said) <= room else f"{said[: room - 1]}…"
    return Arrow(start, end, said + size, kind, row.seconds)
