"""HTML is plain, and nothing that a peer sent can act on the page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from wslab import lab
from wslab.browser.events import Event as PageEvent
from wslab.browser.events import MessageEvent, PageEvents
from wslab.display import exercises, html
from wslab.display.bitgrid import bitgrid
from wslab.display.sequence import sequence_html
from wslab.exercises.conformance.grid import Grid
from wslab.exercises.engine.overview import Progress
from wslab.exercises.engine.verdict import Outcome, Verdict
from wslab.lab.checkup import Checkup, Finding
from wslab.lab.record import Events, Record
from wslab.lab.wire.anatomy import PARTS
from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import trackers
from wslab.protocol.close import Close
from wslab.protocol.frames import Frame, Opcode

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\x00\u202e"
HARMLESS = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;\\x1b[31m\\x00\\u202e"
TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "code", "br", "span"}
ATTRIBUTES = {"class", "scope", "style", "colspan"}


class Page(HTMLParser):
    """Reads a page the way a browser would, and notes what it is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.spans: list[int] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.spans.append(int(dict(attributes).get("colspan", 1)))
        if tag == "br":
            self.rows[-1][-1] += "\n"
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "tr" in self.open:
            self.rows[-1][-1] += data


def is_harmless(text):
    page = Page(text)
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert all(char.isprintable() or char == "\n" for char in text)
    return page


