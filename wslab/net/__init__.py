"""A network in memory and virtual time: whole programs run in a moment, and can be repeated.

from wslab.net import Fault, explore, simulate
"""

from typing import TYPE_CHECKING

from wslab.lazy import on_first_use
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
    # Load simulations when they are first used, because the lab does without them.
    homes = {
        "Dice": "faults",
        "Exploration": "exploration",
        "Fault": "faults",
        "Run": "simulation",
        "explore": "exploration",
        "simulate": "simulation",
    }
    __getattr__, __dir__ = on_first_use(__name__, __all__, homes)
