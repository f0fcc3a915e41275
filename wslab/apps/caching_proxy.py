"""A caching proxy as naive as some were when WebSocket was designed: why clients mask.

It sits between its users and any server, and takes whatever looks like an HTTP request for one,
also inside a WebSocket connection. And it files the answer under the Host that the request
names, not under the server that really gave it. (Huang et al., "Talking to Yourself for Fun and
Profit", 2011, found such proxies on the internet; RFC 6455 §10.3 is the consequence.)
"""

from __future__ import annotations

import asyncio
import re

from wslab.lab.registry import LOOPBACK
from wslab.protocol.http import Response

__all__ = ["CachingProxy", "Resource"]

Resource = tuple[str, str]  # (host, path)

_REQUEST = re.compile(rb"GET (\S+) HTTP/1\.1\r\nHost: (\S+)\r\n")


class CachingProxy:
    """A handler for `lab.serve_tcp` that passes everything on to one server, and caches.

    port: the server's, on this machine.
    cache: the answers by (host, path).
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.cache: dict[Resource, Response] = {}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one user: answer from the cache, or ask the server and remember."""
        server_reader, server_writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            while data := await reader.read(65536):
                resource = find_request(data)
                if resource in self.cache:
                    writer.write(self.cache[resource].serialize())
                    continue
                server_writer.write(data)
                answer = await server_reader.read(65536)
                if resource is not None:
                    self._remember(resource, answer)
                writer.write(answer)
        finally:
            server_writer.close()

    def _remember(self, resource: Resource, answer: bytes) -> None:
        parsed = Response.parse(answer)
        if parsed is not None and parsed[0].status == 200:
            self.cache[resource] = parsed[0]


def find_request(data: bytes) -> Resource | None:
    """Return the (host, path) of the first thing in data that looks like a GET request.

    >>> find_request(b"..GET /app.js HTTP/1.1\\r\\nHost: shop.example\\r\\n")
    ('shop.example', '/app.js')
    """
    match = _REQUEST.search(data)
    return (match[2].decode("latin-1"), match[1].decode("latin-1")) if match else None
