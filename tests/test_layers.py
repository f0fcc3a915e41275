"""The house's rules, read off the source: who imports whom, what is documented, what is short.

Imports run one way: `protocol` ← `net` ← `lab` ← `scratch` ← `kit` ← `browser` ← `apps` ←
`exercises`, and no app imports another; `display` may read them all, and only the face,
`wslab/__init__.py` and `wslab/__main__.py`, imports it. `protocol` turns bytes into values and
back, so it imports nothing that could do anything else.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "wslab"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROTOCOL = [path for path in SOURCES if path.is_relative_to(PACKAGE / "protocol")]

# From the lowest to the highest; `lazy` is one module.
LAYERS = ("lazy", "protocol", "net", "lab", "scratch", "kit", "browser", "apps", "exercises")
ROOMS = (*LAYERS, "display")
FACE = ("__init__", "__main__", "conformance")  # what is started, or imported, by its name

# All that `protocol` may import: modules that compute. `http` has an enumeration and clients.
PURE = {
    *(
        "__future__",
        "abc",
        "base64",
        "binascii",
        "codecs",
        "collections",
        "contextlib",
        "dataclasses",
    ),
    *(
        "enum",
        "functools",
        "hashlib",
        "hmac",
        "http.HTTPStatus",
        "itertools",
        "json",
        "math",
        "operator",
    ),
    *("ipaddress", "re", "string", "struct", "types", "typing", "urllib.parse", "zlib"),
    "importlib.import_module",
    "websockets.speedups",
}
BUILTIN_IO = {"open", "print", "input", "breakpoint", "__import__"}

MODULE_LINES = 300
FUNCTION_LINES = 40
FOLDER_MODULES = 14
APP_MODULES = 3  # of an application from lesson 10 on: its mechanisms are the kit's
# Of lessons 01 to 09, which had to build the mechanisms first.
EARLY_APPS = {"attacks", "chat", "echo", "heartbeat", "reconnect", "socketio", "transports"}
CROWDED = ("exercises/sets",)  # one module per lesson
# Modules that are longer all the same, with the length they may grow to.
LONGER: dict[str, int] = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function


def name_of(path: Path) -> str:
    """Return the dotted name of a module of the package.

    >>> name_of(PACKAGE / "lab" / "__init__.py"), name_of(PACKAGE / "lab" / "loop.py")
    ('wslab.lab', 'wslab.lab.loop')
    """
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that is imported anywhere in a module.

    package: the dotted name that the module's relative imports start from.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package.rsplit(".", level - 1)[0] if level else ""
                source = ".".join(filter(None, (base, module)))
                yield from ((node.lineno, f"{source}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def wrong_way(room: str, name: str, app: str = "") -> bool:
    """Tell whether a module in this room must not import this name. app: its folder in `apps`."""
    top, _, rest = name.partition(".")
    if top != "wslab" or room in FACE:
        return False
    target, _, inside = rest.partition(".")
    if room == target == "apps" and inside.partition(".")[0] != app:
        return True
    if target not in ROOMS:
        return True  # the face itself, or a room that nobody knows
    if room == "display":
        return False
    return target == "display" or LAYERS.index(target) > LAYERS.index(room)


def is_pure(name: str) -> bool:
    """Tell whether `protocol` may import this name: it, or what it is a part of, is listed."""
    parts = name.split(".")
    listed = {".".join(parts[:size]) for size in range(1, len(parts) + 1)}
    return bool(listed & PURE) or parts[:2] == ["wslab", "protocol"]


def violations(tree: ast.Module, path: Path) -> list[str]:
    """Return what a module does against the rules, as texts of the form "line 3: …"."""
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    package = name_of(path) if path.stem == "__init__" else name_of(path).rpartition(".")[0]
    app = path.relative_to(PACKAGE).parts[1] if room == "apps" else ""
    found = [(line, name) for line, name in imports(tree, package) if wrong_way(room, name, app)]
    if room == "protocol":
        found += [(line, name) for line, name in imports(tree, package) if not is_pure(name)]
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        found += [
            (call.lineno, f"{call.func.id}()")
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id in BUILTIN_IO
        ]
    return [f"line {line}: {name}" for line, name in sorted(set(found))]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def public(tree: ast.Module) -> set[str]:
    """Return the names in __all__, without one the names that do not begin with an underscore.

    A sum of other modules' lists offers nothing of its own: each is checked where it is written.
    """
    names: set[str] = set()
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List() as value)
                | ast.AugAssign(target=ast.Name(id="__all__"), value=ast.List() as value)
            ):
                names.update(ast.literal_eval(value))
    if names:
        return names
    return {node.name for node in tree.body if isinstance(node, Definition) and node.name[0] != "_"}


def definitions(tree: ast.Module) -> dict[str, Definition]:
    return {node.name: node for node in tree.body if isinstance(node, Definition)}


def bound(tree: ast.Module) -> set[str]:
    """Return the names that a module's own level gives a value, wherever that is written."""
    names = set(definitions(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
    return names


def length(node: Definition) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def breaches(rule: Callable[[Path], object]) -> dict[str, object]:
    """Return what a rule finds in the package, by the module's name; empty if all keep to it."""
    found = {path.relative_to(PACKAGE.parent).as_posix(): rule(path) for path in SOURCES}
    return {name: what for name, what in found.items() if what}


def test_every_module_is_in_a_room() -> None:
    assert PROTOCOL
    tops = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES}
    assert tops <= {*ROOMS, *FACE}


def test_imports_run_one_way() -> None:
    assert breaches(lambda path: violations(parse(path), path)) == {}


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("protocol/x.py", "import asyncio", "asyncio"),
        ("protocol/x.py", "import time as t", "time"),
        ("protocol/x.py", "def f():\n    from os import urandom", "os.urandom"),
        ("protocol/x.py", "if 1:\n    import secrets, re", "secrets"),
        ("protocol/x.py", "from http import client", "http.client"),
        ("protocol/x.py", "import http.server", "http.server"),
        ("protocol/x.py", "import urllib.request", "urllib.request"),
        ("protocol/x.py", "import websockets", "websockets"),
        ("protocol/x.py", "from websockets import speedups, connect", "websockets.connect"),
        ("protocol/x.py", "import collections_abc", "collections_abc"),
        ("protocol/x.py", "import_module('socket')", "socket"),
        ("protocol/x.py", "importlib.import_module('ssl')", "ssl"),
        ("protocol/x.py", "print(1)", "print()"),
        ("protocol/x.py", "from wslab.lab import serve", "wslab.lab.serve"),
        ("protocol/x.py", "from wslab import lab", "wslab.lab"),
        ("protocol/x.py", "from .. import lab", "wslab.lab"),
        ("protocol/x.py", "from ..lab.loop import run", "wslab.lab.loop.run"),
        ("protocol/__init__.py", "from ..display import table", "wslab.display.table"),
        ("lab/x.py", "from wslab.apps import chat", "wslab.apps.chat"),
        ("lab/x.py", "import wslab", "wslab"),
        ("lab/x.py", "from wslab import doctor", "wslab.doctor"),
        ("lab/x.py", "async def f():\n    import wslab.browser", "wslab.browser"),
        ("browser/x.py", "from wslab import apps", "wslab.apps"),
        ("net/x.py", "from wslab.lab import serve", "wslab.lab.serve"),
        (
            "lab/x.py",
            "from wslab.scratch import serve_from_scratch",
            "wslab.scratch.serve_from_scratch",
        ),
        ("scratch/x.py", "from wslab.kit import log", "wslab.kit.log"),
        ("kit/x.py", "from wslab.browser import widget", "wslab.browser.widget"),
        ("apps/chat/x.py", "from wslab.exercises import check", "wslab.exercises.check"),
        ("apps/chat/x.py", "from wslab.apps.heartbeat import x", "wslab.apps.heartbeat.x"),
        ("apps/chat/x.py", "from wslab.apps import socketio", "wslab.apps.socketio"),
        ("apps/chat/x.py", "from ..socketio import packets", "wslab.apps.socketio.packets"),
        ("apps/deep/x.py", "from ... import display", "wslab.display"),
        ("exercises/x.py", "from wslab.display import html", "wslab.display.html"),
        ("display/x.py", "from wslab import serve", "wslab.serve"),
    ],
)
def test_the_checker_sees(module: str, source: str, found: str) -> None:
    seen = violations(ast.parse(source), PACKAGE / module)
    assert [text.partition(": ")[2] for text in seen] == [found]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("__init__.py", "from wslab import display, exercises\nimport asyncio"),
        ("__main__.py", "import wslab.display"),
        ("display/x.py", "from wslab.exercises import check\nfrom ..apps import chat"),
        ("exercises/x.py", "from wslab import apps, protocol\nimport socket"),
        ("apps/chat/x.py", "from wslab.apps.chat import room\nfrom wslab import kit"),
        ("apps/chat/x.py", "from . import room"),
        ("kit/x.py", "from wslab import scratch, net"),
        ("lab/x.py", "from . import loop\nfrom ..protocol import frames\nimport asyncio"),
        ("protocol/x.py", "from collections.abc import Iterable\nfrom .errors import PeerError"),
        ("protocol/x.py", "from http import HTTPStatus\nfrom wslab.protocol import frames"),
    ],
)
def test_the_checker_lets_pass(module: str, source: str) -> None:
    assert violations(ast.parse(source), PACKAGE / module) == []


