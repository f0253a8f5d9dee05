"""Background tasks end even when one cancellation gets lost on the way."""

import asyncio

from kanal.realtime.endings import end


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(end([task]), 5)
    assert task.cancelled()
    assert swallowed == 3


async def test_what_a_task_raised_is_dropped() -> None:
    async def broken() -> None:
        raise RuntimeError

    await end([asyncio.create_task(broken())])
    await end([])
