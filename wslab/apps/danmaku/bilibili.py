"""The packets of Bilibili's live rooms, which are binary messages.

    packets = read_packets(message)
    packets[0].operation, packets[0].value

A message is a run of packets (数据包). A packet has a header of 16 bytes, `>I2H2I`, and a body:

    packet length · header length (16) · version · operation · sequence

The version says how to read the body. A body of version 2 or 3 is compressed, and what comes out is
again a run of packets. Whatever a peer sends, at most `LARGEST` bytes and `PACKETS` packets come
out of one message.

Bilibili's reply to a heartbeat has a length of 20, and repeats the heartbeat's body behind it. No
length counts these bytes, and they mean nothing.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from wslab.kit.messages import encoded, parsed
from wslab.lab.wire.dissectors import Dissector, register
from wslab.protocol.errors import PeerError
from wslab.protocol.quoting import decoded_so_far, printable

__all__ = ["HEADER", "LARGEST", "BodyVersion", "LiveOperation", "LivePacket", "LivePackets"]
__all__ += ["PacketError", "comment_packet", "packed", "read_packets", "reply_to", "wanted_version"]

HEADER = struct.Struct(">I2H2I")
LARGEST = 1 << 20  # bytes that may come out of one message
PACKETS = 2000  # that may be in one message: 2,000 bytes can be 65,000 compressed heartbeats
DEEPEST = 4  # compressed bodies within compressed bodies; Bilibili's own have one
SHOWN = 120  # characters of a body that a transcript shows


class LiveOperation(IntEnum):
    """The purpose of a packet."""

    HEARTBEAT = 2
    HEARTBEAT_REPLY = 3
    MESSAGE = 5
    AUTHENTICATION = 7
    AUTHENTICATION_REPLY = 8


class BodyVersion(IntEnum):
    """How the body is written."""

    JSON = 0
    PLAIN = 1  # a heartbeat's reply, and what clients send
    ZLIB = 2
    BROTLI = 3


COMPRESSED = (BodyVersion.ZLIB, BodyVersion.BROTLI)


class PacketError(PeerError):
    """A message that is not a run of packets, or whose body is not what the header says."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "Bilibili's packets")


@dataclass(frozen=True)
class LivePacket:
    """One packet. body: bytes, compressed if the version says so.

    operation, version: numbers; see `LiveOperation` and `BodyVersion`. sequence: 1, as a rule.
    """

    operation: int
    body: bytes = b""
    version: int = BodyVersion.PLAIN
    sequence: int = 1

    def serialize(self) -> bytes:
        """Write the header and the body."""
        size = HEADER.size + len(self.body)
        return HEADER.pack(size, HEADER.size, self.version, self.operation, self.sequence) + (
            self.body
        )

    @property
    def value(self) -> Any:
        """The body's meaning: a number for a heartbeat's reply, else JSON; None if it is empty.

        A heartbeat's body means nothing, and is None. Raises PacketError if it is not readable.
        """
        if self.operation == LiveOperation.HEARTBEAT_REPLY:
            if len(self.body) < 4:
                raise PacketError(f"a heartbeat's reply of {len(self.body)} bytes, expected 4")
            return int.from_bytes(self.body[:4])
        if self.operation == LiveOperation.HEARTBEAT or not self.body:
            return None
        try:
            return parsed(self.body)
        except ValueError as error:
            shown = f"{self.body[:20]!r}"
            raise PacketError(f"the body {shown} is not JSON in UTF-8: {error}") from None


def comment_packet(person: int, text: str) -> LivePacket:
    """Write a comment as Bilibili does: the text, and then the number and name of the person."""
    info = [[0, 1, 25, 0xFFFFFF], text, [abs(person), f"p{person}"]]
    body = encoded({"cmd": "DANMU_MSG", "info": info})
    return LivePacket(LiveOperation.MESSAGE, body.encode(), BodyVersion.JSON)


def packed(packets: Sequence[LivePacket], version: int = BodyVersion.JSON) -> bytes:
    """Write a run of packets, compressed into the body of one packet for version 2 or 3."""
    run = b"".join([packet.serialize() for packet in packets])
    if version == BodyVersion.ZLIB:
        return LivePacket(LiveOperation.MESSAGE, zlib.compress(run), version).serialize()
    if version == BodyVersion.BROTLI:
        import brotli  # only where it is used: not every Python has it

        body = brotli.compress(run, quality=5)  # 11, the default, is for files that stay
        return LivePacket(LiveOperation.MESSAGE, body, version).serialize()
    return run


def read_packets(data: bytes) -> list[LivePacket]:
    """Read a message's packets, with those that were compressed in the place of their packet.

    Raises PacketError, which says what was seen and what was expected.
    """
    if not data:
        raise PacketError("a message of 0 bytes, expected at least one packet")
    return list(_Reader().read(data, 0))


class _Reader:
    """Reads one message. room, left: bytes and packets that it may still have."""

    def __init__(self) -> None:
        self.room, self.left = LARGEST, PACKETS

    def read(self, data: bytes, depth: int) -> Iterator[LivePacket]:
        start = 0
        while start < len(data):
            packet = _packet_at(data, start)
            self.left -= 1
            if self.left < 0:
                raise PacketError(f"a message of more than {PACKETS} packets, the limit")
            start += HEADER.size + len(packet.body)
            if packet.operation == LiveOperation.HEARTBEAT_REPLY and not _begins(data, start):
                start = len(data)  # Bilibili repeats the heartbeat's body here
            if packet.version in COMPRESSED:
                if depth == DEEPEST:
                    raise PacketError(f"more than {DEEPEST} compressed bodies within each other")
                yield from self.read(self.decompressed(packet), depth + 1)
            else:
                yield packet

    def decompressed(self, packet: LivePacket) -> bytes:
        """Decompress a body to its end, but never more than there is room for."""
        if packet.version == BodyVersion.ZLIB:
            run, is_whole = _unzip(packet.body, self.room + 1)
        else:
            run, is_whole = _unbrotli(packet.body, self.room + 1)
        if len(run) > self.room:
            raise PacketError(f"the compressed bodies have more than {LARGEST} bytes, the limit")
        if not is_whole:
            name = BodyVersion(packet.version).name.lower()
            raise PacketError(f"a {name} body of {len(packet.body)} bytes does not end where it is")
        self.room -= len(run)
        return run


