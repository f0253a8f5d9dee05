"""Redis (or Valkey) as broker: plain pub/sub, one subscription per topic that has members on this node.

Keys, all under the prefix: ``nodes`` (sorted set, last heartbeat per node), ``node:{id}`` (set of topics in whose rosters a
node stands), ``roster:{topic}`` (hash, see ``scripts``), ``last:{topic}`` (string with expiry). Announcements and events of
a topic go to the channel ``topic:{topic}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

import redis.asyncio as aioredis
import redis.exceptions
import structlog
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kanal.realtime.brokers import scripts
from kanal.realtime.brokers.base import BrokerDown, Message, Retained, Roster, RosterChange, RosterUpdate, Sink
from kanal.realtime.brokers.redis_link import Link
from kanal.realtime.brokers.redis_outbox import Outbox
from kanal.realtime.endings import end

HEARTBEAT = 5.0  # seconds
NODE_TTL = 15.0  # seconds; with the heartbeat: a killed node is off the rosters after at most 20 s and a round trip
COMMAND_TIMEOUT = 2.0  # seconds
START_TIMEOUT = 3.0  # seconds that start() waits for the first contact

Argument = bytes | bytearray | memoryview | str | int | float

_FAILURES = (redis.exceptions.RedisError, OSError, asyncio.TimeoutError)

log = structlog.get_logger(__name__)


class RedisBroker:
    """``node`` names the node to people; the broker adds chance, so that a restarted process is another node."""

    def __init__(
        self,
        url: str,
        *,
        node: str = "node",
        prefix: str = "kanal",
        heartbeat: float = HEARTBEAT,
        node_ttl: float = NODE_TTL,
    ) -> None:
        self._node = f"{node.replace(',', '-')}.{secrets.token_hex(4)}"
        self._prefix = prefix
        self._heartbeat = heartbeat
        self._node_ttl = node_ttl
        self._client: aioredis.Redis = aioredis.Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_timeout=COMMAND_TIMEOUT,
            socket_connect_timeout=COMMAND_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._update = self._client.register_script(scripts.UPDATE_ROSTER)
        self._reap = self._client.register_script(scripts.REAP_ROSTER)
        self._beat = self._client.register_script(scripts.HEARTBEAT)
        self._channel_prefix = f"{prefix}:topic:{{"
        self._own = self._node.encode()
        self._rosters: set[str] = set()
        self._sink: Sink | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._link = Link(self._connect, received=self._received, came_up=self._came_up, went_down=self._went_down)
        self._outbox = Outbox(self._client)

    @property
    def node(self) -> str:
        return self._node

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def start(self, sink: Sink) -> None:
        self._sink = sink
        # A channel of our own keeps the link subscribed, which is what lets it tell life from silence.
        self._link.subscribe(f"{self._prefix}:node:{self._node}")
        for run in (self._link.run(), self._outbox.run(), self._keep_beating()):
            self._tasks.append(asyncio.create_task(run))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._link.tried.wait(), START_TIMEOUT)

    async def stop(self) -> None:
        if self._link.connected:
            with contextlib.suppress(BrokerDown):
                await self._bury(self._node)
        self._sink = None
        await end(self._tasks)
        self._tasks.clear()
        with contextlib.suppress(*_FAILURES):
            await self._client.aclose()

    # Topics

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        return self._link.subscribe(self._channel(topic))

    def unsubscribe(self, topic: str) -> None:
        self._link.unsubscribe(self._channel(topic))
        if topic in self._rosters:
            self._rosters.discard(topic)
            self._outbox.put([("SREM", self._index(self._node), topic)])

    def post(self, messages: Sequence[Message]) -> None:
        if self._link.connected:
            self._outbox.put(self._commands(messages))

    async def publish(self, messages: Sequence[Message]) -> bool:
        if not self._link.connected:
            return False
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._outbox.put(self._commands(messages), done):
            return False
        return await done

    def _commands(self, messages: Sequence[Message]) -> list[tuple[str | bytes | int, ...]]:
        commands: list[tuple[str | bytes | int, ...]] = []
        for message in messages:
            if message.retain is not None:
                milliseconds = max(1, int(message.retain * 1000))
                commands.append(("SET", self._last(message.topic), message.payload, "PX", milliseconds))
            commands.append(("PUBLISH", self._channel(message.topic), b"=%b\n%b" % (self._own, message.payload)))
        return commands

    async def retained(self, topic: str) -> Retained | None:
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.get(self._last(topic))
            pipeline.pttl(self._last(topic))
            payload, left = await self._call(pipeline.execute())
        return Retained(payload, left / 1000) if payload is not None and left > 0 else None

    # Rosters

    async def roster(self, topic: str) -> Roster:
        fields: dict[bytes, bytes] = await self._call(self._client.hgetall(self._roster(topic)))
        version = int(fields.pop(b"v", b"0"))
        members: dict[str, bytes] = {}
        own: set[str] = set()
        for field, value in fields.items():
            nodes, _, info = value.partition(b"\n")
            user = field[1:].decode()
            members[user] = info
            if self._own in nodes.split(b","):
                own.add(user)
        return Roster(version, members, frozenset(own))

    async def update_roster(
        self, topic: str, joins: Mapping[str, bytes], leaves: Sequence[str], limit: int
    ) -> RosterUpdate:
        if not self._link.connected:
            raise BrokerDown
        if joins and topic not in self._rosters:
            # Listed before it is joined: a node that dies in between leaves nothing unlisted behind.
            listed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            if not self._outbox.put([("SADD", self._index(self._node), topic)], listed) or not await listed:
                raise BrokerDown
            self._rosters.add(topic)
        pairs: list[str | bytes] = [part for user, info in joins.items() for part in (user, info)]
        args: list[Argument] = [self._node, self._channel(topic), limit, len(joins), *pairs, *leaves]
        version, *refused = await self._call(self._update(keys=[self._roster(topic)], args=args))
        return RosterUpdate(int(version), frozenset(user.decode() for user in refused))

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            if not self._link.connected:
                continue
            try:
                forgotten, dead = await self._beat_once()
                for node in dead:
                    log.warning("broker.node_dead", node=node)
                    await self._bury(node)
            except BrokerDown:
                continue
            if forgotten and self._sink is not None:
                # We were silent so long that the others took us for dead.
                self._rosters.clear()
                self._sink.restored()

    async def _beat_once(self) -> tuple[bool, list[str]]:
        args: list[Argument] = [self._node, int(self._node_ttl * 1000)]
        new, *dead = await self._call(self._beat(keys=[f"{self._prefix}:nodes"], args=args))
        return bool(new), [node.decode() for node in dead]

    async def _bury(self, node: str) -> None:
        """Takes a node off every roster it stands in, then off the list: half done, another node does it again."""
        for topic in await self._topics_of(node):
            await self._call(self._reap(keys=[self._roster(topic)], args=[node, self._channel(topic)]))
        await self._call(self._client.delete(self._index(node)))
        await self._call(self._client.zrem(f"{self._prefix}:nodes", node))

    async def _topics_of(self, node: str) -> list[str]:
        members: set[bytes] = await self._call(cast("Awaitable[set[bytes]]", self._client.smembers(self._index(node))))
        return [each.decode() for each in members]

    # The link

    def _connect(self) -> AbstractConnection:
        return cast("AbstractConnection", self._client.connection_pool.make_connection())  # type: ignore[no-untyped-call]

    def _received(self, name: str, data: bytes) -> None:
        if self._sink is None or not name.startswith(self._channel_prefix):
            return
        topic = name[len(self._channel_prefix) : -1]
        kind, body = data[:1], data[1:]
        head, _, rest = body.partition(b"\n")
        if kind == b"=":
            if head != self._own:
                self._sink.deliver(topic, rest)
        elif kind == b"+":
            user, _, info = rest.partition(b"\n")
            self._sink.roster_changed(topic, RosterChange(int(head), user.decode(), info))
        elif kind == b"-":
            self._sink.roster_changed(topic, RosterChange(int(head), rest.decode(), None))

    async def _came_up(self) -> None:
        self._rosters.clear()
        await self._beat_once()
        await self._leave_abandoned()
        self._link.connected = True
        self._link.tried.set()
        if self._sink is not None:
            self._sink.restored()

    async def _leave_abandoned(self) -> None:
        """Channels that emptied while Redis was away still have this node on their rosters."""
        for topic in await self._topics_of(self._node):
            if not self._link.wants(self._channel(topic)):
                await self._call(self._reap(keys=[self._roster(topic)], args=[self._node, self._channel(topic)]))
                await self._call(self._client.srem(self._index(self._node), topic))

    def _went_down(self) -> None:
        self._outbox.drop()
        if self._sink is not None:
            self._sink.lost()

    async def _call(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except _FAILURES as error:
            raise BrokerDown(str(error)) from error

    # Names

    def _channel(self, topic: str) -> str:
        return f"{self._channel_prefix}{topic}}}"

    def _roster(self, topic: str) -> str:
        return f"{self._prefix}:roster:{{{topic}}}"

    def _last(self, topic: str) -> str:
        return f"{self._prefix}:last:{{{topic}}}"

    def _index(self, node: str) -> str:
        return f"{self._prefix}:node:{node}"
