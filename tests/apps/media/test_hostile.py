"""Hostile uploads: each is refused with one sentence, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from wslab.apps.media import Chunk, MediaRoom, UploadLimits
from wslab.net import simulate

from .guests import PICTURE, SOUND, bomb, files_in, header, offer_of, png

MIB = 1 << 20
HELLO = {"type": "hello", "name": "Mallory", "client": "a-secret-of-Mallory"}
LIMITS = UploadLimits(size=4 * MIB)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def saved(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, format)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil.txt", "hidden")
    return file.getvalue()


def wav(samples: bytes = b"", **changes: int) -> bytes:
    """Return a WAV whose header may lie."""
    fields = {"size": 36 + len(samples), "format": 1, "channels": 1, "rate": 8000, "bits": 16}
    fields = {**fields, "frame": 2, "data": len(samples), **changes}
    head = struct.pack("<4sI4s4sI", b"RIFF", fields["size"], b"WAVE", b"fmt ", 16)
    head += struct.pack("<HHII", *(fields[n] for n in ("format", "channels", "rate")), 16000)
    head += struct.pack("<HH4sI", fields["frame"], fields["bits"], b"data", fields["data"])
    return head + samples


# Offers that are refused: what is wrong, and a part of the sentence.
OFFERS: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({"id": None}, "id is None"),
    "negative id": ({"id": -1}, "id is -1"),
    "id too large": ({"id": 1 << 32}, "id is 4294967296"),
    "huge id": ({"id": 10**400}, "id is 1000"),
    "id is a text": ({"id": "1"}, "id is '1'"),
    "id is a list": ({"id": [1]}, "id is [1]"),
    "id is true": ({"id": True}, "id is True"),
    "id is 1.0": ({"id": 1.0}, "id is 1.0"),
    "empty": ({"size": 0}, "size is 0"),
    "negative size": ({"size": -5}, "size is -5"),
    "size is 1e400": ({"size": "1e400"}, "size is "),
    "size overflows": ({"size": 1 << 64}, "size is 18446744073709551616"),
    "huge declared size": ({"size": 4 * MIB + 1}, "size is 4194305"),
    "no size": ({"size": None}, "size is None"),
    "SVG": ({"media": "image/svg+xml"}, "media is 'image/svg+xml'"),
    "HTML": ({"media": "text/html"}, "media is 'text/html'"),
    "parameters": ({"media": "image/png;x=<script>"}, "this room takes image/png, audio/wav"),
    "media is a list": ({"media": ["image/png"]}, "media is ['image/png']"),
    "no media": ({"media": None}, "media is None"),
    "no hash": ({"sha256": None}, "sha256 is None"),
    "short hash": ({"sha256": "ab"}, "64 hex digits"),
    "hash with a newline": ({"sha256": "0" * 64 + "\n"}, "64 hex digits"),
    "hash in capitals": ({"sha256": "A" * 64}, "64 hex digits"),
    "hash in other digits": ({"sha256": "٠" * 64}, "64 hex digits"),
}
NAMES = [
    *("", None, 5, ["a.png"], {}, "../../etc/passwd", "..", ".", "../a.png", "a/../b", "..\\a.png"),
    *("/etc/passwd", "C:\\a.png", "C:a.png", "\\\\host\\share", "a.png\x00.exe", "\x00", "a\nb"),
    *("CON", "con", "nul.png", "COM1", "com9.tar.gz", "LPT1 .png", "COM¹", "AUX", "PRN.", "CONIN$"),
    *("a.png ", " a.png", "a.png.", ".bashrc", "~/.ssh/../x", "x" * 101, "深" * 100, "a" * 5000),
    *(
        "a<b>.png",
        'a"b.png',
        "a|b",
        "a?.png",
        "a*.png",
        "a:stream",
        "a\u202egnp.exe",
        "a\u200b.png",
    ),
    *("\ufeffa.png", "a\x7f.png", "a\x85.png", "a\u2028b", "\ue000.png", "file://x", "%00\x1b[31m"),
]
OFFERS |= {f"name {name!a:.30}": ({"name": name}, "name") for name in NAMES if name != "CON"}
OFFERS["a device"] = ({"name": "CON"}, "a device on Windows")

# Files that are refused when they are complete. They are offered with their own size and hash.
FILES: dict[str, tuple[bytes, str, str]] = {
    "SVG with a script": (SVG, "image/png", "its content looks like image/svg+xml"),
    "SVG as a sound": (SVG, "audio/wav", "its content looks like image/svg+xml"),
    "HTML": (b"<html><script>alert(1)</script></html>", "image/png", "looks like text/html"),
    "text": (b"hello", "image/png", "looks like nothing known"),
    "one byte": (b"\x89", "image/png", "looks like"),
    "zeros": (bytes(5000), "image/png", "looks like"),
    "a sound as a picture": (SOUND, "image/png", "its content looks like audio/wav"),
    "a picture as a sound": (PICTURE, "audio/wav", "its content looks like image/png"),
    "GIF": (saved("GIF"), "image/png", "its content looks like image/gif"),
    "JPEG": (saved("JPEG"), "image/png", "its content looks like image/jpeg"),
    "BMP": (saved("BMP"), "image/png", "looks like"),
    "ZIP": (zipped(), "image/png", "looks like"),
    "program": (b"MZ" + bytes(500), "image/png", "looks like"),
    "only a signature": (PICTURE[:8], "image/png", "ends early"),
    "half a picture": (PICTURE[: len(PICTURE) // 2], "image/png", "ends early"),
    "no end": (PICTURE[:-12], "image/png", "ends early"),
    "picture and ZIP": (PICTURE + zipped(), "image/png", "should end at"),
    "picture and script": (PICTURE + b"<script>", "image/png", "should end at"),
    "two pictures": (PICTURE + PICTURE, "image/png", "should end at"),
    "picture and one byte": (PICTURE + b"\0", "image/png", "should end at"),
    "no header": (png((b"IEND", b"")), "image/png", "not a good image/png"),
    "no pixels": (png(header(8, 8), (b"IEND", b"")), "image/png", "not a good image/png"),
    "no size": (png(header(0, 0), (b"IDAT", b""), (b"IEND", b"")), "image/png", "not a good"),
    "broken pixels": (
        png(header(8, 8), (b"IDAT", b"nonsense"), (b"IEND", b"")),
        "image/png",
        "not a good image/png",
    ),
    "wrong checksum": (
        PICTURE[:29] + bytes([PICTURE[29] ^ 1]) + PICTURE[30:],
        "image/png",
        "not a good image/png",
    ),
    "bomb": (bomb(20_000, 20_000), "image/png", "20000 × 20000 pixels"),
    "bomb that lies": (png(header(1 << 30, 1 << 30), (b"IEND", b"")), "image/png", "pixels"),
    "wide bomb": (png(header(0xFFFFFFFF, 1), (b"IEND", b"")), "image/png", "4294967295 × 1"),
    "second header": (
        png(header(8, 8), header(60_000, 60_000), (b"IDAT", b""), (b"IEND", b"")),
        "image/png",
        "60000 × 60000",
    ),
    "text bomb": (
        png(
            header(8, 8),
            (b"zTXt", b"a\0\0" + zlib.compress(bytes(80 * MIB), 9)),
            (b"IDAT", zlib.compress(bytes(72))),
            (b"IEND", b""),
        ),
        "image/png",
        "not a good image/png",
    ),
    "much beside the picture": (
        png(header(8, 8), (b"prIv", bytes(MIB + 1)), (b"IEND", b"")),
        "image/png",
        "not part of what one sees",
    ),
    "chunk that lies": (
        PICTURE[:8] + b"\xff\xff\xff\xffIHDR" + PICTURE[16:],
        "image/png",
        "not part of what one sees",
    ),
    "only RIFF": (b"RIFF\x04\0\0\0WAVE", "audio/wav", "not a good audio/wav"),
    "sound too short": (wav(bytes(100), data=200), "audio/wav", "should end at"),
    "sound and ZIP": (wav(bytes(100)) + zipped(), "audio/wav", "header says"),
    "sound and ZIP, counted": (
        wav(bytes(100) + zipped(), data=100),
        "audio/wav",
        "should end at",
    ),
    "sound of 4 GiB": (wav(bytes(100), data=0xFFFFFFFE), "audio/wav", "should end at"),
    "RIFF of 4 GiB": (wav(bytes(100), size=0xFFFFFFFF), "audio/wav", "header says"),
    "sound without channels": (wav(bytes(100), channels=0), "audio/wav", "not a good"),
    "sound of no bits": (wav(bytes(100), bits=0), "audio/wav", "not a good"),
    "sound that is compressed": (wav(bytes(100), format=2), "audio/wav", "not a good"),
    "AVI": (b"RIFF\x04\0\0\0AVI ", "audio/wav", "looks like video/avi"),
}

# Chunks that are refused after an honest offer of a picture and its first thousand bytes.
CHUNKS: dict[str, tuple[bytes, str]] = {
    "beyond the end": (Chunk(1, 1000, 1, bytes(len(PICTURE) - 999)).pack(), "bytes were offered"),
    "wrong type": (Chunk(1, 1000, 2, PICTURE[1000:2000]).pack(), "the chunk's type is 2"),
    "unknown type": (Chunk(1, 1000, 255, PICTURE[1000:2000]).pack(), "the chunk's type is 255"),
    "no data": (Chunk(1, 1000, 1, b"").pack(), "the chunk has 0 bytes"),
    "too large": (Chunk(1, 1000, 1, bytes(MIB // 4 + 1)).pack(), "expected 1 to 262144"),
    "wrong bytes": (Chunk(1, 1000, 1, bytes(len(PICTURE) - 1000)).pack(), "SHA-256"),
}

# Messages that are refused, and change nothing.
OTHERS: dict[str, tuple[str | bytes, str]] = {
    "no header": (b"", "this has 0"),
    "half a header": (bytes(12), "this has 12"),
    "unknown id": (Chunk(2, 0, 1, b"data").pack(), "no upload 2 of yours is open"),
    "largest id": (Chunk(0xFFFFFFFF, 0, 1, b"data").pack(), "no upload 4294967295"),
    "overlap": (Chunk(1, 500, 1, PICTURE[500:1500]).pack(), "continue at 1000"),
    "the same again": (Chunk(1, 0, 1, PICTURE[:1000]).pack(), "continue at 1000"),
    "hole": (Chunk(1, 1001, 1, b"data").pack(), "continue at 1000"),
    "largest offset": (Chunk(1, 2**64 - 1, 1, b"data").pack(), "continue at 1000"),
    "sign bit": (Chunk(1, 2**63, 1, b"data").pack(), "continue at 1000"),
    "no JSON": ("{", "is not a JSON object"),
    "no object": ("[1]", "is not a JSON object"),
    "deep": ("[" * 100_000, "is not a JSON object"),
    "half a character": ('{"type": "chat", "text": "\\ud800"}', "is not a JSON object"),
    "many digits": ('{"type": "offer", "id": %s}' % ("9" * 5000), "is not a JSON object"),
    "no type": ("{}", "type is None"),
    "type is a list": ('{"type": []}', "type is []"),
    "server's type": ('{"type": "done", "id": 1}', "type is 'done'"),
    "no text": ('{"type": "chat"}', "1 to 2000 characters"),
    "long line": (json.dumps({"type": "chat", "text": "x" * 2001}), "1 to 2000 characters"),
    "file that is not there": ('{"type": "have", "id": 99, "offset": 0}', "no file 99"),
    "id is a list": ('{"type": "have", "id": [], "offset": 0}', "no file []"),
    "id is true": ('{"type": "have", "id": true, "offset": 0}', "no file True"),
}


@asynccontextmanager
async def joined(room: MediaRoom) -> AsyncIterator[Any]:
    """Serve the room, and connect to it."""
    async with (
        serve(room, "room", 9000, max_size=MIB, compression=None),
        connect("ws://room:9000/media", proxy=None, compression=None) as ws,
    ):
        yield ws


async def attack(room: MediaRoom, *messages: str | bytes) -> list[Any]:
    """Say hello, and send messages; return what the room has answered."""
    answers = []
    async with joined(room) as ws:
        for message in (json.dumps(HELLO), *messages):
            await ws.send(message)
        await ws.send(json.dumps({"type": "chat", "text": "last"}))
        async for data in ws:
            answers.append(json.loads(data))
            if answers[-1]["type"] == "chat":
                return answers
    raise AssertionError(f"the room hung up: {answers}")


def refused(room: MediaRoom, *messages: str | bytes) -> str:
    """Return the one sentence that the last of these messages is answered with."""
    tracemalloc.start()
    run = simulate(lambda: attack(room, *messages))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert run.errors == ()
    answer = run.result()[-2]
    assert answer["type"] in ("refused", "have")
    assert "\n" not in answer["text"]
    assert str(room.uploads.folder) not in answer["text"]
    assert peak < 16 * MIB
    return str(answer["text"])


def chunks(data: bytes, kind: int = 1, number: int = 1) -> list[bytes]:
    step = MIB // 8
    starts = range(0, len(data), step)
    return [Chunk(number, at, kind, data[at : at + step]).pack() for at in starts]


@pytest.fixture
def room(tmp_path: Path) -> MediaRoom:
    return MediaRoom(folder=tmp_path, limits=LIMITS)


def is_empty(room: MediaRoom) -> bool:
    nothing = (room.uploads.open, room.uploads.items, files_in(room.uploads.folder))
    return nothing == ({}, {}, [])


@pytest.mark.parametrize("name", OFFERS)
def test_offers(room, name):
    changes, sentence = OFFERS[name]
    assert sentence in refused(room, json.dumps(offer_of(PICTURE, **changes)))
    assert is_empty(room)


@pytest.mark.parametrize("name", FILES)
def test_files(room, name):
    data, media, sentence = FILES[name]
    kind = 1 if media == "image/png" else 2
    messages = [json.dumps(offer_of(data, media=media)), *chunks(data, kind)]
    assert sentence in refused(room, *messages)
    assert is_empty(room)


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks(room, name):
    message, sentence = CHUNKS[name]
    honest = json.dumps(offer_of(PICTURE)), Chunk(1, 0, 1, PICTURE[:1000]).pack()
    assert sentence in refused(room, *honest, message)
    assert is_empty(room)


@pytest.mark.parametrize("name", OTHERS)
def test_others_change_nothing(room, name):
    message, sentence = OTHERS[name]
    honest = json.dumps(offer_of(PICTURE)), Chunk(1, 0, 1, PICTURE[:1000]).pack()
    assert sentence in refused(room, *honest, message)
    (upload,) = room.uploads.open.values()
    assert upload.path.read_bytes() == PICTURE[:1000]
    assert files_in(room.uploads.folder) == [upload.path.name]


@pytest.mark.parametrize(
    "name",
    ["a.png", "日落.png", "no suffix", "a..b.png", "console.png", "com10", "é́.png", "x" * 100],
)
def test_honest_names_pass(room, name):
    messages = [json.dumps(offer_of(PICTURE, name=name)), *chunks(PICTURE)]
    answers = simulate(lambda: attack(room, *messages)).result()
    assert [answer["name"] for answer in answers if answer["type"] == "offer"] == [name]


def test_endless_refusals_end_the_connection(room):
    async def main() -> Any:
        with pytest.raises(ConnectionClosed) as raised:
            await attack(room, *[b""] * 100)
        return raised.value.rcvd.code

    assert simulate(main).result() == 1008


@pytest.mark.parametrize(
    "hello",
    [
        *(b"", "", "[]", "{}", '{"type": "hello"}', json.dumps({**HELLO, "name": "../x"})),
        *(json.dumps({**HELLO, "client": client}) for client in ("", "short", 5, "x" * 65)),
        *(
            json.dumps({**HELLO, "client": client})
            for client in ("../../../../../x", "a" * 15 + "\n")
        ),
        json.dumps({**HELLO, "type": "chat"}),
    ],
)
def test_a_guest_says_hello(room, hello):
    async def main() -> Any:
        async with joined(room) as ws:
            await ws.send(hello)
            with pytest.raises(ConnectionClosed) as raised:
                await ws.recv()
            return raised.value.rcvd.code, len(room.hub)

    run = simulate(main)
    assert run.result() == (1008, 0)
    assert run.errors == ()


def test_silence_ends_after_ten_seconds(room):
    async def main() -> float:
        async with joined(room) as ws:
            await ws.wait_closed()
        return asyncio.get_running_loop().time()

    assert 10 <= simulate(main).result() < 11


def test_an_abandoned_upload_expires(room):
    async def main() -> Any:
        offer = json.dumps(offer_of(PICTURE)), Chunk(1, 0, 1, PICTURE[:1000]).pack()
        await attack(room, *offer)
        before = files_in(room.uploads.folder)
        await asyncio.sleep(61)
        return len(before), is_empty(room)

    assert simulate(main).result() == (1, True)


def test_a_flood_of_lines_is_refused(room):
    line = json.dumps({"type": "chat", "text": "flood"})
    assert 40 <= simulate(lambda: flood(room, line)).result() <= 45


async def flood(room: MediaRoom, line: str) -> int:
    """Send fifty lines at once; return how many the others see."""
    async with joined(room) as ws:
        await ws.send(json.dumps(HELLO))
        for _ in range(55):
            await ws.send(line)
        seen = [json.loads(await ws.recv())["type"] for _ in range(55)]
        return seen.count("chat")
