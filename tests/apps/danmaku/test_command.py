"""`python -m wslab serve danmaku` and `demo danmaku`: a page until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

import pytest

from wslab.__main__ import main


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_it_shows_a_page_until_ctrl_c(command: str) -> None:
    own = [sys.executable, "-X", "dev", "-W", "error", "-m", "wslab", command, "danmaku"]
    with subprocess.Popen(
        own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = process.stdout.readline().strip() if command == "demo" else said.strip()
        page = build_opener(ProxyHandler({})).open(url.replace("ws:", "http:", 1)).read()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert "Danmaku 弹幕".encode() in page
    assert (rest, errors, process.returncode) == ("", "", 0)


@pytest.mark.parametrize("rate", ["-1", "inf", "nan", "many"])
def test_a_rate_that_is_none(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["serve", "danmaku", "--audience", rate])
    assert raised.value.code == 2
    assert f"{rate!r} is not a number from 0 to 100,000" in capsys.readouterr().err
