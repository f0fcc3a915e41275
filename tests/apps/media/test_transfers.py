"""Files pass between guests: interleaved, after cuts, with flat memory."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import pytest

from wslab import lab
from wslab.apps import media
from wslab.apps.media import CHUNK, Guest, MediaRoom, make_picture, make_sound
from wslab.net import Dice, Fault, explore, simulate

from .guests import PICTURE, SOUND, at, files_in, guest, reader

MIB = 1 << 20


class Sink:
    """A file that keeps nothing but the hash of what was written to it."""

    def __init__(self) -> None:
        self.hash, self.size = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self.hash.update(data)
        self.size += len(data)


def long_sound(path: Path, size: int) -> BinaryIO:
    """Write a sound of this size, and open it."""
    rng = Random(5)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, (size - 44) // 2, "NONE", ""))
        rest = size - 44
        while rest:
            piece = rng.randbytes(min(rest, MIB))
            sound.writeframesraw(piece)
            rest -= len(piece)
    return path.open("rb")


@pytest.fixture
def room(tmp_path: Path) -> MediaRoom:
    folder = tmp_path / "room"
    folder.mkdir()
    return MediaRoom(folder=folder)


@pytest.fixture
def hundred(tmp_path: Path) -> Iterator[BinaryIO]:
    with long_sound(tmp_path / "long.wav", 100 * MIB) as file:
        yield file


def test_a_picture_and_a_sound_and_a_line_arrive(room):
    async def main() -> Any:
        ann, ben = guest("Ann"), guest("Ben")
        async with at(room, ann, ben):
            sent = [
                await ann.offer(reader(PICTURE), "sunset.png", "image/png"),
                await ann.offer(reader(SOUND), "bells.wav", "audio/wav"),
            ]
            await ann.say("look")
            for each in sent:
                await each.done
            await ben.until(lambda: sum(each.is_good for each in ben.files.values()) == 2)
        return ben.lines, [each.file.getvalue() for each in ben.files.values()]

    run = simulate(main)
    lines, files = run.result()
    assert lines == [("Ann", "look")]
    assert sorted(files) == sorted([PICTURE, SOUND])
    assert run.errors == ()


def test_somebody_who_comes_later_gets_the_files(room):
    async def main() -> bool:
        ann = guest("Ann")
        async with at(room, ann):
            await (await ann.offer(reader(PICTURE), "sunset.png", "image/png")).done
        ben = guest("Ben")
        async with at(room, ben):
            await ben.until(lambda: any(each.is_good for each in ben.files.values()))
        return True

    assert simulate(main).result()


def test_chunks_of_several_files_take_turns(room):
    async def main() -> Any:
        ann = guest("Ann", chunk=4000)
        async with at(room, ann):
            both = [await ann.offer(reader(PICTURE), f"{n}.png", "image/png") for n in range(2)]
            for each in both:
                await each.done
        return [number for number, _ in ann.sent]

    order = simulate(main).result()
    assert Counter(order) == {1: 5, 2: 5}
    assert order[:10] == [1, 2] * 5


def test_a_line_waits_for_one_chunk_of_each_file(room):
    """At 100,000 bytes a second a chunk takes 0.66 s; two megabytes take 20 s."""

    async def main() -> float:
        big = make_picture(Random(1), width=1000, height=800, noise=0.9)
        ann, ben = guest("Ann"), guest("Ben", fetch=lambda offer: None)
        async with at(room, ann, ben):
            sending = await ann.offer(reader(big), "big.png", "image/png")
            await ann.until(lambda: sending.arrived > 5 * CHUNK)
            begin = asyncio.get_running_loop().time()
            await ann.say("does this take long?")
            await ben.until(lambda: bool(ben.lines))
            assert not sending.done.done()
            return asyncio.get_running_loop().time() - begin

    assert simulate(main, bandwidth=100_000).result() < 2 * CHUNK / 100_000


@pytest.mark.untraced
def test_a_hundred_mebibytes_pass_with_flat_memory_and_ten_cuts(room, hundred):
    sink = Sink()
    cuts = [Fault("cut", at=1.05 + n, lasts=0.3) for n in range(10)]

    async def main() -> Any:
        ann = guest("Ann", fetch=lambda offer: None)
        ben = guest("Ben", fetch=lambda offer: sink)
        async with at(room, ann, ben):
            await (await ann.offer(hundred, "long.wav", "audio/wav")).done
            await ben.until(lambda: any(each.is_good for each in ben.files.values()))
        return ann.sent

    tracemalloc.start()
    run = simulate(main, bandwidth=12_000_000, latency=0.0005, faults=cuts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    sent = Counter(run.result())
    assert run.seconds > cuts[-1].at  # all the cuts were in the middle
    assert sorted(sent) == [(1, start) for start in range(0, 100 * MIB, CHUNK)]
    assert sum(sent.values()) - len(sent) <= len(cuts)  # at most one chunk a cut is sent twice
    (item,) = room.uploads.items.values()
    assert sink.size == item.offer.size == 100 * MIB
    assert sink.hash.hexdigest() == item.offer.sha256
    assert files_in(room.uploads.folder) == [item.path.name]
    assert peak < 4 * MIB


def test_both_directions_survive_every_schedule(tmp_path):
    """Two guests send to each other while cuts, freezes and delays come and go."""

    async def main() -> Any:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        room = MediaRoom(folder=folder)
        people = ann, ben = guest("Ann", chunk=2000), guest("Ben", chunk=3000)
        async with at(room, *people):
            sent = [
                await ann.offer(reader(PICTURE), "a.png", "image/png"),
                await ben.offer(reader(SOUND), "b.wav", "audio/wav"),
                await ben.offer(reader(PICTURE), "b.png", "image/png"),
            ]
            for each in sent:
                await each.done
            for person in people:
                await person.until(
                    lambda person=person: (
                        [each.is_good for each in person.files.values()] == [True, True]
                    )
                )
        got = [sorted(each.file.getvalue() for each in p.files.values()) for p in people]
        return len(room.uploads.items), got == [sorted([PICTURE, SOUND])] * 2

    def check(run: Any) -> None:
        assert run.result() == (3, True)

    kinds = ("cut", "reset", "freeze", "delay", "split", "throttle")
    found = explore(main, runs=60, check=check, faults=Dice(kinds, within=3, most=5))
    assert found.smallest is None, found


@pytest.mark.parametrize("seed", range(3))
def test_a_guest_that_never_comes_back_leaves_nothing(room, seed):
    async def main() -> Any:
        ann = guest("Ann", chunk=1000)
        async with at(room):
            leaving = asyncio.create_task(ann.run())
            sending = await ann.offer(reader(PICTURE), "sunset.png", "image/png")
            await ann.until(lambda: sending.arrived >= 1000 * (3 + seed))
            leaving.cancel()
            await asyncio.wait([leaving])
            before = len(files_in(room.uploads.folder))
            await asyncio.sleep(61)
            return before, files_in(room.uploads.folder), room.uploads.open, len(room.hub)

    assert simulate(main).result() == (1, [], {}, 0)


async def test_five_mebibytes_pass_through_a_real_cable_with_cuts(tmp_path):
    room = MediaRoom(folder=tmp_path)
    data = make_sound(Random(3), seconds=1)
    big = wave_of(data, 5 * MIB)
    async with media.serve(room, name="media transfer") as server:
        cable = lab.cable(server, name="media transfer cable")
        ann = Guest(cable.url + "media", "Ann", fetch=lambda offer: None)
        ben = Guest(server.url + "media", "Ben")
        tasks = [asyncio.create_task(each.run()) for each in (ann, ben)]
        try:
            async with asyncio.timeout(30):
                sending = await ann.offer(reader(big), "long.wav", "audio/wav")
                for n in (1, 2, 3):
                    await ann.until(lambda n=n: sending.arrived > n * MIB)
                    cable.cut()
                await sending.done
                await ben.until(lambda: any(each.is_good for each in ben.files.values()))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await cable.stop()
    sent = Counter(ann.sent)
    assert sorted(sent) == [(1, start) for start in range(0, 5 * MIB, CHUNK)]
    assert sum(sent.values()) - len(sent) <= 3
    (received,) = ben.files.values()
    assert received.file.getvalue() == big


def wave_of(data: bytes, size: int) -> bytes:
    """Return a sound of this size, which repeats another one."""
    rest = size - 44
    head = data[:4] + (size - 8).to_bytes(4, "little") + data[8:40] + rest.to_bytes(4, "little")
    return head + (data[44:] * (rest // len(data[44:]) + 1))[:rest]


def test_a_transcript_reads_the_headers(room):
    async def main() -> None:
        async with at(room), guest("Ann", chunk=10_000) as ann:
            await (await ann.offer(reader(PICTURE), "sunset.png", "image/png")).done

    run = simulate(main, record=True)
    text = str(run.diagram)
    assert "BINARY file 1 from 0, type 1" in text
    assert "BINARY file 1 from 10000, type 1" in text
    assert "CLOSE 1000" in text  # a guest leaves politely


# A guest whom the room does not want


def test_entering_raises_what_the_room_says(room):
    async def main() -> int:
        async with at(room), asyncio.timeout(60):
            with pytest.raises(ConnectionRefusedError, match="a name has no '/'"):
                async with guest("../Ann"):
                    pass
        return len(room.hub)

    run = simulate(main)
    assert run.result() == 0
    assert run.errors == ()


def test_all_that_waits_hears_of_the_end(room):
    """After 21 refused messages the room closes the connection with 1008."""

    async def main() -> None:
        why = "21 messages were refused"
        async with at(room), asyncio.timeout(60), guest("Ann", chunk=1) as ann:
            sending = await ann.offer(reader(PICTURE), "sunset.png", "image/png")
            for _ in range(21):
                await ann.say("")
            for waiting in (sending.done, ann.until(lambda: False)):
                with pytest.raises(ConnectionRefusedError, match=why):
                    await waiting
            with pytest.raises(ConnectionRefusedError, match=why):
                await ann.offer(reader(SOUND), "bells.wav", "audio/wav")
            with pytest.raises(ConnectionRefusedError, match=why):
                await ann.say("is anybody there?")

    run = simulate(main)
    run.result()
    assert run.errors == ()
