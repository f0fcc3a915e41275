"""Packets of MQTT 3.1.1, which also travel in binary WebSocket messages (subprotocol `mqtt`).

A packet may span several messages, and a message may hold several packets (section 6.0). So the
messages' bytes go through a `PacketReader`, as if they came by TCP. The sections named here are
those of MQTT's specification. It stands in this room because it is pure, and because lesson 13's
application has three files already.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from wslab.protocol.quoting import printable

__all__ = ["LARGEST", "MQTTSession", "Packet", "PacketKind", "PacketReader", "describe_packets"]

LARGEST = 64 * 1024  # bytes of a packet's body
REFUSED = 0x80  # a return code in SUBACK
TOPICS = 100

# The type of a control packet, in the upper half of its first byte (section 2.2.1).
PacketKind = IntEnum(
    "PacketKind",
    "CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK "
    "PINGREQ PINGRESP DISCONNECT",
)


class Packet(NamedTuple):
    """A control packet. flags: the lower half of its first byte. body: what follows the length."""

    kind: PacketKind
    flags: int = 0
    body: bytes = b""

    def serialize(self) -> bytes:
        """Return its bytes, with the length in seven bits a byte (section 2.2.3)."""
        rest, length = len(self.body), b""
        while rest > 127:
            length, rest = length + bytes([rest % 128 + 128]), rest // 128
        return bytes([self.kind << 4 | self.flags]) + length + bytes([rest]) + self.body

    @classmethod
    def publish(cls, topic: str, payload: bytes) -> Packet:
        """Make a PUBLISH of QoS 0, which nobody acknowledges."""
        name = topic.encode()
        return cls(PacketKind.PUBLISH, 0, len(name).to_bytes(2, "big") + name + payload)

    def publication(self) -> tuple[str, bytes, bytes]:
        """Return topic, number and payload of a PUBLISH; with QoS 0 there is no number (§3.3)."""
        topic, rest = _text(self.body)
        size = 2 if self.flags & 6 else 0
        return topic, rest[:size], rest[size:]

    def topics(self) -> list[str]:
        """Return the topics of a SUBSCRIBE or an UNSUBSCRIBE (§3.8, §3.10)."""
        found, rest = list[str](), self.body[2:]
        while rest or not found:
            topic, rest = _text(rest)
            found.append(topic)
            rest = rest[self.kind == PacketKind.SUBSCRIBE :]  # the QoS that is asked for
        return found

    def connection(self) -> tuple[str, int, int, str]:
        """Return protocol, version, seconds of keep alive, and client of a CONNECT (§3.1)."""
        protocol, rest = _text(self.body)
        if len(rest) < 4:
            raise ValueError("a CONNECT ends before its keep alive")
        version, _flags, keepalive = struct.unpack(">BBH", rest[:4])
        return protocol, version, keepalive, _text(rest[4:])[0]

    def __str__(self) -> str:
        """Describe it in a line."""
        said = self.kind.name
        try:
            if self.kind == PacketKind.PUBLISH:
                topic, _, payload = self.publication()
                said += f" {topic} {payload.decode(errors='replace')}"
            elif self.kind in (PacketKind.SUBSCRIBE, PacketKind.UNSUBSCRIBE):
                said += f" {', '.join(self.topics())}"
            elif self.kind == PacketKind.CONNECT:
                protocol, version, keepalive, client = self.connection()
                said += f" {protocol} version {version}, keep alive {keepalive} s, client {client}"
            elif self.kind in (PacketKind.CONNACK, PacketKind.SUBACK):
                said += f" return code {self.body[-1]}"
        except (ValueError, IndexError):
            said += " (malformed)"
        return printable(said, 200)


def _text(data: bytes) -> tuple[str, bytes]:
    """Split off a text with its length before it (section 1.5.3)."""
    end = 2 + int.from_bytes(data[:2], "big")
    if len(data) < end:
        raise ValueError(f"a text of {end - 2} bytes begins where only {len(data)} bytes are left")
    return data[2:end].decode(), data[end:]


class PacketReader:
    """Finds packets in bytes that come in pieces of any size. rest: the beginning of the next."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets that are complete now. ValueError if these are no packets."""
        self.rest += data
        packets = []
        while (packet := self._next()) is not None:
            packets.append(packet)
        return packets

    def _next(self) -> Packet | None:
        size = next((n for n, byte in enumerate(self.rest[1:5], 1) if byte < 128), None)
        if size is None:
            if len(self.rest) >= 5:
                raise ValueError("the length of a packet has more than 4 bytes (section 2.2.3)")
            return None
        length = sum((byte & 127) << 7 * n for n, byte in enumerate(self.rest[1 : size + 1]))
        if length > LARGEST:
            raise ValueError(f"a packet has {length} bytes, the limit is {LARGEST}")
        kind, end = PacketKind(self.rest[0] >> 4), size + 1 + length
        if len(self.rest) < end:
            return None
        packet = Packet(kind, self.rest[0] & 15, self.rest[size + 1 : end])
        self.rest = self.rest[end:]
        return packet


