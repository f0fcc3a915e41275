"""The chat server over real connections: who gets in, what it says, and that it outlives all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from wslab import lab
from wslab.apps import chat
from wslab.apps.chat import ChatClient
from wslab.apps.chat.admission import PAGE, Admission
from wslab.apps.chat.texts import PAGES, Language
from wslab.browser import Browser, WebSocket
from wslab.lab.registry import registry
from wslab.lab.servers.files import folders_of
from wslab.protocol.frames import Frame, Opcode

SECRET = "0123456789abcdef"
FREE = chat.Rules(rate=None)


async def http(url: str) -> tuple[int, dict[str, str], bytes]:
    """Ask for a page as a browser would, without following anything."""

    def get() -> tuple[int, dict[str, str], bytes]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=45) as response:
                return response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return await asyncio.to_thread(get)


def plain(**options: Any) -> dict[str, Any]:
    return {"proxy": None, "compression": None, **options}


# Members


async def test_two_talk_and_one_leaves() -> None:
    room = chat.serve()
    async with ChatClient(room.url, "Ada") as ada:
        async with ChatClient(room.url, "小明") as ming:
            await ming.say("你好")
            await ada.until("你好")
            assert room.members == ["Ada", "小明"]
            assert not any(each.request.headers for each in room.connections)  # no cookies kept
        await ada.until("小明 left the room")
        await ada.until(4)
        assert repr(ada.heard) == (
            "Server: Ada joined the room\nServer: 小明 joined the room\n"
            "小明: 你好\nServer: 小明 left the room"
        )
    await room.settle(until=lambda: room.members == [])
    assert [message["seq"] for message in room.history] == [1, 2, 3, 4, 5]
    assert room.errors == []


@pytest.mark.parametrize("wanted", [True, False, None, 1.5, b"Hello", []])
async def test_a_client_waits_for_a_number_a_text_or_a_condition(wanted: Any) -> None:
    """The result of a condition is a mistake: it would not be looked at again."""
    with pytest.raises(TypeError, match="give a number, a text or a function"):
        await ChatClient("ws://127.0.0.1:9/").until(wanted)


async def test_rooms_by_path_do_not_hear_each_other() -> None:
    room = chat.serve()
    async with (
        ChatClient(room.url, "Ada") as ada,
        ChatClient(room.url + "green", "Ada") as green,
        ChatClient(room.url + "%E7%BB%BF", "Ada") as chinese,
    ):
        await green.say("only here")
        await green.until("only here")
        await chinese.until(1)
        await ada.say("and here")
        await ada.until("and here")
        assert [str(said.text) for said in ada.heard] == ["Ada joined the room", "and here"]
        assert sorted(room.rooms) == ["", "green", "绿"]
        assert room.rooms["green"].members == ["Ada"]


async def test_rooms_have_an_end_and_empty_ones_make_place() -> None:
    room = chat.serve(rules=chat.Rules(rooms=2))
    async with ChatClient(room.url + "one", "Ada"):
        with pytest.raises(InvalidStatus, match="404"):
            await ChatClient(room.url + "two").__aenter__()
    await room.settle(until=lambda: not len(room.rooms["one"]))
    async with ChatClient(room.url + "two", "Ada") as ada:
        await ada.until(1)
        assert sorted(room.rooms) == ["", "two"]
    assert room.refused["room"] == 1


async def test_history_for_who_asks_and_only_for_him() -> None:
    room = chat.serve(rules=FREE)
    async with ChatClient(room.url, "Ada") as ada:
        await ada.say("early")
        await ada.until("early")
        async with (
            ChatClient(room.url, "Bob", history=True) as bob,
            ChatClient(room.url, "Eve") as eve,
        ):
            await eve.until("Eve joined the room")
            await bob.until("Eve joined the room")
            assert [said.text for said in bob.heard][:3] == [
                "Ada joined the room",
                "early",
                "Bob joined the room",
            ]
            assert [said.fields["seq"] for said in bob.heard] == [1, 2, 3, 4]
            assert bob.resumed is not None
            assert bob.resumed["members"] == ["Ada"]
            assert "early" not in [said.text for said in eve.heard]
            assert all(said.fields.keys() == {"name", "text"} for said in eve.heard)


async def test_a_restarted_server_goes_on_where_the_old_one_stopped() -> None:
    first = chat.serve()
    async with ChatClient(first.url, "Ada") as ada:
        await ada.say("before")
        await ada.until("before")
        log = first.log
        second = await asyncio.to_thread(chat.serve, log=log)
    assert ada.closed == (1001, "")
    assert second.replaced
    assert second.url == f"ws://127.0.0.1:{second.port}/"
    async with connect(second.url, **plain()) as ws:
        back = {"type": "resume", "epoch": log.epoch, "after": 2, "client": SECRET}
        await ws.send(json.dumps(back))
        resumed = json.loads(await ws.recv())
        assert (resumed["gap"], resumed["after"]) == (None, 2)
        assert json.loads(await ws.recv())["text"] == "Ada left the room"


async def test_taking_over_closes_the_other_connection() -> None:
    room = chat.serve()
    async with connect(room.url, **plain()) as ghost, connect(room.url, **plain()) as ada:
        hello = json.dumps({"type": "resume", "epoch": None, "after": 0, "client": SECRET})
        await ghost.send(hello)
        await ghost.send(json.dumps({"type": "setName", "text": "Ada", "id": 1}))
        while "ack" not in str(await ghost.recv()):
            pass
        await ada.send(hello)
        with pytest.raises(ConnectionClosed) as closed:
            await ghost.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "taken over")
        while (resumed := json.loads(await ada.recv())).get("type") != "resumed":
            pass
        assert resumed["you"] == "Ada"
    await room.settle(until=lambda: room.events.only("leave"))
    assert [event.text for event in room.events.only("dropped")] == ["taken over"]
    assert len(room.events.only("leave")) == 1


async def test_numbered_messages_are_slowed_down_and_not_refused() -> None:
    room = chat.serve(rules=chat.Rules(rate=100, burst=2))
    async with connect(room.url, **plain()) as ws:
        await ws.send(json.dumps({"type": "resume", "epoch": None, "after": 0, "client": SECRET}))
        await ws.send(json.dumps({"type": "setName", "text": "Ada", "id": 1}))
        for number in range(2, 10):
            await ws.send(json.dumps({"type": "chat", "text": str(number), "id": number}))
        async with asyncio.timeout(45):
            while json.loads(await ws.recv()) != {"type": "ack", "id": 9, "seq": 9}:
                pass
    assert room.refused == {}


async def test_flooding_ends_the_connection() -> None:
    room = chat.serve(rules=chat.Rules(rate=0.001, burst=3))
    async with ChatClient(room.url, "Eve") as eve, ChatClient(room.url) as other:
        for number in range(6):  # the last one is what is too much
            await eve.send({"type": "chat", "text": str(number)})
        with pytest.raises(ConnectionError, match="1008"):
            await eve.until("never said")
        await other.until("Eve left the room")
    assert room.refused == {"too_fast": 4}


async def test_a_full_room() -> None:
    room = chat.serve(rules=chat.Rules(members=2))
    async with ChatClient(room.url, "Ada") as ada, ChatClient(room.url + "green", "Bob"):
        await ada.until(1)
        await room.settle(until=lambda: room.rooms["green"].members == ["Bob"])
        async with ChatClient(room.url) as late:
            said = await late.until(1)
            assert "2 members" in said.text
            with pytest.raises(ConnectionError, match="1013"):
                await late.until(2)
        assert [each.text for each in ada.heard] == ["Ada joined the room"]
    assert room.refused == {"full": 1}


@pytest.mark.parametrize(
    "text", ["x" * 60_000, "好" * 60_000, "\U0001f600" * 20_000, "\x00" * 40_000]
)
async def test_a_text_that_was_pasted_by_mistake_is_refused_with_a_sentence(text: str) -> None:
    room = chat.serve(rules=FREE)
    async with ChatClient(room.url, "Ada") as ada:
        await ada.say(text)
        refused = await ada.until(lambda said: "characters" in said.text)
        assert refused.text == (
            f"The message has {len(text)} characters, 2000 are allowed: split it."
        )
        await ada.say("short")
        await ada.until("short")
    assert room.refused == {"long_text": 1}


async def test_what_a_message_may_have_in_it_is_read_whatever_it_is() -> None:
    room = chat.serve(rules=chat.Rules(rate=None))
    size = room.rules.message_size
    async with ChatClient(room.url, "Ada") as ada, connect(room.url, **plain()) as ws:
        for data in (
            "[" * size,
            '{"a":' * (size // 5),
            "9" * size,
            '"' + "\\u0000" * (size // 6 - 1),
        ):
            await ws.send(data)
            assert "not_json" in await ws.recv()
        await ada.say("still here")
        await ada.until("still here")


async def test_a_handshake_that_does_not_end_is_not_waited_for() -> None:
    room = chat.serve(open_timeout=0.1)
    async with asyncio.timeout(45):
        for head in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr"):
            reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
            writer.write(head)
            await reader.read()  # until it is closed
            writer.close()


# Places, where members are limited


async def test_silent_connections_do_not_fill_a_room() -> None:
    room = chat.serve(rules=chat.Rules(members=8))
    async with contextlib.AsyncExitStack() as open_ones:
        silent = [
            await open_ones.enter_async_context(connect(room.url, **plain())) for _ in range(7)
        ]
        for early in silent[:-2]:  # a quarter of the places is theirs
            await early.wait_closed()
            reason = "the room fills: choose a name to come in"
            assert (early.close_code, early.close_reason) == (1008, reason)
        members = [
            await open_ones.enter_async_context(ChatClient(room.url, f"member {n}"))
            for n in range(8)  # all from one address, as a class may be
        ]
        await members[-1].until("member 7 joined the room")
        assert len(room.members) == 8
        await silent[-1].wait_closed()
        async with ChatClient(room.url) as late:
            assert "8 members" in (await late.until(1)).text
    assert room.refused == {"full": 1}


async def test_a_crowd_of_one_address_makes_room_for_those_of_others() -> None:
    room = chat.serve(rules=chat.Rules(members=12))
    elsewhere = plain(local_addr=("127.0.0.9", 0))
    async with (
        connect(room.url, **elsewhere) as first,
        connect(room.url, **plain()) as second,
        connect(room.url, **plain()),
    ):
        await room.settle(until=lambda: len(room.rooms[""]) == 3)
        async with connect(room.url, **plain()):
            await second.wait_closed()
            await first.send('{"type":"setName","text":"Ada"}')
            assert "Ada joined" in str(await first.recv())


async def test_a_connection_without_a_name_ends() -> None:
    room = chat.serve(rules=chat.Rules(members=8, nameless=0.05))
    async with connect(room.url, **plain()):
        pass  # its time runs out after it has left
    async with connect(room.url, **plain()) as silent, ChatClient(room.url, "Ada") as ada:
        await silent.wait_closed()
        assert silent.close_reason == "no name within 0.05 s: choose a name to come in"
        await ada.say("still here")
        await ada.until("still here")
    (dropped,) = room.events.only("dropped")
    assert "no name within" in dropped.text


async def test_where_nobody_is_limited_nobody_needs_a_name() -> None:
    room = chat.serve(rules=chat.Rules(nameless=0.001))
    async with connect(room.url, **plain()) as silent, ChatClient(room.url, "Ada") as ada:
        for number in range(10):
            await ada.say(str(number))
        for _ in range(11):
            assert "Ada" in str(await silent.recv())


# Rooms that the teacher opens


async def test_only_the_teacher_opens_rooms() -> None:
    room = chat.serve(rooms=["green", "绿"])
    async with ChatClient(room.url + "green", "Ada") as ada:
        await ada.say("kept")
        await ada.until("kept")
    for number in range(room.rules.rooms):
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"{room.url}invented{number}", **plain())
    assert sorted(room.rooms) == ["", "green", "绿"]
    assert "kept" in [said["text"] for said in room.rooms["green"].history]
    assert room.refused == {"room": room.rules.rooms}
    async with ChatClient(room.url + "%E7%BB%BF", "Ada") as ada:
        await ada.until(1)


@pytest.mark.parametrize("rooms", [["a/b"], [""], ["x" * 41], [str(n) for n in range(20)]])
def test_rooms_that_cannot_be(rooms: list[str]) -> None:
    with pytest.raises(ValueError, match="cannot be a room"):
        chat.serve(rooms=rooms)


# What the protocol itself forbids


async def raw(room: chat.ChatServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection without a library that would keep us from mischief."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def masked(opcode: Opcode, payload: bytes) -> bytes:
    return Frame(opcode, payload, mask=bytes(4)).serialize()


@pytest.mark.parametrize(
    ("data", "close_code", "code"),
    [
        (masked(Opcode.TEXT, b"x" * (256 * 1024 + 1)), 1009, "too_big"),
        (masked(Opcode.TEXT, b'{"type":"\xff'), 1007, "not_utf8"),
        (Frame(Opcode.TEXT, b"{}").serialize(), 1002, "protocol"),  # not masked
        (b"\xf1\x80\x00\x00\x00\x00", 1002, "protocol"),  # reserved bits
        (b"\x83\x80\x00\x00\x00\x00", 1002, "protocol"),  # no such opcode
        (b"\x81\xff\x7f" + b"\xff" * 7 + bytes(4), 1009, "too_big"),  # announces 2⁶³−1 bytes
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_violations_close_that_connection_alone(
    data: bytes, close_code: int, code: str
) -> None:
    room = chat.serve()
    async with ChatClient(room.url, "Ada") as ada:
        reader, writer = await raw(room)
        writer.write(data)
        async with asyncio.timeout(45):
            answer = await reader.read()
        writer.close()
        end = answer[answer.rindex(b"\x88") :]
        assert int.from_bytes(end[2:4]) == close_code
        await ada.say("still here")
        await ada.until("still here")
    await room.settle()
    assert room.refused == {code: 1}
    assert room.errors == []


async def test_a_connection_that_is_cut_leaves_the_room() -> None:
    room = chat.serve()
    async with ChatClient(room.url, "Ada") as ada:
        _, writer = await raw(room)
        writer.write(masked(Opcode.TEXT, b'{"type":"setName","text":"Bob"}'))
        await ada.until("Bob joined the room")
        writer.transport.abort()
        await ada.until("Bob left the room")


async def test_who_answers_no_ping_is_let_go() -> None:
    room = chat.serve(rules=FREE, ping_interval=0.1, ping_timeout=1)
    async with asyncio.timeout(45), ChatClient(room.url, "Ada") as ada:
        _, writer = await raw(room)
        writer.write(masked(Opcode.TEXT, b'{"type":"setName","text":"Bob"}'))
        await ada.until("Bob joined the room")
        while "Bob left the room" not in {said.text for said in ada.heard}:
            await ada.say("still there?")  # meets a transport that the library has closed
            await ada.until(len(ada.heard) + 1)
        writer.transport.abort()
    assert room.errors == []


# The door


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://127.0.0.1:8888", True),
        ("http://localhost", True),
        ("https://localhost:3000", True),
        ("http://[::1]:8888", True),
        ("https://hub.example", True),
        ("https://hub.example:8000", False),
        ("http://hub.example", False),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example/http://localhost", False),
        ("null", False),  # a file, or a frame that was locked up
        ("", False),
    ],
)
async def test_origins(origin: str | None, welcome: bool) -> None:
    room = chat.serve(origins=["https://hub.example/"])
    headers = {} if origin is None else {"Origin": origin}
    async with asyncio.timeout(45):
        if welcome:
            async with connect(room.url, **plain(additional_headers=headers)) as ws:
                await ws.send("{}")
                assert "error" in await ws.recv()
            return
        with pytest.raises(InvalidStatus) as refused:
            await connect(room.url, **plain(additional_headers=headers))
    assert refused.value.response.status_code == 403
    assert b"allow_origin" in refused.value.response.body
    assert room.refused == {"origin": 1}


async def test_an_origin_that_is_allowed_later() -> None:
    room = chat.serve()
    headers = {"Origin": "https://hub.example"}
    with pytest.raises(InvalidStatus):
        await connect(room.url, **plain(additional_headers=headers))
    room.allow_origin("https://HUB.example")
    async with connect(room.url, **plain(additional_headers=headers)):
        pass
    for nonsense in ("hub.example", "https://hub.example/path", "nul", ""):
        with pytest.raises(ValueError, match="an origin is like"):
            room.allow_origin(nonsense)
    with pytest.raises(ValueError, match="an origin is like"):
        Admission(["*"])


async def test_a_page_from_a_file() -> None:
    headers = {"Origin": "null"}
    room = chat.serve()
    with pytest.raises(InvalidStatus) as refused:
        await connect(room.url, **plain(additional_headers=headers))
    assert b"was opened from a file" in refused.value.response.body
    assert b"--origin null" in refused.value.response.body
    room = await asyncio.to_thread(chat.serve, origins=["null"])
    async with connect(room.url, **plain(additional_headers=headers)) as ws:
        await ws.send("{}")
        assert "error" in await ws.recv()


async def test_on_a_hub_the_hubs_own_page_is_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's proxy passes on the name by which the browser knows the hub."""
    hub, origin = "ws://hub.example:8000/", "https://hub.example:8000"
    room = chat.serve()
    options = plain(host="127.0.0.1", port=room.port)
    with pytest.raises(InvalidStatus, match="403"):  # a name may lead here that is somebody else's
        await connect(hub, origin=origin, **options)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert room.page == f"/user/ada/proxy/{room.port}/"
    async with connect(hub, origin=origin, **options) as ws:
        await ws.send("{}")
        assert "error" in await ws.recv()
    with pytest.raises(InvalidStatus, match="403"):
        await connect(hub, origin="https://evil.example", **options)


