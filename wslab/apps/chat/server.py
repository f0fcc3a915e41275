"""The chat server: rooms on a server of the lab, and the page that talks to them.

room = chat.serve()
room.url, room.page          # for programs, for a browser
room.members, room.history, room.refused, room.events
await room.stop()
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from wslab.apps.chat.admission import Admission, room_of
from wslab.apps.chat.room import PLAIN, Member, Room
from wslab.apps.chat.rules import Rules
from wslab.apps.chat.texts import ERRORS, NOTICES, SERVER, Language
from wslab.kit.hub import TRY_AGAIN_LATER, Hub
from wslab.kit.keepalive import Heartbeat, watched
from wslab.kit.messages import encoded
from wslab.kit.resume import Log, Message
from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.servers.connection import RecordedConnection
from wslab.lab.servers.websocket import Server

__all__ = ["ChatServer", "serve"]

# By the close code that the library sends by itself (RFC 6455 §7.4.1): which rule was broken.
VIOLATIONS = {1002: "protocol", 1007: "not_utf8", 1009: "too_big"}


# A member whose messages have to wait is not read from, and so are its Pongs: that is no silence,
# which the library's own keepalive does not know.
PULSE = Heartbeat(20, timeout=20)


class ChatServer(Server):
    """A chat server of the lab; made by `serve`. It has a main room, and others by path.

    admission: whom it lets in. rules: how much it allows. shown_host: what its URL says instead of
    the address that it listens on, as when that is 0.0.0.0.
    """

    shown_host: str | None = None

    def __init__(
        self,
        name: str,
        host: str,
        *,
        admission: Admission,
        rules: Rules,
        log: Log | None,
        **options: Any,
    ) -> None:
        self.admission = admission
        self.rules = rules
        self._said: dict[str, Any] = {key: options.pop(key) for key in ("language", "classic")}
        self._rooms: dict[str, Room] = {}
        self._turned_away: Counter[str] = Counter()
        own = {
            "process_request": self._process_request,
            "max_size": rules.message_size,
            "ping_interval": None,  # see PULSE
        }
        super().__init__(name, self._converse, host, {**own, **options})
        self._room("", log)

    # What a cell asks

    @property
    def url(self) -> str:
        """Where a client connects to, with the token; RuntimeError if it is stopped."""
        url = super().url
        if self.shown_host is not None:
            url = f"{self.scheme}://{self.shown_host}:{self.port}/"
        return url if self.admission.token is None else f"{url}?token={self.admission.token}"

    @property
    def page(self) -> str:
        """The address of the chat page, for a browser."""
        return "http" + self.url.removeprefix("ws")

    @property
    def rooms(self) -> dict[str, Room]:
        """The rooms by name; "" is the main one."""
        return dict(self._rooms)

    @property
    def members(self) -> list[str]:
        """The names of those who are in the main room, in the order in which they came."""
        return self._rooms[""].members

    @property
    def history(self) -> list[Message]:
        """What was said and announced in the main room, as far as it is kept; a copy."""
        return self._rooms[""].history

    @property
    def log(self) -> Log:
        """The main room's memory; give it to a successor: `serve(log=room.log)`."""
        return self._rooms[""].log

    @property
    def refused(self) -> Counter[str]:
        """How often each rule was broken, in all rooms and at the door."""
        return sum((room.refused for room in self.rooms.values()), self._turned_away.copy())

    def allow_origin(self, origin: str) -> None:
        """Welcome pages of this origin, as "https://hub.example"; ValueError if it is none."""
        self.admission.allow_origin(origin)

    # On the lab's thread

    def _room(self, name: str, log: Log | None = None) -> Room | None:
        """Return a room, made when it is first asked for; None if there are too many."""
        if name in self._rooms:
            return self._rooms[name]
        for other in [room for room in self._rooms.values() if room.name and not len(room)]:
            if len(self._rooms) >= self.rules.rooms:
                del self._rooms[other.name]  # nobody is in there
        if len(self._rooms) >= self.rules.rooms:
            return None

        def dropped(member: Member, backlog: int) -> None:
            room.drop(member, f"{backlog} bytes would wait, {self.rules.backlog} are allowed")

        hub = Hub(backlog=self.rules.backlog, grace=self.rules.grace, on_drop=dropped)
        room = Room(hub, name=name, rules=self.rules, log=log, note=self._note, **self._said)
        self._rooms[name] = room
        return room

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        if (response := self.admission.answer(request)) is not None:
            return response
        if (refusal := self.admission.refusal(request)) is not None:
            self._turned_away[refusal[0]] += 1
            return connection.respond(HTTPStatus.FORBIDDEN, refusal[1])
        name = room_of(request.path)
        if name is None or self._room(name) is None:
            self._turned_away["room"] += 1
            return connection.respond(HTTPStatus.NOT_FOUND, "There is no such room.\n")
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        """Handle one connection: all that happens between its handshake and its end."""
        assert connection.request is not None  # the handshake is done
        assert connection.response is not None
        room = self._room(room_of(connection.request.path) or "")
        limit = self.rules.members
        if room is None or (limit is not None and sum(map(len, self._rooms.values())) >= limit):
            await self._send_away(connection)
            return
        # A browser's headers, cookies among them, are 1 to 2 KB that nobody needs any more.
        connection.request.headers.clear()
        connection.response.headers.clear()
        member = Member(connection.number if isinstance(connection, RecordedConnection) else 0)
        room.audience.add(connection, PLAIN, member=member)
        delay = 0.0
        async with watched(connection, PULSE, busy=lambda: delay > 0) as watchdog:
            room.enter(member)
            try:
                async for data in connection:
                    watchdog.sign()
                    if (delay := room.delay(member)) > 0:
                        await asyncio.sleep(delay)
                        delay = 0.0
                    room.receive(member, data)
            finally:
                room.leave(member)
                if (sent := connection.protocol.close_sent) and sent.code in VIOLATIONS:
                    room.refuse(member, VIOLATIONS[sent.code])

    async def _send_away(self, connection: ServerConnection) -> None:
        room = self._rooms[""]
        self._turned_away["full"] += 1
        limit = self.rules.members or self.rules.rooms
        text = ERRORS[room.language]["full"].format(limit=limit)
        hub = Hub(backlog=self.rules.backlog, grace=self.rules.grace)
        hub.add(connection)
        hub.send(connection, encoded({"name": SERVER, "text": text}))
        hub.close(connection, TRY_AGAIN_LATER, "the room is full")
        await connection.wait_closed()

    def _note(self, member: Member, kind: str, text: str) -> None:
        self.record(member.number, kind, text)


