"""A network in memory and virtual time: whole programs run in a moment, and can be repeated.

from wslab.net import Fault, explore, simulate
"""

from wslab.net.clock import Timers, now, run_virtual
from wslab.net.errors import Deadlock, Livelock, NotSimulated, OutOfTime
from wslab.net.explore import Exploration, explore
from wslab.net.faults import Dice, Fault
from wslab.net.launch import launch
from wslab.net.simulation import Run, simulate

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
