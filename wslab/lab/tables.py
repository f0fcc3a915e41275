"""Plain text tables, as the lab's values print in a terminal and in a notebook's text output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wslab.protocol.quoting import escaped, printable

__all__ = ["LAYOUT", "ROWS", "Table", "escaped", "excerpt", "hex_bytes", "printable"]
__all__ += ["shortened", "text_table"]

LAYOUT = "\n\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}"  # kept in tables
ROWS, CELL, CHARACTERS = 200, 4000, 200_000  # a table's rows, a cell's and a table's characters


class Table(NamedTuple):
    """Rows under headings, shown as HTML in a notebook and as text elsewhere.

    head: the headings. rows: as many values each; `str` turns them into text.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""

    def cells(self) -> list[list[str]]:
        """Return the rows as text."""
        return [[str(value) for value in row] for row in self.rows]

    def __repr__(self) -> str:
        """Render as text."""
        return text_table(self.head, self.cells())


def _width(text: str) -> int:
    """Return how many columns a text takes in a terminal, two for each Chinese character."""
    if text.isascii():
        return len(text)
    import unicodedata  # few scripts need this library

    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align rows under their headings. A cell may have several lines; the last column is free.

    A short row's last cell takes the rest of the columns.
    If there are very many rows, or very long ones, it shows an `excerpt`, and says so.

    >>> print(text_table(["who", "what"], [["client", "Hello"], ["server", "Hi"]]))
    who     what
    client  Hello
    server  Hi
    """
    lines: list[list[str]] = []
    first, note, last = excerpt(rows)
    middle = [["…"] + [""] * (len(head) - 2) + [note]] if note else []
    for row in (head, *first, *middle, *last):
        cells = [escaped(cell, keep=LAYOUT).split("\n") for cell in row]
        for i in range(max(map(len, cells))):
            lines.append([cell[i] if i < len(cell) else "" for cell in cells])
    widths = [
        max(_width(line[i]) for line in lines if i + 1 < len(line)) for i in range(len(head) - 1)
    ]
    return "\n".join(
        "  ".join(
            [cell + " " * (w - _width(cell)) for cell, w in zip(line[:-1], widths, strict=False)]
            + [line[-1]]
        ).rstrip()
        for line in lines
    )


def shortened(text: str, limit: int, where: str) -> str:
    """Cut a text of more than limit characters; say how many are left out, and where to find them.

    >>> shortened("Hello", 2, "see .text")
    'He … 3 more characters, see .text'
    """
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]} … {left_out:,} more characters, {where}"


def excerpt(rows: Iterable[Sequence[str]]) -> tuple[list[list[str]], str, list[list[str]]]:
    """Choose the rows that a table shows, all of them, or the first and the last ones.

    Returns the first rows, a note about those left out ("" if there are none), and the last rows.
    """
    every = [[shortened(cell, CELL, "look at the value itself") for cell in row] for row in rows]
    if len(every) <= ROWS and sum(len(cell) for row in every for cell in row) <= CHARACTERS:
        return every, "", []
    first = _half(every)
    size, rest = len(first), every[len(first) :]
    last = _half(rest[::-1])[::-1]
    left_out = len(rest) - len(last)
    note = f"{left_out:,} rows are left out: look at a slice, such as [{size}:{size + ROWS}]"
    return first, note if left_out else "", last


def _half(rows: Iterable[list[str]]) -> list[list[str]]:
    taken: list[list[str]] = []
    room = CHARACTERS // 2
    for row in rows:
        room -= sum(map(len, row))
        if taken and (room < 0 or len(taken) == ROWS // 2):
            break
        taken.append(row)
    return taken


def hex_bytes(data: bytes, limit: int = 16) -> str:
    """Write bytes as two hex digits each, at most limit of them.

    >>> hex_bytes(b"Hello", 3)
    '48 65 6c …'
    """
    return data[:limit].hex(" ") + (" …" if len(data) > limit else "")
