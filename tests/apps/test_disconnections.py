"""The table of lesson 08: every way to lose a connection, and what becomes of it."""

from __future__ import annotations

import pytest

from wslab.apps.disconnections import WAYS, happen

FINAL = {
    "the person leaves": "closed",
    "the same client, elsewhere": "failed",
    "not welcome (1008)": "failed",
    "refused for good (403)": "failed",
}
FORGETS = "restart, without its log"


@pytest.mark.parametrize("way", WAYS)
async def test_outcome(way: str) -> None:
    outcome = await happen(way)
    assert outcome.end == FINAL.get(way, "online")
    assert outcome.doubled == 0
    if outcome.end == "online":
        assert outcome.lost == (way == FORGETS)
    assert outcome.told == (way == FORGETS)


async def test_what_is_noticed() -> None:
    assert (await happen("silence, but short")).noticed == "nothing"
    assert (await happen("the network falls silent")).noticed == "no sign of life for 0.3 s"
    assert "1001" in (await happen("restart, with its log")).noticed


async def test_a_way_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="'moonquake', known are the person leaves"):
        await happen("moonquake")
