"""The feedback page of one submission: short, without scripts, without what others may not see."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import bleach
from nbconvert.exporters import Exporter, HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from pygments.formatters import HtmlFormatter

from grading import tasks
from grading.inside import Shortened

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border: 1px solid #999; padding: .3rem .6rem; text-align: left; vertical-align: top; }
td.n { text-align: right; white-space: nowrap; }
.input { background: #f6f6f6; border-left: 3px solid #888; padding: .5rem; margin: .6rem 0 0; }
.output_area { border-left: 3px solid #ccc; padding: .5rem; }
.prompt, .anchor-link { display: none; }
.cell { margin: .8rem 0; }
.note { background: #fff6da; border: 1px solid #b90; padding: .1rem 1rem; }
"""
RELATIVE_LINK = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")
TAGS = bleach.ALLOWED_TAGS | {
    *("br", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre", "span"),
    *("table", "tbody", "td", "th", "thead", "tr"),
}
SHOWN = ("text/plain", "image/png", "image/jpeg")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Page(Exporter):
    """Turns a graded notebook into its feedback page."""

    file_extension = ".html"

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **options: Any) -> Any:
        """Return the page's HTML."""
        nb, resources = super().from_notebook_node(nb, resources=resources, **options)
        name = resources["nbgrader"]["assignment"]
        wanted = tasks.load(Path.cwd(), name)
        return page(nb, wanted, resources["nbgrader"]), resources


def page(nb: NotebookNode, wanted: tasks.Set, grades: Any) -> str:
    """Return the page of a graded notebook; grades: "student", "score" and "max_score"."""
    titles = {f"check-{task.name}": task.title for task in wanted.tasks}
    rows = [_row(cell, titles) for cell in nb.cells if _graded(cell)]
    odd = nb.metadata.get("wslab", {})
    notes = [str(note) for note in odd.get("notes", [])]
    if odd.get("ended"):
        notes.insert(0, f"The notebook did not run to its end: {odd['ended']}.")
    table = (
        f"<table><tr><th>task</th><th>points</th><th>what the check says</th></tr>{''.join(rows)}"
        f"<tr><th>all</th><td class='n'>{grades['score']:g} of {grades['max_score']:g}</td>"
        "<td></td></tr></table>"
    )
    box = "".join(f"<li>{escape(note)}</li>" for note in notes)
    table += f"<div class='note'><p>To know:</p><ul>{box}</ul></div>" if box else ""
    return _html(f"{wanted.name}: {grades['student']}", table + _body(nb, wanted))


def excuse(name: str, student: str, reason: str) -> str:
    """Return the page of a submission that could not be graded."""
    return _html(f"{name}: {student}", f"<p>Not graded. {escape(reason)}</p>")


def _html(title: str, body: str) -> str:
    style = STYLE + str(HtmlFormatter().get_style_defs(".highlight"))
    return (
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
        f"<style>{style}</style></head>"
        f"<body class='mathjax_ignore'><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _graded(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def _row(cell: NotebookNode, titles: dict[str, str]) -> str:
    meta = cell.metadata["nbgrader"]
    errors = [ANSI.sub("", out.evalue) for out in cell.outputs if out.output_type == "error"]
    says = errors[0].split("\n")[0][:200] if errors else "✓ solved"
    title = escape(titles.get(meta["grade_id"], meta["grade_id"]))
    score = f"{meta['score'] or 0:g} of {meta['points']:g}"
    return f"<tr><td>{title}</td><td class='n'>{score}</td><td>{escape(says)}</td></tr>"


def _body(nb: NotebookNode, wanted: tasks.Set) -> str:
    """Return the cells as HTML, without hidden tests, dead links and the learner's own progress."""
    hidden = {
        line.strip() for task in wanted.tasks for line in task.check.splitlines()
        if line.strip() and line not in task.shown.splitlines()
    }  # fmt: skip
    kept = []
    for cell in nb.cells:
        cell.source = tasks.without_hidden(cell.source) if _graded(cell) else cell.source
        if cell.cell_type == "markdown":
            cell.source = RELATIVE_LINK.sub(r"\1", cell.source)
        if cell.source.startswith(("## What you have done", "**Back to**", *tasks.REPORTS)):
            continue
        comment = (cell.metadata.get("nbgrader", {}).get("comment") or "").strip()
        if cell.cell_type == "code":
            short = Shortened()
            made = [_clean(out, short, hidden) for out in cell.outputs]
            cell.outputs = [output for output in made if output.get("data", True)]
        cell.source = Shortened().text(cell.source)
        kept.append(cell)
        if comment not in ("", "No response."):
            kept.append(new_markdown_cell(f"**Comment:** {comment}"))
    nb.cells = kept
    exporter = HTMLExporter(template_name="basic", sanitize_html=True)
    exporter.register_filter("clean_html", _clean_html)
    return str(exporter.from_notebook_node(nb)[0])


def _clean_html(html: object) -> str:
    """Leave text and its structure; a student's page must not do anything in somebody's browser."""
    return bleach.clean(str(html), tags=TAGS, attributes={"*": ["class", "id"], "a": ["href"]})


def _clean(output: NotebookNode, short: Shortened, hidden: set[str]) -> NotebookNode:
    """Cut an output, and take out lines that hold a hidden test."""
    made = NotebookNode(short.content(output))
    if "data" in made:  # our own tables have a text form too
        made.data = {kind: value for kind, value in made.data.items() if kind in SHOWN}
    if "traceback" in made:
        made.traceback = [_without(text, hidden) for text in made.traceback]
    for kept, key in ((made, "text"), (made.get("data", {}), "text/plain")):
        if key in kept:
            kept[key] = _without(kept[key], hidden)
    return made


def _without(text: str, hidden: set[str]) -> str:
    return "\n".join(line for line in text.split("\n") if not _tells(line, hidden))


def _tells(line: str, hidden: set[str]) -> bool:
    plain = ANSI.sub("", line)
    return any(secret in plain for secret in hidden) or bool(re.search(r"\bseed\s*=\s*\d", plain))
