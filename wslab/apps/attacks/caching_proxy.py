"""A naive caching proxy, of the kind that made WebSocket's clients mask.

It connects its users to servers, and takes all bytes that look like an HTTP request for one, even
inside a WebSocket connection. It files the answer under the host that the request *names*, not
under the server that really gave it. Huang et al., "Talking to Yourself for Fun and Profit"
(2011), found proxies on the internet that could be fooled like this. RFC 6455 §10.3 is the reply.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from wslab.lab.registry import LOOPBACK
from wslab.protocol.http import Response

__all__ = ["CachingProxy", "Resource", "find_request"]

Resource = tuple[str, str]  # (host, path)

_REQUEST = re.compile(rb"GET (\S+) HTTP/1\.1\r\nHost: (\S+)\r\n")


class CachingProxy:
    """A handler for `lab.serve_tcp`, which connects a user to a server, and caches its answers.

    servers: the port of each host, on this machine. A connection goes to the host that its first
    request names, and stays there.
    cache: the answers by (host, path).
    story: the messages that passed, and the answers that were kept, as steps for `lab.sequence`.

    It is for short messages, one question at a time. Each read from the user is a question, and
    the next read from the server is its answer.
    """

    def __init__(self, servers: Mapping[str, int]) -> None:
        self.servers = servers
        self.cache: dict[Resource, Response] = {}
        self.story: list[tuple[str, str, str]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one user."""
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        host = ""
        try:
            while data := await reader.read(65536):
                resource = find_request(data)
                self.story.append(("browser", "proxy", _summary(data)))
                if resource in self.cache:
                    answer = self.cache[resource].serialize()
                else:
                    if server is None:
                        host = resource[0] if resource else ""
                        server = await asyncio.open_connection(LOOPBACK, self.servers[host])
                    self.story.append(("proxy", host, _summary(data)))
                    server[1].write(data)
                    answer = await server[0].read(65536)
                    self.story.append((host, "proxy", _summary(answer)))
                    if resource is not None:
                        self._remember(resource, answer)
                self.story.append(("proxy", "browser", _summary(answer)))
                writer.write(answer)
        finally:
            if server is not None:
                server[1].close()

    def _remember(self, resource: Resource, answer: bytes) -> None:
        parsed = Response.parse(answer)
        if parsed is not None and parsed[0].status == 200:
            self.cache[resource] = parsed[0]
            self.story.append(("proxy", "proxy", f"keeps this as {''.join(resource)}"))


def find_request(data: bytes) -> Resource | None:
    """Return the (host, path) of the first thing in data that looks like a GET request.

    >>> find_request(b"..GET /app.js HTTP/1.1\\r\\nHost: shop.example\\r\\n")
    ('shop.example', '/app.js')
    """
    match = _REQUEST.search(data)
    return (match[2].decode("latin-1"), match[1].decode("latin-1")) if match else None


def _summary(data: bytes) -> str:
    """Say what this proxy takes the data for, and its size.

    >>> _summary(b"..GET /app.js HTTP/1.1\\r\\nHost: shop.example\\r\\n")
    'GET shop.example/app.js · 44 B'
    """
    what = "no request"
    if resource := find_request(data):
        what = f"GET {''.join(resource)}"
    elif data.startswith(b"HTTP/1.1 "):
        status, *_, last = data.decode("latin-1").splitlines()
        what = last[:30] or status.removeprefix("HTTP/1.1 ")
    return f"{what} · {len(data)} B"
