"""Bringing a database to this version's schema: one history for all three databases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kanal.kit.db import Database

LOCK_NAME = "kanal_migrate"
LOCK_TIMEOUT = 120  # seconds another node may migrate before this one gives up


def _folder() -> Path:
    """Beside the package when installed, at the top of the tree when developed."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def head() -> str:
    """The newest revision: files are named ``0001_what_it_does.py`` after the revision they bring."""
    return max(file.name.partition("_")[0] for file in (_folder() / "versions").glob("[0-9]*_*.py"))


def _config(connection: sa.Connection | None, prefix: str, version_table: str) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, prefix=prefix, version_table=prefix + version_table)
    return config


async def migrate(database: Database, *, prefix: str, version_table: str) -> None:
    """Run what has not run yet. Several nodes may start at once: one migrates, the others wait for it.

    Alembic is loaded only when there is something to do: it is memory and start-up time of every process otherwise.
    """
    if await is_current(database, prefix=prefix, version_table=version_table):
        return
    from alembic import command

    async with _alone(database), database.engine.begin() as connection:
        await connection.run_sync(lambda c: command.upgrade(_config(c, prefix, version_table), "head"))


async def is_current(database: Database, *, prefix: str, version_table: str) -> bool:
    """Whether the schema is the one this version of Kanal was written for."""

    table = sa.table(prefix + version_table, sa.column("version_num"))

    def look(connection: sa.Connection) -> bool:
        if not sa.inspect(connection).has_table(table.name):
            return False
        return connection.scalars(sa.select(table.c.version_num)).all() == [head()]

    async with database.engine.connect() as connection:
        return await connection.run_sync(look)


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """A lock across nodes. SQLite needs none: its migration is one exclusive transaction."""
    if database.dialect == "sqlite":
        yield
        return
    async with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            await connection.execute(sa.text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": LOCK_NAME})
        else:
            answer = await connection.scalar(
                sa.text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK_NAME, "seconds": LOCK_TIMEOUT}
            )
            if answer != 1:
                raise TimeoutError("another node has been migrating for too long")
        try:
            yield
        finally:
            release = (
                "SELECT pg_advisory_unlock(hashtext(:name))"
                if database.dialect == "postgresql"
                else "SELECT RELEASE_LOCK(:name)"
            )
            await asyncio.shield(connection.execute(sa.text(release), {"name": LOCK_NAME}))


def new_revision(database: Database, message: str, connection: sa.Connection, **options: Any) -> None:
    """Write a migration from the difference between models and database (developers)."""
    from alembic import command

    command.revision(_config(connection, **options), message, autogenerate=True)
