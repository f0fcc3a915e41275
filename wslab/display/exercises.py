"""HTML for the exercises' values. They are registered by name, because lessons do not need them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from wslab.display.html import CLASSES, html_table
from wslab.lab.tables import LAYOUT, escaped

if TYPE_CHECKING:
    from wslab.exercises.conformance.grid import Grid
    from wslab.exercises.course import CourseMap
    from wslab.exercises.engine.overview import Progress
    from wslab.exercises.engine.verdict import Verdict

__all__ = ["RENDERERS", "course_html", "grid_html", "progress_html", "verdict"]

# All are readable on white and on black, and the sign inside tells them apart as well.
_COLOURS = {"✓": "#1b7f3b", "✗": "#c0392b", "–": "#8a8a8a"}


_LEFT = ' style="text-align: left"'


def _text(text: str) -> str:
    return escape(escaped(text, keep=LAYOUT))


def verdict(value: Verdict) -> str:
    """Show the verdict on an answer."""
    first, *rest = repr(value).split("\n")
    more = f"<pre>{_text(chr(10).join(rest))}</pre>" if rest else ""
    # A line at the side, as in the widgets (browser/widgets.css)
    line = (
        f"border-left: 3px solid {_COLOURS.get(value.outcome.mark, '#8a8a8a')}; padding-left: 8px"
    )
    return f'<div class="{CLASSES}" style="{line}"><strong>{_text(first)}</strong>{more}</div>'


def progress_html(value: Progress) -> str:
    """Show the solved and open tasks."""
    return html_table(value.caption, value.HEAD, value.rows())


def course_html(value: CourseMap) -> str:
    """Show the lessons, and how much of each is done."""
    return html_table(value.caption, value.HEAD, value.rows(), numbers=value.HEAD[1:])


def grid_html(value: Grid) -> str:
    """Show a square with a sign for each rule, and below them the failures."""
    rows = []
    for group, role, cells in value.lines():
        runs = groupby(cells, key=lambda cell: cell[0])
        squares = "".join(_run(mark, [title for _, title in run]) for mark, run in runs)
        solved = sum(mark == "✓" for mark, _ in cells)
        rows.append(
            f'<tr><td style="text-align: left">{_text(group)}</td>'
            f'<td style="text-align: left">{_text(role)}</td>'
            f'<td style="text-align: right">{solved}/{len(cells)}</td>'
            f'<td style="text-align: left; white-space: normal">{squares}</td></tr>'
        )
    head = "".join(
        f'<th scope="col"{_LEFT}>{name}</th>' for name in ("rules", "as", "kept", "each")
    )
    body = "\n".join(rows)
    shown = (
        f'<table class="{CLASSES}"><caption>{_text(value.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )
    failures = value.failures()
    return shown + (html_table("Not kept", value.HEAD, failures) if failures else "")


def _run(mark: str, titles: list[str]) -> str:
    """Show neighbours of the same colour, with one style for all and a name for each."""
    style = f"background: {_COLOURS[mark]}; color: white; letter-spacing: 0.3em; padding: 2px 0"
    signs = "<wbr>".join(f'<span title="{_text(title)}">{mark}</span>' for title in titles)
    return f'<span style="{style}">{signs}</span>'


RENDERERS: dict[str, Callable[[Any], str]] = {
    "wslab.exercises.engine.verdict.Verdict": verdict,
    "wslab.exercises.course.CourseMap": course_html,
    "wslab.exercises.engine.overview.Progress": progress_html,
    "wslab.exercises.conformance.grid.Grid": grid_html,
}
