"""A bench that every test leaves clean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from wslab import lab
from wslab.lab.registry import registry


@pytest.fixture(autouse=True)
def _clean_bench() -> Iterator[None]:
    """Stop what a test has left, and forget its names."""
    yield
    for listener in list(registry().values()):
        with contextlib.suppress(lab.LoopStalled):
            listener.stop_now()
    registry().clear()
