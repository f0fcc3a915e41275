"""How nbgrader treats this course; a teacher's folder gets a copy."""

import os
import sys

# Submissions are run on the teacher's machine: they are nobody's progress there.
os.environ["WSLAB_PROGRESS"] = "off"
# nbgrader calls `alembic` by its name; it is beside this Python, which may not be on the PATH.
os.environ["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # `grading` is beside this file

c = get_config()  # noqa: F821  (nbgrader reads this file with that name defined)

c.CourseDirectory.course_id = "wslab"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}

c.Execute.timeout = 60  # for `nbgrader validate`: seconds for one cell; a check takes some 6
c.Execute.extra_arguments = ["--HistoryManager.enabled=False"]

# A submission is repaired, then run where it sees nothing else: grading/__init__.py says more.
c.Autograde.exporter_class = "grading.hooks.Submission"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grading.hooks.Run",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.exporter_class = "grading.page.Page"
c.GenerateFeedback.preprocessors = ["nbgrader.preprocessors.GetGrades"]
c.ZipCollectApp.collector_plugin = "grading.hooks.Collector"
c.ExportApp.plugin_class = "grading.hooks.Export"
