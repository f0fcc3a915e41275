"""Uploads in chunks that outlive their connection, by the rules of tus and of the IETF's draft.

A chunk (分块) is a binary message. Its header of 13 bytes has the id, the offset and the type.

    sender      {"type": "offer", "id": 7, "name": …, "media": …, "size": …, "sha256": …}
    receiver    {"type": "have", "id": 7, "offset": 0}
    sender      the chunk at offset 0
    receiver    {"type": "have", "id": 7, "offset": 65536}, and in the end {"type": "done", "id": 7}

The receiver says where to go on, also on a new connection. So the sender keeps no state, and at
most one chunk of an upload is under way. A chunk with a different offset changes nothing, and the
receiver says `have` again. An upload that cannot become a picture or a sound is refused as a whole.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from wslab.net.clock import unguessable

__all__ = ["CHUNK", "HEADER", "KINDS", "TYPES", "Chunk", "Item", "Mismatch", "Offer", "Person"]
__all__ += ["Rejected", "Upload", "UploadLimits", "Uploads", "safe_name"]

HEADER = struct.Struct(">IQB")  # id, offset, type
TYPES = {1: "image/png", 2: "audio/wav"}
KINDS = {media: kind for kind, media in TYPES.items()}
CHUNK = 64 * 1024  # bytes of data that our senders put into a chunk
MIB = 1 << 20

# What Windows opens as a device, whatever follows the point.
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|(com|lpt)[0-9¹²³]|conin\$|conout\$) *(\..*)?")
UNFIT = '/\\<>:"|?*'  # separators, and what Windows forbids


class Rejected(ValueError):
    """Something is not accepted; the text is a sentence for its sender."""


class Mismatch(Rejected):
    """A chunk does not begin where the last one ended. Nothing changed. offset: where to go on."""

    def __init__(self, begin: int, offset: int) -> None:
        here = f"{offset} bytes are here: continue at {offset}"
        super().__init__(f"the chunk begins at {begin}, and {here}")
        self.offset = offset


class Chunk(NamedTuple):
    """A piece of a file. offset: of its first byte. type: a key of `TYPES`."""

    id: int
    offset: int
    type: int
    data: bytes

    def pack(self) -> bytes:
        """Return the binary message.

        >>> Chunk(7, 65536, 1, b"...").pack().hex(" ")
        '00 00 00 07 00 00 00 00 00 01 00 00 01 2e 2e 2e'
        """
        return HEADER.pack(self.id, self.offset, self.type) + self.data

    @classmethod
    def unpack(cls, message: bytes) -> Chunk:
        """Read a binary message; Rejected if the header is not complete."""
        if len(message) < HEADER.size:
            raise Rejected(f"a chunk has a header of {HEADER.size} bytes, this has {len(message)}")
        number, offset, kind = HEADER.unpack_from(message)
        return cls(number, offset, kind, message[HEADER.size :])


class Person(NamedTuple):
    """Somebody who sends files. client: a secret, which only this person's connections know."""

    client: str
    name: str


class UploadLimits(NamedTuple):
    """How much a receiver takes, in bytes and seconds.

    size, chunk: of one file, and of one chunk. open, all_open: unfinished uploads, of one person
    and of all. quota, total: bytes of files, of one person and of all, as their offers say.
    expires: time without a chunk, until an upload is abandoned. keeps: how long files are kept.
    """

    size: int = 128 * MIB
    chunk: int = MIB // 4
    open: int = 4
    all_open: int = 64
    quota: int = 256 * MIB
    total: int = 1024 * MIB
    expires: float = 60.0
    keeps: float = 3600.0


