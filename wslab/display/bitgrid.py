"""A frame's bits as an HTML table of 32 columns, as RFC 6455 §5.2 draws them, with real values."""

from __future__ import annotations

from html import escape

from wslab.lab.wire.anatomy import PARTS
from wslab.lab.wire.bitgrid import BITS, BitGrid, Cell

__all__ = ["bitgrid"]

_RULER = "padding: 0; text-align: center; font-size: 70%; min-width: 1.6em"


def bitgrid(value: BitGrid) -> str:
    """Show a frame line by line, 32 bits each."""
    ruler = "".join(f'<th scope="col" style="{_RULER}">{bit}</th>' for bit in range(BITS))
    rows = "\n".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in value.lines)
    rest = f"; {value.left_out} more bytes of payload" if value.left_out else ""
    caption = f"The bits of the frame, as drawn in RFC 6455 §5.2{rest}"
    return (
        f'<table class="wslab" style="border-collapse: collapse; table-layout: fixed">\n'
        f"<caption>{caption}</caption>\n<thead><tr>{ruler}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _cell(cell: Cell) -> str:
    part = PARTS[cell.kind]
    edge = f"border: 1px solid {part.colour}; border-bottom: 4px {part.line} {part.colour}"
    style = f"padding: 2px 0; text-align: center; {edge}"
    name = f"<small>{escape(cell.name)}</small><br>" if cell.name else ""
    return (
        f'<td colspan="{cell.width}" style="{style}">{name}<code>{escape(cell.value)}</code></td>'
    )
