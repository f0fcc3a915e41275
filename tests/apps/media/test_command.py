"""`python -m wslab serve media` and `demo media`: a page until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_it_shows_a_page_until_ctrl_c(command: str) -> None:
    own = [sys.executable, "-X", "dev", "-W", "error", "-m", "wslab", command, "media"]
    with subprocess.Popen(
        own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = process.stdout.readline().strip() if command == "demo" else said.strip()
        page = build_opener(ProxyHandler({})).open(url.replace("ws:", "http:", 1)).read()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert b"Media chat" in page
    assert (rest, errors, process.returncode) == ("", "", 0)
