"""The names that notebooks import, of which some are loaded when they are first used (PEP 562)."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import wslab
from wslab import lab, net, protocol

PACKAGES = (wslab, lab, net, protocol)
LOADED = "import sys; print(*(name for name in sys.modules if name.startswith('wslab')))"
# A server does without these.
LATER = {"wslab.exercises", "wslab.lab.checks", "wslab.lab.wire.cable", "wslab.net.simulation"}
LATER |= {"wslab.protocol.frames", "wslab.protocol.http"}


def run(code: str) -> str:
    """Run code in a fresh Python, and return its output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_does_not_exist(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'serv'"):
        _ = package.serv


def test_a_server_loads_only_what_it_needs() -> None:
    loaded = run(f"from wslab import lab; lab.serve(lab.echo).stop_now(); {LOADED}").split()
    assert "wslab.lab.servers.websocket" in loaded
    assert not LATER & set(loaded)


@pytest.mark.parametrize(
    "first", ["from wslab.lab import doctor, cable", "import wslab.lab.checkup, wslab.lab.wire"]
)
def test_a_function_stays_one_when_its_module_is_loaded(first: str) -> None:
    """`doctor` and `explore` were names of modules, too, and then a module took their place."""
    use = "from wslab import lab, net; import wslab.net.exploration"
    assert (
        run(f"{first}; {use}; print(callable(lab.doctor), callable(net.explore))") == "True True\n"
    )


def test_a_simulation_has_a_transcript_before_the_bench_is_used() -> None:
    code = """
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from wslab.net import simulate

async def main():
    async with serve(lambda connection: connection.send("Hello"), "server", 9000, compression=None):
        async with connect("ws://server:9000/", proxy=None) as ws:
            return await ws.recv()

print("Hello" in repr(simulate(main, record=True).transcript))
"""
    assert run(code) == "True\n"


@pytest.mark.parametrize(
    "use",
    [
        "from wslab.protocol import *; Frame, accept_key, Request",
        "from wslab import protocol; protocol.frames.Frame, protocol.http.Request",
        "from wslab.protocol import connection, handshake; connection.Connection, handshake.GUID",
    ],
)
def test_every_way_to_import_the_protocol(use: str) -> None:
    assert run(f"{use}; print('there')") == "there\n"
