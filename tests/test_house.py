"""The house's rules for tests: they look at behaviour, and no wall clock decides."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SOURCES = [path for path in sorted(TESTS.rglob("*.py")) if "node_modules" not in path.parts]

CLOCKS = {"monotonic", "perf_counter", "process_time", "monotonic_ns", "perf_counter_ns"}
# Public, whatever they look like: of named tuples, of anywidget.
PUBLIC = {"_replace", "_fields", "_asdict", "_make", "_esm", "_css"}

# What cannot be tested in another way, with the reason.
PRIVATE = {
    ("lab/test_loop.py", "_current_frames"): "of sys: no other way to see where a thread is",
    ("protocol/test_connection.py", "_fail"): "no violation has a reason as long as this",
    ("lab/test_registry.py", "_stop"): "meets a connection in the turn in which it is accepted",
}
TIMED: dict[str, str] = {}
# Still to be mended: this list only gets shorter.
OPEN = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def private(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of each private attribute that belongs to something else.

    >>> list(private(ast.parse("room._log; self._x; row._replace(a=1); x.__name__")))
    [(1, '_log')]
    """
    own = {"self", "cls", "mcs"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr[0] == "_" != node.attr[-1]:
            mine = isinstance(node.value, ast.Name) and node.value.id in own
            if not mine and node.attr not in PUBLIC and not _is_super(node.value):
                yield node.lineno, node.attr


def _is_super(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    )


def timed(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and test of each assertion about how long something took.

    >>> code = "def test_a():\\n t = monotonic()\\n assert monotonic() - t < 5"
    >>> list(timed(ast.parse(code)))
    [(3, 'test_a')]
    >>> code = "def test_b():\\n t = monotonic()\\n took = monotonic() - t\\n assert took < 5"
    >>> list(timed(ast.parse(code)))
    [(4, 'test_b')]
    """
    for function in ast.walk(tree):
        if not isinstance(function, Function):
            continue
        spans = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and _reads_clock(node.value) and _subtracts(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                names = {name.id for name in ast.walk(node.test) if isinstance(name, ast.Name)}
                if _reads_clock(node.test) or names & spans:
                    yield node.lineno, function.name


def _reads_clock(tree: ast.AST) -> bool:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
    return bool(names & CLOCKS)


def _subtracts(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Sub) for node in ast.walk(tree))


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


@cache
def found(rule: Callable[[ast.AST], Iterator[tuple[int, str]]]) -> list[tuple[str, int, str]]:
    """Return what a rule finds in the tests, as file, line and name."""
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    return [(name, *one) for name, tree in trees.items() for one in rule(tree)]


def test_tests_look_at_behaviour() -> None:
    """A test that reaches into private attributes breaks when nothing has."""
    assert [one for one in found(private) if (one[0], one[2]) not in PRIVATE] == []


def test_no_wall_clock_decides() -> None:
    """A busy machine is slow: count steps, or compare with a peer in the same run."""
    assert [one for one in found(timed) if f"{one[0]}::{one[2]}" not in TIMED] == []


def test_exceptions_are_needed() -> None:
    assert PRIVATE.keys() - {(name, attr) for name, _, attr in found(private)} == set()
    assert TIMED.keys() - {f"{name}::{test}" for name, _, test in found(timed)} == set()
