"""A JupyterLab of our own, with a copy of the notebooks, and a Chromium that shows it."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from record import KERNELSPEC
from run_all import as_a_learner

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
# A busy machine is slow, and a page that hangs hangs for ever: waiting longer costs nothing.
START_TIMEOUT = 180  # seconds until JupyterLab must answer
UI_TIMEOUT = 60_000  # milliseconds until something must appear on the page
RUN_TIMEOUT = 240_000  # milliseconds until every cell of a notebook must have run
expect.set_options(timeout=UI_TIMEOUT)  # Playwright's own limit is 5 s

AT_LEARNER = "--ServerApp.base_url=/user/learner/"
FROM_ANYWHERE = "--ServerApp.allow_remote_access=True"
REMOTE_HOST = "hub.test"  # for Chromium a name of this machine that is not known as its own

CHROMIUM_FLAGS = [
    "--no-sandbox",  # in a container one is root, and Chromium's sandbox refuses root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # nothing but the lesson is talking
    "--disable-component-update",
    "--disable-sync",
    # A page that came from elsewhere; and no other name leads anywhere
    f"--host-resolver-rules=MAP {REMOTE_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# The course must look the same everywhere: no news, no pop-ups about them.
PAGE_CONFIG = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyter/nbgrader": True,  # a learner does not have it
    }
}


# Of nbconvert's own, and of JupyterLab's themes: prompts and the colours of code.
NOT_OURS = (".jp-InputPrompt", ".jp-OutputPrompt", ".highlight", "[class*=ansi-]")

WIDGETS = (
    "from wslab import browser, lab, predict\nfrom wslab.apps import chat",
    "browser.FrameExplorer('4985 37fa213d 7f9f4d5158')",
    "server = lab.serve(lab.echo)\nbrowser.Browser(server)",
    "predict('00.length')",
    "chat.ChatWidget(chat.serve())",
    "browser.ScriptPage('show(1)', server)",
)


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, and the folder it shows."""

    url: str
    token: str
    folder: Path

    def page_of(self, name: str) -> str:
        return f"{self.url}lab/tree/{name}?token={self.token}&reset"

    def from_elsewhere(self) -> Lab:
        """The same, opened as by a browser on another machine."""
        return replace(self, url=self.url.replace("127.0.0.1", REMOTE_HOST))

    def write_notebook(self, name: str, *cells: str) -> None:
        """Write a notebook of code cells into the folder."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": KERNELSPEC},
        )
        nbformat.write(notebook, self.folder / name)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a free port, at `/`; the modules share it, each with notebooks of its own."""
    with running_lab(tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as behind a hub: at `/user/learner/`, and for browsers of other machines."""
    with running_lab(tmp_path_factory.mktemp("hub"), AT_LEARNER, FROM_ANYWHERE) as hub:
        yield hub


@pytest.fixture(scope="session")
def start_lab() -> Callable[..., AbstractContextManager[Lab]]:
    """Starts a JupyterLab of another kind: `with start_lab(home, *options) as lab:`."""
    return running_lab


@contextmanager
def running_lab(home: Path, *options: str) -> Iterator[Lab]:
    """Run a JupyterLab on a copy of the notebooks, with nobody's own settings.

    options: for its command line, such as "--ServerApp.base_url=/user/learner/".
    """
    folder = home / "work" / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder)
    labconfig = home / "config" / "labconfig"
    labconfig.mkdir(parents=True)
    (labconfig / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
    token = secrets.token_hex(16)
    log = home / "jupyter.log"
    directories = {
        f"JUPYTER_{kind.upper()}_DIR": str(home / kind) for kind in ("config", "data", "runtime")
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={folder.parent}",
        f"--IdentityProvider.token={token}",
        f"--LabApp.workspaces_dir={home / 'workspaces'}",
        f"--LabApp.user_settings_dir={home / 'settings'}",
        *options,
    ]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env=as_a_learner(**directories, IPYTHONDIR=str(home / "ipython")),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Lab(address(home / "runtime", server, log), token, folder)
        finally:
            server.terminate()  # JupyterLab then ends its kernels
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def address(runtime: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server has written down where it listens."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            try:
                return str(json.loads(path.read_text())["url"])
            except ValueError:
                pass  # half written
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def remote_host() -> str:
    """A name that leads to this machine, for Chromium, and belongs to another site."""
    return REMOTE_HOST


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """A Chromium without a window.

    It ends with its module: while Playwright is open its event loop counts as running, and no
    test that is a coroutine could run.
    """
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield program
        program.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with a profile of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(UI_TIMEOUT)
    yield context.new_page()
    context.close()


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition; `wait_for_function` needs `eval`, which the page's policy forbids."""
    while not page.evaluate(condition):
        page.wait_for_timeout(50)


# Keeps each text that a page's status has had, because a state may last only a moment.
KEEP = """
    window.kept = new Set();
    new MutationObserver(() => {
        const all = document.querySelectorAll("[role=status], #state");
        for (const { textContent } of all) kept.add(textContent);
    }).observe(document, { childList: true, characterData: true, subtree: true });
"""


@pytest.fixture
def has_said(page: Page) -> Callable[..., None]:
    """Wait until the status of a page has said something, even if it says something else now."""
    page.context.add_init_script(KEEP)

    def wait(part: str, page: Page = page) -> None:
        wait_until(page, f"[...kept].some((text) => text.includes({json.dumps(part)}))")

    return wait


class Driver:
    """What a learner does in JupyterLab, by the same menus."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def open_notebook(self, page: Page, name: str) -> None:
        """Open notebooks/NAME and wait for its kernel."""
        page.goto(self.lab.page_of(f"notebooks/{name}"))
        page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for()
        # The kernel indicator calls itself idle before it is connected; the status bar does not.
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")

    def menu(self, page: Page, *path: str) -> None:
        """Choose from the menu bar, such as menu(page, "Run", "Run All Cells")."""
        page.locator(".lm-MenuBar-itemLabel", has_text=path[0]).first.click()
        for label in path[1:-1]:
            page.locator(".lm-Menu-itemLabel").get_by_text(label, exact=True).hover()
        page.locator(".lm-Menu-itemLabel").get_by_text(path[-1], exact=True).click()

    def run_all(self, page: Page) -> None:
        """Run > Run All Cells, then wait until no cell is waiting or running."""
        self.menu(page, "Edit", "Clear Outputs of All Cells")
        self.menu(page, "Run", "Run All Cells")
        # A prompt is [*] while its cell waits, [ ] when it never ran, [7] when it is done.
        done = """() => {
            const cells = [...document.querySelectorAll('.jp-NotebookPanel .jp-CodeCell')];
            const prompts = cells.map(cell => cell.querySelector('.jp-InputPrompt').textContent);
            return prompts.length && prompts.every(prompt => /\\[\\d+\\]/.test(prompt));
        }"""
        page.wait_for_function(done, timeout=RUN_TIMEOUT)
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")

    def cell(self, page: Page, text: str) -> Locator:
        """The code cell with this in its source."""
        editor = page.locator(".cm-content", has_text=text)
        return page.locator(".jp-CodeCell", has=editor).first

    def run(self, page: Page, code: Locator) -> Locator:
        """Run a cell; gives its output."""
        code.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        return code.locator(".jp-OutputArea-output")

    def rewrite(self, page: Page, code: Locator, source: str) -> None:
        """Replace what is in a cell, as one does with the keyboard, and run it."""
        code.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(source)
        page.keyboard.press("Control+Enter")

    def open_widgets(self, page: Page) -> Locator:
        """Open a notebook with one widget of every kind, and run it; return the widgets."""
        self.lab.write_notebook("scratch_widgets.ipynb", *WIDGETS)
        page.set_viewport_size({"width": 1280, "height": 2600})
        self.open_notebook(page, "scratch_widgets.ipynb")
        self.run_all(page)
        widgets = page.locator(".wslab-widget")
        expect(widgets).to_have_count(len(WIDGETS) - 1, timeout=UI_TIMEOUT)
        lamps = page.locator(".wslab-lamp")
        expect(lamps).to_have_text(["OPEN (1)", "Connected"], timeout=UI_TIMEOUT)
        return widgets

    def set_theme(self, page: Page, theme: str) -> None:
        """Settings > Theme: "light" or "dark"."""
        self.menu(page, "Settings", "Theme", f"JupyterLab {theme.title()}")
        light = "true" if theme == "light" else "false"
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        # The splash screen covers the page until the theme is loaded, and then fades.
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)

    def screenshot(self, page: Page, name: str) -> Path:
        """Save what the page shows as artifacts/NAME.png."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        page.screenshot(path=path)
        return path


@pytest.fixture
def driver(lab: Lab) -> Driver:
    return Driver(lab)


@pytest.fixture
def drive() -> type[Driver]:
    """Makes a driver for another JupyterLab than the usual one."""
    return Driver


@pytest.fixture
def axe(node_modules: Path) -> Callable[[Page], list[str]]:
    """Look at a page with axe-core; return what is wrong, rule and element.

    include: a selector; without it the whole page.
    """
    script = (node_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")

    def look(page: Page, include: str = "html", off: Sequence[str] = ()) -> list[str]:
        page.evaluate(script)  # not by a tag, which the page's policy forbids
        rules = {rule: {"enabled": False} for rule in off}
        where = {"include": [[include]], "exclude": [[one] for one in NOT_OURS]}
        # JupyterLab's body has no height, and to axe everything in it would be hidden.
        page.evaluate("document.body.style.minHeight = '100vh'")
        found = page.evaluate("([where, rules]) => axe.run(where, { rules })", [where, rules])
        return [
            f"{rule['id']}: {node['html'][:200]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return look
