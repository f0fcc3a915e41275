"""The cheat sheet says what the protocol says, and has two pages."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

import pytest

from wslab.protocol import CloseCode, Opcode, accept_key
from wslab.protocol.connection import TRANSITIONS, State

from .tools import KIT

import cheatsheet  # isort: skip

TEXT = html.unescape(cheatsheet.page())
ROWS = [
    [re.sub(r"<[^>]+>", "\n", cell).strip() for cell in re.findall(r"(?s)<td>(.*?)</td>", row)]
    for row in re.findall(r"(?s)<tr>(.*?)</tr>", TEXT)
]


def row(first: str) -> list[str]:
    (found,) = [cells for cells in ROWS if cells and cells[0] == first]
    return found


@pytest.mark.parametrize("code", CloseCode)
def test_a_close_code_says_whether_it_is_sent(code: CloseCode) -> None:
    _, meaning, sent, _ = row(str(int(code)))
    assert meaning.lower().startswith(code.name.replace("_", " ").lower())
    assert sent == ("yes" if CloseCode.is_sendable(code) else "no")


@pytest.mark.parametrize("opcode", Opcode)
def test_every_opcode_is_there(opcode: Opcode) -> None:
    assert row(f"{opcode:#x}")[1:] == [opcode.name, "control" if opcode >= 8 else "data"]


@pytest.mark.parametrize("state", State)
def test_a_state_has_all_its_steps(state: State) -> None:
    _, meaning, steps = row(state.name)
    assert meaning == state.value
    found = {tuple(step.split(" → ")) for step in steps.split("\n")} - {("the end",)}
    wanted = {(step.value, to.name) for (one, step), to in TRANSITIONS.items() if one is state}
    assert found == wanted


def test_the_handshake_is_the_rfcs() -> None:
    assert "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" in TEXT
    assert f"Sec-WebSocket-Accept: {accept_key('dGhlIHNhbXBsZSBub25jZQ==')}" in TEXT
    assert row("method POST")[1] == "405 Method Not Allowed"


def test_the_bytes_are_the_rfcs() -> None:
    assert row('"Hello" from a server')[1] == "81 05 48 65 6c 6c 6f"
    assert row('"Hello" from a client')[1] == "81 85 37 fa 21 3d 7f 9f 4d 51 58"
    assert [row(size)[1:] for size in ("0 to 125", "126 to 65,535")] == [
        ["itself", "0"],
        ["126", "2"],
    ]


def test_every_call_has_its_signature_and_says_what_it_does() -> None:
    for owner, name in cheatsheet.calls():
        (found,) = [
            cells for cells in ROWS if cells and cells[0] == cheatsheet.signature(owner, name)
        ]
        assert found[1]
    assert row("Connection.close(code=1000, reason='')")


@pytest.mark.slow
def test_it_prints_on_two_pages(chromium: Path, tmp_path: Path) -> None:
    sheet, printed = tmp_path / "cheatsheet.html", tmp_path / "cheatsheet.pdf"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--no-pdf-header-footer", f"--user-data-dir={tmp_path / 'profile'}",
               f"--print-to-pdf={printed}", sheet.as_uri()]  # fmt: skip
    cheatsheet.write(sheet)
    subprocess.run(command, check=True, capture_output=True, timeout=50)
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 2


def test_it_loads_nothing() -> None:
    assert not re.findall(r"(?:src|href)=|url\(|@import", TEXT)


def test_its_command_is_in_the_makefile() -> None:
    makefile = (KIT.parents[2] / "Makefile").read_text(encoding="utf-8")
    assert "notebooks/exercises/cheatsheet.py" in makefile.partition("\ncheatsheet:")[2]
