"""The command line: in a process of its own as a learner runs it, and called from here."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from run_all import as_a_learner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from wslab import __main__ as cli
from wslab import lab
from wslab.lab.checkup import Checkup
from wslab.lab.finding import Finding
from wslab.lab.registry import registry

PATIENCE = 40  # seconds for a process to start or to end

# What Ctrl-C is on this system, as far as another process can press it.
WINDOWS = sys.platform == "win32"
CTRL_C = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)
STOPS = [CTRL_C] if WINDOWS else [signal.SIGINT, signal.SIGTERM]
NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `python -m wslab …`; whatever still runs at the end of the test is ended."""
    started = []
    # stdout is a pipe, so what is not flushed does not come
    environment = {k: v for k, v in as_a_learner().items() if k != "PYTHONUNBUFFERED"}

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "wslab", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**environment, "PYTHONIOENCODING": "utf-8"},
            creationflags=NEW_GROUP,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as soon as the server runs."""

    def press(_seconds: float) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli.time, "sleep", press)


def last_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


class Interrupting:
    """A server that is interrupted a second time while it stops."""

    url = "ws://127.0.0.1:1/"
    errors = ("a handler's error",)

    def __init__(self, **options: Any) -> None:
        self.options = options

    def stop_now(self) -> None:
        signal.raise_signal(signal.SIGINT)


def interrupted(**_options: Any) -> None:
    """Start a server, and be interrupted before it runs."""
    signal.raise_signal(signal.SIGINT)


# serve


@pytest.mark.parametrize("number", STOPS, ids=lambda number: signal.Signals(number).name)
def test_serve_echoes_until_it_is_stopped(start: Start, number: int) -> None:
    process = start("serve", "echo")
    assert process.stdout
    url = process.stdout.readline().strip()
    with connect(url, proxy=None) as ws:
        ws.send("握手")
        assert ws.recv(timeout=PATIENCE) == "握手"
        process.send_signal(number)  # with a client that stays
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=PATIENCE)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    rest, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_serve_on_a_port_that_is_taken(start: Start, taken: int) -> None:
    process = start("serve", "echo", "--port", str(taken))
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (2, "")
    assert last_line(errors) == (
        f"python -m wslab serve: port {taken} is in use by another program: "
        "stop that one, or leave port out to get a free one"
    )


@pytest.mark.usefixtures("at_once")
def test_serve_where_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    handler = signal.getsignal(signal.SIGINT)
    assert cli.main(["serve", "echo", "--port", str(port), "--host", "localhost"]) == 0
    assert capsys.readouterr() == (f"ws://localhost:{port}/\n", "")
    assert signal.getsignal(signal.SIGINT) is handler
    assert not registry()["echo"].is_running


def test_a_second_ctrl_c_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(_seconds: float) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setitem(cli.SERVICES, "echo", cli.Service("", f"{__name__}:Interrupting"))
    monkeypatch.setattr(cli.time, "sleep", press)
    assert cli.main(["serve", "echo"]) == 0
    assert capsys.readouterr() == ("ws://127.0.0.1:1/\n", "a handler's error\n")


def test_ctrl_c_before_the_server_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cli.SERVICES, "echo", cli.Service("", f"{__name__}:interrupted"))
    assert cli.main(["serve", "echo"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("at_once")
def test_an_address_that_this_machine_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "echo", "--host", "192.0.2.1"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert last_line(errors).startswith("python -m wslab serve: ")
    assert "192.0.2.1" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "eco"], "'eco'"),
        (["serve"], "NAME"),
        (
            ["serve", "echo", "--port", "70000"],
            "'70000' is not a port from 0 (any free one) to 65535",
        ),
        (["serve", "echo", "--port", "-1"], "'-1' is not a port"),
        (["serve", "echo", "--port", "http"], "'http' is not a port"),
        (["serve", "echo", "--speed", "1"], "--speed"),
        (["sing"], "'sing'"),
        (["demo", "socketio"], "'socketio'"),
        (["doctor", "--loud"], "unknown arguments: --loud"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    output, errors = capsys.readouterr()
    assert (end.value.code, output) == (2, "")
    assert said in last_line(errors)
    assert "--help" in errors


# What there is


def test_alone_it_says_what_there_is(start: Start) -> None:
    process = start()
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    for name, (summary, _) in cli.COMMANDS.items():
        assert any(line.split() == [name, *summary.split()] for line in output.splitlines()), output
    for name, offer in cli.SERVICES.items():
        assert any(line.split() == [name, *offer.summary.split()] for line in output.splitlines())


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS), ["serve", "echo"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([*command, "--help"])
    assert end.value.code == 0
    assert " ".join(["usage: python -m wslab", *command]) in capsys.readouterr().out


def test_an_output_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

    output = Plain()
    monkeypatch.setattr(sys, "stdout", output)
    assert cli.main([]) == 0
    assert "commands:" in output.text


# lab


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with the first lesson, instead of the whole course."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(cli.COURSE / "notebooks" / "00_start_here.ipynb", tmp_path / "notebooks")
    monkeypatch.setattr(cli, "COURSE", tmp_path)
    return tmp_path


def launched(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """Return what JupyterLab is started with."""
    found: list[str] = []
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", found.extend)
    assert cli.main(["lab", *arguments]) == 0
    return found


def test_lab_opens_a_copy_of_the_first_lesson(
    monkeypatch: pytest.MonkeyPatch, course: Path
) -> None:
    given = dict(one.split("=") for one in launched(monkeypatch) if "=" in one)
    root, url = given["--ServerApp.root_dir"], given["--LabApp.default_url"]
    opened = Path(root) / url.removeprefix("/lab/tree/")
    assert opened == course / "work" / "00_start_here.ipynb"
    assert '"output_type"' not in opened.read_text("utf-8")


def test_lab_names_newer_versions(
    monkeypatch: pytest.MonkeyPatch, course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(monkeypatch)
    lesson = course / "notebooks" / "00_start_here.ipynb"
    lesson.write_text(lesson.read_text("utf-8").replace("# 00 ·", "# 00 · Better:"), "utf-8")
    launched(monkeypatch)
    said = capsys.readouterr().out
    assert "Newer versions stand beside your copies: 00_start_here.new.ipynb\n" in said


@pytest.mark.usefixtures("course")
def test_lab_passes_on_what_is_for_jupyterlab(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched(monkeypatch, "--port=9000", "--ip", "0.0.0.0")[-3:] == [
        "--port=9000",
        "--ip",
        "0.0.0.0",
    ]


@pytest.mark.usefixtures("course")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_lab_opens_a_browser_where_there_is_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "--no-browser" in launched(monkeypatch)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert "--no-browser" not in launched(monkeypatch)


@pytest.mark.usefixtures("course")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no root")
@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_lab_allows_root(monkeypatch: pytest.MonkeyPatch, user: int, allowed: bool) -> None:
    monkeypatch.setattr("os.getuid", lambda: user)
    assert ("--allow-root" in launched(monkeypatch)) is allowed


def test_lab_without_the_course(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(cli, "COURSE", tmp_path)
    assert cli.main(["lab"]) == 2
    assert "the folder notebooks is not in" in last_line(capsys.readouterr().err)


# demo and doctor


def test_demo_shows_the_real_thing(start: Start) -> None:
    process = start("demo")
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    for what in (
        "gets 'Hello'",
        "81 05 48 65 6c 6c 6f",  # the server's frame
        "1000 NORMAL_CLOSURE",
        "ConnectionClosedError: no close frame received or sent",
        "1006 ABNORMAL_CLOSURE",
    ):
        assert what in output
    where = [output.index(what) for what in ("GET /", "101 Switching", "81 05", "88 02", "1006")]
    assert where == sorted(where)


def test_demo_from_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo"]) == 0
    assert "ConnectionClosedError" in capsys.readouterr().out
    assert not registry()["echo"].is_running
    assert not [t for t in threading.enumerate() if not (t.daemon or t is threading.main_thread())]


@pytest.mark.parametrize(
    ("error", "said"), [(OSError("no port"), "no port"), (TimeoutError(), "no answer within 10 s")]
)
def test_demo_that_fails_points_to_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    said: str,
) -> None:
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(lab, "cable", fail)
    assert cli.main(["demo"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"python -m wslab demo: {said}"
    assert second.endswith("python -m wslab doctor")


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_doctors_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ok: bool, code: int
) -> None:
    found = Checkup([Finding("port", "one", ok, "—")])
    monkeypatch.setattr(sys.modules["wslab.lab.checkup"], "doctor", lambda: found)
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().out == f"{found!r}\n"


def test_the_doctor_on_a_terminal_that_knows_little() -> None:
    """Where a character cannot be printed its code is, and nothing is raised."""
    command = [sys.executable, "-W", "error", "-m", "wslab", "doctor"]
    environment = as_a_learner(PYTHONIOENCODING="ascii", http_proxy="http://握手.example/")
    for name in ("no_proxy", "NO_PROXY"):
        environment.pop(name, None)
    done = subprocess.run(command, capture_output=True, env=environment, timeout=PATIENCE)
    assert (done.returncode, done.stderr.decode()) == (1, "")
    assert b"PYTHONUTF8=1" in done.stdout
    assert rb"http://\u63e1\u624b.example/" in done.stdout
