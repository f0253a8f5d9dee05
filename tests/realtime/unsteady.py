"""A cluster in one process whose links are slow, are cut and come back, and whose nodes die; and clients without sockets.

Made for ``virtual_time``: every delay is drawn from a seeded source, so a failure can be seen again.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from kanal.realtime.apps import App, StaticApps
from kanal.realtime.brokers.base import (
    BrokerDown,
    CensusUpdate,
    Keep,
    Message,
    Past,
    Roster,
    RosterChange,
    RosterUpdate,
)
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.brokers.memory_bus import MemoryBus
from kanal.realtime.connections import Connection
from kanal.realtime.hub import Hub
from kanal.realtime.protocol.signatures import sign_subscription

DELAYS = (0.0, 0.0, 0.001, 0.01, 0.3)  # seconds of one way


class UnsteadyBroker(MemoryBroker):
    """Like one over a network: commands and messages take their time, and may be lost with the link.

    A command that fails may have been carried out. Messages of one topic keep their order.
    """

    def __init__(self, node: str, bus: MemoryBus, random: Random) -> None:
        super().__init__(node, bus)
        self._random = random
        self._up = False
        self._links = 0
        self.failures = 0
        """Commands yet to fail although the link stands; half of them are carried out all the same."""
        self._wanted: set[str] = set()
        self._line: deque[Callable[[], None]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._subscribing: set[asyncio.Future[None]] = set()

    @property
    def connected(self) -> bool:
        return self._up

    async def start(self, sink: Any) -> None:
        self._sink = sink
        self.mend()

    # The link

    def mend(self) -> None:
        assert self._sink is not None
        self._up = True
        self._links += 1
        self._bus.nodes[self.node] = self
        self._topics = set(self._wanted)
        for topic in set(self._bus.rosters) - self._wanted:
            self.leave_roster(topic)
        self._sink.restored()

    def cut(self, *, told: bool = True) -> None:
        self._up = False
        self._links += 1
        self._bus.nodes.pop(self.node, None)
        self._line.clear()
        for future in self._subscribing:
            if not future.done():
                future.set_exception(BrokerDown())
                future.exception()
        self._subscribing.clear()
        if told and self._sink is not None:
            self._sink.lost()

    def lose_messages(self) -> None:
        """What is on its way never comes, although the link stands."""
        self._line.clear()

    def leave_roster(self, topic: str) -> None:
        roster = self._bus.rosters[topic]
        for user in list(roster.entries):
            self._leave(topic, roster, user)
        if not roster.entries:
            del self._bus.rosters[topic]

    def buried_by(self, other: UnsteadyBroker) -> None:
        """Another node takes this one off all rosters."""
        for topic in list(self._bus.rosters):
            self.leave_roster(topic)
        assert other._sink is not None
        other._sink.node_gone(self.node)

    def found_alive(self) -> None:
        """It hears that it was taken for dead."""
        assert self._sink is not None
        self._sink.restored()

    async def stop(self) -> None:
        self.failures = 0
        if self._up:
            await super().stop()
        self._up = False
        self._sink = None

    # Messages in

    def receive(self, message: Message, position: str | None) -> None:
        if self._up and message.topic in self._topics:
            self._enqueue(partial(super().receive, message, position))

    def receive_change(self, topic: str, change: RosterChange) -> None:
        if self._up and topic in self._topics:
            self._enqueue(partial(super().receive_change, topic, change))

    def _enqueue(self, deliver: Callable[[], None]) -> None:
        self._line.append(deliver)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._deliver())

    async def _deliver(self) -> None:
        while self._line:
            await asyncio.sleep(self._random.choice(DELAYS))
            if self._line:
                self._line.popleft()()
        self._pump = None

    # Commands out

    async def _way(self, link: int | None = None) -> int:
        """Raises ``BrokerDown`` when there is no link, or not the one of before."""
        if not self._up:
            raise BrokerDown
        link = self._links if link is None else link
        await asyncio.sleep(self._random.choice(DELAYS))
        if self._links != link:
            raise BrokerDown
        if self.failures and self._random.random() < 0.5:
            self.failures -= 1
            raise BrokerDown
        return link

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        self._wanted.add(topic)
        if not self._up or topic in self._topics:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscribing.add(future)
        asyncio.get_running_loop().call_later(self._random.choice(DELAYS), self._subscribed, topic, future)
        return future

    def _subscribed(self, topic: str, future: asyncio.Future[None]) -> None:
        if not future.done():
            if topic in self._wanted:
                self._topics.add(topic)
            self._subscribing.discard(future)
            future.set_result(None)

    def unsubscribe(self, topic: str) -> None:
        self._wanted.discard(topic)
        self._topics.discard(topic)

    def post(self, messages: Sequence[Message]) -> None:
        if self._up:
            super().post(messages)

    async def publish(self, messages: Sequence[Message]) -> bool:
        self.post(messages)
        try:
            await self._way()
        except BrokerDown:
            return False
        return True

    async def roster(self, topic: str) -> Roster:
        link = await self._way()
        roster = await super().roster(topic)
        await self._way(link)
        return roster

    async def update_roster(
        self, topic: str, joins: Mapping[str, bytes], leaves: Sequence[str], limit: int
    ) -> RosterUpdate:
        link = await self._way()
        update = await super().update_roster(topic, joins, leaves, limit)
        await self._way(link)
        return update

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        link = await self._way()
        past = await super().history(topic, after, keep)
        await self._way(link)
        return past

    async def forget_history(self, topic: str) -> None:
        link = await self._way()
        await super().forget_history(topic)
        await self._way(link)

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        await self._way()
        return await super().update_census(app_id, joins, leaves)

    async def nodes(self) -> list[str]:
        await self._way()
        return await super().nodes()


class _Wire:
    """Transport, socket and carrier of a connection: what is written is heard at once."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: int | None = None

    def get_extra_info(self, name: str) -> Any:
        return self  # as "socket", and as the "ssl_object" that keeps writes away from descriptors

    def fileno(self) -> int:
        return -1

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed is not None

    def write(self, data: bytes) -> None:
        while data:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4]), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10]), 10
            self.heard.append(json.loads(data[start : start + size]))
            data = data[start + size :]

    def ping(self) -> None:
        """Nobody is there to answer it."""

    def close(self, code: int, reason: str) -> None:
        self.closed = code


