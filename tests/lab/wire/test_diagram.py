"""A sequence diagram: one arrow for each row, in the lane of its connection."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.lab.wire.diagram import LABEL, LANE, SequenceDiagram


def row(who, kind, meaning, *, connection=1, size=0, is_complete=True):
    """A row of a transcript, as far as a diagram looks at it."""
    fields = {"who": who, "kind": kind, "meaning": meaning, "connection": connection}
    return SimpleNamespace(**fields, size=size, is_complete=is_complete, seconds=0.0)


def opened(connection):
    return [
        row("client", "HTTP", "GET /chat HTTP/1.1\nHost: x", connection=connection, size=50),
        row("server", "HTTP", "HTTP/1.1 101 Switching Protocols", connection=connection, size=60),
    ]


async def test_a_real_conversation():
    async with lab.serve(lab.echo) as server, lab.cable(server) as cable, asyncio.timeout(10):
        async with connect(cable.url, compression=None) as ws:
            await ws.send("Hello")
            await ws.recv()
        arrows = (await cable.settle()).diagram.arrows
    assert [(arrow.way, arrow.label.partition(" · ")[0]) for arrow in arrows[:6]] == [
        ("→", "GET /"),
        ("←", "101 Switching Protocols"),
        ("→", 'TEXT "Hello"'),
        ("←", 'TEXT "Hello"'),
        ("→", "CLOSE 1000 NORMAL_CLOSURE"),
        ("←", "CLOSE 1000 NORMAL_CLOSURE"),
    ]
    assert [arrow.label.partition(" · ")[2] for arrow in arrows[2:6]] == [
        "11 B",
        "7 B",
        "8 B",
        "4 B",
    ]


def test_text_is_drawn_in_lanes():
    rows = [*opened(1), *opened(2), row("cable", "note", "frozen (both)", connection=0)]
    head, first, _, third, _, fault = repr(SequenceDiagram(rows)).split("\n")
    assert head.split() == ["client", "1", "server", "1", "client", "2", "server", "2"]
    left, right = slice(0, LANE + 2), slice(LANE + 5, None)
    assert first[left].endswith("▶ │")
    assert first[right] == third[left] == f"│{' ' * LANE}│"
    assert third[right].endswith("▶ │")
    assert fault[left] == fault[right]
    assert "✂ frozen (both)" in fault


def test_one_connection_needs_no_number():
    assert repr(SequenceDiagram(opened(1))).split("\n")[0].split() == ["client", "server"]


@pytest.mark.parametrize(
    ("one", "end"),
    [
        (row("client", "TEXT", f'"{"x" * 200}" …', size=70_014), "… · 70014 B"),
        (row("client", "TEXT", "y" * 60, size=30, is_complete=False), "… · 30 B, not complete"),
        (row("server", "note", "cannot be reached: " + "z" * 60), "z…"),
    ],
)
def test_a_long_label_is_cut_and_its_size_stays(one, end):
    diagram = SequenceDiagram([one])
    (arrow,) = diagram.arrows
    assert len(arrow.label) == LABEL
    assert arrow.label.endswith(end)
    assert {len(line) for line in repr(diagram).split("\n")} == {LANE + 2}


def test_nothing_has_passed():
    assert repr(SequenceDiagram([])).split() == ["client", "server"]
