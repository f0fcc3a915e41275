"""How old a quote is when a slow viewer sees it, in virtual time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from wslab.apps.quotes import TICK, Desk
from wslab.net import run_virtual

from .viewers import Viewer

UPDATES, LINK, SECONDS = 200, 2000, 25.0  # a second; bytes a second; how long it is watched
BETWEEN = 16 * 1024  # bytes in the buffers of the systems and of the link
FRAME = 150  # bytes of a quote, at most


async def watch(path: str, *, link: float = LINK) -> tuple[Desk, Viewer]:
    desk = Desk(Random(15), rate=UPDATES)
    desk.hub.backlog = BETWEEN
    viewer = Viewer(path, desk, rate=link, between=BETWEEN)
    watching = asyncio.create_task(desk(viewer))
    await asyncio.sleep(SECONDS)
    viewer.said.put_nowait(None)
    await watching
    return desk, viewer


def test_every_quote_to_a_slow_viewer_is_too_much() -> None:
    """The buffers fill with old prices, then the hub's, and then the viewer is put out."""
    _, viewer = run_virtual(watch("/every"))
    assert viewer.code == 1013
    (_, first), *_, (_, last) = viewer.ages
    assert last > 5 * first  # and the exchange stops when it is put out, so this is not all


def test_conflation_alone_bounds_the_age_by_the_bytes_in_between() -> None:
    _, viewer = run_virtual(watch("/latest"))
    assert viewer.code == 0
    oldest = max(age for _, age in viewer.ages)
    assert 0.7 * BETWEEN / LINK < oldest < (BETWEEN + 12 * FRAME) / LINK + 2 * TICK


def test_a_paced_viewer_waits_for_two_batches_at_most() -> None:
    """A quote waits while one batch is under way, and comes with the next one."""
    desk, viewer = run_virtual(watch("/paced"))
    assert viewer.code == 0
    assert max(age for _, age in viewer.ages) < 2 * len(desk.best) * FRAME / LINK + 2 * TICK
    assert desk.hub.left_out > desk.count / 2


@pytest.mark.parametrize("path", ["/every", "/latest", "/paced"])
@pytest.mark.untraced
def test_a_fast_viewer_gets_everything_at_once(path: str) -> None:
    desk, viewer = run_virtual(watch(path, link=1e9))
    assert max(age for _, age in viewer.ages) < 2 * TICK
    assert len(viewer.ages) > desk.count * (0.99 if path != "/paced" else 0.5)


def test_it_trades_while_somebody_is_there() -> None:
    async def main() -> list[int]:
        desk, counts = Desk(Random(15), rate=100), []
        for _ in range(2):
            viewer = Viewer("/latest", desk, rate=1e9)
            watching = asyncio.create_task(desk(viewer))
            for _ in range(2):
                await asyncio.sleep(10)
                counts.append(desk.count)
                viewer.said.put_nowait(None)
            await watching
        return counts

    first, idle, second, last = run_virtual(main())
    assert first == pytest.approx(1000, abs=5)
    assert idle == pytest.approx(first, abs=2)
    assert (second, last) == (pytest.approx(2000, abs=10), pytest.approx(second, abs=2))
