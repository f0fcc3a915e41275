"""An exercise as a learner does it in JupyterLab: wrong, a hint, right, and the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTEBOOK = "exercises/02_handshake.ipynb"
WRONG = "return hashlib.sha1((key + GUID).encode()).hexdigest()"
RIGHT = "return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()"


@pytest.fixture(scope="module")
def lab(start_lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A JupyterLab whose learner has a progress file of their own."""
    home = tmp_path_factory.mktemp("learner")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSLAB_PROGRESS", str(home / "progress.jsonl"))
        with start_lab(home / "jupyter") as running:
            yield running


def test_a_task_from_wrong_to_right(page: Page, driver, lab) -> None:
    driver.open_notebook(page, NOTEBOOK)
    driver.run(page, driver.cell(page, "import hashlib"))
    answer, check = (
        driver.cell(page, "def accept_key"),
        driver.cell(page, "check.handshake.accept_key("),
    )

    driver.run(page, answer)
    expect(driver.run(page, check)).to_contain_text("○ not attempted yet: handshake.accept_key")

    driver.rewrite(page, answer, f"def accept_key(key):\n    {WRONG}")
    output = driver.run(page, check)
    expect(output).to_contain_text("✗ wrong: handshake.accept_key")
    expect(output).to_contain_text("this is the digest in hex, but it has to be in Base64")
    expect(output).to_contain_text("stuck? check.handshake.accept_key.hint(1)")
    expect(output).not_to_contain_text("Traceback")
    driver.screenshot(page, "exercise_wrong")

    driver.rewrite(
        page, driver.cell(page, 'progress("handshake")'), "check.handshake.accept_key.hint(2)"
    )
    expect(driver.cell(page, "hint(2)").locator(".jp-OutputArea-output")).to_contain_text(
        "28 characters"
    )

    driver.rewrite(page, answer, f"def accept_key(key):\n    {RIGHT}")
    expect(driver.run(page, check)).to_contain_text("✓ solved: handshake.accept_key")

    driver.rewrite(page, driver.cell(page, "hint(2)"), 'progress("handshake")')
    table = driver.cell(page, 'progress("handshake")').locator(".jp-OutputArea-output table")
    expect(table).to_contain_text("Solved: 1 of 4")
    row = table.get_by_role("row", name="handshake.accept_key")
    expect(row).to_contain_text("✓ solved")
    table.scroll_into_view_if_needed()
    driver.screenshot(page, "exercise_progress")


def test_an_endless_loop_leaves_the_kernel_alive(page: Page, driver, lab) -> None:
    driver.open_notebook(page, NOTEBOOK)
    driver.run(page, driver.cell(page, "import hashlib"))
    driver.rewrite(
        page, driver.cell(page, "def choose"), "def choose(offered, spoken):\n    while True: pass"
    )
    check = driver.cell(page, "check.handshake.choose(")
    expect(driver.run(page, check)).to_contain_text("✗ timed out: handshake.choose")
    driver.rewrite(page, driver.cell(page, 'progress("handshake")'), "6 * 7")
    expect(driver.cell(page, "6 * 7").locator(".jp-OutputArea-output")).to_contain_text("42")


def test_the_grid_can_be_read(page: Page, driver, lab) -> None:
    code = (
        "import secrets\n"
        "from wslab.exercises import grid\n"
        "from wslab.protocol.connection import Connection, Role\n"
        "def endpoint(role):\n"
        "    masks = None if role == 'server' else lambda: secrets.token_bytes(4)\n"
        "    made = Connection(Role(role), masks=masks)\n"
        "    made.ping = made.close\n"
        "    return made\n"
        "class Endpoint:\n"
        "    def __new__(cls, role):\n"
        "        return endpoint(role)\n"
        "    def __init__(self, role): ...\n"
        "grid(Endpoint)"
    )
    driver.lab.write_notebook("scratch_grid.ipynb", code)
    driver.open_notebook(page, "scratch_grid.ipynb")
    driver.run_all(page)
    output = page.locator(".jp-OutputArea-output table").first
    expect(output).to_contain_text("control frames, §5.5")
    expect(output).to_contain_text("✗")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"exercise_grid_{theme}")


def test_progress_was_kept_in_the_learners_file(lab) -> None:
    path = Path(lab.folder).parents[1].parent / "progress.jsonl"
    assert "handshake.accept_key" in path.read_text(encoding="utf-8")
