"""What the nodes of a memory broker share. Nothing in it outlives the process."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kanal.realtime.brokers import positions
from kanal.realtime.brokers.base import Keep, Message, Past, RosterChange

_SWEEP_INTERVAL = 10.0  # seconds between looks for what has expired


class Node(Protocol):
    """A broker on the bus."""

    def receive(self, message: Message, position: str | None) -> None: ...

    def receive_change(self, topic: str, change: RosterChange) -> None: ...


@dataclass(slots=True)
class Entry:
    info: bytes
    nodes: set[str]


@dataclass(slots=True)
class SharedRoster:
    version: int
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class _Log:
    epoch: str
    last: int = 0
    events: deque[bytes] = field(default_factory=deque)
    events_until: float = 0.0
    head_until: float = 0.0

    def touch(self, now: float, keep: Keep) -> None:
        self.head_until = max(self.head_until, now + keep.seconds + positions.HEAD_SECONDS)


class MemoryBus:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.retained: dict[str, tuple[bytes, float]] = {}
        self.rosters: dict[str, SharedRoster] = {}
        self.censuses: dict[str, dict[str, set[str]]] = {}
        self.logs: dict[str, _Log] = {}
        self._version = 0
        self._swept = time.monotonic()

    def next_version(self) -> int:
        """One counter for all rosters, so that a roster made anew never counts below its predecessor."""
        self._version += 1
        return self._version

    def announce(self, topic: str, change: RosterChange) -> None:
        for node in list(self.nodes.values()):
            node.receive_change(topic, change)

    def send(self, message: Message, sender: str) -> None:
        if message.retain is not None:
            now = self._now()
            self.retained[message.topic] = (message.payload, now + message.retain)
        position = None if message.history is None else self._append(message.topic, message.payload, message.history)
        if position is None and len(self.nodes) == 1 and sender in self.nodes:
            return
        for name, node in list(self.nodes.items()):
            if name != sender or position is not None:
                node.receive(message, position)

    def _append(self, topic: str, payload: bytes, keep: Keep) -> str:
        now = self._now()
        log = self._log(topic, now, keep)
        log.last += 1
        log.events.append(payload)
        while len(log.events) > keep.events:
            log.events.popleft()
        log.events_until = now + keep.seconds
        return f"{log.epoch}-{log.last}"

    def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        log = self._log(topic, self._now(), keep)
        position = f"{log.epoch}-{log.last}"
        if after is None:
            return Past(position)
        epoch, number = positions.parse(after)
        missed = log.last - number
        if epoch != log.epoch or not 0 <= missed <= len(log.events):
            return Past(position, complete=False)
        events: Sequence[bytes] = list(log.events)[len(log.events) - missed :]
        return Past(position, positions.numbered(log.epoch, log.last, events))

    def _log(self, topic: str, now: float, keep: Keep) -> _Log:
        log = self.logs.get(topic)
        if log is None or log.head_until <= now:
            log = self.logs[topic] = _Log(secrets.token_hex(6))
        elif log.events_until <= now:
            log.events.clear()
        log.touch(now, keep)
        return log

    def _now(self) -> float:
        """And now and then, what has expired is thrown away."""
        now = time.monotonic()
        if now - self._swept > _SWEEP_INTERVAL:
            self._swept = now
            self.retained = {topic: kept for topic, kept in self.retained.items() if kept[1] > now}
            self.logs = {topic: log for topic, log in self.logs.items() if log.head_until > now}
            for log in self.logs.values():
                if log.events_until <= now:
                    log.events.clear()
        return now
