"""Descriptions of Engine.IO's and Socket.IO's packets, for transcripts."""

from __future__ import annotations

import re

from wslab.apps.socketio.packets import (
    SEPARATOR,
    EnginePacket,
    EngineType,
    SocketPacket,
    SocketType,
)
from wslab.lab.wire.dissectors import Dissector
from wslab.protocol.errors import PeerError
from wslab.protocol.quoting import decoded_so_far, printable

__all__ = ["EngineIO"]

SHOWN = 200  # characters of a packet that a row shows


class EngineIO(Dissector):
    """The dissector of Engine.IO, and of the Socket.IO in it."""

    def recognises(self, request: bytes) -> bool:
        """Tell whether a request is Engine.IO's, by its header. Then both bodies are, too.

        >>> EngineIO().recognises(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1")
        True
        """
        # Every request of Engine.IO says so in its query, with any path.
        return re.match(rb"(?:GET|POST) [^ ?]+\?(?:[^ ]*&)?EIO=[0-9]+[& ]", request) is not None

    def body(self, payload: bytes, *, is_complete: bool) -> str:
        """Describe a body of packets, with a line for each; the separator begins a line."""
        text = decoded_so_far(payload, is_complete=is_complete)[0]
        if text in ("OK", "ok"):  # the answer to a POST, which is not a packet
            return printable(text)
        parts = text.split(SEPARATOR)
        whole = [is_complete or part is not parts[-1] for part in parts]
        return "\n\\x1e ".join(map(_line, parts, whole))

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe the packet of a frame."""
        if not is_text:
            more = "" if is_complete else " …"
            return f"{len(payload)} bytes{more} · message: attachment"
        return _line(decoded_so_far(payload, is_complete=is_complete)[0], is_complete)


def _line(text: str, is_complete: bool) -> str:
    shown = printable(text, SHOWN)
    more = " …" if not is_complete and len(text) <= SHOWN else ""
    return f"{shown}{more} · {_names(text, is_complete)}"


def _names(text: str, is_complete: bool) -> str:
    """Name a packet's layers, such as "message: EVENT"; or say why it is not a packet."""
    try:
        engine = EnginePacket.parse(text if is_complete else text[:1])
    except PeerError as error:
        return f"no packet: {error}"
    name = engine.type.name.lower()
    if isinstance(engine.data, bytes):
        return f"{name}: attachment, Base64"
    if engine.type != EngineType.MESSAGE:
        return name
    if not is_complete:
        return f"{name}: {_socket_name(text[1:])}"
    try:
        return f"{name}: {_describe(SocketPacket.parse(engine.data))}"
    except PeerError as error:
        return f"{name}, not of Socket.IO: {error}"


def _socket_name(text: str) -> str:
    names = {str(int(known)): known.name for known in SocketType}
    return names.get(text[:1], "…")


def _describe(packet: SocketPacket) -> str:
    name = packet.type.name
    is_answer = packet.type in (SocketType.ACK, SocketType.BINARY_ACK)
    if is_answer:
        name += f" {packet.id}"
    said = [name]
    if packet.id is not None and not is_answer:
        said.append(f"wants ACK {packet.id}")
    if packet.attachments:
        said.append(f"{packet.attachments} attachments" if packet.attachments > 1 else "attachment")
        said[-1] += " to follow"
    if packet.namespace != "/":
        said.append(f"in {printable(packet.namespace)[1:-1]}")
    return ", ".join(said)
