"""Every notebook survives every cell run twice, and then Run All in the same kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from record import notebooks, read
from run_all import each_cell_twice, once, problems, twice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_every_queued_cell_runs(path):
    nb = read(path)
    assert problems(path, [*each_cell_twice(nb), *once(nb)]) == []


def notebook(folder: Path, *cells: str, tags: tuple[str, ...] = ()) -> Path:
    nb = new_notebook(cells=[new_code_cell(cell, metadata={"tags": [*tags]}) for cell in cells])
    path = folder / "made_up.ipynb"
    nbformat.write(nb, path)
    return path


def test_an_error_is_reported_and_the_rest_runs(tmp_path):
    path = notebook(tmp_path, "1 / 0", "open('ran', 'w').close()")
    assert problems(path, once(read(path))) == [
        "made_up.ipynb, cell 0: ZeroDivisionError: division by zero"
    ]
    assert (tmp_path / "ran").exists()


def test_a_deliberate_error_is_no_problem(tmp_path):
    path = notebook(tmp_path, "1 / 0", tags=("raises-exception",))
    assert problems(path, twice(read(path))) == []


def test_a_cell_without_reply_is_reported(tmp_path):
    path = notebook(tmp_path, "import os", "os._exit(1)", "2 + 2")
    found = problems(path, once(read(path)))
    assert found[-1] == "made_up.ipynb, cell 2: no reply, the kernel died"
