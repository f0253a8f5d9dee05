"""The history of topics in streams.

A stored message holds one event or several that were waiting together. Its header says epoch, number of its first event,
how many there are, and the sequence of the message before, which compare-and-set makes certain: the numbers have no gaps, and
the way back from the newest message has none either. A message without events only says where an empty log stands.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import msgspec

from kanal.realtime.brokers import positions
from kanal.realtime.brokers.base import BrokerDown, Keep, Past
from kanal.realtime.brokers.nats.jetstream import Conflict, JetStream, Stored, header
from kanal.realtime.brokers.nats.names import Names

_HEADER = "Kanal-Log"
_BATCH_EVENTS = 100
_BATCH_BYTES = 256 * 1024
_MAX_WAITING = 16 * 1024 * 1024  # bytes, over all topics

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode

Done = Callable[[object], None]
"""Called with an exception, or with anything else when the event is in the log."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored message."""

    sequence: int
    epoch: str
    first: int
    count: int
    before: int

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def position(self) -> str:
        return f"{self.epoch}-{self.last}"

    def line(self) -> str:
        return f"{self.epoch} {self.first} {self.count} {self.before}"


def read_entry(sequence: int, block: bytes) -> Entry:
    """Raises ``ValueError``."""
    epoch, first, count, before = (header(block, _HEADER.encode()) or b"").decode().split()
    return Entry(sequence, epoch, int(first), int(count), int(before))


def read_events(payload: bytes) -> list[bytes]:
    """Raises ``ValueError``."""
    return _decode(payload)


@dataclass(slots=True)
class _Writer:
    stream: str
    subject: str
    seconds: float
    queue: deque[tuple[bytes, Done]]
    head: Entry | None = None
    running: bool = False
    written: float = 0.0


