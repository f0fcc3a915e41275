"""Lesson 11: media chat (媒体聊天). Pictures and sounds between the lines of a chat.

    room = media.MediaRoom()
    server = media.serve(room)
    media.MediaWidget(server)

Both directions move files in the same way (`uploads`). The side with the file offers it, and the
other one says which offset it has. Then one chunk comes, and it says so again. So the receiver sets
the pace, a chat line never waits behind more than one chunk of each file, and a broken connection
costs at most one. The server examines a file (`content`) before anybody else hears of it.

    /media    the room. The first message is {"type": "hello", "name": …, "client": a secret},
              and its answer is {"type": "welcome"}
    /sink     counts bytes, and says after each message how many have come
    /source?count=n    sends n chunks as fast as it may; /sourced says how many it has sent
"""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.media.content import Guest, inspect_file, make_picture, make_sound
from wslab.apps.media.uploads import (
    CHUNK,
    HEADER,
    TYPES,
    Chunk,
    Item,
    Mismatch,
    Person,
    Rejected,
    UploadLimits,
    Uploads,
    safe_name,
)
from wslab.browser.widget import TargetWidget
from wslab.kit.hub import Hub
from wslab.kit.messages import Message, ResumeError, decoded, encoded
from wslab.kit.ratelimit import Pump, TokenBucket
from wslab.lab.servers.files import PageFiles
from wslab.lab.wire.dissectors import Dissector, register
from wslab.net.clock import now, time_limit
from wslab.protocol.close import CloseCode
from wslab.protocol.http import split_target

__all__ = ["CHUNK", "HEADER", "TYPES", "BackpressureWidget", "Chunk", "Guest", "MediaRoom"]
__all__ += ["MediaWidget", "Person", "Rejected", "UploadLimits", "Uploads", "demo_media"]
__all__ += ["make_picture", "make_sound", "serve"]

# The page shows files that it has received, which have blob: URLs of its own.
POLICY = "img-src 'self'", "media-src blob:; img-src 'self' blob:"
PAGE = PageFiles(Path(__file__).parent / "page", {"title": "Media chat"}, policy=POLICY)
REFUSED = dict.fromkeys((Rejected, ResumeError, TimeoutError), CloseCode.POLICY_VIOLATION)
GUESTS = "guests"  # the topic of those who have said hello
LINE = 2000  # characters of a chat line
FORGIVES = 20  # refusals on one connection, before it is closed
HELLO = 10.0  # seconds to say who you are


