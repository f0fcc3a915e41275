"""A small server with connection state recovery, Socket.IO's answer to a short loss.

npm's server has it, and python-socketio does not. So here are the packets of npm's server, on the
plain `websockets` library. A lost session is kept for a while, with its rooms:

    server → client   40{"sid":"…","pid":"…"}                pid: the secret that gives it back
    server → client   42["chat message","说：one","7"]        the last argument: where in the log
    (the connection is lost; a new one comes)
    client → server   40{"pid":"…","offset":"7"}
    server → client   42["chat message","说：two","8"]        what it has missed
    server → client   40{"sid":"…","pid":"…"}                the same sid as before, if it worked

Read it, but do not run it on the Internet, because it does not ask for pongs.

Source: the server and the client of npm's socket.io 4.6 and later, as Socket.IO protocol 5 does not
mention it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection

from wslab.apps.socketio.packets import EnginePacket, EngineType, SocketPacket, SocketType
from wslab.kit.hub import Hub
from wslab.kit.log import Log
from wslab.kit.messages import Message, encoded
from wslab.net.clock import now, unguessable
from wslab.protocol.close import CloseCode
from wslab.protocol.errors import PeerError

__all__ = ["RecoverableSession", "RecoveringChat", "SessionStore"]

KEPT = 1000  # events in the log
PING_TIMEOUT = 20_000  # milliseconds
MAX_ROOMS = 20  # of one session
ALL = ""  # the room that everybody is in


@dataclass
class RecoverableSession:
    """A client that may come back.

    pid: the secret that it needs for that. rooms: those it is in. data: the server's own notes.
    left: the time at which its connection was lost, None while it is connected.
    """

    sid: str
    pid: str
    rooms: dict[str, None] = field(default_factory=lambda: {ALL: None})  # a set with an order
    data: dict[str, Any] = field(default_factory=dict)
    left: float | None = None


class SessionStore:
    """A server's memory of recent events and recently lost sessions.

    log: the events, each with its room and its time. An offset is a number of the log.
    patience: seconds for which both are kept. clock: gives seconds, on any scale that only goes up.
    new_id: makes the ids of sessions, which nobody can guess.
    """

    def __init__(
        self,
        patience: float = 120.0,
        *,
        clock: Callable[[], float] = now,
        new_id: Callable[[], str] = lambda: unguessable(15),
    ) -> None:
        self.patience = patience
        self.clock = clock
        self.new_id = new_id
        self.sessions: dict[str, RecoverableSession] = {}  # the lost ones, by pid
        self.log = Log(KEPT)

    def open(self) -> RecoverableSession:
        """Make a session for a new client."""
        return RecoverableSession(self.new_id(), self.new_id())

    def leave(self, session: RecoverableSession) -> None:
        """Keep the session of a client whose connection was lost."""
        self._forget()
        session.left = self.clock()
        self.sessions[session.pid] = session

    def add(self, room: str, event: list[Any]) -> list[Any]:
        """Put an event on the log; return it with its offset added, as it is sent."""
        return _sent(self.log.publish({"room": room, "at": self.clock(), "event": event}))

    def restore(
        self, pid: object, offset: object
    ) -> tuple[RecoverableSession, list[list[Any]]] | None:
        """Give a session back, with the events that it has missed.

        offset: that of the last event that the client has got.
        Returns None if the session is not known (any more), or if the log does not reach back to
        the offset. Then the client is a new one.
        """
        oldest = self._forget()
        if not isinstance(pid, str) or pid not in self.sessions:
            return None
        known = [each for each in self.log.since(0) if each["at"] >= oldest]
        offsets = [str(each["seq"]) for each in known]
        if offset not in offsets:
            return None
        session = self.sessions.pop(pid)
        session.left = None
        later = known[offsets.index(offset) + 1 :]
        return session, [_sent(each) for each in later if each["room"] in session.rooms]

    def _forget(self) -> float:
        """Forget the sessions that were lost too long ago; return the time of the oldest kept."""
        oldest = self.clock() - self.patience
        self.sessions = {
            pid: session
            for pid, session in self.sessions.items()
            if session.left is not None and session.left >= oldest
        }
        return oldest


def _sent(message: Message) -> list[Any]:
    return [*message["event"], str(message["seq"])]


class RecoveringChat:
    """A chat with recovery, a handler for `lab.serve`. It speaks WebSocket only.

    `chat message` (text) goes to all as `说：…`. `join` (room) joins a room. `to room` (room, text)
    goes to its members as `room message`.
    recovery: its memory. ping_interval: seconds, which it sends to its clients.
    """

    def __init__(self, *, ping_interval: float = 25.0) -> None:
        self.recovery, self.ping_interval = SessionStore(), ping_interval
        self.members: dict[ServerConnection, RecoverableSession] = {}
        self.hub = Hub()  # its topics are the rooms

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve a connection until it ends."""
        pinging = asyncio.create_task(self._ping(connection))
        try:
            async with self.hub.hosting(connection, refuses={PeerError: CloseCode.PROTOCOL_ERROR}):
                self._send(connection, EnginePacket(EngineType.OPEN, self._greeting()))
                async for message in connection:
                    self._receive(connection, EnginePacket.parse(message))
        finally:
            pinging.cancel()
            if (session := self.members.pop(connection, None)) is not None:
                self.recovery.leave(session)

    def _greeting(self) -> str:
        return encoded(
            {
                "sid": self.recovery.new_id(),
                "upgrades": [],
                "pingInterval": round(self.ping_interval * 1000),
                "pingTimeout": PING_TIMEOUT,
                "maxPayload": 1 << 20,
            }
        )

    async def _ping(self, connection: ServerConnection) -> None:
        while True:
            await asyncio.sleep(self.ping_interval)
            self._send(connection, EnginePacket(EngineType.PING))

    def _receive(self, connection: ServerConnection, engine: EnginePacket) -> None:
        if engine.type != EngineType.MESSAGE or not isinstance(engine.data, str):
            return  # a pong, or a packet that this small server does not know
        packet = SocketPacket.parse(engine.data)
        if packet.namespace != "/":
            if packet.type == SocketType.CONNECT:
                said = {"message": "Invalid namespace"}
                refusal = SocketPacket(SocketType.CONNECT_ERROR, said, packet.namespace)
                self._send(connection, _message(refusal))
        elif packet.type == SocketType.CONNECT:
            self._connect(connection, packet.data or {})
        elif packet.type == SocketType.DISCONNECT:
            if (session := self.members.pop(connection, None)) is not None:
                self.hub.unsubscribe(connection, *session.rooms)  # a goodbye needs no recovery
        elif packet.type == SocketType.EVENT and connection in self.members:
            self._event(connection, packet.data)

    def _connect(self, connection: ServerConnection, asked: dict[str, Any]) -> None:
        known = self.recovery.restore(asked.get("pid"), asked.get("offset"))
        session, missed = known or (self.recovery.open(), [])
        self.members[connection] = session
        for event in missed:
            self._send(connection, _message(SocketPacket(SocketType.EVENT, event)), asked=True)
        identity = {"sid": session.sid, "pid": session.pid}
        self._send(connection, _message(SocketPacket(SocketType.CONNECT, identity)))
        self.hub.subscribe(connection, *session.rooms)

    def _event(self, connection: ServerConnection, event: list[Any]) -> None:
        rooms = self.members[connection].rooms
        match event:
            case ["chat message", str(text)]:
                self._emit(ALL, ["chat message", f"说：{text}"])
            case ["join", str(room)] if len(rooms) <= MAX_ROOMS:
                rooms[room] = None
                self.hub.subscribe(connection, room)
            case ["to room", str(room), str(text)]:
                self._emit(room, ["room message", room, text])

    def _emit(self, room: str, event: list[Any]) -> None:
        packet = SocketPacket(SocketType.EVENT, self.recovery.add(room, event))
        self.hub.publish(_message(packet).serialize(), room)

    def _send(
        self, connection: ServerConnection, packet: EnginePacket, *, asked: bool = False
    ) -> None:
        self.hub.send(connection, packet.serialize(), asked=asked)


def _message(packet: SocketPacket) -> EnginePacket:
    return EnginePacket(EngineType.MESSAGE, packet.serialize())
