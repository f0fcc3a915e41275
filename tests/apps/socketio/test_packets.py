"""Engine.IO 4 and Socket.IO 5: one table for both directions, python-socketio as oracle."""

from __future__ import annotations

import engineio.packet
import engineio.payload
import pytest
import socketio.packet
from hypothesis import example, given
from hypothesis import strategies as st

from wslab.apps.socketio.packets import (
    EnginePacket,
    EngineType,
    SocketPacket,
    SocketType,
)
from wslab.protocol.errors import PeerError

ENGINE = [
    ('0{"sid":"x"}', EnginePacket(EngineType.OPEN, '{"sid":"x"}')),
    ("1", EnginePacket(EngineType.CLOSE)),
    ("2", EnginePacket(EngineType.PING)),
    ("2probe", EnginePacket(EngineType.PING, "probe")),
    ("3probe", EnginePacket(EngineType.PONG, "probe")),
    ("4Hello", EnginePacket(EngineType.MESSAGE, "Hello")),
    ("4", EnginePacket(EngineType.MESSAGE)),
    ("5", EnginePacket(EngineType.UPGRADE)),
    ("6", EnginePacket(EngineType.NOOP)),
    (b"\x01\x02", EnginePacket(EngineType.MESSAGE, b"\x01\x02")),
    (b"", EnginePacket(EngineType.MESSAGE, b"")),
]

SOCKET = [
    ("0", SocketPacket(SocketType.CONNECT)),
    ('0/admin,{"token":"123"}', SocketPacket(SocketType.CONNECT, {"token": "123"}, "/admin")),
    ('0{"sid":"x"}', SocketPacket(SocketType.CONNECT, {"sid": "x"})),
    ("1", SocketPacket(SocketType.DISCONNECT)),
    ("1/admin,", SocketPacket(SocketType.DISCONNECT, None, "/admin")),
    ('2["foo"]', SocketPacket(SocketType.EVENT, ["foo"])),
    ('2["chat message","你好"]', SocketPacket(SocketType.EVENT, ["chat message", "你好"])),
    ('2/admin,["bar",1]', SocketPacket(SocketType.EVENT, ["bar", 1], "/admin")),
    ('212["foo"]', SocketPacket(SocketType.EVENT, ["foo"], id=12)),
    ('2/admin,0["foo"]', SocketPacket(SocketType.EVENT, ["foo"], "/admin", 0)),
    ("2[7]", SocketPacket(SocketType.EVENT, [7])),
    ("3/admin,13[]", SocketPacket(SocketType.ACK, [], "/admin", 13)),
    ('4{"message":"no"}', SocketPacket(SocketType.CONNECT_ERROR, {"message": "no"})),
    ('4"no"', SocketPacket(SocketType.CONNECT_ERROR, "no")),
    (
        '51-["baz",{"_placeholder":true,"num":0}]',
        SocketPacket(
            SocketType.BINARY_EVENT, ["baz", {"_placeholder": True, "num": 0}], attachments=1
        ),
    ),
    (
        '62-/admin,15[{"_placeholder":true,"num":1}]',
        SocketPacket(
            SocketType.BINARY_ACK, [{"_placeholder": True, "num": 1}], "/admin", 15, attachments=2
        ),
    ),
]


