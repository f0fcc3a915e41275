"""The learner's copies: made once, never overwritten, restored when asked."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wslab.exercises.copies import make_copies, reset


def write(path: Path, *sources: str) -> None:
    shown = new_output("stream", text="seen")
    cells = [new_code_cell(source, execution_count=1, outputs=[shown]) for source in sources]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell("# T"), *cells]), path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "notebooks" / "03_framing.ipynb", "1 + 1")
    write(tmp_path / "notebooks" / "exercises" / "03_framing.ipynb", "def parse(): ...")
    write(tmp_path / "notebooks" / "exercises" / "source" / "x" / "x.ipynb", "the solution")
    write(tmp_path / "notebooks" / "Untitled.ipynb", "scratch")
    (tmp_path / "notebooks" / "exercises" / "README.md").write_text("How to")
    return tmp_path


def names(root: Path, paths: list[Path]) -> list[str]:
    return sorted(path.relative_to(root / "work").as_posix() for path in paths)


def cells(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def edit(path: Path, text: str) -> None:
    notebook = nbformat.read(path, 4)
    notebook.cells[1].source = text
    nbformat.write(notebook, path)


def test_copies_have_no_outputs_and_no_solutions(root):
    made = names(root, make_copies(root))
    assert made == ["03_framing.ipynb", "exercises/03_framing.ipynb", "exercises/README.md"]
    copy = root / "work" / "03_framing.ipynb"
    nbformat.validate(nbformat.read(copy, 4))
    (cell,) = cells(copy)
    assert (cell["source"], cell["outputs"], cell["execution_count"]) == (["1 + 1"], [], None)


def test_a_copy_is_never_overwritten(root):
    make_copies(root)
    copy = root / "work" / "03_framing.ipynb"
    edit(copy, "mine")
    before = copy.read_bytes()
    assert make_copies(root) == []
    write(root / "notebooks" / "03_framing.ipynb", "newer")
    assert names(root, make_copies(root)) == ["03_framing.new.ipynb"]
    assert make_copies(root) == []  # offered once
    assert copy.read_bytes() == before
    edit(copy.with_suffix(".new.ipynb"), "mine too")
    write(root / "notebooks" / "03_framing.ipynb", "newest")
    assert make_copies(root) == []
    assert "mine too" in copy.with_suffix(".new.ipynb").read_text()


def test_outputs_of_the_learner_are_no_change(root):
    make_copies(root)
    write(root / "notebooks" / "03_framing.ipynb", "1 + 1")  # recorded again
    assert make_copies(root) == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cells": 5, "metadata": {}}'])
def test_a_copy_that_cannot_be_read_is_kept(root, damage):
    make_copies(root)
    copy = root / "work" / "03_framing.ipynb"
    copy.write_text(damage)
    make_copies(root)
    assert copy.read_text() == damage
    reset("03_framing", root)
    assert copy.with_suffix(".old.ipynb").read_text() == damage
    assert cells(copy)[0]["source"] == ["1 + 1"]


def test_reset_keeps_what_was_there(root):
    make_copies(root)
    copy = root / "work" / "exercises" / "03_framing.ipynb"
    reset("exercises/03_framing", root)
    assert not copy.with_suffix(".old.ipynb").exists()  # nothing to keep
    edit(copy, "mine")
    assert reset("exercises/03_framing", root) == copy
    assert cells(copy)[0]["source"] == ["def parse(): ..."]
    assert cells(copy.with_suffix(".old.ipynb"))[0]["source"] == ["mine"]


@pytest.mark.parametrize("name", ["framing", "exercises/source/x/x", "../secret", "Untitled"])
def test_reset_of_something_else(root, name):
    with pytest.raises(ValueError, match=r"there is no notebook .*; there are 03_framing"):
        reset(name, root)


def test_without_the_course(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no folder `notebooks`"):
        make_copies(tmp_path)
