"""Hand-written SQL belongs to the session's transaction on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

import kanal.kit.events  # noqa: F401 - the tables every database has
from kanal.kit import clock
from kanal.kit.db import Base, Database, Statement
from kanal.kit.throttle import Attempts

KEY = b"k" * 32
INSERT = Statement("INSERT INTO {throttles} (throttle_key, hits, ends_at) VALUES (:key, 1, 1)")
COUNT = Statement("SELECT COUNT(*) FROM {throttles} WHERE throttle_key = :key")


class Stop(Exception):
    """Ends a transaction."""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    async with made.transaction(None) as session:
        await session.execute(sa.delete(Attempts))
    await made.close()


async def count(database: Database) -> int:
    async with database.hot(None) as reader:
        return int((await reader.fetch(COUNT, key=KEY))[0][0])


async def test_a_statement_that_comes_first_is_rolled_back_with_the_rest(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction(None) as session:
            await session.fetch(INSERT, key=KEY)
            raise Stop

    with pytest.raises(Stop):
        await fail()
    assert await count(database) == 0


async def test_a_statement_is_visible_to_others_after_the_commit_only(database: Database) -> None:
    async with database.transaction(None) as session:
        await session.fetch(INSERT, key=KEY)
        assert await count(database) == 0
        assert (await session.fetch(COUNT, key=KEY))[0][0] == 1
    assert await count(database) == 1


async def test_it_sees_what_the_orm_wrote_before(database: Database) -> None:
    async with database.transaction(None) as session:
        session.add(Attempts(key=KEY, hits=1, until=clock.now()))
        assert (await session.fetch(COUNT, key=KEY))[0][0] == 1