class TestEngine:
    @pytest.mark.parametrize(("wire", "packet"), ENGINE, ids=repr)
    def test_both_ways(self, wire: str | bytes, packet: EnginePacket) -> None:
        assert EnginePacket.parse(wire) == packet
        assert packet.serialize() == wire

    @pytest.mark.parametrize(("wire", "packet"), ENGINE, ids=repr)
    def test_as_the_library(self, wire: str | bytes, packet: EnginePacket) -> None:
        oracle = engineio.packet.Packet(packet.type, packet.data)
        assert oracle.encode() == packet.serialize()
        if wire:  # the library takes no empty bytes
            assert engineio.packet.Packet(encoded_packet=wire).packet_type == packet.type

    @pytest.mark.parametrize(
        ("wire", "message"),
        [
            ("", "a packet is empty, it has at least its type"),
            ("hello", "packet type is 'h', known are '0' to '6'"),
            ("7", "packet type is '7', known are '0' to '6'"),
            ("²", "packet type is '²', known are '0' to '6'"),
            ('{"text":"hi"}', "packet type is '{', known are '0' to '6'"),
            ("b???", "not Base64: '???'"),
            ("bAQ", "not Base64: 'AQ'"),
            ("b你好", "not Base64: '你好'"),
        ],
    )
    def test_what_is_no_packet(self, wire: str, message: str) -> None:
        with pytest.raises(PeerError) as caught:
            EnginePacket.parse(wire)
        assert str(caught.value) == f"{message} (Engine.IO protocol 4)"

    def test_only_messages_carry_bytes(self) -> None:
        with pytest.raises(ValueError, match="PING carries text, only MESSAGE may carry bytes"):
            EnginePacket(EngineType.PING, b"x").serialize()


class TestSocket:
    @pytest.mark.parametrize(("wire", "packet"), SOCKET, ids=repr)
    def test_both_ways(self, wire: str, packet: SocketPacket) -> None:
        assert SocketPacket.parse(wire) == packet
        assert packet.serialize() == wire

    @pytest.mark.parametrize(("wire", "packet"), SOCKET, ids=repr)
    def test_as_the_library(self, wire: str, packet: SocketPacket) -> None:
        oracle = socketio.packet.Packet(encoded_packet=wire)
        seen = (oracle.packet_type, oracle.data, oracle.namespace or "/", oracle.id)
        assert seen == (packet.type, packet.data, packet.namespace, packet.id)
        assert oracle.attachment_count == packet.attachments

    def test_a_namespaces_query_is_left_out(self) -> None:
        assert SocketPacket.parse("0/admin?token=1,").namespace == "/admin"
        assert SocketPacket.parse("0/admin").namespace == "/admin"

    @pytest.mark.parametrize(
        ("wire", "message"),
        [
            ("", "packet type is '', known are '0' to '6'"),
            ("7", "packet type is '7', known are '0' to '6'"),
            ("x", "packet type is 'x', known are '0' to '6'"),
            ("2{bad", "not JSON: '{bad'"),
            ("2[NaN]", "not JSON: '[NaN]'"),
            ('2["a","\\ud800"]', "half a surrogate pair, which is not valid Unicode"),
            ("2" + "[" * 100_000, f"not JSON: {'[' * 40!r}"),
            ("2", "EVENT needs a list that begins with a name"),
            ("2[]", "EVENT needs a list that begins with a name"),
            ('2{"a":1}', "EVENT needs a list that begins with a name"),
            ("2[true]", "EVENT needs a list that begins with a name"),
            ("2[null]", "EVENT needs a list that begins with a name"),
            ('5["a"]', "BINARY_EVENT does not say how many attachments"),
            ('51["a"]', "BINARY_EVENT does not say how many attachments"),
            ('512345-["a"]', "the number of attachments has 5 digits, limit 4"),
            (f"2{'1' * 16}[]", "the id has 16 digits, limit 15"),
            ("3[]", "ACK needs an id and a list"),
            ("31{}", "ACK needs an id and a list"),
            ("0[]", "CONNECT carries an object or nothing"),
            ('1["a"]', "DISCONNECT carries nothing"),
            ("4", "CONNECT_ERROR carries an object or a text"),
        ],
    )
    def test_what_is_no_packet(self, wire: str, message: str) -> None:
        with pytest.raises(PeerError) as caught:
            SocketPacket.parse(wire)
        assert str(caught.value) == f"{message} (Socket.IO protocol 5)"

    @given(st.text())
    @example('2["a"]')
    def test_any_text_is_a_packet_or_an_error(self, text: str) -> None:
        try:
            packet = SocketPacket.parse(text)
        except PeerError:
            return
        assert SocketPacket.parse(packet.serialize()) == packet
