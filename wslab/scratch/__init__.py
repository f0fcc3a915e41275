"""Our own WebSocket server and client, built on `wslab.protocol` and usable in real programs.

    from wslab.scratch import connect_from_scratch, serve_from_scratch

`driver` moves bytes between a transport and the protocol. `endpoint` is the object that a program
holds. `server` and `client` make the opening handshake.
"""

from wslab.scratch.client import connect_from_scratch
from wslab.scratch.endpoint import ConnectionEnded, Endpoint
from wslab.scratch.server import serve_from_scratch

__all__ = ["ConnectionEnded", "Endpoint", "connect_from_scratch", "serve_from_scratch"]
