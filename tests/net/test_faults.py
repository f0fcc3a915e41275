"""Faults in memory: what each does to a connection, and to a program that crashes."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from wslab.net import Dice, Fault, launch, simulate

from .peers import listen

SIDES = ("client", "server")
OTHER = {"client": "server", "server": "client"}


class Pair:
    """Both ends of a connection: what each has got, and how it ended."""

    def __init__(self):
        self.got = {side: [] for side in SIDES}
        self.ended = dict.fromkeys(SIDES)
        self.writers = {}
        self.tasks = []

    async def open(self):
        accepted = asyncio.get_running_loop().create_future()

        def accept(reader, writer):
            accepted.set_result((reader, writer))

        self.listener = await asyncio.start_server(accept, "server", 9000)
        await self.take("client", *await asyncio.open_connection("server", 9000))
        await self.take("server", *await accepted)
        return self

    async def take(self, side, reader, writer):
        self.writers[side] = writer
        self.tasks.append(asyncio.create_task(self.read(side, reader)))

    async def read(self, side, reader):
        now = asyncio.get_running_loop().time
        try:
            while data := await reader.read(1000):
                self.got[side].append((round(now(), 3), len(data)))
            self.ended[side] = ("FIN", round(now(), 3))
        except ConnectionError as error:
            self.ended[side] = (type(error).__name__, round(now(), 3))

    def write(self, size=10):
        for writer in self.writers.values():
            writer.write(bytes(size))

    def close(self):
        self.listener.close()
        for writer in self.writers.values():
            writer.close()


async def at(seconds):
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())


def paired(fault, writes=(1.5, 4), size=10, end=10):
    """Write from both ends at these times, with a fault; return what came of it."""

    async def main():
        pair = await Pair().open()
        for moment in writes:
            await at(moment)
            pair.write(size)
        await at(end)
        pair.close()
        return pair.got, pair.ended

    return simulate(main, faults=[fault]).result()


BOTH = {side: [(1.501, 10), (4.001, 10)] for side in SIDES}


@pytest.mark.parametrize("side", [*SIDES, "both"])
class TestBytes:
    def expect(self, side, late):
        sides = SIDES if side == "both" else (side,)
        return {one: late if OTHER[one] in sides else BOTH[one] for one in SIDES}

    def test_freeze(self, side):
        got, ended = paired(Fault("freeze", at=1, lasts=2, side=side))
        assert got == self.expect(side, [(3, 10), (4.001, 10)])
        assert ended == dict.fromkeys(SIDES)

    def test_delay(self, side):
        got, _ = paired(Fault("delay", at=1, lasts=2, side=side, amount=0.5))
        assert got == self.expect(side, [(2.001, 10), (4.001, 10)])

    def test_split(self, side):
        got, _ = paired(Fault("split", at=1, lasts=2, side=side, amount=4))
        assert got == self.expect(side, [(1.501, 4), (1.506, 4), (1.511, 2), (4.001, 10)])

    def test_throttle(self, side):
        got, _ = paired(Fault("throttle", at=1, lasts=2, side=side, amount=100), size=4)
        sizes = {one: sum(size for _, size in pieces) for one, pieces in got.items()}
        assert sizes == dict.fromkeys(SIDES, 8)
        slow = self.expect(side, "slow")
        for one, pieces in got.items():
            assert (len(pieces) > 2) == (slow[one] == "slow")

    def test_drop_after(self, side):
        """What comes after a hole never arrives, although the fault is over."""
        got, ended = paired(Fault("drop_after", at=1, lasts=2, side=side, amount=7))
        assert got == self.expect(side, [(1.501, 7)])
        assert ended == dict.fromkeys(SIDES)


@pytest.mark.parametrize("side", [*SIDES, "both"])
@pytest.mark.parametrize(("kind", "seen"), [("cut", "FIN"), ("reset", "ConnectionResetError")])
class TestEnds:
    def test_only_the_named_side_notices(self, kind, seen, side):
        got, ended = paired(Fault(kind, at=1, side=side), writes=(1.5,))
        sides = SIDES if side == "both" else (side,)
        assert got == {one: [] for one in SIDES}
        assert ended == {
            one: (seen, 1.001 if kind else 0) if one in sides else None for one in SIDES
        }

    def test_nobody_connects_while_it_lasts(self, kind, seen, side):
        async def main():
            async with await asyncio.start_server(listen, "server", 9000):
                await at(2)
                with pytest.raises(OSError) as caught:  # noqa: PT011
                    await asyncio.open_connection("server", 9000)
                await at(4)
                _, writer = await asyncio.open_connection("server", 9000)
                writer.close()
                return caught.value.errno

        run = simulate(main, faults=[Fault(kind, at=1, lasts=2, side=side)])
        assert run.result() == {"cut": 113, "reset": 111}[kind]


class TestOverlapping:
    def test_the_end_of_one_does_not_end_the_other(self):
        async def main():
            pair = await Pair().open()
            await at(2.5)
            pair.write()
            await at(10)
            pair.close()
            return pair.got

        faults = [Fault("freeze", at=1, lasts=2), Fault("freeze", at=2, lasts=2)]
        assert simulate(main, faults=faults).result() == {side: [(4, 10)] for side in SIDES}

    def test_a_connection_that_begins_meanwhile(self):
        """SYN is frozen like everything else; it is answered when the fault is over."""

        async def main():
            async with await asyncio.start_server(listen, "server", 9000):
                await at(1.5)
                _, writer = await asyncio.open_connection("server", 9000)
                writer.close()
                return asyncio.get_running_loop().time()

        run = simulate(main, faults=[Fault("freeze", at=1, lasts=2, side="client")])
        assert run.result() == pytest.approx(3.001, abs=0.002)

    def test_nobody_answers_for_two_minutes(self):
        async def main():
            async with await asyncio.start_server(listen, "server", 9000):
                await asyncio.open_connection("server", 9000)

        run = simulate(main, faults=[Fault("freeze", at=0, lasts=1000)])
        assert isinstance(run.error, TimeoutError)
        assert run.seconds == 127


class TestCrash:
    @pytest.mark.parametrize("keeps", [True, False])
    def test_a_program_starts_again(self, keeps):
        """Its tasks stop where they are, its peers are reset, its disk is kept, or is not."""
        lives, ended = [], []

        async def server(disk):
            lives.append(disk.setdefault("life", len(lives)))
            try:
                async with await asyncio.start_server(listen, "server", 9000) as listener:
                    await listener.serve_forever()
            finally:
                ended.append(asyncio.get_running_loop().time())

        async def main():
            program = launch(server)
            await at(0.5)
            reader, writer = await asyncio.open_connection("server", 9000)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            await at(1.5)
            with pytest.raises(OSError, match="refused"):
                await asyncio.open_connection("server", 9000)
            assert not program.is_running
            assert not ended
            await at(2.5)
            _, writer = await asyncio.open_connection("server", 9000)
            writer.close()
            await at(3)

        run = simulate(main, faults=[Fault("crash", at=1, lasts=1, keeps=keeps)])
        run.result()
        assert run.errors == ()
        assert lives == [0, 0 if keeps else 1]
        assert len(ended) == 2  # when all was over, and not as garbage

    def test_a_program_launches_no_other(self):
        async def outer(disk):
            launch(outer)

        async def main():
            launch(outer)
            await asyncio.sleep(1)

        (error,) = simulate(main).errors
        assert "call it outside of the others" in str(error)

    def test_not_after_the_end(self):
        """What a program still does when all is over is not interrupted by later faults."""
        ended = []

        async def program(disk):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(2)
                ended.append(asyncio.get_running_loop().time())

        async def main():
            launch(program)
            await at(1)

        run = simulate(main, faults=[Fault("crash", at=2, lasts=0.5)])
        run.result()
        assert ended == [3]

    def test_what_it_has_sent_arrives(self):
        async def server(disk):
            async def greet(reader, writer):
                writer.write(b"Hello")
                await listen(reader, writer)

            async with await asyncio.start_server(greet, "server", 9000) as listener:
                await listener.serve_forever()

        async def main():
            launch(server)
            await at(0.5)
            reader, writer = await asyncio.open_connection("server", 9000)
            data = await reader.readexactly(5)
            writer.close()
            return data

        run = simulate(main, latency=0.3, faults=[Fault("crash", at=1.45, lasts=1)])
        assert run.result() == b"Hello"

    def test_its_own_failure_is_an_error(self):
        async def server(disk):
            raise LookupError("no such file")

        async def main():
            launch(server)
            await asyncio.sleep(1)

        (error,) = simulate(main).errors
        assert isinstance(error, LookupError)

    async def test_only_in_a_simulation(self):
        with pytest.raises(RuntimeError, match="call it inside simulate"):
            launch(lambda disk: None)


class TestDice:
    def test_a_seed_draws_the_same_faults(self):
        dice = Dice()
        rolls = [dice.roll(random.Random(seed), 4) for seed in (1, 1, 2)]
        assert rolls[0] == rolls[1] != rolls[2]
        assert [fault.at for fault in rolls[0]] == sorted(fault.at for fault in rolls[0])

    def test_only_what_it_may_draw(self):
        dice = Dice(("reset", "delay"), within=2, longest=1, most=3, keeps=False)
        faults = [fault for seed in range(100) for fault in dice.roll(random.Random(seed))]
        assert {fault.kind for fault in faults} == {"reset", "delay"}
        assert all(fault.at <= 2 and fault.lasts <= 1 for fault in faults)
        assert len(faults) <= 300


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "flood", "at": 0}, "kind is 'flood', it must be one of cut, reset"),
        ({"kind": "cut", "at": 0, "side": "left"}, "side is 'left'"),
        ({"kind": ["cut"], "at": 0}, "kind is .'cut'., it must be one of"),
        ({"kind": "cut", "at": -1}, "at is -1, it must be a finite number, at least 0"),
        ({"kind": "cut", "at": "1"}, "at is '1', it must be a number"),
        ({"kind": "cut", "at": math.nan}, "at is nan"),
        ({"kind": "cut", "at": 1, "lasts": -1}, "lasts is -1"),
        ({"kind": "cut", "at": 1, "lasts": math.inf}, "lasts is inf"),
        ({"kind": "split", "at": 1, "lasts": 1}, "amount of 'split' is 0.0.*at least 1"),
        ({"kind": "delay", "at": 1, "amount": -1}, "amount of 'delay' is -1.*at least 0"),
        ({"kind": "throttle", "at": 1, "amount": math.nan}, "amount of 'throttle' is nan"),
    ],
)
def test_faults_that_cannot_be(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Fault(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kinds": "cut"}, "kinds is 'cut', it must be a tuple with some of cut, reset"),
        ({"kinds": ()}, "kinds is .., it must be a tuple"),
        ({"kinds": ("cut", "flood")}, "kinds is .'cut', 'flood'., it must be"),
        ({"kinds": {"cut", "reset"}}, "it must be a tuple"),  # without an order: not repeatable
        ({"within": math.nan}, "within is nan"),
        ({"longest": math.nan}, "longest is nan"),
        ({"longest": -1}, "longest is -1, it must be a finite number"),
        ({"most": 2.5}, "most is 2.5, it must be a whole number"),
        ({"most": -1}, "most is -1"),
        ({"outage": math.nan}, "outage is nan"),
    ],
)
def test_dice_that_cannot_be(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Dice(**values)


def test_what_a_fault_says():
    fault = Fault("delay", at=1.25, lasts=2, side="client", amount=0.5)
    assert str(fault) == "at 1.25 s for 2 s: delayed by 0.5 s (client)"
    assert str(Fault("crash", 3, keeps=False)) == (
        "at 3 s: the programs have crashed, their disks are empty"
    )
