"""What does a reader of the book download? Beside a bare page of its theme.

    python benchmarks/site.py [FOLDER]       FOLDER is build/site, which `make site` makes

It prints requests and bytes of a first visit, without a cache, as ratios to a page that has one
sentence and the same theme. The edition that runs in a page is measured by benchmarks/lite.py.
"""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from wslab.lab.checks import find_chromium

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("index.html", "notebooks/03_framing.html")
CONF = """html_theme = "sphinx_book_theme"
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def visit(browser: Browser, folder: Path, name: str) -> tuple[int, int]:
    """Return the requests and the bytes of a first visit."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context()
        page = context.new_page()
        sizes: list[int] = []
        page.on("requestfinished", lambda request: sizes.append(len(request.response().body())))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/{name}", wait_until="networkidle")
        context.close()
        server.shutdown()
    return len(sizes), sum(sizes)


def bare(folder: Path) -> Path:
    """Build a page of one sentence with the same theme."""
    source = folder / "source"
    source.mkdir()
    (source / "conf.py").write_text(CONF)
    (source / "index.rst").write_text("Bare\n====\n\nOne sentence.\n")
    target = folder / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(source), str(target)]
    subprocess.run(command, check=True)
    return target


def main(site: str = str(ROOT / "build" / "site")) -> None:
    files = [path for path in Path(site).rglob("*") if path.is_file()]
    book = [path for path in files if path.relative_to(site).parts[0] != "lite"]
    if not book:
        sys.exit(f"there is no book in {site}: build it with `make site` first")
    size = sum(path.stat().st_size for path in book)
    print(f"the book: {len(book)} files, {size / 1e6:.1f} MB, without the page edition")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        requests, bytes_ = visit(browser, bare(Path(folder)), "index.html")
        print(f"a bare page of the theme: {requests} requests, {bytes_ / 1e3:.0f} kB")
        for name in PAGES:
            more, heavier = visit(browser, Path(site), name)
            ratio = f"{heavier / bytes_:.2f} of the bare page"
            print(f"{name}: {more} requests, {heavier / 1e3:.0f} kB, {ratio}")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
