"""A sequence diagram as an HTML table, which survives GitHub, both themes and untrusted notebooks.

Lifelines and arrows are borders of cells. If styles are lost, the words and arrow heads stay.
"""

from __future__ import annotations

from html import escape

from wslab.display.html import CLASSES
from wslab.lab.tables import escaped
from wslab.lab.wire.diagram import Arrow, SequenceDiagram

__all__ = ["sequence_html"]

# Readable on white and on black; the words say the same.
COLOURS = {"HTTP": "#8a6d00", "CLOSE": "#c2410c", "PING": "#7c6fd0", "PONG": "#7c6fd0"}
DATA, FAULT, LINE = "#2a8a5a", "#d0342c", "#8a8a8a"

_EDGES = f"border-left: 2px solid {LINE}; border-right: 2px solid {LINE}"
_LANE = f"padding: 2px 0; text-align: center; white-space: nowrap; {_EDGES}"
_TIME = "padding: 2px 10px 2px 0; text-align: right; border: none; white-space: nowrap"
_GAP = '<td style="padding: 0 14px; border: none"></td>'


def sequence_html(value: SequenceDiagram) -> str:
    """Show the messages between participants, from top to bottom."""
    has_times = any(step.seconds is not None for step in value.steps)
    heads = "".join(_head(value, place) for place in range(len(value.names)))
    time = f'<th style="{_TIME}">time</th>' if has_times else ""
    rows = "\n".join(_row(value, step, has_times) for step in value.steps)
    return (
        f'<table class="{CLASSES}" style="border-collapse: collapse">\n'
        f"<thead><tr>{time}{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
    )


def _head(value: SequenceDiagram, place: int) -> str:
    """Name a lifeline above the lane that it begins, or, at the right edge, above its end."""
    name = escape(escaped(value.names[place]))
    is_last = place + 1 == len(value.names)
    if value.pairs:
        align, gap = ("right", "" if is_last else _GAP) if place % 2 else ("left", "")
        least = f"min-width: {260 // len(value.names)}px"
        return f'<th style="text-align: {align}; padding: 0; {least}">{name}</th>{gap}'
    return f'<th colspan="2" style="text-align: left; padding: 0 8px 0 0">{name}</th>'


def _row(value: SequenceDiagram, step: Arrow, has_times: bool) -> str:
    """Fill the lanes from left to right; the step takes all lanes that it crosses."""
    left, right = sorted((step.start, step.end))
    right = max(right, left + 1)  # an event of one participant stands on its right
    cells = []
    if has_times:
        said = "" if step.seconds is None else f"+{1000 * step.seconds:.0f} ms"
        cells.append(f'<td style="{_TIME}">{said}</td>')
    # Behind the last lifeline is room for its events; a pair has its ends at the edges.
    lanes = len(value.names) - value.pairs
    # Several connections fit into a narrow notebook because a label may have two lines.
    style = _LANE if lanes == 1 or not value.pairs else _LANE.replace("white-space: nowrap; ", "")
    for lane in range(lanes):
        edges = "" if value.pairs or lane + 1 < lanes else "; border-right: none"
        if lane == left:
            columns = sum(1 if value.is_gap(crossed) else 2 for crossed in range(left, right))
            cells.append(f'<td colspan="{columns}" style="{style}{edges}">{_drawn(step)}</td>')
        elif not left < lane < right:
            empty = f'<td colspan="2" style="{style}{edges}"></td>'
            cells.append(_GAP if value.is_gap(lane) else empty)
    return f"<tr>{''.join(cells)}</tr>"


def _drawn(step: Arrow) -> str:
    """Draw an arrow with its label above; a fault of the cable goes across, without a head."""
    label = escape(escaped(step.label))
    if step.kind == "fault":
        style = f"border-top: 2px dashed {FAULT}; font-weight: bold"
        return f'<div style="{style}">✂ {label}</div>'
    if step.start == step.end:
        return f'<div style="text-align: left; padding: 0 8px; font-style: italic">{label}</div>'
    line = "dashed" if step.kind == "note" else "solid"
    colour = LINE if step.kind == "note" else COLOURS.get(step.kind, DATA)
    side, head = ("right", "▶") if step.start < step.end else ("left", "◀")
    shaft = f"border-top: 2px {line} {colour}; height: 0; text-align: {side}; margin: 7px 4px"
    tip = f"position: relative; top: -0.75em; color: {colour}; line-height: 1"
    return (
        f'<div style="padding: 0 10px">{label}</div>'
        f'<div style="{shaft}"><span style="{tip}">{head}</span></div>'
    )
