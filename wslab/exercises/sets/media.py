"""Exercises of lesson 11: media chat."""

from __future__ import annotations

import struct
import zlib
from random import Random
from typing import Any

from wslab.apps.media.uploads import Chunk
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

PIECE = 1000  # bytes of data in a chunk of these exercises


# ★ Cut a file


@SET.task()
def cut(trial: Trial, cut: Any) -> None:
    """Try files of many sizes, from their beginning and from later."""
    rng = trial.rng
    cases = [(0, 0), (1, 0), (PIECE, 0), (PIECE + 1, 0), (3 * PIECE, PIECE), (2500, 2500)]
    cases += [(size := rng.randrange(5000), rng.randrange(size + 1)) for _ in range(10)]
    for size, start in cases:
        data, number, kind = rng.randbytes(size), rng.randrange(1 << 32), rng.choice([1, 2])
        expected = [
            Chunk(number, at, kind, data[at : at + PIECE]).pack()
            for at in range(start, size, PIECE)
        ]
        got = trial.result(cut, data, number, kind, start)
        what = f"{size} bytes from {start}"
        trial.same(len(got), len(expected), f"{what}: this is not the number of chunks")
        for one, other in zip(got, expected, strict=True):
            trial.same_bytes(one, other, f"{what}: a chunk is wrong")


# ★★ The receiver's rules


Uploads = dict[int, dict[str, Any]]
Answer = tuple[str, int | None] | tuple[str, int, int]


def _receive(uploads: Uploads, message: bytes) -> Answer:
    """Return the right answer to a message, and change `uploads`."""
    if len(message) < 13:
        return "refused", None
    number, offset, kind = struct.unpack_from(">IQB", message)
    data, upload = message[13:], uploads.get(number)
    if upload is None:
        return "refused", number
    if offset != len(upload["data"]):
        return "have", number, len(upload["data"])
    if kind != upload["type"] or not data or offset + len(data) > upload["size"]:
        del uploads[number]
        return "refused", number
    upload["data"] += data
    return "have", number, len(upload["data"])


def _messages(rng: Random, uploads: Uploads) -> list[tuple[str, bytes]]:
    """Return what may come, with words for it. One of the uploads has the id 7, and 500 bytes."""
    kind, size = uploads[7]["type"], uploads[7]["size"]
    data = rng.randbytes(100)
    return [
        ("an overlapping chunk", Chunk(7, 450, kind, data).pack()),
        ("a chunk after a hole", Chunk(7, 501, kind, data).pack()),
        ("the first chunk once more", Chunk(7, 0, kind, data).pack()),
        ("the largest offset", Chunk(7, 2**64 - 1, kind, data).pack()),
        ("an overlapping chunk of a wrong type", Chunk(7, 450, 3 - kind, data).pack()),
        ("an unknown id", Chunk(8, 0, kind, data).pack()),
        ("half a header", Chunk(7, 500, kind, b"").pack()[: rng.randrange(1, 12)]),
        ("a header without its last byte", Chunk(7, 500, kind, b"").pack()[:12]),
        ("an empty message", b""),
        ("a good chunk", Chunk(7, 500, kind, data).pack()),
        ("a chunk to the end", Chunk(7, 500, kind, bytes(size - 500)).pack()),
        ("a chunk beyond the end", Chunk(7, 500, kind, bytes(size - 499)).pack()),
        ("a chunk of a wrong type", Chunk(7, 500, 3 - kind, data).pack()),
        ("a chunk without data", Chunk(7, 500, kind, b"").pack()),
    ]


@SET.task()
def receive(trial: Trial, receive: Any) -> None:
    """Try each kind of message on its own, and then a whole upload."""
    rng = trial.rng

    def fresh() -> Uploads:
        seen = rng.randbytes(500)
        size = rng.randrange(700, 900)
        other = {"type": 1, "size": 50, "data": bytearray(b"other")}
        return {7: {"type": rng.choice([1, 2]), "size": size, "data": bytearray(seen)}, 9: other}

    for number in range(14):
        uploads = fresh()
        what, message = _messages(rng, uploads)[number]
        mine = {key: {**one, "data": bytearray(one["data"])} for key, one in uploads.items()}
        expected = _receive(mine, message)
        got = trial.call(receive, uploads, message)
        trial.same(got, expected, f"{what}: the answer is wrong")
        sentence = f"{what}: `uploads` is not as it should be afterwards"
        trial.want(uploads == mine, sentence, expected=_sizes(mine), got=_sizes(uploads))
    data, uploads = rng.randbytes(2500), {1: {"type": 2, "size": 2500, "data": bytearray()}}
    for at in (0, 1000, 0, 2000):
        piece = Chunk(1, at, 2, data[at : at + 1000]).pack()
        end = max(len(uploads[1]["data"]), at + len(data[at : at + 1000]))
        got = trial.call(receive, uploads, piece)
        trial.same(got, ("have", 1, end), "a whole upload, with one chunk twice: wrong answer")
    trial.same(bytes(uploads[1]["data"]), data, "a whole upload: its bytes are wrong")


