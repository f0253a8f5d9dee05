"""What is read of files: by hand, because every picture on a page asks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kanal.kit.db import Database, Statement, as_id

_FIND = Statement(
    "SELECT name, content_type, size, sha256, storage_key, thumbnail_key, uploaded_by, holder_kind, holder_id"
    " FROM {files} WHERE workspace_id = :workspace_id AND id = :id"
)


@dataclass(frozen=True)
class StoredFile:
    """What serving a file needs to know."""

    name: str
    content_type: str
    size: int
    sha256: bytes
    storage_key: str
    thumbnail_key: str | None
    uploaded_by: UUID
    holder_kind: str | None
    holder_id: UUID | None


async def find(database: Database, workspace_id: UUID, file_id: UUID) -> StoredFile | None:
    async with database.hot(workspace_id) as reader:
        rows = await reader.fetch(_FIND, id=file_id)
    if not rows:
        return None
    name, content_type, size, digest, key, thumbnail, uploaded_by, kind, holder = rows[0]
    return StoredFile(
        name=name,
        content_type=content_type,
        size=size,
        sha256=bytes(digest),
        storage_key=key,
        thumbnail_key=thumbnail,
        uploaded_by=as_id(uploaded_by),
        holder_kind=kind,
        holder_id=None if holder is None else as_id(holder),
    )
