"""What recovery gives back, and what it does not: in virtual time; then over the wire."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.socketio.recovery import (
    ALL,
    KEPT,
    MAX_ROOMS,
    RecoverableSession,
    RecoveringChat,
    SessionStore,
)

PATIENCE = 45  # seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recovery(clock: Clock) -> SessionStore:
    ids = map(str, itertools.count(1))
    return SessionStore(10.0, clock=clock, new_id=lambda: f"id {next(ids)}")


class TestRecovery:
    def test_what_was_missed_comes_back_with_the_session(self, recovery):
        session = recovery.open()
        recovery.add(ALL, ["got"])
        recovery.leave(session)
        recovery.add(ALL, ["missed", 1])
        recovery.add("room", ["not its own"])
        recovery.add(ALL, ["missed", 2])
        assert recovery.restore(session.pid, "1") == (
            session,
            [["missed", 1, "2"], ["missed", 2, "4"]],
        )
        assert session.left is None

    def test_rooms_and_data_are_restored(self, recovery):
        session = recovery.open()
        session.rooms["room"] = None
        session.data["name"] = "小明"
        recovery.add(ALL, ["got"])
        recovery.leave(session)
        recovery.add("room", ["its own"])
        restored, missed = recovery.restore(session.pid, "1")
        assert (restored.rooms, restored.data) == ({ALL: None, "room": None}, {"name": "小明"})
        assert missed == [["its own", "2"]]

    def test_it_works_once(self, recovery):
        session = recovery.open()
        recovery.add(ALL, ["got"])
        recovery.leave(session)
        assert recovery.restore(session.pid, "1")
        assert recovery.restore(session.pid, "1") is None

    @pytest.mark.parametrize("pid", [None, "id 1", "nobody's", 7, ["id 2"], {}])
    def test_only_the_pid_gives_it_back(self, recovery, pid):
        session = recovery.open()
        assert (session.sid, session.pid) == ("id 1", "id 2")
        recovery.add(ALL, ["got"])
        recovery.leave(session)
        assert recovery.restore(pid, "1") is None

    @pytest.mark.parametrize("offset", [None, "0", "2", 1, ["1"]])
    def test_the_log_must_reach_back(self, recovery, offset):
        session = recovery.open()
        recovery.add(ALL, ["got"])
        recovery.leave(session)
        assert recovery.restore(session.pid, offset) is None

    @pytest.mark.parametrize(("seconds", "known"), [(9.9, True), (10.0, True), (10.1, False)])
    def test_patience_ends(self, recovery, clock, seconds, known):
        session = recovery.open()
        recovery.leave(session)
        recovery.add(ALL, ["got"])
        clock.now = seconds
        assert (recovery.restore(session.pid, "1") is not None) == known

    def test_nothing_grows_for_ever(self, recovery, clock):
        for number in range(KEPT + 10):
            recovery.add(ALL, ["event", number])
            recovery.leave(recovery.open())
        assert len(recovery.log) == KEPT
        clock.now = 10.1
        recovery.leave(last := recovery.open())
        assert list(recovery.sessions) == [last.pid]

    def test_real_ids_are_no_guess(self):
        one, other = SessionStore().open(), SessionStore().open()
        assert len({one.sid, one.pid, other.sid, other.pid}) == 4
        assert len(one.pid) == 20


@asynccontextmanager
async def joined(
    server: lab.Server, **asked: str
) -> AsyncIterator[tuple[ClientConnection, list[list[Any]], dict[str, str]]]:
    """Give a connection, what it was sent before its CONNECT packet, and that packet's data."""
    async with asyncio.timeout(PATIENCE), connect(server.url, proxy=None) as ws:
        assert str(await ws.recv()).startswith('0{"sid":"')
        await ws.send("40" + (json.dumps(asked) if asked else ""))
        missed = []
        while not (text := str(await ws.recv())).startswith("40"):
            missed.append(json.loads(text[2:]))
        yield ws, missed, json.loads(text[2:])


