"""The doctor: what it says of a machine where all is well, and of one where something is not."""

from __future__ import annotations

import asyncio
import importlib.metadata
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wslab.lab import checks, serve
from wslab.lab.checks import find_chromium
from wslab.lab.checkup import HEAD, Checkup, doctor
from wslab.lab.finding import Check, Finding
from wslab.lab.loop import LoopStalled
from wslab.lab.registry import registry

PROXY_VARIABLES = ("http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "all_proxy", "socks_proxy")
NO_PROXY = ("no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no hub, no browser by name: whatever the machine of the tests has."""
    for name in (*PROXY_VARIABLES, *NO_PROXY):
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, "")  # so that it is restored, although a test sets it
            monkeypatch.delenv(spelled)
    for name in list(os.environ):
        if name.startswith(("BINDER_", "JUPYTERHUB_")):
            monkeypatch.delenv(name)


def look(check: Callable[[], Iterator[Finding]]) -> dict[str, Finding]:
    """Run one check of the doctor, as the doctor does."""
    (entry,) = (entry for entry in checks.CHECKS if entry.look is check)
    return {finding.what: finding for finding in entry.findings()}


# The value


def test_a_checkup_prints_as_a_table() -> None:
    checkup = Checkup([Finding("Python", "3.11.7"), Finding("port", "none", False, "free one")])
    assert repr(checkup) == (
        "what    seen    verdict  what to do\nPython  3.11.7  ok\nport    none    !        free one"
    )
    assert not checkup.ok
    assert Checkup(checkup[:1]).ok
    assert len(HEAD) == len(checkup.rows()[0])


@pytest.mark.parametrize(
    ("error", "seen"),
    [(ValueError("no\nmore"), "ValueError: no"), (TimeoutError(), "TimeoutError")],
)
def test_an_exception_is_the_last_finding(error: Exception, seen: str) -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("first", "fine")
        raise error

    found = list(Check(broken, "second", "mend it").findings())
    assert found == [Finding("first", "fine"), Finding("second", seen, False, "mend it")]


# Everything


def test_all_is_well_in_a_script() -> None:
    checkup = doctor()
    rows = {finding.what: finding for finding in checkup}
    assert len(rows) == len(checkup), "a name is used twice"
    for what in ("Python", "websockets", "event loop", "free port", "HTTP proxy"):
        assert rows[what].ok, rows[what]
    assert rows["echo through a cable"].seen == "'Hello' came back, 2 text frames on the cable"
    assert rows["event loop"].seen.startswith("not running")
    assert all(finding.advice for finding in checkup if not finding.ok)
    assert repr(checkup).isascii()


async def test_a_call_in_a_cell_does_not_need_the_running_loop() -> None:
    rows = {finding.what: finding for finding in doctor()}
    assert rows["event loop"] == Finding(
        "event loop", "running, as in a notebook: a cell may await"
    )
    assert rows["asyncio.run"].ok
    assert "allow_asyncio_run" in rows["asyncio.run"].advice
    assert rows["echo through a cable"].ok


def test_it_leaves_nothing_behind() -> None:
    before = dict(registry())
    assert look(checks.real_echo)["echo through a cable"].ok
    assert registry() == before


async def test_in_a_handler_it_says_where_to_call_it() -> None:
    found: list[Checkup] = []
    done = threading.Event()

    async def examine(_connection: Any) -> None:
        found.append(doctor())
        done.set()

    from websockets.asyncio.client import connect

    async with serve(examine) as server, connect(server.url, proxy=None):
        assert await asyncio.to_thread(done.wait, 30)
    rows = {finding.what: finding for finding in found[0]}
    assert not rows["threads of the lab"].ok
    assert "in a cell" in rows["threads of the lab"].advice
    assert not rows["echo through a cable"].ok


# Python and its packages


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 12, "final", 0))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    row = look(checks.python)["Python"]
    assert row[:3] == ("Python", "3.10.12, no virtual environment", False)
    assert "3.11" in row.advice


