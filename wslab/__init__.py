"""wslab, a workbench to take WebSocket apart in a notebook.

    from wslab import lab, protocol

`lab` starts servers beside the notebook and lays cables that you can watch and cut. `protocol`
is WebSocket itself, from bytes to values and back. `predict` asks before a cell answers. `check`
tries your answer to an exercise. `progress()` shows your predictions and solved exercises, and
`reset` restores a notebook.
"""

import sys
from typing import TYPE_CHECKING

from wslab import lab, protocol
from wslab.lazy import on_first_use

__all__ = ["check", "course_map", "lab", "predict", "progress", "protocol", "reset"]

if TYPE_CHECKING:
    from wslab.exercises import check, progress
    from wslab.exercises.copies import reset
    from wslab.exercises.course import course_map
    from wslab.exercises.predictions import predict
else:
    # Load the exercises when they are first used, because most cells do without them.
    homes = {
        "check": "exercises",
        "course_map": "exercises.course",
        "predict": "exercises.predictions",
        "progress": "exercises",
        "reset": "exercises.copies",
    }
    __getattr__, __dir__ = on_first_use(__name__, __all__, homes)


if "IPython" in sys.modules:
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        from wslab import display

        display.install(shell)
