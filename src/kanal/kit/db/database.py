"""`Database`: opens sessions for a workspace, commits once at the edge, and announces what was committed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from kanal.kit.db import sqlite
from kanal.kit.db.drivers import Driver, MysqlDriver, PostgresDriver, Row, Slow, SqliteDriver
from kanal.kit.db.statement import TENANT, Statement

POOL_SIZE = 10  # connections per engine and process; a message insert holds one for about a millisecond
READERS = 4  # inline SQLite readers: statements never overlap, only transactions do

BeforeCommit = Callable[["Session"], Awaitable[None]]
AfterCommit = Callable[[dict[str, Any]], Awaitable[None]]


class GuardedSession(orm.Session):
    """The synchronous half, on which the tenancy guard listens (`kanal.kit.tenancy`)."""


class Session(AsyncSession):
    """A unit of work for one workspace, or for none (then tenant tables cannot be touched).

    ``outbox`` gathers what must be stored in the same transaction and announced after it: see `kanal.kit.events.record`
    and `kanal.kit.jobs.enqueue`.
    """

    sync_session_class = GuardedSession

    def __init__(self, engine: AsyncEngine, driver: Driver, workspace_id: UUID | None) -> None:
        super().__init__(engine, expire_on_commit=False, autoflush=True)
        self._driver = driver
        self.workspace_id = workspace_id
        self.outbox: dict[str, Any] = {}
        self._raw: Any = None  # the driver's own connection, good for as long as this session's one transaction
        self.info["workspace_id"] = workspace_id

    @property
    def dialect(self) -> str:
        """``sqlite``, ``mysql`` (also for MariaDB) or ``postgresql``."""
        return self._driver.dialect

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        """Run hand-written SQL in this transaction; ``:workspace_id`` is bound to the session's own workspace.

        Raises `DuplicateError` and `ConflictError`; anything else is the driver's own. After any of them let the transaction
        end: SQLAlchemy does not see these failures, so a savepoint does not mend them.
        """
        if TENANT in values and self.workspace_id is not None and values[TENANT] != self.workspace_id:
            raise ValueError("a session speaks for one workspace only")
        if self.new or self.dirty or self.deleted:
            await self.flush()
        if self._raw is None:
            raw = await (await self.connection()).get_raw_connection()
            await _begin(raw)
            self._raw = _driver_connection(raw)
        values[TENANT] = self.workspace_id
        return await _timed(self._driver, self._raw, statement, values)


async def _timed(driver: Driver, connection: Any, statement: Statement, values: dict[str, Any]) -> list[Row]:
    started = time.perf_counter()
    rows = await driver.fetch(connection, statement, values)
    took = time.perf_counter() - started
    if took > driver.slow.after:
        driver.slow.report(statement.sql, took)
    return rows


async def _begin(raw: Any) -> None:
    """SQLAlchemy opens asyncpg's transaction with the first statement that passes through its own cursor; ours do not."""
    adapter = raw.dbapi_connection
    if type(adapter).__name__ == "AsyncAdapt_asyncpg_connection" and not adapter._started:
        await adapter._start_transaction()


def _driver_connection(raw: Any) -> Any:
    connection = raw.driver_connection
    return (
        getattr(connection, "_connection", connection)
        if type(connection).__name__.startswith("AsyncAdapt")
        else connection
    )


class Reader:
    """Hand-written reads on a raw connection, bound to a workspace."""

    __slots__ = ("_connection", "_driver", "workspace_id")

    def __init__(self, driver: Driver, connection: Any, workspace_id: UUID | None) -> None:
        self._driver = driver
        self._connection = connection
        self.workspace_id = workspace_id

    @property
    def dialect(self) -> str:
        return self._driver.dialect

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        values[TENANT] = self.workspace_id
        return await _timed(self._driver, self._connection, statement, values)


