"""explore: the smallest schedule that breaks a program, or how many passed."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from wslab.net import Dice, Fault, explore, simulate

from .peers import listen


async def naive():
    """Send ten messages, once a second, over one connection; return what has arrived."""
    got = []

    async def receive(reader, writer):
        try:
            while data := await reader.read(1):
                got.append(data)
        except ConnectionError:
            pass
        writer.close()

    async with await asyncio.start_server(receive, "server", 9000):
        _, writer = await asyncio.open_connection("server", 9000)
        for number in range(10):
            await asyncio.sleep(1)
            if not writer.is_closing():
                writer.write(b"%d" % number)
        await asyncio.sleep(5)
        writer.close()
    return b"".join(got)


def all_arrived(run):
    assert run.value == b"0123456789", run.value


def test_all_pass():
    found = explore(naive, runs=20, check=all_arrived, faults=Dice(("delay", "split")))
    assert (found.passed, found.smallest, found.why) == (20, None, None)
    assert repr(found) == "20 schedules passed"


def test_the_smallest_that_fails():
    found = explore(naive, runs=100, check=all_arrived)
    assert found.smallest is not None
    (fault,) = found.smallest.faults
    assert (fault.lasts, fault.at) in {(fault.lasts, round(fault.at, digits)) for digits in (0, 1)}
    assert fault.lasts == 0 or fault.kind == "drop_after"
    assert isinstance(found.why, AssertionError)
    assert str(fault) in repr(found)
    assert f"seed={found.smallest.seed}" in repr(found)


def test_it_can_be_repeated():
    found = explore(naive, runs=100, check=all_arrived)
    smallest = found.smallest
    again = simulate(naive, seed=smallest.seed, faults=smallest.faults)
    assert (again.value, again.seconds) == (smallest.value, smallest.seconds)
    assert explore(naive, runs=100, check=all_arrived).smallest.faults == smallest.faults


def test_only_the_smallest_is_recorded():
    recordings = []

    def check(run):
        recordings.append(run.recording)
        all_arrived(run)

    found = explore(naive, runs=100, check=check)
    assert recordings[:-1] == [None] * (len(recordings) - 1)
    assert recordings[-1] is found.smallest.recording
    assert found.smallest.recording


def test_it_is_drawn():
    found = explore(naive, runs=100, check=all_arrived)
    (fault,) = found.smallest.faults
    assert fault.text in [row.text for row in found.smallest.transcript.only("cable")]
    assert fault.text in repr(found.smallest.diagram)


def test_no_fault_is_needed():
    found = explore(naive, runs=10, check=lambda run: run.value == b"")
    assert (found.passed, found.smallest.faults) == (0, ())
    assert "no fault is needed" in repr(found)


def test_what_the_program_raises_fails_too():
    async def connects_once():
        async with await asyncio.start_server(listen, "server", 9000):
            await asyncio.sleep(5)
            _, writer = await asyncio.open_connection("server", 9000)
            writer.close()

    found = explore(connects_once, runs=200)
    assert isinstance(found.why, OSError)
    (fault,) = found.smallest.faults
    assert fault.kind in ("cut", "reset", "freeze", "drop_after")
    assert fault.at <= 5 <= fault.at + fault.lasts


@pytest.mark.parametrize("check", [lambda run: None, lambda run: True, lambda run: 0])
def test_only_false_or_an_exception_fails(check):
    assert explore(naive, runs=2, check=check, faults=Dice(most=0)).passed == 2


def test_it_does_not_slip_from_one_failure_to_another():
    """A smaller schedule that fails in a different way is not the one that was asked for."""
    seen = []

    def check(run):
        if len(run.faults) >= 3:
            seen.append(run)
            raise LookupError
        if seen:
            raise ArithmeticError

    found = explore(naive, runs=10, check=check, faults=Dice(("delay",)))
    assert isinstance(found.why, LookupError)
    assert len(found.smallest.faults) == 3


def test_options_are_those_of_simulate():
    run = explore(naive, runs=1, check=lambda run: False, latency=0.5).smallest
    assert run.seconds > simulate(naive).seconds
    assert explore(naive, runs=1, within=3).smallest.seconds == 3


def test_faults_keep_their_amounts():
    faults = Dice(("split",), most=1)
    found = explore(naive, runs=50, check=lambda run: not run.faults, faults=faults)
    assert found.smallest.faults[0] == Fault("split", 0, 0, found.smallest.faults[0].side, 1) or (
        found.smallest.faults[0].amount >= 1
    )


@pytest.mark.parametrize(
    ("use", "values", "message"),
    [
        (simulate, {"faults": "cut"}, "faults is 'cut', it must be Dice, or a list of Fault"),
        (simulate, {"faults": Fault("cut", 1)}, "it must be Dice, or a list of Fault"),
        (simulate, {"faults": [("cut", 1)]}, "it must be Dice, or a list of Fault"),
        (simulate, {"main": 3}, "main is 3, it must be a coroutine function, or a coroutine"),
        (simulate, {"seed": None}, "seed is None, it must be a whole number"),
        (simulate, {"latency": math.nan}, "latency is nan, it must be a finite number"),
        (simulate, {"bandwidth": 0}, "bandwidth is 0, it must be a finite number, at least 1"),
        (simulate, {"within": "5"}, "within is '5', it must be a number"),
        (explore, {"faults": [Fault("cut", 1)]}, "it must be Dice: explore draws each schedule"),
        (explore, {"runs": -1}, "runs is -1"),
        (explore, {"runs": 1.5}, "runs is 1.5, it must be a whole number"),
        (explore, {"seed": "a"}, "seed is 'a', it must be a whole number"),
        (explore, {"check": None}, "check is None, it must be a function"),
        (explore, {"main": None}, "main is None, it must be a function"),
    ],
)
def test_arguments_that_cannot_be(use, values, message):
    """They are the caller's mistake, and not a program that fails."""
    with pytest.raises((TypeError, ValueError), match=message):
        use(**{"main": naive, **values})


