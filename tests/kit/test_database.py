"""Hand-written SQL on three databases, many rows at once, and SQLite's one writer (F-OP-05)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import kanal.entrypoints.models  # noqa: F401 - all tables
from kanal.kit import clock
from kanal.kit.db import Base, Database, DuplicateError, Statement, apply_prefix
from kanal.kit.db.bulk import CHUNK, insert_counted, insert_rows
from kanal.kit.ids import new_id, parse_id
from kanal.kit.jobs.models import Schedule

COLUMNS = ("workspace_id", "id", "name", "channels", "payload", "except_socket", "created_at")
READ = Statement("SELECT next_at FROM {schedules} WHERE name = :name")
WRITE = Statement("UPDATE {schedules} SET next_at = next_at + 1 WHERE name = :name")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.close()


@pytest.fixture
async def home(sqlite_url: str) -> AsyncIterator[Database]:
    made = Database(sqlite_url)
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.close()


async def counter(database: Database) -> str:
    """A row to count in."""
    name = str(new_id())
    async with database.transaction(None) as session:
        session.add(Schedule(name=name, next_at=clock.EPOCH))
    return name


async def value(database: Database, name: str) -> int:
    async with database.hot(None) as reader:
        return int((await reader.fetch(READ, name=name))[0][0])


class TestStatements:
    @pytest.mark.parametrize(
        ("dialect", "sql", "names"),
        [
            ("sqlite", "SELECT a FROM throttles WHERE a = ? AND b LIKE '%x' AND c = ?", ("one", "one")),
            ("mysql", "SELECT a FROM throttles WHERE a = %s AND b LIKE '%%x' AND c = %s FOR UPDATE", ("one", "one")),
            ("postgresql", "SELECT a FROM throttles WHERE a = $1 AND b LIKE '%x' AND c = $1 FOR UPDATE", ("one",)),
        ],
    )
    def test_one_text_for_three_drivers(self, dialect: str, sql: str, names: tuple[str, ...]) -> None:
        statement = Statement("SELECT a FROM {throttles} WHERE a = :one AND b LIKE '%x' AND c = :one {FOR UPDATE}")
        rendered, order = statement.render(dialect)
        assert (rendered.strip(), order) == (sql, names)

    def test_a_cast_is_no_parameter(self) -> None:
        assert Statement("SELECT a::text, :b").render("postgresql") == ("SELECT a::text, $1", ("b",))

    def test_tables_have_the_prefix_of_the_moment(self) -> None:
        statement = Statement("SELECT {throttles}.hits FROM {throttles}")
        apply_prefix("shop_")
        try:
            assert statement.render("sqlite")[0] == "SELECT shop_throttles.hits FROM shop_throttles"
        finally:
            apply_prefix("")
        assert statement.render("sqlite")[0] == "SELECT throttles.hits FROM throttles"

    async def test_a_doubled_key_has_a_name(self, database: Database) -> None:
        name = await counter(database)
        insert = Statement("INSERT INTO {schedules} (name, next_at) VALUES (:name, 1)")

        async def again() -> None:
            async with database.transaction(None) as session:
                await session.fetch(insert, name=name)

        with pytest.raises(DuplicateError):
            await again()
        assert await value(database, name) == 0

    async def test_a_session_speaks_for_one_workspace(self, home: Database) -> None:
        async with home.transaction(new_id()) as session:
            with pytest.raises(ValueError, match="one workspace"):
                await session.fetch(READ, name="x", workspace_id=new_id())
            with pytest.raises(ValueError, match="another workspace"):
                await insert_rows(session, "events", ("workspace_id", "id"), [(new_id(), new_id())])

    @pytest.mark.parametrize("url", ["oracle://x/y", "sqlite://", "sqlite:///:memory:"])
    def test_other_databases_are_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"unknown database|needs a file"):
            Database(url)


class TestManyRows:
    async def test_each_row_gets_its_own_key_also_when_several_write_at_once(self, database: Database) -> None:
        async def write(count: int) -> dict[int, bytes]:
            ids = [new_id() for _ in range(count)]
            rows = [(None, i, "x", "[]", "{}", None, 0) for i in ids]
            async with database.transaction(None) as session:
                keys = await insert_counted(session, "events", COLUMNS, rows, "sequence")
            assert keys == sorted(keys)
            return {key: id_.bytes for key, id_ in zip(keys, ids, strict=True)}

        told: dict[int, bytes] = {}
        for written in await asyncio.gather(*(write(n) for n in (1, CHUNK, CHUNK + 1, 2 * CHUNK + 50))):
            told |= written
        stored = Statement("SELECT sequence, id FROM {events} WHERE name = 'x'", across_tenants="a test")
        async with database.hot(None) as reader:
            rows = await reader.fetch(stored)
        assert {int(k): i if isinstance(i, bytes) else i.bytes for k, i in rows} == told


class TestWriting:
    async def test_no_update_is_lost(self, database: Database) -> None:
        """What a transaction has read under its lock holds until it commits."""
        name = await counter(database)

        async def count() -> None:
            async with database.transaction(None) as session:
                query = sa.select(Schedule).where(Schedule.name == name).with_for_update()
                row = (await session.scalars(query)).one()
                await asyncio.sleep(0)
                row.next_at += timedelta(milliseconds=1)

        await asyncio.gather(*(count() for _ in range(15)))
        assert await value(database, name) == 15

    async def test_readers_see_what_is_committed_and_do_not_wait(self, database: Database) -> None:
        name = await counter(database)
        async with database.transaction(None) as session:
            await session.fetch(WRITE, name=name)
            assert await value(database, name) == 0
        assert await value(database, name) == 1

    async def test_whoever_is_cancelled_lets_go(self, database: Database) -> None:
        name = await counter(database)
        inside = asyncio.Event()

        async def hang() -> None:
            async with database.transaction(None) as session:
                await session.fetch(WRITE, name=name)
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await inside.wait()
        waiting = asyncio.create_task(_write(database, name))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(waiting, 10)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await value(database, name) == 1, "the cancelled one is rolled back, the other one is there"

    async def test_sqlite_lower_knows_more_than_ascii(self, home: Database) -> None:
        """As MariaDB and PostgreSQL do; also where exports read."""
        for opened in (home.reading(None), home.scan(None)):
            async with opened as session:
                assert await session.scalar(sa.select(sa.func.lower("ÉCOLE ÄÖ Жар"))) == "école äö жар"
                assert await session.scalar(sa.select(sa.func.lower(None))) is None


async def _write(database: Database, name: str) -> None:
    async with database.transaction(None) as session:
        await session.fetch(WRITE, name=name)


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


class TestAnotherProcess:
    """On SQLite another process (`kanal user add`, a backup) may hold the one lock there is."""

    @pytest.fixture
    def holder(self, home: Database) -> Iterator[subprocess.Popen[str]]:
        path = str(Path(home.url.database or ""))
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()
        process.communicate()

    async def test_we_wait_without_stopping_everything_else(
        self, home: Database, holder: subprocess.Popen[str]
    ) -> None:
        waiting = asyncio.create_task(counter(home))
        ticks = 0
        for _ in range(20):
            await asyncio.sleep(0.005)
            ticks += 1
        assert (ticks, waiting.done()) == (20, False)
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert await value(home, await asyncio.wait_for(waiting, 10)) == 0

    async def test_but_not_for_ever(
        self, home: Database, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert holder.poll() is None
        monkeypatch.setattr("kanal.kit.db.sqlite.LOCK_TIMEOUT", 0.05)
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            await counter(home)


@pytest.mark.parametrize(
    "text",
    ["", "x", "0197a3a0000070008000000000000001", "{0197a3a0-0000-7000-8000-00000000001}", "----" + "0" * 32,
     "0197a3a0-0000-7000-8000-00000000000g", "0197a3a0-0000-7000-8000-00000000000１"],
)  # fmt: skip
def test_an_id_has_one_way_to_be_written(text: str) -> None:
    assert parse_id(text) is None


def test_ids_made_later_sort_later() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert all(parse_id(str(i)) == i for i in ids)