class Seen:
    """A tape of one connection."""

    def __init__(self, limit=100):
        self.tape = Tape(limit)
        self.client, self.server = trackers(self.tape, 1)

    def upgraded(self):
        self.client.feed(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        self.server.feed(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        return self

    @property
    def transcript(self):
        return lab.Transcript(self.tape)


def test_a_table():
    text = html.html_table(
        "A <title>", ["n", "what"], [["1", "a\nb"], ["2", "x & y"]], numbers=["n"]
    )
    assert text == (
        '<table class="wslab mathjax_ignore tex2jax_ignore">\n'
        '<caption style="text-align: left; vertical-align: top">A &lt;title&gt;</caption>\n'
        '<thead><tr><th scope="col" style="text-align: right; vertical-align: top; '
        'white-space: nowrap">n</th>'
        '<th scope="col" style="text-align: left; vertical-align: top">what</th></tr></thead>\n'
        "<tbody>\n"
        '<tr><td style="text-align: right; vertical-align: top; white-space: nowrap">1</td>'
        '<td style="text-align: left; vertical-align: top">a<br>b</td></tr>\n'
        '<tr><td style="text-align: right; vertical-align: top; white-space: nowrap">2</td>'
        '<td style="text-align: left; vertical-align: top">x &amp; y</td></tr>\n'
        "</tbody>\n</table>"
    )


def test_of_many_rows_some_are_shown_and_the_others_counted():
    rows = [[str(number), "x" * 900] for number in range(10_000)]
    page = is_harmless(html.html_table("", ["n", "what"], rows))
    shown = [row[0] for row in page.rows[1:]]
    assert shown == [*map(str, range(100)), note_of(9800, 100), *map(str, range(9900, 10_000))]
    assert page.rows[1][1] == "x" * 900


def note_of(left_out, at):
    return f"… {left_out:,} rows are left out: look at a slice, such as [{at}:{at + 200}]"


@pytest.mark.parametrize("columns", [1, 5])
def test_what_a_table_shows_is_bounded(columns):
    """However many rows, and however long: 8.6 MB were in one cell."""
    hostile = "<" * 8000
    text = html.html_table("", ["x"] * columns, [[hostile] * columns] * 300)
    assert len(text) < 1_000_000
    assert "4,000 more characters, look at the value itself" in text
    assert "rows are left out" in text


def test_a_transcript_of_many_rows_is_bounded():
    seen = Seen(limit=10_000).upgraded()
    for _ in range(3000):
        seen.server.feed(Frame(Opcode.TEXT, HOSTILE.encode() * 9).serialize())
    assert len(html.transcript(seen.transcript)) < 200_000
    assert len(repr(seen.transcript)) < 100_000
    assert "2,802 rows are left out" in repr(seen.transcript)
    assert len(is_harmless(html.transcript(seen.transcript[1000:1200])).rows) == 201


def test_a_short_row_spans_what_is_left():
    page = is_harmless(html.html_table("", ["a", "b", "c"], [["1", "rest"], ["1", "2", "3"]]))
    assert page.rows == [["a", "b", "c"], ["1", "rest"], ["1", "2", "3"]]
    assert page.spans == [1, 1, 1, 1, 2, 1, 1, 1]
    assert "caption" not in page.tags


def test_a_long_column_is_broken_into_lines_and_a_long_word_anywhere():
    """Otherwise a narrow notebook would cut the columns behind it."""
    shown = html.html_table("", ("who", "what", "end"), [("Ada", "word " * 20, "x" * 41)])
    cells = shown.partition("<tbody>")[2].split("<td")[1:]
    assert ["nowrap" in cell for cell in cells] == [True, False, False]
    assert ["anywhere" in cell for cell in cells] == [False, False, True]


@pytest.mark.parametrize("where", ["caption", "head", "cell", "code"])
def test_hostile_text_anywhere_in_a_table(where):
    text = {"caption": "c", "head": "h", "cell": "x", "code": "y", where: HOSTILE}
    made = html.html_table(
        text["caption"], [text["head"], "b"], [[text["cell"], text["code"]]], code=["b"]
    )
    is_harmless(made)
    assert made.count(HARMLESS) == 1


def test_a_transcript():
    seen = Seen().upgraded()
    seen.client.feed(Frame(Opcode.TEXT, b"Hi", mask=b"\1\2\3\4").serialize())
    seen.server.feed(Frame(Opcode.BINARY, b"\0").serialize())
    seen.tape.note(0, "cable", "cut (both)")
    text = html.transcript(seen.transcript)
    page = is_harmless(text)
    assert "Transcript, 5 rows" in text
    assert page.rows == [
        ["#", "who", "kind", "size", "bytes", "meaning"],
        ["0", "client →", "HTTP", "38 B", "GET / HTTP/1.1\nUpgrade: websocket"],
        ["1", "← server", "HTTP", "36 B", "HTTP/1.1 101 Switching Protocols"],
        ["2", "client →", "TEXT", "8 B", "81 82 [01 02 03 04] {49 6b}", '"Hi"'],
        ["3", "← server", "BINARY", "3 B", "82 01 00", "1 byte"],
        ["4", "cable", "note", "", "", "cut (both)"],
    ]


def test_the_parts_of_a_frame_look_alike_everywhere():
    """Transcript, anatomy, bit grid: the same marks, lines and colours. (The explorer's CSS is
    made from the same table; see tests/browser_unit.)"""
    seen = Seen().upgraded()
    seen.client.feed(Frame(Opcode.TEXT, b"Hi", mask=b"\1\2\3\4").serialize())
    seen.server.feed(Frame(Opcode.TEXT, b"Hi").serialize())
    masked, plain = seen.transcript.frames
    bytes_of = {"header": "81 82", "key": "[01 02 03 04]", "masked": "{49 6b}", "payload": "48 69"}
    fields_of = {**bytes_of, "header": "1... ...."}
    legend = ["header", "[masking key]", "{masked payload}", "payload"]
    text = html.transcript(seen.transcript)
    for (kind, part), said in zip(PARTS.items(), legend, strict=True):
        line = f'<span style="border-bottom: 3px {part.line} {part.colour}">'
        assert f"{line}{said}</span>" in text
        assert f"{line}{bytes_of[kind]}</span>" in text
        one = plain if kind == "payload" else masked
        assert f"{line}{fields_of[kind]}</span>" in html.anatomy(one.anatomy)
        assert f"border-bottom: 4px {part.line} {part.colour}" in bitgrid(one.grid)
    assert len({part.line for part in PARTS.values()}) == len(PARTS)  # also without colours


@pytest.mark.parametrize(
    ("outcome", "colour"),
    [("SOLVED", "#1b7f3b"), ("WRONG", "#c0392b"), ("NOT_ATTEMPTED", "#8a8a8a")],
)
def test_a_verdict_has_a_line_at_its_side(outcome, colour):
    shown = exercises.verdict(Verdict("framing.parse", 1, Outcome[outcome]))
    assert f"border-left: 3px solid {colour}" in shown


def test_without_frames_there_is_no_legend():
    assert "masking key" not in html.transcript(Seen().upgraded().transcript)


def test_an_empty_transcript_and_one_that_lost_rows():
    assert "Transcript: nothing has passed" in html.transcript(Seen().transcript)
    seen = Seen(limit=1).upgraded()
    caption = "Transcript, 1 rows (1 earlier rows were dropped: the tape keeps 1)"
    assert caption in html.transcript(seen.transcript)


def test_a_row_and_its_anatomy():
    seen = Seen().upgraded()
    http = html.row(seen.transcript[0])
    assert http.count("<table") == 1
    seen.server.feed(Frame(Opcode.TEXT, HOSTILE.encode()).serialize())
    text = html.row(seen.transcript[2])
    page = is_harmless(text)
    assert text.count("<table") == 2
    assert "Row 2 of a transcript" in text
    assert "A frame, field by field (RFC 6455 §5.2)" in text
    assert ["0", ".... 0001", "opcode", "TEXT"] in page.rows


@pytest.mark.parametrize(
    ("side", "data"),
    [
        ("client", b"GET /<script>alert(1)</script>\"' HTTP/1.1\r\nX: \x1b<img src=x>\0\r\n\r\n"),
        ("server", b"HTTP/1.1 200 <b>\r\nContent-Length: 9\r\n\r\n<script>\x00"),
        ("client", b"<script>\"'\x1b"),
        ("client", b"\x16<script>\x00"),
    ],
)
def test_hostile_http_and_raw_bytes(side, data):
    seen = Seen()
    getattr(seen, side).feed(data)
    is_harmless(html.transcript(seen.transcript))
    is_harmless(html.row(seen.transcript[0]))


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, HOSTILE.encode()),
        Frame(Opcode.BINARY, HOSTILE.encode()),
        Frame(Opcode.PING, b"<script>\xff"),
        Frame(Opcode.CONTINUATION, b"<script>", fin=False, rsv=7),
        Frame(Opcode.CLOSE, Close(4000, HOSTILE).serialize()),
        Frame(Opcode.CLOSE, b"\x03\xe8<\xff"),
        Frame(0xF, b"<script>"),
    ],
)
def test_hostile_frames(frame):
    seen = Seen().upgraded()
    seen.server.feed(frame.serialize(check=False))
    is_harmless(html.transcript(seen.transcript))
    is_harmless(html.row(seen.transcript[2]))
    is_harmless(html.anatomy(lab.dissect(frame.serialize(check=False))))


