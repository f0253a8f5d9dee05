"""How a worker learns at once that there is work. Carries no work itself: the ledger is the queue."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol


class Transport(Protocol):
    """Wakes workers. A wake-up that gets lost costs a polling interval, nothing more."""

    async def announce(self, outbox: dict[str, Any]) -> None:
        """The `Database.after_commit` hook."""
        ...

    async def wait(self, timeout: float) -> None:
        """Until woken, or ``timeout`` seconds."""
        ...


class EmbeddedTransport:
    """Within one process."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()

    async def announce(self, outbox: dict[str, Any]) -> None:
        if outbox.get("jobs"):
            self._wake.set()

    async def wait(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout)
        self._wake.clear()
