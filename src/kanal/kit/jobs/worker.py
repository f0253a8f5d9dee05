"""Claim, run, retry, bury."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog

from kanal.kit import clock
from kanal.kit.db import Database, Session
from kanal.kit.jobs.ledger import JobType
from kanal.kit.jobs.models import Job, JobLock, State
from kanal.kit.jobs.transport import Transport

LEASE = timedelta(seconds=30)
RENEW_EVERY = LEASE / 3
POLL_EVERY = 1.0  # seconds, when nothing wakes the worker
BACKOFF = (10, 30, 60)  # seconds after the first, second and every later failure
JITTER = 0.2  # of the backoff, both ways, so that a broken service is not asked by all at once
KEEP_DONE = timedelta(days=7)
KEEP_ERROR = 4_000  # characters of the traceback
CONCURRENCY = 8

log = structlog.get_logger(__name__)
_PLAIN = {"synchronize_session": False}

Handler = Callable[["JobContext", Any], Awaitable[None]]


class PermanentFailure(Exception):
    """Raised by a handler: trying again cannot help."""


@dataclass(frozen=True)
class JobContext:
    """What a handler knows about its run. ``attempt`` counts from 1."""

    database: Database
    job_id: int
    workspace_id: UUID | None
    attempt: int
    last_attempt: bool


class Worker:
    """Runs jobs of the kinds it has handlers for, several at once. Any number of workers may share a ledger."""

    def __init__(self, database: Database, transport: Transport, *, concurrency: int = CONCURRENCY) -> None:
        self._database = database
        self._transport = transport
        self._concurrency = concurrency
        self._handlers: dict[str, tuple[JobType[Any], Handler]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{random.getrandbits(24):06x}"
        self.succeeded = 0
        self.failed = 0

    def handle(self, kind: JobType[Any], handler: Handler) -> None:
        """Bind a kind of job to what does it; bootstrap calls this."""
        self._handlers[kind.name] = (kind, handler)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until stopped, then let running jobs end; one cut short is given back by its lease."""
        renewing = asyncio.create_task(self._renew(stop))
        try:
            while not stop.is_set():
                claimed = 0
                free = self._concurrency - len(self._running)
                if free > 0:
                    try:
                        claimed = await self._start(free)
                    except Exception:
                        log.exception("jobs.claim_failed")
                if not claimed:
                    await self._transport.wait(POLL_EVERY)
        finally:
            if self._running:
                await asyncio.wait(self._running.values(), timeout=LEASE.total_seconds() / 2)
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def drain(self) -> int:
        """Run everything that is due now and wait for it; answers how many (tests)."""
        done = 0
        while started := await self._start(self._concurrency):
            done += started
            await asyncio.gather(*self._running.values())
        return done

    async def _start(self, free: int) -> int:
        rows = await self._claim(free)
        for row in rows:
            task = asyncio.create_task(self._perform(row))
            self._running[row.id] = task
            task.add_done_callback(partial(self._ended, row.id))
        return len(rows)

    def _ended(self, job_id: int, _task: asyncio.Task[None]) -> None:
        self._running.pop(job_id, None)

    async def _claim(self, free: int) -> list[sa.Row[Any]]:
        now = clock.now()
        due = (
            sa.select(Job.id, Job.name, Job.payload, Job.workspace_id, Job.attempts, Job.max_attempts, Job.serial_key)
            .where(Job.state == State.READY, Job.run_at <= now, Job.name.in_(self._handlers))
            .order_by(Job.priority, Job.run_at, Job.id)
            .limit(free)
        )
        serial_busy = sa.select(JobLock.serial_key)
        due = due.where(sa.or_(Job.serial_key.is_(None), Job.serial_key.not_in(serial_busy)))
        async with self._database.reading(None) as session:
            if not (await session.execute(due)).first():
                return []
        async with self._database.transaction(None) as session:
            if self._database.dialect != "sqlite":
                due = due.with_for_update(skip_locked=True, of=Job)
            rows = await self._take_serial((await session.execute(due)).all(), session)
            if rows:
                await session.execute(
                    sa.update(Job)
                    .where(Job.id.in_([r.id for r in rows]))
                    .values(state=State.RUNNING, owner=self.owner, lease_until=now + LEASE, attempts=Job.attempts + 1)
                )
        return rows

    async def _take_serial(self, rows: Sequence[sa.Row[Any]], session: Session) -> list[sa.Row[Any]]:
        """Keep, of each serial key, the first row, and only if its lock was free."""
        kept: list[sa.Row[Any]] = []
        for row in rows:
            if row.serial_key is not None:
                try:
                    async with session.begin_nested():
                        await session.execute(sa.insert(JobLock).values(serial_key=row.serial_key, job_id=row.id))
                except sa.exc.IntegrityError:
                    continue
            kept.append(row)
        return kept

    async def _perform(self, row: sa.Row[Any]) -> None:
        kind, handler = self._handlers[row.name]
        attempt = row.attempts + 1
        context = JobContext(self._database, row.id, row.workspace_id, attempt, attempt >= row.max_attempts)
        bound = structlog.contextvars.bound_contextvars(
            job=row.name, job_id=row.id, **({"workspace": str(row.workspace_id)} if row.workspace_id else {})
        )
        with bound:
            try:
                payload = msgspec.json.decode(row.payload, type=kind.payload)
                await asyncio.wait_for(handler(context, payload), kind.timeout.total_seconds())
            except Exception as error:
                final = isinstance(error, PermanentFailure) or context.last_attempt
                self.failed += 1
                log.warning("jobs.failed", attempt=attempt, final=final, exc_info=error)
                await self._finish(row, error=traceback.format_exc()[-KEEP_ERROR:], final=final)
            else:
                self.succeeded += 1
                await self._finish(row, error=None, final=True)

    async def _finish(self, row: sa.Row[Any], *, error: str | None, final: bool) -> None:
        now = clock.now()
        values: dict[str, Any] = {"owner": None, "lease_until": None, "error": error}
        if final:
            values |= {"state": State.DEAD if error else State.DONE, "finished_at": now, "unique_key": None}
        else:
            values |= {"state": State.READY, "run_at": now + backoff(row.attempts + 1)}
        async with self._database.transaction(None) as session:
            mine = sa.and_(Job.id == row.id, Job.owner == self.owner, Job.state == State.RUNNING)
            still_mine: Any = await session.execute(sa.update(Job).where(mine).values(**values))
            if not still_mine.rowcount:
                log.warning("jobs.lease_lost")  # reaped meanwhile: the lock, too, is somebody else's by now
            elif row.serial_key is not None:
                await session.execute(sa.delete(JobLock).where(JobLock.job_id == row.id))

    async def _renew(self, stop: asyncio.Event) -> None:
        """Keep the leases of running jobs, and give back what dead workers hold."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RENEW_EVERY.total_seconds())
            try:
                await self._extend()
                await self.reap()
            except Exception:
                log.exception("jobs.renew_failed")
            if stop.is_set():
                await asyncio.sleep(RENEW_EVERY.total_seconds())

    async def _extend(self) -> None:
        if not self._running:
            return
        async with self._database.transaction(None) as session:
            await session.execute(
                sa.update(Job)
                .where(Job.id.in_(list(self._running)), Job.owner == self.owner)
                .values(lease_until=clock.now() + LEASE)
            )

    async def reap(self) -> int:
        """Make runnable again what is leased to someone who stopped renewing; answers how many."""
        expired = sa.and_(Job.state == State.RUNNING, Job.lease_until < clock.now())
        async with self._database.reading(None) as session:
            if not (await session.execute(sa.select(Job.id).where(expired).limit(1))).first():
                return 0
        async with self._database.transaction(None) as session:
            ids = (await session.scalars(sa.select(Job.id).where(expired))).all()
            await session.execute(sa.delete(JobLock).where(JobLock.job_id.in_(ids)))
            over = sa.and_(Job.id.in_(ids), expired, Job.attempts >= Job.max_attempts)
            await session.execute(
                sa.update(Job)
                .where(over)
                .values(state=State.DEAD, owner=None, unique_key=None, finished_at=clock.now(), error="worker died")
            )
            again = (
                sa.update(Job).where(Job.id.in_(ids), expired).values(state=State.READY, owner=None, lease_until=None)
            )
            await session.execute(again)
        log.warning("jobs.reaped", count=len(ids))
        return len(ids)


async def prune(database: Database) -> int:
    """Remove jobs done more than `KEEP_DONE` ago; dead ones stay until a person has looked."""
    before = clock.now() - KEEP_DONE
    async with database.transaction(None) as session:
        removed = await session.execute(
            sa.delete(Job).where(Job.state == State.DONE, Job.finished_at < before).execution_options(**_PLAIN)
        )
    return int(getattr(removed, "rowcount", 0))


def backoff(attempt: int) -> timedelta:
    """Before the next try, after ``attempt`` failures."""
    seconds = BACKOFF[min(attempt, len(BACKOFF)) - 1]
    return timedelta(seconds=seconds * random.uniform(1 - JITTER, 1 + JITTER))
