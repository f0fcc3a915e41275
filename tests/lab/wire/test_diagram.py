"""A sequence diagram: one arrow for each row, in the lane of its connection."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.lab.wire.diagram import LABEL, Arrow, of_rows


def row(who, kind, meaning, *, connection=1, size=0, is_complete=True, lost=0):
    """A row of a transcript, as far as a diagram looks at it."""
    fields = {"who": who, "kind": kind, "meaning": meaning, "connection": connection}
    return SimpleNamespace(**fields, size=size, is_complete=is_complete, lost=lost, seconds=0.0)


def opened(connection):
    return [
        row("client", "HTTP", "GET /chat HTTP/1.1\nHost: x", connection=connection, size=50),
        row("server", "HTTP", "HTTP/1.1 101 Switching Protocols", connection=connection, size=60),
    ]


async def test_a_real_conversation():
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable, asyncio.timeout(45):
        async with connect(cable.url, compression=None) as ws:
            await ws.send("Hello")
            await ws.recv()
        steps = (await cable.settle()).diagram.steps
    assert [(step.start, *step.label.split(" · ")) for step in steps[2:6]] == [
        (0, 'TEXT "Hello"', "11 B"),
        (1, 'TEXT "Hello"', "7 B"),
        (0, "CLOSE 1000 NORMAL_CLOSURE", "8 B"),
        (1, "CLOSE 1000 NORMAL_CLOSURE", "4 B"),
    ]


def test_connections_stand_side_by_side():
    rows = [*opened(1), *opened(2), row("cable", "note", "frozen (both)", connection=0)]
    head, first, _, third, _, fault = repr(of_rows(rows)).split("\n")
    assert head.split() == ["client", "1", "server", "1", "client", "2", "server", "2"]
    middle = len(first) // 2
    assert first[: middle - 1].endswith("▶ │")
    assert "▶" not in first[middle:]
    assert third[middle - 1 :].lstrip().startswith("│ ─")
    assert third.endswith("▶ │")
    assert "✂ frozen (both)" in fault
    assert fault.count("│") == 2  # it goes across all of them


def test_one_connection_needs_no_number():
    assert repr(of_rows(opened(1))).split("\n")[0].split() == ["client", "server"]


@pytest.mark.parametrize(
    ("one", "end"),
    [
        (row("client", "TEXT", f'"{"x" * 200}" …', size=70_014), "… · 70014 B"),
        (row("client", "TEXT", "y" * 60, size=30, is_complete=False), "… · 30 B, not complete"),
        (row("client", "TEXT", "y" * 60, size=30, lost=3), "… · 30 B, lost"),
        (row("server", "note", "cannot be reached: " + "z" * 60), "z…"),
    ],
)
def test_a_long_label_is_cut_and_its_size_stays(one, end):
    diagram = of_rows([one])
    (step,) = diagram.steps
    assert len(step.label) == LABEL
    assert step.label.endswith(end)
    assert {len(line) for line in repr(diagram).split("\n")} == {LABEL + 8}


def test_very_many_rows_are_drawn_in_part():
    diagram = of_rows([row("client", "TEXT", "x") for _ in range(1234)])
    assert len(diagram.steps) == 201
    assert diagram.steps[-1].label == "… 1,034 rows are left out: draw a slice"


def test_nothing_has_passed():
    assert repr(of_rows([])).split() == ["client", "server"]


def test_a_lesson_draws_its_own_steps():
    diagram = lab.sequence(
        ("page", "proxy", "POST"),
        ("proxy", "proxy", "keeps it"),
        ("proxy", "server", "POST"),
        ("server", "page", "200"),
        ("page", "server", "✂ cut"),
        ("server", "server", "forgets"),
    )
    assert diagram.names == ("page", "proxy", "server")
    assert diagram.steps[-2] == Arrow(0, 2, "cut", "fault")
    assert repr(diagram).split("\n") == [
        "page           proxy     server",
        "│ ── POST ───▶ │              │",
        "│              │ keeps it     │",
        "│              │ ── POST ───▶ │",
        "│ ◀────────── 200 ─────────── │",
        "│╌╌╌╌╌╌╌╌╌╌╌ ✂ cut ╌╌╌╌╌╌╌╌╌╌╌│",
        "│              │              │ forgets",
    ]
