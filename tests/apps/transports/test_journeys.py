"""How often the network is crossed, and a client that listens for the length of a block."""

from __future__ import annotations

import asyncio

import pytest

from wslab.apps.transports.journeys import journeys
from wslab.apps.transports.listeners import Arrival, listening
from wslab.lab.registry import registry


class TestJourneys:
    @pytest.mark.parametrize(
        ("transport", "count", "requests"), [("long polling", 3, 2), ("SSE", 1, 1)]
    )
    async def test_who_has_to_ask_again_waits_for_three(self, transport, count, requests):
        trip = await journeys(transport)
        assert trip.count == count
        assert len(trip.transcript.client.http) == requests
        assert repr(trip) == f"Journeys(count={count})"

    async def test_websocket(self):
        trip = await journeys("WebSocket")
        assert trip.count == 1
        assert len(trip.transcript.server.frames) == 2
        assert not any(one.is_running for one in registry().values())

    async def test_short_polling_depends_on_its_interval(self):
        with pytest.raises(ValueError, match="transport is 'polling', known here are long polling"):
            await journeys("polling")


class TestListening:
    async def test_what_arrives_is_in_the_queue_and_the_client_is_closed(self):
        closed = asyncio.Event()

        async def client():
            try:
                for number in (1, 2):
                    yield Arrival(number, "x", 0.0)
                await asyncio.Event().wait()
            finally:
                closed.set()

        async with listening(client()) as inbox:
            assert [(await inbox.get()).number for _ in range(2)] == [1, 2]
            assert not closed.is_set()
        assert closed.is_set()

    async def test_a_client_that_fails_ends_the_block(self):
        async def client():
            yield Arrival(1, "x", 0.0)
            raise ConnectionResetError("gone")

        with pytest.RaisesGroup(ConnectionResetError):
            async with asyncio.timeout(45), listening(client()) as inbox:
                await inbox.get()
                await inbox.get()