class Database:
    """One database and its engines.

    URLs: ``sqlite:////absolute/path``, ``mariadb://`` or ``mysql://``, ``postgresql://``. Raises ``ValueError`` on any
    other. Nothing is opened before first use.
    """

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE) -> None:
        parsed = sa.make_url(url)
        family = parsed.get_backend_name()
        self.url = parsed
        self.before_commit: list[BeforeCommit] = []
        self.after_commit: list[AfterCommit] = []
        self.driver: Driver
        if family == "sqlite":
            path = parsed.database
            if not path or path == ":memory:":
                raise ValueError("SQLite needs a file: sqlite:////absolute/path")
            self.engine = sqlite.make_engine(path, readonly=False, size=1)
            self._reading = sqlite.make_engine(path, readonly=True, size=READERS)
            self._scanning = sqlite.make_scanning_engine(path)
            self.driver = SqliteDriver(path)
        elif family in ("mysql", "mariadb"):
            self.engine = self._reading = self._scanning = create_async_engine(
                parsed.set(drivername=f"{family}+asyncmy", query={**parsed.query, "charset": "utf8mb4"}),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_recycle=600,
                isolation_level="READ COMMITTED",
            )
            self.driver = MysqlDriver(parsed, pool_size)
        elif family == "postgresql":
            self.engine = self._reading = self._scanning = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_recycle=600,
                isolation_level="READ COMMITTED",
            )
            self.driver = PostgresDriver(parsed, pool_size)
        else:
            raise ValueError(f"unknown database {family!r}: use sqlite, mariadb, mysql or postgresql")

    @property
    def dialect(self) -> str:
        return self.driver.dialect

    @contextlib.asynccontextmanager
    async def transaction(self, workspace_id: UUID | None) -> AsyncIterator[Session]:
        """A writing session: committed when the block ends, rolled back when it raises.

        Events and jobs gathered in the session are stored right before the commit and announced right after it. An
        announcement that fails is not an error of the caller: the relay repeats it.
        """
        async with Session(self.engine, self.driver, workspace_id) as session:
            async with session.begin():
                yield session
                for before in self.before_commit:
                    await before(session)
            outbox = session.outbox
        if outbox:
            for after in self.after_commit:
                await after(outbox)

    @contextlib.asynccontextmanager
    async def reading(self, workspace_id: UUID | None) -> AsyncIterator[Session]:
        """A session for reads; it never commits (a replica's place, later)."""
        async with Session(self._reading, self.driver, workspace_id) as session:
            yield session

    @contextlib.asynccontextmanager
    async def scan(self, workspace_id: UUID | None) -> AsyncIterator[Session]:
        """A session for reads that may take long: off the event loop's thread on SQLite."""
        async with Session(self._scanning, self.driver, workspace_id) as session:
            yield session

    @contextlib.asynccontextmanager
    async def hot(self, workspace_id: UUID | None) -> AsyncIterator[Reader]:
        """Hand-written reads in autocommit, as near to the driver as it gets."""
        async with self.driver.reading() as connection:
            yield Reader(self.driver, connection, workspace_id)

    async def maintain(self, stop: asyncio.Event) -> None:
        """What the embedded database wants done in the background; nothing with a server."""
        if self.dialect == "sqlite" and self.url.database:
            await sqlite.checkpoint_until(stop, self.url.database)

    async def ping(self) -> None:
        """Raises whatever the driver raises when the database cannot answer."""
        async with self.hot(None) as reader:
            await reader.fetch(Statement("SELECT 1"))

    async def close(self) -> None:
        await self.driver.close()
        for engine in {self.engine, self._reading, self._scanning}:
            await engine.dispose()

    def engines(self) -> Sequence[AsyncEngine]:
        return list({self.engine, self._reading, self._scanning})


def listen_for_slow_queries(database: Database, threshold: float, report: Callable[[str, float], None]) -> None:
    """Call ``report(sql, seconds)`` for every statement that takes over ``threshold`` seconds, whichever way it goes."""
    database.driver.slow = Slow(threshold, report)
    for engine in database.engines():

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def before(connection: sa.Connection, *_: Any) -> None:
            connection.info["started"] = time.perf_counter()

        @event.listens_for(engine.sync_engine, "after_cursor_execute")
        def after(connection: sa.Connection, _cursor: Any, sql: str, *_: Any) -> None:
            took = time.perf_counter() - connection.info.get("started", time.perf_counter())
            if took > threshold:
                report(sql, took)
