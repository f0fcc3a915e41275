"""The bench: servers beside the notebook, cables that you can watch and cut, and transcripts.

from wslab import lab

server = lab.serve(lab.echo)
cable = lab.cable(server)
async with connect(cable.url) as ws: ...
cable.transcript
"""

from wslab.lab.doctor import doctor
from wslab.lab.kernels import run_all
from wslab.lab.loop import LoopStalled, run
from wslab.lab.notebook import allow_asyncio_run
from wslab.lab.registry import registry as running
from wslab.lab.servers.connection import WrongLoop
from wslab.lab.servers.http import serve_app
from wslab.lab.servers.tcp import serve_tcp
from wslab.lab.servers.websocket import Server, echo, serve
from wslab.lab.tables import Table as table
from wslab.lab.wire.anatomy import dissect
from wslab.lab.wire.bitgrid import BitGrid
from wslab.lab.wire.cable import Cable, cable
from wslab.lab.wire.diagram import sequence
from wslab.lab.wire.recorded import transcript_of
from wslab.lab.wire.transcript import Transcript

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
