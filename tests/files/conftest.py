"""A workspace with people, a storage, a worker, and the routes, on each of the three databases where it matters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, Request
from litestar.di import Provide
from litestar.params import FromPath

import kanal.kit.events
from kanal.files import jobs as file_jobs
from kanal.files.config import Files
from kanal.files.models import File
from kanal.files.routes import FileController
from kanal.identity.access import WorkspaceAccess, access_of
from kanal.identity.models import Member, User, Workspace
from kanal.kit import clock, jobs
from kanal.kit.db import Base, Database, Session
from kanal.kit.i18n import Catalog
from kanal.kit.ids import new_id
from kanal.kit.storage import Storage
from kanal.kit.web.errors import exception_handlers


@dataclass
class World:
    """What the tests act on. ``announced`` gathers the files that a holder "room" was told about."""

    database: Database
    files: Files
    worker: jobs.Worker
    folder: Path
    announced: list[UUID] = field(default_factory=list)

    async def workspace(self, plan: str = "free") -> UUID:
        id_ = new_id()
        async with self.database.transaction(None) as session:
            session.add(
                Workspace(
                    id=id_, name="W", slug=id_.hex, plan=plan, status="active", settings={}, created_at=clock.now()
                )
            )
        return id_

    async def member(self, workspace_id: UUID, role: str = "agent") -> WorkspaceAccess:
        user = User(
            id=new_id(),
            email=f"{new_id()}@example.com",
            name="N",
            password_hash="-",
            locale="en",
            created_at=clock.now(),
        )
        async with self.database.transaction(workspace_id) as session:
            session.add(user)
            await session.flush()
            session.add(
                Member(workspace_id=workspace_id, user_id=user.id, role=role, status="active", joined_at=clock.now())
            )
        return await access_of(self.database, workspace_id, user.id)

    async def file(self, access: WorkspaceAccess, file_id: UUID) -> File | None:
        async with self.database.reading(access.workspace_id) as session:
            return await session.get(File, (access.workspace_id, file_id))

    def stored(self) -> set[str]:
        """The keys in the storage."""
        return {str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def storage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


async def make_world(url: str, folder: Path) -> World:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    transport = jobs.EmbeddedTransport()
    database.before_commit += [kanal.kit.events.store_pending, jobs.store_pending]
    database.after_commit += [transport.announce]
    files = Files(database=database, storage=Storage(f"file://{folder}"))
    world = World(database, files, jobs.Worker(database, transport), folder)

    async def on_ready(_session: Session, file: File) -> None:
        world.announced.append(file.id)

    file_jobs.bind(world.worker, files, on_ready={"room": on_ready})
    return world


@pytest.fixture
async def world(sqlite_url: str, storage_folder: Path) -> AsyncIterator[World]:
    made = await make_world(sqlite_url, storage_folder)
    yield made
    await made.database.close()


@pytest.fixture
async def each_world(database_url: str, storage_folder: Path) -> AsyncIterator[World]:
    """The same on SQLite, MariaDB and PostgreSQL."""
    made = await make_world(database_url, storage_folder)
    yield made
    await made.database.close()


class Person(httpx.AsyncClient):
    """A client of the API; ``uploads`` is the address of their workspace's files."""

    uploads = ""


Client = Callable[[WorkspaceAccess], Person]


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    """HTTP as this person; the workspace in the path is the one they are asked about."""

    async def access(request: Request[Any, Any, Any], ws: FromPath[UUID]) -> WorkspaceAccess:
        return await access_of(world.database, ws, UUID(request.headers["x-user"]))

    def files() -> Files:
        return world.files

    app = Litestar(
        [FileController],
        dependencies={
            "access": Provide(access),
            "files": Provide(files, sync_to_thread=False),
        },
        exception_handlers=exception_handlers(Catalog(["kanal.kit", "kanal.files"])),
    )
    clients: list[Person] = []

    def make(person: WorkspaceAccess) -> Person:
        made = Person(
            transport=httpx.ASGITransport(cast("Any", app)),
            base_url="http://kanal",
            headers={"x-user": str(person.user_id)},
        )
        made.uploads = f"/api/v1/workspaces/{person.workspace_id}/files"
        clients.append(made)
        return made

    yield make
    for one in clients:
        await one.aclose()