def test_a_check_is_a_plain_function():
    async def check(run):
        raise AssertionError

    for each in (check, lambda run: check(run)):
        with pytest.raises(TypeError, match="check is a coroutine function"):
            explore(naive, runs=1, check=each)


def test_a_failure_that_cannot_be_repeated_says_so():
    seen = []

    def check(run):
        seen.append(run)
        return len(seen) != 3

    found = explore(naive, runs=5, check=check, faults=Dice(most=0))
    assert found.passed == 2
    message = (
        "failed with AssertionError.*, but passed when it was repeated: the program or the check"
    )
    with pytest.raises(RuntimeError, match=message):
        raise found.why


def test_outages_are_as_long_as_the_dice_say():
    dice = Dice(("cut", "reset", "crash", "freeze"), longest=9, most=40, outage=0.5)
    faults = dice.roll(random.Random(1), 40)
    assert max(fault.lasts for fault in faults if fault.kind != "freeze") == 0.5
    assert max(fault.lasts for fault in faults if fault.kind == "freeze") > 0.5


def test_a_program_that_wants_to_end_is_not_tried_again():
    async def leaves():
        runs.append(1)
        raise SystemExit(3)

    runs = []
    with pytest.raises(SystemExit):
        explore(leaves, runs=5)
    assert runs == [1]


def test_a_drawing_has_messages_and_faults_alone():
    async def pings():
        async def echo(connection):
            async for message in connection:
                await connection.send(message)

        options = {"proxy": None, "compression": None}
        async with serve(echo, "server", 9000), connect("ws://server:9000/", **options) as ws:
            await (await ws.ping())
            await ws.send("Hello")
            return await ws.recv()

    run = simulate(pings, record=True)
    assert "Hello" in repr(run.diagram)
    for kind in ("GET", "PING", "PONG"):
        assert kind not in repr(run.diagram)
        assert kind in repr(run.transcript.diagram)


def test_who_cannot_reach_a_host_learns_it_after_a_while():
    async def main():
        async with await asyncio.start_server(listen, "server", 9000):
            await asyncio.sleep(1)
            with pytest.raises(OSError, match="No route"):
                await asyncio.open_connection("server", 9000)
            return asyncio.get_running_loop().time()

    assert simulate(main, faults=[Fault("cut", 0.5, 2)], latency=0.1).result() == 1.1
