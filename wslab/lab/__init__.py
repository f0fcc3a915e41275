"""The bench: servers beside the notebook, cables that you can watch and cut, and transcripts.

from wslab import lab

server = lab.serve(lab.echo)
cable = lab.cable(server)
async with connect(cable.url) as ws: ...
cable.transcript
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wslab.lab.loop import LoopStalled, run
from wslab.lab.registry import registry as running
from wslab.lab.servers.connection import WrongLoop
from wslab.lab.servers.websocket import Server, echo, serve
from wslab.lab.tables import Table as table
from wslab.lazy import on_first_use
from wslab.net.network import Recording, readers

__all__ = [
    "BitGrid",
    "Cable",
    "LoopStalled",
    "Server",
    "Transcript",
    "WrongLoop",
    "allow_asyncio_run",
    "cable",
    "dissect",
    "doctor",
    "echo",
    "run",
    "run_all",
    "running",
    "sequence",
    "serve",
    "serve_app",
    "serve_tcp",
    "table",
    "transcript_of",
]

if TYPE_CHECKING:
    from wslab.lab.checkup import doctor
    from wslab.lab.kernels import run_all
    from wslab.lab.notebook import allow_asyncio_run
    from wslab.lab.servers.http import serve_app
    from wslab.lab.servers.tcp import serve_tcp
    from wslab.lab.wire.anatomy import dissect
    from wslab.lab.wire.bitgrid import BitGrid
    from wslab.lab.wire.cable import Cable, cable
    from wslab.lab.wire.diagram import sequence
    from wslab.lab.wire.recorded import transcript_of
    from wslab.lab.wire.transcript import Transcript
else:
    # Load the rest of the bench when it is first used, because a server does without it.
    homes = {
        "BitGrid": "wire.bitgrid",
        "Cable": "wire.cable",
        "Transcript": "wire.transcript",
        "allow_asyncio_run": "notebook",
        "cable": "wire.cable",
        "dissect": "wire.anatomy",
        "doctor": "checkup",
        "run_all": "kernels",
        "sequence": "wire.diagram",
        "serve_app": "servers.http",
        "serve_tcp": "servers.tcp",
        "transcript_of": "wire.recorded",
    }
    __getattr__, __dir__ = on_first_use(__name__, __all__, homes)


@readers.append
def _read(recording: Recording) -> Any:
    return import_module("wslab.lab.wire.recorded").transcript_of(recording)
