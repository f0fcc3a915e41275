"""Virtual time: exact, the same every time, and without an end."""

from __future__ import annotations

import asyncio

import pytest

from wslab.net.clock import run_virtual


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
