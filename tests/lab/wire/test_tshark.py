"""The tape reads a connection as Wireshark does: tshark dissects the same bytes from a pcap file.

Needs no privilege: nothing is captured, the file is written here.
"""

from __future__ import annotations

import struct
import subprocess
from collections import defaultdict

import pytest

from wslab import lab
from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import trackers
from wslab.protocol.frames import Frame, Opcode

SIDES = ("client", "server")
MASK = b"\x01\x02\x03\x04"
HOST = b"Host: x\r\n"


def request(line, *fields):
    return b"\r\n".join([line.encode() + b" HTTP/1.1", b"Host: x", *fields, b"", b""])


def response(status, *fields, body=b""):
    return b"\r\n".join([b"HTTP/1.1 " + status.encode(), *fields, b"", body])


def frames(side, *specs):
    mask = MASK if side == "client" else None
    return b"".join(
        Frame(opcode, payload, mask=mask, **options).serialize(check=False)
        for opcode, payload, options in specs
    )


def record(kind, size):
    return bytes([kind]) + b"\x03\x03" + size.to_bytes(2) + b"x" * size


UPGRADE = request(
    "GET /chat",
    *(b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"),
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCHING = response(
    "101 Switching Protocols",
    *(b"Upgrade: websocket", b"Connection: Upgrade"),
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
)
GET, HEAD, CONNECT = request("GET /"), request("HEAD /"), request("CONNECT h:80")
FIVE = b"Content-Length: 5"
HELLO = response("200 OK", FIVE, body=b"hello")
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"3\r\nabc\r\n1a;x=y\r\n" + b"z" * 26 + b"\r\n0\r\n\r\n"  # tshark reads no trailers
TEXT = (Opcode.TEXT, b"Hello", {})
MIXED = (
    TEXT,
    (Opcode.TEXT, b"Hel", {"fin": False}),
    (Opcode.PING, b"?", {}),
    (Opcode.CONTINUATION, b"lo", {}),
    (Opcode.BINARY, bytes(126), {}),
    (Opcode.BINARY, bytes(3000), {}),
    (Opcode.CLOSE, b"\x03\xe8bye", {}),
)

CASES = {
    "websocket": [
        ("client", UPGRADE),
        ("server", SWITCHING),
        ("client", frames("client", *MIXED)),
        ("server", frames("server", *MIXED)),
    ],
    "frames glued to the 101": [
        ("client", UPGRADE),
        ("server", SWITCHING + frames("server", *MIXED)),
        ("client", frames("client", TEXT)),
    ],
    "HEAD": [
        ("client", HEAD),
        ("server", response("200 OK", FIVE)),
        ("client", GET),
        ("server", HELLO),
    ],
    "HEAD of chunks": [
        ("client", HEAD),
        ("server", response("200 OK", CHUNKED)),
        ("client", GET),
        ("server", HELLO),
    ],
    "CONNECT": [
        ("client", CONNECT),
        ("server", response("200 OK", FIVE)),
        ("client", b"\x00abc"),
        ("server", b"\x00defgh"),
    ],
    "CONNECT refused": [
        ("client", CONNECT),
        ("server", response("403 Forbidden", FIVE, body=b"hello")),
        ("client", GET),
        ("server", HELLO),
    ],
    "no content": [
        ("client", GET),
        ("server", response("204 No Content")),
        ("client", GET),
        ("server", response("304 Not Modified", FIVE)),
        ("client", GET),
        ("server", HELLO),
    ],
    "pipelined before an upgrade": [
        ("client", GET + GET + UPGRADE),  # a pipelined HEAD is beyond tshark
        ("server", HELLO + HELLO + SWITCHING),
        ("client", frames("client", TEXT)),
        ("server", frames("server", TEXT)),
    ],
    "a refused upgrade with a body": [
        ("client", UPGRADE),
        ("server", response("426 Upgrade Required", FIVE, body=b"hello")),
        ("client", request("POST /", FIVE) + b"world"),
        ("server", HELLO),
    ],
    "an upgrade with a body": [
        ("client", UPGRADE.replace(b"Host: x", FIVE).replace(b"GET", b"POST") + b"hello"),
        ("server", response("403 Forbidden", b"Content-Length: 0")),
        ("client", GET),
        ("server", HELLO),
    ],
    "another protocol": [
        ("client", UPGRADE.replace(b"websocket", b"h2c")),
        ("server", SWITCHING.replace(b"websocket", b"h2c")),
        ("server", b"\0\0\0\x04\0\0\0\0\0"),
        ("client", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ],
    "chunks": [
        ("client", request("POST /", CHUNKED) + CHUNKS),
        ("server", response("200 OK", CHUNKED, body=CHUNKS)),
        ("client", GET),
        ("server", HELLO),
    ],
    "interim": [
        ("client", request("POST /", FIVE, b"Expect: 100-continue")),
        ("server", response("100 Continue")),
        ("client", b"hello"),
        ("server", HELLO),
    ],
    "TLS": [
        ("client", record(22, 500)),
        ("server", record(22, 90) + record(20, 1) + record(23, 1500) + record(23, 50)),
        ("client", record(20, 1) + record(23, 60)),
        ("server", record(23, 5)),
        ("client", record(21, 2)),
    ],
}
CUTS = (None, 1, 7, 100)
# tshark reads no chunk whose size comes a byte at a time.
STREAMS = [(name, cut) for name in CASES for cut in CUTS if (name, cut) != ("chunks", 1)]


def segments(name, cut):
    """Yield (side, bytes) as TCP carries them, at most cut bytes each."""
    for side, data in CASES[name]:
        size = cut or 1400
        yield from ((side, data[i : i + size]) for i in range(0, len(data), size))


class Pcap:
    """A capture file in memory: the classic format, and IPv4 without a link layer."""

    def __init__(self):
        self.packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]

    def connection(self, ports, segments):
        """Add a connection; ports: those of both sides."""
        sent = {"client": 1000, "server": 5000}  # sequence numbers
        for side, flags, data in [
            *(("client", 0x02, b""), ("server", 0x12, b""), ("client", 0x10, b"")),  # SYN and ACK
            *((side, 0x18, data) for side, data in segments),
        ]:
            here, there = sorted(SIDES, key=lambda each: each != side)
            tcp = struct.pack(
                ">HHIIBBHHH",
                *(ports[here], ports[there], sent[here], sent[there] if flags & 0x10 else 0),
                *(0x50, flags, 65535, 0, 0),
            )
            hosts = [bytes([10, 0, 0, 1 + SIDES.index(each)]) for each in (here, there)]
            size = 20 + len(tcp) + len(data)
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 0, 0x4000, 64, 6, 0, *hosts)
            at = struct.pack("<IIII", 0, len(self.packets), size, size)
            self.packets.append(at + ip + tcp + data)
            sent[here] += len(data) + bool(flags & 2)


FIELDS = (
    *("tcp.srcport", "tcp.dstport", "http.request.method", "http.response.code", "http.chunk_size"),
    *("websocket.opcode", "websocket.fin", "websocket.payload_length"),
    *("websocket.payload_length_ext_16", "tls.record.content_type", "tls.record.length"),
    "data.len",
)


@pytest.fixture(scope="module")
def dissected(tshark, tmp_path_factory):
    """What tshark says about each stream and side."""
    capture = Pcap()
    for number, (name, cut) in enumerate(STREAMS):
        ports = {"client": 40_000 + number, "server": 443 if name == "TLS" else 80}
        capture.connection(ports, segments(name, cut))
    file = tmp_path_factory.mktemp("tshark") / "tape.pcap"
    file.write_bytes(b"".join(capture.packets))
    options = [part for field in FIELDS for part in ("-e", field)]
    said = subprocess.run(
        [tshark, "-n", "-r", file, "-T", "fields", "-E", "separator=|", *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    found = defaultdict(lambda: defaultdict(list))
    for line in said.splitlines():
        here, there, *values = (value.split(",") if value else [] for value in line.split("|"))
        side = "client" if int(here[0]) >= 40_000 else "server"
        number = int((here if side == "client" else there)[0]) - 40_000
        method, code, chunk, opcode, fin, length, longer, kind, size, body = values
        extended = map(int, longer)
        lengths = [next(extended) if each == "126" else int(each) for each in length]
        of = found[*STREAMS[number], side]
        of["HTTP"] += method or code
        of["chunks"] += [int(each) for each in chunk]
        of["frames"] += zip(map(int, opcode), map(flag, fin), lengths, strict=True)
        of["bodies"] += [] if chunk or opcode else [int(each) for each in body]
        of["records"] += zip(map(int, kind), map(int, size), strict=True)
    return found


def flag(text):
    return text in ("1", "True")


def taped(name, cut, side):
    """What the tape says, in the same words."""
    tape = Tape()
    both = dict(zip(SIDES, trackers(tape, 1), strict=True))
    for each, data in segments(name, cut):
        both[each].feed(data)
    rows = list(lab.Transcript(tape).only(side))
    chunks = [len(row.payload) for row in rows if row.kind == "chunk"]
    return {
        "HTTP": [row.text.split(" ")[side == "server"] for row in rows if row.kind == "HTTP"],
        "chunks": chunks,
        "frames": [
            (row.header.opcode, row.header.fin, row.header.length) for row in rows if row.header
        ],
        "bodies": [row.size for row in rows if row.kind in ("body", "raw")],
        "records": [(row.wire[0], row.size - 5) for row in rows if row.kind == "TLS"],
    }


@pytest.mark.parametrize(("name", "cut"), STREAMS)
@pytest.mark.parametrize("side", SIDES)
def test_the_tape_agrees_with_tshark(dissected, name, cut, side):
    there, here = dissected[name, cut, side], taped(name, cut, side)
    if name == "another protocol":  # which tshark knows, and the tape does not
        here = {"frames": here["frames"]}
    assert {key: there[key] for key in here} == here
