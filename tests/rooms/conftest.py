"""Worlds for rooms: on each of the three databases where rows matter, on SQLite alone where they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.support.services import MariaDB, Postgres, Server
from tests.support.world import World, migrate_now, open_world


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    return migrate_now(f"sqlite:///{tmp_path_factory.mktemp('rooms') / 'kanal.db'}")


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb: tuple[MariaDB, Server], database_name: Callable[[], str]) -> str:
    service, server = mariadb
    return migrate_now(service.create_database(server, database_name()))


@pytest.fixture(scope="session")
def migrated_postgres(postgres: tuple[Postgres, Server], database_name: Callable[[], str]) -> str:
    service, server = postgres
    return migrate_now(service.create_database(server, database_name()))


@pytest.fixture(params=["sqlite", "mariadb", "postgres"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """Each of the three in turn. Tests share them and found workspaces of their own."""
    url: str = request.getfixturevalue(f"migrated_{request.param}")
    return url


@pytest.fixture
async def world(migrated_url: str) -> AsyncIterator[World]:
    """On SQLite, MariaDB and PostgreSQL in turn."""
    async with open_world(migrated_url) as made:
        yield made


@pytest.fixture
async def home(migrated_sqlite: str) -> AsyncIterator[World]:
    """On SQLite only."""
    async with open_world(migrated_sqlite) as made:
        yield made
