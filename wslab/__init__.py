"""wslab, a workbench to take WebSocket apart in a notebook.

    from wslab import lab, protocol

`lab` starts servers beside the notebook and lays cables that you can watch and cut. `protocol`
is WebSocket itself, from bytes to values and back. `predict` asks before a cell answers. `check`
tries your answer to an exercise. `progress()` shows your predictions and solved exercises, and
`reset` restores a notebook.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from wslab import lab, protocol

__all__ = ["check", "course_map", "lab", "predict", "progress", "protocol", "reset"]

if TYPE_CHECKING:
    from wslab.exercises import check, progress
    from wslab.exercises.copies import reset
    from wslab.exercises.course import course_map
    from wslab.exercises.predictions import predict
else:
    HOMES = {
        "check": "exercises",
        "course_map": "exercises.course",
        "predict": "exercises.predictions",
        "progress": "exercises",
        "reset": "exercises.copies",
    }

    def __getattr__(name: str) -> Any:
        """Load the exercises when they are first used, because most cells do without them."""
        if name in HOMES:
            return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return the public names, those that are not loaded too."""
        return __all__


if "IPython" in sys.modules:
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        from wslab import display

        display.install(shell)
