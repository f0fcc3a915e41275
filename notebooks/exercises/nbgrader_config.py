"""How nbgrader treats this course; a teacher's folder gets a copy."""

import os
import sys

# Submissions are run on the teacher's machine: they are nobody's progress there.
os.environ["WSLAB_PROGRESS"] = "off"
# nbgrader calls `alembic` by its name; it is beside this Python, which may not be on the PATH.
os.environ["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `grading` is beside this file

from grading import hooks, page

c = get_config()  # noqa: F821  (nbgrader reads this file with that name defined)

c.CourseDirectory.course_id = "wslab"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}

# A submission is repaired, then run where it sees nothing else: see grading/__init__.py.
c.Autograde.exporter_class = hooks.Submission
c.Autograde.sanitize_preprocessors = [
    f"nbgrader.preprocessors.{name}" for name in ("OverwriteKernelspec", "OverwriteCells", "CheckCellMetadata")
]
c.Autograde.autograde_preprocessors = [
    hooks.Run,
    *(f"nbgrader.preprocessors.{name}" for name in ("SaveAutoGrades", "AssignLatePenalties", "CheckCellMetadata")),
]
c.GenerateFeedback.exporter_class = page.Page
c.GenerateFeedback.preprocessors = ["nbgrader.preprocessors.GetGrades"]
c.ZipCollectApp.collector_plugin = hooks.Collector