async def test_the_page_and_what_belongs_to_it() -> None:
    room = chat.serve()
    assert room.page == f"http://127.0.0.1:{room.port}/"
    for path in ("", "green", "?x=1"):
        status, headers, body = await http(room.page + path)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"<title>" in body
        policy = headers["Content-Security-Policy"].split("; ")
        assert {"script-src 'self'", "connect-src 'self'", "frame-ancestors 'self'"} <= {*policy}
    status, headers, _ = await http(room.page + "static/dom.js")
    assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    await room.settle(until=4)
    assert {(event.kind, event.text) for event in room.events} == {("answered", "200 OK")}


@pytest.mark.parametrize(("language", "title"), [("en", "wslab chat"), ("zh", "wslab 聊天室")])
async def test_the_page_has_the_rooms_language(language: Language, title: str) -> None:
    room = chat.serve(language=language, token="Q7")
    body = (await http(room.page))[2].decode()
    assert f'<html lang="{language}">' in body
    assert (body.count(title), body.count("$")) == (2, 0)
    for path, text in [("", "token"), ("a/b", "not_found")]:
        said = (await http(room.page.partition("?")[0] + path))[2].decode()
        assert said == PAGES[language][text]


@pytest.mark.parametrize(
    "path",
    [
        "static/",
        "static/missing.js",
        "static/index.html",  # a template
        "static/../chat/server.py",
        "static/%2e%2e/chat/server.py",
        "static/..%2fchat%2fserver.py",
        "static/client.py",
        "static//etc/passwd",
        "static/.hidden",
        "a/b",
        "a.b",
        "x" * 41,
    ],
)
async def test_nothing_else_is_served(path: str) -> None:
    room = chat.serve()
    assert all(
        (folder / "client.py").is_file() is (folder.name == "browser")
        for folder in folders_of(PAGE)
    )
    with socket.create_connection(("127.0.0.1", room.port), timeout=10) as sock:
        sock.sendall(f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = b""
        while more := sock.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_a_token() -> None:
    room = chat.serve(token="Q7-secret")
    bare = f"127.0.0.1:{room.port}/"
    assert room.url == f"ws://{bare}?token=Q7-secret"
    for query in ("", "?token=", "?token=Q7", "?token=%ff"):
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"ws://{bare}{query}", **plain())
        assert (await http(f"http://{bare}{query}"))[0] == 403
    assert room.refused == {"token": 4}
    assert (await http(room.page))[0] == 200
    async with ChatClient(room.url, "Ada") as ada:
        await ada.until(1)
    async with ChatClient(room.url.replace("/?", "/green?"), "Ada") as ada:
        await ada.until(1)