def safe_name(name: object) -> str:
    """Return a name that is safe to show and to save; our own files never have such a name."""
    if not isinstance(name, str) or not 1 <= len(name) <= 100:
        raise Rejected(f"a name is a text of 1 to 100 characters, not {name!a:.60}")
    if odd := [char for char in name if char in UNFIT or not char.isprintable()]:
        raise Rejected(f"a name has no {odd[0]!a}, because it is not a path: {name!a:.60}")
    if name[0] in " ." or name[-1] in " ." or len(name.encode()) > 255:
        raise Rejected(
            f"a name has no space or point at its ends, and up to 255 bytes: {name!a:.60}"
        )
    if DEVICES.fullmatch(name):
        raise Rejected(f"{name!a:.60} is a device on Windows: choose a different name")
    return name


@dataclass(frozen=True)
class Offer:
    """A file as its sender describes it. type: a key of `TYPES`. size: in bytes."""

    id: int
    name: str
    type: int
    size: int
    sha256: str

    @property
    def media(self) -> str:
        """Its media type, such as "image/png"."""
        return TYPES[self.type]

    @property
    def cost(self) -> int:
        """Bytes that count against a quota; many small files are not free."""
        return max(self.size, CHUNK)

    @classmethod
    def of(cls, fields: Mapping[str, Any], limits: UploadLimits) -> Offer:
        """Read a message; Rejected if anything in it is not allowed."""
        number, size, digits = fields.get("id"), fields.get("size"), fields.get("sha256")
        media = fields.get("media")
        if type(number) is not int or not 0 <= number < 1 << 32:
            raise Rejected(f"id is {number!a:.40}, expected an integer from 0 to 2**32 - 1")
        if not isinstance(media, str) or media not in KINDS:
            raise Rejected(f"media is {media!a:.40}, and this room takes {', '.join(KINDS)}")
        if type(size) is not int or not 1 <= size <= limits.size:
            raise Rejected(f"size is {size!a:.40}, expected an integer from 1 to {limits.size}")
        if not isinstance(digits, str) or not re.fullmatch("[0-9a-f]{64}", digits):
            raise Rejected(f"sha256 is {digits!a:.40}, expected 64 hex digits in lower case")
        return cls(number, safe_name(fields.get("name")), KINDS[media], size, digits)


@dataclass(eq=False)
class Upload:
    """A file on its way. offset: bytes that are here. touched: when the last of them came."""

    owner: Person
    offer: Offer
    path: Path
    touched: float
    offset: int = 0
    hash: Any = field(default_factory=hashlib.sha256)


@dataclass(frozen=True)
class Item:
    """A file that is complete and examined. number: the receiver's own. at: when it came."""

    number: int
    owner: Person
    offer: Offer
    path: Path
    at: float

    def read(self, offset: int) -> bytes:
        """Return the binary message with the chunk at an offset."""
        with self.path.open("rb") as file:
            file.seek(offset)
            return Chunk(self.number, offset, self.offer.type, file.read(CHUNK)).pack()


