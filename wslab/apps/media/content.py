"""Pictures and sounds: making them, deciding whether a file is one, and a guest who sends them.

A file's name and its declared type are claims of its sender. `inspect_file` looks at the content.
It has to be a PNG picture or a WAV sound from its first byte to its last. So no second file hides
behind it, but one might hide inside, and programs that ignore the checked type might find it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import wave
from array import array
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from math import pi, sin
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Self, cast

import puremagic
from PIL import Image, ImageOps
from websockets.exceptions import ConnectionClosed

from wslab.apps.media.uploads import CHUNK, KINDS, MIB, Chunk, Rejected
from wslab.kit.attempt import LastingClient, library_connect
from wslab.kit.backoff import Attempts, Fixed
from wslab.kit.messages import Message, decoded, encoded
from wslab.kit.ratelimit import Pump
from wslab.net.clock import unguessable

__all__ = ["PIXELS", "Guest", "inspect_file", "make_picture", "make_sound"]

RATE = 8000  # samples a second of our sounds
COLOURS = ("#c2571a", "#2a78c2", "#3a8a4d", "#8a3ac2")
AGAIN = 0.5  # seconds between two attempts to connect
WELCOME = 10.0  # seconds to wait for it
CONNECT = partial(library_connect, proxy=None, compression=None)
PIXELS = 4_000_000  # of the largest picture; Pillow needs four bytes for each
HEAD = 4096  # bytes that tell a type

Fetch = Callable[[Message], BinaryIO | None]


def make_picture(rng: Random, *, width: int = 320, height: int = 180, noise: float = 0) -> bytes:
    """Paint a corner of the Mandelbrot set, as a PNG. noise: 0 to 1; grain makes it large."""
    x, y = rng.uniform(-0.8, -0.7), rng.uniform(0.1, 0.3)
    image = Image.effect_mandelbrot((width, height), (x - 0.3, y - 0.2, x + 0.3, y + 0.2), 99)
    if noise:
        grain = Image.frombytes("L", (width, height), rng.randbytes(width * height))
        image = Image.blend(image, grain, noise)
    file = io.BytesIO()
    ImageOps.colorize(image, "#123", "#fed", mid=rng.choice(COLOURS)).save(file, "PNG")
    return file.getvalue()


def make_sound(rng: Random, *, seconds: float = 2.0) -> bytes:
    """Play four notes a second, as a WAV with 16 bits a sample, in mono."""
    samples, length = array("h"), RATE // 4
    for _ in range(round(seconds * 4)):
        pitch = 262 * 2 ** (rng.choice([0, 2, 4, 7, 9, 12]) / 12)
        note = (sin(2 * pi * pitch * n / RATE) * (1 - n / length) for n in range(length))
        samples.extend(round(12_000 * value) for value in note)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def inspect_file(path: Path, media: str) -> None:
    """Look at a file; Rejected unless all of it is of the type `media`, such as "image/png"."""
    with path.open("rb") as file:
        seen = _kind(file.read(HEAD))
        if seen != media:
            raise Rejected(f"this was offered as {media}, and its content looks like {seen}")
        file.seek(0)
        try:
            CHECKS[media](file, path.stat().st_size)
        except Rejected:
            raise
        except Exception as error:  # the decoders raise many kinds for broken files
            raise Rejected(f"this is not a good {media}: {type(error).__name__}") from error


def _kind(head: bytes) -> str:
    """Return the media type of content, as a well-kept library knows it."""
    try:
        found = puremagic.from_string(head, mime=True)
    except puremagic.PureError:
        return "nothing known"
    return {"audio/wave": "audio/wav", "audio/x-wav": "audio/wav"}.get(found, found) or "unknown"


def _picture(file: BinaryIO, size: int) -> None:
    """Walk through a PNG, count its pixels before they exist, and then decode it."""
    file.seek(8)
    seen: list[bytes] = []
    while seen[-1:] != [b"IEND"]:
        head = file.read(8)
        length, name = int.from_bytes(head[:4]), head[4:]
        if name != b"IDAT" and length > MIB:
            raise Rejected(f"the picture has {length} bytes that are not part of what one sees")
        body = file.read(length) if name == b"IHDR" else b""
        file.seek(length - len(body), 1)
        if len(file.read(4)) < 4:  # the checksum
            raise Rejected("the picture ends early")
        if name == b"IHDR":
            width, height = int.from_bytes(body[:4]), int.from_bytes(body[4:8])
            if width * height > PIXELS:
                pixels = f"{width} × {height} pixels, and at most {PIXELS} are allowed"
                raise Rejected(f"the picture would have {pixels}")
        seen.append(name)
    _nothing_after(file.tell(), size)
    file.seek(0)
    with Image.open(file, formats=["PNG"]) as image:
        image.load()


def _sound(file: BinaryIO, size: int) -> None:
    """Read the header of a WAV; nothing may follow the samples that it announces."""
    said = int.from_bytes(file.read(8)[4:], "little") + 8
    if said != size:
        raise Rejected(f"the sound's header says {said} bytes, and it has {size}")
    file.seek(0)
    with wave.open(file, "rb") as sound:
        samples = sound.getnframes() * sound.getnchannels() * sound.getsampwidth()
    _nothing_after(44 + samples, size)  # 44 bytes of header, if there is nothing else in it


def _nothing_after(end: int, size: int) -> None:
    if end != size:
        raise Rejected(f"the content should end at {end}, and the file ends at {size}")


CHECKS: dict[str, Callable[[BinaryIO, int], None]] = {"image/png": _picture, "audio/wav": _sound}


class Sending:
    """A file that a guest sends. arrived: how many bytes the server has. done: when it has all."""

    def __init__(self, file: BinaryIO, offer: Message) -> None:
        self.file, self.offer, self.arrived = file, offer, 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Receiving:
    """A file that a guest receives. offset: how many bytes are here. is_good: whether it is all."""

    def __init__(self, offer: Message, file: BinaryIO) -> None:
        self.offer, self.file, self.offset = offer, file, 0
        self.hash, self.is_good = hashlib.sha256(), False


class Guest(LastingClient):
    """Somebody in the room, for `async with`. Files go on after every broken connection.

    url: the room's, with /media. chunk: bytes in a chunk.
    fetch: gets an offer, and returns a file to write to; None if it is not wanted.
    sent: id and offset of each chunk that went out. lines: the chat, as pairs of name and text.
    files: what came, by SHA-256. ws: the connection, None while there is none.
    If the room does not want this guest, or is none, all that waits raises ConnectionRefusedError.
    """

    def __init__(
        self, url: str, name: str, *, chunk: int = CHUNK, fetch: Fetch = lambda _: io.BytesIO()
    ) -> None:
        attempts = Attempts(Fixed(AGAIN), rng=Random(), stable_after=0)
        super().__init__(url, attempts=attempts, connect=CONNECT)
        self.name, self.chunk, self.fetch = name, chunk, fetch
        self.client = unguessable(18)
        self.sending: dict[int, Sending] = {}
        self.files: dict[str, Receiving] = {}
        self.sent, self.lines = list[tuple[int, int]](), list[tuple[str, str]]()
        self._numbers: dict[int, Receiving] = {}  # of the server, on this connection
        self._count, self.ws = count(1), cast(Any, None)

    async def run(self) -> None:
        """Be in the room until it refuses this guest; cancel it to leave."""
        try:
            await super().run()
        finally:
            for each in self._unfinished():
                if self.refused is not None:
                    each.done.set_exception(ConnectionRefusedError(self.status))

    def _unfinished(self) -> list[Sending]:
        return [each for each in self.sending.values() if not each.done.done()]

    async def talk(self, ws: Any) -> None:
        """Say hello, and go on with the files."""
        await ws.send(encoded({"type": "hello", "name": self.name, "client": self.client}))
        async with asyncio.timeout(WELCOME):
            await ws.recv()
        self.ws, self._numbers = ws, {}
        pump = Pump(self._read, ws.send)
        pumping = asyncio.create_task(pump.run())
        try:
            for each in self._unfinished():
                await ws.send(encoded(each.offer))
            while True:
                self.notify()
                data = await ws.recv()
                if isinstance(data, bytes):
                    answer = self._receive(Chunk.unpack(data))
                else:
                    answer = self._hear(decoded(data), pump)
                if answer is not None:
                    await ws.send(encoded(answer))
        finally:
            self.ws = None
            pumping.cancel()
            await asyncio.wait([pumping])

    async def __aenter__(self) -> Self:
        """Come in, and wait until the room has said welcome."""
        await super().__aenter__()
        try:
            await self.until(lambda: self.ws is not None)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def say(self, text: str) -> None:
        """Say a line, when there is a connection."""
        await self.until(lambda: self.ws is not None)
        await self.ws.send(encoded({"type": "chat", "text": text}))

    async def offer(self, file: BinaryIO, name: str, media: str) -> Sending:
        """Begin to send a file; wait for its `done`, which raises Rejected if it is refused."""
        if self.refused is not None:
            raise ConnectionRefusedError(self.status)
        digest = hashlib.file_digest(cast(io.BufferedReader, file), "sha256").hexdigest()
        number, size = next(self._count), file.seek(0, io.SEEK_END)
        offer = {"type": "offer", "id": number, "name": name, "media": media, "size": size}
        self.sending[number] = sending = Sending(file, {**offer, "sha256": digest})
        if self.ws is not None:
            with suppress(ConnectionClosed):  # then it is offered on the next connection
                await self.ws.send(encoded(sending.offer))
        return sending

    def _read(self, number: int, offset: int) -> bytes:
        each = self.sending[number]
        each.file.seek(offset)
        self.sent.append((number, offset))
        data = each.file.read(self.chunk)
        return Chunk(number, offset, KINDS[each.offer["media"]], data).pack()

    def _hear(self, message: Message, pump: Pump) -> Message | None:
        kind, each = message["type"], self.sending.get(message.get("id", 0))
        if kind == "chat":
            self.lines.append((message["name"], message["text"]))
        elif kind == "offer":
            return self._begin(message)
        elif each is None or each.done.done():
            return None
        elif kind == "have":
            each.arrived = message["offset"]
            pump.ask(message["id"], each.arrived)
        elif kind == "done":
            each.arrived = each.offer["size"]
            each.done.set_result(None)
        elif kind == "refused":
            each.done.set_exception(Rejected(message["text"]))
        return None

    def _begin(self, offer: Message) -> Message | None:
        if (each := self.files.get(offer["sha256"])) is None:
            if (file := self.fetch(offer)) is None:
                return None
            each = self.files[offer["sha256"]] = Receiving(offer, file)
        self._numbers[offer["id"]] = each
        return None if each.is_good else {"type": "have", "id": offer["id"], "offset": each.offset}

    def _receive(self, chunk: Chunk) -> Message | None:
        each = self._numbers[chunk.id]
        size = each.offer["size"]
        if chunk.offset == each.offset and chunk.offset + len(chunk.data) <= size:
            each.file.write(chunk.data)
            each.hash.update(chunk.data)
            each.offset += len(chunk.data)
        if each.offset < size:
            return {"type": "have", "id": chunk.id, "offset": each.offset}
        each.is_good = each.hash.hexdigest() == each.offer["sha256"]
        return None
