"""`python -m wslab serve NAME` and `demo NAME`, for each application with a page to project."""

from __future__ import annotations

import signal
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

import pytest
from run_all import as_a_learner

from wslab.__main__ import SERVICES

HEADINGS = {
    "coediting": "One text, many writers",
    "danmaku": "Danmaku 弹幕",
    "location": "Couriers nearby",
    "media": "Media chat",
    "quotes": "Two venues, three stocks",
    "scores": "Live score",
}


def test_none_is_forgotten() -> None:
    shown = {name for name, service in SERVICES.items() if service.demo}
    assert shown == {*HEADINGS, "echo"}  # whose demo ends by itself


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("name", HEADINGS)
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_it_shows_a_page_until_ctrl_c(name: str, command: str) -> None:
    own = [sys.executable, "-W", "error", "-m", "wslab", command, name]
    with subprocess.Popen(
        own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=as_a_learner()
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = process.stdout.readline().strip() if command == "demo" else said.strip()
        page = build_opener(ProxyHandler({})).open(url.replace("ws:", "http:", 1)).read()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert HEADINGS[name] in page.decode()
    assert (rest, errors, process.returncode) == ("", "", 0)
