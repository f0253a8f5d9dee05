"""The shapes that leave this package."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from kanal.files.models import File, State

THUMBNAIL_TYPE = "image/webp"
BASE_PATH = "/api/v1/workspaces/{workspace}/files/{file}"


class AttachmentView(msgspec.Struct, kw_only=True):
    """A file as clients see it. Pixels as shown; ``duration`` in seconds; addresses relative to the server.

    While ``state`` is ``processing`` a thumbnail is on its way. Width and height are null for what is not a picture or
    video that can be shown.
    """

    id: UUID
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    duration: float | None
    thumbnail: bool
    url: str
    thumbnail_url: str | None
    state: Literal["ready", "processing"]


def view(file: File) -> AttachmentView:
    """A picture that could not be decoded is shown as a file: ready, without dimensions."""
    base = BASE_PATH.format(workspace=file.workspace_id, file=file.id)
    failed = file.state == State.FAILED
    return AttachmentView(
        id=file.id,
        name=file.name,
        content_type=file.content_type,
        size=file.size,
        width=None if failed else file.width,
        height=None if failed else file.height,
        duration=None if file.duration is None else file.duration / 1000,
        thumbnail=file.thumbnail_key is not None,
        url=f"{base}/content",
        thumbnail_url=f"{base}/thumbnail" if file.thumbnail_key is not None else None,
        state="processing" if file.state == State.PROCESSING else "ready",
    )
