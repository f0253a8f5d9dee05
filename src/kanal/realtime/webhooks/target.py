"""One address of one app: batches in order, one request at a time, each repeated until it is taken or too old."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import structlog

from kanal import __version__
from kanal.realtime.apps import App, Webhook
from kanal.realtime.endings import end
from kanal.realtime.webhooks import messages
from kanal.realtime.webhooks.backlog import BATCH_EVENTS, Backlog
from kanal.realtime.webhooks.http import Address, Answer, Courier, PostFailed
from kanal.realtime.webhooks.stats import WebhookStats

_FIXED = b"Content-Type: application/json\r\nUser-Agent: Kanal/%b\r\n" % __version__.encode()

_LOG_EVERY = 10.0  # seconds between lines about a full queue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds."""

    window: float = 0.25
    """An event waits this long for others to share its request; Pusher documents the same."""
    answer: float = 5.0
    """For connecting, sending and the whole answer; Pusher gives 4."""
    first_retry: float = 0.5
    longest_retry: float = 30.0
    give_up: float = 300.0
    """Age at which an event that was refused is dropped, as Pusher documents."""
    idle: float = 60.0
    """A connection that is not used so long is closed."""

    def retry_after(self, failures: int) -> float:
        """Doubles, and half of it is chance: the targets of many nodes do not come back all at once."""
        full: float = min(self.longest_retry, self.first_retry * 2 ** min(failures - 1, 16))
        return full * (0.5 + random.random() / 2)


class Target:
    """``put`` and forget. ``app`` may be replaced at any time; what is sent from then on carries its key and secret."""

    def __init__(
        self,
        app: App,
        webhook: Webhook,
        address: Address,
        stats: WebhookStats,
        spawn: Callable[[asyncio.Task[None]], None],
        *,
        private: bool = True,
        pace: Pace | None = None,
    ) -> None:
        self.app = app
        self.webhook = webhook
        self.stats = stats
        self._pace = pace or Pace()
        self._spawn = spawn
        self._courier = Courier(address, private=private)
        self._backlog = Backlog()
        self._more = asyncio.Event()
        self._full = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._hurry = False
        self._failures = 0
        self._pushed_out = 0
        self._next_line = 0.0
        self._task: asyncio.Task[None] | None = None

    def put(self, event: bytes) -> None:
        now = asyncio.get_running_loop().time()
        dropped = self._backlog.put(event, now)
        self.stats.waiting += 1 - dropped
        if dropped:
            self._push_out(dropped, now)
        self._empty.clear()
        self._more.set()
        if len(self._backlog) >= BATCH_EVENTS:
            self._full.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._spawn(self._task)

    async def flush(self) -> None:
        """Returns when everything is sent or given up. Nothing waits for company any more."""
        self._hurry = True
        self._full.set()
        await self._empty.wait()

    async def close(self) -> None:
        """What still waits is dropped."""
        if self._task is not None:
            await end([self._task])
        self._courier.close()
        left = self._backlog.clear()
        if left:
            self.stats.waiting -= left
            self._drop(left, "stopped")
        self._empty.set()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pace.idle):
                    await self._more.wait()
            except TimeoutError:
                self._courier.close()
                await self._more.wait()
            await self._gather()
            await self._deliver()
            if not self._backlog:
                self._more.clear()
                self._empty.set()

    async def _gather(self) -> None:
        """Until the batch is full or the first event has waited long enough."""
        left = self._backlog.oldest + self._pace.window - asyncio.get_running_loop().time()
        if left > 0 and not self._hurry and len(self._backlog) < BATCH_EVENTS:
            self._full.clear()
            try:
                async with asyncio.timeout(left):
                    await self._full.wait()
            except TimeoutError:
                return

    async def _deliver(self) -> None:
        """One batch. It is out of the backlog meanwhile, so it cannot be pushed out halfway."""
        loop = asyncio.get_running_loop()
        deadline = self._backlog.oldest + self._pace.give_up
        batch = self._backlog.take()
        try:
            content = messages.body(batch, time.time_ns() // 1_000_000)
            while True:
                wait = await self._attempt(content)
                if wait is None:
                    self.stats.sent += len(batch)
                    return
                left = deadline - loop.time()
                if left <= 0:
                    self._drop(len(batch), "refused")
                    self._drop_old(loop.time() - self._pace.give_up)
                    return
                await asyncio.sleep(min(wait, left))
                self.stats.retried += 1
        except asyncio.CancelledError:
            self._drop(len(batch), "stopped")
            raise
        finally:
            self.stats.waiting -= len(batch)

    async def _attempt(self, content: bytes) -> float | None:
        """``None`` when it was taken, else seconds to wait before the next attempt."""
        self.stats.requests += 1
        headers = _FIXED + messages.signature_headers(self.app.key, self.app.secret, content)
        answer: Answer | None = None
        try:
            answer = await self._courier.post(headers, content, self._pace.answer)
            if 200 <= answer.status < 300:
                self._failures = 0
                return None
            problem = f"status {answer.status}"
        except PostFailed as failure:
            problem = str(failure)
        self.stats.failed += 1
        self._failures += 1
        if self._failures == 1:  # the first of a row; the end of it is told by what is dropped, if anything is
            self._log("webhook.failed", problem=problem)
        asked = seconds_of(answer.retry_after) if answer is not None and answer.retry_after else 0.0
        return max(asked, self._pace.retry_after(self._failures))

    def _drop_old(self, moment: float) -> None:
        gone = self._backlog.forget_before(moment)
        if gone:
            self.stats.waiting -= gone
            self._drop(gone, "refused")

    def _push_out(self, events: int, now: float) -> None:
        self.stats.dropped += events
        self._pushed_out += events
        if now >= self._next_line:
            self._log("webhook.dropped", events=self._pushed_out, why="full")
            self._pushed_out = 0
            self._next_line = now + _LOG_EVERY

    def _drop(self, events: int, why: str) -> None:
        self.stats.dropped += events
        self._log("webhook.dropped", events=events, why=why)

    def _log(self, event: str, **values: object) -> None:
        log.warning(event, app=self.app.id, url=self._courier.address.public, **values)


def seconds_of(retry_after: str) -> float:
    """Seconds or an HTTP date; 0 for anything else."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if at.tzinfo is None:  # "-0000"
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
