"""Files: a local folder or an S3 bucket behind the same few calls (obstore).

A key is a path such as ``files/<workspace>/<id>``; the caller makes it, never a user. Upload first, insert the row
after: an orphaned file costs a little room, a row without its file is an error a person sees.

obstore's blocking calls run in threads: its coroutines abort the interpreter now and then when it ends right after one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.store import LocalStore, S3Store, from_url

CHUNK = 1024 * 1024  # bytes per chunk read back
PARTS_IN_FLIGHT = 2  # of a large upload; obstore's 12 hold 130 MB and are no faster
Store = LocalStore | S3Store


class Storage:
    """``file:///folder`` (made when missing) or any URL that obstore knows (``s3://bucket/prefix``)."""

    def __init__(self, url: str) -> None:
        if url.startswith("file://"):
            folder = Path(url.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            self._store: Store = LocalStore(folder)
        else:
            self._store = from_url(url)  # type: ignore[assignment]

    async def put(self, key: str, content: bytes | Path) -> None:
        """Store a whole file; a half-written one is never visible under its key."""
        await asyncio.to_thread(obstore.put, self._store, key, content, max_concurrency=PARTS_IN_FLIGHT)

    async def get(self, key: str) -> bytes:
        """The whole file. Raises ``FileNotFoundError``."""
        return await asyncio.to_thread(lambda: bytes(obstore.get(self._store, key).bytes()))

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The file in chunks; ``FileNotFoundError`` comes before the first one."""
        size = (await asyncio.to_thread(obstore.head, self._store, key))["size"]
        for start in range(0, size, CHUNK):
            yield await self.stream_range(key, start, min(CHUNK, size - start))

    async def stream_range(self, key: str, start: int, length: int) -> bytes:
        """Part of a file (audio and video players ask for ranges)."""
        return await asyncio.to_thread(lambda: bytes(obstore.get_range(self._store, key, start=start, length=length)))

    async def delete(self, key: str) -> None:
        """Deleting what is not there is not an error."""
        try:
            await asyncio.to_thread(obstore.delete, self._store, key)
        except FileNotFoundError:
            return
