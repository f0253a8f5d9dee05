"""Ending background tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

_AGAIN_AFTER = 0.2  # seconds


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels until they have ended; what they raise is dropped.

    Once is not enough: ``asyncio.wait_for`` before Python 3.12 swallows a cancellation that arrives together with its
    result, and the Redis client waits with it for every write.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=_AGAIN_AFTER)
        for task in done:
            if not task.cancelled():
                task.exception()