def _sizes(uploads: Any) -> str:
    """Write how many bytes each upload has, because the bytes themselves say little."""
    if not isinstance(uploads, dict):
        return shown(uploads)
    return ", ".join(f"{len(one['data'])} bytes of {key}" for key, one in uploads.items()) or "none"


# ★★★ Look at a picture before it is decoded


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in chunks:
        parts.append(struct.pack(">I", len(body)) + name + body)
        parts.append(zlib.crc32(name + body).to_bytes(4))
    return b"".join(parts)


def _look(data: bytes, limit: int) -> str:
    """Return the right answer."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return "not a PNG"
    at, first = 8, True
    while True:
        if len(data) < at + 12:
            return "ends early"
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if first and (name != b"IHDR" or length != 13):
            return "not a PNG"
        if len(data) < at + 12 + length:
            return "ends early"
        if first:
            width, height = struct.unpack_from(">II", data, at + 8)
            if width * height > limit:
                return "too many pixels"
        at, first = at + 12 + length, False
        if name == b"IEND":
            return "good" if at == len(data) else "something follows"


def _pictures(rng: Random) -> list[tuple[str, bytes, int]]:
    """Return what each file is, its bytes, and a limit."""
    width, height = rng.randrange(300, 900), rng.randrange(300, 900)
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    text = (b"tEXt", b"Comment\0IEND and IDAT are only words here")
    rows = [(b"IDAT", rng.randbytes(rng.randrange(20, 90))) for _ in range(3)]
    end = (b"IEND", b"")
    good = _png(head, text, *rows, end)
    plain = _png(head, *rows, end)
    huge = (b"IHDR", struct.pack(">IIBBBBB", 0xFFFFFFFF, 2, 8, 2, 0, 0, 0))
    exact = width * height
    return [
        ("a good picture", plain, exact),
        ("a good picture with a text in it", good, exact),
        ("one pixel more than the limit", good, exact - 1),
        ("more than four billion pixels in a row", _png(huge, *rows, end), exact),
        ("a huge picture that is cut after its header", _png(huge), exact),
        ("a picture without its last byte", good[:-1], exact),
        ("a picture without IEND", _png(head, text, *rows), exact),
        ("half a picture", good[: len(good) // 2], exact),
        ("a picture that is cut within IHDR", good[: rng.randrange(9, 20)], exact),
        ("a picture that is cut within its width", good[:18], exact),
        ("a picture that is cut within its height", good[:22], exact),
        ("an IEND that is cut", _png(head, *rows) + b"\0\0\0\5IEND" + bytes(4), exact),
        ("a PNG that has lost the first bit", b"\x09" + good[1:], exact),
        ("a first chunk of 13 bytes that is no IHDR", _png((b"tEXt", head[1]), end), exact),
        ("only the signature", good[:8], exact),
        ("a chunk that says it has 4 GiB", good[:33] + b"\xff" * 4 + good[37:], exact),
        ("a picture and one byte", good + b"\0", exact),
        ("a picture and a ZIP", good + b"PK\x05\x06" + bytes(18), exact),
        ("two pictures", good + good, exact),
        ("a sound", b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(40), exact),
        ("an SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", exact),
        ("nothing", b"", exact),
        ("a PNG that does not begin with IHDR", _png(text, head, *rows, end), exact),
        ("an IHDR that is too short", _png((b"IHDR", head[1][:8]), *rows, end), exact),
    ]


@SET.task()
def look(trial: Trial, look: Any) -> None:
    """Try pictures that are good, cut, continued, too large, or something else."""
    for what, data, limit in _pictures(trial.rng):
        got = trial.call(look, data, limit)
        trial.same(got, _look(data, limit), f"{what}: the answer is wrong")