class Uploads:
    """All that a receiver has, whole files and parts. It has no clock; `now` is in seconds.

    folder: holds a file for each of them, under a name that is drawn.
    examine: gets a complete file and its media type, and raises Rejected if they do not fit.
    open: the unfinished ones, by person and id. items: the finished ones, by number.
    """

    def __init__(
        self, folder: Path, examine: Callable[[Path, str], None], limits: UploadLimits | None = None
    ) -> None:
        self.folder, self.examine, self.limits = folder, examine, limits or UploadLimits()
        self.open: dict[tuple[Person, int], Upload] = {}
        self.items: dict[int, Item] = {}
        self._finished: dict[tuple[Person, int], Item] = {}
        self._count = 0

    def offer(self, owner: Person, fields: Mapping[str, Any], now: float) -> Upload | Item:
        """Begin an upload, or go on with it; return an Item if it is complete already.

        Raises Rejected, and begins nothing, for an offer that breaks a rule or a limit.
        """
        offer = Offer.of(fields, self.limits)
        key = owner, offer.id
        if (known := self.open.get(key) or self._finished.get(key)) is not None:
            if known.offer != offer:
                raise Rejected(
                    f"{offer.id} is the id of a different upload of yours: take a new id"
                )
            return known
        self._make_room(owner, offer)
        upload = Upload(owner, offer, self.folder / unguessable(12), now)
        upload.path.touch(exist_ok=False)
        self.open[key] = upload
        return upload

    def _make_room(self, owner: Person, offer: Offer) -> None:
        limits = self.limits
        everything: list[Upload | Item] = [*self.open.values(), *self.items.values()]
        mine = sum(each.offer.cost for each in everything if each.owner == owner)
        if sum(each.owner == owner for each in self.open.values()) >= limits.open:
            raise Rejected(f"{limits.open} uploads of yours are open: finish or cancel one first")
        if len(self.open) >= limits.all_open:
            raise Rejected(f"{limits.all_open} uploads are open in this room: try again later")
        if mine + offer.cost > limits.quota:
            raise Rejected(f"a person has {limits.quota} bytes here, and {mine} of yours are taken")
        if sum(each.offer.cost for each in everything) + offer.cost > limits.total:
            raise Rejected(f"this room holds {limits.total} bytes, and is full: try again later")

    def chunk(self, owner: Person, chunk: Chunk, now: float) -> Upload | Item:
        """Take a chunk; return an Item if it was the last one, and all of it is good.

        Raises Mismatch, and changes nothing, if it begins elsewhere. Raises Rejected, and removes
        the upload with all its bytes, if it cannot become what was offered.
        """
        if (upload := self.open.get((owner, chunk.id))) is None:
            raise Rejected(f"no upload {chunk.id} of yours is open: offer it first")
        if chunk.offset != upload.offset:
            raise Mismatch(chunk.offset, upload.offset)
        try:
            return self._append(upload, chunk, now)
        except BaseException as error:
            self._discard(upload)
            if isinstance(error, OSError):
                raise Rejected(f"the file cannot be kept: {error.strerror}") from error
            raise

    def _append(self, upload: Upload, chunk: Chunk, now: float) -> Upload | Item:
        offer, size = upload.offer, len(chunk.data)
        if chunk.type != offer.type:
            raise Rejected(f"the chunk's type is {chunk.type}, and {offer.type} was offered")
        if not 1 <= size <= self.limits.chunk:
            raise Rejected(f"the chunk has {size} bytes, expected 1 to {self.limits.chunk}")
        if chunk.offset + size > offer.size:
            end = chunk.offset + size
            raise Rejected(f"the chunk ends at {end}, and {offer.size} bytes were offered")
        with upload.path.open("ab") as file:
            file.write(chunk.data)
        upload.hash.update(chunk.data)
        upload.offset, upload.touched = upload.offset + size, now
        return upload if upload.offset < offer.size else self._finish(upload, now)

    def _finish(self, upload: Upload, now: float) -> Item:
        offer = upload.offer
        if upload.hash.hexdigest() != offer.sha256:
            raise Rejected("the SHA-256 of what arrived is not the one that was offered")
        self.examine(upload.path, offer.media)
        self._count += 1
        item = Item(self._count, upload.owner, offer, upload.path, now)
        del self.open[upload.owner, offer.id]
        self.items[item.number] = self._finished[item.owner, offer.id] = item
        return item

    def cancel(self, owner: Person, number: object) -> None:
        """Forget an unfinished upload, because its sender says so."""
        if isinstance(number, int) and (upload := self.open.get((owner, number))):
            self._discard(upload)

    def _discard(self, upload: Upload) -> None:
        self.open.pop((upload.owner, upload.offer.id), None)
        upload.path.unlink(missing_ok=True)

    def expire(self, now: float) -> float | None:
        """Remove what is abandoned or too old; return when to look again, None if all is empty."""
        due = []
        for upload in list(self.open.values()):
            due.append(upload.touched + self.limits.expires)
            if due[-1] <= now:
                self._discard(upload)
        for item in list(self.items.values()):
            due.append(item.at + self.limits.keeps)
            if due[-1] <= now:
                del self.items[item.number], self._finished[item.owner, item.offer.id]
                item.path.unlink(missing_ok=True)
        return min((when for when in due if when > now), default=None)
