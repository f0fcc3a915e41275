"""Cells that need more than a web page has: those with a tag, and those that use their names.

A tag says what a cell needs: `needs-process` is a second process, `needs-browser` is a browser that
reaches the server, and `needs-package` is a package that no page brings along. CPython with the
network in memory has all packages and lacks the rest. Names are followed from cell to cell: a cell
that uses a name of such a cell is skipped too, and so are those that use its own names.

    python tests/notebooks/needs.py        lists the cells of all lessons
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
# The lessons that run both ways, with their exercises.
BOTH_WAYS = ("00", "02", "03", "04", "06", "07", "08")
PREFIX = "needs-"
IN_PAGE_ALONE = {"needs-package"}
KINDS = {"needs-process", "needs-browser"} | IN_PAGE_ALONE

Names = set[str]


class Uses(ast.NodeVisitor):
    """The names that code takes from earlier cells (`used`), and those that it binds."""

    def __init__(self) -> None:
        self.used: Names = set()
        self.bound: Names = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.used |= {node.id} - self.bound
        else:
            self.bound.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        self.used |= names - self.bound

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.visit(node.target)
        for each in (*node.body, *node.orelse):
            self.visit(each)

    visit_AsyncFor = visit_For  # type: ignore[assignment]

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.bound |= {node.name} if node.name else set()
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self.bound.add((node.asname or node.name).partition(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.bound |= {node.name} if node.name else set()
        self.generic_visit(node)

    def _inside(self, *parts: ast.AST, own: Names) -> None:
        """Look into a function or a comprehension, whose own names are not the cell's."""
        inner = Uses()
        inner.bound = set(own)
        for part in parts:
            inner.visit(part)
        self.used |= inner.used - inner.bound - self.bound

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bound.add(node.name)
        for each in (*node.decorator_list, node.args):
            self.visit(each)
        self._inside(*node.body, own=parameters(node.args))

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bound.add(node.name)
        for each in (*node.decorator_list, *node.bases):
            self.visit(each)
        self._inside(*node.body, own=set())

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._inside(node.body, own=parameters(node.args))

    def visit_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._inside(*node.generators, *results, own=set())

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # type: ignore[assignment]

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)
        self.visit(node.target)
        for condition in node.ifs:
            self.visit(condition)


def parameters(arguments: ast.arguments) -> Names:
    return {each.arg for each in ast.walk(arguments) if isinstance(each, ast.arg)}


def uses(source: str) -> Uses:
    """Look at a cell's source, which may have IPython's magics."""
    found = Uses()
    found.visit(ast.parse(TransformerManager().transform_cell(source)))
    return found


def skipped(nb: NotebookNode, *, in_page: bool = False) -> dict[int, str]:
    """Return the cells that need more than there is in memory, by index, and the reason.

    in_page: whether to return those that need more than a page has.
    """
    lacking = KINDS if in_page else KINDS - IN_PAGE_ALONE
    found: dict[int, str] = {}
    tainted: dict[str, str] = {}  # a name, and the reason why it is missing
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "code":
            continue
        seen = uses(cell.source)
        tags = [tag for tag in cell.metadata.get("tags", []) if tag in lacking]
        reason = tags[0] if tags else ""
        for name in sorted(seen.used & tainted.keys()):
            reason = reason or f"uses {name}: {tainted[name]}"
        if reason:
            found[index] = reason
            tainted |= dict.fromkeys(seen.bound, reason.rpartition(": ")[2])
        else:
            tainted = {name: why for name, why in tainted.items() if name not in seen.bound}
    return found


def in_pyodide() -> list[Path]:
    """Return the notebooks whose cells are compared in a page's Python, too."""
    notebooks = ROOT / "notebooks"
    return [*sorted(notebooks.glob("0[02-8]_*.ipynb")), notebooks / "glossary.ipynb"]


def lessons() -> Iterator[Path]:
    """Yield the lessons that run both ways, and the sources of their exercises."""
    for folder in ("notebooks", "notebooks/exercises/source/*"):
        for number in BOTH_WAYS:
            yield from sorted(ROOT.glob(f"{folder}/{number}_*.ipynb"))


if __name__ == "__main__":
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        for index, reason in skipped(nbformat.read(path, as_version=4), in_page=True).items():
            print(f"{path.name}, cell {index}: {reason}")
