"""Text: aligned, shortened, and harmless whatever a peer sent."""

from __future__ import annotations

import pytest

from wslab import lab
from wslab.lab.tables import escaped, excerpt, hex_bytes, printable, shortened, text_table


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


@pytest.mark.parametrize(
    ("count", "size", "first", "last"),
    [
        (200, 10, 200, 0),
        (201, 10, 100, 100),
        (200, 1000, 200, 0),
        (200, 1001, 99, 99),
        (100, 4000, 25, 25),
        (51, 4000, 25, 25),
        (1, 4000, 1, 0),
        (0, 0, 0, 0),
    ],
)
def test_an_excerpt_has_both_ends(count, size, first, last):
    rows = [[str(number).ljust(size)] for number in range(count)]
    begin, note, end = excerpt(rows)
    assert (begin, end) == (rows[:first], rows[count - last :] if last else [])
    left_out = count - first - last
    assert note == (
        f"{left_out:,} rows are left out: look at a slice, such as [{first}:{first + 200}]"
        if left_out
        else ""
    )


def test_a_row_that_is_longer_than_all_may_be_is_shown_in_part():
    (row,), note, last = excerpt([["x" * 5000] * 60])
    assert (len(row), note, last) == (60, "", [])
    assert row[0] == shortened("x" * 5000, 4000, "look at the value itself")


def test_a_table_says_where_rows_are_left_out():
    shown = text_table(["n", "what"], [[str(number), "x"] for number in range(300)]).split("\n")
    assert len(shown) == 202
    assert shown[101] == "…    100 rows are left out: look at a slice, such as [100:300]"


def test_the_last_cell_of_a_short_row_takes_the_columns_that_are_left() -> None:
    rows = [["frame", "81", "42[1]"], ["packet", "", "4", "2[1]"]]
    assert text_table(["layer", "outer", "inner", ""], rows).split("\n") == [
        "layer   outer  inner",
        "frame   81     42[1]",
        "packet         4      2[1]",
    ]
