"""The scheduler of pytest-xdist: it decides which worker runs which test, and when."""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

# The tests of these files share what takes long to start, such as a JupyterLab or a graded course.
# One worker runs the whole file.
TOGETHER = re.compile(r"tests/browser/|tests/exercises/test_(classroom|grading)")
HEAVY = 2  # so many workers run such a file at a time: a Chromium needs a core


class OneByOne(LoadScopeScheduling):
    """Gives workers single tests, and files only where their tests belong together.

    The files come first, because they take longest. While HEAVY workers run one, the others run
    single tests: most of these wait, and so both cores are busy from the beginning to the end.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if TOGETHER.match(path) else nodeid

    def _assign_work_unit(self, node: Any) -> None:
        if not any(self.assigned_work.values()):  # the first unit of all
            for scope in reversed([*filter(TOGETHER.match, self.workqueue)]):
                self.workqueue.move_to_end(scope, last=False)
        others = [units for one, units in self.assigned_work.items() if one is not node]
        if sum(any(map(TOGETHER.match, units)) for units in others) >= HEAVY:
            light = (scope for scope in self.workqueue if not TOGETHER.match(scope))
            self.workqueue.move_to_end(next(light, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        units = self.assigned_work[node]
        for scope in [scope for scope, tests in units.items() if all(tests.values())]:
            del units[scope]  # what is done is not counted again after each test
        super()._reschedule(node)
