"""People and workspaces for the tests of identity, and a browser that keeps its cookie and CSRF token."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from litestar import Litestar
from litestar.datastructures import State

from kanal.identity import jobs as identity_jobs
from kanal.identity.access import WorkspaceAccess, access_of
from kanal.identity.actions import accounts, members, workspaces
from kanal.identity.audit import SYSTEM
from kanal.identity.config import Identity, Throttles
from kanal.identity.models import AuditEntry, User
from kanal.identity.passwords import Passwords
from kanal.identity.routes import ROUTERS
from kanal.identity.rules import Locale, Plan, Role
from kanal.identity.schemas import RealtimeInfo
from kanal.identity.web import dependencies
from kanal.kit import events, jobs
from kanal.kit.crypto import KeyRing
from kanal.kit.db import Base, Database
from kanal.kit.events.models import Event
from kanal.kit.i18n import Catalog
from kanal.kit.ids import new_id
from kanal.kit.mail import Mailer, SmtpServer
from kanal.kit.tenancy import across_tenants
from kanal.kit.throttle import Limit
from kanal.kit.web import RequestContextMiddleware, exception_handlers

PASSWORD = "correct horse battery"
PUBLIC_URL = "http://testserver"
_numbers = itertools.count(1)


def plenty(name: str) -> Limit:
    """A limit that no test reaches by accident."""
    return Limit(name, 10_000, timedelta(minutes=1))


NO_THROTTLES = Throttles(*(plenty(getattr(Throttles(), field).name) for field in Throttles.__struct_fields__))


@dataclass
class World:
    """A database with Kanal's identity on it, and a worker that runs its jobs when told to."""

    database: Database
    identity: Identity
    worker: jobs.Worker
    committed: list[dict[str, Any]] = field(default_factory=list)

    async def person(self, name: str = "Sari", *, password: str = PASSWORD) -> User:
        """A new account with an address of its own."""
        account = await accounts.prepare(
            self.identity,
            name=name,
            email=f"{name.split(maxsplit=1)[0].lower()}.{next(_numbers)}@example.com",
            password=password,
            locale=Locale.ENGLISH,
        )
        async with self.database.transaction(None) as session:
            return await accounts.create_user(session, SYSTEM, account)

    async def workspace(self, owner: User, *, name: str = "Toko Maju", plan: Plan = Plan.PREMIUM) -> UUID:
        async with self.database.transaction(new_id()) as session:
            workspace = await workspaces.create_workspace(session, SYSTEM, owner=owner, name=name, plan=plan)
        return workspace.id

    async def join(self, workspace_id: UUID, user: User, role: Role = Role.AGENT) -> WorkspaceAccess:
        async with self.database.transaction(workspace_id) as session:
            await members.add_member(session, SYSTEM, user=user, role=role)
        return await self.access(workspace_id, user)

    async def access(self, workspace_id: UUID, user: User) -> WorkspaceAccess:
        return await access_of(self.database, workspace_id, user.id)

    async def actions(self, workspace_id: UUID) -> list[str]:
        """The audit log of a workspace (`ids.NIL`: of the accounts), in order."""
        async with self.database.reading(workspace_id) as session:
            return list(await session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))

    async def events(self, *, name: str | None = None) -> list[Event]:
        query = sa.select(Event).order_by(Event.sequence)
        if name is not None:
            query = query.where(Event.name == name)
        async with self.database.reading(None) as session:
            return list(await session.scalars(query, execution_options=across_tenants("a test looks at everything")))


@asynccontextmanager
async def make_world(url: str, *, smtp: SmtpServer | None = None, **settings: Any) -> AsyncIterator[World]:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    database.before_commit += [events.store_pending, jobs.store_pending]
    keys = KeyRing(["k" * 40])
    identity = Identity(
        database=database,
        keys=keys,
        texts=Catalog(["kanal.kit", "kanal.identity"]),
        mailer=Mailer(keys, server=smtp, sender="Kanal <kanal@example.com>"),
        passwords=Passwords(time_cost=1, memory_cost=8),
        realtime=RealtimeInfo(key="app-key"),
        **{"public_url": PUBLIC_URL, "throttles": NO_THROTTLES, **settings},
    )
    worker = jobs.Worker(database, jobs.EmbeddedTransport())
    identity.mailer.bind(worker)
    identity_jobs.bind(worker, identity)
    world = World(database, identity, worker)

    async def remember(outbox: dict[str, Any]) -> None:
        world.committed.append(outbox)

    database.after_commit.append(remember)
    yield world
    await identity.close()
    await database.close()


def make_app(identity: Identity) -> Any:
    """The routes of identity as the program serves them."""
    app = Litestar(
        list(ROUTERS),
        dependencies=dict(dependencies()),
        exception_handlers=exception_handlers(identity.texts),
        state=State({"identity": identity}),
        logging_config=None,
    )
    return RequestContextMiddleware(app, node="test", trusted=(), observe=lambda *_: None)


class Browser:
    """A client that behaves as the web app does: same-origin, cookie, CSRF token on what changes something."""

    def __init__(self, app: Any, *, ip: str = "127.0.0.1") -> None:
        transport = httpx.ASGITransport(app=app, client=(ip, 40000))
        self.http = httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers={"origin": PUBLIC_URL})
        self.csrf: str | None = None

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        if self.csrf and method != "GET":
            headers.setdefault("X-CSRF-Token", self.csrf)
        answer = await self.http.request(method, f"/api/v1{path}", json=json, headers=headers)
        if answer.status_code < 300 and answer.headers.get("content-type", "").startswith("application/json"):
            body = answer.json()
            if isinstance(body, dict):
                self.csrf = body.get("csrf_token") or self.csrf
        return answer

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.call("GET", path, None, **headers)

    async def post(self, path: str, json: Any = None, **headers: str) -> httpx.Response:
        return await self.call("POST", path, json, **headers)

    async def register(self, name: str = "Sari", **more: Any) -> dict[str, Any]:
        """A new account, signed in; answers the session."""
        body = {"name": name, "email": f"{name.lower()}.{next(_numbers)}@example.com", "password": PASSWORD, **more}
        answer = await self.post("/auth/register", body)
        assert answer.status_code == 201, answer.text
        session: dict[str, Any] = answer.json()
        return session

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return await self.post("/auth/login", {"email": email, "password": password})


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]
