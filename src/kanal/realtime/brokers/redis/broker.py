"""Redis (or Valkey) as broker: plain pub/sub, on a cluster sharded pub/sub; one subscription per topic that has members here.

Keys, all under the prefix: ``nodes`` (sorted set, last heartbeat per node), ``node:{id}`` (set of what a node stands in:
``r`` and a topic for its roster, ``c`` and an app's id for its census), ``roster:{topic}``, ``log:{topic}`` with
``events:{topic}``, ``census:{app}`` (see ``scripts`` for those), ``last:{topic}`` (string with expiry). Announcements and
events of a topic go to the channel ``topic:{topic}``. The braces are written: all that belongs to one topic lives on one
server of a cluster, and what a script changes and announces is one step.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog

from kanal.realtime.brokers import positions
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
from kanal.realtime.brokers.complaints import Complaints
from kanal.realtime.brokers.redis.address import Kind, parse
from kanal.realtime.brokers.redis.cluster import Cluster
from kanal.realtime.brokers.redis.commander import Commander
from kanal.realtime.brokers.redis.connection import OnAnswer, RedisError
from kanal.realtime.brokers.redis.link import Hooks
from kanal.realtime.brokers.redis.membership import Membership
from kanal.realtime.brokers.redis.names import Names, milliseconds
from kanal.realtime.brokers.redis.scripts import Scripts
from kanal.realtime.brokers.redis.servers import Servers
from kanal.realtime.brokers.redis.single import Single
from kanal.realtime.brokers.results import Results
from kanal.realtime.endings import end

START_TIMEOUT = 3.0  # seconds that start() waits for the first contact
_NAMES = 1_000  # of a census in one step; Redis does nothing else meanwhile

log = structlog.get_logger(__name__)


class RedisBroker:
    """``node`` names the node to people; the broker adds chance, so that a restarted process is another node.

    While a server is away: ``publish`` answers ``False`` and drops, ``post`` drops, what raises ``BrokerDown`` does so at
    once. A server that hangs is given up after ten seconds of silence, a command after two. On a cluster all of that is
    true of the topics on that server, and ``connected`` is true while all servers are there. Events without history are
    delivered at most once. Raises ``ValueError`` for a wrong URL.
    """

    def __init__(
        self,
        url: str,
        *,
        node: str = "node",
        prefix: str = "kanal",
        heartbeat: float = HEARTBEAT,
        node_ttl: float = NODE_TTL,
    ) -> None:
        options = parse(url)
        sharded = options.kind is Kind.CLUSTER
        self._node = f"{node.replace(',', '-')}.{secrets.token_hex(4)}"
        self._heartbeat = heartbeat
        self._names = Names(prefix)
        self._publish = "SPUBLISH" if sharded else "PUBLISH"
        self._scripts = Scripts(self._publish)
        self._own = self._node.encode()
        self._topics: dict[bytes, str] = {}
        self._sink: Sink | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusals = Complaints("broker.refused", broker="redis")
        self._strange = Complaints("broker.bad_message", broker="redis")
        hooks = Hooks(
            scripts=self._scripts.texts,
            received=self._received,
            came_up=self._came_up,
            restored=self._restored,
            went_down=self._went_down,
            refused=self._refused,
        )
        self._servers: Servers = Cluster(options, hooks) if sharded else Single(options, hooks)
        self._commander = Commander(self._servers)
        self._membership = Membership(
            self._node,
            node_ttl,
            commander=self._commander,
            names=self._names,
            scripts=self._scripts,
            spawn=self._spawn,
        )

    @property
    def node(self) -> str:
        return self._node

    @property
    def connected(self) -> bool:
        return self._servers.connected

    async def start(self, sink: Sink) -> None:
        self._sink = self._membership.sink = sink
        self._spawn(self._servers.run())
        self._spawn(self._keep_beating())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._servers.tried.wait(), START_TIMEOUT)

    async def stop(self) -> None:
        if self.connected:
            with contextlib.suppress(BrokerDown):
                await self._membership.bury(self._node)
        self._sink = self._membership.sink = None
        await end(self._tasks)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("broker.failed", broker="redis", exc_info=task.exception())

    # Topics

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        channel = self._names.channel(topic)
        self._topics[channel] = topic
        return self._servers.subscribe(channel)

    def unsubscribe(self, topic: str) -> None:
        channel = self._names.channel(topic)
        self._topics.pop(channel, None)
        self._servers.unsubscribe(channel)
        if self._membership.leave(f"r{topic}"):
            index = self._names.index(self._node)
            self._servers.send(index, ("SREM", index, f"r{topic}"))

    def post(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._send(message, None)

    async def publish(self, messages: Sequence[Message]) -> bool:
        results = Results(len(messages))
        for message in messages:
            if not self._send(message, results):
                results(BrokerDown())
        return await results.wait()

    def _send(self, message: Message, answer: OnAnswer | None) -> bool:
        servers, topic, payload, keep = self._servers, message.topic, message.payload, message.history
        channel = self._names.channel(topic)
        if not servers.ready(channel):
            return False
        if message.retain is not None:
            last = self._names.last(topic)
            servers.send(last, ("SET", last, payload, "PX", milliseconds(message.retain)))
        if keep is None:
            return servers.send(channel, (self._publish, channel, b"=%b\n%b" % (self._own, payload)), answer)
        args = (_head_for(keep), channel, payload, keep.events, milliseconds(keep.seconds))
        return self._commander.send_script(self._scripts.append, self._names.log(topic), args, answer)

    async def retained(self, topic: str) -> Retained | None:
        key = self._names.last(topic)
        payload, left = await asyncio.gather(
            self._commander.call(key, "GET", key), self._commander.call(key, "PTTL", key)
        )
        return Retained(payload, left / 1000) if payload is not None and left > 0 else None

    # History

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        epoch, number = positions.parse(after or "")
        script, keys = self._scripts.history, self._names.log(topic)
        found, last, complete, events = await self._commander.run(script, keys, _head_for(keep), epoch, number)
        current = found.decode()
        numbered = positions.numbered(current, last, events)
        return Past(f"{current}-{last}", numbered, complete=bool(complete) or after is None)

    async def forget_history(self, topic: str) -> None:
        keys = self._names.log(topic)
        await self._commander.call(keys[0], "DEL", *keys)

    # Rosters

    async def roster(self, topic: str) -> Roster:
        key = self._names.roster(topic)
        flat = await self._commander.call(key, "HGETALL", key)
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
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
        channel = self._names.channel(topic)
        if not self._servers.ready(channel):
            raise BrokerDown("not connected")
        if joins:
            await self._membership.join(f"r{topic}")
        pairs: list[str | bytes] = [part for user, info in joins.items() for part in (user, info)]
        args = (self._node, channel, limit, len(joins), *pairs, *leaves)
        version, *refused = await self._commander.run(self._scripts.update_roster, (self._names.roster(topic),), *args)
        return RosterUpdate(int(version), frozenset(user.decode() for user in refused))

    # Census

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        if joins:
            await self._membership.join(f"c{app_id}")
        first: list[str] = []
        last: list[str] = []
        script, keys = self._scripts.update_census, self._names.census(app_id, self._node)
        for names, joining in ((leaves, False), (joins, True)):
            for start in range(0, len(names), _NAMES):
                some = names[start : start + _NAMES]
                began, ended = await self._commander.run(script, keys, self._node, len(some) * joining, *some)
                first += [name.decode() for name in began]
                last += [name.decode() for name in ended]
        return CensusUpdate(tuple(first), tuple(last))

    async def nodes(self) -> list[str]:
        return await self._membership.alive()

    # What the servers tell

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            if not self.connected:
                continue
            try:
                known = await self._membership.beat()
            except BrokerDown:
                continue  # the servers' silence is noticed where it is heard
            if not known:  # we were silent so long that the others took us for dead
                self._membership.forget()
                self._restored()

    def _received(self, channel: bytes, data: bytes) -> None:
        topic = self._topics.get(channel)
        if topic is None or self._sink is None:
            return
        try:
            self._deliver(self._sink, topic, data)
        except Exception as error:  # noqa: BLE001 - whatever a foreign message brings about, it is only that message
            self._strange.add(topic=topic[:200], error=repr(error)[:200])

    def _deliver(self, sink: Sink, topic: str, data: bytes) -> None:
        kind = data[:1]
        head, _, rest = data[1:].partition(b"\n")
        if kind == b"=":
            if head != self._own:
                sink.deliver(topic, rest, None)
        elif kind == b"#":
            sink.deliver(topic, rest, head.decode())
        elif kind == b"+":
            user, _, info = rest.partition(b"\n")
            sink.roster_changed(topic, RosterChange(int(head), user.decode(), info))
        elif kind == b"-":
            sink.roster_changed(topic, RosterChange(int(head), rest.decode(), None))

    async def _came_up(self) -> None:
        self._membership.forget()
        await self._membership.beat()
        # Channels that emptied while the server was away still have this node on their rosters.
        for what in await self._membership.standing_in(self._node):
            if what.startswith("r") and self._names.channel(what[1:]) not in self._topics:
                await self._membership.take_off(self._node, what)
                index = self._names.index(self._node)
                await self._commander.call(index, "SREM", index, what)

    def _restored(self) -> None:
        if self._sink is not None:
            self._sink.restored()

    def _went_down(self) -> None:
        if self._sink is not None:
            self._sink.lost()

    def _refused(self, error: RedisError) -> None:
        self._refusals.add(error=str(error)[:200])


def _head_for(keep: Keep) -> int:
    return milliseconds(keep.seconds + positions.HEAD_SECONDS)
