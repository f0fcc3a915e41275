"""The cost of the edition in a web page for a visitor, beside a bare JupyterLite page.

    python benchmarks/lite.py [--rounds N]      needs Chromium

Bytes are those that the web server sends to a browser that has never been there, first as they are,
and then as a server sends them that compresses with gzip. The time runs from opening the page to
the first output. For the course, that is the reply of an echo server in the page. For the bare
page, it is a text that `print` prints. The bare page is the same site with the kernel's own
packages and extension alone. In a round, both are opened in turn, and only the ratio of a round
counts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from wslab.lab.checks import find_chromium

ROOT = Path(__file__).resolve().parents[1]
KERNEL = "@jupyterlite/pyodide-kernel-extension"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 300_000  # milliseconds

ECHO = """from websockets import connect
from wslab import lab
server = lab.serve(lab.echo)
async with connect(server.url) as ws:
    await ws.send("first " + "reply")
    print(await ws.recv())"""
CODE = {"course": ECHO, "bare": 'print("first " + "reply")'}


def make_sites(folder: Path) -> None:
    """Build the course's site, and make the bare one of it."""
    builder = ROOT / "lite" / "build.py"
    subprocess.run([sys.executable, builder, folder / "course"], check=True)
    shutil.copytree(folder / "course", folder / "bare")
    path = folder / "bare" / "jupyter-lite.json"
    settings = json.loads(path.read_bytes())
    data = settings["jupyter-config-data"]
    data["federated_extensions"] = [
        one for one in data["federated_extensions"] if one["name"] == KERNEL
    ]
    options = data["litePluginSettings"][f"{KERNEL}:kernel"]["loadPyodideOptions"]
    options["packages"].remove("wslab")
    del options["env"]
    path.write_text(json.dumps(settings), "utf-8")


class Server(ThreadingHTTPServer):
    """Serves a folder. sent: the paths of the files that were asked for."""

    sent: set[Path]


class Handler(SimpleHTTPRequestHandler):
    """Serves a file and notes it."""

    server: Server

    def send_head(self):  # type: ignore[no-untyped-def]
        """Send the headers, and note the file."""
        path = Path(self.translate_path(self.path))
        self.server.sent.add(path / "index.html" if path.is_dir() else path)
        return super().send_head()

    def log_message(self, *_values: object) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        server.sent = set()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def visit(browser: Browser, folder: Path, code: str) -> tuple[float, int, int]:
    """Open a site with an empty cache; return the seconds, and the bytes plain and compressed."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    with serving(folder) as server:
        start = time.perf_counter()
        page.goto(f"http://127.0.0.1:{server.server_port}/lab/index.html?path=00_start_here.ipynb")
        page.locator(".jp-NotebookPanel:visible .jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
        page.keyboard.press("Control+Enter")
        page.locator(".jp-OutputArea-output", has_text="first reply").first.wait_for()
        took = time.perf_counter() - start
        sizes = [path.read_bytes() for path in server.sent if path.is_file()]
        context.close()
    return took, sum(map(len, sizes)), sum(len(gzip.compress(data, 6)) for data in sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes and seconds of the edition in a page.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    chromium = find_chromium()
    if chromium is None:
        sys.exit("Chromium not found: apt install chromium, or set WSLAB_CHROMIUM")
    results: dict[str, list[tuple[float, int, int]]] = {name: [] for name in CODE}
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        make_sites(Path(home))
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for turn in range(rounds):
            for name in sorted(CODE, reverse=bool(turn % 2)):
                results[name].append(visit(browser, Path(home) / name, CODE[name]))
        browser.close()
    print(f"{'':8} {'MB':>6} {'MB, gzip':>9} {'seconds':>8}")
    for name, visits in results.items():
        seconds = statistics.median(took for took, _, _ in visits)
        _, plain, packed = visits[-1]
        print(f"{name:8} {plain / 1e6:6.1f} {packed / 1e6:9.1f} {seconds:8.1f}")
    pairs = zip(results["course"], results["bare"], strict=True)
    ratios = [[mine / theirs for mine, theirs in zip(*pair, strict=True)] for pair in pairs]
    took, plain, packed = (statistics.median(values) for values in zip(*ratios, strict=True))
    print(f"{'ratio':8} {plain:6.2f} {packed:9.2f} {took:8.2f}")


if __name__ == "__main__":
    main()