@pytest.mark.parametrize("token", ["Q7-secret", "Q7 secret", "Q7&secret#+ü/", "Q7'secret"])
async def test_a_token_is_shown_nowhere(token: str) -> None:
    """Notebooks are saved and shared; the address itself is shown to who asks for it."""
    room = chat.serve(token=token)
    cable, other = lab.cable(room, name="to the room"), lab.cable(room.url)
    async with ChatClient(cable.url, "Ada") as ada, ChatClient(other.url, "Bob") as bob:
        await ada.until("Bob joined the room")
        await bob.until(1)
        script = WebSocket(room.url)
        await script.settle("open")
        for value in (
            *(room, cable, other, script, Browser(room), Browser(room.url)),
            *(chat.ChatWidget(room), chat.ChatWidget(room.url), chat.ChatWidget(room.url).name),
            *(room.events, cable.transcript, other.transcript),
        ):
            assert "secret" not in repr(value)
        script.close()
        await script.settle("close")


# The lab's manner


async def test_running_the_cell_again_replaces_the_room(capsys: Any) -> None:
    first = chat.serve()
    second = await asyncio.to_thread(chat.serve)
    assert not first.is_running
    assert (second.port, registry()["chat"]) == (second.port, second)
    await second.stop()
    with pytest.raises(RuntimeError, match="is stopped"):
        second.url  # noqa: B018
    second.shown_host = "192.0.2.7"
    with pytest.raises(RuntimeError, match="is stopped"):
        second.page  # noqa: B018
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "options", [{"language": "fr"}, {"classic": True, "language": "en"}, {"origins": ["x"]}]
)
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"language is|an origin is"):
        chat.serve(**options)