class Logs:
    def __init__(
        self, jetstream: JetStream, names: Names, replicas: int, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._jetstream = jetstream
        self._names = names
        self._replicas = replicas
        self._spawn = spawn
        self._streams: set[str] = set()
        self._writers: dict[tuple[str, str], _Writer] = {}
        self._waiting = 0
        self.skew = 0.0
        """Seconds by which the server's clock is ahead of ours."""

    def lose(self) -> None:
        """The server may have lost everything."""
        self._streams.clear()
        for writer in self._writers.values():
            writer.head = None

    # Writing

    def append(self, topic: str, payload: bytes, keep: Keep, done: Done) -> bool:
        """False when too much is waiting already."""
        if self._waiting + len(payload) > _MAX_WAITING:
            return False
        stream = self._names.log_stream(keep.events, keep.seconds)
        writer = self._writers.get((stream, topic))
        if writer is None:
            subject = self._names.log(stream, topic)
            writer = self._writers[stream, topic] = _Writer(stream, subject, keep.seconds, deque())
            asyncio.get_running_loop().call_later(keep.seconds, self._retire, topic, writer)
        writer.queue.append((payload, done))
        self._waiting += len(payload)
        if not writer.running:
            writer.running = True
            self._spawn(self._write(writer, keep))
        return True

    async def _write(self, writer: _Writer, keep: Keep) -> None:
        try:
            await self._ensure(keep)
            while writer.queue:
                batch = self._take(writer)
                try:
                    await self._store(writer, [payload for payload, _ in batch])
                except BrokerDown as error:
                    _tell(batch, error)
                    raise
                writer.written = time.monotonic()
                _tell(batch, None)
        except BrokerDown as error:
            while writer.queue:
                _tell(self._take(writer), error)
        finally:
            writer.running = False

    def _take(self, writer: _Writer) -> list[tuple[bytes, Done]]:
        batch: list[tuple[bytes, Done]] = []
        size = 0
        while writer.queue and len(batch) < _BATCH_EVENTS and (not batch or size < _BATCH_BYTES):
            payload, done = writer.queue.popleft()
            batch.append((payload, done))
            size += len(payload)
        self._waiting -= size
        return batch

    async def _store(self, writer: _Writer, payloads: list[bytes]) -> None:
        while True:
            head = writer.head or await self._head(writer.stream, writer.subject)
            if head is None:
                entry = Entry(0, secrets.token_hex(6), 1, len(payloads), 0)
            else:
                entry = Entry(0, head.epoch, head.last + 1, len(payloads), head.sequence)
            try:
                writer.head = await self._put(writer.subject, entry, payloads)
            except Conflict:
                writer.head = None
            else:
                return

    async def _put(self, subject: str, entry: Entry, payloads: list[bytes]) -> Entry:
        fields: dict[str, str | int] = {_HEADER: entry.line()}
        sequence = await self._jetstream.put(subject, _encode(payloads), expected=entry.before, **fields)
        return Entry(sequence, entry.epoch, entry.first, entry.count, entry.before)

    def heard(self, stream: str, topic: str, entry: Entry) -> None:
        """Somebody has written: what we write next follows upon it."""
        writer = self._writers.get((stream, topic))
        if writer is not None and (writer.head is None or writer.head.sequence < entry.sequence):
            writer.head = entry

    def _retire(self, topic: str, writer: _Writer) -> None:
        """After a time without events they are forgotten, but for the last, which says where the log stands."""
        quiet = time.monotonic() - writer.written
        if writer.running or quiet < writer.seconds:
            left = writer.seconds if writer.running else writer.seconds - quiet
            asyncio.get_running_loop().call_later(left, self._retire, topic, writer)
            return
        del self._writers[writer.stream, topic]
        if writer.head is not None:
            self._spawn(self._purge(writer.stream, writer.subject, writer.head.sequence))

    async def _purge(self, stream: str, subject: str, below: int) -> None:
        try:
            await self._jetstream.purge(stream, subject, below)
        except BrokerDown:
            return  # the stream's own age limit comes later

    # Reading

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        await self._ensure(keep)
        stream = self._names.log_stream(keep.events, keep.seconds)
        subject = self._names.log(stream, topic)
        stored, head = await self._stand(stream, subject)
        if after is None:
            return Past(head.position)
        epoch, number = positions.parse(after)
        missed = head.last - number
        if epoch == head.epoch and missed == 0:
            return Past(head.position)
        gone = Past(head.position, complete=False)
        if epoch != head.epoch or not 0 < missed <= keep.events or self._age(stored) > keep.seconds:
            return gone
        events = await self._back_to(stream, stored, head, number + 1)
        if events is None:
            return gone
        return Past(head.position, positions.numbered(epoch, head.last, events[-missed:]))

    async def _stand(self, stream: str, subject: str) -> tuple[Stored, Entry]:
        """The newest message; the first one is made if there is none."""
        while True:
            stored = await self._jetstream.last(stream, subject)
            if stored is not None:
                return stored, read_entry(stored.sequence, stored.headers)
            try:
                await self._put(subject, Entry(0, secrets.token_hex(6), 1, 0, 0), [])
            except Conflict:
                continue

    async def _back_to(self, stream: str, stored: Stored, entry: Entry, first: int) -> list[bytes] | None:
        events = read_events(stored.data)
        while entry.first > first:
            earlier = await self._jetstream.at(stream, entry.before) if entry.before else None
            if earlier is None:
                return None
            previous = read_entry(earlier.sequence, earlier.headers)
            if previous.epoch != entry.epoch or previous.last != entry.first - 1:
                return None
            events = read_events(earlier.data) + events
            entry = previous
        return events

    async def _head(self, stream: str, subject: str) -> Entry | None:
        stored = await self._jetstream.last(stream, subject)
        return None if stored is None else read_entry(stored.sequence, stored.headers)

    def _age(self, stored: Stored) -> float:
        return time.time() + self.skew - stored.seconds

    async def forget(self, topic: str) -> None:
        for stream in await self._jetstream.streams(self._names.log("*", topic)):
            await self._jetstream.purge(stream, self._names.log(stream, topic))

    async def _ensure(self, keep: Keep) -> None:
        stream = self._names.log_stream(keep.events, keep.seconds)
        if stream in self._streams:
            return
        prefix = self._names.prefix
        await self._jetstream.create(
            stream,
            subjects=[f"{prefix}.log.{stream}.*"],
            storage="memory",  # what survived a crash in part would count on from too low a number
            num_replicas=self._replicas,
            max_msgs_per_subject=keep.events + 1,
            max_age=int((keep.seconds + positions.HEAD_SECONDS) * 1e9),
            republish={"src": f"{prefix}.log.{stream}.*", "dest": f"{prefix}.topic.{{{{wildcard(1)}}}}.log"},
        )
        self._streams.add(stream)


def _tell(batch: list[tuple[bytes, Done]], outcome: object) -> None:
    for _, done in batch:
        done(outcome)
