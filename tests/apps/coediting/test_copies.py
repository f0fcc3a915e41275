"""The server's copy: it is never changed by garbage, and a crash loses nothing that was told."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pycrdt
import pytest

from wslab.apps.coediting import SharedDocument
from wslab.kit.log import Store
from wslab.kit.messages import Malformed

ROOM = b"room"


def recording(count: int = 40, *, seed: int = 1) -> tuple[list[bytes], str]:
    """Return the updates of two people's edits, and the text in the end."""
    rng, updates = Random(seed), list[bytes]()
    docs = [pycrdt.Doc(client_id=n) for n in (1, 2)]
    keep = [doc.observe(lambda event: updates.append(event.update)) for doc in docs]
    texts = [doc.get("text", type=pycrdt.Text) for doc in docs]
    for number in range(count):
        text, other = rng.sample(texts, 2)
        if len(text) > 9 and rng.random() < 0.3:
            at = rng.randrange(len(text) - 3)
            del text[at : at + 3]
        else:
            text.insert(rng.randint(0, len(text)), f"{number} ")
        if rng.random() < 0.5:
            count = len(updates)
            other.doc.apply_update(text.doc.get_update(other.doc.get_state()))
            del updates[count:]
    for text, other in (texts, texts[::-1]):
        count = len(updates)
        other.doc.apply_update(text.doc.get_update())
        del updates[count:]
    assert str(texts[0]) == str(texts[1])
    del keep
    return updates, str(texts[0])


def text_of(update: bytes) -> str:
    doc = pycrdt.Doc()
    doc.apply_update(update)
    return str(doc.get("text", type=pycrdt.Text))


UPDATES, TEXT = recording()


class TestFaithful:
    def test_any_state_vector_is_answered(self) -> None:
        document = SharedDocument(Store(), ROOM)
        for update in UPDATES:
            document.apply(update)
        doc = pycrdt.Doc()
        for update in [b"\0\0", *UPDATES]:
            doc.apply_update(update)
            late = pycrdt.Doc()
            late.apply_update(doc.get_update())
            late.apply_update(document.missing(doc.get_state()))
            assert str(late.get("text", type=pycrdt.Text)) == TEXT
        assert text_of(document.missing(b"\0")) == TEXT
        unknown = bytes([1, 99, 5])  # of a client that nobody has heard of
        assert text_of(document.missing(unknown)) == TEXT

    @pytest.mark.parametrize("seed", range(5))
    def test_in_any_order(self, seed: int) -> None:
        """What builds on something unknown is told to others, and kept."""
        order = Random(seed).sample(UPDATES, len(UPDATES))
        store = Store()
        document = SharedDocument(store, ROOM, tail=300)
        told = pycrdt.Doc()
        for update in order:
            assert document.apply(update)
            document.save()
            told.apply_update(document.missing(told.get_state()))
            again = SharedDocument(store, ROOM)
            assert again.state == document.state
        assert str(told.get("text", type=pycrdt.Text)) == TEXT
        assert text_of(again.missing(b"\0")) == TEXT

    def test_what_is_known_is_not_kept_again(self) -> None:
        document = SharedDocument(Store(), ROOM)
        assert [document.apply(update) for update in UPDATES[:3] * 2] == [True] * 3 + [False] * 3
        assert not document.apply(b"\0\0")

    def test_rooms_do_not_mix(self) -> None:
        store = Store()
        for room, update in ((b"a", UPDATES[0]), (b"a\0", UPDATES[1])):
            document = SharedDocument(store, room)
            document.apply(update)
            document.save()
        assert [each for _, each in store.read(b"a")] == UPDATES[:1]

    def test_compaction_keeps_it_small(self) -> None:
        store = Store()
        document = SharedDocument(store, ROOM, tail=400)
        for update in UPDATES:
            document.apply(update)
            document.save()
        rows = store.read(ROOM)
        assert len(rows) < len(UPDATES) / 2
        assert text_of(pycrdt.merge_updates(*(update for _, update in rows))) == TEXT


# Each of these is refused. The last one is well-formed, but its parent is not a shared type.
GARBAGE = [
    b"",
    b"\x01",
    b"\xff\xff\xff\xff\x0f\x00",
    UPDATES[0][:-1],
    b"\x00\x01\xff\xff\xff\xff\x0f",
    bytes.fromhex("0101010008010161ffffffff0f"),
    b"hello",
]


