"""Virtual time: exact, the same every time, and without an end."""

from __future__ import annotations

import asyncio

import pytest

from wslab.net.clock import News, run_virtual


@pytest.mark.parametrize("start", [0.0, 2.0**24 - 3, 2.0**24, 2.0**40])
def test_goes_on_however_late_it_is(start: float) -> None:
    """From 2²⁴ s on, the resolution of asyncio's clock is less than the next float."""

    async def wait() -> list[float]:
        loop, found = asyncio.get_running_loop(), []
        for seconds in (1e-9, 0.25, 1, 5, 100_000):
            await asyncio.sleep(seconds)
            found.append(loop.time() - start)
        return found

    expected = [0, 0.25, 1.25, 6.25, 100_006.25]
    assert run_virtual(wait(), start=start) == pytest.approx(expected, abs=1e-6)


def test_a_year_in_small_steps_passes_the_limit() -> None:
    async def wait() -> float:
        for _ in range(365):
            await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run_virtual(wait()) == 365 * 86_400 > 2**24


def test_news_wake_everybody_who_waits_for_what_is_true_now() -> None:
    async def main() -> list[int]:
        news, reached, counted = News(), [], 0

        async def wait(count: int) -> None:
            await news.until(lambda: counted >= count)
            reached.append(count)

        async with asyncio.TaskGroup() as group:
            for count in (3, 0, 1, 1):
                group.create_task(wait(count))
            for counted in range(4):
                news.set()
                await asyncio.sleep(1)
                assert sorted(reached) == [each for each in (0, 1, 1, 3) if each <= counted]
        return reached

    assert run_virtual(main()) == [0, 1, 1, 3]
