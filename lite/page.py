"""Give a page's Python what it lacks: packages, some of IPython's events, and Run All.

Pyodide has NumPy and Matplotlib. A page fetches them from the Internet when something of them is
first used. If that fails, stand-ins take their place. A figure then says why it is missing, and
what it would show. The rest of the lesson works as usual. A page never has the other packages.
IPython calls `install` before the first cell.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Generator, Iterator
from types import ModuleType
from typing import Any, ClassVar

OFFLINE = (
    "the page could not load {} from the Internet. When you are online, restart the kernel and run "
    "the notebook again"
)
REASONS = {
    "matplotlib": OFFLINE.format("Matplotlib"),
    "numpy": OFFLINE.format("NumPy"),
    "trustme": "a page has no trustme, which makes certificates",
    # Lessons 10 to 12 need these. They are imported also where nothing of them is used.
    "PIL": "a page has no Pillow, which makes pictures",
    "brotli": "a page has no brotli, which decompresses packets",
    "pycrdt": "a page has no pycrdt, which merges texts",
}


class Absent:
    """Stands for anything of an absent package; whatever is done with it returns it again."""

    def __init__(self, package: str) -> None:
        self._package = package

    def __repr__(self) -> str:
        return f"There is no value here, because {REASONS[self._package]}."

    def __format__(self, _spec: str) -> str:
        return f"(no {self._package})"

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def _again(self, *_values: object, **_options: object) -> Absent:
        return self

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __await__(self) -> Generator[Any, Any, Absent]:
        yield from ()
        return self

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def __lt__(self, _other: object) -> bool:
        return False

    __call__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _again
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __or__ = __ror__ = __neg__ = _again
    __gt__ = __le__ = __ge__ = __lt__


class Figure(Absent):
    """Stands for a figure; its label is the description of the picture."""

    def __init__(self, *_values: object, label: str = "", **_options: object) -> None:
        super().__init__("matplotlib")
        self._label = label

    def __repr__(self) -> str:
        description = self._label or "without a description"
        return f"Figure: {description}\nThe picture is missing, because {REASONS[self._package]}."

    def set_label(self, label: str) -> None:
        """Describe the picture."""
        self._label = label

    def get_label(self) -> str:
        """Return the description."""
        return self._label

    def subplots(self, rows: int = 1, columns: int = 1, **_options: object) -> list[Absent]:
        """Return as many stand-ins as there would be axes."""
        return [Absent(self._package)] * (rows * columns)


class Module(ModuleType):
    """Stands for a module until something of it is used, and beyond if its package is absent."""

    __path__: ClassVar[list[str]] = []  # it has submodules, which the finder below makes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if (real := load(self.__name__)) is not None:
            vars(self).update(vars(real))
            return getattr(real, name)
        return Figure if name == "Figure" else Absent(top(self.__name__))


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Asked when nobody else knows a module."""

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the packages named above, and their modules; nothing else."""
        if top(name) in REASONS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the stand-in."""
        return Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing, because the stand-in is complete."""


failed = set()  # packages, so that each is tried once


def top(name: str) -> str:
    """Return the package of a module."""
    return name.partition(".")[0]


def load(name: str) -> ModuleType | None:
    """Return the module itself; None if the page cannot load its package.

    A browser without JSPI cannot wait here. It loads what the code of a cell imports by its name.
    """
    import pyodide_js
    from pyodide.ffi import can_run_sync, run_sync

    package = top(name)
    if package in failed:
        return None
    if can_run_sync() and hasattr(pyodide_js.lockfile.packages, package):
        run_sync(pyodide_js.loadPackage(package))
        importlib.invalidate_caches()
    if importlib.machinery.PathFinder.find_spec(package) is None:
        failed.add(package)
        return None
    for key in [key for key, module in sys.modules.items() if isinstance(module, Module)]:
        del sys.modules[key]  # NumPy's own modules must not meet its stand-in
    return importlib.import_module(name)


def tell_when_cells_end(shell: Any) -> None:
    """Let IPython's events tell the end of a cell that awaits, too, as ipykernel does."""
    run_cell, run_cell_async = shell.run_cell, shell.run_cell_async
    told = []  # while a cell runs whose end IPython tells itself

    def run(*values: Any, **options: Any) -> Any:
        told.append(True)
        try:
            return run_cell(*values, **options)
        finally:
            told.pop()

    async def run_async(*values: Any, **options: Any) -> Any:
        is_told = bool(told)
        result = await run_cell_async(*values, **options)
        if not is_told:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
        return result

    shell.run_cell, shell.run_cell_async = run, run_async


def go_on_after_expected_errors(kernel: Any) -> None:
    """Let Run All go on after a cell that is tagged `raises-exception`, as JupyterLab does.

    JupyterLite drops all waiting cells when a reply says "error", whatever the request says. So the
    traceback is displayed here, and the reply says "ok". The same is done for a cell that needs
    more than a page has, and for all later cells, because they may miss its values.
    """
    run_cell = kernel.run
    is_incomplete = False

    async def run(code: str) -> dict[str, Any]:
        nonlocal is_incomplete
        results: dict[str, Any] = await run_cell(code)
        if results["status"] == "error":
            is_incomplete = is_incomplete or "NeedsSystem" in results["ename"]
            request = kernel.get_parent().get("content", {})
            if is_incomplete or not request.get("stop_on_error", True):
                traceback = "\n".join(results["traceback"])
                shown = {"application/vnd.jupyter.stderr": traceback}
                kernel.interpreter.display_pub.publish(shown)
                results["status"] = "ok"
        return results

    kernel.run = run


def refuse_tls() -> None:
    """Let TLS raise the error of all that a page lacks; Pyodide's own error does not say more."""
    import ssl

    def refuse(*_values: object, **_options: object) -> None:
        from wslab.net.realtime.choice import NeedsSystem

        raise NeedsSystem("TLS")

    ssl.SSLContext.wrap_bio = ssl.SSLContext.wrap_socket = refuse  # type: ignore[method-assign]


def install() -> None:
    """Let the finder be asked last, and mend the shell and its kernel."""
    from IPython import get_ipython

    sys.meta_path.append(Finder())
    shell = get_ipython()
    tell_when_cells_end(shell)
    go_on_after_expected_errors(shell.kernel)
    refuse_tls()
