"""What can be asked of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromPath

from kanal.files import actions, delivery, errors, queries
from kanal.files.config import Files
from kanal.files.forms import PART, FileForm
from kanal.files.queries import StoredFile
from kanal.files.schemas import THUMBNAIL_TYPE, AttachmentView, view
from kanal.identity.access import WorkspaceAccess
from kanal.identity.rules import Permission

Access = NamedDependency[WorkspaceAccess]
Tools = NamedDependency[Files]


@dataclass
class UploadOperation(Operation):
    """The form is read by hand, as it arrives; so its description is written by hand too."""

    def __post_init__(self) -> None:
        file = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
        form = Schema(type=OpenAPIType.OBJECT, properties={PART: file}, required=[PART], additional_properties=False)
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


class FileController(Controller):
    """Uploads of a workspace. Needs the dependencies ``access`` and ``files``."""

    path = "/api/v1/workspaces/{ws:uuid}/files"
    tags = ("files",)

    @post("/", operation_class=UploadOperation, request_max_body_size=None, summary="Upload a file")
    async def upload(self, request: Request[Any, Any, Any], access: Access, files: Tools) -> AttachmentView:
        """Visible to nobody else until it is attached to something; forgotten after a day if it never is."""
        access.require(Permission.CHAT_WRITE)
        limit = access.limits.max_file_bytes
        form = FileForm(request.stream(), request.headers.get("content-type", ""), _announced(request), limit)
        name = await form.open()
        stored = await actions.store_upload(files.database, files.storage, access, name=name, stream=form, limit=limit)
        return view(stored)

    @get("/{file_id:uuid}/content", media_type="application/octet-stream", summary="Download a file")
    async def content(
        self, request: Request[Any, Any, Any], access: Access, files: Tools, file_id: FromPath[UUID]
    ) -> Response[Any]:
        """Answers 206 to a Range, 304 to a known ETag, 416 to a range outside of the file."""
        return await delivery.serve_content(request, files.storage, await _readable(files, access, file_id))

    @get("/{file_id:uuid}/thumbnail", media_type=THUMBNAIL_TYPE, summary="A picture's thumbnail")
    async def thumbnail(
        self, request: Request[Any, Any, Any], access: Access, files: Tools, file_id: FromPath[UUID]
    ) -> Response[Any]:
        """At most 480 pixels on its longer side. Not found while it is being made."""
        file = await _readable(files, access, file_id)
        if file.thumbnail_key is None:
            raise errors.file_not_found()
        return await delivery.serve_thumbnail(request, files.storage, file, file.thumbnail_key, THUMBNAIL_TYPE)


def _announced(request: Request[Any, Any, Any]) -> int | None:
    value = request.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else None


async def _readable(files: Files, access: WorkspaceAccess, file_id: UUID) -> StoredFile:
    access.require(Permission.CHAT_READ)
    file = await queries.find(files.database, access.workspace_id, file_id)
    if file is None or not await files.readers.may_read(files.database, access, file):
        raise errors.file_not_found()
    return file
