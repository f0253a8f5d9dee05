"""Apps in the database, on all three: F-RT-07."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from kanal.entrypoints.migrate import migrate
from kanal.kit.crypto import KeyRing
from kanal.kit.db import Database
from kanal.kit.errors import KanalError
from kanal.realtime.apps import App, Webhook
from kanal.realtime.models import RealtimeApp
from kanal.realtime.sources import table
from kanal.realtime.sources.registry import AppRegistry

KEYS = KeyRing(["only for tests " * 4])
SHOP = App(
    id="1001",
    key="shop-key",
    secret="hush-hush",
    max_connections=9,
    encryption_master_key=b"0123456789abcdef" * 2,
    webhooks=(Webhook(url="https://example.com", events=frozenset({"cache_miss"}), headers={"x": "y"}),),
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    await migrate(made, prefix="", version_table="kanal_version")
    async with made.transaction(None) as session:
        await session.execute(sa.delete(RealtimeApp))
    yield made
    await made.close()


@pytest.fixture
def registry() -> AppRegistry:
    return AppRegistry()


async def test_what_is_stored_comes_back_and_secrets_are_sealed(database: Database) -> None:
    async with database.transaction(None) as session:
        await table.create(session, KEYS, SHOP, "The shop")
    async with database.reading(None) as session:
        assert await table.list_apps(session, KEYS) == [table.StoredApp(SHOP, "The shop")]
        row = (await session.execute(sa.select(RealtimeApp.__table__))).one()
    assert "hush" not in str(row)
    assert "example.com" not in str(row)


async def test_nodes_follow_what_changes(database: Database, registry: AppRegistry) -> None:
    told: list[tuple[App | None, App]] = []
    registry.watch(lambda new, old: told.append((new, old)))
    follower = table.AppTable(database, KEYS, registry)
    await follower.load()
    async with database.transaction(None) as session:
        await table.create(session, KEYS, SHOP)
        await table.create(session, KEYS, App(id="2", key="two", secret="s"))
    await follower.load()
    assert [app.id for app in registry.all()] == ["1001", "2"]
    async with database.transaction(None) as session:
        changed = await table.change(session, KEYS, "1001", enabled=False, secret="fresh")
        await table.delete(session, "2")
    await follower.load()
    assert changed == replace(SHOP, enabled=False, secret="fresh")
    assert [(new, old.id) for new, old in told] == [(changed, "1001"), (None, "2")]
    await follower.load()
    assert len(told) == 2


async def test_what_cannot_be_read_is_left_out(database: Database, registry: AppRegistry) -> None:
    async with database.transaction(None) as session:
        await table.create(session, KeyRing(["of another installation " * 2]), SHOP)
        await table.create(session, KEYS, App(id="2", key="two", secret="s"))
        await table.create(session, KEYS, App(id="3", key="taken", secret="s"))
    registry.put("kanal", [App(id="9", key="taken", secret="s")])
    await table.AppTable(database, KEYS, registry).load()
    assert [app.id for app in registry.all()] == ["9", "2"]


async def test_ids_and_keys_are_used_once(database: Database) -> None:
    async with database.transaction(None) as session:
        await table.create(session, KEYS, SHOP)
        for other in (replace(SHOP, id="5"), replace(SHOP, key="other")):
            with pytest.raises(KanalError) as caught:
                await table.create(session, KEYS, other)
            assert caught.value.code == "app.exists"
        with pytest.raises(KanalError) as caught:
            await table.change(session, KEYS, "404", enabled=False)
        assert caught.value.code == "app.not_found"


def test_new_credentials_suit_every_sdk() -> None:
    one, other = App(**table.new_credentials()), App(**table.new_credentials())  # type: ignore[arg-type]
    assert one.id.isdigit()
    assert one.secret != other.secret
