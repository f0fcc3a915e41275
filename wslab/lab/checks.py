"""The checks of `lab.doctor()`, from Python's version to one real echo.

Each check is a generator of findings. If it raises, `Check.findings` turns that into a finding too.
A module that only one check needs is imported by that check, because it may be missing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wslab.lab.finding import Check, Finding
from wslab.lab.loop import LoopStalled, lab_thread, run
from wslab.lab.peers import CAN_TELL, on_hub
from wslab.lab.registry import LOOPBACK, registry
from wslab.lab.servers.websocket import echo, serve
from wslab.lab.wire.cable import cable

__all__ = ["CHECKS", "PACKAGES", "find_chromium"]

PATIENCE = 5.0  # seconds for the echo, many times more than it takes
SERVER, CABLE = "the doctor's echo", "the doctor's cable"

# Each package and its purpose. The allowed versions are in pyproject.toml.
PACKAGES = {
    "websockets": "every lesson",
    "jupyterlab": "opening the notebooks",
    "ipykernel": "running the notebooks",
    "nest-asyncio2": "lab.allow_asyncio_run()",
    "anywidget": "the browser as a peer",
    "jupyter-server-proxy": "the browser as a peer on JupyterHub and Binder",
    "matplotlib": "the plots",
    "nbval": "the tests of the notebooks",
}

CHROMIUM_COMMANDS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "chrome", "msedge"),
)
MAC_PROGRAMS = ("Chromium", "Google Chrome", "Microsoft Edge")
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
WINDOWS_PROGRAMS = (
    r"Google\Chrome\Application\chrome.exe",
    r"Chromium\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
)


# Python and its packages


def python() -> Iterator[Finding]:
    """Look whether the interpreter is new enough, and in an environment of its own."""
    version = ".".join(map(str, sys.version_info[:3]))
    inside = sys.prefix != sys.base_prefix
    where = f"virtual environment {Path(sys.prefix).name}" if inside else "no virtual environment"
    enough = tuple(sys.version_info) >= (3, 11)
    advice = "" if enough else "3.11 is the oldest that works: make clean lab PYTHON=python3.12"
    yield Finding("Python", f"{version}, {where}", enough, advice)


def packages() -> Iterator[Finding]:
    """Compare the installed packages with those that wslab asks for."""
    from importlib.metadata import PackageNotFoundError, version

    allowed = allowed_versions()
    for name, purpose in PACKAGES.items():
        versions = allowed.get(name)
        install = f'python -m pip install "{name}{versions or ""}", then restart the kernel'
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(name, "not installed", False, f"for {purpose}: {install}")
            continue
        if versions is None or versions.contains(found, prereleases=True):
            yield Finding(name, found)
        else:
            yield Finding(name, f"{found}, expected {versions}", False, install)


def allowed_versions() -> dict[str, Any]:
    """Read wslab's own requirements, as package names with a SpecifierSet of `packaging`.

    It is empty if they cannot be read; then only missing packages are found.
    """
    from importlib.metadata import PackageNotFoundError, requires

    try:
        from packaging.requirements import Requirement

        requirements = [Requirement(line) for line in requires("wslab") or ()]
    except (ImportError, PackageNotFoundError):
        return {}
    return {one.name: one.specifier for one in requirements}


# Loops


def event_loop() -> Iterator[Finding]:
    """Tell whether a loop runs here, and what `asyncio.run` does about it."""
    try:
        asyncio.get_running_loop()
        running = True
        yield Finding("event loop", "running, as in a notebook: a cell may await")
    except RuntimeError:
        running = False
        yield Finding("event loop", "not running, as in a script")
    patched_by = asyncio.run.__module__
    if patched_by == "nest_asyncio":
        seen = "patched by nest_asyncio, which loses queued cells"
        advice = "restart the kernel; use lab.allow_asyncio_run(), not nest_asyncio.apply()"
        yield Finding("asyncio.run", seen, False, advice)
    elif patched_by == "nest_asyncio2":
        yield Finding("asyncio.run", "works everywhere, patched by nest_asyncio2")
    elif running:
        advice = "await main() instead; for pasted scripts lab.allow_asyncio_run()"
        yield Finding("asyncio.run", "raises in a cell: a loop is running", advice=advice)
    else:
        yield Finding("asyncio.run", "works")


async def _answer() -> None:
    pass


def lab_threads() -> Iterator[Finding]:
    """Ask the lab's loops for an answer."""
    for name in ("servers", "cables"):
        what = f"thread of the {name}"
        try:
            lab_thread(name).call(_answer, timeout=1)
            yield Finding(what, "answers")
        except LoopStalled as stalled:
            advice = f"end what blocks it, or restart the kernel\n{stalled}"
            yield Finding(what, "does not answer", False, advice)


# The network


def free_port() -> Iterator[Finding]:
    """Listen on a port of this machine."""
    with socket.create_server((LOOPBACK, 0)):
        yield Finding("free port", f"found one on {LOOPBACK}")


def real_echo() -> Iterator[Finding]:
    """Send a message to a server and back, through a cable."""
    for name in ("servers", "cables"):  # so that we wait for a hanging loop only once
        lab_thread(name).call(_answer, timeout=1)
    server = serve(echo, name=SERVER)
    try:
        wire = cable(server, name=CABLE)
        try:
            answer = run(_say_hello(wire.url), timeout=PATIENCE + 2)
        finally:
            wire.stop_now()
    finally:
        server.stop_now()
        for name in (SERVER, CABLE):
            registry().pop(name, None)
    frames = len(wire.transcript.only(kind="TEXT"))
    seen = f"{answer!r} came back, {frames} text frames on the cable"
    yield Finding("echo through a cable", seen)


