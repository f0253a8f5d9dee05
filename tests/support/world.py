"""A node of Kanal on a migrated database, with people, rooms and messages made through the real actions."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from kanal import settings
from kanal.entrypoints.asgi import make_app
from kanal.entrypoints.bootstrap import Node, build
from kanal.entrypoints.migrate import migrate
from kanal.files.actions import store_upload
from kanal.identity.access import WorkspaceAccess, access_of, caller_of
from kanal.identity.actions import accounts, members, sign_ins, workspaces
from kanal.identity.audit import SYSTEM
from kanal.identity.models import User
from kanal.identity.rules import Locale, Plan, Role, Scope
from kanal.kit.db import Database, Session
from kanal.kit.errors import KanalError
from kanal.kit.events.models import Event
from kanal.kit.ids import new_id
from kanal.kit.tenancy import across_tenants
from kanal.rooms import actions
from kanal.rooms.message_routes import outgoing
from kanal.rooms.schemas import MessageView, RoomView, SendMessage
from kanal.rooms.sending import Sent

SECRET = "only-for-tests-" * 4
_numbers = itertools.count(1)

P = ParamSpec("P")
T = TypeVar("T")


def migrate_now(url: str) -> str:
    """Bring this database to the current schema; answers its address."""

    async def run() -> None:
        database = Database(url)
        await migrate(database, prefix="", version_table="kanal_version")
        await database.close()

    asyncio.run(run())
    return url


def refuses(code: str) -> AbstractContextManager[pytest.ExceptionInfo[KanalError]]:
    """The block ends with the `KanalError` of this code."""
    return pytest.raises(KanalError, match=f"^{code.replace('.', '[.]')}$")


def blames(field_name: str, code: str) -> AbstractContextManager[pytest.ExceptionInfo[KanalError]]:
    """The block ends with a `KanalError` that blames this field with this code."""
    return pytest.RaisesExc(KanalError, check=lambda error: error.fields == {field_name: code})


@dataclass
class World:
    """What tests act on. ``committed`` gathers what was handed to the socket servers, in order."""

    node: Node
    committed: list[tuple[str, list[str], dict[str, Any]]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.node.database

    async def person(self, name: str = "Sari") -> User:
        """An account nobody can sign in to by password: hashing one takes longer than most tests."""
        account = accounts.NewAccount(
            id=(id_ := new_id()),
            name=name,
            email=f"{name.lower()}.{id_.hex}@example.com",
            locale=Locale.ENGLISH,
            password_hash="-",
        )
        async with self.database.transaction(None) as session:
            return await accounts.create_user(session, SYSTEM, account)

    async def found(self, name: str = "Sari", *, plan: Plan = Plan.PREMIUM) -> WorkspaceAccess:
        """A new workspace's owner."""
        owner = await self.person(name)
        async with self.database.transaction(new_id()) as session:
            made = await workspaces.create_workspace(session, SYSTEM, owner=owner, name=f"{name}'s", plan=plan)
        return await access_of(self.database, made.id, owner.id)

    async def member(self, beside: WorkspaceAccess, role: Role = Role.AGENT, name: str = "Budi") -> WorkspaceAccess:
        """Somebody new in the same workspace."""
        return await self.enlist(beside, await self.person(name), role)

    async def enlist(self, beside: WorkspaceAccess, user: User, role: Role = Role.AGENT) -> WorkspaceAccess:
        """This person in this workspace, again if they were in it before."""
        async with self.database.transaction(beside.workspace_id) as session:
            await members.add_member(session, SYSTEM, user=user, role=role)
        return await access_of(self.database, beside.workspace_id, user.id)

    async def do(
        self,
        action: Callable[Concatenate[Session, WorkspaceAccess, P], Awaitable[T]],
        who: WorkspaceAccess,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """One action as a request would do it: in a transaction of its own."""
        async with self.database.transaction(who.workspace_id) as session:
            return await action(session, who, *args, **kwargs)

    async def room(
        self, owner: WorkspaceAccess, *others: WorkspaceAccess, name: str | None = None, visibility: str = "public"
    ) -> RoomView:
        """A room of these people, the first of them its owner."""
        return await self.do(
            actions.create_room,
            owner,
            name=name or f"Room {next(_numbers)}",
            visibility=visibility,
            member_ids=[str(o.user_id) for o in others],
        )

    async def submit(self, who: WorkspaceAccess, room: str | UUID, body: str = "hello", **more: Any) -> Sent:
        """Send as the route does; ``more`` are fields of `SendMessage`."""
        asked = SendMessage(body=body, **{"client_id": str(new_id()), **more})
        return await self.node.sender.submit(outgoing(who, UUID(str(room)), asked, None))

    async def say(self, who: WorkspaceAccess, room: str | UUID, body: str = "hello", **more: Any) -> MessageView:
        return message_of(await self.submit(who, room, body, **more))

    async def upload(self, who: WorkspaceAccess, content: bytes = b"text", name: str = "a.txt") -> UUID:
        async def stream() -> AsyncIterator[bytes]:
            yield content

        file = await store_upload(
            self.database, self.node.files.storage, who, name=name, stream=stream(), limit=who.limits.max_file_bytes
        )
        return file.id

    async def events(self, who: WorkspaceAccess, *names: str) -> list[tuple[str, list[str], dict[str, Any]]]:
        """Name, channels and payload of what this workspace's log holds, in order."""
        query = sa.select(Event).where(Event.workspace_id == who.workspace_id).order_by(Event.sequence)
        async with self.database.reading(None) as session:
            stored = await session.scalars(query, execution_options=across_tenants("the log is looked at as it is"))
        decode = msgspec.json.decode
        return [(e.name, decode(e.channels), decode(e.payload)) for e in stored.all() if not names or e.name in names]

    async def work(self) -> int:
        """Run the jobs that are due."""
        assert self.node.worker is not None
        return await self.node.worker.drain()

    async def token(self, who: WorkspaceAccess | User, *scopes: Scope) -> str:
        """A bearer token of this person; without scopes, for everything."""
        user_id = who.id if isinstance(who, User) else who.user_id
        caller = await caller_of(self.database, user_id)
        async with self.database.transaction(None) as session:
            wanted = [str(s) for s in scopes or Scope]
            _, secret = await sign_ins.create_token(session, caller, name="test", scopes=wanted, expires_at=None)
        return secret

    async def cookie(self, who: WorkspaceAccess | User) -> str:
        """A signed-in browser's cookie."""
        user_id = who.id if isinstance(who, User) else who.user_id
        async with self.database.transaction(None) as session:
            user = await session.get_one(User, user_id)
            _, secret = await sign_ins.sign_in(session, self.node.identity, user, ip="127.0.0.1", user_agent="test")
        return secret

    async def client(self, who: WorkspaceAccess | User | None = None, /, **headers: str) -> httpx.AsyncClient:
        """HTTP to the node's application as this person (bearer token), or as a stranger."""
        if who is not None:
            headers["authorization"] = f"Bearer {await self.token(who)}"
        # An unforeseen failure shall be the answer that a user would get.
        transport = httpx.ASGITransport(make_app(self.node), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers)


def message_of(sent: Sent) -> MessageView:
    return msgspec.json.decode(sent.json, type=MessageView)


@asynccontextmanager
async def open_world(url: str, **variables: str) -> AsyncIterator[World]:
    """A node on a migrated database, nothing of it running: jobs run when told to, events go to its own hub."""
    with tempfile.TemporaryDirectory() as folder:
        node = build(
            settings.load(
                {
                    "KANAL_DATA": folder,
                    "KANAL_DATABASE_URL": url,
                    "KANAL_SECRET_KEYS": SECRET,
                    "KANAL_NODE_ID": "node-under-test",
                    **variables,
                },
                env_file=Path(folder) / "none",
            )
        )
        world = World(node)
        try:
            yield world
        finally:
            await node.stop()