async def test_the_servers_options_reach_the_library() -> None:
    room = chat.serve(compression="deflate")
    async with connect(room.url, proxy=None) as ws:
        assert ws.response is not None
        assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
        await ws.send('{"type":"setName","text":"Ada"}')
        assert "Ada joined" in str(await ws.recv())  # a prepared frame, not compressed


# The client


async def test_a_client_that_waits_in_vain() -> None:
    room = chat.serve()
    async with ChatClient(room.url, "Ada") as ada:
        with pytest.raises(TimeoutError, match="So far:\nServer: "):
            await ada.until("nothing", within=0.1)
    assert ada.closed == (1000, "")
    with pytest.raises(ConnectionError, match="1000"):
        await ada.until("nothing")
    with pytest.raises(RuntimeError, match="not connected"):
        await ChatClient(room.url).say("x")
    assert repr(ChatClient(room.url).heard) == "nothing heard"


async def test_a_client_finds_what_it_has_heard() -> None:
    room = chat.serve()
    async with ChatClient(room.url, "Ada") as ada:
        await ada.send("nonsense")
        error = await ada.until(lambda said: said.fields.get("error") == "not_json")
        assert error.name == "Server"
        assert await ada.until(1) is ada.heard[0]


async def test_a_client_waits_for_at_least_one_message() -> None:
    client = ChatClient("ws://127.0.0.1:1/")
    for wanted in (0, -1):
        with pytest.raises(ValueError, match=f"wanted is {wanted} messages"):
            await client.until(wanted)


