"""Password hashes: argon2id, in threads, a few at a time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from kanal.kit.errors import KanalError, Kind

# OWASP Password Storage Cheat Sheet, the first of its equally strong argon2id settings: 46 MiB, one pass, one lane.
TIME_COST = 1
MEMORY_COST = 47_104  # KiB, per hash in progress
PARALLELISM = 1
AT_ONCE = 2  # hashes in progress: 92 MiB at most
WAITING = 50  # about two seconds of work; whoever comes later is asked to try again

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies. The parameters are changed by tests only."""

    def __init__(self, *, time_cost: int = TIME_COST, memory_cost: int = MEMORY_COST) -> None:
        self._hasher = argon2.PasswordHasher(time_cost, memory_cost, PARALLELISM)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._busy = 0
        self._stand_in: str | None = None

    async def hash(self, password: str) -> str:
        """Raises ``service.unavailable`` when too many wait already."""
        return await self._run(functools.partial(self._hasher.hash, password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Takes as long for ``None`` (no such account) as for a wrong password."""
        if stored is None:
            if self._stand_in is None:
                self._stand_in = await self.hash("nobody has this password")
            await self._run(functools.partial(self._matches, self._stand_in, password))
            return False
        return await self._run(functools.partial(self._matches, stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than new ones get."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        if self._busy >= AT_ONCE + WAITING:
            raise KanalError("service.unavailable", Kind.UNAVAILABLE, retry_after=2)
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._busy -= 1
