"""Virtual time: exact, the same every time, and without an end."""

from __future__ import annotations

import asyncio
import math

import pytest

from wslab.net.clock import News, Timers, run_virtual


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


@pytest.mark.parametrize("start", [0.0, 2.0**24, 2.0**60, math.inf])
@pytest.mark.parametrize("seconds", [1e9, 1e300, math.inf])
def test_huge_waits_end(start: float, seconds: float) -> None:
    async def wait() -> float:
        await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    assert run_virtual(wait(), start=start) == start + seconds


@pytest.mark.parametrize("wait", [asyncio.sleep, lambda at: _until(at)])
def test_a_time_that_is_not_a_number_is_refused(wait) -> None:
    with pytest.raises(ValueError, match="not a number"):
        run_virtual(wait(math.nan))
    with pytest.raises(ValueError, match="not a number"):
        run_virtual(wait(0), start=math.nan)


async def _until(at: float) -> None:
    async with asyncio.timeout_at(at):
        await asyncio.Event().wait()


def test_the_timers_of_a_page_never_go_back() -> None:
    timers, seen = Timers(), []
    for seconds in (1, -1, math.nan):
        timers.set_timeout(lambda seconds=seconds: seen.append((timers.now, seconds)), seconds)
    timers.run(5)
    timers.run(3)
    assert [at for at, _ in seen] == [0, 0, 1]
    assert timers.now == 5