async def test_a_client_cannot_send_what_is_not_json() -> None:
    async with ChatClient(chat.serve().url, "Ada") as ada:
        with pytest.raises(TypeError):
            await ada.send({"type": "chat", "text": {1, 2}})
        await ada.say("fine")
        await ada.until("fine")


@pytest.mark.parametrize(
    ("data", "name", "text", "line"),
    [
        ('{"name":"Ada","text":"a"}', "Ada", "a", "Ada: a"),
        ('{"text":"hi"}', None, "hi", "?: hi"),
        ('{"name":"Ada"}', "Ada", "", "Ada: "),
        ('{"name":["x"],"text":{"a":1}}', None, '{"a": 1}', '?: {"a": 1}'),
        ("not json", None, "not json", "?: not json"),
        ("[" * 20_000, None, "[" * 20_000, None),
        ("5", None, "5", "?: 5"),
        (b"\x01\x02", None, "01 02", "?: 01 02"),
    ],
)
def test_whatever_a_server_says_is_a_message(
    data: Any, name: str | None, text: str, line: str | None
) -> None:
    message = chat.ChatMessage.read(data)
    assert (message.name, message.text) == (name, text)
    if line is not None:
        assert str(message) == line


async def test_a_name_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    room = chat.serve()
    client = ChatClient(room.url, "Ada")

    async def fail(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(client, "send", fail)
    with pytest.raises(ValueError, match="no"):
        await client.__aenter__()
    assert client.closed == (1000, "")
    await room.settle(until=lambda: room.events.only("close"))
