"""Files: a local folder or an S3 bucket behind the same few calls (obstore).

A key is a path such as ``files/<workspace>/<id>``; the caller makes it, never a user. Upload first, insert the row
after: an orphaned file costs a little room, a row without its file is an error a person sees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.store import LocalStore, S3Store, from_url

CHUNK = 1024 * 1024  # bytes per chunk read back
Store = LocalStore | S3Store


class StorageError(Exception):
    """The store could not do it; the reason is the cause."""


class Storage:
    """``file:///folder`` (made when missing) or any URL that obstore knows (``s3://bucket/prefix``)."""

    def __init__(self, url: str) -> None:
        if url.startswith("file://"):
            folder = Path(url.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(folder)
        else:
            self._store = from_url(url)  # type: ignore[assignment]

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store a whole file; a half-written one is never visible under its key."""
        await obstore.put_async(self._store, key, content)

    async def get(self, key: str) -> bytes:
        """The whole file. Raises ``FileNotFoundError``."""
        result = await obstore.get_async(self._store, key)
        return bytes(await result.bytes_async())

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The file in chunks; ``FileNotFoundError`` comes before the first one."""
        result = await obstore.get_async(self._store, key)
        async for chunk in result.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def stream_range(self, key: str, start: int, length: int) -> bytes:
        """Part of a file (audio and video players ask for ranges)."""
        return bytes(await obstore.get_range_async(self._store, key, start=start, length=length))

    async def delete(self, key: str) -> None:
        """Deleting what is not there is not an error."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
