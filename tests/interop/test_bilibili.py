"""Somebody else's client in our rooms: npm's bilibili-live-ws in the lesson's and in the app's."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from wslab import lab
from wslab.apps.danmaku import Audience, LiveRoom
from wslab.apps.danmaku import serve as serve_danmaku
from wslab.apps.danmaku.stage import PHRASES

from .conftest import HERE, PATIENCE, running

LESSON = HERE.parents[1] / "notebooks" / "10_danmaku.ipynb"


def learners_server() -> Any:
    """Return the handler that the lesson's cells define."""
    cells = {
        cell["id"]: "".join(cell["source"])
        for cell in json.loads(LESSON.read_text("utf-8"))["cells"]
    }
    names: dict[str, Any] = {}
    for id in ("cell-01", "cell-46", "bilibili-server"):
        exec(cells[id], names)
    return names["bilibili"]


async def watched(node: Path, server: lab.Server, protover: int, comments: int) -> list[Any]:
    """Let npm's client watch; return what it said."""
    options = {"address": server.url + "sub", "protover": protover, "comments": comments}
    with running(str(node), str(HERE / "bilibili_client.js"), json.dumps(options)) as process:
        output, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert (errors, process.returncode, server.errors) == ("", 0, [])
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("protover", [1, 2, 3])
async def test_npms_client_at_the_learners_server(
    node: Path, node_modules: Path, protover: int
) -> None:
    async with lab.serve(learners_server()) as server:
        first, *said = await watched(node, server, protover, 3)
    assert first == ["live", 42]
    assert sorted(said) == [["comment", "前方高能"]] * 3 + [["viewers", 1]]


@pytest.mark.parametrize("protover", [1, 2, 3])
async def test_npms_client_in_a_flood(node: Path, node_modules: Path, protover: int) -> None:
    room = LiveRoom(Random(10), audience=Audience(Random(10), rate=2000))
    async with serve_danmaku(room) as server:
        first, *said = await watched(node, server, protover, 30)
    assert first == ["live", 42]
    assert Counter(event for event, _ in said) == {"comment": 30, "viewers": 1}
    assert {text for event, text in said if event == "comment"} <= set(PHRASES)
