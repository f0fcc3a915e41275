"""Nobody gets points for a check of one's own, or for a patch of the course's package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .tools import answers, solved_source

from grading.guard import guarded  # isort: skip
from grading.hooks import is_check  # isort: skip

SET = "03_framing"
FAKE = "type('Yes', (), {'__getattr__': lambda s, n: s, '__call__': lambda s, *a, **k: s})()"

# What a cell may do to the package: the answer to every task is wrong, or there is none.
PATCHES = {
    "nothing": "",
    "check rebound": f"check = {FAKE}",
    "the module's check": f"import wslab.exercises; check = wslab.exercises.check = {FAKE}",
    "another module": f"import sys; check = {FAKE}; sys.modules['wslab.exercises'] = check",
    "every module": f"import sys; check = {FAKE}\n"
    "for name in list(sys.modules):\n    if name.startswith('wslab'): sys.modules[name] = check",
    "a task": "from wslab.exercises.engine.task import Task; Task.__call__ = lambda *a, **k: None",
    "a task's tasks": f"check.framing.tasks.update(dict.fromkeys(check.framing.tasks, {FAKE}))",
    "what judges": "from wslab.exercises.engine.trial import Trial\n"
    "for name in ('wrong', 'want', 'same', 'same_bytes', 'of_type', 'must_take', 'must_raise'):\n"
    "    setattr(Trial, name, lambda *a, **k: None)",
    "the code of a function": "from wslab.exercises.engine.task import Task\n"
    "def call(self, answer, *, seed=None): pass\nTask.__call__.__code__ = call.__code__",
    "a new attribute": "from wslab.exercises.engine.task import Task\n"
    "Task.__getattribute__ = lambda self, name: (lambda *a, **k: None)",
    "the oracle": "import wslab.protocol.frames as frames, wslab.exercises.sets.framing as sets\n"
    "for module in (frames, sets): module.apply_mask = lambda payload, key: mask(payload, key)",
    "the oracle's class": "from wslab.protocol.frames import Frame\n"
    "Frame.serialize = lambda self, **k: b''",
    "the oracle's code": "from wslab.protocol.frames import apply_mask\n"
    "def none(data, mask): return b''\napply_mask.__code__ = none.__code__",
    "Python's own names": "import builtins; builtins.type = builtins.isinstance = lambda *a: True",
}
EMPTY = "def {}(*given): return b''"
MISSING = "def {}(*given): raise NotImplementedError"
BAD = {name: EMPTY if name in ("mask", "write") else MISSING for name, _ in answers(SET)}


def run(cells: list[str]) -> dict[str, str]:
    """Run cells one after the other; return how each check ended, by its first line."""
    program = "import sys\nspace = {}\nfor cell in eval(sys.stdin.read()):\n"
    program += "    try: exec(cell, space); end = 'passed'\n"
    program += "    except BaseException as error: end = error.__class__.__name__\n"
    program += "    sys.__stdout__.write(repr((cell, end)) + '\\n')\n"
    done = subprocess.run(
        [sys.executable, "-c", program], input=repr(cells), capture_output=True, text=True
    )
    pairs = [eval(line) for line in done.stdout.splitlines()]
    assert len(pairs) == len(cells), done.stderr
    assert pairs[0][1] == "passed", done.stderr
    return {cell: end for cell, end in pairs if "HIDDEN TESTS" in cell}


def submitted(patch: str, own: dict[str, str]) -> list[str]:
    """Return the cells of a submission as grading runs them: a patch, and answers by task."""
    cells = [cell for cell in solved_source(SET).cells if cell.cell_type == "code"]
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in cells]
    sources = [own.get(id, cell.source) for id, cell in zip(ids, cells, strict=True)]
    sources[0] += f"\n{patch}"
    return guarded(sources, [is_check(cell) for cell in cells])


@pytest.mark.parametrize("name", PATCHES)
def test_a_patch_wins_no_points(name: str) -> None:
    found = run(submitted(PATCHES[name], {task: text.format(task) for task, text in BAD.items()}))
    assert len(found) == len(BAD)
    assert "passed" not in found.values(), found


def test_good_answers_keep_their_points() -> None:
    assert set(run(submitted("", {})).values()) == {"passed"}
    assert set(run(submitted(PATCHES["what judges"], {})).values()) == {"passed"}
