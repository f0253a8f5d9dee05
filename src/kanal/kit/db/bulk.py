"""Many rows in one INSERT, on any database, with the keys the database gave them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kanal.kit.db.statement import TENANT, Statement

if TYPE_CHECKING:
    from kanal.kit.db.database import Session

CHUNK = 100  # rows per statement: 100 rows of 25 columns stay under SQLite's and PostgreSQL's parameter limits


@lru_cache(maxsize=512)
def _statement(table: str, columns: tuple[str, ...], rows: int, returning: str | None) -> Statement:
    values = ", ".join("(" + ", ".join(f":{c}_{i}" for c in columns) + ")" for i in range(rows))
    sql = f"INSERT INTO {{{table}}} ({', '.join(columns)}) VALUES {values}"
    return Statement(
        sql + (f" RETURNING {returning}" if returning else ""), across_tenants="rows are checked one by one"
    )


async def insert_rows(session: Session, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows given in the order of ``columns``. A row of another workspace raises ``ValueError``."""
    _check(session, columns, rows)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        await session.fetch(_statement(table, columns, len(chunk), None), **_values(columns, chunk))


async def insert_counted(
    session: Session, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]], key: str
) -> list[int]:
    """The same, answering the auto-increment key of each row, in order.

    SQLite, PostgreSQL and MariaDB return them. MySQL 8 cannot, but numbers the rows of one simple INSERT consecutively
    (``innodb_autoinc_lock_mode`` documentation, "simple inserts"), so the first one is enough; that also spares MariaDB
    the bigger answer.
    """
    _check(session, columns, rows)
    keys: list[int] = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        values = _values(columns, chunk)
        if session.dialect == "mysql":
            await session.fetch(_statement(table, columns, len(chunk), None), **values)
            first = int((await session.fetch(_LAST_KEY))[0][0])
            keys.extend(range(first, first + len(chunk)))
        else:
            answer = await session.fetch(_statement(table, columns, len(chunk), key), **values)
            keys.extend(sorted(int(row[0]) for row in answer))
    return keys


async def insert_unless_there(
    session: Session, table: str, columns: tuple[str, ...], row: Sequence[Any], *, key: str
) -> None:
    """One row, or nothing when another has the same value in the unique column ``key``, also one not committed yet."""
    _check(session, columns, [row])
    await session.fetch(_ignoring(table, columns, key, session.dialect), **_values(columns, [row]))


@lru_cache(maxsize=32)
def _ignoring(table: str, columns: tuple[str, ...], key: str, dialect: str) -> Statement:
    sql = _statement(table, columns, 1, None).sql
    if dialect == "mysql":
        sql = sql.replace("INSERT INTO", "INSERT IGNORE INTO", 1)
    else:
        sql += f" ON CONFLICT ({key}) DO NOTHING"
    return Statement(sql, across_tenants="rows are checked one by one")


_LAST_KEY = Statement("SELECT LAST_INSERT_ID()")


def _check(session: Session, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    if TENANT not in columns or session.workspace_id is None:
        return
    at = columns.index(TENANT)
    if any(row[at] != session.workspace_id for row in rows):
        raise ValueError("a row of another workspace")


def _values(columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {f"{c}_{i}": v for i, row in enumerate(rows) for c, v in zip(columns, row, strict=True)}
