"""Redis (or Valkey) as broker: plain pub/sub, one subscription per topic that has members on this node.

Keys, all under the prefix: ``nodes`` (sorted set, last heartbeat per node), ``node:{id}`` (set of what a node stands in:
``r`` and a topic for its roster, ``c`` and an app's id for its census), ``roster:{topic}``, ``log:{topic}`` with
``events:{topic}``, ``census:{app}`` (see ``scripts`` for those), ``last:{topic}`` (string with expiry). Announcements and
events of a topic go to the channel ``topic:{topic}``.
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

from kanal.realtime.brokers import positions, scripts
from kanal.realtime.brokers.base import (
    HEARTBEAT,
    NODE_TTL,
    BrokerDown,
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
from kanal.realtime.brokers.redis_link import Link
from kanal.realtime.brokers.redis_outbox import Outbox
from kanal.realtime.endings import end

COMMAND_TIMEOUT = 2.0  # seconds
START_TIMEOUT = 3.0  # seconds that start() waits for the first contact
_NAMES = 1_000  # of a census in one step; Redis does nothing else meanwhile

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
        self._alive = self._client.register_script(scripts.ALIVE)
        self._history = self._client.register_script(scripts.HISTORY)
        self._census = self._client.register_script(scripts.UPDATE_CENSUS)
        self._reap_census = self._client.register_script(scripts.REAP_CENSUS)
        self._channel_prefix = f"{prefix}:topic:{{"
        self._own = self._node.encode()
        self._listed: set[str] = set()
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
        if f"r{topic}" in self._listed:
            self._listed.discard(f"r{topic}")
            self._outbox.put([("SREM", self._index(self._node), f"r{topic}")])

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
                kept = ("PX", _milliseconds(message.retain))
                commands.append(("SET", self._last(message.topic), message.payload, *kept))
            if message.history is None:
                commands.append(("PUBLISH", self._channel(message.topic), b"=%b\n%b" % (self._own, message.payload)))
            else:
                commands.append(self._append(message.topic, message.payload, message.history))
        return commands

    def _append(self, topic: str, payload: bytes, keep: Keep) -> tuple[str | bytes | int, ...]:
        keys, head_for = self._log(topic), _milliseconds(keep.seconds + positions.HEAD_SECONDS)
        kept = (keep.events, _milliseconds(keep.seconds))
        return ("EVAL", scripts.APPEND, 2, *keys, head_for, self._channel(topic), payload, *kept)

    async def retained(self, topic: str) -> Retained | None:
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.get(self._last(topic))
            pipeline.pttl(self._last(topic))
            payload, left = await self._call(pipeline.execute())
        return Retained(payload, left / 1000) if payload is not None and left > 0 else None

    # History

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        epoch, number = positions.parse(after or "")
        args: list[Argument] = [_milliseconds(keep.seconds + positions.HEAD_SECONDS), epoch, number]
        found, last, complete, events = await self._call(self._history(keys=self._log(topic), args=args))
        current = found.decode()
        numbered = positions.numbered(current, last, events)
        return Past(f"{current}-{last}", numbered, complete=bool(complete) or after is None)

    async def forget_history(self, topic: str) -> None:
        await self._call(self._client.delete(*self._log(topic)))

    # Census

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        first: list[str] = []
        last: list[str] = []
        if joins:
            await self._list(f"c{app_id}")
        for names, joining in ((leaves, False), (joins, True)):
            for start in range(0, len(names), _NAMES):
                some = names[start : start + _NAMES]
                args: list[Argument] = [self._node, len(some) if joining else 0, *some]
                began, ended = await self._call(self._census(keys=self._census_keys(app_id, self._node), args=args))
                first += [name.decode() for name in began]
                last += [name.decode() for name in ended]
        return CensusUpdate(tuple(first), tuple(last))

    async def nodes(self) -> list[str]:
        alive = await self._call(self._alive(keys=[f"{self._prefix}:nodes"], args=[_milliseconds(self._node_ttl)]))
        return [node.decode() for node in alive]

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
        if joins:
            await self._list(f"r{topic}")
        pairs: list[str | bytes] = [part for user, info in joins.items() for part in (user, info)]
        args: list[Argument] = [self._node, self._channel(topic), limit, len(joins), *pairs, *leaves]
        version, *refused = await self._call(self._update(keys=[self._roster(topic)], args=args))
        return RosterUpdate(int(version), frozenset(user.decode() for user in refused))

    async def _list(self, what: str) -> None:
        """Before it is joined: a node that dies in between leaves nothing unlisted behind."""
        if what in self._listed:
            return
        listed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._outbox.put([("SADD", self._index(self._node), what)], listed) or not await listed:
            raise BrokerDown
        self._listed.add(what)

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
                self._listed.clear()
                self._sink.restored()

    async def _beat_once(self) -> tuple[bool, list[str]]:
        args: list[Argument] = [self._node, int(self._node_ttl * 1000)]
        new, *dead = await self._call(self._beat(keys=[f"{self._prefix}:nodes"], args=args))
        return bool(new), [node.decode() for node in dead]

    async def _bury(self, node: str) -> None:
        """Takes a node off all it stands in, then off the list: half done, another node does it again."""
        for what in await self._standing_in(node):
            await self._take_off(node, what)
        await self._call(self._client.delete(self._index(node)))
        removed = await self._call(self._client.zrem(f"{self._prefix}:nodes", node))
        if removed and node != self._node and self._sink is not None:
            self._sink.node_gone(node)

    async def _take_off(self, node: str, what: str) -> None:
        kind, name = what[:1], what[1:]
        if kind == "r":
            await self._call(self._reap(keys=[self._roster(name)], args=[node, self._channel(name)]))
            return
        more = True
        while more:
            step = self._reap_census(keys=self._census_keys(name, node), args=[node, _NAMES])
            more, left = await self._call(step)
            if left and self._sink is not None:
                self._sink.census_left(name, [each.decode() for each in left])

    async def _standing_in(self, node: str) -> list[str]:
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
                self._sink.deliver(topic, rest, None)
        elif kind == b"#":
            self._sink.deliver(topic, rest, head.decode())
        elif kind == b"+":
            user, _, info = rest.partition(b"\n")
            self._sink.roster_changed(topic, RosterChange(int(head), user.decode(), info))
        elif kind == b"-":
            self._sink.roster_changed(topic, RosterChange(int(head), rest.decode(), None))

    async def _came_up(self) -> None:
        self._listed.clear()
        await self._beat_once()
        await self._leave_abandoned()
        self._link.connected = True
        self._link.tried.set()
        if self._sink is not None:
            self._sink.restored()

    async def _leave_abandoned(self) -> None:
        """Channels that emptied while Redis was away still have this node on their rosters."""
        for what in await self._standing_in(self._node):
            if what.startswith("r") and not self._link.wants(self._channel(what[1:])):
                await self._take_off(self._node, what)
                await self._call(self._client.srem(self._index(self._node), what))

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

    def _log(self, topic: str) -> list[str]:
        return [f"{self._prefix}:log:{{{topic}}}", f"{self._prefix}:events:{{{topic}}}"]

    def _census_keys(self, app_id: str, node: str) -> list[str]:
        return [f"{self._prefix}:census:{{{app_id}}}", f"{self._prefix}:census:{{{app_id}}}:{node}"]

    def _index(self, node: str) -> str:
        return f"{self._prefix}:node:{node}"


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
