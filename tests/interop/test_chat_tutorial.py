"""The tutorial's chat server and page, and ours: each talks to the other.

The tutorial is the Chinese article on WebSocket that the course started from.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wslab.apps import chat
from wslab.apps.chat import ChatClient

HERE = Path(__file__).parent
PATIENCE = 50


@pytest.fixture
def tutorial_server(node: Path) -> Iterator[subprocess.Popen[str]]:
    """The tutorial's server; its URL is the first line that it prints."""
    command = (str(node), str(HERE / "tutorial_chat_server.js"))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.kill()


async def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


async def test_our_client_at_the_tutorials_server(tutorial_server: subprocess.Popen[str]) -> None:
    url = await url_of(tutorial_server)
    async with ChatClient(url, "小明") as ming, ChatClient(url, "小红", history=True) as hong:
        await ming.until("小红加入了房间")
        await ming.say("你好")
        await hong.until("你好")
        await hong.rename("大红")
        await hong.say("我是大红")
        await ming.until("我是大红")
        await hong.close()
        await ming.until("大红离开了房间")
        assert [(said.name, said.text) for said in ming.heard] == [
            ("Server", "小明加入了房间"),
            ("Server", "小红加入了房间"),
            ("小明", "你好"),
            ("Server", "大红加入了房间"),
            ("大红", "我是大红"),
            ("Server", "大红离开了房间"),
        ]
        assert hong.resumed is None  # it knows no history, and does not mind


async def test_what_the_tutorial_leaves_out_our_client_can_take(
    tutorial_server: subprocess.Popen[str],
) -> None:
    async with ChatClient(await url_of(tutorial_server)) as nobody:
        await nobody.say("hi")
        said = await nobody.until("hi")
        assert said.name is None  # {"text":"hi"}: no name, no key
        await nobody.send({"type": "chat", "text": {"a": 1}})
        assert (await nobody.until(2)).text == '{"a": 1}'


async def test_one_malformed_message_ends_the_tutorials_server(
    tutorial_server: subprocess.Popen[str],
) -> None:
    async with ChatClient(await url_of(tutorial_server), "小明") as ming:
        await ming.until(1)
        await ming.send("not json")
        with pytest.raises(ConnectionError, match="1006"):
            await ming.until("never")
    assert await asyncio.to_thread(tutorial_server.wait, PATIENCE) != 0
    assert tutorial_server.stderr is not None
    assert "SyntaxError" in tutorial_server.stderr.read()


@pytest.mark.parametrize(
    ("options", "joined", "left"),
    [
        ({"classic": True}, "加入了房间", "离开了房间"),
        ({"language": "zh"}, "加入了房间", "离开了房间"),
        ({}, " joined the room", " left the room"),
    ],
    ids=["classic", "Chinese", "English"],
)
async def test_the_tutorials_page_at_our_server(
    node: Path, options: dict[str, object], joined: str, left: str
) -> None:
    room = chat.serve(**options)  # type: ignore[arg-type]
    command = [str(node), str(HERE / "tutorial_chat_page.js"), room.url, json.dumps([joined, left])]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    talk = [["Server", f"小红{joined}"], ["小明", "你好"], ["小红", "<b>再见</b>"]]
    assert seen["ming"] == [
        ["Server", f"小明{joined}"],
        *talk,
        ["Server", f"小红{left}"],
    ]
    assert seen["hong"] == talk
    await room.settle(until=lambda: len(room.events.only("close")) == 2)
    assert any("1001" in event.text for event in room.events.only("close"))
    assert room.errors == []
