"""MQTT over WebSocket with strangers: paho-mqtt's client, and Debian's broker mosquitto."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.apps import location
from wslab.apps.location import BINARY, OWNTRACKS, City, Fix
from wslab.apps.location.senders import on_map
from wslab.lab.registry import LOOPBACK
from wslab.protocol.mqtt import PacketKind, PacketReader

from .conftest import PATIENCE

TOPIC = "owntracks/ann/bike"
T = 1_800_000_000
# CONNECT of client "raw", SUBSCRIBE to "a/b", PUBLISH to it, PINGREQ, DISCONNECT
RAW = bytes.fromhex("100f00044d5154540402003c0003726177 820800010003612f6200")
RAW += bytes.fromhex("300700 03612f626869 c000")


@pytest.fixture
def mosquitto(mosquitto_program: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of a mosquitto that speaks MQTT over WebSocket."""
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as two:
        web, plain = (each.getsockname()[1] for each in (one, two))
    # Debian's version 2.0.11 does not start with a WebSocket listener alone.
    lines = [f"listener {plain} {LOOPBACK}", f"listener {web} {LOOPBACK}", "protocol websockets"]
    config = tmp_path / "mosquitto.conf"
    config.write_text("\n".join([*lines, "allow_anonymous true", ""]))
    command = [str(mosquitto_program), "-c", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "running" in line:
                    break
            else:
                pytest.fail(f"mosquitto has ended: {said}")
            yield f"ws://{LOOPBACK}:{web}/"
        finally:
            process.terminate()
            process.communicate()


class Phone:
    """paho-mqtt, on a thread of its own: subscribes, publishes, and hears its own words."""

    def __init__(self, cable: Any, payload: str, qos: int) -> None:
        self.heard: queue.Queue[tuple[str, str]] = queue.Queue()
        self.done: queue.Queue[str] = queue.Queue()
        client = self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="ann", transport="websockets"
        )
        client.ws_set_options(path="/")
        client.on_connect = lambda *_: client.subscribe(TOPIC)
        client.on_subscribe = lambda *_: client.publish(TOPIC, payload, qos)
        client.on_publish = lambda *_: self.done.put("published")
        client.on_message = lambda _c, _d, message: self.heard.put(
            (message.topic, message.payload.decode())
        )
        client.connect(LOOPBACK, cable.port, keepalive=4)
        client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def kinds(cable: Any, who: str) -> list[str]:
    """Return the kinds of the packets that one side has sent, each once, in order."""
    reader, found = PacketReader(), list[str]()
    for row in getattr(cable.transcript, who).only("BINARY"):
        found += [packet.kind.name for packet in reader.feed(row.payload)]
    return list(dict.fromkeys(found))


async def converse(cable: Any, qos: int) -> None:
    payload = OWNTRACKS.record("an", Fix(T, *on_map(0, 0), 5, 90))
    phone = Phone(cable, payload, qos)
    try:
        assert await asyncio.to_thread(phone.heard.get, timeout=PATIENCE) == (TOPIC, payload)
        assert await asyncio.to_thread(phone.done.get, timeout=PATIENCE) == "published"
        await cable.settle(lambda: "PINGRESP" in str(cable.transcript))
    finally:
        await asyncio.to_thread(phone.stop)
    acknowledged = ["PUBACK"] * (qos == 1)
    sent = kinds(cable, "client")
    # A busy machine may be late with everything but the pings.
    assert (sent[0], {*sent[:4]}) == ("CONNECT", {"CONNECT", "SUBSCRIBE", "PUBLISH", "PINGREQ"})
    answers = kinds(cable, "server")
    assert sorted(answers) == sorted(["CONNACK", "SUBACK", "PUBLISH", "PINGRESP", *acknowledged])
    assert answers[0] == "CONNACK"
    shown = str(cable.transcript)
    assert 'MQTT: "CONNECT MQTT version 4, keep alive 4 s, client ann"' in shown
    assert f'"SUBSCRIBE {TOPIC}"' in shown
    assert f"PUBLISH {TOPIC} {payload}" in shown


@pytest.mark.parametrize("qos", [0, 1])
async def test_paho_is_on_the_map(qos: int) -> None:
    city = City(clock=lambda: T)
    async with (
        location.serve(city) as server,
        lab.cable(server) as cable,
        asyncio.timeout(PATIENCE),
    ):
        async with connect(f"{server.url}area", proxy=None) as viewer:
            area = [*on_map(-500, -500), *on_map(500, 500)]
            await viewer.send(json.dumps({"area": area}))
            await viewer.recv()
            await converse(cable, qos)
            data = await viewer.recv()
        assert isinstance(data, bytes)
        ((_, fix),) = BINARY.read(data)
        assert fix == BINARY.rounded(Fix(T, *on_map(0, 0), 5, 90))
        assert server.errors == []


@pytest.mark.parametrize("qos", [0, 1])
async def test_the_same_with_mosquitto(mosquitto: str, qos: int) -> None:
    async with lab.cable(mosquitto) as cable, asyncio.timeout(PATIENCE):
        await converse(cable, qos)


async def talk(url: str, pieces: list[bytes]) -> list[PacketKind]:
    """Send pieces as messages of their own; return the kinds of the four answers."""
    reader, found = PacketReader(), list[PacketKind]()
    async with connect(url, subprotocols=["mqtt"], proxy=None) as ws:  # type: ignore[list-item]
        assert ws.subprotocol == "mqtt"
        for piece in pieces:
            await ws.send(piece)
        while len(found) < 4:
            data = await ws.recv()
            assert isinstance(data, bytes)
            found += [packet.kind for packet in reader.feed(data)]
    return found


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_packets_span_and_share_messages(mosquitto: str, size: int) -> None:
    """Section 6.0: ours and mosquitto answer alike, however the bytes are cut."""
    pieces = [RAW[start : start + size] for start in range(0, len(RAW), size)]
    async with location.serve(City()) as server, asyncio.timeout(PATIENCE):
        answers = [await talk(url, pieces) for url in (server.url, mosquitto)]
    wanted = sorted(["CONNACK", "SUBACK", "PUBLISH", "PINGRESP"])
    assert [sorted(PacketKind(kind).name for kind in each) for each in answers] == [wanted, wanted]


@pytest.mark.parametrize("said", ["text", b"\xc0\x00", RAW + RAW, b"\x10\xff\xff\xff\xff\xff"])
async def test_what_is_not_mqtt_ends_the_connection(said: Any) -> None:
    async with location.serve(City()) as server, asyncio.timeout(PATIENCE):
        async with connect(server.url, subprotocols=["mqtt"], proxy=None) as ws:  # type: ignore[list-item]
            await ws.send(said)
            await ws.wait_closed()
            assert ws.close_code == 1002
        assert server.errors == []