def dependencies() -> dict[str, set[str]]:
    """Return for each module of the package the modules that it imports, type-only or not.

    A package stands for its `__init__`: a name that is imported from it is followed to the module
    of that name, if there is one.
    """
    modules = {name_of(path): path for path in SOURCES}
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        package = module if path.stem == "__init__" else module.rpartition(".")[0]
        names = {name for _, name in imports(parse(path), package)}
        found[module] = {
            target
            for name in names
            for target in (name, name.rpartition(".")[0])
            if target in modules and target != module and (target == name or name not in modules)
        }
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle; empty if there is none.

    >>> circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    ['a', 'b', 'c', 'a']
    >>> circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    []
    """
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for target in sorted(graph[module]):
            if found := visit(target, [*way, module]):
                return found
        done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in sorted(graph))), [])


def test_no_circles() -> None:
    assert circle(dependencies()) == []


def test_folders_are_small() -> None:
    """More than 14 modules in a folder are two rooms."""
    folders = {path.parent for path in SOURCES if path.parent != PACKAGE}
    sizes = {
        folder.relative_to(PACKAGE).as_posix(): len(list(folder.glob("*.py"))) for folder in folders
    }
    assert {name for name, size in sizes.items() if size > FOLDER_MODULES} <= set(CROWDED)


def test_applications_are_small() -> None:
    """From lesson 10 on, an application has its scenario and at most two files beside it."""
    sizes = {
        folder.name: len(list(folder.rglob("*.py")))
        for folder in [path.parent for path in (PACKAGE / "apps").glob("*/__init__.py")]
    }
    assert sizes.keys() >= EARLY_APPS
    late = {name: size for name, size in sizes.items() if name not in EARLY_APPS}
    assert {name: size for name, size in late.items() if size > APP_MODULES} == {}


def test_the_toy_application_keeps_the_rules() -> None:
    """What CONTRIBUTING.md says of an application is possible: tests/toy_app is one."""
    files = sorted((PACKAGE.parent / "tests" / "toy_app" / "dice").rglob("*.py"))
    assert 0 < len(files) <= APP_MODULES
    for file in files:
        inside = PACKAGE / "apps" / "dice" / file.name
        assert violations(parse(file), inside) == []


def test_a_name_has_one_meaning() -> None:
    """A public class or function; `serve` starts an app's server everywhere, `main` a program.

    A task bears the name of the function that it asks for.
    """
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        if path.parent.name != "sets":
            for name in definitions(parse(path)):
                if name[0] != "_" and name not in ("main", "serve"):
                    homes.setdefault(name, []).append(name_of(path))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def undocumented(path: Path) -> list[str]:
    """Return the public names of a module, and their public methods, that have no docstring.

    Constants have none; a name from elsewhere is looked at where it is defined.
    """
    tree = parse(path)
    lacking = [] if ast.get_docstring(tree) else ["the module itself"]
    for name, node in definitions(tree).items():
        if name in public(tree):
            members = node.body if isinstance(node, ast.ClassDef) else []
            functions = [member for member in members if isinstance(member, Function)]
            named = [(f"{name}.{f.name}", f) for f in functions if not f.name.startswith("_")]
            lacking += [
                full for full, each in [(name, node), *named] if not ast.get_docstring(each)
            ]
    return lacking


def test_public_names_are_documented() -> None:
    assert breaches(undocumented) == {}


def test_names_offered_exist() -> None:
    def missing(path: Path) -> set[str]:
        tree = parse(path)
        lazy = "__getattr__" in definitions(tree)  # PEP 562: names that are loaded when first used
        return set() if lazy else public(tree) - bound(tree)

    assert breaches(missing) == {}


def test_modules_are_short() -> None:
    """About 250 lines is the aim: a module that grows beyond it is two ideas."""

    def too_long(path: Path) -> int:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        name = path.relative_to(PACKAGE.parent).as_posix()
        return lines if lines > LONGER.get(name, MODULE_LINES) else 0

    assert breaches(too_long) == {}


def test_exceptions_are_needed() -> None:
    for name in LONGER:
        lines = (PACKAGE.parent / name).read_text(encoding="utf-8").count("\n")
        assert lines > MODULE_LINES, f"{name} is short enough now"


def test_functions_are_short() -> None:
    """About 30 lines, docstring included, is the aim."""

    def too_long(path: Path) -> list[str]:
        functions = [node for node in ast.walk(parse(path)) if isinstance(node, Function)]
        return [f.name for f in functions if length(f) > FUNCTION_LINES]

    assert breaches(too_long) == {}


def test_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