class Caller:
    """A client of a hub, without a socket. ``take`` what it heard since it was last asked."""

    def __init__(self, hub: Hub, app: App) -> None:
        self.hub = hub
        self.app = app
        self._wire = _Wire()
        self.connection: Connection = hub.opened(app, self._wire, self._wire)  # type: ignore[arg-type]
        self.socket_id = self.connection.socket_id
        self.take()

    def take(self) -> list[dict[str, Any]]:
        heard, self._wire.heard = self._wire.heard, []
        return heard

    def send(self, event: str, data: Any, channel: str | None = None) -> None:
        message = {"event": event, "data": data} | ({"channel": channel} if channel else {})
        self.hub.received(self.connection, json.dumps(message).encode())

    def subscribe(self, channel: str, member: Mapping[str, Any] | None = None, **more: Any) -> None:
        data: dict[str, Any] = {"channel": channel, **more}
        if channel.startswith(("private-", "presence-")):
            text = None if member is None else json.dumps(member)
            data["auth"] = sign_subscription(self.app.key, self.app.secret, self.socket_id, channel, text)
            if text is not None:
                data["channel_data"] = text
        self.send("pusher:subscribe", data)

    def unsubscribe(self, channel: str) -> None:
        self.send("pusher:unsubscribe", {"channel": channel})

    def close(self) -> None:
        self.hub.closed(self.connection)


class Cluster:
    """Hubs over one bus."""

    def __init__(self, app: App, seed: int = 0) -> None:
        self.app = app
        self.bus = MemoryBus()
        self.random = Random(seed)
        self.hubs: list[Hub] = []
        self._started = 0

    async def start(self) -> Hub:
        self._started += 1  # a node that comes after another is another
        broker = UnsteadyBroker(f"node-{self._started}", self.bus, self.random)
        hub = Hub(StaticApps([self.app]), broker)
        self.hubs.append(hub)
        await hub.start()
        return hub

    def broker(self, hub: Hub) -> UnsteadyBroker:
        assert isinstance(hub.broker, UnsteadyBroker)
        return hub.broker

    async def kill(self, hub: Hub) -> None:
        """-9: nobody is told, until another node buries it."""
        self.hubs.remove(hub)
        self.broker(hub).cut(told=False)
        await hub.stop()

    async def stop(self) -> None:
        for hub in self.hubs:
            await hub.stop()
