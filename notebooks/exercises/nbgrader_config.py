"""How nbgrader treats this course; a teacher's folder gets a copy."""

import os
import sys

# Submissions are run on the teacher's machine: they are nobody's progress there.
os.environ["WSLAB_PROGRESS"] = "off"
# nbgrader calls `alembic` by its name; it is beside this Python, which may not be on the PATH.
os.environ["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))

c = get_config()  # noqa: F821  (nbgrader reads this file with that name defined)

c.CourseDirectory.course_id = "wslab"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.Execute.timeout = 60  # seconds for one cell; a check takes at most some 6
c.Execute.extra_arguments = ["--HistoryManager.enabled=False"]

# Files that a learning platform hands over: ana_02_handshake.ipynb, ana-2_02_handshake.ipynb
c.FileNameCollectorPlugin.named_regexp = (
    r"(?:.*[/\\])?(?P<student_id>[^/\\_]+)_(?P<file_id>\d\d_\w+)\.ipynb$"
)
