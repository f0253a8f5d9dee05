"""From the log to the sockets: at once after a commit, and again for whatever was left behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
import structlog

from kanal.kit import clock
from kanal.kit.db import Database, Statement, as_id
from kanal.kit.events.log import StoredEvent
from kanal.kit.events.models import Event
from kanal.kit.tenancy import across_tenants

SWEEP_EVERY = 1.0  # seconds
SWEEP_AFTER = timedelta(seconds=3)  # an event younger than this is still in the hands of its own process
SWEEP_BATCH = 500
MARK_EVERY = 0.25  # seconds between two UPDATEs that mark events as published
KEEP = timedelta(hours=72)
PRUNE_BATCH = 5_000

log = structlog.get_logger(__name__)
_EVERYWHERE = {"synchronize_session": False, **across_tenants("the log is published and pruned for all workspaces")}

_UNPUBLISHED = Statement(
    "SELECT sequence, id, workspace_id, name, channels, payload, except_socket FROM {events}"
    " WHERE published = 0 AND created_at < :before ORDER BY sequence LIMIT :size",
    across_tenants="the relay publishes for every workspace",
)


class Outlet(Protocol):
    """Where published events go: the socket servers."""

    async def deliver(self, events: Sequence[StoredEvent]) -> bool:
        """True when every node got them; False leaves them to the next sweep."""
        ...


class Relay:
    """Publishes and marks. Several may run at once: a repeated event is ignored by whoever applied it."""

    def __init__(self, database: Database, outlet: Outlet) -> None:
        self._database = database
        self._outlet = outlet
        self._done: list[int] = []
        self._wake = asyncio.Event()
        self.published = 0
        self.swept = 0

    async def announce(self, outbox: dict[str, Any]) -> None:
        """The `Database.after_commit` hook."""
        events: list[StoredEvent] | None = outbox.get("events")
        if not events:
            return
        try:
            complete = await self._outlet.deliver(events)
        except Exception:
            log.exception("events.publish_failed", count=len(events))
            return
        self.published += len(events)
        if complete:
            self._done.extend(e.sequence for e in events)

    async def run(self, stop: asyncio.Event) -> None:
        """Mark and sweep until stopped; what is marked last is marked before returning."""
        swept_at = 0.0
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            try:
                await self.mark()
                if loop.time() - swept_at >= SWEEP_EVERY:
                    swept_at = loop.time()
                    await self.sweep()
            except Exception:
                log.exception("events.relay_failed")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), SWEEP_EVERY)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), MARK_EVERY)
        await self.mark()

    async def mark(self) -> None:
        """Remember as published what went out since the last call."""
        if not self._done:
            return
        done, self._done = self._done, []
        try:
            async with self._database.transaction(None) as session:
                for start in range(0, len(done), SWEEP_BATCH):
                    chunk = done[start : start + SWEEP_BATCH]
                    await session.execute(
                        sa.update(Event).where(Event.sequence.in_(chunk)).values(published=1),
                        execution_options=_EVERYWHERE,
                    )
        except Exception:
            self._done = done + self._done
            raise

    async def sweep(self) -> int:
        """Publish what nobody did; answers how many."""
        before = clock.to_milliseconds(clock.now() - SWEEP_AFTER)
        async with self._database.hot(None) as reader:
            rows = await reader.fetch(_UNPUBLISHED, before=before, size=SWEEP_BATCH)
        known = set(self._done)
        events = [stored_event(r) for r in rows if r[0] not in known]
        if events and await self._outlet.deliver(events):
            self._done.extend(e.sequence for e in events)
            self.swept += len(events)
            await self.mark()
        return len(events)


def stored_event(row: Sequence[Any]) -> StoredEvent:
    sequence, id_, workspace, name, channels, payload, socket = row
    return StoredEvent(
        sequence,
        as_id(id_),
        None if workspace is None else as_id(workspace),
        name,
        msgspec.json.decode(channels, type=list[str]),
        payload,
        socket,
    )


async def prune(database: Database) -> int:
    """Remove events older than 72 h, up to the first that is not published, so that the log has no holes; and never the
    newest row, which tells how far the log once reached."""
    before = clock.now() - KEEP
    removed = 0
    while True:
        async with database.transaction(None) as session:
            newest = await session.scalar(sa.select(sa.func.max(Event.sequence)), execution_options=_EVERYWHERE)
            unpublished = sa.select(sa.func.min(Event.sequence)).where(Event.published == 0)
            waiting = await session.scalar(unpublished, execution_options=_EVERYWHERE)
            end = min((n for n in (newest, waiting) if n is not None), default=0)
            keys = (
                await session.scalars(
                    sa.select(Event.sequence)
                    .where(Event.created_at < before, Event.sequence < end)
                    .order_by(Event.sequence)
                    .limit(PRUNE_BATCH),
                    execution_options=_EVERYWHERE,
                )
            ).all()
            if keys:
                await session.execute(sa.delete(Event).where(Event.sequence.in_(keys)), execution_options=_EVERYWHERE)
        removed += len(keys)
        if len(keys) < PRUNE_BATCH:
            return removed