class MediaRoom:
    """The server's handler, which is a chat with pictures and sounds.

    limits: how much it takes. folder: where its files are; by default one that is removed with it.
    uploads: all the files. hub: the connections. sourced: how many chunks /source has sent.
    """

    __name__ = "media"

    def __init__(self, *, limits: UploadLimits | None = None, folder: Path | None = None) -> None:
        home = folder or Path(tempfile.mkdtemp(prefix="wslab-media-"))
        self.uploads, self.hub, self.sourced = Uploads(home, inspect_file, limits), Hub(), 0
        if folder is None:
            weakref.finalize(self.uploads, shutil.rmtree, home, ignore_errors=True)
        self._sweep: asyncio.TimerHandle | None = None

    async def __call__(self, ws: Any) -> None:
        """Serve one connection."""
        path, query = split_target(ws.request.path)
        with suppress(ConnectionClosed):
            if path == "/media":
                await self._host(ws)
            elif path == "/sink":
                total = 0
                async for data in ws:
                    total += len(data)
                    await ws.send(str(total))
            elif path == "/source" and (asked := re.fullmatch("count=([0-9]{1,3})", query)):
                for self.sourced in range(1, int(asked[1]) + 1):
                    await ws.send(bytes(CHUNK))
            elif path == "/sourced":
                await ws.send(str(self.sourced))
            else:
                await ws.close(
                    CloseCode.POLICY_VIOLATION, "there are /media, /sink and /source?count=n"
                )

    async def _host(self, ws: Any) -> None:
        async with self.hub.hosting(ws, refuses=REFUSED):
            async with time_limit(HELLO, lambda: "nobody said hello"):
                person = self._person(decoded(await ws.recv()))
            pump = Pump(self._read, ws.send)
            pumping = asyncio.create_task(pump.run())
            try:
                await self._talk(ws, person, pump)
            finally:
                pumping.cancel()
                await asyncio.wait([pumping])

    async def _talk(self, ws: Any, person: Person, pump: Pump) -> None:
        bucket, refused = TokenBucket(rate=20, burst=40, now=now()), 0
        self.hub.send(ws, '{"type":"welcome"}')
        for item in self.uploads.items.values():
            self.hub.send(ws, self._offer(item), asked=True)
        self.hub.subscribe(ws, GUESTS)
        async for data in ws:
            if (answer := self._answer(person, data, pump, bucket)) is not None:
                self.hub.send(ws, encoded(answer))
                refused += "text" in answer
                if refused > FORGIVES:
                    raise Rejected(f"{refused} messages were refused")

    def _person(self, hello: Message) -> Person:
        secret, name = hello.get("client"), safe_name(hello.get("name"))
        if hello.get("type") != "hello":
            raise Rejected("the first message is a hello with a name and a client")
        if not isinstance(secret, str) or not re.fullmatch(r"[\w-]{16,64}", secret, re.ASCII):
            raise Rejected("client is a secret of 16 to 64 letters and digits")
        return Person(secret, name)

    def _answer(self, person: Person, data: Any, pump: Pump, bucket: TokenBucket) -> Message | None:
        """Do what a message asks for, and return the answer to its sender."""
        number: object = None
        try:
            if isinstance(data, bytes):
                chunk = Chunk.unpack(data)
                number = chunk.id
                found = self.uploads.chunk(person, chunk, now())
                if isinstance(found, Item):
                    self.hub.publish(self._offer(found), GUESTS)
                return _state(found)
            message = decoded(data)
            number = message.get("id")
            if message.get("type") == "have":
                self._ask(pump, message)
                return None
            if bucket.take(now()) < 0:
                raise Rejected("too many messages: wait a second")
            match message.get("type"):
                case "chat":
                    self._say(person, message.get("text"))
                case "offer":
                    found = self.uploads.offer(person, message, now())
                    self._expire()
                    return _state(found)
                case "cancel":
                    self.uploads.cancel(person, number)
                case other:
                    raise Rejected(f"type is {other!a:.40}, expected chat, offer, have or cancel")
        except Mismatch as error:
            return {"type": "have", "id": number, "offset": error.offset, "text": str(error)}
        except (Rejected, ResumeError) as error:
            number = number if type(number) is int else None
            return {"type": "refused", "id": number, "text": str(error)}
        return None

    def _say(self, person: Person, text: object) -> None:
        if not isinstance(text, str) or not 1 <= len(text) <= LINE:
            raise Rejected(f"a line has 1 to {LINE} characters")
        self.hub.publish(encoded({"type": "chat", "name": person.name, "text": text}), GUESTS)

    def _ask(self, pump: Pump, message: Message) -> None:
        number, offset = message.get("id"), message.get("offset")
        if type(number) is not int or number not in self.uploads.items:
            raise Rejected(f"there is no file {number!a:.40} here")
        if type(offset) is not int or not 0 <= offset <= self.uploads.items[number].offer.size:
            raise Rejected(f"offset is {offset!a:.40}, which is outside of file {number}")
        pump.ask(number, offset)

    def _read(self, number: int, offset: int) -> bytes:
        item = self.uploads.items.get(number)
        return item.read(offset) if item else b""

    def _offer(self, item: Item) -> str:
        offer = item.offer
        fields = {"type": "offer", "id": item.number, "from": item.owner.name, "name": offer.name}
        fields |= {"media": offer.media, "size": offer.size, "sha256": offer.sha256}
        return encoded(fields)

    def _expire(self) -> None:
        """Remove what is due, and look again when the next one is."""
        if self._sweep is not None:
            self._sweep.cancel()
        due, self._sweep = self.uploads.expire(now()), None
        if due is not None:
            self._sweep = asyncio.get_running_loop().call_at(due, self._expire)


def _state(found: Any) -> Message:
    """Return what a sender should know of its upload, or of the finished item."""
    if isinstance(found, Item):
        return {"type": "done", "id": found.offer.id}
    return {"type": "have", "id": found.offer.id, "offset": found.offset}


def serve(room: MediaRoom | None = None, *, name: str = "media", **where: Any) -> lab.Server:
    """Start a room beside the notebook, with its page at `/`; the rest is as for `lab.serve`."""
    room = room or MediaRoom()
    where |= {"process_request": PAGE.answer, "max_size": 2 * room.uploads.limits.chunk}
    return lab.serve(room, name=name, **where)


class MediaWidget(TargetWidget):
    """A room in a cell. The page that shows the notebook is a guest, and not the kernel."""

    FILES = ("apps/media/page/app.css", "apps/media/page/app.js")


class BackpressureWidget(TargetWidget):
    """A button that measures what this page can do against a flood."""

    FILES = ("apps/media/page/flow_widget.js",)


async def demo_media() -> None:
    """Serve the page until Ctrl-C; two simulated guests send pictures and sounds."""
    rng, room = Random(), MediaRoom(limits=UploadLimits(keeps=300))
    async with serve(room) as server, asyncio.TaskGroup() as group:
        print(f"Two guests send pictures and sounds:\n  {server.page}", flush=True)
        guests = [Guest(f"{server.url}media", n, fetch=lambda _: None) for n in ("Ann", "Ben")]
        tasks = [group.create_task(guest.run()) for guest in guests]
        while tasks:
            guest = rng.choice(guests)
            await guest.say(rng.choice(["look", "listen", "that was long ago"]))
            picture, sound = make_picture(rng, width=640, noise=0.3), make_sound(rng)
            name, data = rng.choice([("picture.png", picture), ("sound.wav", sound)])
            await guest.offer(io.BytesIO(data), name, TYPES[1 + (data is sound)])
            await asyncio.sleep(4)


class _ChunkNotes(Dissector):
    """The dissector of the room's messages."""

    def recognises(self, request: bytes) -> bool:
        return request.startswith(b"GET /media ")

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        if is_text or len(payload) < HEADER.size:
            return ""
        return "file {} from {}, type {}".format(*HEADER.unpack_from(payload))


register("media", _ChunkNotes())
