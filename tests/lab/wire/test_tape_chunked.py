"""Chunked bodies on the tape: a piece per chunk, and what follows the last one (RFC 9112 §7.1)."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wslab import lab
from wslab.lab.wire.chunks import chunk_head
from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import KEEP, trackers
from wslab.protocol.http import HEAD_LIMIT

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data, extension=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


class Recorder:
    """Both trackers of one connection; the client has asked."""

    def __init__(self):
        self.tape = Tape()
        self.client, self.server = trackers(self.tape, 1)
        self.client.feed(GET)

    @property
    def rows(self):
        return lab.Transcript(self.tape).server


def record(*pieces):
    seen = Recorder()
    for data in pieces:
        seen.server.feed(data)
    return seen.rows


def summary(rows):
    return [(row.kind, row.size) for row in rows]


# The size line


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"5\r\nHello\r\n", (3, 5)),
        (b"1F\r\n", (4, 31)),
        (b"000a\r\n", (6, 10)),
        (b"5 \t;name=value;x\r\n", (18, 5)),
        (b'5;q="a b\xe4"\r\n', (12, 5)),
        (LAST, (5, 0)),
        (b"0\r\nExpires: never\r\nX: y\r\n\r\nmore", (27, 0)),
        (b"", None),
        (b"5", None),
        (b"5\r", None),
        (b"0\r\n", None),
        (b"0\r\nX: y\r\n", None),
    ],
)
def test_what_comes_before_the_data(data, found):
    assert chunk_head(data) == found


@pytest.mark.parametrize(
    "line", [b"", b"x", b"-5", b"+5", b"0x5", b"5_0", b" 5", b"5 5", b"5;\x00", b"f" * 16]
)
def test_what_is_no_size(line):
    with pytest.raises(ValueError, match=r"not the size of a chunk: .* \(RFC 9112 §7\.1\)"):
        chunk_head(line + b"\r\n")


# The tape


def test_each_chunk_is_a_row_and_the_connection_goes_on():
    events = [b"id: 1\ndata: a\n\n", "data: 你好\n\n".encode()]
    stream = HEAD + chunk(events[0]) + chunk(events[1]) + LAST + SIZED + b"ok" + HEAD + LAST
    rows = record(stream)
    assert summary(rows) == [
        *(("HTTP", len(HEAD)), ("chunk", 20), ("chunk", 19), ("chunk", 5)),
        *(("HTTP", len(SIZED)), ("body", 2), ("HTTP", len(HEAD)), ("chunk", 5)),
    ]
    assert [row.payload for row in rows[1:4]] == [*events, b""]
    assert rows[2].text == "data: 你好\n\n"
    assert [row.meaning for row in rows[1:4]] == [
        r'"f\r\nid: 1\ndata: a\n\n\r\n"',
        r'"e\r\ndata: 你好\n\n\r\n"',
        r'"0\r\n\r\n", the last chunk',
    ]
    assert all(row.is_complete and not row.problem for row in rows)
    assert rows.size == len(stream)


def test_the_text_is_exact():
    assert repr(record(HEAD, chunk(b"<b>"), LAST)).split("\n") == [
        "#  who     kind   size  what",
        "1  server  HTTP   47 B  HTTP/1.1 200 OK",
        "                        Transfer-Encoding: chunked",
        r'2  server  chunk  8 B   "3\r\n<b>\r\n"',
        r'3  server  chunk  5 B   "0\r\n\r\n", the last chunk',
    ]


@pytest.mark.parametrize("size", [1, KEEP - 6, KEEP - 5, KEEP, 5000, 70_000])
def test_only_the_beginning_is_kept(size):
    row = record(HEAD + chunk(b"a" * size) + LAST)[1]
    assert row.size == len(chunk(b"a" * size))
    assert len(row.wire) == min(row.size, KEEP)
    assert row.payload == b"a" * min(size, KEEP - len(b"%x\r\n" % size))
    assert row.is_complete


def test_a_client_may_send_chunks_too():
    post = b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
    seen = Recorder()
    seen.client.feed(post + chunk(b"abc") + LAST + GET)
    assert summary(lab.Transcript(seen.tape)) == [
        *(("HTTP", len(GET)), ("HTTP", len(post)), ("chunk", 8), ("chunk", 5), ("HTTP", len(GET))),
    ]


def test_extensions_and_trailers():
    last = b"0;x=y\r\nExpires: never\r\n\r\n"
    rows = record(HEAD + chunk(b"abc", b";name=value") + last + SIZED)
    assert summary(rows)[1:] == [("chunk", 19), ("chunk", len(last)), ("HTTP", len(SIZED))]
    assert rows[1].payload == b"abc"
    assert rows[2].meaning.endswith("the last chunk")


@pytest.mark.parametrize(
    ("coding", "kind"),
    [(b"gzip, chunked", "chunk"), (b"CHUNKED", "chunk"), (b"gzip", "body"), (b"", "body")],
)
def test_chunked_must_be_the_last_coding(coding, kind):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n" % coding
    assert record(head + chunk(b"abc"))[1].kind == kind


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"103 Early Hints"])
def test_an_answer_without_a_body_has_no_chunks(status):
    head = b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    assert [row.kind for row in record(head + SIZED)] == ["HTTP", "HTTP"]


STREAM = (
    HEAD
    + b"".join(chunk(b"x" * size) for size in (1, 15, 16, KEEP, 5000))
    + chunk(b"ext", b";a=b")
    + b"0\r\nX: y\r\n\r\n"
    + SIZED
    + b"ok"
    + HEAD
    + LAST
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(cuts=st.lists(st.integers(1, 20) | st.integers(1, 3000), max_size=60))
@example(cuts=[1] * len(STREAM))
def test_every_chunking_by_tcp_gives_the_same_rows(cuts):
    pieces, start = [], 0
    for size in [*cuts, len(STREAM)]:
        pieces.append(STREAM[start : start + size])
        start += size
    found = [(row.kind, row.size, row.wire) for row in record(*filter(None, pieces))]
    assert found == [(row.kind, row.size, row.wire) for row in record(STREAM)]


def test_incomplete():
    seen = Recorder()
    seen.server.feed(HEAD + b"5")
    assert (seen.rows[1].is_complete, seen.rows[1].payload) == (False, b"")
    assert seen.rows[1].meaning == '"5"\nnot complete: 1 B so far'
    seen.server.feed(b"\r\nHel")
    assert (seen.rows[1].is_complete, seen.rows[1].payload) == (False, b"Hel")
    assert seen.rows[1].meaning == '"5\\r\\nHel"\nnot complete: 6 of 10 B so far'
    seen.server.feed(b"lo\r\n0\r\n")
    assert (seen.rows[1].is_complete, seen.rows[2].is_complete) == (True, False)


@pytest.mark.parametrize("line", [b"x\r\n", b"\r\n", b"5\n", b"\x1b[31m\r\n"])
def test_after_a_malformed_size_everything_is_raw(line):
    line = line if line.endswith(b"\r\n") else line + b"\r\n"
    rows = record(HEAD, chunk(b"ok"), line, b"more")
    assert summary(rows) == [("HTTP", 47), ("chunk", 7), ("raw", len(line)), ("raw", 4)]
    assert "\x1b" not in repr(rows)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_size_line_without_end(size):
    data = HEAD + b"5;" + b"x" * (HEAD_LIMIT + 100)
    rows = record(*(data[i : i + size] for i in range(0, len(data), size)))
    assert (rows[1].kind, rows[1].size) == ("raw", HEAD_LIMIT)
    assert {row.kind for row in rows[2:]} == {"raw"}
    assert rows.size == len(data)
