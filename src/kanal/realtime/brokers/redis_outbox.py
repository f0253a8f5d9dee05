"""What goes out to Redis: gathered into pipelines, in order, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from itertools import islice

import redis.asyncio as aioredis
import redis.exceptions

Command = tuple[str | bytes | int, ...]

MAX_WAITING_BYTES = 16 * 1024 * 1024
_BATCH = 1_000  # puts in one pipeline


class Outbox:
    def __init__(self, client: aioredis.Redis, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._client = client
        self._max_bytes = max_bytes
        self._queue: deque[tuple[Sequence[Command], asyncio.Future[bool] | None, int]] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()

    def put(self, commands: Sequence[Command], done: asyncio.Future[bool] | None = None) -> bool:
        """False when too much is waiting already; nothing is queued then, and ``done`` is left alone."""
        size = sum(len(part) for command in commands for part in command if isinstance(part, bytes))
        if self._queue and self._bytes + size > self._max_bytes:
            return False
        self._queue.append((commands, done, size))
        self._bytes += size
        self._ready.set()
        return True

    def drop(self) -> None:
        """The link is lost: what waits would come late and out of place."""
        while self._queue:
            _, done, _ = self._queue.popleft()
            _settle(done, sent=False)
        self._bytes = 0

    async def run(self) -> None:
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                while self._queue:
                    await self._send_batch()
        finally:
            self.drop()

    async def _send_batch(self) -> None:
        batch = list(islice(self._queue, _BATCH))
        for _ in batch:
            self._bytes -= self._queue.popleft()[2]
        sent = False
        try:
            # A failure is noticed by the link for itself; whoever waits is told below.
            with contextlib.suppress(redis.exceptions.RedisError, OSError, TimeoutError):
                async with self._client.pipeline(transaction=False) as pipeline:
                    for commands, _, _ in batch:
                        for command in commands:
                            pipeline.execute_command(*command)
                    await pipeline.execute()
                sent = True
        finally:
            for _, done, _ in batch:
                _settle(done, sent=sent)


def _settle(done: asyncio.Future[bool] | None, *, sent: bool) -> None:
    if done is not None and not done.done():
        done.set_result(sent)
