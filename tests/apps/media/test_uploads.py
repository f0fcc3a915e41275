"""The receiver keeps its rules about offsets, hashes and limits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from wslab.apps.media import Chunk, Rejected, UploadLimits, Uploads
from wslab.apps.media.content import inspect_file
from wslab.apps.media.uploads import Item, Mismatch, Upload

from .guests import ANN, BEN, PICTURE, SOUND, files_in, offer_of


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path, inspect_file, UploadLimits(size=1 << 20, chunk=4096, quota=1 << 21))


def send(uploads: Uploads, data: bytes, owner: Any = ANN, number: int = 1, **changes: Any) -> Item:
    """Offer a file, and send it in chunks of 1,000 bytes."""
    found = uploads.offer(owner, offer_of(data, number, **changes), 0)
    assert isinstance(found, Upload)
    for start in range(0, len(data), 1000):
        chunk = Chunk(number, start, found.offer.type, data[start : start + 1000])
        result = uploads.chunk(owner, chunk, 0)
    assert isinstance(result, Item)
    return result


def test_the_header_is_id_offset_and_type():
    message = Chunk(7, 0x1_0000_0000, 2, b"data").pack()
    assert message.hex() == "00000007" + "0000000100000000" + "02" + b"data".hex()
    assert Chunk.unpack(message) == Chunk(7, 1 << 32, 2, b"data")


@pytest.mark.parametrize("size", range(13))
def test_a_short_header_is_rejected(size):
    with pytest.raises(Rejected, match=f"13 bytes, this has {size}"):
        Chunk.unpack(bytes(size))


def test_a_picture_and_a_sound_arrive(uploads, tmp_path):
    items = [send(uploads, PICTURE), send(uploads, SOUND, number=2, media="audio/wav")]
    assert [item.path.read_bytes() for item in items] == [PICTURE, SOUND]
    assert uploads.open == {}
    assert len(files_in(tmp_path)) == 2
    assert "sunset.png" not in files_in(tmp_path)


def test_an_offset_that_does_not_match_changes_nothing(uploads, tmp_path):
    upload = uploads.offer(ANN, offer_of(PICTURE), 0)
    uploads.chunk(ANN, Chunk(1, 0, 1, PICTURE[:1000]), 0)
    for offset in (0, 1, 500, 999, 1001, 2000, len(PICTURE), 1 << 63, (1 << 64) - 1):
        with pytest.raises(Mismatch, match="1000 bytes are here: continue at 1000") as raised:
            uploads.chunk(ANN, Chunk(1, offset, 1, PICTURE[:1000]), 0)
        assert raised.value.offset == upload.offset == 1000
        assert upload.path.read_bytes() == PICTURE[:1000]
    uploads.chunk(ANN, Chunk(1, 1000, 1, PICTURE[1000:2000]), 0)
    assert upload.path.read_bytes() == PICTURE[:2000]


def test_it_goes_on_after_a_second_offer(uploads):
    first = uploads.offer(ANN, offer_of(PICTURE), 0)
    uploads.chunk(ANN, Chunk(1, 0, 1, PICTURE[:1000]), 0)
    assert uploads.offer(ANN, offer_of(PICTURE), 30) is first
    assert first.offset == 1000


def test_a_finished_upload_is_not_taken_twice(uploads):
    item = send(uploads, PICTURE)
    assert uploads.offer(ANN, offer_of(PICTURE), 0) is item
    assert len(uploads.items) == 1


@pytest.mark.parametrize("is_finished", [False, True])
def test_an_id_names_one_upload(uploads, is_finished):
    if is_finished:
        send(uploads, PICTURE)
    else:
        uploads.offer(ANN, offer_of(PICTURE), 0)
    before = dict(uploads.open), dict(uploads.items)
    for change in ({"size": 5}, {"name": "other.png"}, {"sha256": "0" * 64}):
        with pytest.raises(Rejected, match="1 is the id of a different upload of yours"):
            uploads.offer(ANN, offer_of(PICTURE, **change), 0)
    assert (uploads.open, uploads.items) == before


def test_people_have_ids_of_their_own(uploads):
    mine = uploads.offer(ANN, offer_of(PICTURE), 0)
    with pytest.raises(Rejected, match="no upload 1 of yours is open"):
        uploads.chunk(BEN, Chunk(1, 0, 1, b"not Ann's"), 0)
    assert mine.offset == 0
    assert uploads.offer(BEN, offer_of(SOUND, media="audio/wav"), 0) is not mine


def test_two_uploads_may_have_one_name(uploads):
    items = [send(uploads, PICTURE), send(uploads, SOUND, BEN, media="audio/wav")]
    assert [item.path.read_bytes() for item in items] == [PICTURE, SOUND]


def test_a_wrong_hash_leaves_nothing(uploads, tmp_path):
    with pytest.raises(Rejected, match="SHA-256"):
        send(uploads, PICTURE, sha256="0" * 64)
    assert (uploads.open, uploads.items, files_in(tmp_path)) == ({}, {}, [])


def test_a_full_disk_leaves_nothing(uploads, tmp_path):
    uploads.offer(ANN, offer_of(PICTURE), 0)
    shutil.rmtree(tmp_path)  # now writing raises OSError, as it does when a disk is full
    with pytest.raises(Rejected, match="the file cannot be kept: No such file"):
        uploads.chunk(ANN, Chunk(1, 0, 1, PICTURE[:1000]), 0)
    assert uploads.open == {}


# UploadLimits


def test_nobody_has_too_many_open(uploads):
    for number in range(4):
        uploads.offer(ANN, offer_of(PICTURE, number), 0)
    with pytest.raises(Rejected, match="4 uploads of yours are open"):
        uploads.offer(ANN, offer_of(PICTURE, 4), 0)
    uploads.offer(BEN, offer_of(PICTURE, 4), 0)
    uploads.cancel(ANN, 0)
    uploads.offer(ANN, offer_of(PICTURE, 4), 0)


@pytest.mark.parametrize("number", [None, "1", 1.5, [], {}, True, -1, 77])
def test_only_ones_own_open_upload_can_be_cancelled(uploads, number):
    uploads.offer(ANN, offer_of(PICTURE, 3), 0)
    uploads.cancel(ANN, number)
    uploads.cancel(BEN, 3)
    assert len(uploads.open) == 1


def test_a_room_has_not_too_many_open(tmp_path):
    uploads = Uploads(tmp_path, inspect_file, UploadLimits(all_open=2))
    for owner in (ANN, BEN):
        uploads.offer(owner, offer_of(PICTURE), 0)
    with pytest.raises(Rejected, match="2 uploads are open in this room"):
        uploads.offer(ANN, offer_of(PICTURE, 2), 0)


def test_a_quota_counts_what_is_offered(uploads, tmp_path):
    for number in (1, 2):
        uploads.offer(ANN, offer_of(PICTURE, number, size=1 << 20), 0)
    with pytest.raises(Rejected, match="2097152 of yours are taken"):
        uploads.offer(ANN, offer_of(PICTURE, 3, size=1), 0)
    uploads.offer(BEN, offer_of(PICTURE, 3), 0)
    assert len(files_in(tmp_path)) == 3


def test_many_small_files_are_not_free(tmp_path):
    uploads = Uploads(tmp_path, inspect_file, UploadLimits(quota=1 << 18))
    for number in range(4):
        send(uploads, PICTURE, number=number)
    with pytest.raises(Rejected, match="of yours are taken"):
        uploads.offer(ANN, offer_of(PICTURE, 9), 0)


def test_a_room_becomes_full(tmp_path):
    uploads = Uploads(tmp_path, inspect_file, UploadLimits(total=1 << 17))
    send(uploads, PICTURE)
    send(uploads, PICTURE, BEN)
    with pytest.raises(Rejected, match="is full"):
        uploads.offer(ANN, offer_of(PICTURE, 9), 0)


def test_what_is_abandoned_expires(uploads, tmp_path):
    uploads.offer(ANN, offer_of(PICTURE, 1), 0)
    uploads.offer(ANN, offer_of(PICTURE, 2), 0)
    uploads.chunk(ANN, Chunk(2, 0, 1, PICTURE[:1000]), 30)
    assert uploads.expire(59) == 60
    assert uploads.expire(60) == 90
    assert [number for _, number in uploads.open] == [2]
    assert uploads.expire(90) is None
    assert (uploads.open, files_in(tmp_path)) == ({}, [])


def test_an_offer_does_not_keep_an_upload(uploads, tmp_path):
    for now in (0, 50, 59):
        uploads.offer(ANN, offer_of(PICTURE), now)
    assert uploads.expire(60) is None
    assert (uploads.open, files_in(tmp_path)) == ({}, [])


def test_files_are_kept_for_an_hour(uploads, tmp_path):
    send(uploads, PICTURE)
    assert uploads.expire(3599) == 3600
    assert uploads.expire(3600) is None
    assert (uploads.items, files_in(tmp_path)) == ({}, [])
    send(uploads, PICTURE)  # the same id is new
