"""A network in memory and virtual time: whole programs run in a moment, and can be repeated.

from wslab.net import Fault, explore, simulate
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wslab.net.clock import Timers, now, run_virtual
from wslab.net.errors import Deadlock, Livelock, NotSimulated, OutOfTime
from wslab.net.launch import launch

__all__ = [
    "Deadlock",
    "Dice",
    "Exploration",
    "Fault",
    "Livelock",
    "NotSimulated",
    "OutOfTime",
    "Run",
    "Timers",
    "explore",
    "launch",
    "now",
    "run_virtual",
    "simulate",
]

if TYPE_CHECKING:
    from wslab.net.exploration import Exploration, explore
    from wslab.net.faults import Dice, Fault
    from wslab.net.simulation import Run, simulate
else:
    HOMES = {
        "Dice": "faults",
        "Exploration": "exploration",
        "Fault": "faults",
        "Run": "simulation",
        "explore": "exploration",
        "simulate": "simulation",
    }

    def __getattr__(name: str) -> Any:
        """Load simulations when they are first used, because the lab does without them."""
        if name in HOMES:
            return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return the public names, those that are not loaded too."""
        return __all__
