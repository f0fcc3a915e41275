"""Lesson 09: Socket.IO's chat on the lab's thread, and its packets in transcripts."""

from wslab.apps.socketio.packets import EnginePacket, EngineType, SocketPacket, SocketType
from wslab.apps.socketio.recovery import RecoveringChat
from wslab.apps.socketio.rows import EngineIO
from wslab.apps.socketio.server import serve_socketio
from wslab.lab.wire.dissectors import register

__all__ = [
    "EnginePacket",
    "EngineType",
    "RecoveringChat",
    "SocketPacket",
    "SocketType",
    "serve_socketio",
]

register("Engine.IO", EngineIO())
