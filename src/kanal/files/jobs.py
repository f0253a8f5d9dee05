"""What is done about files afterwards: thumbnails, and forgetting what nobody attached."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog

from kanal.files import actions, errors, storing
from kanal.files.config import Files
from kanal.files.models import File, State
from kanal.kit import clock
from kanal.kit.db import Session
from kanal.kit.jobs import JobContext, JobType, Periodic, Queue, Worker
from kanal.kit.jobs.schedule import Nothing
from kanal.kit.storage import Storage
from kanal.kit.tenancy import across_tenants

UNATTACHED_FOR = timedelta(hours=24)  # a draft with an upload in it is finished the same day, or written anew
BATCH = 200  # files removed per look

CLEAN_UP = JobType("files.clean_up", Nothing, queue=Queue.LOW)
PERIODIC = [Periodic(CLEAN_UP, timedelta(hours=1))]

OnReady = Callable[[Session, File], Awaitable[None]]
"""Called in the transaction that ends the processing of an attached file, with its row locked: announce its new view."""

log = structlog.get_logger(__name__)


def bind(worker: Worker, files: Files, *, on_ready: Mapping[str, OnReady]) -> None:
    """Have this worker do the jobs of files; ``on_ready`` is by kind of holder."""
    work = FileJobs(files.storage, on_ready)
    worker.handle(actions.MAKE_THUMBNAIL, work.make_thumbnail)
    worker.handle(actions.DELETE_CONTENT, work.delete_content)
    worker.handle(CLEAN_UP, work.clean_up)


class FileJobs:
    """The handlers. Pictures are decoded one at a time, so that memory is bounded by the largest one."""

    def __init__(self, storage: Storage, on_ready: Mapping[str, OnReady]) -> None:
        self._storage = storage
        self._on_ready = on_ready
        self._decoding = asyncio.Lock()

    async def make_thumbnail(self, context: JobContext, payload: actions.ThumbnailOf) -> None:
        """Repeating it is harmless. A picture that cannot be decoded is FAILED, which is an answer and no failure."""
        async with context.database.reading(context.workspace_id) as session:
            file = await session.scalar(sa.select(File).where(File.id == payload.file_id))
        if file is None or file.state != State.PROCESSING:
            return
        try:
            await self._make_thumbnail(context, file)
        except errors.NotAPictureError as error:
            log.info("files.not_a_picture", file=str(file.id), reason=repr(error.__cause__))
            await self._finish(context, file.id, None)
        except Exception:
            if context.last_attempt:
                await self._finish(context, file.id, None)
            raise

    async def _make_thumbnail(self, context: JobContext, file: File) -> None:
        thumbnail = await self._decode(file)
        key = f"{file.storage_key}.thumbnail"
        await self._storage.put(key, thumbnail)
        if not await self._finish(context, file.id, key):
            await self._storage.delete(key)

    async def _decode(self, file: File) -> bytes:
        from kanal.files import pictures

        async with self._decoding:
            with tempfile.NamedTemporaryFile(prefix="kanal-picture-") as copy:
                path = Path(copy.name)
                await storing.fetch_to(self._storage, file.storage_key, path)
                return await asyncio.to_thread(pictures.make_thumbnail, path, file.content_type)

    async def _finish(self, context: JobContext, file_id: UUID, thumbnail_key: str | None) -> bool:
        """Store the outcome and tell the holder; ``False`` when the file has been removed meanwhile."""
        async with context.database.transaction(context.workspace_id) as session:
            file = await session.scalar(sa.select(File).where(File.id == file_id).with_for_update())
            if file is None:
                return False
            file.state = State.READY if thumbnail_key else State.FAILED
            file.thumbnail_key = thumbnail_key
            await session.flush()
            announce = self._on_ready.get(file.holder_kind or "")
            if announce is not None:
                await announce(session, file)
        return True

    async def delete_content(self, _context: JobContext, payload: actions.Content) -> None:
        for key in payload.keys:
            await self._storage.delete(key)

    async def clean_up(self, context: JobContext, _payload: Nothing) -> None:
        """Remove what was uploaded and not attached for `UNATTACHED_FOR`."""
        before = clock.now() - UNATTACHED_FOR
        forgotten = (
            sa.select(File.workspace_id, File.id)
            .where(File.attached_at.is_(None), File.created_at < before)
            .order_by(File.created_at)
            .limit(BATCH)
        )
        while True:
            async with context.database.reading(None) as session:
                rows = await session.execute(
                    forgotten, execution_options=across_tenants("uploads are forgotten everywhere")
                )
                by_workspace: dict[UUID, list[UUID]] = defaultdict(list)
                for workspace_id, file_id in rows:
                    by_workspace[workspace_id].append(file_id)
            for workspace_id, ids in by_workspace.items():
                async with context.database.transaction(workspace_id) as session:
                    await actions.remove_unattached(session, ids, before)
            if not by_workspace:
                return
