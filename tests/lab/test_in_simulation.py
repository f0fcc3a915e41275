"""The bench in a simulation, unchanged: servers, cables, records and transcripts on one loop."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wslab import lab
from wslab.apps.transports.polling import NewsFeed
from wslab.kit.messages import decoded
from wslab.net import NotSimulated, simulate
from wslab.scratch.client import connect_from_scratch
from wslab.scratch.endpoint import ConnectionEnded
from wslab.scratch.server import serve_from_scratch

QUIET = {"proxy": None, "compression": None}


async def shout(ws):
    print("somebody is here")
    async for message in ws:
        await ws.send(message.upper())


@pytest.fixture(params=[lab.serve, serve_from_scratch], ids=["the library", "from scratch"])
def serve(request):
    return request.param


def test_a_server_and_its_record(serve):
    async def main():
        server = serve(shout, name="shout")
        async with connect(server.url, **QUIET) as ws:
            await ws.send("hello")
            answer = await ws.recv()
        events = await server.settle(until=lambda: server.events.only("close"))
        await server.stop()
        return answer, [event.kind for event in events], server.is_running

    before = dict(lab.running())
    run = simulate(main)
    assert run.result() == ("HELLO", ["open", "print", "close"], False)
    assert lab.running() == before


def test_a_server_is_replaced(serve):
    async def main():
        ports = set()
        for _ in range(3):
            server = serve(shout, name="shout")
            ports.add(server.port)
            async with connect(server.url, **QUIET) as ws:
                await ws.send("again")
                assert await ws.recv() == "AGAIN"
        assert server.replaced
        await server.stop()
        return len(ports)

    assert simulate(main).result() == 1


@pytest.mark.parametrize("client", [connect, connect_from_scratch])
def test_a_cable_and_its_faults(client):
    options = QUIET if client is connect else {}

    async def main():
        now = asyncio.get_running_loop().time
        server = lab.serve(shout)
        async with lab.cable(server) as cable:
            ws = await client(cable.url, **options)
            cable.delay(2)
            begin = now()
            await ws.send("late")
            await ws.recv()
            took = now() - begin
            cable.freeze("server")
            await ws.send("frozen")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await ws.recv()
            cable.reset()
            with pytest.raises((ConnectionClosed, ConnectionEnded)):
                await ws.recv()
            transcript = await cable.settle()
        await server.stop()
        return took, transcript

    took, transcript = simulate(main).result()
    assert took == pytest.approx(4, abs=0.01)
    assert [row.text for row in transcript.frames] == ["late", "LATE", "frozen"]
    assert [row.seconds < 15 for row in transcript] == [True] * len(transcript)
    assert [row.text for row in transcript.only("cable")] == [
        "delayed by 2 s (both)",
        "frozen (server)",
        "reset (both)",
    ]


def test_a_handler_cannot_stop_its_own_server():
    async def main():
        async def suicide(ws):
            await server.stop()

        server = lab.serve(suicide)
        async with connect(server.url, **QUIET) as ws:
            await ws.wait_closed()
        await server.stop()
        return [str(error) for error in server.errors]

    (error,) = simulate(main).result()
    assert "cannot stop its own server" in error


def test_waiting_for_what_does_not_come_takes_no_time():
    async def main():
        server = lab.serve(shout)
        with pytest.raises(TimeoutError, match="not reached within 500 s"):
            await server.settle(until=5, within=500)
        await server.stop()
        return asyncio.get_running_loop().time()

    assert simulate(main).result() == pytest.approx(500, abs=1)


def test_a_taken_port_is_explained():
    async def main():
        server = lab.serve(shout, name="first")
        with pytest.raises(OSError, match="in use by the lab's server 'first'"):
            lab.serve(shout, name="second", port=server.port)
        await server.stop()

    simulate(main).result()


def test_what_would_block_the_only_thread():
    async def main():
        lab.run(asyncio.sleep(1))

    with pytest.raises(RuntimeError, match="in a simulation, await the coroutine"):
        simulate(main).result()


def test_an_executor_in_a_handler():
    async def main():
        async def work(ws):
            await asyncio.to_thread(print)

        server = lab.serve(work)
        async with connect(server.url, **QUIET) as ws:
            await ws.wait_closed()
        await server.stop()
        return server.errors[0].error if hasattr(server.errors[0], "error") else server.errors[0]

    assert NotSimulated.__name__ in str(simulate(main).result())


def test_an_application_plays_its_schedule_in_virtual_time():
    async def main():
        feed = NewsFeed()

        async def news(ws):
            feed.push(ws, 0)
            await ws.wait_closed()

        server = lab.serve(news)
        async with connect(server.url, **QUIET) as ws:
            playing = asyncio.create_task(feed.play([(10, "one"), (3600, "two")]))
            got = [decoded(await ws.recv()) for _ in range(2)]
            await playing
        await server.stop()
        return [item["text"] for item in got], [event.published for event in feed.since(0)]

    texts, (first, second) = simulate(main, within=4000).result()
    assert texts == ["one", "two"]
    assert second - first == pytest.approx(3590)
