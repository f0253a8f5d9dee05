"""The broker of a single process. Several nodes may share one bus, which is how tests build a cluster."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kanal.realtime.brokers.base import Message, Retained, Roster, RosterChange, RosterUpdate, Sink


@dataclass(slots=True)
class _Entry:
    info: bytes
    nodes: set[str]


@dataclass(slots=True)
class _Roster:
    version: int
    entries: dict[str, _Entry] = field(default_factory=dict)


class MemoryBus:
    """What the nodes share."""

    def __init__(self) -> None:
        self.nodes: dict[str, MemoryBroker] = {}
        self.retained: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self.rosters: dict[str, _Roster] = {}
        self._version = 0

    def next_version(self) -> int:
        """One counter for all rosters, so that a roster made anew never counts below its predecessor."""
        self._version += 1
        return self._version

    def retain(self, topic: str, payload: bytes, seconds: float) -> None:
        now = time.monotonic()
        self.retained[topic] = (payload, now + seconds)
        self.retained.move_to_end(topic)
        for old, (_, expires) in list(self.retained.items())[:8]:  # a few at a time keeps the past from piling up
            if expires <= now:
                del self.retained[old]

    def announce(self, topic: str, change: RosterChange) -> None:
        for node in list(self.nodes.values()):
            node.receive_change(topic, change)


class MemoryBroker:
    def __init__(self, node: str = "local", bus: MemoryBus | None = None) -> None:
        self._node = node
        self._bus = bus or MemoryBus()
        self._topics: set[str] = set()
        self._sink: Sink | None = None

    @property
    def node(self) -> str:
        return self._node

    @property
    def connected(self) -> bool:
        return self._sink is not None

    async def start(self, sink: Sink) -> None:
        self._sink = sink
        self._bus.nodes[self._node] = self
        sink.restored()

    async def stop(self) -> None:
        for topic, roster in list(self._bus.rosters.items()):
            own = [user for user, entry in roster.entries.items() if self._node in entry.nodes]
            await self.update_roster(topic, {}, own, 0)
        self._bus.nodes.pop(self._node, None)
        self._sink = None

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        self._topics.add(topic)
        return None

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)

    def post(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.retain is not None:
                self._bus.retain(message.topic, message.payload, message.retain)
            if len(self._bus.nodes) > 1:
                for node in list(self._bus.nodes.values()):
                    if node is not self:
                        node.receive(message)

    async def publish(self, messages: Sequence[Message]) -> bool:
        self.post(messages)
        return True

    async def retained(self, topic: str) -> Retained | None:
        payload, expires = self._bus.retained.get(topic, (b"", 0.0))
        left = expires - time.monotonic()
        return Retained(payload, left) if left > 0 else None

    async def roster(self, topic: str) -> Roster:
        roster = self._bus.rosters.get(topic)
        if roster is None:
            return Roster()
        members = {user: entry.info for user, entry in roster.entries.items()}
        own = frozenset(user for user, entry in roster.entries.items() if self._node in entry.nodes)
        return Roster(roster.version, members, own)

    async def update_roster(
        self, topic: str, joins: Mapping[str, bytes], leaves: Sequence[str], limit: int
    ) -> RosterUpdate:
        roster = self._bus.rosters.setdefault(topic, _Roster(self._bus.next_version()))
        refused: set[str] = set()
        for user in leaves:
            self._leave(topic, roster, user)
        for user, info in joins.items():
            entry = roster.entries.get(user)
            if entry is not None:
                entry.nodes.add(self._node)
            elif len(roster.entries) >= limit:
                refused.add(user)
            else:
                roster.entries[user] = _Entry(info, {self._node})
                roster.version = self._bus.next_version()
                self._bus.announce(topic, RosterChange(roster.version, user, info))
        if not roster.entries and self._bus.rosters.get(topic) is roster:
            del self._bus.rosters[topic]
        return RosterUpdate(roster.version, frozenset(refused))

    def _leave(self, topic: str, roster: _Roster, user: str) -> None:
        entry = roster.entries.get(user)
        if entry is None or self._node not in entry.nodes:
            return
        entry.nodes.discard(self._node)
        if not entry.nodes:
            del roster.entries[user]
            roster.version = self._bus.next_version()
            self._bus.announce(topic, RosterChange(roster.version, user, None))

    def receive(self, message: Message) -> None:
        if self._sink is not None and message.topic in self._topics:
            self._sink.deliver(message.topic, message.payload)

    def receive_change(self, topic: str, change: RosterChange) -> None:
        if self._sink is not None and topic in self._topics:
            self._sink.roster_changed(topic, change)
