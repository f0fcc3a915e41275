"""The tutorial's server in Python: its protocol, and its faults (they are its purpose).

The tutorial is the Chinese article on WebSocket that the course started from.
"""

from __future__ import annotations

import asyncio
import sys

import pytest

from wslab import lab
from wslab.apps.chat import ChatClient, tutorial


async def test_it_speaks_the_tutorials_protocol() -> None:
    async with lab.serve(tutorial.handler) as server, ChatClient(server.url) as listener:
        async with ChatClient(server.url, "小明") as ming:
            await ming.say("你好")
            await ming.until("你好")
        await listener.until(3)
        assert [message.fields for message in listener.heard] == [
            {"name": "Server", "text": "小明加入了房间"},
            {"name": "小明", "text": "你好"},
            {"name": "Server", "text": "小明离开了房间"},
        ]


async def test_it_believes_everything() -> None:
    async with lab.serve(tutorial.handler) as server, ChatClient(server.url) as listener:
        async with ChatClient(server.url) as nobody:
            await nobody.say("no name yet")
            await nobody.send({"type": "chat", "text": {"an": "object"}})
            await nobody.rename("Server")
            await nobody.until(3)
        await listener.until(4)
        assert [message.fields for message in listener.heard][:2] == [
            {"text": "no name yet"},
            {"text": {"an": "object"}},
        ]


async def test_what_is_missing_is_undefined() -> None:
    async with lab.serve(tutorial.handler) as server, ChatClient(server.url) as listener:
        async with ChatClient(server.url) as nobody:
            for message in ("{}", "[1]", "5", '{"type":"chat"}', '{"type":"setName"}'):
                await nobody.send(message)
            await nobody.until(2)
        await listener.until(3)
        assert [message.fields for message in listener.heard] == [
            {},
            {"name": "Server", "text": "undefined加入了房间"},
            {"name": "Server", "text": "undefined离开了房间"},
        ]
        assert server.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("message", ["not json", "", "null"])
async def test_one_malformed_message_ends_the_process(message: str) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wslab.apps.chat.tutorial"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        url = (await program.stdout.readline()).decode().strip()
        async with ChatClient(url, "Ada") as ada, ChatClient(url) as mallory:
            await ada.until(1)
            await mallory.send(message)
            async with asyncio.timeout(45):
                assert await program.wait() == 1
            with pytest.raises(ConnectionError, match="1006"):
                await ada.until("never")
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()
