"""Text: aligned, shortened, and harmless whatever a peer sent."""

from __future__ import annotations

import pytest

from wslab import lab
from wslab.lab.tables import escaped, hex_bytes, printable, text_table


def test_columns_are_aligned_and_lines_end_clean():
    rows = [["1", "one\ntwo", "last"], ["22", "", "last\nof all"]]
    assert text_table(["n", "what", ""], rows).split("\n") == [
        "n   what",
        "1   one   last",
        "    two",
        "22        last",
        "          of all",
    ]


def test_wide_characters_count_twice():
    assert text_table(["a", "b"], [["你好", "x"], ["Hello", "y"]]).split("\n") == [
        "a      b",
        "你好   x",
        "Hello  y",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 你好 🙂", "plain 你好 🙂"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
        ("\u202eleft", "\\u202eleft"),  # a bidirectional override turns the rest of a line round
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
    ],
)
def test_control_characters_become_escapes(text, shown):
    assert escaped(text) == shown
    assert printable(text) == f'"{shown}"'


def test_a_table_keeps_line_breaks_and_blanks_and_nothing_else():
    table = lab.table(["\x1b", "b"], [["1\u00a0000\u2009B", "\x07\nx"]])
    assert repr(table).split("\n") == ["\\x1b     b", "1\u00a0000\u2009B  \\x07", "         x"]


def test_a_table_shows_any_value():
    table = lab.table(["a", "b"], [[1, None], [2.5, b"x"]], "caption")
    assert table.cells() == [["1", "None"], ["2.5", "b'x'"]]
    assert repr(table) == "a    b\n1    None\n2.5  b'x'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a" * 60, f'"{"a" * 60}"'), ("a" * 61, f'"{"a" * 60}" …'), ("", '""')],
)
def test_printable_shortens(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("data", "shown"), [(b"", ""), (b"\x00\xff", "00 ff"), (bytes(17), "00 " * 16 + "…")]
)
def test_hex_bytes(data, shown):
    assert hex_bytes(data) == shown
