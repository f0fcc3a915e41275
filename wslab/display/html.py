"""HTML for the lab's values, as pure functions from a value to a string."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from wslab.lab.checkup import HEAD, Checkup
from wslab.lab.record import Events
from wslab.lab.tables import LAYOUT, Table, escaped, excerpt
from wslab.lab.wire.anatomy import PARTS, Anatomy
from wslab.lab.wire.transcript import Row, Transcript

if TYPE_CHECKING:  # the widgets' package is loaded only when it is used
    from wslab.browser.events import PageEvents

__all__ = [
    "CLASSES",
    "anatomy",
    "checkup",
    "events",
    "html_table",
    "page_events",
    "plain_table",
    "row",
    "transcript",
]

# A peer's text may hold $…$, which JupyterLab and nbconvert would typeset as mathematics. MathJax 3
# and MathJax 2 do not touch elements of these classes.
CLASSES = "wslab mathjax_ignore tex2jax_ignore"
LONG = 40  # characters; a longer column is broken into lines, and a longer word anywhere
_ARROWS = {"client": "client →", "server": "← server", "cable": "cable"}


def html_table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    code: Sequence[str] = (),
) -> str:
    """Make a table; every cell is escaped, line breaks are kept, mathematics is not typeset.

    If there are very many rows, or very long ones, it shows an `excerpt`, and says so.

    rows: the cells' texts; the last cell of a short row spans the rest of the columns.
    numbers: the columns to align to the right. code: the columns in a monospaced font.
    """
    first, note, last = excerpt(rows)
    shown = [head, *first, *last]
    styles = [
        _style(name in numbers, name not in code and name != head[-1] and _is_short(shown, column))
        for column, name in enumerate(head)
    ]
    head_cells = "".join(
        f'<th scope="col"{style}>{_text(name)}</th>' if name else "<td></td>"
        for name, style in zip(head, styles, strict=True)
    )
    body = []
    for row in (*first, *([[f"… {note}"]] if note else []), *last):
        spans = [1] * (len(row) - 1) + [len(head) - len(row) + 1]
        cells = zip(row, spans, styles, head, strict=False)
        body.append("".join(_cell(*cell[:3], cell[3] in code) for cell in cells))
    title = f"<caption{_style(False, False)}>{_html(caption)}</caption>\n" if caption else ""
    return (
        f'<table class="{CLASSES}">\n{title}<thead><tr>{head_cells}</tr></thead>\n<tbody>\n'
        + "\n".join(f"<tr>{cells}</tr>" for cells in body)
        + "\n</tbody>\n</table>"
    )


def _style(number: bool, one_line: bool) -> str:
    # JupyterLab aligns cells to the right, which is right for numbers only.
    align = f"text-align: {'right' if number else 'left'}; vertical-align: top"
    return f' style="{align}{"; white-space: nowrap" if one_line else ""}"'


def _is_short(rows: Iterable[Sequence[str]], column: int) -> bool:
    lines = (line for row in rows for cell in row[column : column + 1] for line in cell.split("\n"))
    return all(len(line) <= LONG for line in lines)


class _Marked(str):
    """A text with parts of a frame in it, which are underlined as `PARTS` says.

    parts: pairs of a key of `PARTS`, or "", and a text.
    """

    def __new__(cls, *parts: tuple[str, str]) -> _Marked:
        self = super().__new__(cls, " ".join(text for _, text in parts))
        self.html = " ".join(_underlined(kind, text) for kind, text in parts)
        return self

    html: str


def _underlined(kind: str, text: str) -> str:
    if not kind:
        return _text(text)
    line = f"border-bottom: 3px {PARTS[kind].line} {PARTS[kind].colour}"
    return f'<span style="{line}">{_text(text)}</span>'


def _html(text: str) -> str:
    return text.html if isinstance(text, _Marked) else _text(text)


def _cell(text: str, span: int, style: str, code: bool) -> str:
    content = _html(text)
    if code and content:
        # Between two lines of bytes there must be room for what is drawn below the first.
        style_of_code = ' style="line-height: 1.9"' if isinstance(text, _Marked) else ""
        content = f"<code{style_of_code}>{content}</code>"
    if any(len(word) > LONG for word in text.split()):
        style = f'{style[:-1]}; overflow-wrap: anywhere"'
    wide = f' colspan="{span}"' if span > 1 else ""
    return f"<td{wide}{style}>{content}</td>"


def _text(text: str) -> str:
    return escape(escaped(text, keep=LAYOUT)).replace("\n", "<br>")


def _rows_table(caption: str, rows: Iterable[Row]) -> str:
    cells, kinds = [], set()
    for one in rows:
        kinds |= {kind for kind, _ in one.parts}
        number, who, kind, size, shown, meaning = one.cells()
        first = (number, _ARROWS[one.who].replace(one.who, who), kind, size)
        is_text = not shown and kind != "note"  # an HTTP header needs the room of both columns
        shown = _Marked(*one.parts) if one.parts else shown
        cells.append((*first, meaning) if is_text else (*first, shown, meaning))
    head = ("#", "who", "kind", "size", "bytes", "meaning")
    legend = [(kind, part.marked(part.name)) for kind, part in PARTS.items() if kind in kinds]
    title = _Marked(("", f"{caption}:"), *legend) if legend else caption
    return html_table(title, head, cells, numbers=("#", "size"), code=("bytes",))


def transcript(value: Transcript) -> str:
    """Show the messages that passed through a cable, one in each row."""
    caption = f"Transcript, {len(value)} rows" if len(value) else "Transcript: nothing has passed"
    if value.dropped:
        limit = value.tape.pieces.maxlen
        caption += f" ({value.dropped} earlier rows were dropped: the tape keeps {limit})"
    return _rows_table(caption, value)


def row(value: Row) -> str:
    """Show one message, and a frame also bit by bit."""
    shown = _rows_table(f"Row {value.number} of a transcript", [value])
    return shown + (f"\n{anatomy(value.anatomy)}" if value.header is not None else "")


def anatomy(value: Anatomy) -> str:
    """Show a frame bit by bit."""
    rows = [
        (field.at, _Marked((field.part, field.bits)), field.name, field.meaning) for field in value
    ]
    head = ("byte", "bits", "field", "meaning")
    return html_table("A frame, field by field (RFC 6455 §5.2)", head, rows, code=("bits",))


def events(value: Events) -> str:
    """Show the events of a server."""
    return html_table(
        "Events", ("connection", "event", "text"), value.rows(), numbers=("connection",)
    )


def page_events(value: PageEvents) -> str:
    """Show the events of a page's WebSocket."""
    head = ("connection", "event", "says")
    rows = value.rows() or [("", "none yet", "")]
    return html_table("Events of the socket", head, rows, numbers=("connection",))


def plain_table(value: Table) -> str:
    """Show a lesson's own table."""
    return html_table(value.caption, value.head, value.cells())


def checkup(value: Checkup) -> str:
    """Show the doctor's findings."""
    return html_table("Check-up", HEAD, value.rows())