async def _say_hello(url: str) -> str | bytes:
    from websockets.asyncio.client import connect

    async with asyncio.timeout(PATIENCE), connect(url, proxy=None, close_timeout=1) as ws:
        await ws.send("Hello")
        return await ws.recv()


def http_proxy() -> Iterator[Finding]:
    """Ask the library whether `connect` would go through an HTTP proxy to reach a server here."""
    from websockets.proxy import get_proxy
    from websockets.uri import parse_uri

    proxy = get_proxy(parse_uri(f"ws://{LOOPBACK}:8765/"))
    if proxy is None:
        yield Finding("HTTP proxy", f"none for {LOOPBACK}")
        return
    scheme, _, rest = proxy.rpartition("://")
    shown = f"{scheme}://{rest.rpartition('@')[2]}"  # without the name and the password
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = ",".join(filter(None, [exceptions, LOOPBACK, "localhost"]))
    advice = f'os.environ["no_proxy"] = "{hosts}", or connect(url, proxy=None)'
    yield Finding("HTTP proxy", f"connect() asks {shown} for {LOOPBACK}", False, advice)


# The page and the browser


def proxy_extension() -> Iterator[Finding]:
    """Tell whether JupyterLab passes a page's connections on to servers of the lab."""
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    manager = ExtensionConfigManager(read_config_path=jupyter_config_path())
    if manager.enabled("jupyter_server_proxy"):  # type: ignore[no-untyped-call]
        yield Finding("proxy extension", "enabled")
    else:
        advice = "jupyter server extension enable jupyter_server_proxy, then restart JupyterLab"
        yield Finding("proxy extension", "not enabled", False, advice)


def page() -> Iterator[Finding]:
    """Tell how a WebSocket that the page opens can reach a server of the lab."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    binder = any(name.startswith("BINDER_") for name in os.environ)
    if not (on_hub() or binder):
        advice = "only through the proxy extension if your browser runs on another machine"
        yield Finding("page to server", f"direct, ws://{LOOPBACK}:PORT/", advice=advice)
        return
    where = "Binder" if binder else "JupyterHub"
    seen = f"{where}: only through the proxy extension"
    yield Finding("page to server", seen, advice=f"the page asks {prefix or '/'}proxy/PORT/")
    if binder:
        return  # it has one container per user
    if CAN_TELL:
        yield Finding("other users", "servers accept only your own connections")
    else:
        advice = "the hub needs one container per user, so that nobody else reaches your ports"
        seen = "this system does not tell which user a connection belongs to"
        yield Finding("other users", seen, False, advice)


def browser() -> Iterator[Finding]:
    """Look for the browser that the tests drive."""
    found = find_chromium()
    advice = "" if found else "only tests/browser needs one; WSLAB_CHROMIUM may name its program"
    seen = found.name if found else "no Chromium, Chrome or Edge"
    yield Finding("browser for tests", seen, advice=advice)


def find_chromium() -> Path | None:
    """Find the browser that WSLAB_CHROMIUM names, else one on the PATH or in a usual place."""
    if named := os.environ.get("WSLAB_CHROMIUM"):
        return Path(named) if Path(named).is_file() else None
    places = [path for command in CHROMIUM_COMMANDS if (path := shutil.which(command))]
    if sys.platform == "darwin":
        places += [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in MAC_PROGRAMS]
    if sys.platform == "win32":
        folders = [os.environ[name] for name in WINDOWS_FOLDERS if name in os.environ]
        places += [rf"{folder}\{name}" for folder in folders for name in WINDOWS_PROGRAMS]
    return next((Path(place) for place in places if Path(place).is_file()), None)


def chinese_text() -> Iterator[Finding]:
    """Tell whether the lessons' Chinese terms can be printed here."""
    encoding = getattr(sys.stdout, "encoding", None) or "no encoding"
    try:
        "握手".encode(encoding)
        yield Finding("Chinese text", f"prints, {encoding.lower()}")
    except (LookupError, UnicodeEncodeError):
        advice = "set the environment variable PYTHONUTF8=1 before Python starts"
        yield Finding("Chinese text", f"does not print, {encoding.lower()}", False, advice)


_RESTART = "restart the kernel; if that does not help: make clean lab"
_LISTEN = f"a firewall or a sandbox forbids listening on {LOOPBACK}: allow it"
_CONNECT = f"see the rows above; allow Python to connect to {LOOPBACK}"

CHECKS = (
    Check(python, "Python", _RESTART),
    Check(packages, "packages", _RESTART),
    Check(event_loop, "event loop", _RESTART),
    Check(lab_threads, "threads of the lab", "call doctor() in a cell, not in a handler"),
    Check(free_port, "free port", _LISTEN),
    Check(real_echo, "echo through a cable", _CONNECT),
    Check(http_proxy, "HTTP proxy", "correct the environment variables http_proxy and no_proxy"),
    Check(proxy_extension, "proxy extension", "python -m pip install jupyter-server-proxy"),
    Check(page, "page to server", _RESTART),
    Check(browser, "browser for tests", _RESTART),
    Check(chinese_text, "Chinese text", _RESTART),
)
