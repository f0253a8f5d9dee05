"""The storage as this package uses it: every failure becomes one error that a person can be told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import structlog
from obstore.exceptions import BaseError

from kanal.files import errors
from kanal.kit.storage import Storage

FAILURES = (BaseError, OSError)
PIECE = 4 * 1024 * 1024  # bytes fetched at once for a part of a file; one request each on S3

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def reported(key: str) -> Iterator[None]:
    """Raises ``file.storage_unavailable``; ``file.not_found`` when the content is not there."""
    try:
        yield
    except FileNotFoundError:
        log.exception("files.content_missing", key=key)
        raise errors.file_not_found() from None
    except FAILURES as error:
        log.exception("files.storage_failed", key=key)
        raise errors.storage_failed() from error


async def put(storage: Storage, key: str, content: bytes | Path) -> None:
    try:
        await storage.put(key, content)
    except FAILURES as error:  # a missing folder is the storage's failure here, not a missing file
        log.exception("files.storage_failed", key=key)
        raise errors.storage_failed() from error


async def read(storage: Storage, key: str) -> bytes:
    with reported(key):
        return await storage.get(key)


async def stream(storage: Storage, key: str) -> AsyncIterator[bytes]:
    """The whole file in chunks. What goes wrong before the first one is raised here, before anything was answered."""
    chunks = aiter(storage.stream(key))
    with reported(key):
        first = await anext(chunks, b"")

    async def rest() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return rest()


async def stream_part(storage: Storage, key: str, start: int, length: int) -> AsyncIterator[bytes]:
    """The same for part of a file."""
    end = start + length
    with reported(key):
        first = await storage.stream_range(key, start, min(PIECE, length))

    async def rest() -> AsyncIterator[bytes]:
        yield first
        at = start + len(first)
        while at < end:
            piece = await storage.stream_range(key, at, min(PIECE, end - at))
            at += len(piece)
            yield piece

    return rest()


async def fetch_to(storage: Storage, key: str, path: Path) -> None:
    """Copy a file from the storage. Raises what the storage raises: jobs try again."""
    with path.open("wb") as target:
        async for chunk in storage.stream(key):
            target.write(chunk)
