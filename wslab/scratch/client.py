"""A client from scratch, which puts the protocol of the course on a real socket.

`connect_from_scratch` replaces the library's `connect`, and uses `wslab.protocol`.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Generator, Iterable
from functools import partial
from typing import Any

from wslab.protocol.connection import Connection, Role
from wslab.protocol.deflate import agreed
from wslab.protocol.errors import HandshakeError
from wslab.protocol.handshake import check_response, upgrade_request
from wslab.protocol.http import HEAD_LIMIT, Headers, Request, Response
from wslab.protocol.url import parse_url
from wslab.scratch.endpoint import Endpoint, Settings

__all__ = ["ClientEndpoint", "connect_from_scratch"]

# Bytes of a response to read at most; one that refuses may have a body.
RESPONSE_LIMIT = HEAD_LIMIT + 64 * 1024


class ClientEndpoint(Endpoint):
    """The client's end of one connection.

    opened: done when the opening handshake is done.
    """

    def __init__(self, request: Request, settings: Settings) -> None:
        super().__init__(settings)
        self.request: Request = request
        self.opened: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request (asyncio's callback)."""
        super().connection_made(transport)
        self.transport.write(self.request.serialize())

    def handshake(self, data: bytes) -> None:
        """Read the server's response, and check it once it is complete."""
        self._head += data
        try:
            if not b"HTTP/".startswith(self._head[:5]):
                seen = f"response begins {bytes(self._head[:40])!r}, not with HTTP/"
                raise HandshakeError(seen, "RFC 9112 §4")
            parsed = self._final_response()
            if parsed is None:
                if len(self._head) > RESPONSE_LIMIT:
                    seen = f"response is over {RESPONSE_LIMIT} bytes, it begins {self._head[:40]!r}"
                    raise HandshakeError(seen, "RFC 9112 §6")
                return
            response, end = parsed
            self.response = response
            check_response(response, self.request)
            deflate = agreed(response.headers, self.settings.deflate)
        except HandshakeError as error:
            if self.response is None:
                error.status = 0
            else:  # a client that comes again needs Retry-After
                error.headers = tuple(self.response.headers)
            self._fail(error)
            return
        masks, limits = partial(secrets.token_bytes, 4), self.settings.limits
        connection = Connection(Role.CLIENT, masks=masks, deflate=deflate, limits=limits)
        if not self.opened.done():  # or cancelled
            self.opened.set_result(None)
        self.open(connection, response, self._head[end:])

    def _final_response(self) -> tuple[Response, int] | None:
        """Read the response, and skip interim ones such as 103."""
        start = 0
        while (parsed := Response.parse(self._head, start)) is not None and parsed[0].is_interim:
            start = parsed[1]
        if parsed is None:
            self._head = self._head[start:]
        return parsed

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the opening handshake if it is not done yet (asyncio's callback)."""
        super().connection_lost(exc)
        self._fail(ConnectionError("the server ended the connection during the opening handshake"))

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
            self.transport.abort()


class connect_from_scratch:
    """Connect to a WebSocket server; `await` it, or use it in `async with`.

    url: ``ws://host:port/path`` or ``wss://…``, see `protocol.url.parse_url`.
    ssl: a context that replaces the default one.
    subprotocols: the ones to offer, best first. origin, headers: further fields of the request.
    settings: see `Settings`. With deflate, compression is offered.
    Raises ValueError for an impossible request, HandshakeError if the server refuses, and OSError
    if it cannot be reached. TimeoutError, after `open_timeout`, and SSLError are OSErrors.
    """

    def __init__(
        self,
        url: str,
        *,
        ssl: ssl.SSLContext | None = None,
        subprotocols: Iterable[str] = (),
        origin: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        **settings: Any,
    ) -> None:
        address = parse_url(url)
        self.address = (address.host, address.port)
        self.tls = (ssl or True) if address.secure else None
        self.settings = Settings(**settings)
        deflate = self.settings.deflate
        fields = list(headers)
        if address.authorization and not Headers(fields).all("Authorization"):
            fields.append(("Authorization", address.authorization))
        self.request = upgrade_request(
            address.authority,
            address.target,
            nonce=secrets.token_bytes(16),
            subprotocols=subprotocols,
            origin=origin,
            extensions=[deflate.extension()] if deflate else [],
            headers=fields,
        )
        self.request.serialize()  # raises an error if the request is malformed

    async def _connect(self) -> Endpoint:
        limit = self.settings.open_timeout
        try:
            async with asyncio.timeout(limit):
                return await self._open()
        except TimeoutError:
            raise TimeoutError(f"no connection within {limit:g} s") from None

    async def _open(self) -> Endpoint:
        try:
            _, endpoint = await asyncio.get_running_loop().create_connection(
                lambda: ClientEndpoint(self.request, self.settings),
                *self.address,
                ssl=self.tls,
                ssl_shutdown_timeout=self.settings.close_timeout if self.tls else None,
            )
        except ConnectionResetError as error:
            if self.tls and not error.args:  # asyncio's own error has no text
                seen = "the server ended the connection during the TLS handshake"
                raise ssl.SSLError(f"{seen}: is it a wss:// server?") from None
            raise
        try:
            await endpoint.opened
        except BaseException:
            endpoint.transport.abort()
            raise
        return endpoint

    def __await__(self) -> Generator[Any, None, Endpoint]:
        """Open the connection."""
        return self._connect().__await__()

    async def __aenter__(self) -> Endpoint:
        """Open the connection; it is closed at the end of the block."""
        self._endpoint = await self._connect()
        return self._endpoint

    async def __aexit__(self, *exception: object) -> None:
        """Close it."""
        await self._endpoint.__aexit__(*exception)