def test_a_virtual_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(Path("somewhere", ".venv")))
    assert look(checks.python)["Python"].seen.endswith(", virtual environment .venv")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every package that is looked for, with the version that the test wants it to have."""
    versions = dict.fromkeys(checks.PACKAGES, "1.0")
    versions.update(websockets="17.4", matplotlib="3.11")
    wanted = ["websockets>=17,<18", "matplotlib>=3.10,<4"]

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    return versions


def test_packages_in_range(installed: dict[str, str]) -> None:
    rows = look(checks.packages)
    assert list(rows) == list(checks.PACKAGES)
    assert all(row.ok for row in rows.values())
    assert rows["websockets"].seen == "17.4"


def test_a_package_of_another_version(installed: dict[str, str]) -> None:
    installed["websockets"] = "15.0.1"
    row = look(checks.packages)["websockets"]
    assert (row.seen, row.ok) == ("15.0.1, expected <18,>=17", False)
    assert 'pip install "websockets<18,>=17"' in row.advice


def test_a_package_that_is_missing(installed: dict[str, str]) -> None:
    del installed["nbval"]
    rows = look(checks.packages)
    assert [row.what for row in rows.values() if not row.ok] == ["nbval"]
    assert rows["nbval"].seen == "not installed"
    assert 'pip install "nbval"' in rows["nbval"].advice


def test_wslab_itself_is_not_installed(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def requires(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert checks.allowed_versions() == {}
    assert look(checks.packages)["websockets"].seen == "17.4"


def test_without_packaging_versions_are_told_but_not_judged(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    installed["websockets"] = "15.0.1"
    assert look(checks.packages)["websockets"] == Finding("websockets", "15.0.1")


# Loops


@pytest.mark.parametrize(("module", "ok"), [("nest_asyncio", False), ("nest_asyncio2", True)])
def test_who_patched_asyncio_run(monkeypatch: pytest.MonkeyPatch, module: str, ok: bool) -> None:
    def run(_main: object) -> None: ...

    run.__module__ = module
    monkeypatch.setattr(asyncio, "run", run)
    row = look(checks.event_loop)["asyncio.run"]
    assert row.ok is ok
    assert f"patched by {module}" in row.seen
    assert ok or "lab.allow_asyncio_run()" in row.advice


@pytest.mark.parametrize(("package", "ok"), [("nest_asyncio", "False"), ("nest_asyncio2", "True")])
def test_the_real_patches(package: str, ok: str) -> None:
    """In a process of its own, because a patch cannot be taken back."""
    pytest.importorskip(package)
    script = (
        f"import asyncio, {package}\n"
        "asyncio.set_event_loop(asyncio.new_event_loop())\n"  # the original wants one
        f"{package}.apply()\n"
        "from wslab.lab.checks import event_loop\n"
        "print({row.what: row.ok for row in event_loop()}['asyncio.run'])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.stdout.split() == [ok], done.stderr


def test_asyncio_run_in_a_script() -> None:
    assert look(checks.event_loop)["asyncio.run"] == Finding("asyncio.run", "works")


def test_a_lab_thread_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Thread:
        def call(self, function: object, timeout: float) -> None:
            raise LoopStalled("it is in time.sleep")

    monkeypatch.setattr(checks, "lab_thread", lambda name: Thread())
    rows = look(checks.lab_threads)
    assert list(rows) == ["thread of the servers", "thread of the cables"]
    for row in rows.values():
        assert (row.seen, row.ok) == ("does not answer", False)
        assert "it is in time.sleep" in row.advice
    echo_row = look(checks.real_echo)["echo through a cable"]
    assert echo_row.seen == "LoopStalled: it is in time.sleep"


# The network


def test_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "create_server", refuse)
    for row in (
        look(checks.free_port)["free port"],
        look(checks.real_echo)["echo through a cable"],
    ):
        assert (row.seen, row.ok) == ("PermissionError: [Errno 1] Operation not permitted", False)
        assert "127.0.0.1" in row.advice


def test_an_echo_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(connection: Any) -> None:
        await connection.wait_closed()

    monkeypatch.setattr(checks, "echo", silence)
    monkeypatch.setattr(checks, "PATIENCE", 0.2)
    row = look(checks.real_echo)["echo through a cable"]
    assert (row.seen, row.ok) == ("TimeoutError", False)
    assert not {checks.SERVER, checks.CABLE} & set(registry())


def test_a_cable_that_cannot_be_laid(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise OSError("no more files")

    monkeypatch.setattr(checks, "cable", refuse)
    assert look(checks.real_echo)["echo through a cable"].seen == "OSError: no more files"
    assert checks.SERVER not in registry()


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"http_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://ada:secret@proxy.example:3128"}, "http://proxy.example:3128"),
        ({"ws_proxy": "socks5h://proxy.example:1080"}, "socks5h://proxy.example:1080"),
        ({"http_proxy": "http://p.example:1", "no_proxy": "intranet"}, "http://p.example:1"),
        # looks right, but the standard library knows no networks
        ({"http_proxy": "http://p.example:1", "no_proxy": "127.0.0.0/8"}, "http://p.example:1"),
    ],
)
def test_a_proxy_that_would_swallow_connect(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], shown: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    row = look(checks.http_proxy)["HTTP proxy"]
    assert (row.seen, row.ok) == (f"connect() asks {shown} for 127.0.0.1", False)
    assert "proxy=None" in row.advice
    assert "secret" not in repr(row)
    # The advice is a statement to paste; and what was in no_proxy stays.
    statement = row.advice.partition(", or ")[0]
    exec(statement, {"os": os})
    assert variables.get("no_proxy", "") in os.environ["no_proxy"]
    assert look(checks.http_proxy)["HTTP proxy"].ok


@pytest.mark.parametrize("name", NO_PROXY)
def test_a_proxy_that_leaves_this_machine_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv(name, "localhost,127.0.0.1")
    assert look(checks.http_proxy)["HTTP proxy"] == Finding("HTTP proxy", "none for 127.0.0.1")


# The page and the browser


@pytest.mark.parametrize("enabled", [True, False])
def test_the_proxy_extension(monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    config = pytest.importorskip("jupyter_server.extension.config")
    monkeypatch.setattr(
        config.ExtensionConfigManager,
        "get_jpserver_extensions",
        lambda self, section_name="": {"jupyter_server_proxy": True} if enabled else {},
    )
    row = look(checks.proxy_extension)["proxy extension"]
    assert row.ok is enabled
    assert enabled or "extension enable jupyter_server_proxy" in row.advice


def test_no_jupyter_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_server.extension.config", None)
    row = look(checks.proxy_extension)["proxy extension"]
    assert not row.ok
    assert row.seen.startswith("ModuleNotFoundError")


@pytest.mark.parametrize(
    ("variables", "seen", "address"),
    [
        ({}, "direct, ws://127.0.0.1:PORT/", ""),
        (
            {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"},
            "JupyterHub: only through the proxy extension",
            "/user/ada/proxy/PORT/",
        ),
        (
            {"BINDER_LAUNCH_HOST": "https://b.example/", "JUPYTERHUB_SERVICE_PREFIX": "/user/x/"},
            "Binder: only through the proxy extension",
            "/user/x/proxy/PORT/",
        ),
        ({"BINDER_REQUEST": "v2"}, "Binder: only through the proxy extension", " /proxy/PORT/"),
    ],
)
def test_how_the_page_reaches_a_server(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], seen: str, address: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    row = look(checks.page)["page to server"]
    assert row.ok
    assert row.seen == seen
    assert address in row.advice


@pytest.mark.parametrize(("can_tell", "advice"), [(True, ""), (False, "one container per user")])
def test_other_users_of_a_hub(monkeypatch: pytest.MonkeyPatch, can_tell: bool, advice: str) -> None:
    monkeypatch.setattr(checks, "CAN_TELL", can_tell)
    assert "other users" not in look(checks.page)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    row = look(checks.page)["other users"]
    assert row.ok is can_tell
    assert advice in row.advice


def test_the_browser_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "my-browser"
    monkeypatch.setenv("WSLAB_CHROMIUM", str(program))
    row = look(checks.browser)["browser for tests"]
    assert row.ok, "a learner needs none"
    assert "WSLAB_CHROMIUM" in row.advice
    program.touch()
    assert look(checks.browser)["browser for tests"] == Finding("browser for tests", "my-browser")


def test_the_browser_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WSLAB_CHROMIUM", raising=False)
    program = tmp_path / "chrome"
    program.touch()
    found = {"chrome": str(program), "chromium": str(tmp_path / "a broken link")}
    monkeypatch.setattr(checks.shutil, "which", found.get)
    assert find_chromium() == program


@pytest.mark.parametrize("system", ["darwin", "win32", "linux"])
def test_the_browser_in_a_usual_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str
) -> None:
    monkeypatch.delenv("WSLAB_CHROMIUM", raising=False)
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    monkeypatch.setattr(checks.sys, "platform", system)
    for name in checks.WINDOWS_FOLDERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROGRAMFILES", "folder")
    places = {"darwin": "/Applications/", "win32": "folder\\Google\\Chrome"}
    start = places.get(system, "nowhere")
    monkeypatch.setattr(
        Path,
        "is_file",
        lambda self: str(self).replace("/", os.sep).startswith(start.replace("/", os.sep)),
    )
    found = find_chromium()
    assert (found is not None) is (system in places)


# Text


@pytest.mark.parametrize(("encoding", "ok"), [("utf-8", True), ("gbk", True), ("cp1252", False)])
def test_chinese_text(monkeypatch: pytest.MonkeyPatch, encoding: str, ok: bool) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    row = look(checks.chinese_text)["Chinese text"]
    assert row.ok is ok
    assert encoding in row.seen
    assert ok or "PYTHONUTF8=1" in row.advice


def test_no_stdout_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert not look(checks.chinese_text)["Chinese text"].ok
