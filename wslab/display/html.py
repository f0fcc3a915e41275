"""HTML for the lab's values: pure functions from a value to a string."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from wslab.lab.anatomy import Anatomy
from wslab.lab.record import Events
from wslab.lab.transcript import Row, Transcript

__all__ = ["anatomy", "events", "row", "table", "transcript"]

# JupyterLab aligns cells to the right, which is right for numbers only.
_LEFT = ' style="text-align: left; vertical-align: top"'
_RIGHT = ' style="text-align: right; vertical-align: top"'
_ARROWS = {"client": "client →", "server": "← server", "cable": "cable"}


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    code: Sequence[str] = (),
) -> str:
    """Make a table; every cell is escaped, line breaks are kept.

    numbers: the columns to align to the right. code: the columns in a monospaced font.
    """
    head_cells = "".join(
        f'<th scope="col"{_RIGHT if name in numbers else _LEFT}>{escape(name)}</th>'
        for name in head
    )
    body = "\n".join(
        "<tr>" + "".join(map(_cell, row, head, [numbers] * len(head), [code] * len(head))) + "</tr>"
        for row in rows
    )
    return (
        f'<table class="wslab">\n<caption{_LEFT}>{escape(caption)}</caption>\n'
        f"<thead><tr>{head_cells}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _cell(text: str, name: str, numbers: Sequence[str], code: Sequence[str]) -> str:
    content = escape(text).replace("\n", "<br>")
    if name in code and content:
        content = f"<code>{content}</code>"
    return f"<td{_RIGHT if name in numbers else _LEFT}>{content}</td>"


def _rows_table(caption: str, rows: Iterable[Row]) -> str:
    cells = []
    for one in rows:
        number, who, *rest = one.cells()
        cells.append((number, _ARROWS[who], *rest))
    head = ("#", "who", "kind", "size", "bytes", "meaning")
    return table(caption, head, cells, numbers=("#", "size"), code=("bytes",))


def transcript(value: Transcript) -> str:
    """Show what passed through a cable, a row for each message."""
    caption = f"Transcript, {len(value)} rows" if len(value) else "Transcript: nothing has passed"
    if value.dropped:
        limit = value.tape.pieces.maxlen
        caption += f" ({value.dropped} earlier rows were dropped: the tape keeps {limit})"
    return _rows_table(caption, value)


def row(value: Row) -> str:
    """Show one message; a frame also bit by bit."""
    shown = _rows_table(f"Row {value.number} of a transcript", [value])
    return shown + (f"\n{anatomy(value.anatomy)}" if value.header is not None else "")


def anatomy(value: Anatomy) -> str:
    """Show a frame bit by bit."""
    rows = [(field.at, field.bits, field.name, field.meaning) for field in value]
    head = ("byte", "bits", "field", "meaning")
    return table("A frame, field by field (RFC 6455 §5.2)", head, rows, code=("bits",))


def events(value: Events) -> str:
    """Show what happened on a server."""
    return table("Events", ("connection", "event", "text"), value.rows(), numbers=("connection",))
