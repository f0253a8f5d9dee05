"""SQLite executed where the event loop runs, without a thread hop per statement.

A statement on the embedded database takes 5-30 us; handing it to a thread and back takes several times that and lets the
interpreter lock decide when it comes back (docs/decisions/0002 has the figures). SQLAlchemy's async engine only asks that
a dialect says it is asynchronous; this one simply never needs to wait. What may take long (exports, retention) goes
through `Database.scan`, which uses threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

LOCK_TIMEOUT = 10.0  # seconds another process may hold the write lock before a request fails
PAGE_CACHE = -16_000  # kB, per connection
CHECKPOINT_EVERY = 0.5  # seconds
CHECKPOINT_ABOVE = 1024 * 1024  # bytes of write-ahead log; less is not worth a look
OVERDUE_PAGES = 20_000  # 80 MB: a commit checkpoints by itself only when the one in the background does not keep up
MEMORY_MAP = 128 * 1024 * 1024  # bytes


class InlineCursor(sqlite3.Cursor):
    """A cursor with the one coroutine that SQLAlchemy's async layer calls on it."""

    async def _async_soft_close(self) -> None:
        """Nothing is held open: rows are fetched at once."""


class InlineConnection(sqlite3.Connection):
    """A connection that makes such cursors."""

    def cursor(self, factory: Any = InlineCursor) -> Any:
        return super().cursor(factory)


class InlineSqliteDialect(SQLiteDialect_pysqlite):
    """pysqlite, declared fit for an async engine."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: sa.URL) -> type[sa.Pool]:
        return AsyncAdaptedQueuePool


registry.register("sqlite.inline", __name__, "InlineSqliteDialect")


def prepare(connection: sqlite3.Connection, *, readonly: bool) -> None:
    """The settings of every connection. WAL keeps each commit through a killed process; a reader never blocks a writer."""
    connection.isolation_level = None  # the driver must not open transactions behind our back
    for pragma in (
        "journal_mode=wal",
        "synchronous=normal",
        "foreign_keys=on",
        "busy_timeout=0",
        f"wal_autocheckpoint={OVERDUE_PAGES}",
        "temp_store=memory",
        f"cache_size={PAGE_CACHE}",
        f"mmap_size={MEMORY_MAP}",
        f"query_only={'on' if readonly else 'off'}",
    ):
        connection.execute(f"pragma {pragma}").close()
    teach(connection)


def teach(connection: Any) -> None:
    """What SQLite lacks: its own ``lower`` knows the 26 letters of ASCII only, so "École" would not be "école"."""
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def make_engine(path: str, *, readonly: bool, size: int) -> AsyncEngine:
    """An inline engine. The writer has exactly one connection, so its pool is the queue of writers."""
    engine = create_async_engine(
        sa.URL.create("sqlite+inline", database=path),
        pool_size=size,
        max_overflow=0,
        pool_timeout=LOCK_TIMEOUT,
        connect_args={"check_same_thread": False, "cached_statements": 512, "factory": InlineConnection},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        prepare(connection, readonly=readonly)

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        if readonly:
            connection.exec_driver_sql("BEGIN")
        else:
            begin_immediate(connection)

    return engine


async def checkpoint_until(stop: asyncio.Event, path: str) -> None:
    """Move the write-ahead log into the database file in a thread, so that no commit on the loop waits for the disk."""
    log = Path(path + "-wal")
    written = 0

    def checkpoint() -> None:
        nonlocal written
        try:
            state = log.stat()
        except FileNotFoundError:
            return
        if state.st_size < CHECKPOINT_ABOVE or state.st_mtime_ns == written:
            return
        written = state.st_mtime_ns
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("pragma wal_checkpoint(passive)").close()

    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), CHECKPOINT_EVERY)
        await asyncio.to_thread(checkpoint)


def make_scanning_engine(path: str) -> AsyncEngine:
    """For reads that may take long: each connection has a thread of its own."""
    engine = create_async_engine(sa.URL.create("sqlite+aiosqlite", database=path), pool_size=2)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        teach(connection)

    return engine


def begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock now, waiting without blocking the loop while another process holds it.

    Waiting until the first write would let two transactions read the same state and then fail one of them.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except sa.exc.OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
        await_only(asyncio.sleep(0.005))
