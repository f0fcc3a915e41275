"""Virtual time; later, the network in memory."""

from wslab.net.clock import Timers, run_virtual

__all__ = ["Timers", "run_virtual"]
