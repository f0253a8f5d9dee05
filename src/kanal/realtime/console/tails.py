"""One channel's events for somebody who looks on, within bounds: what is too much is counted, not shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

import msgspec

from kanal.realtime.console import errors
from kanal.realtime.console.figures import TailBatch, TailedEvent

RATE = 50  # events shown per second; nobody reads faster
BURST = 200  # events shown at once after silence
MAX_DATA = 16_384  # characters of one event's data
GATHER = 0.1  # seconds; events that come within it travel together
QUIET = 10.0  # seconds without events after which a sign of life is given; proxies close silent connections after 30 or more
MAX_TAILS = 20  # on one node


class Listening(Protocol):
    """The hub, as a tail sees it."""

    def listen(self, app_id: str, channel: str, callback: Callable[[bytes], None]) -> Callable[[], None]: ...


class _Event(msgspec.Struct):
    event: str
    data: msgspec.Raw = msgspec.Raw(b'""')
    user_id: str | None = None


_event = msgspec.json.Decoder(_Event).decode
_string = msgspec.json.Decoder(str).decode


class Tail(AbstractContextManager["Tail"]):
    """Listens while it is entered. ``batches`` ends when ``close`` is called."""

    def __init__(
        self,
        hub: Listening,
        app_id: str,
        channel: str,
        *,
        rate: float = RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app_id = app_id
        self.channel = channel
        self.seen = 0
        self.dropped = 0
        self._hub = hub
        self._rate = rate
        self._clock = clock
        self._allowance = float(BURST)
        self._counted = clock()
        self._waiting: list[TailedEvent] = []
        self._stir = asyncio.Event()
        self._closed = False
        self._stop: Callable[[], None] | None = None

    def __enter__(self) -> Tail:
        self._stop = self._hub.listen(self.app_id, self.channel, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None

    def close(self) -> None:
        self._closed = True
        self._stir.set()

    async def batches(self) -> AsyncGenerator[TailBatch | None]:
        """Begins with an empty one. ``None`` is a sign of life. What nobody fetches is bounded by ``BURST``."""
        yield TailBatch(events=[], seen=0, dropped=0)
        while not self._closed:
            try:
                async with asyncio.timeout(QUIET):
                    await self._stir.wait()
            except TimeoutError:
                yield None
                continue
            await asyncio.sleep(GATHER)
            self._stir.clear()
            events, self._waiting = self._waiting, []
            yield TailBatch(events=events, seen=self.seen, dropped=self.dropped)

    def _hear(self, text: bytes) -> None:
        """In the middle of a publication: quick."""
        self.seen += 1
        self._stir.set()
        now = self._clock()
        self._allowance = min(BURST, self._allowance + (now - self._counted) * self._rate)
        self._counted = now
        if self._allowance < 1 or len(self._waiting) >= BURST:
            self.dropped += 1
            return
        self._allowance -= 1
        self._waiting.append(_read(text))


def _read(text: bytes) -> TailedEvent:
    message = _event(text)
    raw = bytes(message.data)
    data = _string(raw) if raw.startswith(b'"') else raw.decode()
    return TailedEvent(
        at=time.time_ns() // 1_000_000,
        event=message.event,
        data=data[:MAX_DATA],
        size=len(data),
        cut=len(data) > MAX_DATA,
        user_id=message.user_id,
    )


class Tails:
    """The open tails of a node."""

    def __init__(self, hub: Listening) -> None:
        self._hub = hub
        self._open: set[Tail] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def check_room(self) -> None:
        """Raises ``console.too_many_tails``."""
        if len(self._open) >= MAX_TAILS:
            raise errors.too_many_tails()

    async def follow(self, app_id: str, channel: str) -> AsyncGenerator[TailBatch | None]:
        """Close the iterator (``aclosing``) when its reader goes. Raises ``console.too_many_tails``."""
        self.check_room()
        with Tail(self._hub, app_id, channel) as tail:
            self._open.add(tail)
            if self._closed:
                tail.close()
            try:
                async for batch in tail.batches():
                    yield batch
            finally:
                self._open.discard(tail)

    def close(self) -> None:
        """End them all: the node is going away."""
        self._closed = True
        for tail in self._open:
            tail.close()
