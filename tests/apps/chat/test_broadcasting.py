"""Ways to send one message to many: who gets it when one member's network stands still."""

from __future__ import annotations

import pytest

from wslab.apps.chat.broadcasting import WAYS, measure_crowd


@pytest.mark.parametrize("way", WAYS)
async def test_everybody_gets_everything(way: str) -> None:
    found = await measure_crowd(way, members=5, messages=20, within=60)
    assert found.all_arrived
    assert found.waiting == 0
    assert found.cpu > 0


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
async def test_one_who_stands_still(way: str) -> None:
    waits = way in ("await in a loop", "gather")
    found = await measure_crowd(
        way, members=2, messages=200, size=64 * 1024, stalled=True, within=1 if waits else 60
    )
    assert found.all_arrived != waits
    # Who does not wait for the slow one keeps its messages instead.
    assert (found.waiting > 1_000_000) != waits


async def test_a_way_that_is_not_known() -> None:
    with pytest.raises(ValueError, match=r"'shout', known are await in a loop, gather"):
        await measure_crowd("shout")