def _begins(data: bytes, start: int) -> bool:
    """Tell whether a packet may begin here."""
    return len(data) - start >= HEADER.size and HEADER.unpack_from(data, start)[1] == HEADER.size


def _packet_at(data: bytes, start: int) -> LivePacket:
    rest = len(data) - start
    if rest < HEADER.size:
        raise PacketError(f"{rest} bytes at byte {start}, expected a header of {HEADER.size}")
    size, head, version, operation, sequence = HEADER.unpack_from(data, start)
    if head != HEADER.size:
        raise PacketError(f"the header length is {head} at byte {start}, expected {HEADER.size}")
    if not HEADER.size <= size <= rest:
        raise PacketError(
            f"the packet length is {size} at byte {start}, expected {HEADER.size} to {rest}"
        )
    if version not in tuple(BodyVersion):
        raise PacketError(f"the version is {version} at byte {start}, expected 0 to 3")
    return LivePacket(operation, data[start + HEADER.size : start + size], version, sequence)


def _unzip(body: bytes, most: int) -> tuple[bytes, bool]:
    machine = zlib.decompressobj()
    try:
        run = machine.decompress(body, most)
    except zlib.error as error:
        raise PacketError(f"the body is not zlib's: {error}") from None
    return run, machine.eof and not machine.unused_data


def _unbrotli(body: bytes, most: int) -> tuple[bytes, bool]:
    import brotli

    machine, run = brotli.Decompressor(), b""
    try:
        run = machine.process(body, output_buffer_limit=most)
        while not machine.can_accept_more_data() and len(run) < most:
            run += machine.process(b"", output_buffer_limit=most - len(run))
    except brotli.error as error:
        raise PacketError(f"the body is not brotli's: {error}") from None
    return run, machine.is_finished()


# A server's answers


def wanted_version(packet: LivePacket) -> BodyVersion:
    """Return how a client wants its messages, from its authentication; PacketError if it is none.

    `protover` in it is a version. If it is left out, it is 2, and 1 means not compressed, as 0.
    """
    asked = packet.value
    version = asked.get("protover", BodyVersion.ZLIB) if isinstance(asked, dict) else None
    if version not in tuple(BodyVersion):
        raise PacketError(
            f"the authentication is {asked!r:.60}, expected a JSON object with a protover of 0 to 3"
        )
    return BodyVersion.JSON if version == BodyVersion.PLAIN else BodyVersion(version)


def reply_to(packet: LivePacket, *, is_known: bool, viewers: int) -> LivePacket:
    """Return a server's answer to a client's packet; PacketError if it is not its turn.

    is_known: whether the client has authenticated. viewers: how many there are.
    """
    if packet.operation == LiveOperation.AUTHENTICATION and not is_known:
        return LivePacket(LiveOperation.AUTHENTICATION_REPLY, b'{"code":0}')
    if packet.operation == LiveOperation.HEARTBEAT and is_known:
        return LivePacket(LiveOperation.HEARTBEAT_REPLY, viewers.to_bytes(4))
    expected = "2, a heartbeat" if is_known else "7, an authentication, first"
    raise PacketError(f"the operation is {packet.operation}, expected {expected}")


# In a transcript


class LivePackets(Dissector):
    """The dissector of these packets. Their path is `/sub`, at Bilibili and here."""

    def recognises(self, request: bytes) -> bool:
        """Tell whether a request opens such a conversation, by its path."""
        return re.match(rb"GET (?:/[^ ?]*)?/sub[ ?]", request) is not None

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe the packets of a message, with a line for each."""
        if is_text:
            return "not a packet: a text message"
        try:
            if not is_complete:
                return f"{_header_line(payload)} …"
            head = HEADER.unpack_from(payload) if len(payload) >= HEADER.size else ()
            lines = [_line(packet) for packet in read_packets(payload)]
        except PacketError as error:
            return f"not a packet: {error}"
        if head and head[2] in COMPRESSED:
            lines.insert(0, _header_line(payload))
        return "\n  ".join(lines)


def _header_line(payload: bytes) -> str:
    if len(payload) < HEADER.size:
        return f"{len(payload)} bytes of a header"
    size, _, version, operation, _ = HEADER.unpack_from(payload)
    kind = BodyVersion(version).name.lower() if version in tuple(BodyVersion) else "?"
    return f"{size} bytes · version {version} {kind} · {_name(operation)}"


def _line(packet: LivePacket) -> str:
    if packet.operation == LiveOperation.HEARTBEAT_REPLY and len(packet.body) >= 4:
        shown = f" {packet.value}"
    else:
        text = decoded_so_far(packet.body)[0]
        shown = f" {printable(text, SHOWN)}" if text else ""
    return f"version {packet.version} · {_name(packet.operation)}{shown}"


def _name(operation: int) -> str:
    known = {each.value: each.name.lower().replace("_", " ") for each in LiveOperation}
    return f"operation {operation} {known.get(operation, 'unknown')}"


register("bilibili", LivePackets())
