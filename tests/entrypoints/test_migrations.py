"""One history for three databases, which ends at what the models say (F-OP-05)."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from kanal.entrypoints.migrate import is_current, migrate
from kanal.entrypoints.models import metadata
from kanal.kit.db import Database, apply_prefix
from tests.support.services import MariaDB, Postgres, Server

LONGEST_PREFIX = "twenty_letters_long_"
OWN = {"prefix": "", "version_table": "kanal_version"}


@pytest.fixture(params=["sqlite", "mariadb", "postgres"])
def url(request: pytest.FixtureRequest, database_name: Callable[[], str]) -> str:
    """An empty database of the test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path') / 'kanal.db'}"
    service: MariaDB | Postgres
    server: Server
    service, server = request.getfixturevalue(request.param)
    return service.create_database(server, database_name())


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    made = Database(url)
    yield made
    await made.close()


@pytest.fixture
def long_prefix() -> Iterator[str]:
    """The longest one allowed, for a database shared with another application."""
    apply_prefix(LONGEST_PREFIX)
    yield LONGEST_PREFIX
    apply_prefix("")


def differences(connection: sa.Connection) -> list[Any]:
    """What alembic would change, the full-text index aside: that one is each database's own."""

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return not (name and ((kind == "table" and "message_fts" in name) or "message_terms_search" in name))

    options = {
        "target_metadata": metadata,
        "version_table": "kanal_version",
        "include_name": ours,
        "compare_type": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # the full-text index is an expression on PostgreSQL
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


Shape = dict[str, tuple[set[str], int, int, int]]


def shape(connection: sa.Connection, prefix: str) -> Shape:
    """Of each of our tables its columns and how many indexes, unique keys and references it has."""
    inspector = sa.inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        return {
            name.removeprefix(prefix): (
                {column["name"] for column in inspector.get_columns(name)},
                len(inspector.get_indexes(name)),
                len(inspector.get_unique_constraints(name)),
                len(inspector.get_foreign_keys(name)),
            )
            for name in inspector.get_table_names()
            if name.startswith(prefix) and "message_fts" not in name
        }


async def look(database: Database, prefix: str = "") -> Shape:
    async with database.engine.connect() as connection:
        return await connection.run_sync(shape, prefix)


async def test_the_history_ends_at_the_models(database: Database) -> None:
    assert not await is_current(database, **OWN)
    await migrate(database, **OWN)
    assert await is_current(database, **OWN)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_running_it_again_changes_nothing(database: Database) -> None:
    options = {"prefix": "", "version_table": "versions_of_kanal"}
    await migrate(database, **options)
    before = await look(database)
    await migrate(database, **options)
    assert await look(database) == before
    assert set(before) == {*metadata.tables, "versions_of_kanal"}


async def test_nodes_that_start_at_once_migrate_once(url: str) -> None:
    databases = [Database(url) for _ in range(3)]
    await asyncio.gather(*(migrate(d, **OWN) for d in databases))
    for database in databases:
        assert await is_current(database, **OWN)
        await database.close()


async def test_a_shared_database_holds_several_side_by_side(database: Database, long_prefix: str) -> None:
    """Another application's tables, and two of ours: no name of table, key or index collides, none is touched."""

    def make_theirs(connection: sa.Connection) -> None:
        connection.execute(sa.text("CREATE TABLE rooms (theirs INTEGER)"))

    async with database.engine.begin() as connection:
        await connection.run_sync(make_theirs)
    await migrate(database, prefix=long_prefix, version_table="kanal_version")
    assert await is_current(database, prefix=long_prefix, version_table="kanal_version")
    apply_prefix("two_")
    await migrate(database, prefix="two_", version_table="kanal_version")
    ours = await look(database, long_prefix)
    assert ours == await look(database, "two_")
    assert set(ours) == {*metadata.tables, "kanal_version"}
    everything = await look(database)
    assert everything["rooms"] == ({"theirs"}, 0, 0, 0)
    assert all(name.startswith((long_prefix, "two_")) for name in everything if name != "rooms")
