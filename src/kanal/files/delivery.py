"""Handing out content that strangers uploaded, so that no browser takes it for a part of Kanal."""

from __future__ import annotations

from typing import Any

from litestar import Response
from litestar.connection import ASGIConnection
from litestar.response import Stream

from kanal.files import storing
from kanal.files.queries import StoredFile
from kanal.files.rules.names import disposition
from kanal.files.rules.ranges import Part, UnsatisfiableError, names_etag, requested_part
from kanal.files.rules.types import shown_inline
from kanal.kit.storage import Storage

WHOLE = 512 * 1024  # bytes; smaller files are answered in one piece
KEEP = 7 * 24 * 3600  # seconds in the browser's own cache; the content behind an address never changes

SAFETY = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": f"private, max-age={KEEP}, immutable",
    # Two people who share a browser do not share its cache.
    "vary": "Cookie, Authorization",
}

Connection = ASGIConnection[Any, Any, Any, Any]


async def serve_content(connection: Connection, storage: Storage, file: StoredFile) -> Response[Any]:
    """The file itself, or the part asked for: 200, 206, 304 or 416."""
    etag = f'"{file.sha256.hex()[:32]}"'
    kind = "inline" if shown_inline(file.content_type) else "attachment"
    headers = {**SAFETY, "etag": etag, "accept-ranges": "bytes", "content-disposition": disposition(kind, file.name)}
    if names_etag(connection.headers.get("if-none-match"), etag):
        return _bare(304, headers)
    try:
        part = _part(connection, etag, file.size)
    except UnsatisfiableError:
        return _bare(416, {**headers, "content-range": f"bytes */{file.size}", "cache-control": "no-store"})
    if part is not None:
        headers["content-range"] = part.content_range(file.size)
        return await _answer(storage, file, part, 206, headers)
    return await _answer(storage, file, Part(0, file.size), 200, headers)


async def serve_thumbnail(
    connection: Connection, storage: Storage, file: StoredFile, key: str, content_type: str
) -> Response[Any]:
    """200 or 304."""
    etag = f'"{file.sha256.hex()[:30]}-t"'
    headers = {**SAFETY, "etag": etag, "content-disposition": "inline"}
    if names_etag(connection.headers.get("if-none-match"), etag):
        return _bare(304, headers)
    return Response(await storing.read(storage, key), headers=headers, media_type=content_type)


def _part(connection: Connection, etag: str, size: int) -> Part | None:
    """If-Range with another tag, or with a date, asks for the whole (RFC 9110 13.1.5)."""
    condition = connection.headers.get("if-range")
    return (
        None if condition is not None and condition != etag else requested_part(connection.headers.get("range"), size)
    )


async def _answer(
    storage: Storage, file: StoredFile, part: Part, status: int, headers: dict[str, str]
) -> Response[Any]:
    key, whole = file.storage_key, part.length == file.size
    if part.length <= WHOLE:
        stored = storage.get(key) if whole else storage.stream_range(key, part.start, part.length)
        with storing.reported(key):
            content = await stored
        return Response(content, status_code=status, headers=headers, media_type=file.content_type)
    chunks = storing.stream(storage, key) if whole else storing.stream_part(storage, key, part.start, part.length)
    headers["content-length"] = str(part.length)
    return Stream(await chunks, status_code=status, headers=headers, media_type=file.content_type)


def _bare(status: int, headers: dict[str, str]) -> Response[bytes]:
    return Response(b"", status_code=status, headers=headers)
