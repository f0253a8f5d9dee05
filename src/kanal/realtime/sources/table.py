"""Apps in the database: made and changed by ``kanal app``, followed by every node. Secrets are sealed with the key ring.

Functions that change something take a session and leave the commit to the caller.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from kanal.kit import clock
from kanal.kit.crypto import KeyRing, WrongKeyError
from kanal.kit.db import Database, Session
from kanal.kit.errors import KanalError, Kind
from kanal.realtime.apps import App
from kanal.realtime.models import RealtimeApp
from kanal.realtime.sources.reading import read_app
from kanal.realtime.sources.registry import AppRegistry

LOOK_EVERY = 3.0  # seconds until a node knows of a change
PART = "database"
COLUMNS = frozenset({"id", "key", "enabled"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredApp:
    app: App
    name: str


def new_credentials() -> dict[str, str]:
    """Id, key and secret for a new app. The id is digits: some official SDKs insist."""
    return {
        "id": str(100_000 + secrets.randbelow(900_000)),
        "key": secrets.token_hex(10),
        "secret": secrets.token_urlsafe(30),
    }


async def list_apps(session: Session, keys: KeyRing) -> list[StoredApp]:
    """Raises ``WrongKeyError``."""
    rows = (await session.scalars(sa.select(RealtimeApp).order_by(RealtimeApp.created_at))).all()
    return [StoredApp(_open(row, keys), row.name) for row in rows]


async def create(session: Session, keys: KeyRing, app: App, name: str = "") -> None:
    """Raises ``app.exists``."""
    taken = sa.or_(RealtimeApp.id == app.id, RealtimeApp.key == app.key)
    if await session.scalar(sa.select(RealtimeApp.id).where(taken)) is not None:
        raise KanalError("app.exists", Kind.CONFLICT)
    session.add(
        RealtimeApp(
            id=app.id,
            key=app.key,
            name=name,
            enabled=app.enabled,
            content=_seal(app, keys),
            version=1,
            created_at=clock.now(),
        )
    )


async def change(session: Session, keys: KeyRing, app_id: str, **changes: Any) -> App:
    """Changes fields of ``App`` other than id and key. Raises ``app.not_found``, and ``ValueError`` as ``App`` does."""
    row = await _row(session, app_id)
    app = replace(_open(row, keys), **changes)
    row.enabled = app.enabled
    row.content = _seal(app, keys)
    row.version += 1
    return app


async def delete(session: Session, app_id: str) -> None:
    """Raises ``app.not_found``."""
    await session.delete(await _row(session, app_id))


async def _row(session: Session, app_id: str) -> RealtimeApp:
    row = await session.get(RealtimeApp, app_id)
    if row is None:
        raise KanalError("app.not_found", Kind.NOT_FOUND)
    return row


def _seal(app: App, keys: KeyRing) -> str:
    """What differs from the defaults, so that later versions may have better ones."""
    content = msgspec.to_builtins(app)
    kept = {
        each.name: content[each.name]
        for each in fields(App)
        if each.name not in COLUMNS and (each.default is MISSING or getattr(app, each.name) != each.default)
    }
    return keys.seal(msgspec.json.encode(kept).decode())


def _open(row: RealtimeApp, keys: KeyRing) -> App:
    """Raises ``WrongKeyError``, and ``ValueError`` for what a newer version wrote."""
    content = msgspec.json.decode(keys.open(row.content), type=dict[str, Any])
    return read_app(content | {"id": row.id, "key": row.key, "enabled": row.enabled})


@dataclass(slots=True)
class AppTable:
    """Follows the table. ``load`` once, then ``follow``."""

    database: Database
    keys: KeyRing
    registry: AppRegistry
    _seen: dict[str, int] = field(default_factory=dict)
    """Id to version, also of apps that cannot be read: they are complained about once."""
    _apps: dict[str, App] = field(default_factory=dict)

    async def load(self) -> None:
        """Raises what the database raises. An app that cannot be read is logged and left out."""
        async with self.database.reading(None) as session:
            rows = (await session.scalars(sa.select(RealtimeApp).order_by(RealtimeApp.created_at))).all()
        versions = {row.id: row.version for row in rows}
        if versions == self._seen:
            return
        self._apps = {row.id: app for row in rows if (app := self._read(row)) is not None}
        self._seen = versions
        self.registry.put_what_fits(PART, list(self._apps.values()))

    def _read(self, row: RealtimeApp) -> App | None:
        if self._seen.get(row.id) == row.version:
            return self._apps.get(row.id)
        try:
            return _open(row, self.keys)
        except WrongKeyError:
            log.error("apps.sealed_otherwise", app=row.id, hint="its secret was sealed under a key that is not here")
        except ValueError as error:
            log.error("apps.unreadable", app=row.id, error=str(error))
        return None

    async def follow(self, interval: float = LOOK_EVERY) -> None:
        """For ever. While the database is away the apps stay as they were."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.load()
            except Exception:
                log.warning("apps.database_unreachable", exc_info=True)
