"""The chat server on the command line, alone and for a classroom."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from wslab import __main__ as cli
from wslab.apps.chat import share
from wslab.lab.registry import registry


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Look at the server as soon as it runs, then press Ctrl-C."""
    seen: list[Any] = []

    def press(_seconds: float) -> None:
        server: Any = registry()["chat"]
        for look in seen:
            look(server)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli.time, "sleep", press)
    return seen


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is loopback: nothing is opened to the real one."""
    monkeypatch.setattr(share, "EVERYWHERE", "127.0.0.1")
    monkeypatch.setattr(share, "address_on_the_network", lambda: "127.0.0.2")


def test_alone(running: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    looked = []

    def look(server: Any) -> None:
        looked.append((server.rules.rate, server.rules.members, server.admission.token))
        with connect(server.url, proxy=None) as ws:
            ws.send('{"type":"setName","text":"Ada"}')
            assert ws.recv(timeout=45) == '{"name":"Server","text":"Ada joined the room"}'

    running.append(look)
    assert cli.main(["serve", "chat"]) == 0
    output, notes = capsys.readouterr()
    assert looked == [(5.0, None, None)]
    assert output.startswith("ws://127.0.0.1:")
    assert notes == f"The page: {output.replace('ws', 'http', 1)}"


@pytest.mark.parametrize(
    ("arguments", "joined"),
    [
        (["--lang", "zh"], '{"name":"Server","text":"小明加入了房间"}'),
        (["--classic"], '{"name":"Server","text":"小明加入了房间"}'),
        (["--lang", "en"], '{"name":"Server","text":"小明 joined the room"}'),
    ],
)
def test_languages(running: list[Any], arguments: list[str], joined: str) -> None:
    def look(server: Any) -> None:
        with connect(server.url, proxy=None) as ws:
            ws.send('{"text":"小明","type":"setName"}')
            assert ws.recv(timeout=45) == joined

    running.append(look)
    assert cli.main(["serve", "chat", *arguments]) == 0


@pytest.mark.parametrize(("text", "rate"), [("off", None), ("0.5", 0.5), ("20", 20.0)])
def test_rates(running: list[Any], text: str, rate: float | None) -> None:
    rates = []
    running.append(lambda server: rates.append(server.rules.rate))
    assert cli.main(["serve", "chat", "--rate", text]) == 0
    assert rates == [rate]


@pytest.mark.usefixtures("network")
def test_a_classroom(running: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    pages = []

    def look(server: Any) -> None:
        pages.append(server.page)
        assert server.rules.members == share.CLASSROOM
        url = server.url.replace("127.0.0.2", "127.0.0.1")
        with pytest.raises(InvalidStatus, match="403"):
            connect(url.partition("?")[0], proxy=None)
        with pytest.raises(InvalidStatus, match="404"):
            connect(url.replace("/?", "/invented?"), proxy=None)
        assert sorted(server.rooms) == ["", "green"]
        own = server.page.partition("/?")[0]
        with connect(url, proxy=None, origin=own) as ws:  # type: ignore[arg-type]
            ws.send("x")
            assert "error" in str(ws.recv(timeout=45))

    running.append(look)
    assert cli.main(["serve", "chat", "--lan", "--room", "green"]) == 0
    output, notes = capsys.readouterr()
    assert output.startswith("ws://127.0.0.2:")
    assert len(pages[0].partition("?token=")[2]) == 16
    assert pages[0] in notes
    assert pages[0].replace("/?", "/green?") in notes
    assert share.qr_code(pages[0]) in notes
    assert "100 members, 5 messages a second" in notes
    assert "not encrypted" in notes


def test_the_code_is_drawn_with_blocks() -> None:
    drawing = share.qr_code("http://192.0.2.7:8765/?token=abcdefghijklmnop")
    assert set(drawing) <= set("█▀▄ \n")
    assert len(drawing.splitlines()) > 10


@pytest.mark.usefixtures("network")
def test_without_a_rate_it_says_so(running: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "chat", "--lan", "--rate", "off"]) == 0
    assert "no rate limit" in capsys.readouterr().err


def test_an_address_of_its_own(running: list[Any]) -> None:
    def look(server: Any) -> None:
        assert f"http://localhost:{server.port}" in server.admission.origins
        assert "https://hub.example" in server.admission.origins
        assert "null" in server.admission.origins
        assert server.rooms.keys() == {""}
        with connect(f"{server.url}green", proxy=None):  # anybody may open a room here
            assert server.rooms.keys() == {"", "green"}

    running.append(look)
    arguments = ["--host", "localhost", "--origin", "https://hub.example", "--origin", "null"]
    assert cli.main(["serve", "chat", *arguments]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lan", "--host", "localhost"], "--lan already listens on every address"),
        (["--classic", "--lang", "en"], 'language is \'en\'; use "en" or "zh"'),
        (["--origin", "hub"], "an origin is like"),
        (["--room", "a/b"], "'a/b' cannot be a room"),
    ],
)
def test_what_excludes_each_other(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", "chat", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("rate", ["0", "-1", "fast", "nan", "inf"])
def test_rates_that_are_none(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "chat", "--rate", rate])
    assert "is not a rate" in capsys.readouterr().err


class Probe:
    """A UDP socket on a machine with this address; None for no network at all."""

    def __init__(self, address: str | None) -> None:
        self.address = address

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, _address: object) -> None:
        if self.address is None:
            raise OSError(101, "Network is unreachable")

    def getsockname(self) -> tuple[str | None, int]:
        return self.address, 1


@pytest.mark.parametrize("address", ["192.168.1.7", None, "127.0.0.1", "0.0.0.0"])
def test_the_address_on_the_network(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: Probe(address))
    if address == "192.168.1.7":
        assert share.address_on_the_network() == address
    else:
        with pytest.raises(OSError, match="not on a network"):
            share.address_on_the_network()
