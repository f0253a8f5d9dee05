"""How each driver runs a `Statement`: the few lines that differ between sqlite3, asyncmy and asyncpg."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncmy
import asyncmy.errors
import asyncpg
import sqlalchemy as sa

from kanal.kit.db.sqlite import prepare
from kanal.kit.db.statement import Statement, bind

Row = Sequence[Any]


@dataclass(frozen=True)
class Slow:
    """Statements over ``after`` seconds are reported with their SQL and seconds."""

    after: float
    report: Callable[[str, float], None]


NEVER = Slow(float("inf"), lambda _sql, _seconds: None)


class DuplicateError(Exception):
    """A unique key refused a row."""


class ConflictError(Exception):
    """The database let another transaction go first (deadlock, lock time-out, serialization); trying again may work."""


def is_conflict(error: BaseException) -> bool:
    """Whether this failure is a lost race, in whichever way it reached us (a `Statement`, or SQLAlchemy's own wrapping)."""
    if isinstance(error, ConflictError):
        return True
    origin = getattr(error, "orig", None)
    code = origin.args[0] if origin is not None and origin.args else None
    return code in MYSQL_CONFLICTS or getattr(origin, "sqlstate", None) in POSTGRES_CONFLICTS


POSTGRES_CONFLICTS = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available
MYSQL_DUPLICATE = 1062
MYSQL_CONFLICTS = (1205, 1213, 1020)  # lock wait time-out, deadlock, record has changed


class Driver(Protocol):
    """Runs statements on raw connections of one database and keeps a small pool of them for hot reads."""

    dialect: str
    slow: Slow

    async def fetch(self, connection: Any, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        """All rows of a statement on this raw connection."""
        ...

    def reading(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """A raw connection in autocommit for a few reads."""
        ...

    async def close(self) -> None: ...


class SqliteDriver:
    """One read-only connection serves every hot read: a statement is over before the loop goes on."""

    dialect = "sqlite"
    slow = NEVER

    def __init__(self, path: str) -> None:
        self._path = path
        self._reader: sqlite3.Connection | None = None

    async def fetch(self, connection: sqlite3.Connection, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        sql, names = statement.render("sqlite")
        try:
            return sqlite3.Cursor(connection).execute(sql, bind(names, values, "sqlite")).fetchall()
        except sqlite3.IntegrityError as error:
            if "UNIQUE" in str(error):
                raise DuplicateError from error
            raise

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[sqlite3.Connection]:
        if self._reader is None:
            self._reader = sqlite3.connect(self._path, check_same_thread=False, cached_statements=512)
            prepare(self._reader, readonly=True)
        yield self._reader

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class _Pooled(abc.ABC):
    """What asyncmy's and asyncpg's pools have in common: made on first use, once."""

    def __init__(self, url: sa.URL, size: int) -> None:
        self._url = url
        self._size = size
        self._pool: Any = None
        self._making = asyncio.Lock()

    @abc.abstractmethod
    async def _make(self) -> Any:
        """The driver's own pool."""

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        if self._pool is None:
            async with self._making:
                if self._pool is None:
                    self._pool = await self._make()
        async with self._pool.acquire() as connection:
            yield connection


class MysqlDriver(_Pooled):
    """MariaDB and MySQL over asyncmy."""

    dialect = "mysql"
    slow = NEVER

    async def _make(self) -> Any:
        return await asyncmy.create_pool(
            minsize=1,
            maxsize=self._size,
            host=self._url.host,
            port=self._url.port or 3306,
            user=self._url.username,
            password=self._url.password or "",
            db=self._url.database,
            charset="utf8mb4",
            autocommit=True,
            pool_recycle=600,
            init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        )

    async def fetch(self, connection: Any, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        sql, names = statement.render("mysql")
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(sql, bind(names, values, "mysql"))
                return list(await cursor.fetchall()) if cursor.description else []
        except asyncmy.errors.MySQLError as error:
            code = error.args[0] if error.args else None
            if code == MYSQL_DUPLICATE:
                raise DuplicateError from error
            if code in MYSQL_CONFLICTS:
                raise ConflictError from error
            raise

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            await self._pool.wait_closed()
            self._pool = None


class PostgresDriver(_Pooled):
    """PostgreSQL over asyncpg."""

    dialect = "postgresql"
    slow = NEVER

    async def _make(self) -> Any:
        return await asyncpg.create_pool(
            min_size=1,
            max_size=self._size,
            host=self._url.host,
            port=self._url.port or 5432,
            user=self._url.username,
            password=self._url.password,
            database=self._url.database,
        )

    async def fetch(self, connection: Any, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
        sql, names = statement.render("postgresql")
        try:
            rows: list[Row] = await connection.fetch(sql, *bind(names, values, "postgresql"))
        except asyncpg.UniqueViolationError as error:
            raise DuplicateError from error
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError) as error:
            raise ConflictError from error
        return rows

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
