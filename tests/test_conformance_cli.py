"""`python -m wslab.conformance`, against a stand-in for a suite's fuzzing server and client."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from run_all import as_a_learner
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab import __main__ as cli
from wslab import conformance
from wslab.lab.registry import LOOPBACK, registry

PATIENCE = 40  # seconds for a process to start or to end


class Suite:
    """A fuzzing server with three cases: an echo, a violation, and a refused handshake."""

    CASES = 3

    def __init__(self) -> None:
        self.passed: list[tuple[str, str]] = []
        self.reports: list[str] = []

    async def handle(self, ws: Any) -> None:
        parts = urlsplit(ws.request.path)
        query = parse_qs(parts.query)
        if parts.path == "/getCaseCount":
            await ws.send(str(self.CASES))
        elif parts.path == "/updateReports":
            self.reports.append(query["agent"][0])
        elif query["case"] == ["1"]:
            for message in ("握手", b"\0" * (1 << 20)):
                await ws.send(message)
                assert await ws.recv() == message
            self.passed.append((query["agent"][0], "echo"))
        else:
            ws.transport.write(b"\xff\x00")
            with pytest.raises(ConnectionClosed) as caught:
                await ws.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1002
            self.passed.append((query["agent"][0], "violation"))

    def refuse(self, connection: Any, request: Any) -> Any:
        """Refuse the third case."""
        return connection.respond(500, "no\n") if "case=3" in request.path else None


@asynccontextmanager
async def fuzzing_server() -> AsyncIterator[tuple[Suite, str]]:
    suite = Suite()
    async with serve(suite.handle, LOOPBACK, 0, process_request=suite.refuse) as server:
        yield suite, f"ws://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


def start(*arguments: str, module: str = "wslab.conformance") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in as_a_learner().items() if k != "PYTHONUNBUFFERED"},
    )


async def test_the_client_runs_every_case(capsys):
    async with fuzzing_server() as (suite, url):
        assert await conformance.run_client(url, "ws lab/1") == 3
    assert suite.passed == [("ws lab/1", "echo"), ("ws lab/1", "violation")]
    assert suite.reports == ["ws lab/1"]
    (line,) = capsys.readouterr().out.splitlines()
    assert line == "case 3: status is 500 Internal Server Error, not 101 (RFC 6455 §4.1)"


async def test_the_client_as_a_command():
    async with fuzzing_server() as (suite, url):
        process = start("client", "--url", f"{url}/", "--agent", "x")
        output, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == "3 cases"
    assert suite.reports == ["x"]


async def talk(url: str, size: int) -> None:
    async with connect(url, proxy=None, max_size=None) as ws:
        assert [extension.name for extension in ws.protocol.extensions] == ["permessage-deflate"]
        for message in ("握手", b"\0" * size, ["in", " fragments"] * 5000):
            await ws.send(message)
            wanted = message if isinstance(message, str | bytes) else "".join(message)
            assert await ws.recv() == wanted


async def test_the_server_echoes_whatever_comes(capsys):
    serving = asyncio.ensure_future(conformance.run_server(LOOPBACK, 0))
    async with asyncio.timeout(PATIENCE):
        while not (url := capsys.readouterr().out.strip()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await talk(url, 1 << 24)
        async with connect(url, proxy=None) as ws:
            ws.transport.abort()  # must not trouble it
        await talk(url, 0)
    server = registry()["conformance"]
    serving.cancel()
    await asyncio.wait([serving])
    assert not server.is_running
    assert server.errors == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
async def test_the_server_as_a_command_until_it_is_interrupted():
    with start("server", "--port", "0") as process:
        assert process.stdout is not None
        url = await asyncio.to_thread(process.stdout.readline)
        await talk(url.strip(), 1 << 16)  # small, or asyncio complains that it is slow
        process.send_signal(signal.SIGINT)
        output, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert (process.returncode, output, errors) == (0, "", "")


def test_main_dispatches(monkeypatch, capsys):
    async def client(url: str, agent: str) -> int:
        print(url, agent)
        return 7

    async def server(host: str, port: int) -> None:
        print(host, port)
        raise KeyboardInterrupt

    monkeypatch.setattr(conformance, "run_client", client)
    monkeypatch.setattr(conformance, "run_server", server)
    conformance.main(["client", "--url", "ws://h:1/", "--agent", "a"])
    conformance.main(["server", "--port", "9"])
    assert capsys.readouterr().out == "ws://h:1 a\n7 cases\n127.0.0.1 9\n"


@pytest.mark.parametrize("arguments", [[], ["client"], ["server", "--port", "x"]])
def test_a_wrong_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        conformance.main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m wslab.conformance" in capsys.readouterr().err


# `python -m wslab serve echo --from-scratch`


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
async def test_serve_echo_from_scratch():
    with start("serve", "echo", "--from-scratch", module="wslab") as process:
        assert process.stdout is not None
        url = (await asyncio.to_thread(process.stdout.readline)).strip()
        async with connect(url, proxy=None) as ws:
            assert ws.response is not None
            assert "Server" not in ws.response.headers  # the library's server would say so
            await ws.send("握手")
            assert await ws.recv() == "握手"
            process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed) as caught:
                await ws.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        output, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert (process.returncode, output, errors) == (0, "", "")


def test_serve_echo_from_scratch_is_a_server_of_the_lab(monkeypatch, capsys):
    def press(_seconds: float) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli.time, "sleep", press)
    assert cli.main(["serve", "echo", "--from-scratch"]) == 0
    assert capsys.readouterr().out.startswith(f"ws://{LOOPBACK}:")
    assert type(registry()["echo"]).__name__ == "ScratchServer"
