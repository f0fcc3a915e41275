"""A peer's text is shown as it was sent: JupyterLab typesets $…$ in HTML, but not there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTEBOOK = "scratch_mathematics.ipynb"
# Typeset, the first is read as "pay 5 to Bob", and the second is huge and red.
PHANTOM = r"pay $\phantom{1000000}$5 to Bob"
REASON = r"$\color{red}\Huge{\text{send money}}$ \(x\) $$y$$ \[z\]"
MATHEMATICS = 'from IPython.display import HTML\nHTML("<p>$x^2$</p>")'
CELLS = {
    "first": MATHEMATICS,
    "transcript": rf"""
from websockets.asyncio.client import connect
from wslab import browser, lab
PHANTOM, REASON = r"{PHANTOM}", r"{REASON}"
async def handler(connection):
    async for message in connection:
        print(message)
        await connection.close(4000, REASON)
server = lab.serve(handler)
cable = lab.cable(server)
async with connect(cable.url + "?$x$") as ws:
    await ws.send(PHANTOM)
    await ws.wait_closed()
await cable.settle(until=lambda: cable.transcript.only(kind="CLOSE")[1:])
""",
    "row": 'cable.transcript.only(kind="CLOSE")[0]',
    "events": "await server.settle(3)",
    "table": "lab.table(['$h$'], [[PHANTOM], [REASON]], '$caption$')",
    "verdict": """
from wslab.exercises.engine.verdict import Outcome, Verdict
Verdict(REASON, 1, Outcome.WRONG, PHANTOM, details=(("got", REASON),))
""",
    "widget": "browser.FrameExplorer(b'\\x81' + bytes([len(PHANTOM)]) + PHANTOM.encode())",
    "last": MATHEMATICS,
}


def test_only_ours_is_not_typeset(page: Page, driver) -> None:
    driver.lab.write_notebook(NOTEBOOK, *CELLS.values())
    driver.open_notebook(page, NOTEBOOK)
    driver.run_all(page)
    cells = page.locator(".jp-NotebookPanel:visible .jp-CodeCell")
    outputs = dict(zip(CELLS, (cells.nth(i) for i in range(len(CELLS))), strict=True))
    for name in ("first", "last"):  # so it is switched on, and has come to the notebook's end
        expect(outputs[name].locator("mjx-container")).to_have_count(1)
    for name in ("transcript", "row", "events", "table", "verdict"):
        expect(outputs[name].locator(".wslab").first).to_be_visible()
    expect(outputs["widget"].get_by_role("group", name="Frame explorer")).to_be_visible()
    expect(page.locator(".jp-NotebookPanel:visible mjx-container")).to_have_count(2)
    for name in ("events", "table", "verdict"):
        expect(outputs[name].locator(".jp-OutputArea")).to_contain_text(PHANTOM)
    for name in ("table", "verdict"):
        expect(outputs[name].locator(".jp-OutputArea")).to_contain_text(REASON)
    for name in ("transcript", "row", "events"):  # where it is quoted
        quoted = REASON.replace("\\", r"\\")
        expect(outputs[name].locator(".jp-OutputArea")).to_contain_text(quoted)
    expect(outputs["table"].locator("caption")).to_have_text("$caption$")