async def hear(ws: ClientConnection) -> list[Any]:
    text = str(await ws.recv())
    assert text.startswith("42"), text
    event: list[Any] = json.loads(text[2:])
    return event


class TestChat:
    async def test_a_lost_client_comes_back(self):
        chat = RecoveringChat()
        async with lab.serve(chat) as server, joined(server) as (other, _, _):
            async with joined(server) as (ws, missed, first):
                assert missed == []
                await ws.send('42["join","garden"]')
                await ws.send('42["chat message","one"]')
                assert await hear(ws) == ["chat message", "说：one", "1"]
                ws.transport.abort()
            await hear(other)
            await server.settle(lambda: chat.recovery.sessions)
            await other.send('42["to room","garden","frogs"]')
            await other.send('42["to room","cellar","mice"]')
            await other.send('42["chat message","two"]')
            await hear(other)
            async with joined(server, pid=first["pid"], offset="1") as (ws, missed, again):
                assert again == first
                assert missed == [
                    ["room message", "garden", "frogs", "2"],
                    ["chat message", "说：two", "4"],
                ]
                await other.send('42["to room","garden","still in it"]')
                assert await hear(ws) == ["room message", "garden", "still in it", "5"]
        assert server.errors == []

    async def test_who_leaves_on_purpose_is_forgotten(self):
        chat = RecoveringChat()
        async with lab.serve(chat) as server:
            async with joined(server) as (ws, _, first):
                await ws.send('42["chat message","one"]')
                await hear(ws)
                await ws.send("41")
                await ws.send('42["chat message","nobody says that"]')
            await server.settle(lambda: not server.connections)
            assert chat.recovery.sessions == {}
            async with joined(server, pid=first["pid"], offset="1") as (ws, missed, again):
                assert missed == []
                assert again["sid"] != first["sid"]

    async def test_it_pings(self):
        async with lab.serve(RecoveringChat(ping_interval=0.01)) as server, joined(server) as all_:
            ws = all_[0]
            assert await ws.recv() == "2"
            await ws.send("3")
            assert await ws.recv() == "2"

    @pytest.mark.parametrize("sent", ["hello", "42{bad", "49", '40["no object"]'])
    async def test_what_is_no_packet_ends_its_connection(self, sent):
        async with lab.serve(RecoveringChat()) as server, joined(server) as (ws, _, _):
            await ws.send(sent)
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1002
            async with joined(server) as (other, _, _):
                await other.send('42["chat message","still up"]')
                assert (await hear(other))[1] == "说：still up"
        assert server.errors == []

    async def test_it_has_one_namespace(self):
        async with lab.serve(RecoveringChat()) as server, joined(server) as (ws, _, _):
            for sent in ('42/admin,["chat message","no"]', "41/admin,", "40/admin,"):
                await ws.send(sent)
            assert await ws.recv() == '44/admin,{"message":"Invalid namespace"}'
            await ws.send('42["chat message","text"]')
            assert (await hear(ws))[1] == "说：text"

    async def test_what_it_does_not_know_is_passed_over(self):
        async with lab.serve(RecoveringChat()) as server, joined(server) as (ws, _, _):
            for sent in (b"bytes", '42["no such event"]', '42["join",7]', '42["chat message",{}]'):
                await ws.send(sent)
            await ws.send('42["chat message","text"]')
            assert (await hear(ws))[1] == "说：text"

    async def test_rooms_are_limited(self):
        chat = RecoveringChat()
        async with lab.serve(chat) as server, joined(server) as (ws, _, _):
            for number in range(MAX_ROOMS + 5):
                await ws.send(f'42["join","room {number}"]')
            await ws.send('42["chat message","done"]')
            await hear(ws)
            (session,) = chat.members.values()
            assert len(session.rooms) == MAX_ROOMS + 1


def test_a_session_is_in_the_room_of_all():
    assert RecoverableSession("a", "b").rooms == {ALL: None}
