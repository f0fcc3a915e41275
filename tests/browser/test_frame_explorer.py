"""The frame explorer, used as a learner would: the kernel answers every edit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTEBOOK = "scratch_explorer.ipynb"
EXPLORER = "from wslab import browser\nexplorer = browser.FrameExplorer()\nexplorer"


class Widget:
    """A FrameExplorer on the page."""

    def __init__(self, page: Page) -> None:
        self.root = page.get_by_role("group", name="Frame explorer")
        self.verdict = self.root.get_by_role("status")
        self.problem = self.root.get_by_role("alert")
        self.opcode = self.root.get_by_role("combobox", name="Opcode")
        self.sender = self.root.get_by_role("combobox", name="Judge it as sent by")

    def field(self, label: str) -> Locator:
        return self.root.get_by_label(label, exact=True)

    def bit(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def expect_bytes(self, text: str) -> None:
        expect(self.field("All bytes of the frame")).to_have_value(text)

    def expect_row(self, *cells: str) -> None:
        row = self.root.get_by_role("row", name=" ".join(cells))
        expect(row).to_be_attached()


@pytest.fixture(autouse=True)
def console(page: Page) -> Iterator[None]:
    """No error on the console, whatever a test does."""
    errors: list[str] = []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield
    # JupyterLab's debugger may still be asking a kernel that a test shuts down.
    assert [error for error in errors if "debugger state" not in error] == []


@pytest.fixture
def widget(page, driver) -> Widget:
    driver.lab.write_notebook(NOTEBOOK, EXPLORER, "explorer.data.hex(' ')")
    driver.open_notebook(page, NOTEBOOK)
    driver.run_all(page)
    widget = Widget(page)
    widget.expect_bytes("81 05 48 65 6c 6c 6f")
    return widget


def test_a_field_changes_the_bytes(page, driver, widget):
    widget.field("Payload as text").fill("Hé")
    widget.expect_bytes("81 03 48 c3 a9")
    expect(widget.field("Payload in hex")).to_have_value("48 c3 a9")
    widget.opcode.select_option("0x2 BINARY")
    widget.expect_bytes("82 03 48 c3 a9")
    widget.field("Mask the payload").check()
    widget.expect_bytes("82 83 37 fa 21 3d 7f 39 88")
    expect(widget.field("Masking key")).to_be_enabled()
    widget.field("Masking key").fill("00 00 00 00")
    widget.expect_bytes("82 83 00 00 00 00 48 c3 a9")
    widget.bit("FIN").click()
    widget.expect_bytes("02 83 00 00 00 00 48 c3 a9")
    expect(widget.verdict).to_have_text("✓ a valid BINARY frame")
    widget.expect_row("0 FIN 0... .... more frames of this message follow")

    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")  # what Python has now
    expect(page.locator(".jp-CodeCell").nth(1)).to_contain_text("02 83 00 00 00 00 48 c3 a9")


def test_the_bytes_change_the_fields(widget):
    raw = widget.field("All bytes of the frame")
    raw.fill("89 02 68 69")
    expect(widget.opcode).to_have_value("9")
    expect(widget.field("Payload as text")).to_have_value("hi")
    expect(widget.verdict).to_have_text("✓ a valid PING frame")
    raw.fill("89 02 68 6")
    expect(widget.problem).to_contain_text("a byte is two hexadecimal digits")
    expect(widget.field("Payload as text")).to_have_value("hi")
    raw.fill("89 02 68")
    expect(widget.verdict).to_have_text("… not complete: payload 1 of 2 bytes")
    expect(widget.problem).to_be_empty()
    raw.fill("81 02 c3 28")
    expect(widget.field("Payload as text")).to_have_attribute("placeholder", "not UTF-8")
    expect(widget.verdict).to_contain_text("closes with 1007")


def test_every_bit_is_a_button_with_a_name(page, widget):
    expect(widget.root.get_by_role("group", name="byte 0").get_by_role("button")).to_have_count(8)
    expect(widget.root.get_by_role("group", name="byte 1").get_by_role("button")).to_have_count(8)
    fin = widget.bit("FIN")
    expect(fin).to_have_attribute("aria-pressed", "true")
    fin.focus()
    page.keyboard.press("Space")
    expect(fin).to_have_attribute("aria-pressed", "false")
    widget.expect_bytes("01 05 48 65 6c 6c 6f")
    expect(fin).to_be_focused()  # for the next press
    page.keyboard.press("Enter")
    widget.expect_bytes("81 05 48 65 6c 6c 6f")
    widget.bit("length 1").click()
    widget.expect_bytes("81 04 48 65 6c 6c 6f")
    expect(widget.verdict).to_have_text(
        "✓ a valid TEXT frame; 1 B after it belong to the next frame"
    )


def test_a_broken_frame_names_its_rule(page, driver, widget):
    widget.bit("RSV1").click()
    expect(widget.verdict).to_contain_text(
        "✗ RSV bits are 100, but extensions use 000 (RFC 6455 §5.2)"
    )
    widget.bit("RSV1").click()
    widget.opcode.select_option("0x3 reserved 0x3")
    expect(widget.verdict).to_contain_text("opcode 0x3 is reserved (RFC 6455 §5.2)")
    widget.opcode.select_option("0x9 PING")
    widget.bit("FIN").click()
    expect(widget.verdict).to_contain_text("PING is fragmented (RFC 6455 §5.5)")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        widget.root.scroll_into_view_if_needed()
        driver.screenshot(page, f"frame_explorer_{theme}")
    widget.bit("FIN").click()
    widget.sender.select_option("client")
    expect(widget.verdict).to_contain_text("a client's frame is not masked (RFC 6455 §5.1)")
    widget.field("Mask the payload").check()
    widget.field("Masking key").fill("37 fa")
    expect(widget.problem).to_contain_text("a masking key is 4 bytes, this one is 2")
    expect(widget.verdict).to_have_text("✓ a valid PING frame")


def test_markup_stays_text(page, widget):
    widget.field("Payload as text").fill("<img src=x onerror=\"document.title='hacked'\">")
    expect(widget.root.get_by_role("table")).to_contain_text("<img src=x onerror=")
    expect(widget.root.locator("img")).to_have_count(0)
    assert "hacked" not in page.title()


def test_it_answers_while_a_cell_waits_or_is_busy(page, driver):
    busy = "import asyncio, time\nawait asyncio.sleep(4)\ntime.sleep(6)"
    driver.lab.write_notebook(NOTEBOOK, EXPLORER, busy)
    driver.open_notebook(page, NOTEBOOK)
    widget = Widget(page)
    driver.menu(page, "Run", "Run All Cells")
    for _ in range(8):  # over the time in which the cell awaits and that in which it blocks
        for text, answer in [("soon", "81 04 73 6f 6f 6e"), ("later", "81 05 6c 61 74 65 72")]:
            widget.field("Payload as text").fill(text)
            widget.expect_bytes(answer)
        page.wait_for_timeout(1000)
    expect(widget.problem).to_be_empty()


def test_without_its_kernel_it_says_so(page, driver, widget):
    driver.menu(page, "Kernel", "Shut Down Kernel")
    expect(page.locator("#jp-main-statusbar")).to_contain_text("No Kernel")
    widget.field("Payload as text").fill("anybody?")
    expect(widget.problem).to_contain_text("Waiting for the kernel")


def test_a_page_that_is_loaded_again_shows_what_was_edited(page, driver, widget):
    widget.field("Payload as text").fill("kept")
    widget.expect_bytes("81 04 6b 65 70 74")
    driver.menu(page, "File", "Save Notebook")
    expect(page.locator("#jp-main-dock-panel .lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    page.reload()
    widget.expect_bytes("81 04 6b 65 70 74")
    expect(widget.field("Payload as text")).to_have_value("kept")