def serve(
    *,
    name: str = "chat",
    host: str = LOOPBACK,
    port: int = 0,
    language: Language | None = None,
    classic: bool = False,
    rules: Rules | None = None,
    log: Log | None = None,
    origins: Iterable[str] = (),
    token: str | None = None,
    **websockets_options: Any,
) -> ChatServer:
    """Start a chat server beside the notebook, at once.

    name, host, port: as for `lab.serve`; running the cell again replaces the server of this name.
    language: of notices and errors, "en" or "zh"; English, or Chinese if classic.
    classic: the words and the two fields of the tutorial (the Chinese article that the course
        started from), nothing more.
    rules: how much it allows. log: a predecessor's memory (`room.log`), so that members can resume.
    origins: pages that are welcome besides this machine's. token: what ?token= must be, None for
    anything. websockets_options: passed on to `websockets.serve`.
    Raises ValueError for what cannot be, OSError if the port is taken.
    """
    language = language or ("zh" if classic else "en")
    if language not in NOTICES or (classic and language != "zh"):
        raise ValueError(f'language is {language!r}: "en" or "zh", and "zh" in a classic room')
    admission, rules = Admission(origins, token=token), rules or Rules()
    options = {"language": language, "classic": classic, **websockets_options}
    server = ChatServer(name, host, admission=admission, rules=rules, log=log, **options)
    server.replaced = replace(server, port)
    return server
