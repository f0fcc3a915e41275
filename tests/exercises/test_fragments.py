"""A text may be cut in many ways: all that RFC 6455 §5.4 allows are right in exercise 03.4."""

from __future__ import annotations

import pytest

from wslab.exercises import check
from wslab.exercises.engine.verdict import Outcome


def cut(text: str, sizes: list[int]) -> list[tuple[int, bytes, bool]]:
    """Cut into pieces of these sizes, again and again, until the text ends."""
    data, pieces = text.encode(), []
    while data:
        for size in sizes:
            pieces.append(data[:size])
            data = data[size:]
    pieces = pieces or [b""]
    last = len(pieces) - 1
    return [(0 if i else 1, piece, i == last) for i, piece in enumerate(pieces)]


@pytest.mark.parametrize("seed", [0, 1, 1903])
def test_frames_need_not_be_full(seed: int) -> None:
    for sizes in ([1], [1, 0]):
        verdict = check.framing.fragment.judge(lambda text, size, s=sizes: cut(text, s), seed=seed)
        assert verdict.solved, verdict

    def smaller(text: str, size: int) -> list[tuple[int, bytes, bool]]:
        return cut(text, [max(1, size - 1)])

    assert check.framing.fragment.judge(smaller, seed=seed).solved


def test_an_empty_frame_may_end_the_message() -> None:
    def as_the_library_does(text: str, size: int) -> list[tuple[int, bytes, bool]]:
        frames = [(opcode, piece, False) for opcode, piece, _ in cut(text, [size])]
        return [*frames, (0, b"", True)] if text else cut(text, [size])

    assert check.framing.fragment.judge(as_the_library_does).solved


def test_fuller_than_allowed_is_wrong() -> None:
    verdict = check.framing.fragment.judge(lambda text, size: cut(text, [size + 1]))
    assert verdict.outcome is Outcome.WRONG
    assert "fragment 0 has 3 bytes of payload, limit 2" in repr(verdict)
