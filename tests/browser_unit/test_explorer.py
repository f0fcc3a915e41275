"""What the frame explorer's kernel side makes of an edit; the page is played by the test."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.browser import FrameExplorer
from wslab.browser.editing import EXAMPLE_KEY, LIMIT, Draft, check_draft, flip
from wslab.browser.widget import make_widget
from wslab.lab.wire.anatomy import PARTS
from wslab.protocol import Frame, Opcode, ProtocolError

HELLO = b"\x81\x05Hello"
MASKED = bytes.fromhex("818537fa213d7f9f4d5158")  # RFC 6455 §5.7


def edit(pages: list[Any], field: str, value: object) -> dict[str, Any]:
    """Edit the newest explorer, as its page does; return the answer."""
    page = pages[-1]
    page.says({"edit": field, "value": value, "number": len(page.heard) + 1})
    return page.heard[-1]


@pytest.mark.parametrize(
    ("field", "value", "after"),
    [
        ("opcode", "2", b"\x82\x05Hello"),
        ("opcode", "11", b"\x8b\x05Hello"),
        ("masked", True, MASKED),
        ("text", "Hé", b"\x81\x03H\xc3\xa9"),
        ("payload", "00 ff", b"\x81\x02\x00\xff"),
        ("raw", "8902 6869", b"\x89\x02hi"),
        ("bit", [0, 0], b"\x01\x05Hello"),
        ("bit", [1, 7], b"\x81\x04Hello"),
    ],
)
def test_an_edit_reaches_the_bytes(
    pages: list[Any], field: str, value: object, after: bytes
) -> None:
    shown = FrameExplorer(HELLO)
    answer = edit(pages, field, value)
    assert shown.data == after
    assert answer["raw"] == after.hex(" ")
    assert (answer["number"], answer["problem"]) == (1, "")
    assert pages[-1].state["raw"] == after.hex(" ")  # for a page that is loaded later


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("raw", "8", "but 1 is an odd number"),
        ("raw", "zz", "'z' is not a hex"),
        ("raw", "00" * (LIMIT + 1), "at most 4096"),
        ("text", "x" * LIMIT, "at most 4096"),
        ("key", "37 fa 21", "a masking key is 4 bytes, this one is 3 (RFC 6455 §5.3)"),
        ("opcode", "16", "0 to 15"),
        ("opcode", "-1", "0 to 15"),
        ("bit", [9, 0], "no such bit"),
        ("colour", "red", "no field 'colour'"),
    ],
)
def test_a_bad_edit_changes_nothing_and_says_why(
    pages: list[Any], field: str, value: object, problem: str
) -> None:
    shown = FrameExplorer(HELLO)
    assert problem in str(edit(pages, field, value)["problem"])
    assert shown.data == HELLO


def test_half_a_header_keeps_the_fields(pages: list[Any]) -> None:
    shown = FrameExplorer(HELLO)
    answer = edit(pages, "raw", "81")
    assert (answer["valid"], answer["text"]) == (None, "Hello")
    edit(pages, "bit", [0, 0])
    assert shown.data == b"\x01"


def test_the_sender_counts(pages: list[Any]) -> None:
    shown = FrameExplorer(HELLO, sender="client")
    assert shown.verdict.valid is False
    assert "not masked (RFC 6455 §5.1)" in shown.verdict.text
    assert edit(pages, "sender", "server")["valid"] is True
    assert edit(pages, "sender", "nobody")["sender"] == ""


def test_the_parts_of_the_frame_have_the_looks_of_all_tables(pages: list[Any]) -> None:
    FrameExplorer(MASKED)
    parts = {name: part for _, name, _, _, part in pages[-1].state["rows"]}
    names = ("FIN", "masking key", "masked payload", "payload")
    assert [parts[name] for name in names] == ["header", "key", "masked", "payload"]
    widget = make_widget("browser/dom.js", state={}, on_message=lambda _: None)
    for kind, part in PARTS.items():
        line = f"border-bottom: 3px {part.line} {part.colour}"
        assert f".wslab-widget .wslab-part-{kind} {{ {line}; }}" in widget._css


def test_assigning_data_reaches_the_page(pages: list[Any]) -> None:
    shown = FrameExplorer(HELLO)
    shown.data = MASKED
    assert pages[-1].state["key"] == EXAMPLE_KEY.hex(" ")
    assert (pages[-1].state["text"], pages[-1].state["masked"]) == ("Hello", True)
    with pytest.raises(ValueError, match="at most 4096"):
        shown.data = bytes(LIMIT + 1)


def test_every_bit_has_a_name(pages: list[Any]) -> None:
    FrameExplorer(b"\x81\x85")
    bits = edit(pages, "raw", "c1 85")["bits"]
    first, second = [f"{name}={value}" for name, value in bits[0]], bits[1]
    assert first[:4] == ["FIN=1", "RSV1=1", "RSV2=0", "RSV3=0"]
    assert first[4:] == ["opcode 8=0", "opcode 4=0", "opcode 2=0", "opcode 1=1"]
    names = ["MASK", *(f"length {size}" for size in (64, 32, 16, 8, 4, 2, 1))]
    assert second == [
        [name, bit] for name, bit in zip(names, [1, 0, 0, 0, 0, 1, 0, 1], strict=True)
    ]


def test_text_for_where_there_is_no_page() -> None:
    shown = FrameExplorer(HELLO)
    first, *_, last = repr(shown).splitlines()
    assert first == "FrameExplorer: run this cell in JupyterLab to edit the frame"
    assert last == "a valid TEXT frame"
    assert shown._repr_mimebundle_()["text/plain"] == repr(shown)
    with pytest.raises(ValueError, match='must be "client"'):
        FrameExplorer(HELLO, sender="nobody")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "valid", "text"),
    [
        ("", None, "more bytes of the header"),
        ("81", None, "more bytes of the header"),
        ("817e00", None, "more bytes of the header"),
        ("810248", None, "payload 1 of 2 bytes"),
        ("8100", True, "a valid TEXT frame"),
        ("810000ff", True, "2 B after it belong to the next frame"),
        ("8300", False, "opcode 0x3 is reserved (RFC 6455 §5.2); a receiver closes with 1002"),
        ("c100", False, "RSV bits are 100"),
        ("0900", False, "PING is fragmented (RFC 6455 §5.5)"),
        ("897e007e", False, "limit 125"),
        ("817e0001 61", False, "fewer suffice"),
        ("817f8000000000000000", False, "top bit"),
        ("8101ff", False, "(RFC 6455 §8.1); a receiver closes with 1007 INVALID_PAYLOAD"),
        ("0101c3", True, "a valid TEXT frame"),  # the rest of the character may follow
        ("8101c3", False, "not UTF-8"),
        ("880103", False, "§5.5.1"),
        ("880203ee", False, "close code 1006 may not be sent (RFC 6455 §7.4)"),
        ("880203e8", True, "a valid CLOSE frame"),
    ],
)
def test_verdicts(data: str, valid: bool | None, text: str) -> None:
    verdict = check_draft(bytes.fromhex(data))
    assert verdict.valid is valid
    assert text in verdict.text


@pytest.mark.parametrize(
    ("data", "sender", "rules"),
    [
        ("4900", None, ["RSV bits are 100", "PING is fragmented"]),
        ("bbfe0005 37fa213d", "server", ["0xb is", "RSV bits are 011", "is masked", "fewer"]),
        ("097e007f", "client", ["a client's frame is not masked", "limit 125", "is fragmented"]),
        ("0b7e007e", None, ["0xb is reserved", "control opcode 0xb payload", "0xb is fragmented"]),
        ("917f8000000000000000", None, ["RSV bits are 001", "top bit"]),
        ("c101ff", "client", ["RSV bits are 100", "is not masked", "not UTF-8"]),
        ("880303eeff", None, ["close code 1006 may not be sent", "the close reason is not UTF-8"]),
        ("0803 03e8ff", "client", ["is not masked", "is fragmented", "reason is not UTF-8"]),
    ],
)
def test_every_rule_that_is_broken_is_named(
    data: str, sender: str | None, rules: list[str]
) -> None:
    verdict = check_draft(bytes.fromhex(data), sender)
    *found, end = verdict.lines
    assert len(found) == len(rules)
    assert all(rule in line for rule, line in zip(rules, found, strict=True))
    assert all("(RFC 6455 §" in line for line in found)
    assert verdict.valid is False
    assert end.startswith("a receiver closes with 100")


@given(st.integers(0, 15), st.binary(max_size=200), st.booleans(), st.integers(0, 7), st.booleans())
def test_drafts_survive_the_bytes_and_agree_with_the_protocol(
    opcode: int, payload: bytes, fin: bool, rsv: int, masked: bool
) -> None:
    draft = Draft(opcode, payload, fin, rsv, EXAMPLE_KEY if masked else None)
    data = draft.serialize(check=False)
    assert Draft.read(data) == draft
    try:
        parsed = Frame.parse(data)
    except ProtocolError:
        assert check_draft(data).valid is False
    else:
        assert parsed is not None
        if parsed[0].opcode in (Opcode.BINARY, Opcode.PING, Opcode.PONG, Opcode.CONTINUATION):
            assert check_draft(data).valid is True


@given(st.binary(max_size=40), st.sampled_from([None, "client", "server"]))
def test_any_bytes_can_be_judged(data: bytes, sender: str | None) -> None:
    assert check_draft(data, sender).text


@given(st.binary(min_size=1, max_size=20), st.data())
def test_a_bit_flipped_twice_is_as_before(data: bytes, draw: st.DataObject) -> None:
    byte = draw.draw(st.integers(0, len(data) - 1))
    bit = draw.draw(st.integers(0, 7))
    assert flip(flip(data, byte, bit), byte, bit) == data


def test_the_explorer_takes_hexadecimal_text() -> None:
    explorer = FrameExplorer("81 05 48656c6c6f")
    assert explorer.data == b"\x81\x05Hello"
    explorer.data = "89 00"
    assert explorer.data == b"\x89\x00"
    with pytest.raises(ValueError, match="'H' is not a hexadecimal digit"):
        explorer.data = "Hel"