def test_events():
    value = Events(
        [Record(1, "open", "/"), Record(0, HOSTILE, "two\nlines"), Record(2, "x", HOSTILE)]
    )
    text = html.events(value)
    assert is_harmless(text).rows[2] == ["", HOSTILE_AS_SHOWN, "two\nlines"]
    assert text.count(HARMLESS) == 2


def test_nothing_is_typeset_as_mathematics():
    """What renders a peer's words has MathJax's classes, in JupyterLab and in nbconvert's pages."""
    seen = Seen().upgraded()
    seen.server.feed(Frame(Opcode.TEXT, b"$x$").serialize())
    verdict = Verdict("$x$", 1, Outcome.WRONG, "$x$")
    shown = [
        html.transcript(seen.transcript),
        html.row(seen.transcript[-1]),
        html.anatomy(lab.dissect(b"\x81\x03$x$")),
        html.events(Events([Record(1, "print", "$x$")])),
        html.page_events(PageEvents([MessageEvent(1, "message", "$x$", 3)])),
        html.plain_table(lab.table(["$x$"], [["$x$"]], "$x$")),
        html.checkup(Checkup([Finding("x", "$x$")])),
        exercises.verdict(verdict),
        exercises.progress_html(Progress((), {}, {})),
        exercises.grid_html(Grid(())),
        sequence_html(seen.transcript.diagram),
    ]
    for text in shown:
        outermost = Outermost(text).attributes
        assert outermost
        for attributes in outermost:
            assert {"mathjax_ignore", "tex2jax_ignore"} <= set(attributes["class"].split())


class Outermost(HTMLParser):
    """Reads a page, and notes the attributes of the elements that stand in no other one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[dict[str, str]] = []
        self.depth = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if not self.depth:
            self.attributes.append(dict(attributes))
        self.depth += tag not in ("br", "wbr")

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        assert self.depth or not data.strip()


HOSTILE_AS_SHOWN = "<script>alert(1)</script>\"'&\\x1b[31m\\x00\\u202e"


def test_events_of_a_page():
    events = [PageEvent(1, "open"), MessageEvent(1, "message", HOSTILE, 9)]
    page = is_harmless(html.page_events(PageEvents(events)))
    assert page.rows[:2] == [["connection", "event", "says"], ["1", "open", ""]]
    assert page.rows[2][:2] == ["1", "message"]
    assert "none yet" in html.page_events(PageEvents())


def test_a_lessons_own_table():
    text = html.plain_table(lab.table(["a", "b"], [[1, HOSTILE], [None, "x"]], HOSTILE))
    page = is_harmless(text)
    assert page.rows == [["a", "b"], ["1", HOSTILE_AS_SHOWN], ["None", "x"]]
    assert text.count(HARMLESS) == 2


def test_a_check_up():
    text = html.checkup(Checkup([Finding("port", "free"), Finding("x", HOSTILE, False, "\x07")]))
    assert is_harmless(text).rows[1:] == [
        ["port", "free", "ok", ""],
        ["x", HOSTILE_AS_SHOWN, "!", "\\x07"],
    ]
