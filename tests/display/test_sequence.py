"""A sequence diagram in HTML: the same words as in its text, nothing that a peer can break."""

from __future__ import annotations

import re

from wslab.display.sequence import sequence
from wslab.lab.wire.diagram import Arrow, SequenceDiagram

HOSTILE = "<script>x</script>$\\phantom{1}$\u202e"


def diagram(*arrows):
    made = SequenceDiagram([])
    made.arrows, made.connections = arrows, (1, 2)
    return made


def words(html):
    return re.sub(r"<[^>]+>", " ", html).split()


def test_words_and_arrow_heads_are_left_where_styles_are_lost():
    html = sequence(
        diagram(
            Arrow(1, "→", "TEXT", "TEXT hi · 8 B", 0.0124),
            Arrow(2, "←", "PING", "PING · 2 B", 0.5),
            Arrow(0, "✂", "note", "cut (both)", 1),
        )
    )
    expected = "time client 1 server 1 client 2 server 2"
    expected += " +12 ms TEXT hi · 8 B ▶ +500 ms PING · 2 B ◀ +1000 ms ✂ cut (both) ✂ cut (both)"
    assert words(html) == expected.split()


def test_what_a_peer_said_is_text():
    html = sequence(diagram(Arrow(1, "→", "TEXT", HOSTILE, 0)))
    assert "<script" not in html
    assert "\u202e" not in html
    assert "mathjax_ignore" in html  # `$…$` is not typeset
