"""Cells that need more than the network in memory: few, and each says what it needs."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from needs import BOTH_WAYS, KINDS, PREFIX, in_pyodide, lessons, skipped, uses

MOST = 0.05  # of the cells of these lessons may be skipped
LACKS = "which the edition in a web page does not have."
SAYS = {
    "needs-process": f"second process, {LACKS}",
    "needs-browser": f"that your browser can reach, {LACKS}",
    "needs-package": f"needs this package, {LACKS}|"
    "needs? NumPy, which the edition in a web page can only load from the Internet.",
}


def notebook(*cells):
    made = []
    for cell in cells:
        source, *tags = cell if isinstance(cell, tuple) else (cell,)
        made.append(new_code_cell(source, metadata={"tags": tags}))
    return new_notebook(cells=made)


@pytest.mark.parametrize("paths", [[*lessons()], in_pyodide()], ids=["both ways", "in Pyodide"])
def test_few_cells_are_skipped(paths):
    count = found = 0
    for path in paths:
        nb = nbformat.read(path, as_version=4)
        count += sum(cell.cell_type == "code" for cell in nb.cells)
        found += len(skipped(nb, in_page=True))
    assert {path.name[:2] for path in paths} >= set(BOTH_WAYS)
    assert 0 < found <= MOST * count


@pytest.mark.parametrize("path", sorted({*lessons(), *in_pyodide()}), ids=lambda path: path.stem)
def test_each_says_what_it_needs(path):
    prose = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            prose = cell.source
            continue
        tags = {tag for tag in cell.metadata.get("tags", []) if tag.startswith(PREFIX)}
        assert tags <= KINDS
        for tag in tags:
            assert re.search(SAYS[tag], prose)


def test_names_are_followed():
    nb = notebook(
        ("program = start()", "needs-process"),
        "program.pid + 1",
        "x = program",
        "def later():\n    return x",
        "later()",
        "[later for later in range(3)]",
        "program = x = 1",
        "program + x",
        "lambda: later",
    )
    assert skipped(nb) == {
        0: "needs-process",
        1: "uses program: needs-process",
        2: "uses program: needs-process",
        3: "uses x: needs-process",
        4: "uses later: needs-process",
        8: "uses later: needs-process",
    }


def test_packages_are_missing_in_a_page_alone():
    nb = notebook(("import numpy", "needs-package"), ("start()", "needs-process"), "numpy.pi")
    assert list(skipped(nb)) == [1]
    assert list(skipped(nb, in_page=True)) == [0, 1, 2]


def test_prose_counts_as_a_cell():
    nb = notebook(("a = 1", "needs-browser"), "a")
    nb.cells.insert(1, new_markdown_cell("a"))
    assert list(skipped(nb)) == [0, 2]


@pytest.mark.parametrize(
    ("source", "used", "bound"),
    [
        ("a = a + 1", "a", "a"),
        ("a += b", "ab", ""),
        ("async with f() as a:\n    await a.b()", "f", "a"),
        ("for a in b:\n    a", "b", "a"),
        ("import a.b, c as d", "", "ad"),
        ("def f(a, b=c):\n    d = a\n    return d, e", "ce", "f"),
        ("[a for a in b if c]", "bc", ""),
        ("try:\n    a\nexcept b as c:\n    c", "ab", "c"),
        ("match a:\n    case b:\n        b", "a", "b"),
        ("%time", "", ""),
        ("class a(b):\n    c = d", "bd", "a"),
    ],
)
def test_what_a_cell_uses(source, used, bound):
    found = uses(source)
    assert (found.used - {"get_ipython"}, found.bound) == (set(used), set(bound))
