"""The chat server has rooms on a server of the lab, and the page that talks to them.

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
from urllib.parse import quote

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from wslab.apps.chat.admission import Admission, is_room, room_of
from wslab.apps.chat.room import PLAIN, Member, Room
from wslab.apps.chat.rules import Rules
from wslab.apps.chat.texts import ERRORS, NOTICES, REASONS, SERVER, Language
from wslab.kit.hub import TRY_AGAIN_LATER, Hub
from wslab.kit.keepalive import Heartbeat, watched
from wslab.kit.messages import encoded
from wslab.kit.resume import Log, Message
from wslab.lab.registry import LOOPBACK, replace
from wslab.lab.servers.connection import RecordedConnection
from wslab.lab.servers.websocket import Server

__all__ = ["ChatServer", "serve"]

# The broken rule, by the close code that the library sends by itself (RFC 6455 §7.4.1).
VIOLATIONS = {1002: "protocol", 1007: "not_utf8", 1009: "too_big"}


POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1
QUEUE = 4  # messages of a member that may wait to be read, each up to `message_size`

# While a member's messages have to wait, its Pongs are not read either. The library's own keepalive
# would take that for silence.
PULSE = Heartbeat(20, timeout=20)


class ChatServer(Server):
    """A chat server of the lab, made by `serve`. It has a main room, and others by path.

    admission: the rules for its door. rules: its limits. language: for its page and its texts.
    shown_host: the host in its URL, if that differs from its address, such as 0.0.0.0.
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
        rooms: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        self.admission = admission
        self.rules = rules
        self.language: Language = options.pop("language")
        self._classic: bool = options.pop("classic")
        self._rooms: dict[str, Room] = {}
        self._turned_away: Counter[str] = Counter()
        self._places: dict[Member, tuple[Room, str]] = {}  # with each one's address
        own = {
            "process_request": self._process_request,
            "max_size": rules.message_size,
            "max_queue": QUEUE,
            "ping_interval": None,  # see PULSE
        }
        super().__init__(name, self._converse, host, {**own, **options})
        self._anybody_opens = True
        self._room("", log)
        for room in rooms or ():
            if not is_room(room) or len(self._rooms) == rules.rooms:
                raise ValueError(
                    f"{room!r} cannot be a room; a name has 1 to 40 letters, digits, - or _, and "
                    f"{rules.rooms} rooms are allowed"
                )
            self._room(room)
        self._anybody_opens = rooms is None

    # For cells

    @property
    def url(self) -> str:
        """The address for clients, with the token; RuntimeError if the server is stopped."""
        url = super().url
        if self.shown_host is not None:
            url = f"{self.scheme}://{self.shown_host}:{self.port}/"
        token = self.admission.token
        return url if token is None else f"{url}?token={quote(token, safe='')}"

    @property
    def rooms(self) -> dict[str, Room]:
        """The rooms by name; "" is the main one."""
        return dict(self._rooms)

    @property
    def members(self) -> list[str]:
        """The names of the main room's members, in the order in which they came."""
        return self._rooms[""].members

    @property
    def history(self) -> list[Message]:
        """The messages and notices of the main room that are kept; a copy."""
        return self._rooms[""].history

    @property
    def log(self) -> Log:
        """The main room's memory, for a successor, as in `serve(log=room.log)`."""
        return self._rooms[""].log

    @property
    def refused(self) -> Counter[str]:
        """The number of times that each rule was broken, in all rooms and at the door."""
        return sum((room.refused for room in self.rooms.values()), self._turned_away.copy())

    def allow_origin(self, origin: str) -> None:
        """Welcome pages of this origin, as "https://hub.example", or "null".

        Raises ValueError for other texts.
        """
        self.admission.origins.allow(origin)

    # On the lab's thread

    def _room(self, name: str, log: Log | None = None) -> Room | None:
        """Return a room, made on first use; None if it may not be made."""
        if name in self._rooms:
            return self._rooms[name]
        if not self._anybody_opens:
            return None
        for other in [room for room in self._rooms.values() if room.name and not len(room)]:
            if len(self._rooms) >= self.rules.rooms:
                del self._rooms[other.name]  # nobody is in there
        if len(self._rooms) >= self.rules.rooms:
            return None

        def dropped(member: Member, backlog: int) -> None:
            room.drop(member, f"{backlog} bytes would wait, {self.rules.backlog} are allowed")

        hub = Hub(backlog=self.rules.backlog, grace=self.rules.grace, on_drop=dropped)
        room = Room(
            hub,
            name=name,
            rules=self.rules,
            language=self.language,
            classic=self._classic,
            log=log,
            note=self._note,
        )
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
        """Handle one connection from its handshake to its end."""
        assert connection.request is not None  # the handshake is done
        assert connection.response is not None
        room = self._room(room_of(connection.request.path) or "")
        address = str((connection.remote_address or ("",))[0])
        if room is None or not self._has_place(address):
            await self._send_away(connection)
            return
        # A browser's headers, with its cookies, take 1 to 2 KB, and are no longer needed.
        connection.request.headers.clear()
        connection.response.headers.clear()
        member = Member(connection.number if isinstance(connection, RecordedConnection) else 0)
        room.audience.add(connection, PLAIN, member=member)
        self._places[member] = (room, address)
        if self.rules.members is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self.rules.nameless, self._expect_name, member)
        delay = 0.0
        async with watched(connection, PULSE, busy=lambda: delay > 0):
            room.enter(member)
            try:
                async for data in connection:
                    if (delay := room.delay(member)) > 0:
                        await asyncio.sleep(delay)
                        delay = 0.0
                    room.receive(member, data)
            finally:
                self._places.pop(member, None)
                room.leave(member)
                if (sent := connection.protocol.close_sent) and sent.code in VIOLATIONS:
                    room.refuse(member, VIOLATIONS[sent.code])

    def _has_place(self, address: str) -> bool:
        """Tell whether one more may come from this address; perhaps put out another one for it.

        Silent connections must not fill a room, so those without a name get a quarter of the
        places. When these are full, the address with the most of them loses its oldest one. Members
        with a name are not limited by address, because a class may share one.
        """
        limit = self.rules.members
        if limit is None:
            return True
        nameless = {each: at for each, (_, at) in self._places.items() if each.name is None}
        if len(self._places) - len(nameless) >= limit:
            return False
        if nameless and (len(nameless) >= limit // 4 or len(self._places) >= limit):
            crowd = Counter(nameless.values())
            self._put_out(max(nameless, key=lambda each: crowd[nameless[each]]), "crowded")
        return True

    def _expect_name(self, member: Member) -> None:
        if member.name is None:
            self._put_out(member, "nameless")

    def _put_out(self, member: Member, why: str) -> None:
        if (place := self._places.pop(member, None)) is not None:
            room = place[0]
            reason = REASONS[self.language][why].format(seconds=self.rules.nameless)
            room.audience.close(member, POLICY_VIOLATION, reason)
            room.drop(member, reason)

    async def _send_away(self, connection: ServerConnection) -> None:
        self._turned_away["full"] += 1
        limit = self.rules.members or self.rules.rooms
        text = ERRORS[self.language]["full"].format(limit=limit)
        hub = Hub(backlog=self.rules.backlog, grace=self.rules.grace)
        hub.add(connection)
        hub.send(connection, encoded({"name": SERVER, "text": text}))
        hub.close(connection, TRY_AGAIN_LATER, REASONS[self.language]["full"])
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
    rooms: Iterable[str] | None = None,
    origins: Iterable[str] = (),
    token: str | None = None,
    **websockets_options: Any,
) -> ChatServer:
    """Start a chat server beside the notebook, at once.

    name, host, port: as for `lab.serve`; running the cell again replaces the server of this name.
    language: of the page, notices and errors, "en" or "zh"; "zh" is the default if classic.

    classic: use the words of the tutorial (the Chinese article that the course started from), and
        only its two fields, unless a client opens with `resume`.

    rules: the limits. log: a predecessor's memory (`room.log`), so that members can resume.
    rooms: the names of further rooms. If left out, anybody can open rooms.
    origins: pages that are welcome besides this machine's. token: the value of ?token=, or None.

    websockets_options: passed on to `websockets.serve`.
    Raises ValueError for impossible arguments, and OSError if the port is taken.
    """
    language = language or ("zh" if classic else "en")
    if language not in NOTICES or (classic and language != "zh"):
        raise ValueError(f'language is {language!r}; use "en" or "zh", and "zh" if classic')
    admission, rules = Admission(origins, token=token, language=language), rules or Rules()
    options = {"language": language, "classic": classic, **websockets_options}
    server = ChatServer(
        name, host, admission=admission, rules=rules, log=log, rooms=rooms, **options
    )
    server.replaced = replace(server, port)
    return server
