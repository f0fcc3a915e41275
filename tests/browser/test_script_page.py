"""A learner's own JavaScript, run from a cell: it works, its faults are shown, it stays inside."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTEBOOK = "scratch_script.ipynb"

SERVER = """
from wslab import browser, lab
async def tell_origin(connection):
    await connection.send(connection.request.headers["Origin"])
    async for message in connection:
        await connection.send(message)
server = lab.serve(tell_origin)
"""

TALK = """
const socket = new WebSocket(url);
socket.onopen = () => socket.send("<b>你好</b></script>");
socket.onmessage = (event) => show(event.data);
"""


def test_scripts(page, driver):
    scripts = [
        TALK,
        "show(1);\nnew WebSocket(url).send('too early')",
        "this is not JavaScript",
        "try { parent.document.title = 'hacked' } catch (error) { show(error.name) }",
    ]
    cells = [f"browser.ScriptPage({json.dumps(script)}, server)" for script in scripts]
    driver.lab.write_notebook(NOTEBOOK, SERVER, *cells)
    driver.open_notebook(page, NOTEBOOK)
    driver.run_all(page)
    logs = page.get_by_role("log", name="What the script shows")
    lines = [logs.nth(i).get_by_role("listitem") for i in range(4)]
    expect(lines[0]).to_have_text(["null", "<b>你好</b></script>"])
    expect(lines[1].first).to_have_text("1")
    expect(lines[1].nth(1)).to_contain_text("CONNECTING")
    expect(lines[2]).to_have_count(1)
    expect(lines[2].first).to_contain_text("SyntaxError")
    expect(lines[3]).to_have_text("SecurityError")
    driver.screenshot(page, "script_page")


def test_behind_a_hub(page, hub, drive):
    driver = drive(hub.from_elsewhere())
    driver.lab.write_notebook(NOTEBOOK, SERVER, f"browser.ScriptPage({TALK!r}, server)")
    driver.open_notebook(page, NOTEBOOK)
    driver.run_all(page)
    lines = page.get_by_role("log", name="What the script shows").get_by_role("listitem")
    expect(lines.nth(1)).to_have_text("<b>你好</b></script>")
