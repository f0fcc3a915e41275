"""wslab: a workbench to take WebSocket apart in a notebook.

    from wslab import lab, protocol

`lab` starts servers beside the notebook and lays cables that can be watched and cut; `protocol`
is WebSocket itself, from bytes to values and back.
"""

import sys

from wslab import lab, protocol

__all__ = ["lab", "protocol"]

if "IPython" in sys.modules:
    from IPython import get_ipython

    if (shell := get_ipython()) is not None:
        from wslab import display

        display.install(shell)
