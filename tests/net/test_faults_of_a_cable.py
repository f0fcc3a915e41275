"""The faults in memory and those of a cable on loopback have the same names and effects."""

from __future__ import annotations

import asyncio
from itertools import groupby

import pytest

from wslab import lab
from wslab.net import Fault, simulate
from wslab.net.faults import KINDS

from .peers import Peer, turns

SIDES = ("client", "server")
OTHER = {"client": "server", "server": "client"}
SIZE = 40  # bytes of a message
AMOUNTS = {"cut": 0, "reset": 0, "freeze": 0, "delay": 60, "split": 1, "throttle": 200}
AMOUNTS["drop_after"] = 7
HOLDS_BACK = ("freeze", "delay")


async def play(fault, connect, begin, settle, end):
    """Write from both ends while there is a fault, and afterwards; return what each end heard."""
    loop = asyncio.get_running_loop()
    peers = {side: Peer(side) for side in SIDES}

    def write(what):
        for peer in peers.values():
            peer.note(what)
            peer.transport.write(bytes(SIZE))

    async def arrives(side, size):
        """Wait for a message of this side."""
        await peers[OTHER[side]].has(size)

    async with asyncio.timeout(30):
        listener = await loop.create_server(lambda: peers["server"], "127.0.0.1", 0)
        await connect(lambda: peers["client"], listener.sockets[0].getsockname()[1])
        for peer in peers.values():
            await peer.called("made")
        await begin()
        if fault.kind in ("cut", "reset"):
            for side in fault.sides:
                await peers[side].called("lost")
            await settle()
        else:
            write("writes")
            for side in SIDES:
                if side not in fault.sides or fault.kind not in ("drop_after", *HOLDS_BACK):
                    await arrives(side, SIZE)
                elif fault.kind == "drop_after":
                    await arrives(side, fault.amount)
            await settle()
        for peer in peers.values():
            peer.note("the fault is over")
        await end()
        if fault.kind not in ("cut", "reset", "drop_after"):
            for times in (1, 2):
                for side in SIDES:
                    await arrives(side, times * SIZE)
                if times == 1:
                    write("writes again")
        heard = [heard_by(peer) for peer in peers.values()]
        for peer in peers.values():
            peer.transport.abort()
            await peer.called("lost")
        listener.close()
        await listener.wait_closed()
    return heard


def heard_by(peer):
    """Return its calls, and for each whether it came several times, and the size of what it got."""
    return [(call, len([*same]) > 1) for call, same in groupby(peer.calls)], peer.size


def in_memory(fault):
    async def main():
        loop = asyncio.get_running_loop()

        async def connect(make, port):
            await loop.create_connection(make, "127.0.0.1", port)

        async def begin():
            await asyncio.sleep(fault.at - loop.time())

        async def settle():
            await asyncio.sleep(0.5)

        async def end():
            await asyncio.sleep(fault.at + fault.lasts - loop.time())

        return await play(fault, connect, begin, settle, end)

    return simulate(main, faults=[fault]).result()


async def on_a_cable(fault):
    cable = None

    async def connect(make, port):
        nonlocal cable
        cable = lab.cable(("127.0.0.1", port), name="faults")
        await asyncio.get_running_loop().create_connection(make, "127.0.0.1", cable.port)

    async def begin():
        amount = () if fault.kind in ("cut", "reset", "freeze") else (fault.amount,)
        getattr(cable, fault.kind)(*amount, fault.side)

    async def settle():
        for _ in range(5):  # the cable, on its thread, has dealt with all that has come
            await turns()
            await asyncio.wrap_future(cable.thread.submit(turns()))

    async def end():
        cable.mend()

    heard = await play(fault, connect, begin, settle, end)
    said = cable.transcript.only("cable")[0].text
    await cable.stop()
    return heard, said


@pytest.mark.parametrize("side", [*SIDES, "both"])
@pytest.mark.parametrize("kind", AMOUNTS)
async def test_the_same_effects(kind, side):
    fault = Fault(kind, at=1, lasts=3, side=side, amount=AMOUNTS[kind])
    assert await on_a_cable(fault) == (in_memory(fault), fault.text)


def test_only_a_crash_is_no_fault_of_a_cable():
    assert set(AMOUNTS) == set(KINDS) - {"crash"}
