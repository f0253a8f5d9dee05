"""What happens to files: uploaded, attached, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog

from kanal.files import errors, queries, recordings, storing
from kanal.files.models import File, State
from kanal.files.rules.names import clean_name
from kanal.files.rules.types import DOWNLOAD, PICTURES, sniff
from kanal.files.schemas import AttachmentView, view
from kanal.files.spool import Spool
from kanal.identity.access import WorkspaceAccess
from kanal.identity.rules import Permission
from kanal.kit import clock
from kanal.kit.db import Database, Session
from kanal.kit.ids import new_id
from kanal.kit.jobs import JobType, Queue, enqueue
from kanal.kit.storage import Storage

ATTACHMENTS_FIELD = "attachment_ids"

log = structlog.get_logger(__name__)


class ThumbnailOf(msgspec.Struct):
    """The file is one of the job's workspace."""

    file_id: UUID


class Content(msgspec.Struct):
    """Keys in the storage whose rows are gone."""

    keys: list[str]


# Urgent work is what somebody waits for; a thumbnail is only missed.
MAKE_THUMBNAIL = JobType("files.thumbnail", ThumbnailOf, queue=Queue.DEFAULT, timeout=timedelta(minutes=2))
DELETE_CONTENT = JobType("files.delete_content", Content, queue=Queue.LOW)


@dataclass(frozen=True)
class _Examined:
    content_type: str
    width: int | None = None
    height: int | None = None
    duration: int | None = None


async def store_upload(
    database: Database,
    storage: Storage,
    access: WorkspaceAccess,
    *,
    name: str,
    stream: AsyncIterable[bytes],
    limit: int,
) -> File:
    """Keep what arrives; ``limit`` is in bytes. Commits by itself, because the content has to be stored first.

    The file is its uploader's alone until it is attached. Raises ``permission.denied``, ``file.too_large``,
    ``file.empty`` and ``file.storage_unavailable``; then nothing was kept.
    """
    access.require(Permission.CHAT_WRITE)
    shown_name = clean_name(name)
    with Spool(limit) as spool:
        async for chunk in stream:
            spool.write(chunk)
        if spool.size == 0:
            raise errors.empty()
        digest = spool.finish()
        examined = await asyncio.to_thread(_examine, spool.path, sniff(spool.head, shown_name))
        file = File(
            workspace_id=access.workspace_id,
            id=(file_id := new_id()),
            name=shown_name,
            content_type=examined.content_type,
            size=spool.size,
            sha256=digest,
            width=examined.width,
            height=examined.height,
            duration=examined.duration,
            storage_key=f"files/{access.workspace_id}/{file_id}",
            state=State.PROCESSING if examined.content_type in PICTURES else State.READY,
            uploaded_by=access.user_id,
            created_at=clock.now(),
        )
        await storing.put(storage, file.storage_key, spool.path)
    try:
        async with database.transaction(access.workspace_id) as session:
            session.add(file)
            if file.state == State.PROCESSING:
                enqueue(session, MAKE_THUMBNAIL, ThumbnailOf(file.id))
    except Exception:
        await _forget(database, storage, file)
        raise
    return file


def _examine(path: Path, content_type: str) -> _Examined:
    """Blocking. A picture whose header cannot be read, or that is too large to show, is a download."""
    if content_type in PICTURES:
        from kanal.files import pictures

        try:
            return _Examined(content_type, *pictures.measure(path, content_type))
        except errors.NotAPictureError:
            return _Examined(DOWNLOAD)
    found = recordings.examine(path, content_type)
    return _Examined(content_type, found.width, found.height, found.duration)


async def _forget(database: Database, storage: Storage, file: File) -> None:
    """Take back the content of a row that was not written. A failure after the commit leaves both where they are."""
    try:
        if await queries.find(database, file.workspace_id, file.id) is None:
            await storage.delete(file.storage_key)
    except Exception:  # the first failure is the one to report; an orphan costs a little room
        log.warning("files.orphaned", key=file.storage_key, exc_info=True)


async def attach(
    session: Session,
    file_ids: Sequence[UUID],
    uploader: UUID,
    holder_kind: str,
    holder_id: UUID,
    *,
    item_id: UUID | None = None,
    field: str = ATTACHMENTS_FIELD,
) -> list[AttachmentView]:
    """Give uploads their place; answers their views in the order of ``file_ids``, repeated ones once.

    From here on the reader registered for ``holder_kind`` decides who may read them. ``item_id`` is for the holder's own
    use when a thumbnail is ready (`jobs.OnReady`). Raises ``file.unavailable`` for ids that are unknown or not the
    uploader's, ``file.attached`` for those in use; ``field`` is the request's field to blame.
    """
    wanted = list(dict.fromkeys(file_ids))
    if not wanted:
        return []
    rows = await session.scalars(_locked(sa.select(File).where(File.id.in_(wanted))))
    found = {f.id: f for f in rows.all() if f.uploaded_by == uploader}
    if len(found) < len(wanted):
        raise errors.unavailable(field)
    if [f for f in found.values() if f.attached_at is not None]:
        raise errors.already_attached(field)
    now = clock.now()
    for file in found.values():
        file.holder_kind, file.holder_id, file.item_id, file.attached_at = holder_kind, holder_id, item_id, now
    return [view(found[i]) for i in wanted]


async def discard(session: Session, file_ids: Iterable[UUID]) -> None:
    """Delete what a holder has shown so far: nobody can read it once this has committed. Unknown ids are ignored."""
    await _drop(session, sa.select(File).where(File.id.in_(list(file_ids))))


async def remove_unattached(session: Session, file_ids: Iterable[UUID], before: datetime) -> None:
    """Delete those that were uploaded before this time and still have no place."""
    await _drop(
        session,
        sa.select(File).where(File.id.in_(list(file_ids)), File.attached_at.is_(None), File.created_at < before),
    )


async def _drop(session: Session, which: sa.Select[tuple[File]]) -> None:
    files = (await session.scalars(_locked(which))).all()
    keys = [key for file in files for key in (file.storage_key, file.thumbnail_key) if key is not None]
    for file in files:
        await session.delete(file)
    if keys:
        enqueue(session, DELETE_CONTENT, Content(keys))


def _locked(which: sa.Select[tuple[File]]) -> sa.Select[tuple[File]]:
    """Read afresh, and in the order of the key, so that two of these cannot wait for each other."""
    return which.order_by(File.id).with_for_update().execution_options(populate_existing=True)
