"""Peers that are no Python packages: a Chromium, Node with its libraries, and tshark.

A test that needs one asks for the fixture. Where the peer is missing the test is skipped and says
how to install it; with WSLAB_REQUIRE_PEERS=1 (set by .ci/run) it fails, so that CI cannot pass
by skipping.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from wslab import browser, lab
from wslab.apps.chat import ChatClient
from wslab.lab.checks import find_chromium
from wslab.lab.registry import registry
from wslab.net.realtime.host import lead_into_memory

from .scheduler import OneByOne
from .traces import LED, changes, shared

ROOT = Path(__file__).resolve().parents[1]
os.environ["WSLAB_PROGRESS"] = "off"  # what tests solve is nobody's progress
# A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE = 45  # seconds after which a test gives up; a quiet machine needs one
# What gives up after five seconds, for a learner who waits, is as patient here.
for wait in (lab.Server.settle, lab.Cable.settle, browser.WebSocket.settle, ChatClient.until):
    wait.__kwdefaults__["within"] = PATIENCE

INTEROP = ROOT / "tests" / "interop"


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Let no test fail because the garbage collector started at its deepest call.

    Such garbage may be anybody's, and its `__del__` has no stack left.
    """
    keep = sys.unraisablehook
    sys.unraisablehook = lambda one: None if one.exc_type is RecursionError else keep(one)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneByOne:
    """Tell xdist who gives out the tests."""
    return OneByOne(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle the tests if WSLAB_SHUFFLE has a seed: `make shuffled`."""
    if seed := os.environ.get("WSLAB_SHUFFLE"):
        random.Random(seed).shuffle(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Trace no lines for coverage in tests of pages, and in tests that are marked `untraced`.

    Tracing nearly doubles the time of Python code, until Python 3.14.
    """
    of_page = item.path.is_relative_to(ROOT / "tests" / "browser")
    if not of_page and item.get_closest_marker("untraced") is None:
        return (yield)
    here, threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    if not of_page:  # the thread of their servers serves later tests, too
        threading.settrace(None)  # type: ignore[arg-type]
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(threads)  # type: ignore[arg-type]


def missing(peer: str, remedy: str) -> NoReturn:
    """End a test that lacks a peer: skipped for a learner, failed in CI."""
    reason = f"{peer} not found: {remedy}"
    if os.environ.get("WSLAB_REQUIRE_PEERS") == "1":
        pytest.fail(f"{reason} (WSLAB_REQUIRE_PEERS=1)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The program of a Chromium, Chrome or Edge.

    Debian's headless shell comes first: it draws no window around a page, and takes half the CPU.
    """
    shell = None if os.environ.get("WSLAB_CHROMIUM") else shutil.which("chromium-headless-shell")
    remedy = "apt install chromium, or set WSLAB_CHROMIUM to the program of a Chrome or Edge"
    return Path(shell) if shell else find_chromium() or missing("Chromium", remedy)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the npm packages that tests/interop/package.json asks for."""
    folder = INTEROP / "node_modules"
    for package in json.loads((INTEROP / "package.json").read_bytes())["dependencies"]:
        if not (folder / package).is_dir():
            missing(f"Node's {package} library", "run `npm install` in tests/interop")
    return folder


@pytest.fixture(scope="session")
def node(node_modules: Path) -> Path:
    """The program of a Node whose scripts in tests/interop can load what they need."""
    return Path(shutil.which("node") or missing("Node", "apt install nodejs npm"))


@pytest.fixture(scope="session")
def mosquitto_program() -> Path:
    """The program of an MQTT broker that is not ours. Debian keeps it in /usr/sbin."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    program = shutil.which("mosquitto", path=folders)
    return Path(program or missing("mosquitto", "apt install mosquitto"))


@pytest.fixture(scope="session")
def tshark() -> Path:
    """The program that dissects captures: Wireshark without its window."""
    program = shutil.which("tshark")
    if program is None and sys.platform != "linux":  # what it says is the same everywhere
        pytest.skip("tshark not found: it comes with Wireshark")
    return Path(program or missing("tshark", "apt install tshark"))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the network in memory for one test, as if the process had started with it."""
    monkeypatch.setenv("WSLAB_NETWORK", "memory")
    for kind, names in LED.items():
        for name in names:
            monkeypatch.setattr(kind, name, getattr(kind, name))  # to be restored
    lead_into_memory()


@pytest.fixture(autouse=True)
def _leaves_no_trace() -> Iterator[None]:
    """Fail a test that leaves changed what others share: they would depend on the order."""
    before = shared()
    yield
    changed = changes(before)
    assert not changed, f"the test left this changed, and monkeypatch would restore it: {changed}"


@pytest.fixture(autouse=True)
def _clean_bench() -> Iterator[None]:
    """Stop the servers and cables that a test has left, and forget their names."""
    before = {**registry()}
    yield
    for name, listener in [*registry().items()]:
        if before.get(name) is not listener:
            with contextlib.suppress(lab.LoopStalled):
                listener.stop_now()
            registry().pop(name, None)


@pytest.fixture
def until() -> Callable[..., object]:
    """Wait, on the test's loop, for a condition."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 (threads set no asyncio.Event)
                await asyncio.sleep(0.001)

    return wait
