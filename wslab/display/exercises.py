"""HTML for the exercises' values. They are registered by name: lessons do without them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from wslab.display.html import table
from wslab.lab.tables import LAYOUT, escaped

if TYPE_CHECKING:
    from wslab.exercises.conformance.grid import Grid
    from wslab.exercises.overview import Progress
    from wslab.exercises.verdict import Verdict

__all__ = ["RENDERERS", "grid", "progress", "verdict"]

# Both readable on white and on black, and told apart by the sign inside as well.
_COLOURS = {"✓": "#1b7f3b", "✗": "#c0392b", "–": "#8a8a8a"}


def _text(text: str) -> str:
    return escape(escaped(text, keep=LAYOUT))


def verdict(value: Verdict) -> str:
    """Show what became of an answer."""
    first, *rest = repr(value).split("\n")
    more = f"<pre>{_text(chr(10).join(rest))}</pre>" if rest else ""
    return f'<div class="wslab"><strong>{_text(first)}</strong>{more}</div>'


def progress(value: Progress) -> str:
    """Show what is solved, task by task."""
    return table(value.caption, value.HEAD, value.rows())


def grid(value: Grid) -> str:
    """Show a square for each rule, with a sign in it, and below them what went wrong."""
    rows = []
    for group, role, cells in value.lines():
        squares = "".join(_square(mark, title) for mark, title in cells)
        solved = sum(mark == "✓" for mark, _ in cells)
        rows.append(
            f'<tr><td style="text-align: left">{_text(group)}</td>'
            f'<td style="text-align: left">{_text(role)}</td>'
            f'<td style="text-align: right">{solved}/{len(cells)}</td>'
            f'<td style="text-align: left; white-space: normal">{squares}</td></tr>'
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("rules", "as", "kept", "each"))
    body = "\n".join(rows)
    shown = (
        f'<table class="wslab"><caption>{_text(value.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )
    failures = value.failures()
    return shown + (table("Not kept", value.HEAD, failures) if failures else "")


def _square(mark: str, title: str) -> str:
    style = f"background: {_COLOURS[mark]}; color: white; display: inline-block; width: 1.4em"
    style += "; margin: 1px; text-align: center"
    return f'<span style="{style}" title="{_text(title)}">{mark}</span>'


RENDERERS: dict[str, Callable[[Any], str]] = {
    "wslab.exercises.verdict.Verdict": verdict,
    "wslab.exercises.overview.Progress": progress,
    "wslab.exercises.conformance.grid.Grid": grid,
}
