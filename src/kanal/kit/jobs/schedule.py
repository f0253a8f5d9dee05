"""Periodic work: whoever moves a schedule's ``next_at`` forward enqueues the job, so two schedulers run it once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from kanal.kit import clock
from kanal.kit.db import Database
from kanal.kit.jobs.ledger import JobType, enqueue
from kanal.kit.jobs.models import Schedule

LOOK_EVERY = 10.0  # seconds

log = structlog.get_logger(__name__)


class Nothing(msgspec.Struct):
    """The payload of jobs that need none."""


@dataclass(frozen=True)
class Periodic:
    """Enqueue ``job`` every ``every``, first as soon as a scheduler runs."""

    job: JobType[Nothing]
    every: timedelta


class Scheduler:
    """Looks for due schedules; any number may run."""

    def __init__(self, database: Database, entries: Sequence[Periodic]) -> None:
        self._database = database
        self._entries = entries

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.tick()
            except Exception:
                log.exception("scheduler.failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY)

    async def tick(self) -> int:
        """Enqueue what is due; answers how many."""
        started = 0
        now = clock.now()
        async with self._database.reading(None) as session:
            known = {s.name: s.next_at for s in (await session.scalars(sa.select(Schedule))).all()}
        for entry in self._entries:
            due = known.get(entry.job.name)
            if due is not None and due > now:
                continue
            async with self._database.transaction(None) as session:
                if await self._take(session, entry, due, now):
                    enqueue(session, entry.job, Nothing(), unique=entry.job.name)
                    started += 1
        return started

    async def _take(self, session: Any, entry: Periodic, due: Any, now: Any) -> bool:
        following = now + entry.every
        if due is None:
            try:
                async with session.begin_nested():
                    session.add(Schedule(name=entry.job.name, next_at=following))
            except sa.exc.IntegrityError:
                return False
            return True
        moved = await session.execute(
            sa.update(Schedule)
            .where(Schedule.name == entry.job.name, Schedule.next_at == due)
            .values(next_at=following)
            .execution_options(synchronize_session=False)
        )
        return bool(moved.rowcount)
