"""A sequence diagram in HTML: the same words as in its text, nothing that a peer can break."""

from __future__ import annotations

import re

from wslab.display.sequence import sequence_html
from wslab.lab.wire.diagram import Arrow, SequenceDiagram

HOSTILE = "<script>x</script>$\\phantom{1}$\u202e"


def words(html):
    return re.sub(r"<[^>]+>", " ", html).split()


def test_words_and_arrow_heads_are_left_where_styles_are_lost():
    steps = (
        Arrow(0, 1, "TEXT hi · 8 B", "TEXT", 0.0124),
        Arrow(3, 2, "PING · 2 B", "PING", 0.5),
        Arrow(0, 3, "cut (both)", "fault", 1),
    )
    html = sequence_html(
        SequenceDiagram(("client 1", "server 1", "client 2", "server 2"), steps, True)
    )
    expected = "time client 1 server 1 client 2 server 2"
    expected += " +12 ms TEXT hi · 8 B ▶ +500 ms PING · 2 B ◀ +1000 ms ✂ cut (both)"
    assert words(html) == expected.split()
    for line in html.splitlines():
        if "<tr><td" in line:
            assert sum(map(int, re.findall(r'colspan="(\d)"', line))) + line.count("14px") == 5


def test_labels_of_several_connections_may_have_two_lines():
    """Otherwise a narrow notebook would cut the second connection."""
    for names, is_wide in ((("client", "server"), False), (tuple("abcd"), True)):
        html = sequence_html(SequenceDiagram(names, (Arrow(0, 1, "x y", "TEXT", 0.5),), True))
        lanes = [cell for cell in html.split("<td")[1:] if "border-right: 2px" in cell]
        assert ["nowrap" in cell for cell in lanes] == [not is_wide] * (len(names) // 2)


def test_steps_of_a_lesson_have_no_times():
    html = sequence_html(SequenceDiagram(("a", "b", "c"), (Arrow(2, 0, "x"), Arrow(1, 1, "waits"))))
    assert words(html) == ["a", "b", "c", "x", "◀", "waits"]


def test_what_a_peer_said_is_text():
    html = sequence_html(SequenceDiagram(("a", HOSTILE), (Arrow(0, 1, HOSTILE),)))
    assert "<script" not in html
    assert "\u202e" not in html
    assert "mathjax_ignore" in html  # `$…$` is not typeset
