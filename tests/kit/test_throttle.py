"""Limits on attempts, exact however many nodes count. F-AC-05."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

import kanal.kit.events  # noqa: F401 - the tables every database has
from kanal.kit import clock, throttle
from kanal.kit.db import Base, Database
from kanal.kit.errors import KanalError, Kind
from kanal.kit.ids import new_id
from kanal.kit.throttle import Attempts, Limit

TEN = Limit("test", 10, timedelta(minutes=15))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.close()


async def test_of_sixty_attempts_at_once_exactly_ten_pass(database: Database) -> None:
    other_node = Database(database.url.render_as_string(hide_password=False))
    tries = (throttle.attempt((database, other_node)[n % 2], (TEN, "sari")) for n in range(60))
    results = await asyncio.gather(*tries, return_exceptions=True)
    await other_node.close()
    assert [r for r in results if r is not None and not isinstance(r, KanalError)] == []
    assert results.count(None) == 10


async def test_the_refusal_says_when_to_come_back(database: Database) -> None:
    one = Limit("one", 1, timedelta(minutes=15))
    subject = str(new_id())
    await throttle.attempt(database, (one, subject))
    with pytest.raises(KanalError) as caught:
        await throttle.attempt(database, (one, subject))
    assert (caught.value.code, caught.value.kind) == ("rate.limited", Kind.RATE_LIMITED)
    assert caught.value.retry_after is not None
    assert 895 <= caught.value.retry_after <= 900
    await throttle.attempt(database, (one, "somebody else"))


async def test_a_window_that_ended_starts_anew(database: Database) -> None:
    one = Limit("window", 1, timedelta(minutes=15))
    await throttle.attempt(database, (one, "x"))
    async with database.transaction(None) as session:
        change = sa.update(Attempts).where(Attempts.key == throttle.key_of(one, "x"))
        await session.execute(change.values(until=clock.now() - timedelta(milliseconds=1)))
    await throttle.attempt(database, (one, "x"))
    with pytest.raises(KanalError):
        await throttle.attempt(database, (one, "x"))


async def test_a_success_is_taken_back_and_never_below_zero(database: Database) -> None:
    one = Limit("success", 1, timedelta(minutes=15))
    for _ in range(3):
        await throttle.attempt(database, (one, "x"))
        await throttle.forgive(database, (one, "x"))
    await throttle.forgive(database, (one, "x"))
    await throttle.attempt(database, (one, "x"))
    with pytest.raises(KanalError):
        await throttle.attempt(database, (one, "x"))


async def test_one_attempt_counts_against_several_limits(database: Database) -> None:
    narrow, wide = Limit("narrow", 1, timedelta(minutes=1)), Limit("wide", 2, timedelta(hours=1))
    await throttle.attempt(database, (narrow, "a"), (wide, "ip"))
    await throttle.attempt(database, (narrow, "b"), (wide, "ip"))
    with pytest.raises(KanalError) as caught:
        await throttle.attempt(database, (narrow, "b"), (wide, "ip"))
    assert (caught.value.retry_after or 0) > 60, "the longest of the waits"


async def test_ended_windows_are_pruned(database: Database) -> None:
    gone = Limit("gone", 1, timedelta(milliseconds=-1))
    await throttle.attempt(database, (gone, "x"))
    await throttle.prune(database)
    async with database.reading(None) as session:
        assert await session.get(Attempts, throttle.key_of(gone, "x")) is None
