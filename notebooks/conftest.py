"""Notebooks that are run by pytest are nobody's progress; in memory, some cells are left out."""

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

# No tests in these:
collect_ignore = ["exercises/grading", "exercises/kit.py", "exercises/nbgrader_config.py"]

os.environ["WSLAB_PROGRESS"] = "off"


def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """With WSLAB_NETWORK=memory, keep the lessons that run there, but not cells that need more."""
    if os.environ.get("WSLAB_NETWORK") != "memory":
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "notebooks"))
    from needs import lessons, skipped

    paths = set(lessons())
    config.hook.pytest_deselected(items=[item for item in items if item.path not in paths])
    items[:] = [item for item in items if item.path in paths]
    for path in {item.path for item in items}:
        nb = nbformat.read(path, as_version=4)
        code = [index for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
        reasons = skipped(nb)
        for item in items:
            if item.path == path and (reason := reasons.get(code[item.cell_num])):
                item.add_marker(pytest.mark.skip(reason=reason))
