"""Every way round the workspace filter raises, and every way through it is scoped. F-AC-04.

The audit log stands for all tenant tables: it points to nothing, so rows can be written freely.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import aliased

import kanal.entrypoints.models  # noqa: F401 - all tables
from kanal.identity.models import AuditEntry, Member, Workspace
from kanal.kit import clock
from kanal.kit.db import Base, Database, Session, Statement, UnscopedStatementError
from kanal.kit.db.bulk import insert_rows
from kanal.kit.ids import new_id
from kanal.kit.tenancy import TenancyError, TenantModel, across_tenants

TABLE = sa.Table("audit_entries", Base.metadata)  # the one that is there
OTHER = aliased(AuditEntry)


def entry(workspace_id: UUID | None, action: str = "test") -> AuditEntry:
    return AuditEntry(workspace_id=workspace_id, id=new_id(), at=clock.now(), actor_name="X", action=action, details={})


def values(workspace_id: UUID | None) -> dict[str, Any]:
    row = {"id": new_id(), "at": clock.now(), "actor_name": "X", "action": "test", "details": {}}
    return row if workspace_id is None else {"workspace_id": workspace_id, **row}


@dataclass
class Two:
    """A workspace that acts and one with a row that must stay out of reach."""

    database: Database
    mine: UUID
    theirs: UUID
    row: UUID


@asynccontextmanager
async def make_two(url: str) -> AsyncIterator[Two]:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    mine, theirs, row = new_id(), new_id(), entry(None)
    async with database.transaction(theirs) as session:
        session.add(row)
    async with database.transaction(mine) as session:
        session.add(entry(None, "mine"))
    yield Two(database, mine, theirs, row.id)
    await database.close()


@pytest.fixture
async def two(sqlite_url: str) -> AsyncIterator[Two]:
    """On SQLite: what raises does so before any database is asked."""
    async with make_two(sqlite_url) as made:
        yield made


@pytest.fixture
async def everywhere(database_url: str) -> AsyncIterator[Two]:
    """On each database: what is asked is asked with the workspace."""
    async with make_two(database_url) as made:
        yield made


Way = Callable[[Session, Two], Awaitable[Any]]


async def _add(session: Session, two: Two) -> None:
    session.add(entry(two.theirs))
    await session.flush()


async def _move(session: Session, two: Two) -> None:
    mine = (await session.scalars(sa.select(AuditEntry))).one()
    mine.workspace_id = two.theirs
    await session.flush()


async def _merge(session: Session, two: Two) -> None:
    foreign = entry(two.theirs)
    foreign.id = two.row
    await session.merge(foreign)


async def _refresh(session: Session, two: Two) -> None:
    async with two.database.reading(two.theirs) as elsewhere:
        foreign = (await elsewhere.scalars(sa.select(AuditEntry))).one()
        elsewhere.expunge(foreign)
    session.add(foreign)
    await session.refresh(foreign)


async def _change_a_strangers_object(session: Session, two: Two) -> None:
    async with two.database.reading(two.theirs) as elsewhere:
        foreign = (await elsewhere.scalars(sa.select(AuditEntry))).one()
        elsewhere.expunge(foreign)
    session.add(foreign)
    foreign.action = "changed"
    await session.flush()


async def _delete_a_strangers_object(session: Session, two: Two) -> None:
    async with two.database.reading(two.theirs) as elsewhere:
        foreign = (await elsewhere.scalars(sa.select(AuditEntry))).one()
        elsewhere.expunge(foreign)
    session.add(foreign)
    await session.delete(foreign)
    await session.flush()


WAYS_ROUND: dict[str, Way] = {
    "select from the table": lambda s, t: s.execute(sa.select(TABLE)),
    "select a column of the table": lambda s, t: s.execute(sa.select(TABLE.c.id)),
    "count over the table": lambda s, t: s.execute(sa.select(sa.func.count()).select_from(TABLE)),
    "an alias of the table beside the model": lambda s, t: s.execute(sa.select(AuditEntry.id, TABLE.alias().c.action)),
    "the table in a subquery": lambda s, t: s.execute(sa.select(AuditEntry.id, sa.select(TABLE.c.id).subquery())),
    "the table in a CTE": lambda s, t: s.execute(sa.select(sa.select(TABLE.c.id).cte())),
    "the table in EXISTS": lambda s, t: s.execute(sa.select(AuditEntry.id).where(sa.select(TABLE.c.id).exists())),
    "the table in IN": lambda s, t: s.execute(sa.select(Workspace.id).where(Workspace.id.in_(sa.select(TABLE.c.id)))),
    "the table in a union": lambda s, t: s.execute(sa.union_all(sa.select(TABLE.c.id), sa.select(TABLE.c.id))),
    "the table joined to a model": lambda s, t: s.execute(
        sa.select(Workspace.id).join(TABLE, TABLE.c.workspace_id == Workspace.id)
    ),
    "an alias of the model in WHERE only": lambda s, t: s.execute(sa.select(AuditEntry.id).where(OTHER.id == t.row)),
    "an alias of the table in WHERE only": lambda s, t: s.execute(
        sa.select(AuditEntry.id).where(TABLE.alias().c.id == t.row)
    ),
    "text": lambda s, t: s.execute(sa.text("SELECT * FROM audit_entries")),
    "text as columns": lambda s, t: s.execute(sa.text("SELECT id FROM audit_entries").columns(AuditEntry.id)),
    "a model from text": lambda s, t: s.execute(
        sa.select(AuditEntry).from_statement(sa.text("SELECT * FROM audit_entries"))
    ),
    "update of the table": lambda s, t: s.execute(sa.update(TABLE).values(action="x")),
    "delete from the table": lambda s, t: s.execute(sa.delete(TABLE)),
    "insert into the table": lambda s, t: s.execute(sa.insert(TABLE).values(**values(t.theirs))),
    "insert for another workspace": lambda s, t: s.execute(sa.insert(AuditEntry).values(**values(t.theirs))),
    "insert for no workspace": lambda s, t: s.execute(sa.insert(AuditEntry).values(**values(None))),
    "insert of several, one foreign": lambda s, t: s.execute(
        sa.insert(AuditEntry).values([values(t.mine), values(t.theirs)])
    ),
    "bulk insert, one foreign": lambda s, t: s.execute(sa.insert(AuditEntry), [values(t.mine), values(t.theirs)]),
    "insert from select": lambda s, t: s.execute(
        sa.insert(AuditEntry).from_select(["id", "workspace_id"], sa.select(AuditEntry.id, AuditEntry.workspace_id))
    ),
    "bulk update by key": lambda s, t: s.execute(
        sa.update(AuditEntry), [{"workspace_id": t.theirs, "id": t.row, "action": "x"}]
    ),
    "adding a foreign object": _add,
    "moving an object to another workspace": _move,
    "merging a foreign object": _merge,
    "refreshing a foreign object": _refresh,
    "changing a foreign object": _change_a_strangers_object,
    "deleting a foreign object": _delete_a_strangers_object,
}


@pytest.mark.parametrize("way", list(WAYS_ROUND.values()), ids=list(WAYS_ROUND))
async def test_a_way_round_the_filter_raises(two: Two, way: Way) -> None:
    async def go() -> None:
        async with two.database.transaction(two.mine) as session:
            await way(session, two)

    with pytest.raises(TenancyError):
        await go()
    async with two.database.reading(two.theirs) as session:
        rows = (await session.scalars(sa.select(AuditEntry))).all()
    assert [(row.id, row.action) for row in rows] == [(two.row, "test")]


WITHOUT_A_WORKSPACE: dict[str, Way] = {
    "select": lambda s, t: s.execute(sa.select(AuditEntry)),
    "select a column": lambda s, t: s.execute(sa.select(AuditEntry.id)),
    "select in a subquery": lambda s, t: s.execute(sa.select(sa.select(AuditEntry.id).subquery())),
    "get": lambda s, t: s.get(AuditEntry, (t.theirs, t.row)),
    "update": lambda s, t: s.execute(sa.update(AuditEntry).values(action="x")),
    "delete": lambda s, t: s.execute(sa.delete(AuditEntry)),
    "insert": lambda s, t: s.execute(sa.insert(AuditEntry).values(**values(t.theirs))),
    "add": _add,
    "joined to something shared": lambda s, t: s.execute(
        sa.select(Workspace.id).join(Member, Member.workspace_id == Workspace.id)
    ),
}


@pytest.mark.parametrize("way", list(WITHOUT_A_WORKSPACE.values()), ids=list(WITHOUT_A_WORKSPACE))
async def test_without_a_workspace_a_tenant_table_is_closed(two: Two, way: Way) -> None:
    async def go() -> None:
        async with two.database.transaction(None) as session:
            await way(session, two)

    with pytest.raises(TenancyError):
        await go()


SCOPED: dict[str, Callable[[], Any]] = {
    "a model": lambda: sa.select(AuditEntry.id),
    "an alias": lambda: sa.select(OTHER.id),
    "a count": lambda: sa.select(sa.func.count()).select_from(AuditEntry),
    "a subquery": lambda: sa.select(sa.select(AuditEntry.id).subquery()),
    "a scalar subquery": lambda: sa.select(sa.select(sa.func.count(AuditEntry.id)).scalar_subquery()),
    "a CTE": lambda: sa.select(sa.select(AuditEntry.id).cte()),
    "a union": lambda: sa.union_all(sa.select(AuditEntry.id), sa.select(AuditEntry.id)),
    "EXISTS with an alias": lambda: sa.select(AuditEntry.id).where(
        sa.exists(sa.select(OTHER.id).where(OTHER.id == AuditEntry.id))
    ),
    "a join of two tenant models": lambda: sa.select(AuditEntry.id).join(OTHER, OTHER.id == AuditEntry.id),
}


@pytest.mark.parametrize("query", list(SCOPED.values()), ids=list(SCOPED))
async def test_what_names_the_model_sees_one_workspace(everywhere: Two, query: Callable[[], Any]) -> None:
    async with everywhere.database.reading(everywhere.mine) as session:
        found = (await session.scalars(query())).all()
        own = (await session.scalars(sa.select(AuditEntry.id))).one()
    assert found in ([own], [own, own], [1])


async def test_get_update_and_delete_do_not_reach_further(everywhere: Two) -> None:
    async with everywhere.database.transaction(everywhere.mine) as session:
        assert await session.get(AuditEntry, (everywhere.theirs, everywhere.row)) is None
        changed = await session.execute(sa.update(AuditEntry).where(AuditEntry.id == everywhere.row).values(action="x"))
        assert changed.rowcount == 0  # type: ignore[attr-defined]
        removed = await session.execute(sa.delete(AuditEntry).where(AuditEntry.id == everywhere.row))
        assert removed.rowcount == 0  # type: ignore[attr-defined]
    async with everywhere.database.reading(everywhere.theirs) as session:
        assert (await session.get(AuditEntry, (everywhere.theirs, everywhere.row))) is not None


async def test_a_new_object_belongs_to_the_sessions_workspace(two: Two) -> None:
    made = entry(None)
    async with two.database.transaction(two.mine) as session:
        session.add(made)
    assert made.workspace_id == two.mine


async def test_work_across_workspaces_says_so_and_why(everywhere: Two) -> None:
    async with everywhere.database.reading(None) as session:
        found = await session.scalars(sa.select(AuditEntry.id), execution_options=across_tenants("a test"))
        assert everywhere.row in found.all()
    with pytest.raises(ValueError, match="why"):
        across_tenants("")


UNBOUND = {
    "no condition": "SELECT id FROM {audit_entries}",
    "another column": "SELECT id FROM {audit_entries} a WHERE a.id = :workspace_id",
    "the other alias bound": "SELECT a.id FROM {audit_entries} a JOIN {members} m ON m.workspace_id = :workspace_id",
    "a join without it": "SELECT 1 FROM {users} u LEFT JOIN {members} m ON m.user_id = u.id",
    "an update": "UPDATE {audit_entries} SET action = 'x'",
    "a delete": "DELETE FROM {audit_entries} WHERE id = :id",
    "another parameter": "SELECT id FROM {audit_entries} WHERE workspace_id = :workspace",
}


@pytest.mark.parametrize("sql", list(UNBOUND.values()), ids=list(UNBOUND))
def test_hand_written_sql_names_the_workspace(sql: str) -> None:
    with pytest.raises(UnscopedStatementError):
        Statement(sql).render("sqlite")
    Statement(sql, across_tenants="a test").render("sqlite")


async def test_hand_written_sql_is_bound_to_the_sessions_workspace(everywhere: Two) -> None:
    statement = Statement("SELECT COUNT(*) FROM {audit_entries} WHERE workspace_id = :workspace_id AND id = :id")
    async with everywhere.database.transaction(everywhere.mine) as session:
        assert (await session.fetch(statement, id=everywhere.row))[0][0] == 0
        with pytest.raises(ValueError, match="one workspace"):
            await session.fetch(statement, id=everywhere.row, workspace_id=everywhere.theirs)
        with pytest.raises(ValueError, match="another workspace"):
            await insert_rows(session, "audit_entries", ("workspace_id", "id"), [(everywhere.theirs, new_id())])
    async with everywhere.database.hot(everywhere.mine) as reader:
        assert (await reader.fetch(statement, id=everywhere.row, workspace_id=everywhere.theirs))[0][0] == 0


def test_keys_and_foreign_keys_of_tenant_tables_begin_with_the_workspace() -> None:
    """A row cannot point into another workspace, because the key it points with includes its own."""
    for mapper in Base.registry.mappers:
        if not issubclass(mapper.class_, TenantModel):
            continue
        table = mapper.local_table
        assert isinstance(table, sa.Table)
        assert next(iter(table.primary_key.columns)).name == "workspace_id", table.name
        for key in table.foreign_key_constraints:
            target = key.referred_table
            if target.c.get("workspace_id") is not None and target.name not in ("events", "jobs"):
                assert "workspace_id" in key.column_keys, (table.name, key.column_keys)


def test_there_are_no_relationships_to_load_by_accident() -> None:
    assert [str(r) for mapper in Base.registry.mappers for r in mapper.relationships] == []
