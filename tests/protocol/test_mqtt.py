"""MQTT's packets in pieces of any size, and a server's answers."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslab.protocol.mqtt import (
    LARGEST,
    TOPICS,
    MQTTSession,
    Packet,
    PacketKind,
    PacketReader,
    describe_packets,
)

# As paho-mqtt sends them: CONNECT of client "ann" (keep alive 60 s), SUBSCRIBE to "a/b" (QoS 0).
CONNECT = bytes.fromhex("100f00044d5154540402003c0003616e6e")
SUBSCRIBE = bytes.fromhex("820800010003612f6200")
PINGREQ, DISCONNECT = b"\xc0\x00", b"\xe0\x00"


def publish(topic: str, payload: bytes, number: bytes = b"", flags: int = 0) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + number + payload
    return Packet(PacketKind.PUBLISH, flags, body).serialize()


def subscribe(*topics: str) -> bytes:
    parts = [len(each).to_bytes(2, "big") + each.encode() + b"\0" for each in topics]
    return Packet(PacketKind.SUBSCRIBE, 2, b"\0\7" + b"".join(parts)).serialize()


PACKETS = st.builds(
    Packet, st.sampled_from(list(PacketKind)), st.integers(0, 15), st.binary(max_size=300)
)


class TestReader:
    @given(st.lists(PACKETS, max_size=6), st.integers(0, 2**32))
    def test_every_cutting_gives_the_same_packets(self, packets: list[Packet], seed: int) -> None:
        data = b"".join(each.serialize() for each in packets)
        rng, reader = random.Random(seed), PacketReader()
        found, start = [], 0
        while start < len(data):
            end = start + rng.choice((1, 2, 3, 50, 1000))
            found += reader.feed(data[start:end])
            start = end
        assert found == packets
        assert reader.rest == b""

    @pytest.mark.parametrize(
        ("size", "length"),
        [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001")],
    )
    def test_lengths(self, size: int, length: str) -> None:
        """The examples of section 2.2.3."""
        data = Packet(PacketKind.PUBLISH, 0, bytes(size)).serialize()
        assert data == b"\x30" + bytes.fromhex(length) + bytes(size)
        assert PacketReader().feed(data) == [Packet(PacketKind.PUBLISH, 0, bytes(size))]

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"\x30\xff\xff\xff\xff", "more than 4 bytes"),
            (b"\x30\x80\x80\x80\x80\x01", "more than 4 bytes"),
            (b"\x30\xff\xff\xff\x7f", f"268435455 bytes, the limit is {LARGEST}"),
            (b"\x00\x00", "0 is not a valid"),
            (b"\xf0\x00", "15 is not a valid"),
        ],
    )
    def test_refused(self, data: bytes, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            PacketReader().feed(data)


class TestSession:
    def test_a_conversation(self) -> None:
        session = MQTTSession()
        payload = b'{"_type":"location"}'
        said = [CONNECT, SUBSCRIBE, publish("a/b", payload), PINGREQ, publish("c", b"", b"\0\5", 2)]
        answers, published = session.receive(b"".join(said))
        assert b"".join(each.serialize() for each in answers) == bytes.fromhex(
            "20020000" + "9003000100" + "d000" + "40020005"
        )
        assert published == [("a/b", payload), ("c", b"")]
        assert (session.keepalive, list(session.topics), session.is_over) == (60, ["a/b"], False)
        unsubscribe = Packet(PacketKind.UNSUBSCRIBE, 2, b"\0\2\0\3a/b").serialize()
        assert session.receive(unsubscribe) == ([Packet(PacketKind.UNSUBACK, 0, b"\0\2")], [])
        assert session.receive(DISCONNECT) == ([], [])
        assert (list(session.topics), session.is_over) == ([], True)

    def test_wildcards_are_refused(self) -> None:
        session = MQTTSession()
        session.receive(CONNECT)
        (answer,), _ = session.receive(subscribe("owntracks/#", "a", "+/b"))
        assert answer.body == b"\0\7\x80\0\x80"
        assert list(session.topics) == ["a"]

    def test_another_version(self) -> None:
        session = MQTTSession()
        (answer,), _ = session.receive(CONNECT.replace(b"MQTT\4", b"MQTT\5"))
        assert answer == Packet(PacketKind.CONNACK, 0, b"\0\1")
        assert session.is_over

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            ("text", "MQTT is binary"),
            (SUBSCRIBE, "CONNECT comes once, and first"),
            (CONNECT + CONNECT, "CONNECT comes once, and first"),
            (CONNECT + publish("a", b"", b"\0\1", 4), "does not know QoS 2"),
            (CONNECT + b"\xd0\x00", "a client sends no PINGRESP"),
            (CONNECT + b"\x82\x02\x00\x01", "a text of 0 bytes|begins where only 0 bytes"),
            (CONNECT + b"\x30\x03\x00\x09a", "a text of 9 bytes begins where only 3 bytes"),
            (CONNECT + b"\x30\x04\x00\x02\xff\xff", "utf-8"),
            (b"\x10\x02\x00\x04", "a text of 4 bytes"),
            (b"\x10\x07\x00\x04MQTT\x04", "before its keep alive"),
            (CONNECT + subscribe(*map(str, range(TOPICS + 1))), "100 topics at most"),
        ],
    )
    def test_what_a_client_must_not_send(self, data: bytes | str, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            MQTTSession().receive(data)


def test_descriptions() -> None:
    assert describe_packets(CONNECT) == '"CONNECT MQTT version 4, keep alive 60 s, client ann"'
    assert describe_packets(SUBSCRIBE + PINGREQ) == '"SUBSCRIBE a/b" + "PINGREQ"'
    assert describe_packets(SUBSCRIBE[:5]) == "5 bytes of a packet that goes on"
    assert describe_packets(b"\x00\x00") == "a part of a packet"
    assert describe_packets(b"\x20\x02\x00\x05") == '"CONNACK return code 5"'
    assert "malformed" in describe_packets(b"\x30\x01\x00") + describe_packets(b"\x10\x00")


def test_any_bytes_are_described_or_refused() -> None:
    rng = random.Random(13)
    for size in itertools.chain(range(40), [100] * 200):
        data = rng.randbytes(size)
        assert describe_packets(data) or not data
