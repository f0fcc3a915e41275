"""The pump: pieces go out in turn, only what was asked for, and reading does not wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from wslab.kit.ratelimit import Pump


async def pumped(*asked: tuple[int, int], blocked: bool = False) -> list[bytes]:
    """Ask for pieces at once; return what was sent when everything is quiet."""
    sent: list[bytes] = []

    async def send(piece: bytes) -> None:
        sent.append(piece)
        if blocked:
            await asyncio.Event().wait()

    def read(number: int, offset: int) -> bytes:
        return f"{number} at {offset}".encode() if number < 9 else b""

    pump = Pump(read, send)
    running = asyncio.create_task(pump.run())
    for number, offset in asked:
        pump.ask(number, offset)
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return sent


async def test_pieces_go_out_in_the_order_of_questions():
    assert await pumped((1, 0), (2, 5), (3, 7)) == [b"1 at 0", b"2 at 5", b"3 at 7"]


async def test_only_the_latest_question_about_a_file_counts():
    assert await pumped((1, 0), (2, 5), (1, 64)) == [b"2 at 5", b"1 at 64"]


async def test_a_file_that_is_gone_is_left_out():
    assert await pumped((9, 0), (1, 0)) == [b"1 at 0"]


async def test_asking_does_not_wait_for_a_connection_that_is_full():
    assert await pumped((1, 0), (2, 0), blocked=True) == [b"1 at 0"]


async def test_nothing_is_sent_before_somebody_asks():
    assert await pumped() == []
