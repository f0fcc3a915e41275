"""Learners have their own copies of the notebooks, in `work/` and without outputs.

A copy remembers its version. It is never overwritten. If the course has a newer version, that is
put beside the copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

__all__ = ["blank", "make_copies", "reset"]

ROOT = Path(__file__).resolve().parents[2]
WORK = os.environ.get("WSLAB_WORK", "work")  # in a page it is what the browser keeps
Notebook = dict[str, Any]


def make_copies(root: Path = ROOT) -> list[Path]:
    """Copy missing notebooks from `notebooks/` to `work/`; return the new files.

    root: the folder of the course. A copy keeps its relative place, so its links work as before.
    Raises FileNotFoundError if root has no notebooks.
    """
    made = []
    for source in _sources(root):
        copy = root / WORK / source.relative_to(root / "notebooks")
        if not copy.exists():
            made.append(_write(copy, blank(source)))
        elif source.suffix == ".ipynb" and _version_of(copy) != _hash(_read(source)):
            beside = copy.with_suffix(".new.ipynb")
            if _version_of(beside) != _hash(_read(source)) and not _is_edited(beside):
                made.append(_write(beside, blank(source)))
    return made


def reset(name: str, root: Path = ROOT) -> Path:
    """Restore one of your copies, such as "03_framing" or "exercises/03_framing".

    Your version is kept beside it, in a file that ends in `.old.ipynb`. Close the notebook without
    saving, and open it again. Raises ValueError for an unknown name.
    """
    source = root / "notebooks" / f"{name}.ipynb"
    if source not in (known := _sources(root)):
        names = [path.relative_to(root / "notebooks").with_suffix("").as_posix() for path in known]
        raise ValueError(f"there is no notebook {name!r}; there are {', '.join(names)}")
    copy = root / WORK / f"{name}.ipynb"
    if copy.exists() and _is_edited(copy):
        shutil.move(copy, copy.with_suffix(".old.ipynb"))
    return _write(copy, blank(source))


def _sources(root: Path) -> list[Path]:
    """Return the lessons, the student copies of the exercises, and the README that they link."""
    folder = root / "notebooks"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"the folder {root} has no folder `notebooks`; run this in the course's folder"
        )
    found = [*folder.glob("*.ipynb"), *(folder / "exercises").glob("*.ipynb")]
    readme = folder / "exercises" / "README.md"
    return sorted(
        path
        for path in [*found, *[readme] * readme.exists()]
        if "untitled" not in path.name.lower()
    )


def _read(path: Path) -> Notebook:
    found: Notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    return found


def _hash(notebook: Notebook) -> str:
    """Return a fingerprint of the parts that a person edits, the kinds and sources of cells."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def blank(source: Path) -> str:
    """Return a file's text; a notebook loses its outputs, and gets a note of its version."""
    if source.suffix != ".ipynb":
        return source.read_text(encoding="utf-8")
    notebook = _read(source)
    notebook["metadata"]["wslab"] = {"copied": _hash(notebook)}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _version_of(copy: Path) -> str | None:
    """Return the version that a copy was made from; None if it is not known."""
    try:
        version = _read(copy)["metadata"]["wslab"]["copied"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(version)


def _is_edited(copy: Path) -> bool:
    """Tell whether somebody has changed a copy; an unreadable one counts as changed."""
    try:
        return _version_of(copy) != _hash(_read(copy))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