def describe_packets(payload: bytes) -> str:
    """Name the packets of a message, and say how much there is of one that goes on."""
    reader = PacketReader()
    try:
        said = [str(packet) for packet in reader.feed(payload)]
    except ValueError:
        return "a part of a packet"
    if reader.rest:
        said.append(f"{len(reader.rest)} bytes of a packet that goes on")
    return " + ".join(said)


class MQTTSession:
    """A server's side of one connection, without input and output.

    It grants QoS 0 only, and refuses wildcards, because `owntracks/#` would be everybody. It knows
    no stored sessions, wills, retained messages, or QoS 2.
    keepalive: seconds, 0 for no limit, None before CONNECT. is_over: whether to close the
    connection. topics: those to which the client has subscribed, at most `TOPICS`.
    """

    def __init__(self) -> None:
        self._reader = PacketReader()
        self.keepalive: int | None = None
        self.is_over = False
        self.topics: dict[str, None] = {}

    def receive(self, data: str | bytes) -> tuple[list[Packet], list[tuple[str, bytes]]]:
        """Take a message. Return the packets to answer with, and what was published.

        Publications are pairs of topic and payload.
        Raises ValueError if a client must not send this, and the connection is to be closed.
        """
        if isinstance(data, str):
            raise ValueError("MQTT is binary, this message is text (section 6.0)")
        answers, published = list[Packet](), list[tuple[str, bytes]]()
        for packet in self._reader.feed(data):
            if (packet.kind == PacketKind.CONNECT) is not (self.keepalive is None):
                raise ValueError(f"{packet.kind.name}: CONNECT comes once, and first (section 3.1)")
            if packet.kind == PacketKind.PUBLISH:
                topic, number, payload = packet.publication()
                if packet.flags & 4:
                    raise ValueError("this server does not know QoS 2")
                published.append((topic, payload))
                answers += [Packet(PacketKind.PUBACK, 0, number)] if number else []
            else:
                answers += self._answer(packet)
        return answers, published

    def _answer(self, packet: Packet) -> list[Packet]:
        kind, number = packet.kind, packet.body[:2]
        if kind == PacketKind.CONNECT:
            protocol, version, self.keepalive, _ = packet.connection()
            self.is_over = (protocol, version) != ("MQTT", 4)
            return [Packet(PacketKind.CONNACK, 0, bytes([0, self.is_over]))]  # 1: wrong version
        if kind == PacketKind.SUBSCRIBE:
            allowed = {topic: not {"+", "#"} & set(topic) for topic in packet.topics()}
            self.topics |= {topic: None for topic, granted in allowed.items() if granted}
            if len(self.topics) > TOPICS:
                raise ValueError(f"a client has {TOPICS} topics at most")
            codes = bytes(0 if allowed[topic] else REFUSED for topic in packet.topics())
            return [Packet(PacketKind.SUBACK, 0, number + codes)]
        if kind == PacketKind.UNSUBSCRIBE:
            for topic in packet.topics():
                self.topics.pop(topic, None)
            return [Packet(PacketKind.UNSUBACK, 0, number)]
        if kind == PacketKind.PINGREQ:
            return [Packet(PacketKind.PINGRESP)]
        if kind != PacketKind.DISCONNECT:
            raise ValueError(f"a client sends no {kind.name}")
        self.is_over = True
        return []
