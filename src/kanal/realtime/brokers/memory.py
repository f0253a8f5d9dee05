"""The broker of a single process. Several nodes may share one bus, which is how tests build a cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

from kanal.realtime.brokers.base import (
    CensusUpdate,
    Keep,
    Message,
    Past,
    Retained,
    Roster,
    RosterChange,
    RosterUpdate,
    Sink,
)
from kanal.realtime.brokers.memory_bus import Entry, MemoryBus, SharedRoster

__all__ = ["MemoryBroker", "MemoryBus"]


class MemoryBroker:
    """Messages reach the other nodes, and with history this one too, before ``post`` and ``publish`` return."""

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
        for app_id, census in list(self._bus.censuses.items()):
            last = self._leave_census(app_id, census, list(census))
            if last and self._sink is not None:
                self._sink.census_left(app_id, last)
        self._bus.nodes.pop(self._node, None)
        self._sink = None

    # Topics

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        self._topics.add(topic)
        return None

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)

    def post(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._bus.send(message, self._node)

    async def publish(self, messages: Sequence[Message]) -> bool:
        self.post(messages)
        return True

    async def retained(self, topic: str) -> Retained | None:
        payload, expires = self._bus.retained.get(topic, (b"", 0.0))
        left = expires - time.monotonic()
        return Retained(payload, left) if left > 0 else None

    def receive(self, message: Message, position: str | None) -> None:
        if self._sink is not None and message.topic in self._topics:
            self._sink.deliver(message.topic, message.payload, position)

    # History

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        return self._bus.history(topic, after, keep)

    async def forget_history(self, topic: str) -> None:
        self._bus.logs.pop(topic, None)

    # Rosters

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
        roster = self._bus.rosters.setdefault(topic, SharedRoster(self._bus.next_version()))
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
                roster.entries[user] = Entry(info, {self._node})
                roster.version = self._bus.next_version()
                self._bus.announce(topic, RosterChange(roster.version, user, info))
        if not roster.entries and self._bus.rosters.get(topic) is roster:
            del self._bus.rosters[topic]
        return RosterUpdate(roster.version, frozenset(refused))

    def _leave(self, topic: str, roster: SharedRoster, user: str) -> None:
        entry = roster.entries.get(user)
        if entry is None or self._node not in entry.nodes:
            return
        entry.nodes.discard(self._node)
        if not entry.nodes:
            del roster.entries[user]
            roster.version = self._bus.next_version()
            self._bus.announce(topic, RosterChange(roster.version, user, None))

    def receive_change(self, topic: str, change: RosterChange) -> None:
        if self._sink is not None and topic in self._topics:
            self._sink.roster_changed(topic, change)

    # Census

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        census = self._bus.censuses.setdefault(app_id, {})
        last = self._leave_census(app_id, census, leaves)
        first: list[str] = []
        for name in joins:
            holders = census.setdefault(name, set())
            if not holders:
                first.append(name)
            holders.add(self._node)
        if census:
            self._bus.censuses[app_id] = census
        return CensusUpdate(tuple(first), last)

    def _leave_census(self, app_id: str, census: dict[str, set[str]], names: Iterable[str]) -> tuple[str, ...]:
        last: list[str] = []
        for name in names:
            holders = census.get(name, set())
            if self._node in holders:
                holders.discard(self._node)
                if not holders:
                    del census[name]
                    last.append(name)
        if not census:
            self._bus.censuses.pop(app_id, None)
        return tuple(last)

    async def nodes(self) -> list[str]:
        return sorted(self._bus.nodes)
