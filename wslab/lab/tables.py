"""Plain text tables: how the lab's values print, in a terminal and in a notebook's text output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wslab.protocol.quoting import escaped, printable

__all__ = ["LAYOUT", "Table", "escaped", "hex_bytes", "printable", "text_table"]

LAYOUT = "\n\N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}"  # kept in tables


class Table(NamedTuple):
    """Rows under headings: in a notebook an HTML table, elsewhere text.

    head: the headings. rows: as many values each; anything but text is shown as `str` does.
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
    """Return how many columns a terminal gives text: Chinese characters take two."""
    if text.isascii():
        return len(text)
    import unicodedata  # a library of its own, which few scripts need

    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align rows under their headings; a cell may hold several lines, the last column is free.

    >>> print(text_table(["who", "what"], [["client", "Hello"], ["server", "Hi"]]))
    who     what
    client  Hello
    server  Hi
    """
    lines: list[list[str]] = []
    for row in (head, *rows):
        cells = [escaped(cell, keep=LAYOUT).split("\n") for cell in row]
        for i in range(max(map(len, cells))):
            lines.append([cell[i] if i < len(cell) else "" for cell in cells])
    widths = [max(_width(line[i]) for line in lines) for i in range(len(head) - 1)]
    return "\n".join(
        "  ".join(
            [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=False)]
            + [line[-1]]
        ).rstrip()
        for line in lines
    )


def hex_bytes(data: bytes, limit: int = 16) -> str:
    """Write bytes as two hex digits each, at most limit of them.

    >>> hex_bytes(b"Hello", 3)
    '48 65 6c …'
    """
    return data[:limit].hex(" ") + (" …" if len(data) > limit else "")
