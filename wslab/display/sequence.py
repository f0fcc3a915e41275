"""A sequence diagram as an HTML table, which survives GitHub, both themes and untrusted notebooks.

Lifelines and arrows are borders of cells. Where styles are lost, the words and arrow heads stay.
"""

from __future__ import annotations

from html import escape

from wslab.lab.tables import escaped
from wslab.lab.wire.diagram import Arrow, SequenceDiagram

__all__ = ["sequence"]

# Readable on white and on black; the words say the same.
COLOURS = {"HTTP": "#8a6d00", "CLOSE": "#c2410c", "PING": "#7c6fd0", "PONG": "#7c6fd0"}
DATA, FAULT, LINE = "#2a8a5a", "#d0342c", "#8a8a8a"

_EDGES = f"border-left: 2px solid {LINE}; border-right: 2px solid {LINE}"
_LANE = f"padding: 2px 0; text-align: center; white-space: nowrap; min-width: 260px; {_EDGES}"
_TIME = "padding: 2px 10px 2px 0; text-align: right; white-space: nowrap"
_GAP = '<td style="padding: 0 14px"></td>'


def sequence(value: SequenceDiagram) -> str:
    """Show who sent what to whom, from top to bottom."""
    heads = _GAP.join(
        f'<th style="text-align: left; padding: 0 4px 0 0">{client}</th>'
        f'<th style="text-align: right; padding: 0 0 0 4px">{server}</th>'
        for client, server in value.heads
    )
    rows = "\n".join(_row(value, arrow) for arrow in value.arrows)
    return (
        '<table class="wslab mathjax_ignore" style="border-collapse: collapse">\n'
        f'<thead><tr><th style="{_TIME}">time</th>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _row(value: SequenceDiagram, arrow: Arrow) -> str:
    time = f'<td style="{_TIME}">+{1000 * arrow.seconds:.0f} ms</td>'
    drawn = _drawn(arrow)
    lanes = [drawn if arrow.connection in (0, number) else "" for number in value.connections]
    cells = _GAP.join(f'<td colspan="2" style="{_LANE}">{lane}</td>' for lane in lanes)
    return f"<tr>{time}{cells}</tr>"


def _drawn(arrow: Arrow) -> str:
    """Draw an arrow with its label above; a fault of the cable goes across, without a head."""
    line = "dashed" if arrow.kind == "note" else "solid"
    label = escape(escaped(arrow.label))
    if arrow.way == "✂":
        style = f"color: {FAULT}; border-top: 2px dashed {FAULT}; font-weight: bold"
        return f'<div style="{style}">✂ {label}</div>'
    colour = LINE if arrow.kind == "note" else COLOURS.get(arrow.kind, DATA)
    side, head = ("right", "▶") if arrow.way == "→" else ("left", "◀")
    shaft = f"border-top: 2px {line} {colour}; height: 0; text-align: {side}; margin: 7px 4px"
    tip = f"position: relative; top: -0.75em; color: {colour}; line-height: 1"
    return (
        f'<div style="padding: 0 10px">{label}</div>'
        f'<div style="{shaft}"><span style="{tip}">{head}</span></div>'
    )
