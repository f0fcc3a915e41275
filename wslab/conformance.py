"""An echo server and an echo client from scratch, for conformance suites.

    python -m wslab.conformance server --port 9001
    python -m wslab.conformance client --url ws://127.0.0.1:9002 --agent wslab

The client follows the convention of Autobahn|Testsuite's fuzzing server. It asks for the number of
cases, runs each one, and has the reports written.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any
from urllib.parse import quote

from wslab.protocol.deflate import Deflate
from wslab.protocol.errors import HandshakeError
from wslab.protocol.messages import Limits
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.endpoint import ConnectionEnded, Endpoint
from wslab.scratch.server import serve_from_scratch

__all__ = ["echo_all", "main", "run_client", "run_server"]

# Suites send messages of up to 16 MiB, some of them in fragments of a few bytes.
SETTINGS: dict[str, Any] = {
    "limits": Limits(message=64 << 20, fragments=1 << 22),
    "deflate": Deflate(client_max_window_bits=15),
}


async def echo_all(ws: Endpoint) -> None:
    """Send every message back, text as text and binary as binary."""
    try:
        async for message in ws:
            await ws.send(message)
    except ConnectionEnded:
        pass  # a suite ends connections in every way there is


async def run_server(host: str, port: int) -> None:
    """Serve echoes until cancelled."""
    async with serve_from_scratch(
        echo_all, name="conformance", host=host, port=port, **SETTINGS
    ) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


async def run_client(url: str, agent: str) -> int:
    """Run all cases of a fuzzing server; return their number."""
    async with connect_from_scratch(f"{url}/getCaseCount", **SETTINGS) as ws:
        count = int(await ws.recv())
    name = quote(agent)
    for case in range(1, count + 1):
        try:
            target = f"{url}/runCase?case={case}&agent={name}"
            async with connect_from_scratch(target, **SETTINGS) as ws:
                await echo_all(ws)
        except (OSError, HandshakeError) as error:
            print(f"case {case}: {error}", flush=True)
    async with connect_from_scratch(f"{url}/updateReports?agent={name}", **SETTINGS) as ws:
        await ws.wait_closed()
    return count


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run what it asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m wslab.conformance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server", help="serve echoes")
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument("--port", type=int, default=9001)
    client = roles.add_parser("client", help="run the cases of a fuzzing server")
    client.add_argument("--url", required=True)
    client.add_argument("--agent", default="wslab")
    options = parser.parse_args(arguments)
    try:
        if options.role == "server":
            asyncio.run(run_server(options.host, options.port))
        else:
            print(asyncio.run(run_client(options.url.rstrip("/"), options.agent)), "cases")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