class TestGarbage:
    @pytest.mark.parametrize("garbage", GARBAGE, ids=bytes.hex)
    def test_it_changes_nothing(self, garbage: bytes) -> None:
        document = SharedDocument(Store(), ROOM)
        for update in UPDATES:
            document.apply(update)
            with pytest.raises(Malformed):
                document.apply(garbage)
        assert text_of(document.missing(b"\0")) == TEXT

    @pytest.mark.parametrize("opening", [b"\x75\x01", b"\x76\x01\x01k"])
    def test_a_value_of_a_million_levels(self, opening: bytes) -> None:
        """pycrdt would end the process."""
        value = bytes.fromhex("0101010008010161") + b"\x01" + opening * 1_000_000 + b"\x7e\0"
        with pytest.raises(Malformed, match="more than 200 levels"):
            SharedDocument(Store(), ROOM).apply(value)

    def test_mutants_never_cost_anything(self) -> None:
        rng, store = Random(3), Store()
        document = SharedDocument(store, ROOM)
        for update in UPDATES:
            document.apply(update)
        document.save()
        good = document.missing(b"\0")
        refused = 0
        for _ in range(2000):
            mutant = bytearray(good)
            for _ in range(rng.randint(1, 4)):
                mutant[rng.randrange(len(good))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
            try:
                document.apply(bytes(mutant))
            except Malformed:
                refused += 1
        assert refused > 1000
        assert text_of(SharedDocument(store, ROOM).missing(b"\0")) == TEXT

    @pytest.mark.parametrize("state", [b"", b"\x05", b"\xff" * 9, b"\x01\x01"], ids=bytes.hex)
    def test_a_state_vector_that_is_none(self, state: bytes) -> None:
        with pytest.raises(Malformed):
            SharedDocument(Store(), ROOM).missing(state)


# Crashes. A process that dies leaves the file as the last system call left it.


class Crashing:
    """Opens a store whose file is copied before each statement, as a crash there would leave it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "rooms.sqlite"
        self.told: list[bytes] = []  # what somebody has been told so far
        self.crashes: list[tuple[Path, int, str]] = []  # the copies, and how much was told then

    def open(self, path: str) -> sqlite3.Connection:
        db = sqlite3.connect(path)
        db.set_trace_callback(self.crash)
        return db

    def crash(self, statement: str) -> None:
        copy = self.folder / f"crash{len(self.crashes)}"
        copy.mkdir()
        for file in self.folder.glob("rooms.sqlite*"):
            if not file.name.endswith("-shm"):  # it does not outlive the machine
                shutil.copy(file, copy / file.name)
        self.crashes.append((copy / "rooms.sqlite", len(self.told), statement))


def test_a_crash_at_every_step_loses_nothing_that_was_told(tmp_path: Path) -> None:
    crashing = Crashing(tmp_path)
    store = Store(str(crashing.path), connect=crashing.open)
    document = SharedDocument(store, ROOM, tail=150)
    for batch in itertools.batched(UPDATES, 3) if hasattr(itertools, "batched") else _batched():
        for update in batch:
            document.apply(update)
        document.save()
        crashing.told += batch
        crashing.crash("after saving")
    store.close()
    statements = {statement.split()[0] for _, _, statement in crashing.crashes}
    assert statements >= {"BEGIN", "INSERT", "DELETE", "COMMIT"}
    for path, count, statement in crashing.crashes:
        _holds(path, crashing.told[:count], statement)


def _batched() -> Any:
    return (UPDATES[n : n + 3] for n in range(0, len(UPDATES), 3))


def _holds(path: Path, told: list[bytes], where: str) -> None:
    """Check that a file, as a crash left it, has everything that was told, and can go on."""
    store = Store(str(path))
    document = SharedDocument(store, ROOM)
    for update in told:
        assert not document.apply(update), where
    for update in UPDATES:
        document.apply(update)
    document.save()
    assert text_of(SharedDocument(store, ROOM).missing(b"\0")) == TEXT
    store.close()


def test_a_torn_write_loses_nothing_that_was_told(tmp_path: Path) -> None:
    """The log of SQLite is cut off anywhere in what the last transaction wrote."""
    path, log = tmp_path / "rooms.sqlite", tmp_path / "rooms.sqlite-wal"
    store = Store(str(path))
    document = SharedDocument(store, ROOM, tail=10**6)
    told = UPDATES[:10]
    for update in told:
        document.apply(update)
    document.save()
    before = log.stat().st_size
    document.tail = 0  # now it appends, and compacts
    document.apply(UPDATES[10])
    document.save()
    after = log.stat().st_size
    assert after > before
    for size in {*range(before, after, 997), after}:
        torn = tmp_path / f"torn{size}"
        torn.mkdir()
        shutil.copy(path, torn / path.name)
        (torn / log.name).write_bytes(log.read_bytes()[:size])
        _holds(torn / path.name, told, f"cut at {size}")
    store.close()


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello" * 100)
    with pytest.raises(OSError, match="cannot be used"):
        Store(str(tmp_path / "text"))
    with pytest.raises(OSError, match="cannot be used"):
        Store(str(tmp_path / "nowhere" / "file"))
