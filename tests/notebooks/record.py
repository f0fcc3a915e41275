"""Run notebooks from top to bottom and save what they print.

    python tests/notebooks/record.py                    those whose code changed since last time
    python tests/notebooks/record.py 02_handshake       these, changed or not
    python tests/notebooks/record.py --all              all

A notebook remembers the hash of the code that made its outputs (`metadata.wslab.recorded`), so
no version control is needed to tell what changed. One that fails is reported and not touched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
EXERCISES = NOTEBOOKS / "exercises" / "source"  # with their solutions
SANITIZE = Path(__file__).with_name("sanitize.cfg")
CELL_TIMEOUT = 60  # seconds, as under nbval

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# Without the version: it would change with every interpreter that opens the notebook.
LANGUAGE_INFO = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
KEPT_CELL_METADATA = {"tags", "jupyter", "nbgrader"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def notebooks(names: list[str] | None = None, folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks called so (`02_handshake`, with or without folder and ending), or all."""
    if not names:
        return sorted(folder.glob("*.ipynb"))
    paths = [folder / f"{Path(name).name.removesuffix('.ipynb')}.ipynb" for name in names]
    if missing := [path.name for path in paths if not path.exists()]:
        raise FileNotFoundError(f"not in {folder}: {', '.join(missing)}")
    return paths


def exercises() -> list[Path]:
    """The sources of all exercises."""
    return sorted(EXERCISES.glob("*/*.ipynb"))


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def source_hash(nb: NotebookNode) -> str:
    """Hash the code that makes the outputs: every code cell's source and tags, in order.

    What a cell needs (`needs-…`) only tells where it cannot run, and changes no output.
    """
    code = [
        [cell.source, sorted(t for t in cell.metadata.get("tags", []) if t[:6] != "needs-")]
        for cell in nb.cells
        if cell.cell_type == "code"
    ]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def recorded_hash(nb: NotebookNode) -> str | None:
    """The hash that was kept when the outputs were recorded."""
    return nb.metadata.get("wslab", {}).get("recorded")


def is_fresh(nb: NotebookNode) -> bool:
    """Tell whether the outputs were made by the code that stands above them."""
    return recorded_hash(nb) == source_hash(nb)


def normalise(nb: NotebookNode) -> None:
    """Drop what differs from run to run and from machine to machine, in place."""
    recorded = nb.metadata.get("wslab", {})
    nb.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO, "wslab": recorded}
    )
    for cell in nb.cells:
        kept = {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        for output in cell.get("outputs", []):
            # A view of a widget whose state is not saved shows an error; its text shows what it is.
            output.get("data", {}).pop(WIDGET_VIEW, None)
            if "traceback" in output:
                output.traceback = [without_local_paths(line) for line in output.traceback]


def without_local_paths(text: str) -> str:
    """Shorten the paths of this machine, so that a traceback reads the same everywhere."""
    home = str(Path.home())
    places = {str(ROOT): "", str(Path(os.__file__).parent): "python", sys.prefix: "venv"}
    for place, short in places.items():
        for spelling in {place, place.replace(home, "~", 1)}:
            text = text.replace(spelling + os.sep, f"{short}/" if short else "")
    return text


def sanitised(value: Any, patterns: list[tuple[str, str]]) -> Any:
    """Blank in every string of a value what nbval blanks before it compares."""
    if isinstance(value, str):
        for regex, replacement in patterns:
            value = re.sub(regex, replacement, value)
        return value
    if isinstance(value, list):
        return [sanitised(item, patterns) for item in value]
    if isinstance(value, dict):
        return {k: sanitised(v, patterns) for k, v in value.items()}
    return value


def same_but_for_chance(old: NotebookNode, new: NotebookNode) -> bool:
    """Tell whether two recordings differ only in ports, keys, masks and the like."""
    patterns = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
    return bool(sanitised(old, patterns) == sanitised(new, patterns))


def execute(nb: NotebookNode, folder: Path, on_cell: Callable[[int], None]) -> None:
    """Run every cell in a fresh kernel; outputs end up in the notebook.

    on_cell: called with the index of each code cell before it runs.
    """
    client = NotebookClient(
        nb,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        on_cell_execute=lambda cell, cell_index: on_cell(cell_index),
    )
    client.execute()


def write(nb: NotebookNode, path: Path) -> None:
    """Save the same notebook always as the same bytes."""
    nbformat.validate(nb)
    draft = path.with_name(path.name + ".tmp")  # a half-written notebook would be a lost one
    draft.write_text(nbformat.writes(nb) + "\n", encoding="utf-8", newline="\n")
    draft.replace(path)


def record(path: Path) -> str | None:
    """Record one notebook; returns what went wrong, or None."""
    old, nb = read(path), read(path)
    started: list[int] = []
    try:
        execute(nb, path.parent, started.append)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return f"{path.name}, cell {started[-1] if started else '?'}: {error}"
    nb.metadata["wslab"] = {"recorded": source_hash(nb)}
    normalise(nb)
    if not same_but_for_chance(old, nb):
        write(nb, path)
    return None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run notebooks and save their outputs.")
    parser.add_argument("names", nargs="*", help="such as 02_handshake, or: exercises")
    parser.add_argument("--all", action="store_true", help="all, changed or not")
    args = parser.parse_args(argv)
    os.environ["WSLAB_PROGRESS"] = "off"  # what is solved here is nobody's progress
    try:
        if args.names == ["exercises"]:
            paths = exercises()
        else:
            paths = notebooks(args.names) + ([] if args.names else exercises())
    except FileNotFoundError as error:
        parser.error(str(error))
    if not args.names and not args.all:
        paths = [path for path in paths if not is_fresh(read(path))]
        print(f"{len(paths)} changed")
    failures = 0
    for path in paths:
        print(f"{path.name} ...", flush=True)
        if problem := record(path):
            failures += 1
            print(f"NOT RECORDED {problem}", file=sys.stderr, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
